//! Accounts as a buyer or a seller. Where a user has several of a kind, the one of the lowest id counts.
//!
//! Whether a user has such an account is what its row says. The flag beside the user, by which the user has the role, is
//! set where it is missing.

use markt_domain::Timestamp;
use markt_domain::ports::user_store::AccountError;
use markt_domain::user::{BuyerChanges, NewBuyer, NewSeller, SellerChanges, UserId, UserVersion};
use sea_orm::prelude::TimeDateTime;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde_json::Value;

use super::changes::touched;
use super::{load, slug, state};
use crate::Database;
use crate::database::Transaction;
use crate::entities::{buyers, categories, seller_categories, sellers, users};
use crate::errors::trying_again;
use crate::time::to_column;

/// The outer error is the store's, the inner a refusal.
type Outcome = Result<Result<UserVersion, AccountError>, DbErr>;

pub(super) async fn create_buyer(database: &Database, id: &UserId, buyer: &NewBuyer, at: Timestamp) -> Outcome {
    let transaction = database.begin().await?;
    let Some(is_buyer) = locked_flag(&transaction, id, users::Column::IsBuyer).await? else {
        return refuse(transaction, AccountError::Missing).await;
    };
    if buyer_id(&transaction, id).await?.is_some() {
        return exists(transaction, id, users::Column::IsBuyer, is_buyer, at).await;
    }
    insert_buyer(&transaction, id, buyer, to_column(at)).await?;
    set_flag(&transaction, id, users::Column::IsBuyer, at).await?;
    finish(transaction, id).await
}

pub(super) async fn create_seller(database: &Database, id: &UserId, seller: &NewSeller, at: Timestamp) -> Outcome {
    // Another shop may take the slug in the moment in which it is free.
    trying_again(|| try_create_seller(database, id, seller, at)).await
}

async fn try_create_seller(database: &Database, id: &UserId, seller: &NewSeller, at: Timestamp) -> Outcome {
    let transaction = database.begin().await?;
    let Some(is_seller) = locked_flag(&transaction, id, users::Column::IsSeller).await? else {
        return refuse(transaction, AccountError::Missing).await;
    };
    if seller_id(&transaction, id).await?.is_some() {
        return exists(transaction, id, users::Column::IsSeller, is_seller, at).await;
    }
    let unknown = unknown_categories(&transaction, &seller.category_ids).await?;
    if !unknown.is_empty() {
        return refuse(transaction, AccountError::UnknownCategories(unknown)).await;
    }
    let slug = slug::free(&transaction, &seller.shop_name, id).await?;
    insert_seller(&transaction, id, seller, slug, to_column(at)).await?;
    set_flag(&transaction, id, users::Column::IsSeller, at).await?;
    finish(transaction, id).await
}

pub(super) async fn update_buyer(database: &Database, id: &UserId, changes: &BuyerChanges, at: Timestamp) -> Outcome {
    if *changes == BuyerChanges::default() {
        let there = buyer_id(database.reader(), id).await?.is_some();
        return unchanged(database, id, there).await;
    }
    let transaction = database.begin().await?;
    let Some(buyer) = buyer_id(&transaction, id).await? else {
        return refuse(transaction, AccountError::Missing).await;
    };
    let BuyerChanges { buyername, shipping_address } = changes.clone();
    let mut row = buyers::ActiveModel { updated_at: Set(to_column(at)), ..Default::default() };
    if buyername.is_some() {
        row.buyername = Set(buyername);
    }
    if let Some(address) = shipping_address {
        row.shipping_address = Set(Some(Value::Object(address)));
    }
    buyers::Entity::update_many().set(row).filter(buyers::Column::Id.eq(buyer)).exec(&transaction).await?;
    finish(transaction, id).await
}

pub(super) async fn update_seller(database: &Database, id: &UserId, changes: &SellerChanges, at: Timestamp) -> Outcome {
    if *changes == SellerChanges::default() {
        let there = seller_id(database.reader(), id).await?.is_some();
        return unchanged(database, id, there).await;
    }
    // A category may be deleted between the look and the insert.
    trying_again(|| try_update_seller(database, id, changes.clone(), at)).await
}

async fn try_update_seller(database: &Database, id: &UserId, changes: SellerChanges, at: Timestamp) -> Outcome {
    let transaction = database.begin().await?;
    let Some(seller) = seller_id(&transaction, id).await? else {
        return refuse(transaction, AccountError::Missing).await;
    };
    let SellerChanges { shop_name, description, policies, category_ids } = changes;
    let unknown = unknown_categories(&transaction, category_ids.as_deref().unwrap_or_default()).await?;
    if !unknown.is_empty() {
        return refuse(transaction, AccountError::UnknownCategories(unknown)).await;
    }
    let now = to_column(at);
    let mut row = sellers::ActiveModel { updated_at: Set(now), ..Default::default() };
    if shop_name.is_some() {
        row.shop_name = Set(shop_name);
    }
    if description.is_some() {
        row.description = Set(description);
    }
    if let Some(policies) = policies {
        row.policies = Set(Some(Value::Object(policies)));
    }
    // Whatever changes: from here on, nobody else replaces the categories.
    sellers::Entity::update_many().set(row).filter(sellers::Column::Id.eq(seller)).exec(&transaction).await?;
    if let Some(category_ids) = category_ids {
        let before = seller_categories::Entity::delete_many().filter(seller_categories::Column::SellerId.eq(seller));
        before.exec(&transaction).await?;
        insert_categories(&transaction, seller, &category_ids, now).await?;
    }
    finish(transaction, id).await
}

