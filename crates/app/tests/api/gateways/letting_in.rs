//! Who is logged in gets to the backend, which is told who it is.

use std::time::Duration;

use http::Method;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::task::JoinSet;

use super::fixture::{Guarded, Kind, behind_gateway, log_in};
use crate::answer::Answer;
use crate::client::Client;
use crate::server::{Deployment, FRONT_END, PASSWORD, Server, public_id};
use crate::setup::Setup;

through_each_gateway!(
    the_backend_is_told_who_asks_and_not_by_the_client,
    the_backend_does_not_get_the_secret,
    a_logout_closes_the_door_at_once,
    a_renewed_cookie_gets_to_the_browser_beside_the_backends,
    bodies_survive,
    a_preflight_gets_to_the_backend_without_being_asked_who_it_is,
);

async fn guarded(kind: Kind) -> (Server, Guarded) {
    let server = behind_gateway(Setup::of(Deployment::Embedded).await).await;
    let guarded = Guarded::by(kind, &server.url).await;
    (server, guarded)
}

/// What the backend was sent.
#[track_caller]
fn heard(answer: &Answer) -> Value {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

/// The header as the backend got it, if it did once.
#[track_caller]
fn header(heard: &Value, name: &str) -> Option<String> {
    let values = heard["headers"][name].as_array()?;
    assert_eq!(values.len(), 1, "{heard}");
    Some(values[0].as_str().unwrap().to_owned())
}

async fn get(client: &Client, path: &str) -> Answer {
    Answer::of(client.request_at_root(Method::GET, path)).await
}

async fn the_backend_is_told_who_asks_and_not_by_the_client(kind: Kind) {
    let (server, guarded) = guarded(kind).await;
    for (name, role) in [("buyer1", "buyer"), ("seller1", "seller")] {
        let (secret, id) = log_in(&server, name).await;
        let by_token = guarded.without_cookies().with_header("authorization", format!("Bearer {secret}"));
        for client in [guarded.with_cookie(&secret), by_token] {
            let client = client.with_header("x-auth-user-id", "USR_00000000").with_header("x-auth-role", "admin");
            let client = client.with_header("X-Auth-Fresh", "perhaps").with_header("x-auth-user-id", "USR_00000001");
            let heard = heard(&get(&client, "/orders?page=2").await);
            let told = ["user-id", "username", "role", "session", "fresh"]
                .map(|part| header(&heard, &format!("x-auth-{part}")).unwrap_or_else(|| panic!("no {part}: {heard}")));
            assert_eq!(told, [id.as_str(), name, role, &public_id(&secret), "true"]);
            assert_eq!((&heard["uri"], &heard["method"]), (&"/orders?page=2".into(), &"GET".into()));
        }
    }
    // Where the service has nothing to tell, the client's word doesn't take its place.
    let (secret, _) = log_in(&server, "buyer1").await;
    let odd = "UPDATE users SET username = 'ann' || char(10) WHERE email = 'buyer1@markt.com'";
    server.setup.execute_sql(odd).await;
    server.clock().advance(Duration::from_secs(60));
    let client = guarded.with_cookie(&secret).with_header("x-auth-username", "admin");
    let heard = heard(&get(&client, "/").await);
    assert_eq!(header(&heard, "x-auth-username").unwrap_or_default(), "", "{heard}");
}

async fn the_backend_does_not_get_the_secret(kind: Kind) {
    let (server, guarded) = guarded(kind).await;
    let (secret, _) = log_in(&server, "buyer1").await;
    let by_token = guarded.without_cookies().with_header("authorization", format!("Bearer {secret}"));
    let heard_by_token = heard(&get(&by_token, "/").await).to_string();
    assert!(!heard_by_token.contains(&secret), "{heard_by_token}");
    let heard = heard(&get(&guarded.with_cookie(&secret), "/").await);
    let cookies = header(&heard, "cookie").unwrap();
    if matches!(kind, Kind::Nginx | Kind::Caddy) {
        let others: Vec<_> = cookies.split(';').map(str::trim).filter(|cookie| !cookie.is_empty()).collect();
        assert_eq!(others, ["theme=dark", "language=en"]);
        for alone in [format!("markt_session={secret}"), format!("markt_session={secret}; a=1; markt_session={secret}")]
        {
            let client = guarded.without_cookies().with_header("cookie", alone);
            let heard = get(&client, "/").await.text;
            assert!(!heard.contains(&secret), "{heard}");
        }
    } else {
        // As the guide says, neither of these can take a single cookie out.
        assert!(cookies.contains("theme=dark") && cookies.contains("language=en"), "{cookies}");
    }
}

async fn a_logout_closes_the_door_at_once(kind: Kind) {
    let (server, guarded) = guarded(kind).await;
    for _ in 0..10 {
        let client = guarded.browser();
        // The service itself is reached through the gateway, too.
        let login = client.log_in("buyer1@markt.com", PASSWORD).await;
        assert_eq!(login.status, StatusCode::OK, "{login:?}");
        let secret = login.session_cookie().value;
        let mut uses = JoinSet::new();
        for _ in 0..4 {
            let client = client.clone();
            uses.spawn(async move { assert_eq!(get(&client, "/").await.status, StatusCode::OK) });
        }
        uses.join_all().await;
        assert_eq!(client.post_nothing("/users/logout").await.status, StatusCode::NO_CONTENT);
        let refused = get(&guarded.with_cookie(&secret), "/").await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{refused:?}");
    }
    let sessions = server.setup.query_texts("SELECT CAST(count(*) AS TEXT) FROM auth_sessions").await;
    assert_eq!(sessions, ["0"]);
}

async fn a_renewed_cookie_gets_to_the_browser_beside_the_backends(kind: Kind) {
    let (server, guarded) = guarded(kind).await;
    let (secret, _) = log_in(&server, "buyer1").await;
    let cookies = |answer: &Answer| {
        let cookies = answer.headers.get_all("set-cookie").iter();
        cookies.map(|cookie| cookie.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let client = guarded.with_cookie(&secret);
    assert_eq!(cookies(&get(&client, "/").await), ["basket=7"], "it is as good as new");
    server.clock().advance(Duration::from_secs(24 * 60 * 60));
    let mut renewed = cookies(&get(&client, "/").await);
    renewed.sort();
    assert_eq!(renewed.len(), 2, "{renewed:?}");
    assert_eq!(renewed[0], "basket=7");
    assert!(renewed[1].starts_with(&format!("markt_session={secret};")), "{renewed:?}");
    assert!(renewed[1].contains("Max-Age=604800") && renewed[1].contains("HttpOnly"), "{renewed:?}");
}

async fn bodies_survive(kind: Kind) {
    let (server, guarded) = guarded(kind).await;
    let client = guarded.with_cookie(&log_in(&server, "buyer1").await.0);
    let large = "0123456789abcdef".repeat(50_000);
    for (method, body) in
        [(Method::POST, "a=1&b=2"), (Method::PUT, ""), (Method::PATCH, &large), (Method::POST, &large)]
    {
        let request = client.request_at_root(method.clone(), "/orders").body(body.to_owned());
        let answer = Answer::of(request.header("content-type", "text/plain")).await;
        let heard = heard(&answer);
        assert_eq!(heard["method"], method.as_str());
        assert!(heard["body"] == body, "{method}: {} bytes came through", heard["body"].as_str().unwrap().len());
        assert_eq!(header(&heard, "content-type").unwrap(), "text/plain");
    }
    // Whatever the backend answers is the backend's, errors too.
    for (path, status) in [("/broken", 500), ("/closed", 401)] {
        let answer = get(&client, path).await;
        answer.assert_status(status);
        assert_eq!(answer.json()["uri"], path);
    }
}

async fn a_preflight_gets_to_the_backend_without_being_asked_who_it_is(kind: Kind) {
    let (_server, guarded) = guarded(kind).await;
    let browser =
        guarded.without_cookies().with_header("origin", FRONT_END).with_header("x-auth-user-id", "USR_00000000");
    let preflight = browser.request_at_root(Method::OPTIONS, "/orders").header("access-control-request-method", "POST");
    let heard = heard(&Answer::of(preflight).await);
    assert_eq!(
        (&heard["method"], header(&heard, "x-auth-user-id").unwrap_or_default()),
        (&"OPTIONS".into(), String::new())
    );
    // What only looks like one is asked.
    let answer = Answer::of(browser.request_at_root(Method::OPTIONS, "/orders")).await;
    assert_ne!(answer.status, StatusCode::OK, "{answer:?}");
    let post = browser.request_at_root(Method::POST, "/orders").header("access-control-request-method", "POST");
    assert_eq!(Answer::of(post).await.status, StatusCode::UNAUTHORIZED);
}
