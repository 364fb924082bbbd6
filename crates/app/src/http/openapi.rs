//! The OpenAPI document, made from the handlers.

use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

/// Where the API begins.
pub const BASE_PATH: &str = "/api/v1";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "markt-auth",
        description = "Session authentication for the Markt marketplace and apps like it. Every error has the body \
                       `ErrorBody`; any path may answer 404 `not_found`, 405 `method_not_allowed` and 500 `internal` \
                       with it."
    ),
    tags(
        (name = "users", description = "Users and what belongs to them"),
        (name = "sessions", description = "Sessions, on this device and the user's others"),
        (name = "tokens", description = "Tokens, where the service works by them (`auth.mode`)"),
        (name = "service", description = "The service itself"),
    ),
    modifiers(&Credentials)
)]
struct Base;

/// The two ways to send a session's secret.
struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut Document) {
        let cookie = ApiKey::Cookie(ApiKeyValue::with_description(
            "markt_session",
            "Set at login; the name is the configuration's (`cookie.name`)",
        ));
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The `token` of a login; where the service works by tokens, its `access_token`"));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(cookie));
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    }
}

/// The document without its paths, which the routes add.
pub fn base() -> Document {
    Base::openapi()
}
