//! Makes users.

use markt_domain::ports::user_store::CreateUserError;
use markt_domain::user::{Account, Address, NewUser};
use sea_orm::prelude::TimeDateTime;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _,
};

use super::{accounts, equals_without_case, load, networks, slug};
use crate::Database;
use crate::database::Transaction;
use crate::entities::{addresses, user_states, users};
use crate::errors::trying_again;
use crate::time::to_column;

/// The picture of a user without one, as the Markt application has it.
const DEFAULT_PICTURE: &str = "default.jpg";

/// Makes a user in one transaction.
pub(super) async fn create(database: &Database, user: &NewUser) -> Result<Account, CreateUserError> {
    let work = trying_again(|| try_create(database, user));
    database.bounded("create user", work).await?
}

/// The inner error is a refusal that more tries won't change.
async fn try_create(database: &Database, user: &NewUser) -> Result<Result<Account, CreateUserError>, DbErr> {
    let transaction = database.begin().await?;
    if let Some(refusal) = refusal(&transaction, user).await? {
        transaction.rollback().await?;
        return Ok(Err(refusal));
    }
    // Before anything is written: it may wait for another transaction, which must not have to wait for this one.
    let shop = match &user.seller {
        Some(seller) => Some((seller, slug::free(&transaction, &seller.shop_name, &user.id).await?)),
        None => None,
    };
    insert_user(&transaction, user).await?;
    let now = to_column(user.created_at);
    if let Some(address) = &user.address {
        insert_address(&transaction, user, address, now).await?;
    }
    if let Some(buyer) = &user.buyer {
        accounts::insert_buyer(&transaction, &user.id, buyer, now).await?;
    }
    if let Some((seller, slug)) = shop {
        accounts::insert_seller(&transaction, &user.id, seller, slug, now).await?;
    }
    insert_state(&transaction, user).await?;
    if let Some(network) = user.network {
        networks::remember(&transaction, &user.id, network, user.created_at).await?;
    }
    // As it stands, with the numbers that the database gave.
    let account = load::by_id(&transaction, &user.id).await?;
    let account = account.ok_or_else(|| DbErr::RecordNotFound("the user that was just made".to_owned()))?;
    transaction.commit().await?;
    Ok(Ok(account))
}

/// What is taken or unknown.
async fn refusal(connection: &impl ConnectionTrait, user: &NewUser) -> Result<Option<CreateUserError>, DbErr> {
    use users::Column;
    let in_the_way = async |condition: Condition| -> Result<bool, DbErr> {
        let users = users::Entity::find().select_only().column(Column::Id).filter(condition).limit(1);
        Ok(users.into_tuple::<String>().one(connection).await?.is_some())
    };
    let same_email = equals_without_case(Column::Email, user.email.as_str());
    let same_username = equals_without_case(Column::Username, user.username.as_str());
    let same_id = Column::Id.eq(user.id.as_str());
    let any = Condition::any().add(same_email.clone()).add(same_username.clone()).add(same_id);
    if in_the_way(any).await? {
        if in_the_way(Condition::all().add(same_email)).await? {
            return Ok(Some(CreateUserError::EmailTaken));
        }
        if in_the_way(Condition::all().add(same_username)).await? {
            return Ok(Some(CreateUserError::UsernameTaken));
        }
        return Ok(Some(CreateUserError::IdTaken));
    }
    let wanted = user.seller.as_ref().map_or(&[][..], |seller| &seller.category_ids);
    let unknown = accounts::unknown_categories(connection, wanted).await?;
    Ok(Some(unknown).filter(|unknown| !unknown.is_empty()).map(CreateUserError::UnknownCategories))
}

async fn insert_user(transaction: &Transaction, user: &NewUser) -> Result<(), DbErr> {
    let now = to_column(user.created_at);
    let row = users::ActiveModel {
        id: Set(user.id.as_str().to_owned()),
        email: Set(user.email.as_str().to_owned()),
        phone_number: Set(user.phone_number.clone()),
        username: Set(user.username.as_str().to_owned()),
        password_hash: Set(Some(user.password_hash.expose().to_owned())),
        profile_picture: Set(Some(DEFAULT_PICTURE.to_owned())),
        is_buyer: Set(Some(user.buyer.is_some())),
        is_seller: Set(Some(user.seller.is_some())),
        is_active: Set(Some(true)),
        email_verified: Set(Some(user.email_verified)),
        last_login_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    };
    users::Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(())
}

async fn insert_address(
    transaction: &Transaction,
    user: &NewUser,
    address: &Address,
    now: TimeDateTime,
) -> Result<(), DbErr> {
    let row = addresses::ActiveModel {
        id: NotSet,
        user_id: Set(Some(user.id.as_str().to_owned())),
        longitude: Set(address.longitude),
        latitude: Set(address.latitude),
        house_number: Set(address.house_number.clone()),
        street: Set(address.street.clone()),
        city: Set(address.city.clone()),
        state: Set(address.state.clone()),
        country: Set(address.country.clone()),
        postal_code: Set(address.postal_code.clone()),
        created_at: Set(now),
        updated_at: Set(now),
    };
    addresses::Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(())
}

/// The row may be there already, if a user of this id was deleted: its counters must not begin anew then.
async fn insert_state(transaction: &Transaction, user: &NewUser) -> Result<(), DbErr> {
    use user_states::{ActiveModel, Column, Entity};
    let row = ActiveModel {
        user_id: Set(user.id.as_str().to_owned()),
        session_epoch: Set(0),
        version: Set(0),
        kept_family: Set(None),
        kept_epoch: Set(None),
        epoch_began_at: Set(None),
    };
    Entity::insert(row)
        .on_conflict(sea_orm::sea_query::OnConflict::column(Column::UserId).do_nothing().to_owned())
        .try_insert()
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}
