//! Makes a user at an operator's wish: nobody is logged in, and no mail is sent.

use std::sync::Arc;

use crate::audit::{AuditEvent, AuditRecord};
use crate::credentials::{EmailAddress, NewPassword, Username};
use crate::ports::StoreError;
use crate::ports::audit_log::AuditLog;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::password_hasher::{HashingError, PasswordHasher};
use crate::ports::user_store::{CreateUserError, UserStore};
use crate::use_cases::register::{ID_ATTEMPTS, NewAccount};
use crate::user::{Account, NewUser, UserId};

/// What an operator says of a user to be made.
#[derive(Clone, Debug)]
pub struct CreateUserRequest {
    /// The address. It counts as proven, since the operator vouches for it.
    pub email: EmailAddress,
    /// The public name.
    pub username: Username,
    /// The password.
    pub password: NewPassword,
    /// The account.
    pub account: NewAccount,
}

/// Why no user was made. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Something of it is taken, or the store didn't do its part.
    #[error(transparent)]
    User(#[from] CreateUserError),
    /// The password couldn't be hashed.
    #[error(transparent)]
    Hashing(#[from] HashingError),
}

/// Makes users.
pub struct CreateUser {
    /// Where users are kept.
    pub users: Arc<dyn UserStore>,
    /// What hashes passwords.
    pub hasher: Arc<dyn PasswordHasher>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What draws ids.
    pub entropy: Arc<dyn Entropy>,
    /// Where it is written down.
    pub audit: Arc<dyn AuditLog>,
}

impl CreateUser {
    /// Makes the user.
    ///
    /// # Errors
    /// Says what is taken, or what didn't do its part.
    pub async fn execute(&self, request: &CreateUserRequest) -> Result<Account, CreateError> {
        let password_hash = self.hasher.hash(request.password.password()).await?;
        let (buyer, seller) = request.account.clone().into_parts();
        let mut user = NewUser {
            id: UserId::generate(self.entropy.as_ref()),
            email: request.email.clone(),
            email_verified: true,
            username: request.username.clone(),
            password_hash,
            phone_number: None,
            address: None,
            buyer,
            seller,
            network: None,
            created_at: self.clock.now(),
        };
        for _ in 0..ID_ATTEMPTS {
            match self.users.create(&user).await {
                Err(CreateUserError::IdTaken) => user.id = UserId::generate(self.entropy.as_ref()),
                Ok(account) => {
                    self.audit.record(AuditRecord::new(AuditEvent::UserCreated).of_user(&account.user().id));
                    return Ok(account);
                }
                Err(error) => return Err(error.into()),
            }
        }
        let error = StoreError::unreadable("create user", "every user id that was drawn is taken");
        Err(CreateUserError::from(error).into())
    }
}
