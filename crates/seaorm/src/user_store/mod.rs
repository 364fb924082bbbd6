//! Users in the Markt tables.

mod changes;
mod create;
mod load;
mod slug;

use async_trait::async_trait;
use markt_domain::Timestamp;
use markt_domain::credentials::{EmailAddress, PasswordHash, Username};
use markt_domain::ports::StoreError;
use markt_domain::ports::user_store::{CreateUserError, UserStore};
use markt_domain::user::{Account, AccountWithPassword, NewUser, UserId, UserState, UserVersion};
use sea_orm::sea_query::{Expr, ExprTrait as _, Func, SimpleExpr};
use sea_orm::{DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use crate::Database;
use crate::entities::users;

/// Keeps users in the database.
#[derive(Clone, Debug)]
pub struct SeaOrmUserStore {
    database: Database,
}

impl SeaOrmUserStore {
    /// A store in this database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    async fn has_user(&self, condition: Option<SimpleExpr>) -> Result<bool, DbErr> {
        let users = users::Entity::find().select_only().column(users::Column::Id).limit(1);
        let users = condition.into_iter().fold(users, |users, condition| users.filter(condition));
        Ok(users.into_tuple::<String>().one(self.database.reader()).await?.is_some())
    }
}

/// Whether a column of the users has this value, case aside. The database folds both: what it makes of a letter
/// depends on its locale.
fn equals_without_case(column: users::Column, value: &str) -> SimpleExpr {
    let column = Func::lower(Expr::col((users::Entity, column)));
    Expr::expr(column).eq(Func::lower(Expr::val(value)))
}

#[async_trait]
impl UserStore for SeaOrmUserStore {
    async fn create(&self, user: &NewUser) -> Result<Account, CreateUserError> {
        create::create(&self.database, user).await
    }

    async fn find(&self, id: &UserId) -> Result<Option<Account>, StoreError> {
        self.database.bounded("find user", load::by_id(self.database.reader(), id)).await
    }

    async fn find_by_email(&self, email: &EmailAddress) -> Result<Option<AccountWithPassword>, StoreError> {
        self.database.bounded("find user by e-mail address", load::by_email(self.database.reader(), email)).await
    }

    async fn is_username_taken(&self, username: &Username) -> Result<bool, StoreError> {
        let taken = equals_without_case(users::Column::Username, username.as_str());
        self.database.bounded("look up username", self.has_user(Some(taken))).await
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(!self.database.bounded("look for any user", self.has_user(None)).await?)
    }

    async fn record_login(&self, id: &UserId, at: Timestamp) -> Result<Option<UserVersion>, StoreError> {
        self.database.bounded("record login", changes::record_login(&self.database, id, at)).await
    }

    async fn replace_password_hash(
        &self,
        id: &UserId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let replace = changes::replace_password_hash(&self.database, id, old, new);
        self.database.bounded("replace password hash", replace).await
    }

    async fn mark_email_verified(&self, id: &UserId, at: Timestamp) -> Result<Option<UserVersion>, StoreError> {
        let mark = changes::mark_email_verified(&self.database, id, at);
        self.database.bounded("mark e-mail address as verified", mark).await
    }

    async fn begin_session_epoch(&self, id: &UserId) -> Result<UserState, StoreError> {
        self.database.bounded("begin session epoch", changes::begin_session_epoch(&self.database, id)).await
    }
}
