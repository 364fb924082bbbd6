//! Changes what a user's profile says, and adds accounts to it.

use std::sync::Arc;

use crate::accounts::{Accounts, KnownAccount};
use crate::ports::clock::Clock;
use crate::ports::session_store::SessionStore;
use crate::ports::user_store::{AccountError, UserStore};
use crate::user::{BuyerChanges, NewBuyer, NewSeller, SellerChanges, UserChanges, UserId, UserVersion};

/// A change to a profile.
#[derive(Clone, Debug)]
pub enum Edit {
    /// Of the user.
    User(UserChanges),
    /// Of the account as a buyer.
    Buyer(BuyerChanges),
    /// Of the account as a seller.
    Seller(SellerChanges),
    /// A new account as a buyer.
    CreateBuyer(NewBuyer),
    /// A new account as a seller.
    CreateSeller(NewSeller),
}

/// Edits profiles.
pub struct EditProfile {
    /// Where users are kept.
    pub users: Arc<dyn UserStore>,
    /// Where sessions are kept: they are told, so that every node reads the user anew.
    pub sessions: Arc<dyn SessionStore>,
    /// The users as sessions see them.
    pub accounts: Arc<Accounts>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl EditProfile {
    /// Makes the change. When it returns, every node shows it. Returns the account after it.
    ///
    /// # Errors
    /// If there is no such account, or one already, or a category is unknown, or a store fails.
    pub async fn execute(&self, user: &UserId, edit: &Edit) -> Result<Arc<KnownAccount>, AccountError> {
        let version = self.write(user, edit).await?;
        self.sessions.user_changed(user, version).await?;
        self.accounts.get(user, version).await?.ok_or(AccountError::Missing)
    }

    async fn write(&self, user: &UserId, edit: &Edit) -> Result<UserVersion, AccountError> {
        let now = self.clock.now();
        match edit {
            Edit::User(changes) => self.users.update(user, changes, now).await?.ok_or(AccountError::Missing),
            Edit::Buyer(changes) => self.users.update_buyer(user, changes, now).await,
            Edit::Seller(changes) => self.users.update_seller(user, changes, now).await,
            Edit::CreateBuyer(buyer) => self.users.create_buyer(user, buyer, now).await,
            Edit::CreateSeller(seller) => self.users.create_seller(user, seller, now).await,
        }
    }
}
