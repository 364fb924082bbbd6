//! A client of the API.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::server::Server;

/// A client of one server, with the headers that it sends each time.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    root: String,
    headers: Vec<(&'static str, String)>,
}

impl Client {
    pub fn of(server: &Server, cookies: bool) -> Self {
        Self::to(&server.url, cookies)
    }

    /// A client of the server at this URL.
    pub fn to(url: &str, cookies: bool) -> Self {
        let http = reqwest::Client::builder().cookie_store(cookies).timeout(Duration::from_secs(30)).build().unwrap();
        Self { http, root: url.to_owned(), headers: Vec::new() }
    }

    /// The same client, with its cookies, which talks to this server from now on.
    pub fn at(self, server: &Server) -> Self {
        Self { root: server.url.clone(), ..self }
    }

    /// The same client, which sends this header with every request.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// A request to a path below the base path, to be completed and sent.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_at_root(method, &format!("/api/v1{path}"))
    }

    /// A request to a path that begins at the root, to be completed and sent.
    pub fn request_at_root(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.root));
        self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value))
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn post_nothing(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::POST, path)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, body).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    /// Sends a body by this method.
    pub async fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        Answer::of(self.request(method.parse().unwrap(), path).json(&body)).await
    }

    /// Posts bytes as JSON, whatever they are.
    pub async fn post_bytes(&self, path: &str, bytes: impl Into<Vec<u8>>) -> Answer {
        self.send_bytes("POST", path, bytes).await
    }

    /// Sends bytes as JSON, whatever they are, by this method.
    pub async fn send_bytes(&self, method: &str, path: &str, bytes: impl Into<Vec<u8>>) -> Answer {
        let request = self.request(method.parse().unwrap(), path).header("content-type", "application/json");
        Answer::of(request.body(bytes.into())).await
    }

    pub async fn log_in(&self, email: &str, password: &str) -> Answer {
        self.post("/users/login", json!({ "email": email, "password": password })).await
    }
}
