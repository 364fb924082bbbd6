//! The first way: a server that the environment names.

use std::env;

use markt_test_support::stores::server_address;

use crate::Error;
use crate::provide::{Provided, Store};

/// The server that the store's variable names, if it is set. One that doesn't answer stops the run: who named it wants
/// that one, not another.
pub(crate) async fn provide(store: Store) -> Result<Option<Provided>, Error> {
    let variable = store.variable();
    let Some(url) = env::var(variable).ok().filter(|url| !url.is_empty()) else { return Ok(None) };
    store.ping(&url).await.map_err(|error| {
        format!("{variable} is set, but its server can't be used: {error}\nUnset {variable} to have one started.")
    })?;
    store.say(&format!("the server that {variable} names, at {}", server_address(&url)));
    Ok(Some(Provided { url, _watchdog: None }))
}
