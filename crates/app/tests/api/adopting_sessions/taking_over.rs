//! Who is logged in at the old system stays logged in.

use std::collections::HashSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use super::{LIFETIME, adopted, adopting, adopting_with, adoptions, is_there, plant, profile, signed, with_old};
use crate::answer::Answer;
use crate::redis::redis;
use crate::server::{Deployment, PASSWORD};
use crate::setup::Setup;

/// As long as the answer to an old cookie is repeated.
const REPEATED_FOR: Duration = Duration::from_secs(10 * 60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_flask_session_gives_way_to_one_of_ours_in_the_same_answer() {
    let server = adopting().await.start().await;
    for name in ["plain", "in_json", "odd"] {
        let old = plant(&server.setup, name, LIFETIME).await;
        let answer = profile(&server, &old).await;
        let secret = adopted(&answer);
        assert_eq!(answer.json()["username"], "ann");
        assert!(secret != old && secret.len() == 43);
        // The old one ended with the browser, and so does this.
        assert!(!answer.session_cookie().attributes.contains_key("max-age"), "{answer:?}");
        // The old system knows it for a minute more.
        let left = redis(&server.setup.redis_url(), &["PTTL", &format!("session:{old}")]).await.parse::<u64>();
        assert!((1..=60_000).contains(&left.unwrap()));
        server.assert_alive(&secret, "ann").await;
        let session = server.session_of(&secret).await;
        assert_eq!(
            (&session["current_role"], &session["remember"], &session["transport"]),
            (&json!("buyer"), &json!(false), &json!("cookie"))
        );
    }
    assert_eq!(adoptions(&server).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_cookie_gives_way_with_its_role_and_its_permanence() {
    let server = adopting().await.start().await;
    let answer = profile(&server, &signed("large")).await;
    let secret = adopted(&answer);
    assert_eq!(answer.session_cookie().attributes["max-age"], "604800");
    let session = server.session_of(&secret).await;
    assert_eq!((&session["current_role"], &session["remember"]), (&json!("seller"), &json!(true)));
    let until = adopted(&profile(&server, &signed("until_the_browser_ends")).await);
    assert_eq!(server.session_of(&until).await["remember"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_flask_session_signed_leads_to_its_session() {
    let server = adopting().await.start().await;
    let made = super::made();
    let cookie = made["records"]["signed"]["cookie"].as_str().unwrap();
    let planted = plant(&server.setup, "signed", LIFETIME).await;
    let url = server.setup.redis_url();
    let id = cookie.split('.').next().unwrap();
    redis(&url, &["RENAME", &format!("session:{planted}"), &format!("session:{id}")]).await;
    server.assert_alive(&adopted(&profile(&server, cookie).await), "ann").await;
}

/// With the deployment that has no Redis, Flask's own sessions are all that there can be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_cookie_is_taken_over_without_redis_too() {
    let server = adopting_with(Setup::of(Deployment::Embedded).await).start().await;
    let user = "INSERT INTO users (id, email, username, is_buyer, created_at, updated_at)
                VALUES ('USR_OLD00001', 'ann@example.com', 'ann', true, '2025-01-02 03:04:05', '2025-01-02 03:04:05')";
    server.setup.execute_sql(user).await;
    server.assert_alive(&adopted(&profile(&server, &signed("plain")).await), "ann").await;
    profile(&server, &super::new_id()).await.assert_error(401, "not_authenticated");
}

/// Whose answer was lost asks again, with what it still has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_answer_is_given_for_a_moment_and_then_never_again() {
    let server = adopting().await.start().await;
    for old in [plant(&server.setup, "plain", LIFETIME).await, signed("plain")] {
        let secret = adopted(&profile(&server, &old).await);
        server.clock().advance(REPEATED_FOR - Duration::from_secs(1));
        assert_eq!(adopted(&profile(&server, &old).await), secret);
        server.clock().advance(Duration::from_secs(1));
        profile(&server, &old).await.assert_error(401, "not_authenticated");
        server.assert_alive(&secret, "ann").await;
    }
    assert_eq!(adoptions(&server).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_logout_the_old_cookie_is_worth_nothing() {
    let server = adopting().await.start().await;
    for old in [plant(&server.setup, "plain", LIFETIME).await, signed("plain")] {
        let secret = adopted(&profile(&server, &old).await);
        server.with_cookie(&secret).post_nothing("/users/logout").await.assert_status(204);
        profile(&server, &old).await.assert_error(401, "not_authenticated");
        server.assert_dead(&secret).await;
    }
    // Nor if the logout itself is what it came with.
    for old in [plant(&server.setup, "plain", LIFETIME).await, signed("stale")] {
        with_old(&server, &old).post_nothing("/users/logout").await.assert_status(204);
        profile(&server, &old).await.assert_error(401, "not_authenticated");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_requests_at_once_on_two_nodes_all_are_let_in_by_one_session() {
    let server = adopting().await.start().await;
    let twin = server.twin().await;
    for round in 1..=5 {
        let old = plant(&server.setup, "plain", LIFETIME).await;
        let mut asking = JoinSet::new();
        for n in 0..16 {
            let client = with_old(if n % 2 == 0 { &server } else { &twin }, &old);
            asking.spawn(async move { client.get("/users/profile").await });
        }
        let secrets: HashSet<String> = asking.join_all().await.iter().map(adopted).collect();
        assert_eq!(secrets.len(), 1);
        let secret = secrets.into_iter().next().unwrap();
        let sessions = server.with_cookie(&secret).get("/users/sessions").await.json();
        assert_eq!(sessions["items"].as_array().unwrap().len(), round);
    }
    assert_eq!(adoptions(&server).await, 5);
}

/// Flask-Login's `_fresh` has no end; here the password must have been given lately, and nobody knows when it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_was_taken_over_is_not_fresh_until_the_password_is_given() {
    for old in [signed("plain"), signed("stale")] {
        // Each on its own: what ends others ends those that were not taken over yet.
        let server = adopting().await.start().await;
        let secret = adopted(&profile(&server, &old).await);
        assert_eq!(server.session_of(&secret).await["fresh"], false);
        let client = server.with_cookie(&secret);
        client.delete("/users/sessions").await.assert_error(403, "reauthentication_required");
        let answer = client.post("/users/reauthenticate", json!({ "password": PASSWORD })).await;
        assert_eq!(answer.json()["fresh"], true, "{answer:?}");
        server.with_cookie(&answer.session_cookie().value).delete("/users/sessions").await.assert_status(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_of_another_name_is_taken_away_when_ours_is_set() {
    let server = adopting().await.with("MARKT_ADOPT__FLASK_COOKIE", "session").start().await;
    let old = plant(&server.setup, "plain", LIFETIME).await;
    let client = server.without_cookies().with_header("cookie", format!("session={old}"));
    let answer = Answer::of(client.request(Method::GET, "/users/profile")).await;
    answer.assert_status(200);
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(cookies.len() == 2 && cookies[0].starts_with("markt_session="), "{cookies:?}");
    assert!(cookies[1].starts_with("session=; ") && cookies[1].contains("Max-Age=0"), "{cookies:?}");
    // In the cookie that is ours it is no session.
    let other = plant(&server.setup, "plain", LIFETIME).await;
    profile(&server, &other).await.assert_error(401, "not_authenticated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_session_counts_and_the_old_one_ends_with_a_login_or_a_logout() {
    let server = adopting().await.with("MARKT_ADOPT__FLASK_COOKIE", "session").start().await;
    let old = plant(&server.setup, "plain", LIFETIME).await;
    let client = server.client().with_header("cookie", format!("session={old}; markt_session=gone"));
    let answer = client.log_in("bob@example.com", PASSWORD).await;
    let secret = answer.session_cookie().value;
    assert!(!is_there(&server.setup, &old).await, "who logs in is that user from now on");
    let old = plant(&server.setup, "plain", LIFETIME).await;
    let both = server.without_cookies().with_header("cookie", format!("session={old}; markt_session={secret}"));
    let answer = both.get("/users/profile").await;
    assert_eq!((&answer.json()["username"], answer.sets_cookie()), (&json!("Bob"), false));
    both.post_nothing("/users/logout").await.assert_status(204);
    assert!(!is_there(&server.setup, &old).await);
    both.get("/users/profile").await.assert_status(401);
}

/// It is kept nowhere else, and may have been copied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_cookie_that_came_along_with_a_login_or_a_logout_is_never_taken_over() {
    let server = adopting().await.start().await;
    let [with_a_login, with_a_logout] = [signed("plain"), signed("stale")];
    with_old(&server, &with_a_login).log_in("bob@example.com", PASSWORD).await.assert_status(200);
    let secret = server.secret_in_cookie("bob@example.com").await;
    let both = server.without_cookies();
    let both = both.with_header("cookie", format!("markt_session={with_a_logout}; markt_session={secret}"));
    both.post_nothing("/users/logout").await.assert_status(204);
    for old in [with_a_login, with_a_logout] {
        profile(&server, &old).await.assert_error(401, "not_authenticated");
    }
}
