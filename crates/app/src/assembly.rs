//! Puts the use cases together, over whatever adapters the [wiring](crate::wiring) chose.

use std::num::NonZeroU32;
use std::sync::Arc;

use markt_domain::accounts::Accounts;
use markt_domain::binding::{self, Binding};
use markt_domain::ports::audit_log::AuditLog;
use markt_domain::ports::authenticator::Authenticator;
use markt_domain::ports::clock::Clock;
use markt_domain::ports::code_store::CodeStore;
use markt_domain::ports::device_recognizer::DeviceRecognizer;
use markt_domain::ports::foreign_sessions::ForeignSessions;
use markt_domain::ports::mailer::Mailer;
use markt_domain::ports::password_hasher::PasswordHasher;
use markt_domain::ports::rate_limiter::{Rate, RateLimiter};
use markt_domain::ports::session_store::SessionStore;
use markt_domain::ports::spent_tokens::SpentTokens;
use markt_domain::ports::token_signer::{TokenSigner, TokenVerifier};
use markt_domain::ports::token_uses::TokenUses;
use markt_domain::ports::user_store::UserStore;
use markt_domain::session::SessionPolicy;
use markt_domain::use_cases::adopt_session::AdoptSession;
use markt_domain::use_cases::authenticate::by_either::ByEither;
use markt_domain::use_cases::authenticate::by_session::BySession;
use markt_domain::use_cases::authenticate::by_token::{ByToken, TokenPolicy};
use markt_domain::use_cases::change_password::ChangePassword;
use markt_domain::use_cases::check_username::CheckUsername;
use markt_domain::use_cases::confirm_password::ConfirmPassword;
use markt_domain::use_cases::devices::Devices;
use markt_domain::use_cases::edit_profile::EditProfile;
use markt_domain::use_cases::end_others::EndOthers;
use markt_domain::use_cases::exchange_token::ExchangeToken;
use markt_domain::use_cases::issue_session::IssueSession;
use markt_domain::use_cases::log_in::LogIn;
use markt_domain::use_cases::log_out::LogOut;
use markt_domain::use_cases::mailed_codes::MailedCodes;
use markt_domain::use_cases::reauthenticate::Reauthenticate;
use markt_domain::use_cases::refresh_tokens::RefreshTokens;
use markt_domain::use_cases::register::Register;
use markt_domain::use_cases::reset_password::ResetPassword;
use markt_domain::use_cases::rotate_session::RotateSession;
use markt_domain::use_cases::switch_role::SwitchRole;
use markt_domain::use_cases::throttle::{Limits, Throttle};
use markt_domain::use_cases::verify_email::VerifyEmail;

use crate::config::values::{AuthMode, IpBinding, MismatchReaction, UserAgentBinding};
use crate::config::{self, Config};
use crate::http::UseCases;
use crate::wiring::Surroundings;

/// The adapters that the use cases work with.
pub struct Parts {
    /// Where users are kept.
    pub users: Arc<dyn UserStore>,
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// Where codes are kept.
    pub codes: Arc<dyn CodeStore>,
    /// What counts failures.
    pub limiter: Arc<dyn RateLimiter>,
    /// What hashes passwords and codes.
    pub hasher: Arc<dyn PasswordHasher>,
    /// Where it is written down what happens.
    pub audit: Arc<dyn AuditLog>,
    /// What sends mail.
    pub mailer: Arc<dyn Mailer>,
    /// What tells devices by their user agents.
    pub devices: Arc<dyn DeviceRecognizer>,
    /// What signs tokens, if the service works by them.
    pub signer: Option<Arc<dyn TokenSigner>>,
    /// What verifies those of the system that this service takes the place of, if there are any.
    pub legacy: Option<Arc<dyn TokenVerifier>>,
    /// What counts requests that come with tokens, while these are given up.
    pub token_uses: Option<Arc<dyn TokenUses>>,
    /// Where it is remembered which tokens were exchanged for sessions.
    pub spent: Arc<dyn SpentTokens>,
    /// The sessions of the system before, if they are to be taken over.
    pub foreign: Option<Arc<dyn ForeignSessions>>,
}

