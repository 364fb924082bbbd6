//! What Flask-Login tells clients by (`_create_identifier`): the SHA-512 of the address and the user agent, as Python shows
//! them.

use std::fmt::Write as _;

use markt_domain::client::Client;
use sha2::{Digest as _, Sha512};

/// The identifier of this client.
pub(crate) fn of(client: &Client) -> String {
    let agent = match &*client.user_agent {
        "" => "None".to_owned(),
        agent => shown(agent),
    };
    let text = format!("{}|{agent}", shown(&client.ip_address.to_string()));
    Sha512::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string doesn't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A text's bytes as Python's `repr` shows them.
fn shown(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut shown = format!("b{quote}");
    for byte in text.bytes() {
        match byte {
            b'\\' => shown.push_str("\\\\"),
            b'\'' if quote == '\'' => shown.push_str("\\'"),
            b' '..=b'~' => shown.push(char::from(byte)),
            _ => {
                let _ = write!(shown, "\\x{byte:02x}");
            }
        }
    }
    shown.push(quote);
    shown
}
