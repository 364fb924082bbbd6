//! Users and profiles as clients see them.

use std::fmt;
use std::net::IpAddr;

use markt_domain::Timestamp;
use markt_domain::role::Role;
use markt_domain::session::{Session, SessionId};
use markt_domain::tokens::{IssuedTokens, Token};
use markt_domain::user::{Address, BuyerAccount, Profile, SellerAccount, User};
use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;

/// The picture that is shown of a user who has none.
const DEFAULT_PICTURE_URL: &str = "/static/images/default-avatar.jpg";

/// What the picture's column holds of such a user.
const DEFAULT_PICTURE: &str = "default.jpg";

/// A time, in RFC 3339, UTC, whole seconds.
#[derive(ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-01-15T10:30:00Z")]
struct Time(Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The role that a session is used in.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(rename_all = "lowercase")]
pub enum RoleName {
    /// Buys.
    Buyer,
    /// Sells.
    Seller,
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Buyer => Self::Buyer,
            Role::Seller => Self::Seller,
        }
    }
}

/// A user.
#[derive(Serialize, ToSchema)]
pub struct UserBody<'a> {
    #[schema(example = "USR_7K2M9QXA")]
    id: &'a str,
    #[schema(example = "ann@example.com")]
    email: &'a str,
    #[schema(example = "ann_lee")]
    username: &'a str,
    #[schema(required)]
    phone_number: Option<&'a str>,
    #[schema(required)]
    profile_picture: Option<&'a str>,
    profile_picture_url: &'a str,
    is_buyer: bool,
    is_seller: bool,
    email_verified: bool,
    current_role: RoleName,
    created_at: Time,
    updated_at: Time,
    #[schema(required)]
    last_login_at: Option<Time>,
}

impl<'a> UserBody<'a> {
    /// The user, in the role of the session that asks.
    #[must_use]
    pub fn new(user: &'a User, current_role: Role) -> Self {
        let picture = user.profile_picture.as_deref();
        Self {
            id: user.id.as_str(),
            email: user.email.as_str(),
            username: user.username.as_str(),
            phone_number: user.phone_number.as_deref(),
            profile_picture: picture,
            profile_picture_url: picture
                .filter(|picture| !picture.is_empty() && *picture != DEFAULT_PICTURE)
                .unwrap_or(DEFAULT_PICTURE_URL),
            is_buyer: user.is_buyer,
            is_seller: user.is_seller,
            email_verified: user.email_verified,
            current_role: current_role.into(),
            created_at: Time(user.created_at),
            updated_at: Time(user.updated_at),
            last_login_at: user.last_login_at.map(Time),
        }
    }
}

/// A user, and all that belongs to the profile.
#[derive(Serialize, ToSchema)]
pub struct ProfileBody<'a> {
    #[serde(flatten)]
    user: UserBody<'a>,
    #[schema(required)]
    address: Option<AddressBody<'a>>,
    #[schema(required)]
    buyer_account: Option<BuyerAccountBody<'a>>,
    #[schema(required)]
    seller_account: Option<SellerAccountBody<'a>>,
}

