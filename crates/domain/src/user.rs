//! Users and what belongs to them.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};
use smol_str::SmolStr;

use crate::Timestamp;
use crate::client::Network;
use crate::credentials::{EmailAddress, PasswordHash, Username};
use crate::ports::entropy::Entropy;
use crate::role::Role;
use crate::session::{Session, SessionFamily};

/// The characters of a user id after its prefix.
const ID_ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// A user's id: `USR_` and 8 characters of `A-Z0-9`. It has no memory of its own, as each request that is authenticated
/// is handed one, and each session in memory has several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(SmolStr);

/// The text is not of a user id's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a user id: must be USR_ and 8 characters of A-Z and 0-9")]
pub struct MalformedUserId;

impl UserId {
    /// Draws a new id.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut id = String::from("USR_");
        while id.len() < 12 {
            let mut bytes = [0_u8; 16];
            entropy.fill(&mut bytes);
            // 252 is the largest multiple of 36 in a byte: what lies above would favour some characters.
            let unbiased = bytes.into_iter().filter(|byte| *byte < 252);
            id.extend(unbiased.map(|byte| char::from(ID_ALPHABET[usize::from(byte % 36)])).take(12 - id.len()));
        }
        Self(id.into())
    }

    /// Takes over an id that a store kept, of today's form or not.
    #[must_use]
    pub fn from_store(text: &str) -> Self {
        Self(text.into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserId {
    type Err = MalformedUserId;

    fn from_str(text: &str) -> Result<Self, MalformedUserId> {
        match text.strip_prefix("USR_") {
            Some(rest) if rest.len() == 8 && rest.bytes().all(|byte| ID_ALPHABET.contains(&byte)) => {
                Ok(Self(text.into()))
            }
            _ => Err(MalformedUserId),
        }
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Counts the times that all of a user's sessions were ended. A session of an earlier epoch than the user's is dead,
/// wherever it comes from (ADR 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionEpoch(pub i64);

/// Counts the changes made to a user through this service, so that a cached copy can be told from the present one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserVersion(pub i64);

/// The two counters that are kept beside a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserState {
    /// The user's session epoch.
    pub epoch: SessionEpoch,
    /// The user's version.
    pub version: UserVersion,
    /// The family of the one session that outlived the beginning of this epoch ("log out the others"), until it was
    /// raised to it: it must not be dead in between, nor must its successor.
    pub kept: Option<SessionFamily>,
}

impl UserState {
    /// Whether a session is of the user's epoch, and so was not ended with all of the ones before.
    #[must_use]
    pub fn admits(&self, session: &Session) -> bool {
        session.epoch >= self.epoch || self.kept == Some(session.family)
    }
}

/// A user, without what is kept in other tables.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// Where mail to the user goes.
    pub email: EmailAddress,
    /// The user's public name.
    pub username: Username,
    /// The user's telephone number.
    pub phone_number: Option<String>,
    /// The name or the URL of the user's picture.
    pub profile_picture: Option<String>,
    /// Whether the user has a buyer account.
    pub is_buyer: bool,
    /// Whether the user has a seller account.
    pub is_seller: bool,
    /// Whether the user may log in at all.
    pub is_active: bool,
    /// Whether the e-mail address was proven to be the user's.
    pub email_verified: bool,
    /// When the user registered.
    pub created_at: Timestamp,
    /// When the user's row was last changed.
    pub updated_at: Timestamp,
    /// When the user last logged in.
    pub last_login_at: Option<Timestamp>,
}

impl User {
    /// Whether the user can act in this role.
    #[must_use]
    pub const fn has_role(&self, role: Role) -> bool {
        match role {
            Role::Buyer => self.is_buyer,
            Role::Seller => self.is_seller,
        }
    }

    /// The role that the user starts in without asking for one: buyer, where there is a choice.
    #[must_use]
    pub const fn default_role(&self) -> Role {
        if self.is_seller && !self.is_buyer { Role::Seller } else { Role::Buyer }
    }
}

/// A postal address and where it lies. Each part may be missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Address {
    /// Degrees east.
    pub longitude: Option<f64>,
    /// Degrees north.
    pub latitude: Option<f64>,
    /// At most 20 characters.
    pub house_number: Option<String>,
    /// At most 100 characters.
    pub street: Option<String>,
    /// At most 100 characters.
    pub city: Option<String>,
    /// At most 100 characters.
    pub state: Option<String>,
    /// At most 100 characters.
    pub country: Option<String>,
    /// At most 20 characters.
    pub postal_code: Option<String>,
}

/// A user's account as a buyer.
#[derive(Clone, Debug, PartialEq)]
pub struct BuyerAccount {
    /// Its number.
    pub id: i32,
    /// The name that sellers see.
    pub buyername: Option<String>,
    /// Where orders go; of a form that clients choose.
    pub shipping_address: Option<Value>,
    /// Whether it can be used.
    pub is_active: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// How far a seller's identity was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerificationStatus {
    /// Not yet.
    Unverified,
    /// Being checked.
    Pending,
    /// Proven.
    Verified,
    /// Checked in vain.
    Rejected,
    /// Withdrawn for now.
    Suspended,
}

impl VerificationStatus {
    /// The status as clients of the Markt API know it: in lower case, where the database has it in upper case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unverified => "unverified",
            Self::Pending => "pending",
            Self::Verified => "verified",
            Self::Rejected => "rejected",
            Self::Suspended => "suspended",
        }
    }
}

