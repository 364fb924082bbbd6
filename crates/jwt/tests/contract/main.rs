//! The adapter against its port's contract, and against tokens that others made.
#![expect(clippy::unwrap_used, reason = "a test that can't go on says so by a panic")]

mod attacks;
mod of_others;

use markt_domain::ports::token_signer::TokenSigner;
use markt_jwt::{JwtSigner, Parties, SigningKey, generate_key};
use markt_test_support::contracts::token_signer::TokenSignerFixture;
use markt_test_support::entropy::MachineEntropy;
use markt_test_support::token_signer_contract;

/// The key of RFC 8037, appendix A.1, which the tokens of others are signed with.
const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

/// And the secret.
const SECRET: &str = "a secret of forty characters, for tests.";

struct Fixture {
    signer: JwtSigner,
    another: JwtSigner,
}

impl Fixture {
    fn hs256() -> Self {
        let signer = |secret| with(&SigningKey::secret(secret));
        Self { signer: signer(SECRET), another: signer("another secret of forty-two characters, too") }
    }

    fn eddsa() -> Self {
        let signer = || with(&SigningKey::from_pem(&generate_key(&MachineEntropy).unwrap()).unwrap());
        Self { signer: signer(), another: signer() }
    }
}

impl TokenSignerFixture for Fixture {
    fn signer(&self) -> &dyn TokenSigner {
        &self.signer
    }

    fn another(&self) -> &dyn TokenSigner {
        &self.another
    }
}

fn with(key: &SigningKey) -> JwtSigner {
    JwtSigner::new(key, Parties::default()).unwrap()
}

token_signer_contract!(with_hs256, async { Fixture::hs256() });
token_signer_contract!(with_eddsa, async { Fixture::eddsa() });