impl<'a> ProfileBody<'a> {
    /// The profile, in the role of the session that asks.
    #[must_use]
    pub fn new(profile: &'a Profile, current_role: Role) -> Self {
        Self {
            user: UserBody::new(&profile.user, current_role),
            address: profile.address.as_deref().map(AddressBody::new),
            buyer_account: profile.buyer.as_ref().map(BuyerAccountBody::new),
            seller_account: profile.seller.as_deref().map(SellerAccountBody::new),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct AddressBody<'a> {
    #[schema(required)]
    longitude: Option<f64>,
    #[schema(required)]
    latitude: Option<f64>,
    #[schema(required)]
    house_number: Option<&'a str>,
    #[schema(required)]
    street: Option<&'a str>,
    #[schema(required)]
    city: Option<&'a str>,
    #[schema(required)]
    state: Option<&'a str>,
    #[schema(required)]
    country: Option<&'a str>,
    #[schema(required)]
    postal_code: Option<&'a str>,
}

impl<'a> AddressBody<'a> {
    fn new(address: &'a Address) -> Self {
        Self {
            longitude: address.longitude,
            latitude: address.latitude,
            house_number: address.house_number.as_deref(),
            street: address.street.as_deref(),
            city: address.city.as_deref(),
            state: address.state.as_deref(),
            country: address.country.as_deref(),
            postal_code: address.postal_code.as_deref(),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct BuyerAccountBody<'a> {
    id: i32,
    #[schema(required)]
    buyername: Option<&'a str>,
    #[schema(value_type = Option<Object>, required)]
    shipping_address: Option<&'a Value>,
    is_active: bool,
    created_at: Time,
}

impl<'a> BuyerAccountBody<'a> {
    fn new(buyer: &'a BuyerAccount) -> Self {
        Self {
            id: buyer.id,
            buyername: buyer.buyername.as_deref(),
            shipping_address: buyer.shipping_address.as_ref(),
            is_active: buyer.is_active,
            created_at: Time(buyer.created_at),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct SellerAccountBody<'a> {
    id: i32,
    #[schema(required)]
    shop_name: Option<&'a str>,
    #[schema(required)]
    shop_slug: Option<&'a str>,
    #[schema(required)]
    description: Option<&'a str>,
    #[schema(value_type = Option<Object>, required)]
    policies: Option<&'a Value>,
    #[schema(example = "unverified")]
    verification_status: &'a str,
    category_ids: &'a [i32],
    total_rating: i32,
    total_raters: i32,
    is_active: bool,
    joined_date: Time,
}

impl<'a> SellerAccountBody<'a> {
    fn new(seller: &'a SellerAccount) -> Self {
        Self {
            id: seller.id,
            shop_name: seller.shop_name.as_deref(),
            shop_slug: seller.shop_slug.as_deref(),
            description: seller.description.as_deref(),
            policies: seller.policies.as_ref(),
            verification_status: seller.verification_status.as_str(),
            category_ids: &seller.category_ids,
            total_rating: seller.total_rating,
            total_raters: seller.total_raters,
            is_active: seller.is_active,
            joined_date: Time(seller.joined_date),
        }
    }
}

/// What was done, for people.
#[derive(Serialize, ToSchema)]
pub struct MessageBody {
    pub(super) message: &'static str,
}

/// A session.
#[derive(Serialize, ToSchema)]
pub struct SessionBody<'a> {
    /// The public id: it finds the session, but can't be used to log in.
    #[schema(value_type = String, example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    id: Text<SessionId>,
    #[schema(example = "USR_7K2M9QXA")]
    user_id: &'a str,
    current_role: RoleName,
    /// When the user logged in.
    created_at: Time,
    /// When the session was last used; may lag a little (`session.touch_interval`).
    last_activity: Time,
    /// When the password was last given.
    authenticated_at: Time,
    /// Whether the password was given recently enough for what needs that.
    fresh: bool,
    /// Whether the session outlives the browser.
    remember: bool,
    #[schema(example = "cookie")]
    transport: &'static str,
    #[schema(value_type = String, example = "192.0.2.7")]
    ip_address: Text<IpAddr>,
    user_agent: &'a str,
    /// When it ends unless it is used before.
    idle_expires_at: Time,
    /// When it ends at the latest.
    expires_at: Time,
}

impl<'a> SessionBody<'a> {
    /// The session, and whether it is fresh.
    #[must_use]
    pub fn new(session: &'a Session, fresh: bool) -> Self {
        Self {
            id: Text(session.id),
            user_id: session.user_id.as_str(),
            current_role: session.current_role.into(),
            created_at: Time(session.created_at),
            last_activity: Time(session.last_activity),
            authenticated_at: Time(session.authenticated_at),
            fresh,
            remember: session.remember,
            transport: session.transport.as_str(),
            ip_address: Text(session.client.ip_address),
            user_agent: &session.client.user_agent,
            idle_expires_at: Time(session.idle_expires_at),
            expires_at: Time(session.expires_at),
        }
    }
}

/// A value that is written as its text.
struct Text<T>(T);

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// An answer, and beside its own fields what its client proves a new session with, if it keeps that itself.
#[derive(Serialize, ToSchema)]
pub struct WithToken<'a, T> {
    #[serde(flatten)]
    body: T,
    /// The session's secret, for a client that sends it as `Authorization: Bearer`; browsers don't get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    /// Where the service works by tokens: to be sent as `Authorization: Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Bearer")]
    token_type: Option<&'static str>,
    /// How many seconds the access token is accepted for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 900)]
    expires_in: Option<u64>,
    /// For `POST /auth/refresh`. Left out where the one that the client has goes on to count.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
}

impl<'a, T> WithToken<'a, T> {
    /// With the session's secret, for a client that keeps it itself.
    #[must_use]
    pub const fn secret(body: T, token: Option<&'a str>) -> Self {
        Self { body, token, access_token: None, token_type: None, expires_in: None, refresh_token: None }
    }

    /// With these tokens.
    #[must_use]
    pub fn tokens(body: T, tokens: &'a IssuedTokens) -> Self {
        let TokensBody { access_token, token_type, expires_in, refresh_token } = TokensBody::new(tokens);
        Self {
            body,
            token: None,
            access_token: Some(access_token),
            token_type: Some(token_type),
            expires_in: Some(expires_in),
            refresh_token,
        }
    }
}

/// New tokens.
#[derive(Serialize, ToSchema)]
pub struct TokensBody<'a> {
    /// To be sent as `Authorization: Bearer`.
    access_token: &'a str,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// How many seconds the access token is accepted for.
    #[schema(example = 900)]
    expires_in: u64,
    /// For the next time.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
}

impl<'a> TokensBody<'a> {
    /// These tokens.
    #[must_use]
    pub fn new(tokens: &'a IssuedTokens) -> Self {
        Self {
            access_token: tokens.access.expose(),
            token_type: "Bearer",
            expires_in: tokens.expires_in.as_secs(),
            refresh_token: tokens.refresh.as_ref().map(Token::expose),
        }
    }
}

impl fmt::Debug for TokensBody<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokensBody(…)")
    }
}

impl<T> fmt::Debug for WithToken<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WithToken(…)")
    }
}
