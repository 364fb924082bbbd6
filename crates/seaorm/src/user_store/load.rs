//! Loads accounts: all but a seller's categories in one query.

use markt_domain::credentials::{EmailAddress, PasswordHash, Username};
use markt_domain::user::{
    Account, AccountWithPassword, Address, BuyerAccount, Profile, SellerAccount, User, UserId, UserState, UserVersion,
    VerificationStatus,
};
use sea_orm::prelude::TimeDateTime;
use sea_orm::sea_query::{Expr, ExprTrait as _, IntoCondition as _, Query, SimpleExpr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, DerivePartialModel, EntityTrait, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, RelationDef, Select,
};
use serde_json::Value;

use super::{equals_without_case, state};
use crate::entities::sellers::Verification;
use crate::entities::{addresses, buyers, seller_categories, sellers, user_states, users};
use crate::time::from_column;

pub(super) async fn by_id(connection: &impl ConnectionTrait, id: &UserId) -> Result<Option<Account>, DbErr> {
    let id = users::Column::Id.eq(id.as_str());
    match accounts(id).into_partial_model::<AccountRow>().one(connection).await? {
        Some(row) => Ok(Some(row.into_account(connection).await?)),
        None => Ok(None),
    }
}

pub(super) async fn by_email(
    connection: &impl ConnectionTrait,
    email: &EmailAddress,
) -> Result<Option<AccountWithPassword>, DbErr> {
    let email = equals_without_case(users::Column::Email, email.as_str());
    match accounts(email).into_partial_model::<AccountWithPasswordRow>().one(connection).await? {
        Some(AccountWithPasswordRow { account, secret }) => Ok(Some(AccountWithPassword {
            account: account.into_account(connection).await?,
            password_hash: secret.password_hash.map(PasswordHash::new),
        })),
        None => Ok(None),
    }
}

/// The hash of the user's password, if there is such a user with one.
pub(super) async fn password(connection: &impl ConnectionTrait, id: &UserId) -> Result<Option<PasswordHash>, DbErr> {
    let hash: Option<Option<String>> = users::Entity::find_by_id(id.as_str())
        .select_only()
        .column(users::Column::PasswordHash)
        .into_tuple()
        .one(connection)
        .await?;
    Ok(hash.flatten().map(PasswordHash::new))
}

/// The user's version, if there is such a user.
pub(super) async fn version(connection: &impl ConnectionTrait, id: &UserId) -> Result<Option<UserVersion>, DbErr> {
    let version: Option<Option<i64>> = users::Entity::find_by_id(id.as_str())
        .select_only()
        .column_as(user_states::Column::Version, "version")
        .join_rev(JoinType::LeftJoin, states())
        .into_tuple()
        .one(connection)
        .await?;
    Ok(version.map(|version| UserVersion(version.unwrap_or(0))))
}

/// The users that this holds for, joined with what is theirs in other tables.
fn accounts(condition: SimpleExpr) -> Select<users::Entity> {
    users::Entity::find()
        .join_rev(JoinType::LeftJoin, states())
        .join_rev(JoinType::LeftJoin, first(addresses::Entity, addresses::Column::UserId, addresses::Column::Id))
        .join_rev(JoinType::LeftJoin, first(buyers::Entity, buyers::Column::UserId, buyers::Column::Id))
        .join_rev(JoinType::LeftJoin, first(sellers::Entity, sellers::Column::UserId, sellers::Column::Id))
        .filter(condition)
}

fn states() -> RelationDef {
    user_states::Entity::belongs_to(users::Entity).from(user_states::Column::UserId).to(users::Column::Id).into()
}

/// A user's row of the lowest id in another table: nothing there keeps a user from having several.
fn first<E: EntityTrait>(entity: E, user_id: E::Column, id: E::Column) -> RelationDef
where
    E::Column: Copy + 'static,
{
    let lowest = move || {
        let first = Query::select()
            .expr(Expr::col(("first", id)).min())
            .from_as(entity, "first")
            .and_where(Expr::col(("first", user_id)).equals((users::Entity, users::Column::Id)))
            .take();
        Expr::col((entity, id)).eq(SimpleExpr::SubQuery(None, Box::new(first.into())))
    };
    E::belongs_to(users::Entity)
        .from(user_id)
        .to(users::Column::Id)
        .on_condition(move |_, _| lowest().into_condition())
        .into()
}

#[derive(DerivePartialModel)]
struct AccountWithPasswordRow {
    #[sea_orm(nested)]
    account: AccountRow,
    #[sea_orm(nested)]
    secret: SecretRow,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "users::Entity")]
struct SecretRow {
    password_hash: Option<String>,
}

#[derive(DerivePartialModel)]
struct AccountRow {
    #[sea_orm(nested)]
    user: UserRow,
    #[sea_orm(nested)]
    state: Option<StateRow>,
    #[sea_orm(nested)]
    address: Option<AddressRow>,
    #[sea_orm(nested)]
    buyer: Option<BuyerRow>,
    #[sea_orm(nested)]
    seller: Option<SellerRow>,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "users::Entity")]
