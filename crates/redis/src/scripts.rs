//! The Lua scripts, each as one command.

use std::sync::LazyLock;

use fred::clients::{Client, WithOptions};
use fred::interfaces::LuaInterface;
use fred::types::scripts::Script;
use fred::types::{FromValue, Value};
use markt_domain::ports::StoreError;

use crate::commands::Command;
use crate::connection::Connections;
use crate::keys::{ENDED_DIGITS, ENDED_PREFIX, SESSION_PREFIX, USER_SESSIONS_PREFIX};
use crate::session_store::MAX_HOPS;
use crate::time_to_live::LONGEST_TTL;

macro_rules! lua {
    ($file:literal) => {
        include_str!(concat!("scripts/", $file))
    };
}

pub(crate) static CREATE: LazyLock<Script> = LazyLock::new(|| on_sessions(lua!("create.lua")));
pub(crate) static TOUCH: LazyLock<Script> = LazyLock::new(|| on_sessions(lua!("touch.lua")));
pub(crate) static UPDATE: LazyLock<Script> = LazyLock::new(|| on_sessions(lua!("update.lua")));
pub(crate) static ROTATE: LazyLock<Script> = LazyLock::new(|| on_sessions(lua!("rotate.lua")));
pub(crate) static LIST: LazyLock<Script> = LazyLock::new(|| on_sessions(lua!("list.lua")));
pub(crate) static DELETE: LazyLock<Script> = LazyLock::new(|| on_sessions(lua!("delete.lua")));
pub(crate) static DELETE_BEFORE_EPOCH: LazyLock<Script> =
    LazyLock::new(|| on_sessions(lua!("delete_before_epoch.lua")));
pub(crate) static USER_CHANGED: LazyLock<Script> = LazyLock::new(|| on_sessions(lua!("user_changed.lua")));
pub(crate) static CHECK_SESSION: LazyLock<Script> = LazyLock::new(|| on_sessions(lua!("check_session.lua")));
pub(crate) static CHECK_INDEX: LazyLock<Script> = LazyLock::new(|| on_sessions(lua!("check_index.lua")));
pub(crate) static PUT_CODE: LazyLock<Script> = LazyLock::new(|| Script::from_lua(lua!("put_code.lua")));
pub(crate) static TAKE_TRY: LazyLock<Script> = LazyLock::new(|| Script::from_lua(lua!("take_try.lua")));
pub(crate) static REDEEM: LazyLock<Script> = LazyLock::new(|| Script::from_lua(lua!("redeem.lua")));
pub(crate) static COUNT: LazyLock<Script> = LazyLock::new(|| Script::from_lua(lua!("count.lua")));

/// A script with the constants and the functions that those on sessions share.
fn on_sessions(body: &str) -> Script {
    let longest_ttl = LONGEST_TTL.as_millis();
    let constants = format!(
        "local SESSION, USER_SESSIONS, ENDED = '{SESSION_PREFIX}', '{USER_SESSIONS_PREFIX}', '{ENDED_PREFIX}'\n\
         local ENDED_DIGITS, LONGEST_TTL, HOPS = {ENDED_DIGITS}, {longest_ttl}, {MAX_HOPS}\n"
    );
    Script::from_lua(constants + lua!("prelude.lua") + body)
}

/// Runs a script.
pub(crate) async fn run<R: FromValue>(
    connections: &Connections,
    operation: &'static str,
    script: &Script,
    keys: Vec<String>,
    arguments: Vec<Value>,
) -> Result<R, StoreError> {
    run_over(connections, &connections.next(), operation, script, keys, arguments).await
}

/// Runs a script over this connection: by its digest, and only if Redis doesn't know it (any more) by its text. fred's
/// own `evalsha_with_reload` takes no options, so it would wait for a lost connection.
pub(crate) async fn run_over<R: FromValue>(
    connections: &Connections,
    connection: &WithOptions<Client>,
    operation: &'static str,
    script: &Script,
    keys: Vec<String>,
    arguments: Vec<Value>,
) -> Result<R, StoreError> {
    let answer = async {
        let hash = script.sha1().clone();
        match (connection.evalsha(hash, keys.clone(), arguments.clone()).await, script.lua()) {
            (Err(error), Some(text)) if error.details().starts_with("NOSCRIPT") => {
                connection.eval(text.clone(), keys, arguments).await
            }
            (answer, _) => answer,
        }
    };
    connections.run(operation, Command::script(script.sha1()), answer).await
}
