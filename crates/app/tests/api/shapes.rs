//! The shapes of bodies, as the contract gives them.

use serde_json::{Value, json};

use crate::server::{PASSWORD, Server};

pub const USER: [&str; 13] = [
    "id",
    "email",
    "username",
    "phone_number",
    "profile_picture",
    "profile_picture_url",
    "is_buyer",
    "is_seller",
    "email_verified",
    "current_role",
    "created_at",
    "updated_at",
    "last_login_at",
];

pub const PROFILE_ALONE: [&str; 3] = ["address", "buyer_account", "seller_account"];

pub const BUYER_ACCOUNT: [&str; 5] = ["id", "buyername", "shipping_address", "is_active", "created_at"];

pub const SELLER_ACCOUNT: [&str; 11] = [
    "id",
    "shop_name",
    "shop_slug",
    "description",
    "policies",
    "verification_status",
    "category_ids",
    "total_rating",
    "total_raters",
    "is_active",
    "joined_date",
];

pub const SESSION: [&str; 13] = [
    "id",
    "user_id",
    "current_role",
    "created_at",
    "last_activity",
    "authenticated_at",
    "fresh",
    "remember",
    "transport",
    "ip_address",
    "user_agent",
    "idle_expires_at",
    "expires_at",
];

/// Makes sure that an object has exactly these keys.
#[track_caller]
pub fn assert_keys(object: &Value, parts: &[&[&str]]) {
    let mut expected: Vec<&str> = parts.concat();
    expected.sort_unstable();
    let mut keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, expected, "{object}");
}

/// Makes sure that this is a time such as `2026-01-15T10:30:00Z`.
#[track_caller]
pub fn assert_time(value: &Value) {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no time"));
    let pattern = "dddd-dd-ddTdd:dd:ddZ";
    let fits = |(c, p): (char, char)| if p == 'd' { c.is_ascii_digit() } else { c == p };
    assert!(text.len() == pattern.len() && text.chars().zip(pattern.chars()).all(fits), "{text} is no time");
}

/// Makes sure that this is a user's id.
#[track_caller]
pub fn assert_user_id(value: &Value) {
    let id = value.as_str().and_then(|id| id.strip_prefix("USR_")).unwrap_or_else(|| panic!("{value} is no user id"));
    assert!(id.len() == 8 && id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()), "{value} is no user id");
}

/// What a buyer of this name registers with, at `<name>@example.com`.
pub fn registration(name: &str) -> Value {
    json!({
        "email": format!("{name}@example.com"),
        "username": name,
        "password": PASSWORD,
        "account_type": "buyer",
        "buyer_data": {"buyername": format!("Buyer {name}")},
    })
}

/// What a seller of this name registers with.
pub fn seller_registration(name: &str, seller_data: Value) -> Value {
    let mut body = registration(name);
    let fields = body.as_object_mut().unwrap();
    fields.remove("buyer_data");
    fields.insert("account_type".into(), "seller".into());
    fields.insert("seller_data".into(), seller_data);
    body
}

/// The body with this field set.
pub fn with(mut body: Value, field: &str, value: impl Into<Value>) -> Value {
    body[field] = value.into();
    body
}

/// Adds categories with the ids from 1 to this one.
pub async fn add_categories(server: &Server, count: u32) {
    for id in 1..=count {
        let row = format!("({id}, 'Category {id}', CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)");
        let insert = format!("INSERT INTO categories (id, name, created_at, updated_at) VALUES {row}");
        server.setup.execute_sql(&insert).await;
    }
}
