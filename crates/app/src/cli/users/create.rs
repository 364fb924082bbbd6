//! `markt-auth users create`

use std::sync::Arc;

use clap::Args;
use markt_domain::credentials::{EmailAddress, InvalidEmailAddress, NewPassword, Password, Username};
use markt_domain::ports::audit_log::AuditLog;
use markt_domain::ports::user_store::CreateUserError;
use markt_domain::role::Role;
use markt_domain::use_cases::create_user::{CreateError, CreateUser, CreateUserRequest};
use markt_domain::use_cases::register::NewAccount;
use markt_domain::user::{Account, NewBuyer, NewSeller};

use crate::cli::Failure;
use crate::cli::typed::secret_line;
use crate::config::Config;
use crate::wiring::{Stores, Surroundings, open_hasher};

/// The user to be made. The password is read from standard input: its first line.
#[derive(Args)]
pub struct NewUserFlags {
    /// The e-mail address. It counts as verified.
    #[arg(long, value_name = "E-MAIL", value_parser = email)]
    email: EmailAddress,
    /// The public name: 3 to 20 letters, digits and underscores.
    #[arg(long, value_name = "NAME", value_parser = username)]
    username: Username,
    /// What the user begins as: buyer or seller.
    #[arg(long, value_name = "TYPE")]
    account_type: Role,
    /// A buyer's name that sellers see; the username without this.
    #[arg(long, value_name = "NAME", value_parser = name::<50>)]
    buyername: Option<String>,
    /// A seller's shop; the username without this.
    #[arg(long, value_name = "NAME", value_parser = name::<100>)]
    shop_name: Option<String>,
    /// What the shop says of itself; nothing without this.
    #[arg(long, value_name = "TEXT", value_parser = text)]
    description: Option<String>,
    /// In JSON.
    #[arg(long)]
    pub json: bool,
}

impl NewUserFlags {
    fn account(&self) -> NewAccount {
        let or_username = |name: &Option<String>| name.clone().unwrap_or_else(|| self.username.as_str().to_owned());
        match self.account_type {
            Role::Buyer => {
                NewAccount::Buyer(NewBuyer { buyername: or_username(&self.buyername), shipping_address: None })
            }
            Role::Seller => NewAccount::Seller(NewSeller {
                shop_name: or_username(&self.shop_name),
                description: self.description.clone().unwrap_or_default(),
                policies: None,
                category_ids: Vec::new(),
            }),
        }
    }
}

/// Makes the user.
pub(super) async fn create(
    flags: &NewUserFlags,
    stores: &Stores,
    config: &Config,
    surroundings: &Surroundings,
    audit: Arc<dyn AuditLog>,
) -> Result<Account, Failure> {
    let request = CreateUserRequest {
        email: flags.email.clone(),
        username: flags.username.clone(),
        password: password().await?,
        account: flags.account(),
    };
    let create = CreateUser {
        users: Arc::clone(&stores.users),
        hasher: open_hasher(config, surroundings)?,
        clock: Arc::clone(&surroundings.clock),
        entropy: Arc::clone(&surroundings.entropy),
        audit,
    };
    create.execute(&request).await.map_err(|error| match error {
        CreateError::User(CreateUserError::EmailTaken) => {
            format!("there is a user with the address {} already", flags.email.as_str()).into()
        }
        CreateError::User(CreateUserError::UsernameTaken) => {
            format!("there is a user called {} already", flags.username.as_str()).into()
        }
        other => other.into(),
    })
}

/// The first line of standard input.
async fn password() -> Result<NewPassword, Failure> {
    let line = secret_line("password").await?;
    NewPassword::parse(Password::new(line.as_str().to_owned())).map_err(|broken| {
        let rules: Vec<_> = broken.iter().map(ToString::to_string).collect();
        format!("the password on standard input: {}", rules.join(" ")).into()
    })
}

fn email(text: &str) -> Result<EmailAddress, InvalidEmailAddress> {
    EmailAddress::parse(text)
}

fn username(text: &str) -> Result<Username, String> {
    let username = Username::parse(text).map_err(|error| error.to_string())?;
    if username.is_reserved() { Err("This username is reserved.".to_owned()) } else { Ok(username) }
}

fn text(text: &str) -> Result<String, String> {
    // PostgreSQL can't keep them.
    if text.contains('\0') { Err("Null characters are not allowed.".to_owned()) } else { Ok(text.to_owned()) }
}

fn name<const MAX: usize>(name: &str) -> Result<String, String> {
    match name.chars().count() {
        _ if name.trim().is_empty() => Err("Shorter than minimum length 1.".to_owned()),
        length if length > MAX => Err(format!("Longer than maximum length {MAX}.")),
        _ => text(name),
    }
}
