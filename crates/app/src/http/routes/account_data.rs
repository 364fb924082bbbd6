//! What clients say of their accounts as buyers and sellers: all of it when one is made, a part when it changes.

use markt_domain::user::{BuyerChanges, NewBuyer, NewSeller, SellerChanges};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::http::fields::{Fields, FromFields, ids, name, object, text};

/// An account as a buyer.
#[derive(ToSchema)]
pub struct BuyerData {
    #[schema(min_length = 1, max_length = 50)]
    buyername: String,
    #[schema(value_type = Option<Object>)]
    shipping_address: Option<Map<String, Value>>,
}

impl FromFields for BuyerData {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let buyername = fields.required("buyername", name(50));
        let shipping_address = fields.optional("shipping_address", object);
        Some(Self { buyername: buyername?, shipping_address })
    }
}

/// An account as a seller.
#[derive(ToSchema)]
pub struct SellerData {
    #[schema(min_length = 1, max_length = 100)]
    shop_name: String,
    description: String,
    #[schema(value_type = Option<Object>)]
    policies: Option<Map<String, Value>>,
    /// The primary one first.
    #[schema(value_type = Option<Vec<i32>>)]
    category_ids: Vec<i32>,
}

impl FromFields for SellerData {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let shop_name = fields.required("shop_name", name(100));
        let description = fields.required("description", text(usize::MAX));
        let policies = fields.optional("policies", object);
        let category_ids = fields.optional("category_ids", ids).unwrap_or_default();
        Some(Self { shop_name: shop_name?, description: description?, policies, category_ids })
    }
}

impl From<BuyerData> for NewBuyer {
    fn from(BuyerData { buyername, shipping_address }: BuyerData) -> Self {
        Self { buyername, shipping_address }
    }
}

impl From<SellerData> for NewSeller {
    fn from(SellerData { shop_name, description, policies, category_ids }: SellerData) -> Self {
        Self { shop_name, description, policies, category_ids }
    }
}

/// What changes of an account as a buyer; what is missing or null stays as it is.
#[derive(ToSchema)]
pub struct BuyerPatch {
    #[schema(min_length = 1, max_length = 50)]
    buyername: Option<String>,
    #[schema(value_type = Option<Object>)]
    shipping_address: Option<Map<String, Value>>,
}

impl FromFields for BuyerPatch {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let buyername = fields.optional("buyername", name(50));
        let shipping_address = fields.optional("shipping_address", object);
        Some(Self { buyername, shipping_address })
    }
}

impl From<BuyerPatch> for BuyerChanges {
    fn from(BuyerPatch { buyername, shipping_address }: BuyerPatch) -> Self {
        Self { buyername, shipping_address }
    }
}

/// What changes of an account as a seller; what is missing or null stays as it is.
#[derive(ToSchema)]
pub struct SellerPatch {
    #[schema(min_length = 1, max_length = 100)]
    shop_name: Option<String>,
    description: Option<String>,
    #[schema(value_type = Option<Object>)]
    policies: Option<Map<String, Value>>,
    /// In place of those before, the primary one first.
    category_ids: Option<Vec<i32>>,
}

impl FromFields for SellerPatch {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let shop_name = fields.optional("shop_name", name(100));
        let description = fields.optional("description", text(usize::MAX));
        let policies = fields.optional("policies", object);
        let category_ids = fields.optional("category_ids", ids);
        Some(Self { shop_name, description, policies, category_ids })
    }
}

impl From<SellerPatch> for SellerChanges {
    fn from(SellerPatch { shop_name, description, policies, category_ids }: SellerPatch) -> Self {
        Self { shop_name, description, policies, category_ids }
    }
}
