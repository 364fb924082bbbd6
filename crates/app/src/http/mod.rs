//! The HTTP face of the service.
//!
//! [`service`] has what is around the routes.

mod account_page;
mod adoption;
mod authenticated;
mod body;
mod client;
mod credentials;
pub(crate) mod cross_origin;
mod domain_errors;
mod envelope;
mod error;
pub mod events;
mod fields;
pub mod health;
mod openapi;
mod renewal;
mod representation;
mod routes;
pub mod service;
mod session_cookie;
mod time_limit;
mod transport;

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use ipnet::IpNet;
use markt_domain::ports::audit_log::AuditLog;
use markt_domain::ports::authenticator::Authenticator;
use markt_domain::ports::entropy::Entropy;
use markt_domain::use_cases::adopt_session::AdoptSession;
use markt_domain::use_cases::change_password::ChangePassword;
use markt_domain::use_cases::check_username::CheckUsername;
use markt_domain::use_cases::devices::Devices;
use markt_domain::use_cases::edit_profile::EditProfile;
use markt_domain::use_cases::exchange_token::ExchangeToken;
use markt_domain::use_cases::log_in::LogIn;
use markt_domain::use_cases::log_out::LogOut;
use markt_domain::use_cases::reauthenticate::Reauthenticate;
use markt_domain::use_cases::refresh_tokens::RefreshTokens;
use markt_domain::use_cases::register::Register;
use markt_domain::use_cases::reset_password::ResetPassword;
use markt_domain::use_cases::switch_role::SwitchRole;
use markt_domain::use_cases::verify_email::VerifyEmail;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config as SwaggerConfig, SwaggerUi};

use crate::config::values::{AuthMode, BearerPolicy, Environment, Origin};
use crate::config::{self, Config};
use crate::metrics::HttpMetrics;
use envelope::Envelope;
pub(crate) use error::ApiError;
use error::ErrorType;
use openapi::BASE_PATH;
use service::{PublicService, Routes};
use session_cookie::SessionCookie;

/// What the routes call: what knows callers, the use cases, and what writes down what came of it.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is named for its use case")]
pub struct UseCases {
    pub adopt_session: Option<Arc<AdoptSession>>,
    pub audit: Arc<dyn AuditLog>,
    pub authenticator: Arc<dyn Authenticator>,
    pub change_password: Arc<ChangePassword>,
    pub check_username: Arc<CheckUsername>,
    pub devices: Arc<Devices>,
    pub edit_profile: Arc<EditProfile>,
    pub exchange_token: Option<Arc<ExchangeToken>>,
    pub log_in: Arc<LogIn>,
    pub log_out: Arc<LogOut>,
    pub reauthenticate: Arc<Reauthenticate>,
    pub refresh_tokens: Option<Arc<RefreshTokens>>,
    pub register: Arc<Register>,
    pub reset_password: Arc<ResetPassword>,
    pub switch_role: Arc<SwitchRole>,
    pub verify_email: Arc<VerifyEmail>,
}

