//! Limits: how often passwords may be guessed, and codes be sent.

use std::time::Duration;

use markt_test_support::stores::{Relay, server_address, through};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::client::Client;
use crate::on_both_deployments;
use crate::server::{Deployment, PASSWORD, Server};
use crate::setup::Setup;
use crate::shapes::{registration, with};

on_both_deployments!(
    the_eleventh_wrong_password_is_refused_and_then_the_right_one_too,
    who_waits_as_long_as_told_may_try_again_and_what_was_refused_does_not_prolong_it,
    right_passwords_do_not_count,
    an_unknown_address_is_limited_like_a_known_one,
    one_address_cannot_guess_at_many_accounts,
    one_ipv6_network_counts_as_one,
    nobody_locks_a_user_out_of_where_they_logged_in_before,
    nobody_locks_a_new_user_out_of_where_they_registered,
    who_guesses_from_where_the_user_logged_in_before_is_limited_there,
    nobody_escapes_by_a_forged_header,
    of_many_guesses_at_once_no_more_are_answered_than_the_limit_allows,
    codes_of_both_kinds_are_limited_together,
    an_unknown_address_gets_no_more_codes_than_a_known_one,
    nobody_keeps_codes_from_a_user_where_they_logged_in_before,
    who_is_logged_in_cannot_guess_the_password_either,
    failed_logins_do_not_keep_who_is_logged_in_from_confirming_the_password,
    limits_that_are_off_limit_nothing,
    limits_outlast_a_restart,
);

pub const EMAIL: &str = "buyer1@markt.com";
pub const WRONG: &str = "Password124";
pub const ATTACKER: &str = "198.51.100.66";
pub const HOME: &str = "203.0.113.7";

/// The limits of the defaults, behind a proxy that names the clients' addresses.
pub async fn setup(deployment: Deployment) -> Setup {
    Setup::of(deployment).await.limited().await.with("MARKT_HTTP__TRUSTED_PROXIES", "127.0.0.0/8")
}

/// A client at this address.
pub fn at(server: &Server, address: &str) -> Client {
    server.without_cookies().with_header("x-forwarded-for", address)
}

/// Makes sure that this is a refusal for now; returns for how many seconds.
#[track_caller]
pub fn assert_limited(answer: &Answer) -> u64 {
    answer.assert_error(429, "too_many_requests");
    assert_eq!(answer.header("set-cookie"), "", "{answer:?}");
    let seconds = answer.header("retry-after").parse().unwrap_or_default();
    assert!((1..=15 * 60).contains(&seconds), "{answer:?}");
    seconds
}

/// Guesses wrongly as often as is allowed.
pub async fn use_up(client: &Client, email: &str, count: usize) {
    for _ in 0..count {
        client.log_in(email, WRONG).await.assert_error(401, "invalid_credentials");
    }
}

async fn the_eleventh_wrong_password_is_refused_and_then_the_right_one_too(deployment: Deployment) {
    let server = setup(deployment).await.start().await;
    let attacker = at(&server, ATTACKER);
    use_up(&attacker, EMAIL, 10).await;
    assert_limited(&attacker.log_in(EMAIL, WRONG).await);
    assert_limited(&attacker.log_in(EMAIL, PASSWORD).await);
    assert_limited(&attacker.log_in("Buyer1@MARKT.com", PASSWORD).await);
    // It is the account that is limited, wherever the next guess comes from, and no other account.
    assert_limited(&at(&server, "198.51.100.67").log_in(EMAIL, PASSWORD).await);
    assert_eq!(attacker.log_in("seller1@markt.com", PASSWORD).await.status, StatusCode::OK);
}

