//! The Lua scripts, each as one command.

use std::sync::LazyLock;

use fred::error::Error;
use fred::interfaces::LuaInterface;
use fred::types::scripts::Script;
use fred::types::{FromValue, Value};

use crate::connection::Connections;

macro_rules! script {
    ($($file:literal),+) => {
        LazyLock::new(|| Script::from_lua(concat!($(include_str!(concat!("scripts/", $file))),+)))
    };
}

pub(crate) static CREATE: LazyLock<Script> = script!("prelude.lua", "create.lua");
pub(crate) static DELETE: LazyLock<Script> = script!("prelude.lua", "delete.lua");
pub(crate) static DELETE_BEFORE_EPOCH: LazyLock<Script> = script!("prelude.lua", "delete_before_epoch.lua");
pub(crate) static USER_CHANGED: LazyLock<Script> = script!("prelude.lua", "user_changed.lua");
pub(crate) static PUT_CODE: LazyLock<Script> = script!("put_code.lua");
pub(crate) static TAKE_TRY: LazyLock<Script> = script!("take_try.lua");
pub(crate) static REDEEM: LazyLock<Script> = script!("redeem.lua");

/// Runs a script: by its digest, and only if Redis doesn't know it (any more) by its text. fred's own
/// `evalsha_with_reload` takes no options, so it would wait for a lost connection.
pub(crate) async fn run<R: FromValue>(
    connections: &Connections,
    script: &Script,
    keys: Vec<String>,
    arguments: Vec<Value>,
) -> Result<R, Error> {
    let connection = connections.next();
    let hash = script.sha1().clone();
    match (connection.evalsha(hash, keys.clone(), arguments.clone()).await, script.lua()) {
        (Err(error), Some(text)) if error.details().starts_with("NOSCRIPT") => {
            connection.eval(text.clone(), keys, arguments).await
        }
        (answer, _) => answer,
    }
}
