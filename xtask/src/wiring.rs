//! Only the composition root names an adapter.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cargo::Failure;

/// The places in the service's sources that name one of these crates outside `wiring.rs` and `wiring/`.
pub(crate) fn leaks(sources: &Path, adapters: &[String]) -> Result<Vec<String>, Failure> {
    let modules: Vec<String> = adapters.iter().map(|adapter| adapter.replace('-', "_")).collect();
    let mut leaks = Vec::new();
    for file in rust_files(sources)? {
        let inside = file.strip_prefix(sources)?;
        if inside == Path::new("wiring.rs") || inside.starts_with("wiring") {
            continue;
        }
        let text = fs::read_to_string(&file)?;
        leaks.extend(named_in(&text, &modules).into_iter().map(|(line, module)| {
            format!("{}:{line} names {module}: only wiring.rs knows which adapters there are", file.display())
        }));
    }
    Ok(leaks)
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("can't read {}: {error}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The lines that name a module in code, counted from 1; neither a comment nor a text (a log's target) makes an arrow.
fn named_in<'modules>(text: &str, modules: &'modules [String]) -> Vec<(usize, &'modules str)> {
    let mut named = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let without_texts: String = line.split('"').step_by(2).collect();
        let code = without_texts.split("//").next().unwrap_or_default();
        let mut words = code.split(|character: char| !character.is_alphanumeric() && character != '_');
        if let Some(module) = words.find_map(|word| modules.iter().find(|module| *module == word)) {
            named.push((number, module.as_str()));
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_named_in_code_and_as_a_whole_word() {
        let modules = ["markt_redis".to_owned()];
        let text = "use std::fmt;\nuse markt_redis::Store;\n// markt_redis is faster\nlet my_markt_redis_url = 1;\n\
                    let target = \"markt_redis\";\nlet store = open(\"redis://a\", markt_redis::Store::new);\n";

        assert_eq!(named_in(text, &modules), [(2, "markt_redis"), (6, "markt_redis")]);
    }
}
