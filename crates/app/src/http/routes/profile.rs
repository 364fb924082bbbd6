//! The profile: `GET` and `PATCH /users/profile`, `PATCH /users/profile/buyer` and `…/seller`, `POST /users/create-buyer`
//! and `/users/create-seller`

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use markt_domain::accounts::KnownAccount;
use markt_domain::ports::authenticator;
use markt_domain::role::Role;
use markt_domain::use_cases::edit_profile::Edit;
use markt_domain::user::UserChanges;
use utoipa::ToSchema;

use super::account_data::{BuyerData, BuyerPatch, SellerData, SellerPatch};
use crate::http::App;
use crate::http::authenticated::Authenticated;
use crate::http::body::Json;
use crate::http::envelope::USUAL_HEADERS;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::fields::{Fields, FromFields, text};
use crate::http::openapi::BASE_PATH;
use crate::http::representation::ProfileBody;

/// What changes of the user; what is missing or null stays as it is.
#[derive(ToSchema)]
pub struct UserPatch {
    #[schema(max_length = 20)]
    phone_number: Option<String>,
    /// Its name or its URL.
    #[schema(max_length = 255)]
    profile_picture: Option<String>,
}

impl FromFields for UserPatch {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let phone_number = fields.optional("phone_number", text(20));
        let profile_picture = fields.optional("profile_picture", text(255));
        Some(Self { phone_number, profile_picture })
    }
}

impl From<UserPatch> for UserChanges {
    fn from(UserPatch { phone_number, profile_picture }: UserPatch) -> Self {
        Self { phone_number, profile_picture }
    }
}

/// The caller's profile.
#[utoipa::path(
    get, path = "/users/profile", context_path = BASE_PATH, tag = "users", operation_id = "profile",
    security(("cookie" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The profile", body = ProfileBody),
        (status = 400, description = "`bad_request`, `ambiguous_credentials`", body = ErrorBody),
        (status = 401, description = "`not_authenticated`, `session_expired`, `session_revoked`, `invalid_token`", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 503, description = "`store_unavailable`", body = ErrorBody),
    )
)]
pub async fn profile(Authenticated(caller): Authenticated) -> Response {
    show(StatusCode::OK, &caller.account, caller.session.current_role)
}

/// Change the user.
#[utoipa::path(
    patch, path = "/users/profile", context_path = BASE_PATH, tag = "users", operation_id = "update_profile",
    request_body = UserPatch,
    security(("cookie" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The profile after it", body = ProfileBody),
        (status = 400, description = "`malformed_body`, `bad_request`, `ambiguous_credentials`", body = ErrorBody),
        (status = 401, description = "`not_authenticated`, `session_expired`, `session_revoked`, `invalid_token`", body = ErrorBody),
        (status = 403, description = "`cross_origin_refused`", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 413, description = "`body_too_large`", body = ErrorBody),
        (status = 415, description = "`unsupported_media_type`", body = ErrorBody),
        (status = 422, description = "`validation_failed`", body = ErrorBody),
        (status = 503, description = "`store_unavailable`", body = ErrorBody),
    )
)]
pub async fn update_profile(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Json(body): Json<UserPatch>,
) -> Result<Response, ApiError> {
    edit(&app, &caller, StatusCode::OK, Edit::User(body.into())).await
}

/// Change the account as a buyer.
#[utoipa::path(
    patch, path = "/users/profile/buyer", context_path = BASE_PATH, tag = "users", operation_id = "update_buyer",
    request_body = BuyerPatch,
    security(("cookie" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The profile after it", body = ProfileBody),
        (status = 400, description = "`bad_request` also if the user has no such account; `malformed_body`, `bad_request`, `ambiguous_credentials`", body = ErrorBody),
        (status = 401, description = "`not_authenticated`, `session_expired`, `session_revoked`, `invalid_token`", body = ErrorBody),
        (status = 403, description = "`cross_origin_refused`", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 413, description = "`body_too_large`", body = ErrorBody),
        (status = 415, description = "`unsupported_media_type`", body = ErrorBody),
        (status = 422, description = "`validation_failed`", body = ErrorBody),
        (status = 503, description = "`store_unavailable`", body = ErrorBody),
    )
)]
pub async fn update_buyer(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Json(body): Json<BuyerPatch>,
) -> Result<Response, ApiError> {
    edit(&app, &caller, StatusCode::OK, Edit::Buyer(body.into())).await
}

