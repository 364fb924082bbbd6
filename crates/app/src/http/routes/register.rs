//! `POST /users/register`

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use markt_domain::audit::{AuditEvent, AuditRecord};
use markt_domain::credentials::{EmailAddress, NewPassword, Username};
use markt_domain::role::Role;
use markt_domain::use_cases::register::{NewAccount, RegisterRequest};
use markt_domain::user::Address;
use utoipa::ToSchema;

use super::account_data::{BuyerData, SellerData};
use super::new_session::{WantedSession, hand_out};
use crate::http::App;
use crate::http::adoption::{ForeignCookies, retire_after_login};
use crate::http::body::Json;
use crate::http::error::{ApiError, ErrorBody, ErrorType};
use crate::http::fields::{Fields, FromFields, email, free_username, new_password, number, role, text};
use crate::http::openapi::BASE_PATH;
use crate::http::representation::{ProfileBody, RoleName, WithToken};

/// What a user registers with.
#[derive(ToSchema)]
pub struct RegisterBody {
    #[schema(value_type = String, example = "ann@example.com")]
    email: EmailAddress,
    #[schema(value_type = String, pattern = "^[a-zA-Z0-9_]{3,20}$", example = "ann_lee")]
    username: Username,
    /// 8 to 128 characters, with a digit, a lower-case and an upper-case letter.
    #[schema(value_type = String, example = "Password123")]
    password: NewPassword,
    #[schema(value_type = RoleName)]
    account_type: Role,
    #[schema(max_length = 20)]
    phone_number: Option<String>,
    address: Option<AddressFields>,
    /// Required, and looked at, where `account_type` is `buyer`.
    buyer_data: Option<BuyerData>,
    /// Required, and looked at, where `account_type` is `seller`.
    seller_data: Option<SellerData>,
}

impl FromFields for RegisterBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", email);
        let username = fields.required("username", free_username);
        let password = fields.required("password", new_password);
        let account_type = fields.required("account_type", role);
        let phone_number = fields.optional("phone_number", text(20));
        let address = fields.optional_object("address");
        let (buyer_data, seller_data) = match account_type {
            Some(Role::Buyer) => (fields.required_object("buyer_data"), None),
            Some(Role::Seller) => (None, fields.required_object("seller_data")),
            None => (None, None),
        };
        Some(Self {
            email: email?,
            username: username?,
            password: password?,
            account_type: account_type?,
            phone_number,
            address,
            buyer_data,
            seller_data,
        })
    }
}

impl RegisterBody {
    /// The account that `account_type` asks for; its data are there, or the body would have been refused.
    fn account(account_type: Role, buyer: Option<BuyerData>, seller: Option<SellerData>) -> Option<NewAccount> {
        match account_type {
            Role::Buyer => buyer.map(|buyer| NewAccount::Buyer(buyer.into())),
            Role::Seller => seller.map(|seller| NewAccount::Seller(seller.into())),
        }
    }
}

/// A postal address and where it lies.
#[derive(ToSchema)]
pub struct AddressFields {
    #[schema(minimum = -180, maximum = 180)]
    longitude: Option<f64>,
    #[schema(minimum = -90, maximum = 90)]
    latitude: Option<f64>,
    #[schema(max_length = 20)]
    house_number: Option<String>,
    #[schema(max_length = 100)]
    street: Option<String>,
    #[schema(max_length = 100)]
    city: Option<String>,
    #[schema(max_length = 100)]
    state: Option<String>,
    #[schema(max_length = 100)]
    country: Option<String>,
    #[schema(max_length = 20)]
    postal_code: Option<String>,
}

impl FromFields for AddressFields {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            longitude: fields.optional("longitude", number(-180.0, 180.0)),
            latitude: fields.optional("latitude", number(-90.0, 90.0)),
            house_number: fields.optional("house_number", text(20)),
            street: fields.optional("street", text(100)),
            city: fields.optional("city", text(100)),
            state: fields.optional("state", text(100)),
            country: fields.optional("country", text(100)),
            postal_code: fields.optional("postal_code", text(20)),
        })
    }
}

impl From<AddressFields> for Address {
    fn from(fields: AddressFields) -> Self {
        let AddressFields { longitude, latitude, house_number, street, city, state, country, postal_code } = fields;
        Self { longitude, latitude, house_number, street, city, state, country, postal_code }
    }
}

/// Register.
///
/// Makes the user, logs the user in as at a login, and sends a code to verify the e-mail address.
#[utoipa::path(
    post, path = "/users/register", context_path = BASE_PATH, tag = "users", operation_id = "register",
    request_body = RegisterBody,
    params(("X-Session-Transport" = Option<String>, Header, description = "`bearer` or `cookie`")),
    responses(
        (status = 201, description = "Registered and logged in", body = WithToken<ProfileBody>),
        (status = 400, description = "`malformed_body`, `bad_request`", body = ErrorBody),
        (status = 403, description = "`cross_origin_refused`", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 409, description = "`conflict`: the e-mail address or the username is taken", body = ErrorBody),
        (status = 413, description = "`body_too_large`", body = ErrorBody),
        (status = 415, description = "`unsupported_media_type`", body = ErrorBody),
        (status = 422, description = "`validation_failed`", body = ErrorBody),
        (status = 503, description = "`overloaded`, `store_unavailable`", body = ErrorBody),
    )
)]
pub async fn register(
    State(app): State<App>,
    wanted: WantedSession,
    foreign: ForeignCookies,
    Json(body): Json<RegisterBody>,
) -> Result<Response, ApiError> {
    let account = RegisterBody::account(body.account_type, body.buyer_data, body.seller_data)
        .ok_or_else(|| ApiError::new(ErrorType::BadRequest))?;
    let request = RegisterRequest {
        email: body.email,
        username: body.username,
        password: body.password,
        phone_number: body.phone_number,
        address: body.address.map(Address::from),
        account,
        session: wanted.remembered(true),
    };
    let registered = app.register.execute(&request).await?;
    retire_after_login(&app, &foreign).await;
    let session = &registered.issued.session;
    app.audit.record(AuditRecord::new(AuditEvent::Registered).of_session(session).by(&session.client));
    let profile = ProfileBody::new(&registered.account.profile, session.current_role);
    Ok(hand_out(&app, StatusCode::CREATED, profile, &registered.issued))
}
