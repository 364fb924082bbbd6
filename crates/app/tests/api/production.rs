//! The service as it runs in production.

use markt_auth::application::StartError;
use markt_auth::wiring::{self, WiringError};
use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::answer::Answer;
use crate::on_both_deployments;
use crate::process;
use crate::server::{Deployment, PASSWORD, Server, code_in};
use crate::setup::Setup;
use crate::shapes::registration;

on_both_deployments!(
    an_old_schema_stops_the_start_and_is_left_as_it_is,
    cookies_are_for_tls_alone_and_browsers_are_told_to_use_it,
    codes_go_to_the_mail_server,
    demo_accounts_stop_the_start,
);

/// Where mail goes that no test reads: nothing listens there.
const NO_SMTP: &str = "smtp://127.0.0.1:9";

async fn setup(deployment: Deployment, smtp_url: &str) -> Setup {
    let setup = Setup::of(deployment).await.in_production(smtp_url);
    match deployment {
        Deployment::Embedded => setup.with("MARKT_ALLOW_EMBEDDED", "true"),
        Deployment::Full => setup,
    }
}

async fn start(deployment: Deployment, smtp_url: &str) -> Server {
    let setup = setup(deployment, smtp_url).await;
    wiring::migrate(&setup.config()).await.unwrap();
    setup.start().await
}

async fn an_old_schema_stops_the_start_and_is_left_as_it_is(deployment: Deployment) {
    let setup = setup(deployment, NO_SMTP).await;
    for _ in 0..2 {
        let error = setup.build().await.map(drop).unwrap_err();
        let StartError::Wiring(WiringError::OldSchema(pending)) = &error else { panic!("{error:?}") };
        assert!(!pending.is_empty());
        assert!(error.to_string().contains("markt-auth migrate"), "{error}");
    }
    wiring::migrate(&setup.config()).await.unwrap();
    let server = setup.start().await;
    assert_eq!(server.setup.count_rows(&["users"]).await, [("users".to_owned(), "0".to_owned())]);
    assert_eq!(server.client().get("/status").await.json()["environment"], "production");
}

async fn cookies_are_for_tls_alone_and_browsers_are_told_to_use_it(deployment: Deployment) {
    let server = start(deployment, NO_SMTP).await;
    let registered = server.without_cookies().post("/users/register", registration("ann_lee")).await;
    assert_eq!(registered.status, StatusCode::CREATED, "{registered:?}");
    let secret = registered.session_cookie().value;
    let logged_out = server.with_cookie(&secret).post_nothing("/users/logout").await;
    for answer in [&registered, &logged_out] {
        let attributes = answer.session_cookie().attributes;
        for (name, value) in [("secure", ""), ("httponly", ""), ("path", "/"), ("samesite", "Lax")] {
            assert_eq!(attributes.get(name).map(String::as_str), Some(value), "{answer:?}");
        }
        assert_eq!(attributes.get("domain"), None, "{answer:?}");
    }
    let client = server.client();
    let others = [client.get("/status").await, client.get("/nowhere").await, client.get("/users/profile").await];
    let page = Answer::of(client.request_at_root(reqwest::Method::GET, "/swagger-ui/")).await;
    for answer in others.iter().chain([&registered, &logged_out, &page]) {
        let policy = answer.header("strict-transport-security");
        let seconds = policy.split(';').next().and_then(|part| part.strip_prefix("max-age=")).unwrap_or_default();
        // A year at least, for subdomains too (ASVS 3.4.1).
        assert!(seconds.parse::<u64>().is_ok_and(|seconds| seconds >= 31_536_000), "{answer:?}");
        assert!(policy.split(';').any(|part| part.trim() == "includeSubDomains"), "{answer:?}");
    }
    // The development's front ends are strangers here.
    let browser = server.browser().log_in("ann_lee@example.com", PASSWORD).await;
    browser.assert_error(403, "cross_origin_refused");
    assert_eq!(browser.header("access-control-allow-origin"), "");
    assert_eq!(server.client().log_in("buyer1@markt.com", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
}

async fn codes_go_to_the_mail_server(deployment: Deployment) {
    let (url, mut mails) = mail_server().await;
    let server = start(deployment, &url).await;
    server.register("ann_lee").await;
    let patience = std::time::Duration::from_secs(20);
    let mail = tokio::time::timeout(patience, mails.recv()).await.unwrap().unwrap();
    assert!(mail.contains("To: ann_lee@example.com"), "{mail}");
    let body = json!({"email": "ann_lee@example.com", "verification_code": code_in(&mail)});
    assert_eq!(server.client().post("/users/email-verification/verify", body).await.status, StatusCode::OK);
    assert_eq!(server.without_cookies().log_in("ann_lee@example.com", PASSWORD).await.status, StatusCode::OK);
    let setup = server.stop().await;
    assert_eq!(setup.mails_to("ann_lee@example.com"), Vec::<String>::new());
}

async fn demo_accounts_stop_the_start(deployment: Deployment) {
    let setup = setup(deployment, NO_SMTP).await;
    // Nothing else is wrong but the schema, which is looked at later, and without which nothing would serve for ever.
    for (arguments, said) in
        [(&["serve", "--demo"][..], "--demo: not in production"), (&["serve"], "markt-auth migrate")]
    {
        let output = process::run(&setup, arguments).await;
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), words.contains(said)), (Some(1), true), "{arguments:?}: {words}");
    }
}

/// A mail server that takes everything; its URL, and what it takes.
async fn mail_server() -> (String, UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let (sender, mails) = unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(take_mails(stream, sender.clone()));
        }
    });
    (url, mails)
}

async fn take_mails(mut stream: TcpStream, mails: UnboundedSender<String>) -> std::io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 mail.test\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        if verb == "DATA" {
            writer.write_all(b"354 go on\r\n").await?;
            let mut mail = String::new();
            while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                mail.push_str(&line);
                mail.push_str("\r\n");
            }
            let _nobody_reads = mails.send(mail);
        }
        writer.write_all(if verb == "QUIT" { b"221 bye\r\n" } else { b"250 ok!\r\n" }).await?;
    }
    Ok(())
}