struct UserRow {
    id: String,
    email: String,
    phone_number: Option<String>,
    username: String,
    profile_picture: Option<String>,
    is_buyer: Option<bool>,
    is_seller: Option<bool>,
    is_active: Option<bool>,
    email_verified: Option<bool>,
    last_login_at: Option<TimeDateTime>,
    created_at: TimeDateTime,
    updated_at: TimeDateTime,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "user_states::Entity")]
struct StateRow {
    session_epoch: i64,
    version: i64,
    kept_family: Option<String>,
    kept_epoch: Option<i64>,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "addresses::Entity")]
struct AddressRow {
    /// Tells an address without any part from none.
    #[expect(dead_code, reason = "read by the derived code")]
    id: i32,
    longitude: Option<f64>,
    latitude: Option<f64>,
    house_number: Option<String>,
    street: Option<String>,
    city: Option<String>,
    state: Option<String>,
    country: Option<String>,
    postal_code: Option<String>,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "buyers::Entity")]
struct BuyerRow {
    id: i32,
    buyername: Option<String>,
    shipping_address: Option<Value>,
    is_active: Option<bool>,
    created_at: TimeDateTime,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "sellers::Entity")]
struct SellerRow {
    id: i32,
    shop_name: Option<String>,
    shop_slug: Option<String>,
    description: Option<String>,
    policies: Option<Value>,
    total_rating: Option<i32>,
    total_raters: Option<i32>,
    verification_status: Option<Verification>,
    is_active: Option<bool>,
    created_at: TimeDateTime,
}

impl AccountRow {
    async fn into_account(self, connection: &impl ConnectionTrait) -> Result<Account, DbErr> {
        // After the counters were read: what is newer than its version says is only read again too early.
        let category_ids = match &self.seller {
            Some(seller) => categories_of(connection, seller.id).await?,
            None => Vec::new(),
        };
        let profile = Profile {
            user: self.user.into(),
            address: self.address.map(Address::from).map(Box::new),
            buyer: self.buyer.map(BuyerAccount::from),
            seller: self.seller.map(|seller| Box::new(seller.into_account(category_ids))),
        };
        let state = self.state.map_or_else(UserState::default, |state| {
            state::of_columns(state.session_epoch, state.version, state.kept_family, state.kept_epoch)
        });
        Ok(Account { profile, state })
    }
}

/// The primary one first, the others by number.
async fn categories_of(connection: &impl ConnectionTrait, seller: i32) -> Result<Vec<i32>, DbErr> {
    use seller_categories::{Column, Entity};
    // NULLs come first in one database and last in the other.
    let primary = Expr::col(Column::IsPrimary).if_null(false);
    Entity::find()
        .select_only()
        .column(Column::CategoryId)
        .filter(Column::SellerId.eq(seller))
        .order_by_desc(primary)
        .order_by_asc(Column::CategoryId)
        .into_tuple()
        .all(connection)
        .await
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: UserId::from_store(&row.id),
            email: EmailAddress::from_store(row.email),
            username: Username::from_store(&row.username),
            phone_number: row.phone_number,
            profile_picture: row.profile_picture,
            is_buyer: row.is_buyer.unwrap_or(false),
            is_seller: row.is_seller.unwrap_or(false),
            is_active: row.is_active.unwrap_or(true),
            email_verified: row.email_verified.unwrap_or(false),
            created_at: from_column(row.created_at),
            updated_at: from_column(row.updated_at),
            last_login_at: row.last_login_at.map(from_column),
        }
    }
}

impl From<AddressRow> for Address {
    fn from(row: AddressRow) -> Self {
        Self {
            longitude: row.longitude,
            latitude: row.latitude,
            house_number: row.house_number,
            street: row.street,
            city: row.city,
            state: row.state,
            country: row.country,
            postal_code: row.postal_code,
        }
    }
}

impl From<BuyerRow> for BuyerAccount {
    fn from(row: BuyerRow) -> Self {
        Self {
            id: row.id,
            buyername: row.buyername,
            shipping_address: present(row.shipping_address),
            is_active: row.is_active.unwrap_or(true),
            created_at: from_column(row.created_at),
        }
    }
}

impl SellerRow {
    fn into_account(self, category_ids: Vec<i32>) -> SellerAccount {
        SellerAccount {
            id: self.id,
            shop_name: self.shop_name,
            shop_slug: self.shop_slug,
            description: self.description,
            policies: present(self.policies),
            verification_status: self.verification_status.map_or(VerificationStatus::Unverified, Into::into),
            category_ids,
            total_rating: self.total_rating.unwrap_or(0),
            total_raters: self.total_raters.unwrap_or(0),
            is_active: self.is_active.unwrap_or(true),
            joined_date: from_column(self.created_at),
        }
    }
}

/// SQLAlchemy writes Python's `None` into a JSON column as JSON's `null`.
fn present(value: Option<Value>) -> Option<Value> {
    value.filter(|value| !value.is_null())
}

impl From<Verification> for VerificationStatus {
    fn from(status: Verification) -> Self {
        match status {
            Verification::Unverified => Self::Unverified,
            Verification::Pending => Self::Pending,
            Verification::Verified => Self::Verified,
            Verification::Rejected => Self::Rejected,
            Verification::Suspended => Self::Suspended,
        }
    }
}
