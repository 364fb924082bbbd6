//! Accounts to try the service with, and a tour of it.

use std::net::SocketAddr;

use markt_domain::credentials::{EmailAddress, InvalidEmailAddress, InvalidUsername, Password, Username};
use markt_domain::ports::StoreError;
use markt_domain::ports::password_hasher::HashingError;
use markt_domain::ports::user_store::CreateUserError;
use markt_domain::role::Role;
use markt_domain::user::{NewBuyer, NewSeller, NewUser, UserId};

use crate::wiring::{Surroundings, Wired};

/// The password of all demo accounts.
const PASSWORD: &str = "Password123";

/// The demo accounts: each one's name before the `@`, and what it can act as.
const ACCOUNTS: [(&str, &[Role]); 3] =
    [("buyer1", &[Role::Buyer]), ("seller1", &[Role::Seller]), ("both1", &[Role::Buyer, Role::Seller])];

/// Why the demo accounts were not made.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Create(#[from] CreateUserError),
    #[error(transparent)]
    Hashing(#[from] HashingError),
    #[error(transparent)]
    Email(#[from] InvalidEmailAddress),
    #[error(transparent)]
    Username(#[from] InvalidUsername),
}

/// Makes the demo accounts, if there are no users at all.
///
/// # Errors
/// If a store doesn't do its part.
pub async fn create_accounts(wired: &Wired, surroundings: &Surroundings) -> Result<(), DemoError> {
    if !wired.users.is_empty().await? {
        return Ok(());
    }
    for (name, roles) in ACCOUNTS {
        let user = NewUser {
            id: UserId::generate(surroundings.entropy.as_ref()),
            email: EmailAddress::parse(&format!("{name}@markt.com"))?,
            email_verified: true,
            username: Username::parse(name)?,
            password_hash: wired.hasher.hash(&Password::new(PASSWORD.to_owned())).await?,
            phone_number: None,
            address: None,
            buyer: roles
                .contains(&Role::Buyer)
                .then(|| NewBuyer { buyername: format!("Buyer {name}"), shipping_address: None }),
            seller: roles.contains(&Role::Seller).then(|| NewSeller {
                shop_name: format!("Shop of {name}"),
                description: "Fine things to try the service with".to_owned(),
                policies: None,
                category_ids: Vec::new(),
            }),
            network: None,
            created_at: surroundings.clock.now(),
        };
        wired.users.create(&user).await?;
    }
    tracing::info!("demo accounts made");
    Ok(())
}

/// A tour of the service, to be read and pasted; with the account page, if there is one.
#[must_use]
pub fn tour(address: SocketAddr, has_account_page: bool) -> String {
    let api = format!("http://{address}/api/v1");
    let account_page =
        if has_account_page { format!("\nTo be tried in a browser: http://{address}/account") } else { String::new() };
    format!(
        r#"
markt-auth serves {api} — its pages: http://{address}/swagger-ui
Demo accounts: buyer1@markt.com, seller1@markt.com, both1@markt.com; password {PASSWORD}{account_page}

A tour, to be pasted into another terminal:

# 1. Log in, and keep the cookie.
curl -sS -c /tmp/markt.cookies -H 'Content-Type: application/json' -d '{{"email":"buyer1@markt.com","password":"{PASSWORD}"}}' {api}/users/login; echo

# 2. The profile, with the cookie.
curl -sS -b /tmp/markt.cookies {api}/users/profile; echo

# 3. The devices that the user is logged in on: this one, and each one that logged in before.
curl -sS -b /tmp/markt.cookies {api}/users/sessions; echo

# 4. Log out: 204.
curl -sS -b /tmp/markt.cookies -X POST -w '%{{http_code}}\n' {api}/users/logout

# 5. The profile again: the jar still has the cookie, but the session is dead, so 401.
curl -sS -b /tmp/markt.cookies {api}/users/profile; echo

Ctrl-C ends the service.
"#
    )
}
