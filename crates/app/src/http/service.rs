//! What is served on the public listener: the routes, and around them what every request goes through.
//!
//! From outside in: the envelope (id, headers, error bodies, log), CORS, the refusal of forged requests, the time limit,
//! the cookie's renewal, the routes. These are plain functions around the router instead of axum's
//! layers, of which each would copy all that is within it for each request.

use std::convert::Infallible;
use std::future::ready;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::header::{ORIGIN, VARY};
use http::{HeaderValue, Method};
use tower_http::cors::{Cors, CorsLayer};
use tower_layer::Layer as _;
use tower_service::Service;

use super::App;
use super::cross_origin::is_forged;
use super::envelope::Envelope;
use super::error::{ApiError, ErrorType};
use super::renewal::renewing;
use super::time_limit::TimeLimit;

type Answer = BoxFuture<'static, Result<Response, Infallible>>;

/// The public listener's service.
#[derive(Clone)]
pub struct PublicService {
    envelope: Arc<Envelope>,
    routes: Routes,
    cors: Cors<Routes>,
}

impl PublicService {
    /// Puts all of it around the routes.
    pub fn new(envelope: Envelope, cors: &CorsLayer, routes: Routes) -> Self {
        Self { envelope: Arc::new(envelope), cors: cors.layer(routes.clone()), routes }
    }
}

impl Service<Request> for PublicService {
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Answer {
        let opened = self.envelope.open(&request);
        // What no browser sent for a page needs no CORS.
        let is_plain = !request.headers().contains_key(ORIGIN) && *request.method() != Method::OPTIONS;
        let answer = if is_plain { self.routes.call(request) } else { self.cors.call(request).boxed() };
        let answer = opened.trace(answer);
        let answer = async move {
            let mut answer = opened.close(answer.map(|Ok(answer)| answer)).await;
            // Also where it came from none: an answer to a page may differ.
            answer.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
            Ok(answer)
        };
        answer.boxed()
    }
}

/// The routes, for requests that may come to them. Each clone is for a connection of its own.
pub struct Routes {
    router: Router,
    app: App,
    time_limit: Arc<TimeLimit>,
}

impl Routes {
    /// Requests that may come to the router have so much time.
    pub fn new(router: Router, app: App, time_limit: Duration) -> Self {
        Self { router, app, time_limit: Arc::new(TimeLimit::new(time_limit)) }
    }
}

impl Clone for Routes {
    fn clone(&self) -> Self {
        let time_limit = Arc::new(self.time_limit.another());
        Self { router: self.router.clone(), app: self.app.clone(), time_limit }
    }
}

impl Service<Request> for Routes {
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// Waits for the router's answer, no longer than it may take, and renews the cookie with it.
    fn call(&mut self, request: Request) -> Answer {
        if is_forged(request.method(), request.uri(), request.headers(), &self.app.allowed_origins) {
            return ready(Ok(ApiError::new(ErrorType::CrossOriginRefused).into_response())).boxed();
        }
        let answer = self.router.call(request).map(|Ok(answer)| answer);
        let (app, time_limit) = (self.app.clone(), Arc::clone(&self.time_limit));
        let answer = async move {
            // Where they are, they stay: moved from one to the next, they would be copied at each step.
            let answer = pin!(answer);
            let renewed = pin!(renewing(&app, answer));
            let answer = time_limit.wait_for(renewed).await;
            Ok(answer.unwrap_or_else(|| ApiError::new(ErrorType::RequestTimeout).into_response()))
        };
        answer.boxed()
    }
}
