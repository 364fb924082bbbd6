//! Whom to log in as.

use std::path::Path;

/// The accounts that `cargo xtask dev` makes.
const DEMO: &str = "\
    buyer1@markt.com Password123
    seller1@markt.com Password123
    both1@markt.com Password123
";

/// An account that exists. Not `Debug`: its password is nobody else's business.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) email: String,
    pub(crate) password: String,
}

/// The accounts in a file, a line each: e-mail address, space, password.
///
/// # Errors
/// If the file can't be read, or has none, or a line isn't like that.
pub(crate) fn read(file: &Path) -> Result<Vec<Account>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("can't read {}: {error}", file.display()))?;
    parse(&text).map_err(|why| format!("{}: {why}", file.display()))
}

/// The demo's.
///
/// # Errors
/// None: they can be parsed.
pub(crate) fn demo() -> Result<Vec<Account>, String> {
    parse(DEMO)
}

fn parse(text: &str) -> Result<Vec<Account>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let accounts: Vec<_> = lines
        .map(|(index, line)| {
            // The line itself isn't shown: there is a password in it.
            let account = line.trim().split_once(' ').filter(|(_, password)| !password.trim().is_empty());
            let (email, password) = account.ok_or_else(|| format!("line {} is no `ADDRESS PASSWORD`", index + 1))?;
            Ok(Account { email: email.to_owned(), password: password.trim().to_owned() })
        })
        .collect::<Result<_, String>>()?;
    if accounts.is_empty() { Err("there is no account".into()) } else { Ok(accounts) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demos_accounts_are_three() {
        assert_eq!(demo().map(|accounts| accounts.len()), Ok(3));
    }

    #[test]
    fn a_line_that_is_no_account_is_told_without_what_it_says() {
        assert_eq!(parse("a@b.c Password1\n\nsecret\n").map(|_| ()), Err("line 3 is no `ADDRESS PASSWORD`".into()));
        assert_eq!(parse(" \n").map(|_| ()), Err("there is no account".into()));
    }
}
