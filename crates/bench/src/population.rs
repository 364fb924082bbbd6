//! Users and sessions in any number, made from one real user and one real session.
//!
//! A login costs a hash; a million of them would take hours. So what one login left in Redis and in the database is
//! copied, under other ids. Each session's secret is known, so that any of them can be used.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fred::clients::Client;
use fred::interfaces::{ClientLike as _, HashesInterface as _, KeysInterface as _, SortedSetsInterface as _};
use fred::types::{ClusterHash, CustomCommand, Value};
use sha2::{Digest as _, Sha256};

use crate::cli::Error;
use crate::http::Credential;

/// The name that a session's cookie has by default.
const COOKIE: &str = "markt_session";

/// How many sessions are sent to Redis at once.
const BATCH: u32 = 1_000;

/// How many digits of a session's id tell whose end is remembered: `crates/redis/src/keys.rs`.
const ENDED_DIGITS: usize = 16;

/// One of the users, who has one session.
#[derive(Clone, Copy)]
pub(crate) struct Member(pub(crate) u32);

impl Member {
    pub(crate) fn user_id(self) -> String {
        format!("USR_{:08X}", self.0)
    }

    pub(crate) fn email(self) -> String {
        format!("member{:08x}@markt.example", self.0)
    }

    /// What opens the session: as random as it has to be for Redis and for the service, and the same each time.
    fn secret(self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(format!("markt-bench {}", self.0)))
    }

    /// The session's cookie, as a client sends it.
    pub(crate) fn cookie(self) -> String {
        format!("{COOKIE}={}", self.secret())
    }

    /// The same, to make requests with.
    pub(crate) fn credential(self) -> Credential {
        Credential::Cookie(self.cookie())
    }

    /// The session's public id.
    pub(crate) fn session_id(self) -> String {
        public_id(&self.secret())
    }
}

/// The public id of the session that this opens.
pub(crate) fn session_id(credential: &Credential) -> String {
    let (Credential::Cookie(secret) | Credential::Token(secret)) = credential;
    public_id(secret.split_once('=').map_or(secret.as_str(), |(_, secret)| secret))
}

fn public_id(secret: &str) -> String {
    Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the keys begin with that don't last as long as a session: `crates/redis/src/keys.rs`.
const PASSING: &str = "user-state:";

/// What one login leaves in Redis, as the commands that put it there.
pub(crate) struct Pattern {
    /// What is there as long as the session.
    lasting: Vec<Command>,
    /// What is there for some time after a login, to be seen by requests that were under way.
    passing: Vec<Command>,
    session_id: String,
    user_id: String,
}

/// A command's name and its arguments.
type Command = Vec<String>;

/// Which part of a login's traces.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Lasting,
    Passing,
}

impl Pattern {
    /// Takes all that is in this Redis of the session with this cookie, and of its user.
    ///
    /// # Errors
    /// If Redis can't be read, or holds a kind of value that can't be copied.
    pub(crate) async fn of(redis: &Client, credential: &Credential, user_id: &str) -> Result<Self, Error> {
        let session_id = session_id(credential);
        let (mut lasting, mut passing) = (Vec::new(), Vec::new());
        let keys: Vec<String> = redis.custom(named("KEYS"), vec!["*"]).await?;
        for key in keys.iter().filter(|key| key.contains(&session_id[..ENDED_DIGITS]) || key.contains(user_id)) {
            let part = if key.starts_with(PASSING) { &mut passing } else { &mut lasting };
            part.extend(copying(redis, key).await?);
        }
        if lasting.is_empty() {
            return Err("a login left nothing in Redis".into());
        }
        Ok(Self { lasting, passing, session_id, user_id: user_id.to_owned() })
    }

    /// The same of another one.
    fn commands_of(&self, member: Member, part: Part) -> impl Iterator<Item = Command> {
        let (session_id, user_id) = (member.session_id(), member.user_id());
        let commands = match part {
            Part::Lasting => &self.lasting,
            Part::Passing => &self.passing,
        };
        commands.iter().map(move |words| {
            let renamed = |word: &String| {
                word.replace(&self.session_id, &session_id)
                    .replace(&self.session_id[..ENDED_DIGITS], &session_id[..ENDED_DIGITS])
                    .replace(&self.user_id, &user_id)
            };
            words.iter().map(renamed).collect()
        })
    }

    /// Puts this part of what the first `count` members' logins leave into a Redis.
    ///
    /// # Errors
    /// If Redis refuses some of it.
    pub(crate) async fn fill(&self, redis: &Client, count: u32, part: Part) -> Result<(), Error> {
        for first in (0..count).step_by(usize::try_from(BATCH)?) {
            let pipeline = redis.pipeline();
            for member in (first..count.min(first + BATCH)).map(Member) {
                for mut words in self.commands_of(member, part) {
                    let command = CustomCommand::new(words.remove(0), ClusterHash::Random, false);
                    let () = pipeline.custom(command, words).await?;
                }
            }
            let _answers: Vec<Value> = pipeline.all().await?;
        }
        Ok(())
    }
}

/// The commands that put this key's value and time to live into another Redis.
async fn copying(redis: &Client, key: &str) -> Result<Vec<Command>, Error> {
    let kind: String = redis.custom(named("TYPE"), vec![key]).await?;
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let mut copy = match kind.as_str() {
        "string" => vec!["SET".into(), key.to_owned(), redis.get(key).await?],
        "zset" => {
            let members: Vec<(String, f64)> = redis.zrange(key, 0, -1, None, false, None, true).await?;
            let scored = members.into_iter().flat_map(|(member, score)| [score.to_string(), member]);
            owned(&["ZADD", key]).into_iter().chain(scored).collect()
        }
        "hash" => {
            let fields: Vec<(String, String)> = redis.hgetall(key).await?;
            let fields = fields.into_iter().flat_map(|(field, value)| [field, value]);
            owned(&["HSET", key]).into_iter().chain(fields).collect()
        }
        _ => return Err(format!("{key} is a {kind}, which the benchmark can't copy").into()),
    };
    let milliseconds: i64 = redis.pttl(key).await?;
    if kind == "string" {
        copy.extend(["PX".into(), milliseconds.to_string()]);
        return Ok(vec![copy]);
    }
    Ok(vec![copy, vec!["PEXPIRE".into(), key.to_owned(), milliseconds.to_string()]])
}

fn named(name: &'static str) -> CustomCommand {
    CustomCommand::new_static(name, ClusterHash::Random, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_differs_in_its_ids_alone() {
        let id = public_id("some secret");
        let pattern = Pattern {
            lasting: vec![
                vec!["SET".into(), format!("session:{id}"), format!(r#"{{"user_id":"USR_A","session_id":"{id}"}}"#)],
                vec!["SET".into(), format!("ended:{}", &id[..16]), "1768473000000".into()],
            ],
            passing: Vec::new(),
            session_id: id,
            user_id: "USR_A".into(),
        };
        let other = Member(7).session_id();

        let copied: Vec<_> = pattern.commands_of(Member(7), Part::Lasting).collect();

        let json = format!(r#"{{"user_id":"USR_00000007","session_id":"{other}"}}"#);
        assert_eq!(copied[0], ["SET", &format!("session:{other}"), &json]);
        assert_eq!(copied[1], ["SET", &format!("ended:{}", &other[..16]), "1768473000000"]);
    }
}
