//! Whoever drives an attack from outside, to look at the server at both edges of the window.
//!
//! A line of JSON on standard output tells where the attack is; an empty line on standard input lets it go on.

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// How it is driven.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driver {
    /// By nobody: it doesn't wait.
    Nobody,
    /// By the program that started it.
    Parent,
}

impl Driver {
    /// All users are there.
    pub(crate) async fn ready(self) {
        self.wait("ready").await;
    }

    /// All users have stopped.
    pub(crate) async fn done(self) {
        self.wait("done").await;
    }

    async fn wait(self, event: &str) {
        if self == Self::Nobody {
            return;
        }
        println!("{}", json!({ "event": event }));
        let mut line = String::new();
        // A parent that is gone doesn't wait either.
        let _ = BufReader::new(tokio::io::stdin()).read_line(&mut line).await;
    }
}