/// Puts the use cases together.
#[must_use]
pub fn assemble(config: &Config, surroundings: &Surroundings, parts: Parts) -> UseCases {
    let Surroundings { clock, entropy } = surroundings.clone();
    let Parts { users, sessions, codes, limiter, hasher, audit, mailer, devices, .. } = parts;
    let Parts { signer, legacy, token_uses, spent, foreign, .. } = parts;
    let policy = session_policy(config);
    let accounts = Arc::new(accounts(&config.session, Arc::clone(&users), Arc::clone(&clock)));
    let by_token = signer.map(|signer| {
        Arc::new(ByToken {
            signer,
            legacy,
            uses: token_uses,
            sessions: config.jwt.denylist.then(|| Arc::clone(&sessions)),
            accounts: Arc::clone(&accounts),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            policy: token_policy(config),
        })
    });
    let by_session = Arc::new(BySession {
        sessions: Arc::clone(&sessions),
        accounts: Arc::clone(&accounts),
        clock: Arc::clone(&clock),
        policy,
        binding: binding(&config.session, Arc::clone(&devices)),
        audit: Arc::clone(&audit),
    });
    let authenticator: Arc<dyn Authenticator> = match (config.auth.mode, &by_token) {
        (AuthMode::Session, _) | (_, None) => by_session,
        (AuthMode::Jwt, Some(by_token)) => Arc::clone(by_token) as _,
        (AuthMode::Dual, Some(by_token)) => Arc::new(ByEither { sessions: by_session, tokens: Arc::clone(by_token) }),
    };
    let refresh_tokens = by_token.clone().map(|issuer| {
        Arc::new(RefreshTokens {
            sessions: Arc::clone(&sessions),
            accounts: Arc::clone(&accounts),
            issuer,
            clock: Arc::clone(&clock),
            grace: config.session.rotation_grace,
            audit: Arc::clone(&audit),
        })
    });
    let issue = Arc::new(IssueSession {
        sessions: Arc::clone(&sessions),
        authenticator: Arc::clone(&authenticator),
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy),
        policy,
        audit: Arc::clone(&audit),
    });
    let adopt_session = foreign.map(|foreign| {
        Arc::new(AdoptSession {
            foreign,
            spent: Arc::clone(&spent),
            users: Arc::clone(&users),
            sessions: Arc::clone(&sessions),
            issue: Arc::clone(&issue),
            clock: Arc::clone(&clock),
            audit: Arc::clone(&audit),
            is_strict: is_strict(&config.session),
        })
    });
    let exchange_token = by_token.filter(|_| config.auth.mode == AuthMode::Dual).map(|tokens| {
        Arc::new(ExchangeToken {
            tokens,
            spent,
            users: Arc::clone(&users),
            sessions: Arc::clone(&sessions),
            issue: Arc::clone(&issue),
            clock: Arc::clone(&clock),
            audit: Arc::clone(&audit),
        })
    });
    let rotation = Arc::new(RotateSession {
        sessions: Arc::clone(&sessions),
        authenticator: Arc::clone(&authenticator),
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy),
        policy,
        audit: Arc::clone(&audit),
    });
    let throttle = Arc::new(Throttle {
        limiter,
        users: Arc::clone(&users),
        clock: Arc::clone(&clock),
        limits: limits(&config.limits),
        audit: Arc::clone(&audit),
    });
    let confirm = Arc::new(ConfirmPassword {
        users: Arc::clone(&users),
        hasher: Arc::clone(&hasher),
        throttle: Arc::clone(&throttle),
    });
    let end_others = Arc::new(EndOthers {
        users: Arc::clone(&users),
        sessions: Arc::clone(&sessions),
        accounts: Arc::clone(&accounts),
    });
    let codes = Arc::new(MailedCodes {
        codes,
        hasher: Arc::clone(&hasher),
        mailer,
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy),
    });
    let verify_email = Arc::new(VerifyEmail {
        users: Arc::clone(&users),
        sessions: Arc::clone(&sessions),
        codes: Arc::clone(&codes),
        throttle: Arc::clone(&throttle),
        clock: Arc::clone(&clock),
        audit: Arc::clone(&audit),
    });
    UseCases {
        adopt_session,
        audit: Arc::clone(&audit),
        authenticator: Arc::clone(&authenticator),
        change_password: Arc::new(ChangePassword {
            confirm: Arc::clone(&confirm),
            users: Arc::clone(&users),
            end_others: Arc::clone(&end_others),
            hasher: Arc::clone(&hasher),
            rotation: Arc::clone(&rotation),
            clock: Arc::clone(&clock),
            audit: Arc::clone(&audit),
        }),
        check_username: Arc::new(CheckUsername::new(Arc::clone(&users))),
        devices: Arc::new(Devices {
            sessions: Arc::clone(&sessions),
            users: Arc::clone(&users),
            end_others,
            clock: Arc::clone(&clock),
            policy,
            recognizer: devices,
            audit: Arc::clone(&audit),
        }),
        exchange_token,
        edit_profile: Arc::new(EditProfile {
            users: Arc::clone(&users),
            sessions: Arc::clone(&sessions),
            accounts: Arc::clone(&accounts),
            clock: Arc::clone(&clock),
        }),
        log_in: Arc::new(LogIn {
            users: Arc::clone(&users),
            hasher: Arc::clone(&hasher),
            throttle: Arc::clone(&throttle),
            clock: Arc::clone(&clock),
            issue: Arc::clone(&issue),
            require_verified_email: config.auth.require_verified_email,
        }),
        log_out: Arc::new(LogOut {
            sessions: Arc::clone(&sessions),
            users: Arc::clone(&users),
            accounts: Arc::clone(&accounts),
            authenticator,
            audit: Arc::clone(&audit),
        }),
        reauthenticate: Arc::new(Reauthenticate { confirm, rotation: Arc::clone(&rotation) }),
        refresh_tokens,
        reset_password: Arc::new(ResetPassword {
            users: Arc::clone(&users),
            sessions: Arc::clone(&sessions),
            accounts,
            hasher: Arc::clone(&hasher),
            codes,
            throttle,
            clock: Arc::clone(&clock),
            audit,
        }),
        switch_role: Arc::new(SwitchRole { rotation }),
        register: Arc::new(Register {
            users,
            sessions,
            hasher,
            clock,
            entropy,
            issue,
            verify_email: Arc::clone(&verify_email),
        }),
        verify_email,
    }
}

