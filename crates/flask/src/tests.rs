//! Against what Flask, Flask-Login and Flask-Session made: see `rehearsal/make_sessions.py`.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac as _;
use markt_domain::role::Role;
use markt_domain::user::UserId;
use serde_json::Value;

use super::*;
use crate::session::Contents;

const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

fn made() -> Value {
    serde_json::from_str(include_str!("../../../rehearsal/fixtures/sessions.json")).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn sessions() -> FlaskSessions {
    FlaskSessions::new(text(&made()["secret_key"]), LIFETIME, None).unwrap()
}

fn client() -> Client {
    let made = made();
    Client::new(text(&made["address"]).parse().unwrap(), text(&made["agent"]))
}

fn time_of(cookie: &ForeignCookie) -> Timestamp {
    match Cookie::of_identity(cookie.identity()) {
        Cookie::Signed { signed_at, .. } => signed_at,
        other @ Cookie::Id(_) => panic!("{other:?}"),
    }
}

/// The session of a signed cookie, as seen an hour after it was signed.
async fn found(value: &str, client: &Client) -> Option<ForeignSession> {
    let (sessions, hour) = (sessions(), Duration::from_secs(3600));
    let cookie = sessions.recognize(value)?;
    sessions.find(&cookie, client, time_of(&cookie).plus(hour)).await.unwrap()
}

fn user(number: u32) -> UserId {
    UserId::from_store(&format!("USR_OLD{number:05}"))
}

#[tokio::test]
async fn a_signed_cookie_says_who_is_logged_in() {
    let made = made();
    for (name, number, role, remember) in [
        ("plain", 1, None, true),
        ("until_the_browser_ends", 1, None, false),
        ("large", 1, Some(Role::Seller), true),
        ("stale", 1, None, true),
        ("odd", 1, None, true),
        ("of_bob", 2, None, true),
    ] {
        let session = found(text(&made["signed"][name]), &client()).await.unwrap_or_else(|| panic!("{name}"));
        assert_eq!((session.user_id, session.role, session.remember), (user(number), role, remember), "{name}");
        assert_eq!(session.expires_at, session.last_used_at.plus(LIFETIME));
        assert!(session.is_of_this_client, "{name}");
    }
    assert_eq!(found(text(&made["signed"]["of_nobody"]), &client()).await, None);
}

#[tokio::test]
async fn another_client_is_told_from_the_one_that_logged_in() {
    let made = made();
    let here: IpAddr = text(&made["address"]).parse().unwrap();
    for other in [
        Client::new("192.0.2.8".parse().unwrap(), text(&made["agent"])),
        Client::new(here, "Mozilla/5.0 (Another)"),
        Client::new(here, ""),
    ] {
        assert!(!found(text(&made["signed"]["plain"]), &other).await.unwrap().is_of_this_client);
    }
}

/// Whichever character is changed; but the last of a signature has two bits that say nothing.
#[test]
fn what_was_changed_is_not_recognized() {
    let (made, sessions) = (made(), sessions());
    for name in ["plain", "of_nobody"] {
        let genuine = text(&made["signed"][name]);
        let identity = sessions.recognize(genuine).unwrap().identity().to_owned();
        for place in 0..genuine.len() {
            let mut bytes = genuine.as_bytes().to_vec();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            let found = sessions.recognize(&changed);
            assert!(found.is_none_or(|cookie| cookie.identity() == identity), "{changed}");
        }
    }
    let signed = text(&made["records"]["signed"]["cookie"]);
    assert!(sessions.recognize(signed).is_some());
    assert!(sessions.recognize(&signed.replacen('D', "E", 1)).is_none());
}

#[test]
fn a_cookie_is_genuine_by_the_applications_key_alone() {
    let made = made();
    let other = FlaskSessions::new("another key", LIFETIME, None).unwrap();
    for cookie in [&made["signed"]["plain"], &made["signed"]["of_nobody"], &made["records"]["signed"]["cookie"]] {
        assert!(sessions().recognize(text(cookie)).is_some());
        assert!(other.recognize(text(cookie)).is_none());
    }
}

#[test]
fn what_can_be_no_cookie_is_told_without_a_store() {
    let sessions = sessions();
    for value in ["", ".", "..", "...", "a.b.c", "short", &"a".repeat(129), &"a".repeat(5000), "é".repeat(30).as_str()]
    {
        assert!(sessions.recognize(value).is_none(), "{value}");
    }
    for spaced in ["yH2kUo4eYitzpcBT7dJMXI5v9b_M4Vo3n7H33gVu_S ", "yH2kUo4eYitzpcBT7dJMXI5v9b_M4Vo3n7H33gVu*SE"] {
        assert!(sessions.recognize(spaced).is_none(), "{spaced}");
    }
}

/// The same on each node, and another for each session and for each key.
#[test]
fn a_successors_secret_follows_from_the_cookie_and_the_key() {
    let made = made();
    let secret = |key: &str, cookie: &Value| {
        let sessions = FlaskSessions::new(key, LIFETIME, None).unwrap();
        sessions.recognize(text(cookie)).unwrap().successor().expose().to_owned()
    };
    let (key, plain) = (text(&made["secret_key"]), &made["records"]["plain"]["cookie"]);
    assert_eq!(secret(key, plain), secret(key, plain));
    assert_ne!(secret(key, plain), secret("another key", plain));
    assert_ne!(secret(key, plain), secret(key, &made["records"]["large"]["cookie"]));
    assert_ne!(secret(key, plain), text(plain));
}

/// As Flask would, if the application had such a payload.
fn signed_by_us(payload: &str) -> String {
    let made = made();
    let mac = |key: &[u8], message: &str| {
        let mac = hmac::Hmac::<sha1::Sha1>::new_from_slice(key).unwrap().chain_update(message);
        mac.finalize().into_bytes()
    };
    let signed = format!("{payload}.aWeK3Q");
    let signature = mac(&mac(text(&made["secret_key"]).as_bytes(), "cookie-session"), &signed);
    format!("{signed}.{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn what_is_in_a_cookie_is_bounded_in_size_and_depth() {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let payload = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let compressed = |json: &str| {
        let bytes = miniz_oxide::deflate::compress_to_vec_zlib(json.as_bytes(), 9);
        format!(".{}", URL_SAFE_NO_PAD.encode(bytes))
    };
    let of_size = |size: usize| format!(r#"{{"_user_id":"USR_OLD00001","filler":"{}"}}"#, "a".repeat(size));
    assert!(found(&signed_by_us(&payload(r#"{"_user_id":"USR_OLD00001"}"#)), &client()).await.is_some());
    assert!(found(&signed_by_us(&compressed(&of_size(50_000))), &client()).await.is_some());
    assert!(found(&signed_by_us(&compressed(&of_size(70_000))), &client()).await.is_none());
    let bomb = compressed(&of_size(2_000_000));
    assert!(bomb.len() < 4000 && found(&signed_by_us(&bomb), &client()).await.is_none());
    let deep = |name: &str| format!(r#"{{"{name}":{}{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    for name in ["_user_id", "current_role", "deep"] {
        assert!(found(&signed_by_us(&compressed(&deep(name))), &client()).await.is_none(), "{name}");
    }
    for odd in ["[]", "null", "{}", r#"{"_user_id":7}"#, r#"{"_user_id":""}"#, r#"{"_user_id":null}"#, "{", ""] {
        assert!(found(&signed_by_us(&payload(odd)), &client()).await.is_none(), "{odd}");
    }
}

fn record(name: &str) -> Vec<u8> {
    STANDARD.decode(text(&made()["records"][name]["record"])).unwrap()
}

#[test]
fn what_flask_session_keeps_is_read_in_both_its_formats() {
    for name in ["plain", "large", "odd", "in_json", "signed"] {
        let contents = Contents::of_record(&record(name)).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(contents.user_id, Some(user(1)), "{name}");
        assert_eq!(contents.role, (name == "large").then_some(Role::Seller), "{name}");
        assert!(contents.is_of(&client()), "{name}");
    }
    assert_eq!(Contents::of_record(&record("of_nobody")).unwrap().user_id, None);
}

#[test]
fn what_is_pickled_is_refused() {
    assert!(Contents::of_record(&record("pickled")).is_none());
}

#[test]
fn a_record_that_was_cut_off_is_none() {
    for name in ["plain", "large", "odd", "in_json", "pickled"] {
        let record = record(name);
        for length in 0..record.len() {
            assert!(Contents::of_record(&record[..length]).is_none_or(|contents| contents.user_id.is_none()), "{name}");
        }
    }
    for head in [&b""[..], b"\x81\xa8_user_id", b"\x81\xa4deep"] {
        let deep = [head, &[0x91; 60_000], &[0xc0]].concat();
        assert!(Contents::of_record(&deep).is_none());
    }
}
