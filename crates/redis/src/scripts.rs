//! The Lua scripts, each as one command.

use std::sync::OnceLock;

use fred::error::Error;
use fred::interfaces::LuaInterface;
use fred::types::scripts::Script;
use fred::types::{FromValue, Key, Value};
use futures_util::future::BoxFuture;
use markt_domain::ports::StoreError;

use crate::commands::Command;
use crate::connection::Connection;
use crate::keys::{ENDED_DIGITS, ENDED_PREFIX, Keys, SESSION_PREFIX, TAG_DIGITS, USER_SESSIONS_PREFIX};
use crate::servers::Servers;
use crate::session_store::MAX_HOPS;
use crate::time_to_live::LONGEST_TTL;
use crate::tracking::Tracked;

macro_rules! lua {
    ($file:literal) => {
        include_str!(concat!("scripts/", $file))
    };
}

pub(crate) static CREATE: Lua = Lua::on_sessions(lua!("create.lua"));
pub(crate) static TOUCH: Lua = Lua::on_sessions(lua!("touch.lua"));
pub(crate) static UPDATE: Lua = Lua::on_sessions(lua!("update.lua"));
pub(crate) static ROTATE: Lua = Lua::on_sessions(lua!("rotate.lua"));
pub(crate) static LIST: Lua = Lua::on_sessions(lua!("list.lua"));
pub(crate) static DELETE: Lua = Lua::on_sessions(lua!("delete.lua"));
pub(crate) static DELETE_BEFORE_EPOCH: Lua = Lua::on_sessions(lua!("delete_before_epoch.lua"));
pub(crate) static USER_CHANGED: Lua = Lua::on_sessions(lua!("user_changed.lua"));
pub(crate) static CHECK_SESSION: Lua = Lua::on_sessions(lua!("check_session.lua"));
pub(crate) static CHECK_INDEX: Lua = Lua::on_sessions(lua!("check_index.lua"));
pub(crate) static PUT_CODE: Lua = Lua::on_others(lua!("put_code.lua"));
pub(crate) static TAKE_TRY: Lua = Lua::on_others(lua!("take_try.lua"));
pub(crate) static REDEEM: Lua = Lua::on_others(lua!("redeem.lua"));
pub(crate) static COUNT: Lua = Lua::on_others(lua!("count.lua"));

/// A script, as it is without tags in the keys and with them.
pub(crate) struct Lua {
    body: &'static str,
    is_on_sessions: bool,
    forms: [OnceLock<Script>; 2],
}

impl Lua {
    /// One with the constants and the functions that those on sessions share.
    const fn on_sessions(body: &'static str) -> Self {
        Self { body, is_on_sessions: true, forms: [const { OnceLock::new() }; 2] }
    }

    const fn on_others(body: &'static str) -> Self {
        Self { body, is_on_sessions: false, forms: [const { OnceLock::new() }; 2] }
    }

    fn with(&'static self, keys: Keys) -> &'static Script {
        self.forms[usize::from(keys.are_tagged)].get_or_init(|| Script::from_lua(self.text(keys)))
    }

    fn text(&self, keys: Keys) -> String {
        if !self.is_on_sessions {
            return self.body.to_owned();
        }
        let (longest_ttl, tag_digits) = (LONGEST_TTL.as_millis(), if keys.are_tagged { TAG_DIGITS } else { 0 });
        let constants = format!(
            "local SESSION, USER_SESSIONS, ENDED = '{SESSION_PREFIX}', '{USER_SESSIONS_PREFIX}', '{ENDED_PREFIX}'\n\
             local ENDED_DIGITS, TAG_DIGITS, LONGEST_TTL, HOPS = {ENDED_DIGITS}, {tag_digits}, {longest_ttl}, {MAX_HOPS}\n"
        );
        constants + lua!("prelude.lua") + self.body
    }
}

/// A script that is being run.
type Answering<R> = BoxFuture<'static, Result<R, Error>>;

/// Runs a script where its first key is.
pub(crate) async fn run<R: FromValue + Send>(
    servers: &Servers,
    operation: &'static str,
    script: &'static Lua,
    keys: Vec<Key>,
    arguments: Vec<Value>,
) -> Result<R, StoreError> {
    let command = Command::script(script.with(servers.keys()).sha1());
    let (first, send) = prepared(servers, operation, script, keys, arguments)?;
    servers.run(operation, command, &first, send).await
}

/// The same, over the tracked connection to that server, if there is one.
pub(crate) async fn run_tracked<R: FromValue + Send>(
    servers: &Servers,
    tracked: &Tracked,
    operation: &'static str,
    script: &'static Lua,
    keys: Vec<Key>,
    arguments: Vec<Value>,
) -> Result<R, StoreError> {
    let command = Command::script(script.with(servers.keys()).sha1());
    let (first, send) = prepared(servers, operation, script, keys, arguments)?;
    servers.run_tracked(operation, command, &first, tracked, send).await
}

/// The key that says where it is run, and what is sent there: the script's digest, and only if Redis doesn't know it (any
/// more) its text. fred's own `evalsha_with_reload` takes no options, so it would wait for a lost connection.
fn prepared<R: FromValue + Send>(
    servers: &Servers,
    operation: &'static str,
    script: &'static Lua,
    keys: Vec<Key>,
    arguments: Vec<Value>,
) -> Result<(Key, impl Fn(Connection) -> Answering<R>), StoreError> {
    let script = script.with(servers.keys()).clone();
    let Some(first) = keys.first().cloned() else {
        return Err(StoreError::unreadable(operation, "a script without a key"));
    };
    let command = move |connection: Connection| -> Answering<R> {
        let (script, keys, arguments) = (script.clone(), keys.clone(), arguments.clone());
        Box::pin(async move {
            let hash = script.sha1().clone();
            match (connection.evalsha(hash, keys.clone(), arguments.clone()).await, script.lua()) {
                (Err(error), Some(text)) if error.details().starts_with("NOSCRIPT") => {
                    connection.eval(text.clone(), keys, arguments).await
                }
                (answer, _) => answer,
            }
        })
    };
    Ok((first, command))
}