/// Change the account as a seller.
#[utoipa::path(
    patch, path = "/users/profile/seller", context_path = BASE_PATH, tag = "users", operation_id = "update_seller",
    request_body = SellerPatch,
    security(("cookie" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The profile after it", body = ProfileBody),
        (status = 400, description = "`bad_request` also if the user has no such account; `malformed_body`, `bad_request`, `ambiguous_credentials`", body = ErrorBody),
        (status = 401, description = "`not_authenticated`, `session_expired`, `session_revoked`, `invalid_token`", body = ErrorBody),
        (status = 403, description = "`cross_origin_refused`", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 413, description = "`body_too_large`", body = ErrorBody),
        (status = 415, description = "`unsupported_media_type`", body = ErrorBody),
        (status = 422, description = "`validation_failed`", body = ErrorBody),
        (status = 503, description = "`store_unavailable`", body = ErrorBody),
    )
)]
pub async fn update_seller(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Json(body): Json<SellerPatch>,
) -> Result<Response, ApiError> {
    edit(&app, &caller, StatusCode::OK, Edit::Seller(body.into())).await
}

/// Open an account as a buyer.
///
/// The session goes on in the role that it is in.
#[utoipa::path(
    post, path = "/users/create-buyer", context_path = BASE_PATH, tag = "users", operation_id = "create_buyer",
    request_body = BuyerData,
    security(("cookie" = []), ("bearer" = [])),
    responses(
        (status = 201, description = "The profile with it", body = ProfileBody),
        (status = 400, description = "`bad_request` also if the user has one; `malformed_body`, `bad_request`, `ambiguous_credentials`", body = ErrorBody),
        (status = 401, description = "`not_authenticated`, `session_expired`, `session_revoked`, `invalid_token`", body = ErrorBody),
        (status = 403, description = "`cross_origin_refused`", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 413, description = "`body_too_large`", body = ErrorBody),
        (status = 415, description = "`unsupported_media_type`", body = ErrorBody),
        (status = 422, description = "`validation_failed`", body = ErrorBody),
        (status = 503, description = "`store_unavailable`", body = ErrorBody),
    )
)]
pub async fn create_buyer(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Json(body): Json<BuyerData>,
) -> Result<Response, ApiError> {
    edit(&app, &caller, StatusCode::CREATED, Edit::CreateBuyer(body.into())).await
}

/// Open an account as a seller.
///
/// The session goes on in the role that it is in.
#[utoipa::path(
    post, path = "/users/create-seller", context_path = BASE_PATH, tag = "users", operation_id = "create_seller",
    request_body = SellerData,
    security(("cookie" = []), ("bearer" = [])),
    responses(
        (status = 201, description = "The profile with it", body = ProfileBody),
        (status = 400, description = "`bad_request` also if the user has one; `malformed_body`, `bad_request`, `ambiguous_credentials`", body = ErrorBody),
        (status = 401, description = "`not_authenticated`, `session_expired`, `session_revoked`, `invalid_token`", body = ErrorBody),
        (status = 403, description = "`cross_origin_refused`", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 413, description = "`body_too_large`", body = ErrorBody),
        (status = 415, description = "`unsupported_media_type`", body = ErrorBody),
        (status = 422, description = "`validation_failed`", body = ErrorBody),
        (status = 503, description = "`store_unavailable`", body = ErrorBody),
    )
)]
pub async fn create_seller(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Json(body): Json<SellerData>,
) -> Result<Response, ApiError> {
    edit(&app, &caller, StatusCode::CREATED, Edit::CreateSeller(body.into())).await
}

async fn edit(
    app: &App,
    caller: &authenticator::Authenticated,
    status: StatusCode,
    edit: Edit,
) -> Result<Response, ApiError> {
    let account = app.edit_profile.execute(&caller.session.user_id, &edit).await?;
    Ok(show(status, &account, caller.session.current_role))
}

/// The profile. It is written once for each copy of the account, and then shown as it was.
fn show(status: StatusCode, account: &KnownAccount, role: Role) -> Response {
    let body = account.profile_as(role, |account| {
        // There is nothing in it that can't be written.
        serde_json::to_vec(&ProfileBody::new(&account.profile, role)).unwrap_or_default()
    });
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    // With room for what the envelope adds, or they would move.
    let headers = response.headers_mut();
    headers.reserve(USUAL_HEADERS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
