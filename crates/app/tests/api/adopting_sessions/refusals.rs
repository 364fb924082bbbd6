//! Whose old session isn't taken over, and what becomes of it.

use std::time::Duration;

use reqwest::StatusCode;

use super::{LIFETIME, adopted, adopting, adoptions, is_there, made, new_id, plant, profile, signed, with_old};
use crate::adopting_a_database::markt;
use crate::process;
use crate::server::{FRONT_END, PASSWORD, Server, public_id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_taken_over_unless_that_is_configured() {
    let server = markt().await.start().await;
    let old = plant(&server.setup, "plain", LIFETIME).await;
    for old in [old.as_str(), &signed("plain")] {
        profile(&server, old).await.assert_error(401, "not_authenticated");
    }
    assert!(is_there(&server.setup, &old).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_leads_to_no_active_user_is_left_alone() {
    let server = adopting().await.start().await;
    let pickled = plant(&server.setup, "pickled", LIFETIME).await;
    let of_nobody = plant(&server.setup, "of_nobody", LIFETIME).await;
    for old in [&pickled, &of_nobody, &new_id(), &signed("of_nobody"), &signed("of_a_deactivated_user")] {
        let answer = profile(&server, old).await;
        answer.assert_error(401, "not_authenticated");
        assert!(!answer.sets_cookie());
    }
    assert!(is_there(&server.setup, &pickled).await && is_there(&server.setup, &of_nobody).await);
    server.setup.execute_sql("UPDATE users SET is_active = false WHERE username = 'ann'").await;
    let of_ann = plant(&server.setup, "plain", LIFETIME).await;
    for old in [&of_ann, &signed("plain")] {
        profile(&server, old).await.assert_error(401, "not_authenticated");
    }
    server.setup.execute_sql("DELETE FROM users WHERE username = 'Bob'").await;
    profile(&server, &signed("of_bob")).await.assert_error(401, "not_authenticated");
    assert_eq!(adoptions(&server).await, 0);
    // She may come back.
    server.setup.execute_sql("UPDATE users SET is_active = true WHERE username = 'ann'").await;
    adopted(&profile(&server, &of_ann).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_forged_or_too_old_is_none() {
    let setup = adopting().await;
    let other_key =
        setup.clone().with("MARKT_ADOPT__FLASK_SECRET_KEY", "another key of the right length").start().await;
    profile(&other_key, &signed("plain")).await.assert_error(401, "not_authenticated");
    let mut forged = signed("plain");
    forged.replace_range(1..2, "f");
    let server = setup.clone().start().await;
    profile(&server, &forged).await.assert_error(401, "not_authenticated");
    // They were signed before this test was written.
    let lifetime = setup.with("MARKT_ADOPT__FLASK_LIFETIME", "1s").start().await;
    profile(&lifetime, &signed("plain")).await.assert_error(401, "not_authenticated");
    adopted(&profile(&server, &signed("plain")).await);
}

/// Both systems keep their sessions under `session:`; ours are never taken for the old system's, nor touched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_public_id_is_no_id_of_the_old_system() {
    let server = adopting().await.start().await;
    let secret = server.secret_in_cookie("bob@example.com").await;
    let id = public_id(&secret);
    for named in [id.clone(), id.to_uppercase()] {
        profile(&server, &named).await.assert_error(401, "not_authenticated");
        with_old(&server, &named).log_in("ann@example.com", PASSWORD).await.assert_status(200);
    }
    server.assert_alive(&secret, "Bob").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_sites_page_takes_nothing_over() {
    let server = adopting().await.start().await;
    let old = plant(&server.setup, "plain", LIFETIME).await;
    let from = |site: &str, destination: &str| {
        let client = with_old(&server, &old).with_header("sec-fetch-site", site);
        client.with_header("sec-fetch-dest", destination)
    };
    let evil = || from("cross-site", "empty").with_header("origin", "https://evil.example");
    evil().post_nothing("/users/logout").await.assert_error(403, "cross_origin_refused");
    evil().get("/users/profile").await.assert_error(401, "not_authenticated");
    from("cross-site", "image").get("/users/profile").await.assert_error(401, "not_authenticated");
    assert!(is_there(&server.setup, &old).await);
    // By a link, or from a front end that is allowed, it is.
    adopted(&from("cross-site", "document").get("/users/profile").await);
    let old = plant(&server.setup, "plain", LIFETIME).await;
    let allowed = with_old(&server, &old).with_header("sec-fetch-site", "cross-site").with_header("origin", FRONT_END);
    adopted(&allowed.get("/users/profile").await);
}

/// Wherever the user was logged in: what was last used at the old system before that is void here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_everywhere_ends_what_was_not_taken_over_yet() {
    let server = adopting().await.with("MARKT_ADOPT__FLASK_LIFETIME", "7d").start().await;
    let moment = Duration::from_secs(10);
    server.logged_in("ann@example.com").await.post_nothing("/users/logout?everywhere=true").await.assert_status(204);
    server.clock().advance(moment);
    // By the server's clock, half a minute ago.
    let used_before = plant(&server.setup, "plain", LIFETIME - 3 * moment).await;
    profile(&server, &used_before).await.assert_error(401, "not_authenticated");
    let used_since = plant(&server.setup, "plain", LIFETIME).await;
    adopted(&profile(&server, &used_since).await);
}

/// Flask-Login's protection `basic` lets another client in, and `strong` doesn't: so do these.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_client_takes_a_session_over_unless_sessions_are_bound_to_the_letter() {
    let setup = adopting().await.with("MARKT_HTTP__TRUSTED_PROXIES", "127.0.0.1/32");
    let made = made();
    let [address, agent] = ["address", "agent"].map(|name| made[name].as_str().unwrap());
    let asked = async |server: &Server, old: &str, address: &str, agent: &str| {
        let client = with_old(server, old).with_header("x-forwarded-for", address).with_header("user-agent", agent);
        client.get("/users/profile").await.status
    };
    let basic = setup.clone().start().await;
    let old = plant(&basic.setup, "plain", LIFETIME).await;
    assert_eq!(asked(&basic, &old, "192.0.2.99", "Another").await, StatusCode::OK);
    let strong = setup
        .with("MARKT_SESSION__BINDING__USER_AGENT", "exact")
        .with("MARKT_SESSION__BINDING__IP", "exact")
        .start()
        .await;
    let old = plant(&strong.setup, "plain", LIFETIME).await;
    assert_eq!(asked(&strong, &old, "192.0.2.99", agent).await, StatusCode::UNAUTHORIZED);
    assert_eq!(asked(&strong, &old, address, "Another").await, StatusCode::UNAUTHORIZED);
    assert!(is_there(&strong.setup, &old).await);
    assert_eq!(asked(&strong, &old, address, agent).await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_two_users_are_ambiguous_and_nothing_is_taken_over() {
    let server = adopting().await.start().await;
    let (of_ann, of_bob) = (signed("plain"), signed("of_bob"));
    let cookies = format!("markt_session={of_ann}; markt_session={of_bob}");
    let client = server.without_cookies().with_header("cookie", cookies);
    client.get("/users/profile").await.assert_error(400, "ambiguous_credentials");
    assert_eq!(adoptions(&server).await, 0);
    let twice = format!("markt_session={of_ann}; markt_session={}", signed("stale"));
    adopted(&server.without_cookies().with_header("cookie", twice).get("/users/profile").await);
}

/// It is the same for all of a user's browsers, has no end, and can't be taken back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_remember_me_cookie_alone_is_no_session() {
    let server = adopting().await.start().await;
    let made = made();
    let token = made["remember_token"].as_str().unwrap();
    let client = server.without_cookies().with_header("cookie", format!("remember_token={token}"));
    client.get("/users/profile").await.assert_error(401, "not_authenticated");
    profile(&server, token).await.assert_error(401, "not_authenticated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_that_cannot_work_stops_the_start() {
    let setup = markt().await.with("MARKT_ADOPT__FLASK_SESSION", "true");
    let stops = async |setup, words| process::assert_failed(&process::run(&setup, &["serve"]).await, 1, words);
    stops(setup.clone(), "adopt.flask_secret_key: must be set").await;
    let setup = setup.with("MARKT_ADOPT__FLASK_SECRET_KEY", "dev-secret-key");
    stops(setup.clone().with("MARKT_AUTH__MODE", "jwt"), "needs auth.mode").await;
    stops(setup.clone().with("MARKT_ADOPT__FLASK_COOKIE", "a b"), "adopt.flask_cookie: must be a token").await;
    stops(setup.with("MARKT_ENV", "production"), "adopt.flask_secret_key: must be at least 16 bytes").await;
}
