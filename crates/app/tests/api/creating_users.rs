//! `markt-auth users create`, beside a server that runs.

use serde_json::{Value, json};

use crate::on_both_deployments;
use crate::process::{assert_failed, run_with_input, said_json};
use crate::server::{Deployment, Server};

on_both_deployments!(
    a_created_user_can_log_in_at_once,
    what_is_taken_is_a_refusal,
    what_registering_would_refuse_is_refused,
);

#[cfg(unix)]
mod at_a_terminal;

const PASSWORD: &str = "Correct Horse 1";

async fn create(server: &Server, arguments: &[&str], input: &str) -> std::process::Output {
    run_with_input(&server.setup, &[&["users", "create"], arguments].concat(), input).await
}

async fn profile(server: &Server, email: &str) -> Value {
    let client = server.client();
    let answer = client.log_in(email, PASSWORD).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    client.get("/users/profile").await.json()
}

async fn a_created_user_can_log_in_at_once(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let buyer = ["--email", "Ann@example.com", "--username", "ann", "--account-type", "buyer"];
    // Only the first line counts, without its end.
    let output = create(&server, &buyer, &format!("{PASSWORD}\r\nnot this\n")).await;
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("Ann@example.com"), "{output:?}");
    let ann = profile(&server, "ann@example.com").await;
    assert_eq!((&ann["email_verified"], &ann["is_seller"]), (&json!(true), &json!(false)));
    assert_eq!(ann["buyer_account"]["buyername"], "ann");

    let seller = ["--email", "bob@example.com", "--username", "bob", "--account-type", "seller", "--json"];
    let shop = ["--shop-name", "Bob's Things", "--description", "All sorts"];
    let output = create(&server, &[&seller[..], &shop].concat(), PASSWORD).await;
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let bob = profile(&server, "bob@example.com").await;
    assert_eq!((&bob["id"], &bob["username"]), (&shown["id"], &shown["username"]));
    assert_eq!(bob["seller_account"]["shop_name"], "Bob's Things");
    assert_eq!(bob["seller_account"]["description"], "All sorts");
    assert!(!format!("{output:?}").contains(PASSWORD), "{output:?}");
    assert_eq!(said_json(&server.setup, &["users", "show", "bob@example.com", "--json"]).await["id"], shown["id"]);
}

async fn what_is_taken_is_a_refusal(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for (email, username, words) in [
        ("BUYER1@markt.com", "somebody", "address BUYER1@markt.com already"),
        ("somebody@markt.com", "Buyer1", "called Buyer1 already"),
    ] {
        let arguments = ["--email", email, "--username", username, "--account-type", "buyer"];
        assert_failed(&create(&server, &arguments, PASSWORD).await, 1, words);
    }
    assert_eq!(server.setup.query_texts("SELECT id FROM users").await.len(), 3);
}

async fn what_registering_would_refuse_is_refused(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let ann = ["--email", "ann@example.com", "--username", "ann", "--account-type", "buyer"];
    for password in ["", "\n", "short1A", "without a digit A", &"aA1".repeat(50)] {
        let output = create(&server, &ann, password).await;
        assert_failed(&output, 1, "Password must");
        assert!(password.trim().is_empty() || !format!("{output:?}").contains(password), "{output:?}");
    }
    for (flag, value) in [
        ("--email", "nobody"),
        ("--username", "a"),
        ("--username", "Admin"),
        ("--account-type", "king"),
        ("--buyername", " "),
        ("--shop-name", &"x".repeat(101)),
    ] {
        let mut arguments: Vec<&str> = ann.to_vec();
        match arguments.iter().position(|argument| *argument == flag) {
            Some(place) => arguments[place + 1] = value,
            None => arguments.extend([flag, value]),
        }
        assert_failed(&create(&server, &arguments, PASSWORD).await, 2, flag);
    }
    assert_failed(&create(&server, &ann[2..], PASSWORD).await, 2, "Usage");
    assert_eq!(server.setup.query_texts("SELECT id FROM users").await.len(), 3);
}
