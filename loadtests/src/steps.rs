//! What users do: one request of the API each.

use std::error::Error;
use std::time::Duration;

use goose::goose::{GooseMethod, GooseRequest, GooseResponse};
use goose::prelude::*;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::sample::End;
use crate::visitor;

const LOG_IN: &str = "/api/v1/users/login";
const LOG_OUT: &str = "/api/v1/users/logout";
const PROFILE: &str = "/api/v1/users/profile";

/// How long a user who was turned away waits, if the answer doesn't say.
const RETRY: Duration = Duration::from_secs(1);

/// How long a user does nothing after a failure: a server that is gone needn't be asked a million times.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// What a request is, and how it should end.
struct Asked {
    kind: &'static str,
    method: GooseMethod,
    path: &'static str,
    body: Option<Value>,
    expected: u16,
}

/// What came of it.
enum Answer {
    /// What was expected, with this body.
    Served(Vec<u8>),
    /// 503, and when to come again.
    TurnedAway(Duration),
    /// Anything else, in words.
    Failed(String),
    /// Nothing was sent: it would have been due after the end.
    NotDue,
}

/// Logs in; who is turned away comes again when the answer says so.
pub(crate) async fn log_in(user: &mut GooseUser) -> TransactionResult {
    loop {
        let account = visitor::of(user)?.account();
        let body = json!({ "email": account.email, "password": account.password });
        let asked = Asked { kind: "log in", method: GooseMethod::Post, path: LOG_IN, body: Some(body), expected: 200 };
        match send(user, asked).await? {
            Answer::Served(body) => {
                let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                visitor::of(user)?.logged_in(body["access_token"].as_str().map(str::to_owned));
                return Ok(());
            }
            Answer::TurnedAway(wait) => sleep(wait).await,
            Answer::Failed(_) | Answer::NotDue => return Ok(()),
        }
        if !visitor::of(user)?.tries_again() {
            return Ok(());
        }
    }
}

/// Looks at the own profile.
pub(crate) async fn profile(user: &mut GooseUser) -> TransactionResult {
    let asked = Asked { kind: "profile", method: GooseMethod::Get, path: PROFILE, body: None, expected: 200 };
    send(user, asked).await.map(drop)
}

/// Logs out.
pub(crate) async fn log_out(user: &mut GooseUser) -> TransactionResult {
    let asked = Asked { kind: "log out", method: GooseMethod::Post, path: LOG_OUT, body: None, expected: 204 };
    if let Answer::Served(_) = send(user, asked).await? {
        visitor::of(user)?.logged_out();
    }
    Ok(())
}

/// Sends a request when it is due, and notes what came of it.
async fn send(user: &mut GooseUser, asked: Asked) -> Result<Answer, Box<TransactionError>> {
    let mut builder = user.get_request_builder(&asked.method, asked.path)?;
    if let Some(body) = &asked.body {
        // As a browser: a session is a cookie, and no secret stands in a body.
        builder = builder.header("X-Session-Transport", "cookie").json(body);
    }
    if let Some(token) = visitor::of(user)?.token() {
        builder = builder.bearer_auth(token);
    }
    let request = GooseRequest::builder();
    let request = request.name(asked.kind).expect_status_code(asked.expected).set_request_builder(builder).build();
    let Some(begun) = visitor::of(user)?.begin().await else { return Ok(Answer::NotDue) };
    let GooseResponse { request: mut metric, response } = user.request(request).await?;
    let answer = match response {
        Ok(response) => {
            let status = response.status().as_u16();
            let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            // Until it has been read whole, it hasn't been answered.
            match response.bytes().await {
                Ok(body) if status == asked.expected => Answer::Served(body.to_vec()),
                Ok(body) => refused(status, wait, &body),
                Err(error) => Answer::Failed(error.to_string()),
            }
        }
        Err(error) => Answer::Failed(root_cause(&error)),
    };
    let visitor = visitor::of(user)?;
    match &answer {
        Answer::Served(_) => visitor.note(asked.kind, begun, End::Served),
        Answer::TurnedAway(_) => {
            visitor.note(asked.kind, begun, End::TurnedAway);
            user.set_success(&mut metric)?;
        }
        Answer::Failed(why) => {
            visitor.note(asked.kind, begun, End::Failed);
            visitor.fail(asked.kind, why);
            sleep(AFTER_FAILURE).await;
        }
        Answer::NotDue => {}
    }
    Ok(answer)
}

/// What lies at the bottom of an error, such as "Connection refused"; above it, each library says that something failed.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    error.source().map_or_else(|| error.to_string(), root_cause)
}

/// What an answer means that isn't the expected one.
fn refused(status: u16, wait: Option<u64>, body: &[u8]) -> Answer {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    match (status, body["error_type"].as_str().unwrap_or("an error of no type")) {
        (503, "overloaded") => Answer::TurnedAway(wait.map_or(RETRY, Duration::from_secs)),
        (_, error_type) => Answer::Failed(format!("{status} {error_type}")),
    }
}
