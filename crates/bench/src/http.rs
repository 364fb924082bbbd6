//! HTTP/1.1 over one connection that stays open, for what wrk can't do: to look at answers, and at the clock.

use std::net::SocketAddr;

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, HeaderName, SET_COOKIE, USER_AGENT};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::cli::Error;

/// The browser that all clients are, here and in wrk: one whose name is about as long as most.
pub(crate) const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";

/// A connection to a server.
pub(crate) struct Connection {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
}

/// What a client proves by that it is logged in.
#[derive(Clone)]
pub(crate) enum Credential {
    /// A session's cookie, as a client sends it: `name=value`.
    Cookie(String),
    /// A token.
    Token(String),
}

impl Credential {
    /// The header of a request that brings it.
    fn header(&self) -> (HeaderName, String) {
        match self {
            Self::Cookie(cookie) => (COOKIE, cookie.clone()),
            Self::Token(token) => (AUTHORIZATION, format!("Bearer {token}")),
        }
    }

    /// The same as a line.
    pub(crate) fn line(&self) -> String {
        let (name, value) = self.header();
        format!("{name}: {value}")
    }
}

/// An answer, read whole.
pub(crate) struct Received {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the sender; what goes wrong before is told to it.
        tokio::spawn(connection);
        Ok(Self { address, sender })
    }

    /// Asks for something, with this credential.
    pub(crate) async fn get(&mut self, path: &str, credential: &Credential) -> Result<Received, Error> {
        let (name, value) = credential.header();
        self.send(Request::get(path).header(name, value), Bytes::new()).await
    }

    /// Tells something, with this credential if there is one.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        credential: Option<&Credential>,
        body: &Value,
    ) -> Result<Received, Error> {
        let mut request = Request::builder().method(Method::POST).uri(path).header(CONTENT_TYPE, "application/json");
        if let Some((name, value)) = credential.map(Credential::header) {
            request = request.header(name, value);
        }
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        // As a browser: sessions are cookie sessions, and no secret stands in a body.
        self.send(request.header("X-Session-Transport", "cookie"), body).await
    }

    async fn send(&mut self, request: http::request::Builder, body: Bytes) -> Result<Received, Error> {
        let request = request.header(HOST, self.address.to_string()).header(USER_AGENT, BROWSER);
        self.sender.ready().await?;
        let response = self.sender.send_request(request.body(Full::new(body))?).await?;
        let (parts, body) = response.into_parts();
        Ok(Received { status: parts.status, headers: parts.headers, body: body.collect().await?.to_bytes() })
    }
}

impl Received {
    /// The answer, if it has this status.
    pub(crate) fn expect(self, status: StatusCode) -> Result<Self, Error> {
        if self.status == status {
            return Ok(self);
        }
        Err(format!("{} in place of {status}: {}", self.status, String::from_utf8_lossy(&self.body)).into())
    }

    /// The cookie that it sets, as a client sends it.
    pub(crate) fn cookie(&self) -> Result<Credential, Error> {
        let cookie = self.headers.get(SET_COOKIE).ok_or("an answer sets no cookie")?;
        Ok(Credential::Cookie(cookie.to_str()?.split(';').next().unwrap_or_default().to_owned()))
    }
}