/// A user's account as a seller.
#[derive(Clone, Debug, PartialEq)]
pub struct SellerAccount {
    /// Its number.
    pub id: i32,
    /// The shop's name.
    pub shop_name: Option<String>,
    /// The shop's name in URLs; unique.
    pub shop_slug: Option<String>,
    /// What the shop says of itself.
    pub description: Option<String>,
    /// Its terms; of a form that clients choose.
    pub policies: Option<Value>,
    /// How far the seller's identity was checked.
    pub verification_status: VerificationStatus,
    /// The categories it sells in, the primary one first.
    pub category_ids: Vec<i32>,
    /// The sum of its ratings.
    pub total_rating: i32,
    /// The number of its ratings.
    pub total_raters: i32,
    /// Whether it can be used.
    pub is_active: bool,
    /// When it was made.
    pub joined_date: Timestamp,
}

/// A user with all that belongs to the profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The user.
    pub user: User,
    /// The user's address. In a box, as the account as a seller: many users are held in memory that have neither.
    pub address: Option<Box<Address>>,
    /// The user's account as a buyer.
    pub buyer: Option<BuyerAccount>,
    /// The user's account as a seller.
    pub seller: Option<Box<SellerAccount>>,
}

impl Profile {
    /// Whether the user has an account of this kind that was not deactivated.
    #[must_use]
    pub fn is_usable(&self, role: Role) -> bool {
        self.user.has_role(role)
            && match role {
                Role::Buyer => self.buyer.as_ref().is_none_or(|buyer| buyer.is_active),
                Role::Seller => self.seller.as_ref().is_none_or(|seller| seller.is_active),
            }
    }
}

/// A profile and the counters beside it, read in one go.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The profile.
    pub profile: Profile,
    /// The counters.
    pub state: UserState,
}

impl Account {
    /// The user of the profile.
    #[must_use]
    pub const fn user(&self) -> &User {
        &self.profile.user
    }
}

/// An account and what its password is checked against.
#[derive(Clone, Debug)]
pub struct AccountWithPassword {
    /// The account.
    pub account: Account,
    /// The hash, if the user has a password.
    pub password_hash: Option<PasswordHash>,
}

/// A buyer account to be made.
#[derive(Clone, Debug)]
pub struct NewBuyer {
    /// The name that sellers see; at most 50 characters.
    pub buyername: String,
    /// Where orders go.
    pub shipping_address: Option<Map<String, Value>>,
}

/// A seller account to be made.
#[derive(Clone, Debug)]
pub struct NewSeller {
    /// The shop's name; at most 100 characters.
    pub shop_name: String,
    /// What the shop says of itself.
    pub description: String,
    /// Its terms.
    pub policies: Option<Map<String, Value>>,
    /// The categories it sells in, the primary one first; without repetition.
    pub category_ids: Vec<i32>,
}

/// What changes of a user; what is nothing stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserChanges {
    /// The telephone number; at most 20 characters.
    pub phone_number: Option<String>,
    /// The name or the URL of the picture; at most 255 characters.
    pub profile_picture: Option<String>,
}

/// What changes of a buyer account; what is nothing stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuyerChanges {
    /// The name that sellers see; at most 50 characters.
    pub buyername: Option<String>,
    /// Where orders go.
    pub shipping_address: Option<Map<String, Value>>,
}

/// What changes of a seller account; what is nothing stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SellerChanges {
    /// The shop's name; at most 100 characters. The name in URLs stays: links lead there.
    pub shop_name: Option<String>,
    /// What the shop says of itself.
    pub description: Option<String>,
    /// Its terms.
    pub policies: Option<Map<String, Value>>,
    /// The categories it sells in, the primary one first, in place of those before; without repetition.
    pub category_ids: Option<Vec<i32>>,
}

/// A user to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The id, drawn for it.
    pub id: UserId,
    /// The address; unique without regard to case.
    pub email: EmailAddress,
    /// Whether it is known to be the user's.
    pub email_verified: bool,
    /// The name; unique without regard to case.
    pub username: Username,
    /// The password's hash.
    pub password_hash: PasswordHash,
    /// The telephone number; at most 20 characters.
    pub phone_number: Option<String>,
    /// The postal address.
    pub address: Option<Address>,
    /// The account as a buyer, if there shall be one.
    pub buyer: Option<NewBuyer>,
    /// The account as a seller, if there shall be one.
    pub seller: Option<NewSeller>,
    /// Where the user registered from, and so is known to come from; nothing if somebody else makes the user.
    pub network: Option<Network>,
    /// When it is made.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::entropy::Counting;

    #[test]
    fn a_drawn_id_is_of_the_form_that_is_read() {
        let entropy = Counting::default();
        for _ in 0..100 {
            let id = UserId::generate(&entropy);
            assert_eq!(id.as_str().parse(), Ok(id));
        }
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in ["", "USR_", "USR_1234567", "USR_123456789", "usr_12345678", "USR_abcdefgh"] {
            assert_eq!(text.parse::<UserId>(), Err(MalformedUserId));
        }
    }
}
