//! Makes a user, and logs the new user in.

use std::sync::Arc;

use crate::credentials::{EmailAddress, NewPassword, PasswordHash, Username};
use crate::ports::StoreError;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::password_hasher::{HashingError, PasswordHasher};
use crate::ports::session_store::SessionStore;
use crate::ports::user_store::{CreateUserError, UserStore};
use crate::role::Role;
use crate::session::Ending;
use crate::use_cases::issue_session::{IssueSession, IssuedSession, Owner, Proof, SessionRequest};
use crate::use_cases::log_in::LoggedIn;
use crate::use_cases::verify_email::VerifyEmail;
use crate::user::{Account, Address, NewBuyer, NewSeller, NewUser, UserId, UserState};

/// How often another user id is drawn because the one drawn is taken: of 36⁸ even a second time is unlikely.
pub(super) const ID_ATTEMPTS: usize = 3;

/// The first account of a new user.
#[derive(Clone, Debug)]
pub enum NewAccount {
    /// As a buyer.
    Buyer(NewBuyer),
    /// As a seller.
    Seller(NewSeller),
}

impl NewAccount {
    pub(super) fn into_parts(self) -> (Option<NewBuyer>, Option<NewSeller>) {
        match self {
            Self::Buyer(buyer) => (Some(buyer), None),
            Self::Seller(seller) => (None, Some(seller)),
        }
    }
}

/// What a user registers with.
#[derive(Clone, Debug)]
pub struct RegisterRequest {
    /// The address.
    pub email: EmailAddress,
    /// The public name.
    pub username: Username,
    /// The password.
    pub password: NewPassword,
    /// The telephone number; at most 20 characters.
    pub phone_number: Option<String>,
    /// The postal address.
    pub address: Option<Address>,
    /// The account.
    pub account: NewAccount,
    /// The session that is wanted.
    pub session: SessionRequest,
}

/// Why nobody was registered. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The address is a user's already.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// The name is a user's already.
    #[error("the username is taken")]
    UsernameTaken,
    /// There are no categories with these numbers.
    #[error("unknown categories {0:?}")]
    UnknownCategories(Vec<i32>),
    /// The password couldn't be hashed.
    #[error(transparent)]
    Hashing(#[from] HashingError),
    /// A store didn't do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Registers users.
pub struct Register {
    /// Where users are kept.
    pub users: Arc<dyn UserStore>,
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// What hashes passwords.
    pub hasher: Arc<dyn PasswordHasher>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What draws ids.
    pub entropy: Arc<dyn Entropy>,
    /// What makes the session.
    pub issue: Arc<IssueSession>,
    /// What sends the first code.
    pub verify_email: Arc<VerifyEmail>,
}

impl Register {
    /// Makes the user and a session, and sends the code to verify the address.
    ///
    /// # Errors
    /// Says what is taken or unknown, or what didn't do its part.
    pub async fn execute(&self, request: &RegisterRequest) -> Result<LoggedIn, RegisterError> {
        self.refuse_taken(request).await?;
        let hash = self.hasher.hash(request.password.password()).await?;
        let (account, issued) = self.create(request, hash).await?;
        for replaced in &request.session.replaces {
            self.sessions.delete(&replaced.id(), Ending::Replaced).await?;
        }
        if let Err(error) = self.verify_email.send_to(account.user()).await {
            // The user is registered all the same, and can have another code sent.
            tracing::error!(user_id = %account.user().id, %error, "no verification code for a new user");
        }
        Ok(LoggedIn { account, issued })
    }

    /// Spares the work for what is plainly taken; what is taken meanwhile, the store tells.
    async fn refuse_taken(&self, request: &RegisterRequest) -> Result<(), RegisterError> {
        if self.users.find_by_email(&request.email).await?.is_some() {
            return Err(RegisterError::EmailTaken);
        }
        if self.users.is_username_taken(&request.username).await? {
            return Err(RegisterError::UsernameTaken);
        }
        Ok(())
    }

    /// The session is made before the user: without its user it opens nothing, whereas a user whose session could not be
    /// made would be told of a failure and then find the address taken.
    async fn create(
        &self,
        request: &RegisterRequest,
        hash: PasswordHash,
    ) -> Result<(Account, IssuedSession), RegisterError> {
        let mut user = self.new_user(request, hash);
        // What came with the request gives way only once there is a user.
        let session = SessionRequest { replaces: Vec::new(), ..request.session.clone() };
        let role = if user.buyer.is_some() { Role::Buyer } else { Role::Seller };
        for _ in 0..ID_ATTEMPTS {
            let owner = Owner { user: &user.id, state: UserState::default(), role, proof: Proof::Password };
            let issued = self
                .issue
                .execute(&owner, &session)
                .await?
                .ok_or_else(|| StoreError::unreadable("create session", "a new user had sessions to end"))?;
            match self.users.create(&user).await {
                Ok(account) => return Ok((account, issued)),
                Err(error) => {
                    self.sessions.delete(&issued.session.id, Ending::Removed).await?;
                    match error {
                        CreateUserError::IdTaken => user.id = UserId::generate(self.entropy.as_ref()),
                        CreateUserError::EmailTaken => return Err(RegisterError::EmailTaken),
                        CreateUserError::UsernameTaken => return Err(RegisterError::UsernameTaken),
                        CreateUserError::UnknownCategories(ids) => {
                            return Err(RegisterError::UnknownCategories(ids));
                        }
                        CreateUserError::Store(error) => return Err(error.into()),
                    }
                }
            }
        }
        Err(StoreError::unreadable("create user", "every user id that was drawn is taken").into())
    }

    fn new_user(&self, request: &RegisterRequest, password_hash: PasswordHash) -> NewUser {
        let (buyer, seller) = request.account.clone().into_parts();
        NewUser {
            id: UserId::generate(self.entropy.as_ref()),
            email: request.email.clone(),
            email_verified: false,
            username: request.username.clone(),
            password_hash,
            phone_number: request.phone_number.clone(),
            address: request.address.clone(),
            buyer,
            seller,
            network: Some(request.session.client.network()),
            created_at: self.clock.now(),
        }
    }
}