/// The present version, which an account that is there has without a change.
async fn unchanged(database: &Database, id: &UserId, there: bool) -> Outcome {
    let version = if there { load::version(database.reader(), id).await? } else { None };
    Ok(version.ok_or(AccountError::Missing))
}

async fn finish(transaction: Transaction, id: &UserId) -> Outcome {
    let state = state::count_version(&transaction, id).await?;
    transaction.commit().await?;
    Ok(Ok(state.version))
}

async fn refuse(transaction: Transaction, refusal: AccountError) -> Outcome {
    transaction.rollback().await?;
    Ok(Err(refusal))
}

/// The account is there already, if only its flag may be missing.
async fn exists(transaction: Transaction, id: &UserId, flag: users::Column, is_set: bool, at: Timestamp) -> Outcome {
    if is_set {
        return refuse(transaction, AccountError::Exists).await;
    }
    set_flag(&transaction, id, flag, at).await?;
    finish(transaction, id).await.map(|_| Err(AccountError::Exists))
}

/// A flag of the user, which nobody else sets for the rest of the transaction; none if there is no such user.
async fn locked_flag(transaction: &Transaction, id: &UserId, flag: users::Column) -> Result<Option<bool>, DbErr> {
    let flag: Option<Option<bool>> = users::Entity::find_by_id(id.as_str())
        .select_only()
        .column(flag)
        .lock_exclusive()
        .into_tuple()
        .one(transaction)
        .await?;
    Ok(flag.map(|flag| flag.unwrap_or(false)))
}

async fn set_flag(transaction: &Transaction, id: &UserId, flag: users::Column, at: Timestamp) -> Result<(), DbErr> {
    let set = users::Entity::update_many().col_expr(flag, Expr::value(true));
    touched(set, at).filter(users::Column::Id.eq(id.as_str())).exec(transaction).await?;
    Ok(())
}

async fn buyer_id(connection: &impl ConnectionTrait, user: &UserId) -> Result<Option<i32>, DbErr> {
    use buyers::{Column, Entity};
    let of_the_user = Entity::find().filter(Column::UserId.eq(user.as_str())).order_by_asc(Column::Id);
    of_the_user.select_only().column(Column::Id).into_tuple().one(connection).await
}

async fn seller_id(connection: &impl ConnectionTrait, user: &UserId) -> Result<Option<i32>, DbErr> {
    use sellers::{Column, Entity};
    let of_the_user = Entity::find().filter(Column::UserId.eq(user.as_str())).order_by_asc(Column::Id);
    of_the_user.select_only().column(Column::Id).into_tuple().one(connection).await
}

/// Those of the categories that aren't there.
pub(super) async fn unknown_categories(connection: &impl ConnectionTrait, wanted: &[i32]) -> Result<Vec<i32>, DbErr> {
    use categories::{Column, Entity};
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let known: Vec<i32> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Id.is_in(wanted.iter().copied()))
        .into_tuple()
        .all(connection)
        .await?;
    Ok(wanted.iter().copied().filter(|id| !known.contains(id)).collect())
}

pub(super) async fn insert_buyer(
    transaction: &Transaction,
    user: &UserId,
    buyer: &NewBuyer,
    now: TimeDateTime,
) -> Result<(), DbErr> {
    let row = buyers::ActiveModel {
        id: NotSet,
        user_id: Set(Some(user.as_str().to_owned())),
        buyername: Set(Some(buyer.buyername.clone())),
        shipping_address: Set(buyer.shipping_address.clone().map(Value::Object)),
        is_active: Set(Some(true)),
        created_at: Set(now),
        updated_at: Set(now),
    };
    buyers::Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(())
}

pub(super) async fn insert_seller(
    transaction: &Transaction,
    user: &UserId,
    seller: &NewSeller,
    slug: String,
    now: TimeDateTime,
) -> Result<(), DbErr> {
    let row = sellers::ActiveModel {
        id: NotSet,
        user_id: Set(Some(user.as_str().to_owned())),
        shop_name: Set(Some(seller.shop_name.clone())),
        shop_slug: Set(Some(slug)),
        description: Set(Some(seller.description.clone())),
        policies: Set(seller.policies.clone().map(Value::Object)),
        total_rating: Set(Some(0)),
        total_raters: Set(Some(0)),
        verification_status: Set(Some(sellers::Verification::Unverified)),
        is_active: Set(Some(true)),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let seller_id = sellers::Entity::insert(row).exec(transaction).await?.last_insert_id;
    insert_categories(transaction, seller_id, &seller.category_ids, now).await
}

/// The first is the primary one.
async fn insert_categories(
    transaction: &Transaction,
    seller: i32,
    category_ids: &[i32],
    now: TimeDateTime,
) -> Result<(), DbErr> {
    let rows = category_ids.iter().enumerate().map(|(place, id)| seller_categories::ActiveModel {
        seller_id: Set(seller),
        category_id: Set(*id),
        is_primary: Set(Some(place == 0)),
        created_at: Set(now),
        updated_at: Set(now),
    });
    seller_categories::Entity::insert_many(rows).exec_without_returning(transaction).await?;
    Ok(())
}
