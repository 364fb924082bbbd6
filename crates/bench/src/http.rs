//! HTTP/1.1 over one connection that stays open, for what wrk can't do: to look at answers, and at the clock.

use std::net::SocketAddr;

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
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

    /// Asks for something, with the session of this cookie.
    pub(crate) async fn get(&mut self, path: &str, cookie: &str) -> Result<Received, Error> {
        self.send(Request::get(path).header(hyper::header::COOKIE, cookie), Bytes::new()).await
    }

    /// Tells something, with the session of this cookie if there is one.
    pub(crate) async fn post(&mut self, path: &str, cookie: Option<&str>, body: &Value) -> Result<Received, Error> {
        let mut request = Request::builder().method(Method::POST).uri(path).header(CONTENT_TYPE, "application/json");
        if let Some(cookie) = cookie {
            request = request.header(hyper::header::COOKIE, cookie);
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

    /// The cookie that it sets, as a client sends it: `name=value`.
    pub(crate) fn cookie(&self) -> Result<String, Error> {
        let cookie = self.headers.get(hyper::header::SET_COOKIE).ok_or("an answer sets no cookie")?;
        Ok(cookie.to_str()?.split(';').next().unwrap_or_default().to_owned())
    }
}
