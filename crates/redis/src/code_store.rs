//! The codes.

use std::sync::Arc;

use async_trait::async_trait;
use markt_domain::Timestamp;
use markt_domain::code::CodePurpose;
use markt_domain::credentials::PasswordHash;
use markt_domain::ports::StoreError;
use markt_domain::ports::clock::Clock;
use markt_domain::ports::code_store::{CodeStore, StoredCode};
use markt_domain::user::UserId;

use crate::scripts;
use crate::servers::Servers;
use crate::time_to_live::time_to_live;

/// Keeps codes in Redis, as told in [`keys`](crate::keys).
#[derive(Clone)]
pub struct RedisCodeStore {
    servers: Servers,
    clock: Arc<dyn Clock>,
}

impl RedisCodeStore {
    pub(crate) fn new(servers: Servers, clock: Arc<dyn Clock>) -> Self {
        Self { servers, clock }
    }
}

#[async_trait]
impl CodeStore for RedisCodeStore {
    async fn put(&self, user: &UserId, purpose: CodePurpose, code: &StoredCode) -> Result<(), StoreError> {
        scripts::run(
            &self.servers,
            "put code",
            &scripts::PUT_CODE,
            vec![self.servers.keys().code(user, purpose)],
            vec![
                code.hash.expose().into(),
                i64::from(code.tries_left).into(),
                code.expires_at.unix_milliseconds().into(),
                time_to_live(code.expires_at, self.clock.now()).into(),
            ],
        )
        .await
    }

    async fn take_try(
        &self,
        user: &UserId,
        purpose: CodePurpose,
        now: Timestamp,
    ) -> Result<Option<PasswordHash>, StoreError> {
        let hash: Option<String> = scripts::run(
            &self.servers,
            "take a code's try",
            &scripts::TAKE_TRY,
            vec![self.servers.keys().code(user, purpose)],
            vec![now.unix_milliseconds().into()],
        )
        .await?;
        Ok(hash.map(PasswordHash::new))
    }

    async fn redeem(&self, user: &UserId, purpose: CodePurpose, hash: &PasswordHash) -> Result<bool, StoreError> {
        let redeemed: u64 = scripts::run(
            &self.servers,
            "redeem code",
            &scripts::REDEEM,
            vec![self.servers.keys().code(user, purpose)],
            vec![hash.expose().into()],
        )
        .await?;
        Ok(redeemed > 0)
    }
}