/// What the routes share.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// See [`App`].
pub struct Shared {
    use_cases: UseCases,
    session_cookie: SessionCookie,
    /// The cookie of the system before.
    foreign_cookie: SessionCookie,
    bearer: BearerPolicy,
    trusted_proxies: Vec<IpNet>,
    /// The origins whose pages may have requests sent.
    allowed_origins: Vec<Origin>,
    body_limit: usize,
    environment: Environment,
    auth_mode: AuthMode,
    /// The public keys that tokens are verified by, if they are to be published.
    jwks: Option<Bytes>,
    metrics: HttpMetrics,
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Deref for Shared {
    type Target = UseCases;

    fn deref(&self) -> &UseCases {
        &self.use_cases
    }
}

impl App {
    fn new(config: &Config, use_cases: UseCases, jwks: Option<Bytes>, metrics: HttpMetrics) -> Self {
        Self(Arc::new(Shared {
            use_cases,
            session_cookie: SessionCookie::new(config.cookie.clone()),
            foreign_cookie: foreign_cookie(config),
            bearer: config.session.bearer,
            trusted_proxies: config.http.trusted_proxies.clone(),
            allowed_origins: config.cors_allowed_origins.clone(),
            body_limit: config.http.body_limit.0,
            environment: config.env,
            auth_mode: config.auth.mode,
            jwks,
            metrics,
        }))
    }
}

/// The cookie of the system before: it is taken away with the attributes of our own.
fn foreign_cookie(config: &Config) -> SessionCookie {
    let name = config.adopt.flask_cookie.clone().unwrap_or_else(|| config.cookie.name.clone());
    SessionCookie::new(config::Cookie { name, ..config.cookie.clone() })
}

/// What is served on the public listener; with the public keys that tokens are verified by, if they are to be published.
pub fn public_service(
    config: &Config,
    use_cases: UseCases,
    jwks: Option<Bytes>,
    metrics: HttpMetrics,
    entropy: &dyn Entropy,
) -> PublicService {
    let (api, document) = api().split_for_parts();
    let document: Arc<str> = document.to_json().unwrap_or_default().into();
    let serve_document = get(move || {
        let document = Arc::clone(&document);
        async move { ([(CONTENT_TYPE, "application/json")], document.to_string()) }
    });
    let mode = config.auth.mode;
    let account_page = if config.http.account_page { account_page::routes(mode) } else { Router::new() };
    let durations = Arc::clone(&metrics.durations);
    let app = App::new(config, use_cases, jwks, metrics);
    let router = api
        .route(&format!("{BASE_PATH}/openapi.json"), serve_document)
        .merge(swagger_ui())
        .merge(account_page)
        .fallback(|| async { ApiError::new(ErrorType::NotFound) })
        .with_state(app.clone());
    let envelope = Envelope::new(durations, entropy, config.env == Environment::Production);
    let cors = cross_origin::cors(&app.allowed_origins);
    PublicService::new(envelope, &cors, Routes::new(router, app, config.http.request_timeout))
}

/// The OpenAPI document, in JSON.
#[must_use]
pub fn openapi_document() -> String {
    api().split_for_parts().1.to_pretty_json().unwrap_or_default()
}

/// The routes' paths, as the document has them.
pub fn paths() -> Vec<String> {
    api().split_for_parts().1.paths.paths.into_keys().collect()
}

fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(routes::register::register))
        .routes(routes!(routes::login::login))
        .routes(routes!(routes::logout::logout))
        .routes(routes!(routes::profile::profile, routes::profile::update_profile))
        .routes(routes!(routes::profile::update_buyer))
        .routes(routes!(routes::profile::update_seller))
        .routes(routes!(routes::profile::create_buyer))
        .routes(routes!(routes::profile::create_seller))
        .routes(routes!(routes::switch_role::switch_role))
        .routes(routes!(routes::check_username::check_username))
        .routes(routes!(routes::email_verification::send))
        .routes(routes!(routes::email_verification::verify))
        .routes(routes!(routes::password_reset::send))
        .routes(routes!(routes::password_reset::confirm))
        .routes(routes!(routes::password::change_password))
        .routes(routes!(routes::reauthenticate::reauthenticate))
        .routes(routes!(routes::session::session))
        .routes(routes!(routes::devices::list, routes::devices::revoke_others))
        .routes(routes!(routes::devices::revoke))
        .routes(routes!(routes::verify::verify))
        .routes(routes!(routes::status::status))
        .routes(routes!(routes::tokens::exchange))
        .routes(routes!(routes::tokens::refresh))
        .routes(routes!(routes::tokens::jwks))
}

/// The API's own pages, served from the binary.
fn swagger_ui() -> Router<App> {
    let ui = SwaggerUi::new("/swagger-ui").config(SwaggerConfig::new([format!("{BASE_PATH}/openapi.json")]));
    Router::from(ui).layer(middleware::map_response(|mut response: Response| async {
        // The page styles itself as it runs.
        let policy = HeaderValue::from_static(
            "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; \
             object-src 'none'; frame-ancestors 'none'",
        );
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        response
    }))
}
