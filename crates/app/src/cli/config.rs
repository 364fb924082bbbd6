//! `markt-auth config`

use super::Outcome;
use super::output::say;
use crate::config::Config;

/// Prints each key with its value and where it was set.
pub fn print(config: &Config, json: bool) -> Outcome {
    if json {
        return Ok(say(serde_json::to_string_pretty(&config.shown)?)?);
    }
    let widest = config.shown.iter().map(|shown| shown.key.len()).max().unwrap_or_default();
    for shown in &config.shown {
        say(format_args!("{:widest$} = {:?}  # {}", shown.key, shown.value, shown.origin))?;
    }
    Ok(())
}
