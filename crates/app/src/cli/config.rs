//! `markt-auth config`

use super::Outcome;
use crate::config::Config;

/// Prints each key with its value and where it was set.
pub fn print(config: &Config, json: bool) -> Outcome {
    if json {
        println!("{}", serde_json::to_string_pretty(&config.shown)?);
        return Ok(());
    }
    let widest = config.shown.iter().map(|shown| shown.key.len()).max().unwrap_or_default();
    for shown in &config.shown {
        println!("{:widest$} = {:?}  # {}", shown.key, shown.value, shown.origin);
    }
    Ok(())
}