async fn who_waits_as_long_as_told_may_try_again_and_what_was_refused_does_not_prolong_it(deployment: Deployment) {
    let server = setup(deployment).await.start().await;
    let client = at(&server, HOME);
    use_up(&client, EMAIL, 10).await;
    let seconds = assert_limited(&client.log_in(EMAIL, PASSWORD).await);
    for passed in 1..seconds.min(20) {
        server.clock().advance(Duration::from_secs(1));
        let left = assert_limited(&client.log_in(EMAIL, WRONG).await);
        assert_eq!(left, seconds - passed);
    }
    server.clock().advance(Duration::from_secs(seconds - seconds.min(20)));
    assert_limited(&client.log_in(EMAIL, PASSWORD).await);
    server.clock().advance(Duration::from_secs(1));
    assert_eq!(client.log_in(EMAIL, PASSWORD).await.status, StatusCode::OK);
    // After the whole period, all of the tries are there again.
    server.clock().advance(Duration::from_secs(15 * 60));
    let elsewhere = at(&server, ATTACKER);
    use_up(&elsewhere, EMAIL, 10).await;
    assert_limited(&elsewhere.log_in(EMAIL, PASSWORD).await);
}

async fn right_passwords_do_not_count(deployment: Deployment) {
    let server = setup(deployment).await.start().await;
    for n in 0..15 {
        let answer = at(&server, &format!("198.51.100.{n}")).log_in(EMAIL, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
    for n in 0..10 {
        assert_eq!(at(&server, HOME).log_in(EMAIL, PASSWORD).await.status, StatusCode::OK, "{n}");
        at(&server, ATTACKER).log_in(EMAIL, WRONG).await.assert_error(401, "invalid_credentials");
    }
    // Nor do they make up for wrong ones.
    assert_limited(&at(&server, ATTACKER).log_in(EMAIL, WRONG).await);
}

async fn an_unknown_address_is_limited_like_a_known_one(deployment: Deployment) {
    let server = setup(deployment).await.start().await;
    let client = at(&server, ATTACKER);
    let mut courses = Vec::new();
    for email in [EMAIL, "nobody@markt.com"] {
        let mut course = Vec::new();
        for _ in 0..12 {
            let answer = client.log_in(email, WRONG).await;
            let body = with(answer.json(), "request_id", Value::Null);
            course.push((answer.status, body, answer.header("retry-after").to_owned()));
        }
        assert_eq!(course[10].0, StatusCode::TOO_MANY_REQUESTS);
        courses.push(course);
    }
    assert_eq!(courses[0], courses[1]);
    assert_limited(&client.log_in("NOBODY@markt.com", WRONG).await);
}

async fn one_address_cannot_guess_at_many_accounts(deployment: Deployment) {
    let server = setup(deployment).await.with("MARKT_LIMITS__LOGIN_PER_IP", "5/15m").start().await;
    let attacker = at(&server, ATTACKER);
    for n in 0..4 {
        use_up(&attacker, &format!("nobody{n}@markt.com"), 1).await;
    }
    use_up(&attacker, "seller1@markt.com", 1).await;
    for email in [EMAIL, "both1@markt.com", "nobody@markt.com"] {
        assert_limited(&attacker.log_in(email, PASSWORD).await);
    }
    assert_eq!(at(&server, HOME).log_in(EMAIL, PASSWORD).await.status, StatusCode::OK);
    server.clock().advance(Duration::from_secs(15 * 60));
    assert_eq!(attacker.log_in(EMAIL, PASSWORD).await.status, StatusCode::OK);
}

async fn one_ipv6_network_counts_as_one(deployment: Deployment) {
    let server = setup(deployment).await.with("MARKT_LIMITS__LOGIN_PER_IP", "5/15m").start().await;
    for n in 1..=5 {
        use_up(&at(&server, &format!("2001:db8:1:2:{n}::{n}")), &format!("nobody{n}@markt.com"), 1).await;
    }
    assert_limited(&at(&server, "[2001:db8:1:2:ffff::9]:4711").log_in("nobody@markt.com", WRONG).await);
    use_up(&at(&server, "2001:db8:1:3::1"), "nobody@markt.com", 1).await;
}

async fn nobody_locks_a_user_out_of_where_they_logged_in_before(deployment: Deployment) {
    let server = setup(deployment).await.start().await;
    for home in [HOME, "2001:db8:1:2::7"] {
        assert_eq!(at(&server, home).log_in(EMAIL, PASSWORD).await.status, StatusCode::OK);
    }
    let attacker = at(&server, ATTACKER);
    use_up(&attacker, EMAIL, 10).await;
    for _ in 0..5 {
        assert_limited(&attacker.log_in(EMAIL, WRONG).await);
    }
    for home in [HOME, "2001:db8:1:2::7", "2001:db8:1:2:aaaa:bbbb:cccc:dddd"] {
        let answer = at(&server, home).log_in(EMAIL, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::OK, "{home}: {answer:?}");
    }
    // Where the user was never before, it is not known who asks; nor has anybody else a home there.
    assert_limited(&at(&server, "203.0.113.8").log_in(EMAIL, PASSWORD).await);
    use_up(&attacker, "seller1@markt.com", 10).await;
    assert_limited(&at(&server, HOME).log_in("seller1@markt.com", PASSWORD).await);
}

async fn nobody_locks_a_new_user_out_of_where_they_registered(deployment: Deployment) {
    let server = setup(deployment).await.with("MARKT_AUTH__REQUIRE_VERIFIED_EMAIL", "false").start().await;
    let body = registration("newcomer");
    let email = body["email"].as_str().unwrap().to_owned();
    assert_eq!(at(&server, HOME).post("/users/register", body).await.status, StatusCode::CREATED);
    let attacker = at(&server, ATTACKER);
    use_up(&attacker, &email, 10).await;
    assert_limited(&attacker.log_in(&email, PASSWORD).await);
    assert_eq!(at(&server, HOME).log_in(&email, PASSWORD).await.status, StatusCode::OK);
}

async fn who_guesses_from_where_the_user_logged_in_before_is_limited_there(deployment: Deployment) {
    let server = setup(deployment).await.start().await;
    let home = at(&server, HOME);
    assert_eq!(home.log_in(EMAIL, PASSWORD).await.status, StatusCode::OK);
    use_up(&home, EMAIL, 10).await;
    assert_limited(&home.log_in(EMAIL, PASSWORD).await);
    // Elsewhere, nothing was tried yet.
    assert_eq!(at(&server, "203.0.113.8").log_in(EMAIL, PASSWORD).await.status, StatusCode::OK);
}

async fn nobody_escapes_by_a_forged_header(deployment: Deployment) {
    let setup = Setup::of(deployment).await.limited().await.with("MARKT_LIMITS__LOGIN_PER_IP", "5/15m");
    let server = setup.start().await;
    for n in 0..5 {
        let client = at(&server, &format!("198.51.100.{n}")).with_header("forwarded", format!("for=192.0.2.{n}"));
        use_up(&client, &format!("nobody{n}@markt.com"), 1).await;
    }
    assert_limited(&at(&server, "198.51.100.99").log_in("nobody@markt.com", WRONG).await);
}

async fn of_many_guesses_at_once_no_more_are_answered_than_the_limit_allows(deployment: Deployment) {
    guess_at_once(&setup(deployment).await.start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_guesses_at_once_no_more_are_answered_in_postgres_alone_either() {
    let setup = setup(Deployment::Full).await.with("MARKT_REDIS_URL", "");
    guess_at_once(&setup.start().await).await;
}

async fn guess_at_once(server: &Server) {
    for email in [EMAIL, "nobody@markt.com"] {
        let mut guesses = JoinSet::new();
        for n in 0..60 {
            // From many places: the limit is the account's.
            let client = at(server, &format!("198.51.100.{n}"));
            guesses.spawn(async move { client.log_in(email, WRONG).await });
        }
        let answers = guesses.join_all().await;
        let (told, refused): (Vec<_>, Vec<_>) =
            answers.iter().partition(|answer| answer.status == StatusCode::UNAUTHORIZED);
        assert_eq!(told.len(), 10, "{email}");
        for answer in refused {
            assert_limited(answer);
        }
    }
    let mut late = JoinSet::new();
    for n in 100..120 {
        let client = at(server, &format!("198.51.100.{n}"));
        late.spawn(async move { client.log_in(EMAIL, if n == 110 { PASSWORD } else { WRONG }).await });
    }
    for answer in late.join_all().await {
        assert_limited(&answer);
    }
}

async fn codes_of_both_kinds_are_limited_together(deployment: Deployment) {
    let server = setup(deployment).await.start().await;
    let secret = server.register("ann_lee").await;
    let email = "ann_lee@example.com";
    server.mailed_code(email, 1).await;
    let client = at(&server, ATTACKER);
    let paths = ["/users/email-verification/send", "/users/password-reset"];
    for n in 0..5 {
        let answer = client.post(paths[n % 2], json!({ "email": email })).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    }
    for path in paths {
        assert_limited(&client.post(path, json!({ "email": email })).await);
        let elsewhere = at(&server, "198.51.100.67");
        assert_limited(&elsewhere.post(path, json!({"email": "ANN_LEE@example.com"})).await);
        assert_eq!(client.post(path, json!({"email": EMAIL})).await.status, StatusCode::ACCEPTED);
    }
    // The codes that were sent are good as ever.
    let code = server.mailed_code(email, 6).await;
    let body = json!({"email": email, "verification_code": code});
    let verified = client.post("/users/email-verification/verify", body).await;
    assert_eq!(verified.status, StatusCode::OK, "{verified:?}");
    server.assert_alive(&secret, "ann_lee").await;
    server.clock().advance(Duration::from_secs(15 * 60));
    let answer = client.post(paths[1], json!({ "email": email })).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let setup = server.stop().await;
    assert_eq!(setup.mails_to(email).len(), 7);
}

async fn an_unknown_address_gets_no_more_codes_than_a_known_one(deployment: Deployment) {
    let server = setup(deployment).await.start().await;
    let client = at(&server, ATTACKER);
    for path in ["/users/email-verification/send", "/users/password-reset"] {
        let mut courses = Vec::new();
        for name in ["both1", "nobody"] {
            let mut course = Vec::new();
            for _ in 0..7 {
                let answer = client.post(path, json!({"email": format!("{name}@markt.com")})).await;
                let mut body = answer.json();
                body.as_object_mut().unwrap().remove("request_id");
                course.push((answer.status, body, answer.header("retry-after").to_owned()));
            }
            assert_eq!(course[4].0, StatusCode::ACCEPTED);
            assert_eq!(course[5].0, StatusCode::TOO_MANY_REQUESTS);
            courses.push(course);
        }
        assert_eq!(courses[0], courses[1]);
        server.clock().advance(Duration::from_secs(15 * 60));
    }
}

async fn nobody_keeps_codes_from_a_user_where_they_logged_in_before(deployment: Deployment) {
    let server = setup(deployment).await.start().await;
    let (home, attacker) = (at(&server, HOME), at(&server, ATTACKER));
    assert_eq!(home.log_in(EMAIL, PASSWORD).await.status, StatusCode::OK);
    let send = async |client: &Client| client.post("/users/password-reset", json!({ "email": EMAIL })).await;
    for _ in 0..5 {
        assert_eq!(send(&attacker).await.status, StatusCode::ACCEPTED);
    }
    assert_limited(&send(&attacker).await);
    for _ in 0..5 {
        assert_eq!(send(&home).await.status, StatusCode::ACCEPTED);
    }
    assert_limited(&send(&home).await);
}

pub async fn reauthenticate(client: &Client, password: &str) -> Answer {
    client.post("/users/reauthenticate", json!({ "password": password })).await
}

async fn who_is_logged_in_cannot_guess_the_password_either(deployment: Deployment) {
    let server = setup(deployment).await.start().await;
    let browser = server.browser().with_header("x-forwarded-for", ATTACKER);
    let secret = browser.log_in(EMAIL, PASSWORD).await.session_cookie().value;
    let home = server.browser().with_header("x-forwarded-for", HOME);
    home.log_in(EMAIL, PASSWORD).await;
    let change = async |present: &str| {
        browser.post("/users/password", json!({"current_password": present, "new_password": "Password456"})).await
    };
    for _ in 0..5 {
        reauthenticate(&browser, WRONG).await.assert_error(403, "wrong_password");
        change(WRONG).await.assert_error(403, "wrong_password");
    }
    let seconds = assert_limited(&reauthenticate(&browser, WRONG).await);
    assert_limited(&reauthenticate(&browser, PASSWORD).await);
    assert_limited(&change(PASSWORD).await);
    // Nobody is logged out by it, or kept from logging in.
    server.assert_alive(&secret, "buyer1").await;
    assert_eq!(at(&server, ATTACKER).log_in(EMAIL, PASSWORD).await.status, StatusCode::OK);
    let stranger = server.browser().with_header("x-forwarded-for", ATTACKER);
    stranger.log_in("seller1@markt.com", PASSWORD).await;
    assert_eq!(reauthenticate(&stranger, PASSWORD).await.status, StatusCode::OK);
    server.clock().advance(Duration::from_secs(seconds));
    assert_eq!(reauthenticate(&browser, PASSWORD).await.status, StatusCode::OK);
}

async fn failed_logins_do_not_keep_who_is_logged_in_from_confirming_the_password(deployment: Deployment) {
    let server = setup(deployment).await.start().await;
    let browser = server.browser().with_header("x-forwarded-for", HOME);
    browser.log_in(EMAIL, PASSWORD).await;
    for address in [ATTACKER, HOME] {
        use_up(&at(&server, address), EMAIL, 10).await;
        assert_limited(&at(&server, address).log_in(EMAIL, PASSWORD).await);
    }
    assert_eq!(reauthenticate(&browser, PASSWORD).await.status, StatusCode::OK);
    let body = json!({"current_password": PASSWORD, "new_password": "Password456"});
    let changed = browser.post("/users/password", body).await;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
}

async fn limits_that_are_off_limit_nothing(deployment: Deployment) {
    let setup = setup(deployment).await;
    let setup = setup.with("MARKT_LIMITS__LOGIN_PER_ACCOUNT", "off").with("MARKT_LIMITS__CODES_PER_ACCOUNT", "off");
    let server = setup.with("MARKT_LIMITS__LOGIN_PER_IP", "off").start().await;
    let client = at(&server, ATTACKER);
    use_up(&client, EMAIL, 110).await;
    for _ in 0..12 {
        let answer = client.post("/users/password-reset", json!({"email": "seller1@markt.com"})).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    }
    assert_eq!(client.log_in(EMAIL, PASSWORD).await.status, StatusCode::OK);
}

async fn limits_outlast_a_restart(deployment: Deployment) {
    let server = setup(deployment).await.start().await;
    use_up(&at(&server, ATTACKER), EMAIL, 10).await;
    let server = server.stop().await.start().await;
    assert_limited(&at(&server, ATTACKER).log_in(EMAIL, PASSWORD).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_is_the_same_for_all_servers_together() {
    let server = setup(Deployment::Full).await.start().await;
    let twin = server.twin().await;
    for n in 0..5 {
        use_up(&at(&server, &format!("198.51.100.{n}")), EMAIL, 1).await;
        use_up(&at(&twin, &format!("192.0.2.{n}")), EMAIL, 1).await;
    }
    for there in [&server, &twin] {
        assert_limited(&at(there, ATTACKER).log_in(EMAIL, PASSWORD).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_what_counts_is_away_nobody_is_told_anything() {
    let setup = setup(Deployment::Full).await;
    let relay = Relay::to(server_address(&setup.redis_url())).await;
    let url = through(&setup.redis_url(), relay.address());
    let server = setup.with("MARKT_REDIS_URL", url).start().await;
    let browser = server.browser();
    browser.log_in(EMAIL, PASSWORD).await;
    let paths = ["/users/email-verification/send", "/users/password-reset"];
    for _ in 0..2 {
        relay.cut().await;
        for (email, password) in [(EMAIL, PASSWORD), (EMAIL, WRONG), ("nobody@markt.com", WRONG)] {
            server.client().log_in(email, password).await.assert_store_unavailable();
            for path in paths {
                server.client().post(path, json!({ "email": email })).await.assert_store_unavailable();
            }
        }
        reauthenticate(&browser, WRONG).await.assert_store_unavailable();
        relay.restore().await;
        for _ in 0..400 {
            if server.client().log_in(EMAIL, PASSWORD).await.status == StatusCode::OK {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    // What could not be counted did not count.
    use_up(&server.without_cookies(), EMAIL, 10).await;
    assert_limited(&server.client().log_in(EMAIL, WRONG).await);
}
