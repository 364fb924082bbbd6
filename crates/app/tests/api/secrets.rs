//! Secrets, passwords and codes are kept by nobody but those they were given to.

use markt_domain::session::SessionSecret;
use markt_test_support::stores::redis_url;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::redis::redis;
use crate::server::{Deployment, Server};
use crate::setup::Setup;
use crate::shapes::{registration, with};

const PASSWORD: &str = "Unmistakable1Password";

/// What was given to a user, at each step of the way; `look` is done after each.
async fn walk(server: &Server, mut look: impl AsyncFnMut(&[String])) {
    let client = server.without_cookies();
    let mut given = vec![PASSWORD.to_owned()];
    let registered = client.post("/users/register", with(registration("ann_lee"), "password", PASSWORD)).await;
    given.push(registered.session_cookie().value);
    given.push(server.mailed_code("ann_lee@example.com", 1).await);
    look(&given).await;
    let body = json!({"email": "ann_lee@example.com", "verification_code": given[2]});
    assert_eq!(client.post("/users/email-verification/verify", body).await.status, StatusCode::OK);
    for _ in 0..2 {
        let answer = client.log_in("ann_lee@example.com", PASSWORD).await;
        given.push(answer.session_cookie().value);
    }
    client.log_in("ann_lee@example.com", &format!("{PASSWORD}2")).await.assert_error(401, "invalid_credentials");
    look(&given).await;
    assert_eq!(server.with_cookie(&given[3]).post_nothing("/users/logout").await.status, StatusCode::NO_CONTENT);
    look(&given).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_given_to_a_user_stands_in_sqlites_files() {
    let server = Server::start(Deployment::Embedded).await;
    let path = server.setup.database_url().strip_prefix("sqlite://").unwrap().split('?').next().unwrap().to_owned();
    walk(&server, async |given| {
        let mut bytes = Vec::new();
        for file in [path.clone(), format!("{path}-wal")] {
            bytes.extend(std::fs::read(file).unwrap_or_default());
        }
        assert!(contains(&bytes, b"ann_lee@example.com"), "these are not the files");
        for secret in given {
            assert!(!contains(&bytes, secret.as_bytes()), "{secret} stands in the database");
        }
    })
    .await;
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_given_to_a_user_stands_in_postgres_or_redis() {
    let server = Server::start(Deployment::Full).await;
    walk(&server, async |given| {
        let mut dump = rows(&server.setup).await;
        assert!(dump.contains("ann_lee@example.com"), "these are not the tables");
        let id = user_id(&server.setup).await;
        let mut sessions = 0;
        for secret in given {
            if let Ok(secret) = SessionSecret::parse(secret) {
                let session = redis(&redis_url(), &["GET", &format!("session:{}", secret.id())]).await;
                sessions += usize::from(session.contains(&id));
                dump.push_str(&session);
            }
        }
        assert!(sessions > 0, "no session stands in Redis");
        dump.push_str(&redis(&redis_url(), &["HGETALL", &format!("code:verify_email:{id}")]).await);
        dump.push_str(&redis(&redis_url(), &["HGETALL", &format!("user-state:{id}")]).await);
        dump.push_str(&redis(&redis_url(), &["ZRANGE", &format!("user-sessions:{id}"), "0", "-1"]).await);
        // Between what can't belong to it, as six digits may well stand in a longer number.
        let words: Vec<&str> = dump.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').collect();
        for secret in given {
            assert!(!words.contains(&secret.as_str()), "{secret} stands in a store");
            assert!(secret.len() == 6 || !dump.contains(secret), "{secret} stands in a store");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_stands_in_redis_as_the_json_of_the_contract_and_expires_there() {
    let server = Server::start(Deployment::Full).await;
    let client = server.without_cookies().with_header("user-agent", "Firefox/140.0");
    let body =
        json!({"email": "both1@markt.com", "password": "Password123", "account_type": "seller", "remember": false});
    let answer = client.post("/users/login", body).await;
    let secret = SessionSecret::parse(&answer.session_cookie().value).unwrap();
    let key = format!("session:{}", secret.id());
    let session: Value = serde_json::from_str(&redis(&redis_url(), &["GET", &key]).await).unwrap();
    assert_eq!(session["session_id"], secret.id().to_string());
    assert_eq!(session["user_id"], answer.json()["id"]);
    assert_eq!(session["current_role"], "seller");
    assert_eq!((&session["ip_address"], &session["user_agent"]), (&"127.0.0.1".into(), &"Firefox/140.0".into()));
    assert_eq!((&session["remember"], &session["transport"]), (&false.into(), &"bearer".into()));
    for time in ["last_activity", "created_at", "authenticated_at", "idle_expires_at", "expires_at"] {
        assert!(session[time].as_str().is_some_and(|time| time.ends_with('Z')), "{time}: {session}");
    }
    let seconds: u64 = redis(&redis_url(), &["TTL", &key]).await.parse().unwrap();
    assert!((86_300..=86_400).contains(&seconds), "{seconds}");
    let index = redis(
        &redis_url(),
        &["ZRANGE", &format!("user-sessions:{}", answer.json()["id"].as_str().unwrap()), "0", "-1"],
    )
    .await;
    assert!(index.contains(&secret.id().to_string()), "{index}");
    let bearer = client.with_header("authorization", format!("Bearer {}", secret.expose()));
    assert_eq!(bearer.post_nothing("/users/logout").await.status, StatusCode::NO_CONTENT);
    assert_eq!(redis(&redis_url(), &["EXISTS", &key]).await, "0");
}

async fn user_id(setup: &Setup) -> String {
    setup.query_texts("SELECT id FROM users WHERE username = 'ann_lee'").await.concat()
}

/// All rows of all tables, as text.
async fn rows(setup: &Setup) -> String {
    let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";
    let mut dump = String::new();
    for table in setup.query_texts(tables).await {
        dump.push_str(&setup.query_texts(&format!("SELECT t::text FROM \"{table}\" t")).await.join("\n"));
    }
    dump
}