/// As many users as there are sessions in memory: each may be of another user.
fn accounts(config: &config::Session, users: Arc<dyn UserStore>, clock: Arc<dyn Clock>) -> Accounts {
    let capacity = usize::try_from(config.near_cache_capacity).unwrap_or(usize::MAX);
    Accounts::new(users, clock, config.user_cache_ttl, capacity)
}

/// Where the service works by tokens, a session lives as long as its refresh token, whatever the browser does.
fn session_policy(config: &Config) -> SessionPolicy {
    let (auth, jwt, config) = (&config.auth, &config.jwt, &config.session);
    let by_token = (auth.mode == AuthMode::Jwt).then_some(jwt.refresh_ttl);
    SessionPolicy {
        idle_timeout: by_token.unwrap_or(config.idle_timeout),
        idle_timeout_not_remembered: by_token.unwrap_or(config.idle_timeout_not_remembered),
        absolute_timeout: config.absolute_timeout,
        touch_interval: config.touch_interval,
        rotation_grace: config.rotation_grace,
        fresh_for: config.fresh_for,
        max_per_user: NonZeroU32::new(config.max_per_user).unwrap_or(NonZeroU32::MIN),
    }
}

fn token_policy(config: &Config) -> TokenPolicy {
    TokenPolicy {
        access_ttl: config.jwt.access_ttl,
        refresh_ttl: config.jwt.refresh_ttl,
        fresh_for: config.session.fresh_for,
    }
}

fn binding(config: &config::Session, devices: Arc<dyn DeviceRecognizer>) -> Binding {
    Binding {
        user_agent: match config.binding_user_agent {
            UserAgentBinding::Off => binding::UserAgentBinding::Off,
            UserAgentBinding::Family => binding::UserAgentBinding::Family,
            UserAgentBinding::Exact => binding::UserAgentBinding::Exact,
        },
        ip: match config.binding_ip {
            IpBinding::Off => binding::IpBinding::Off,
            IpBinding::Subnet => binding::IpBinding::Subnet,
            IpBinding::Exact => binding::IpBinding::Exact,
        },
        on_mismatch: match config.binding_on_mismatch {
            MismatchReaction::Revoke => binding::MismatchReaction::Revoke,
            MismatchReaction::Unfresh => binding::MismatchReaction::Unfresh,
            MismatchReaction::Log => binding::MismatchReaction::Log,
        },
        devices,
    }
}

/// Whether sessions are for the very client alone that they began at, and end with any other: Flask-Login's protection
/// `strong`.
fn is_strict(config: &config::Session) -> bool {
    config.binding_user_agent == UserAgentBinding::Exact
        && config.binding_ip == IpBinding::Exact
        && config.binding_on_mismatch == MismatchReaction::Revoke
}

fn limits(config: &config::Limits) -> Limits {
    let rate = |rate: config::values::Rate| {
        let (count, period) = rate.0?;
        Some(Rate { count: NonZeroU32::new(count)?, period })
    };
    Limits {
        login_per_account: rate(config.login_per_account),
        login_per_network: rate(config.login_per_ip),
        codes_per_account: rate(config.codes_per_account),
    }
}
