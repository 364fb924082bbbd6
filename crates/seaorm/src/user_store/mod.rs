//! Users in the Markt tables.

mod accounts;
mod changes;
mod create;
mod load;
mod logins;
mod networks;
mod slug;
mod state;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use markt_domain::Timestamp;
use markt_domain::client::Network;
use markt_domain::credentials::{EmailAddress, PasswordHash, Username};
use markt_domain::ports::StoreError;
use markt_domain::ports::clock::Clock;
use markt_domain::ports::user_store::{AccountError, CreateUserError, UserStore};
use markt_domain::session::SessionFamily;
use markt_domain::user::{
    Account, AccountWithPassword, BuyerChanges, NewBuyer, NewSeller, NewUser, SellerChanges, SessionEpoch, UserChanges,
    UserId, UserState, UserVersion,
};
use sea_orm::sea_query::{Expr, ExprTrait as _, Func, SimpleExpr};
use sea_orm::{DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use crate::Database;
use crate::entities::users;

/// Keeps users in the database.
#[derive(Clone)]
pub struct SeaOrmUserStore {
    database: Database,
    clock: Arc<dyn Clock>,
}

impl SeaOrmUserStore {
    /// A store in this database. By the clock, it tells how long ago a network was used.
    #[must_use]
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock }
    }

    async fn has_user(&self, condition: Option<SimpleExpr>) -> Result<bool, DbErr> {
        let users = users::Entity::find().select_only().column(users::Column::Id).limit(1);
        let users = condition.into_iter().fold(users, |users, condition| users.filter(condition));
        Ok(users.into_tuple::<String>().one(self.database.reader()).await?.is_some())
    }
}

impl fmt::Debug for SeaOrmUserStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeaOrmUserStore").field("database", &self.database).finish_non_exhaustive()
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

    async fn find_password(&self, id: &UserId) -> Result<Option<PasswordHash>, StoreError> {
        self.database.bounded("find password", load::password(self.database.reader(), id)).await
    }

    async fn knows_network(&self, email: &EmailAddress, network: Network) -> Result<bool, StoreError> {
        let knows = networks::knows(&self.database, email, network, self.clock.now());
        self.database.bounded("look up network", knows).await
    }

    async fn record_login(
        &self,
        id: &UserId,
        network: Network,
        at: Timestamp,
    ) -> Result<Option<UserVersion>, StoreError> {
        self.database.bounded("record login", logins::record(&self.database, id, network, at)).await
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

    async fn change_password(
        &self,
        id: &UserId,
        old: &PasswordHash,
        new: &PasswordHash,
        keep: SessionFamily,
        at: Timestamp,
    ) -> Result<Option<UserState>, StoreError> {
        let change = changes::change_password(&self.database, id, old, new, keep, at);
        self.database.bounded("change password", change).await
    }

    async fn reset_password(
        &self,
        id: &UserId,
        new: &PasswordHash,
        at: Timestamp,
    ) -> Result<Option<UserState>, StoreError> {
        self.database.bounded("reset password", changes::reset_password(&self.database, id, new, at)).await
    }

    async fn mark_email_verified(&self, id: &UserId, at: Timestamp) -> Result<Option<UserVersion>, StoreError> {
        let mark = changes::mark_email_verified(&self.database, id, at);
        self.database.bounded("mark e-mail address as verified", mark).await
    }

    async fn update(
        &self,
        id: &UserId,
        changes: &UserChanges,
        at: Timestamp,
    ) -> Result<Option<UserVersion>, StoreError> {
        self.database.bounded("update user", changes::update(&self.database, id, changes, at)).await
    }

    async fn create_buyer(&self, id: &UserId, buyer: &NewBuyer, at: Timestamp) -> Result<UserVersion, AccountError> {
        self.database.bounded("create buyer", accounts::create_buyer(&self.database, id, buyer, at)).await?
    }

    async fn create_seller(&self, id: &UserId, seller: &NewSeller, at: Timestamp) -> Result<UserVersion, AccountError> {
        self.database.bounded("create seller", accounts::create_seller(&self.database, id, seller, at)).await?
    }

    async fn update_buyer(
        &self,
        id: &UserId,
        changes: &BuyerChanges,
        at: Timestamp,
    ) -> Result<UserVersion, AccountError> {
        self.database.bounded("update buyer", accounts::update_buyer(&self.database, id, changes, at)).await?
    }

    async fn update_seller(
        &self,
        id: &UserId,
        changes: &SellerChanges,
        at: Timestamp,
    ) -> Result<UserVersion, AccountError> {
        self.database.bounded("update seller", accounts::update_seller(&self.database, id, changes, at)).await?
    }

    async fn set_active(&self, id: &UserId, active: bool, at: Timestamp) -> Result<Option<UserState>, StoreError> {
        let set = changes::set_active(&self.database, id, active, at);
        self.database.bounded("set whether a user is active", set).await
    }

    async fn begin_session_epoch(&self, id: &UserId, keep: Option<SessionFamily>) -> Result<UserState, StoreError> {
        let begin = state::count_epoch(self.database.writer(), id, keep, self.clock.now());
        self.database.bounded("begin session epoch", begin).await
    }

    async fn session_epoch_began_at(&self, id: &UserId) -> Result<Option<Timestamp>, StoreError> {
        let look = state::epoch_began_at(self.database.reader(), id);
        self.database.bounded("ask when session epoch began", look).await
    }

    async fn forget_kept_session(&self, id: &UserId, epoch: SessionEpoch) -> Result<(), StoreError> {
        let forget = state::forget_kept(self.database.writer(), id, epoch);
        self.database.bounded("forget kept session", forget).await
    }
}
