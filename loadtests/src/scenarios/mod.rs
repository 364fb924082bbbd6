//! What users do, a file each.

mod browse;
mod log_in;
mod login_storm;
mod mixed;
mod profile;

use std::sync::Arc;

use clap::ValueEnum;
use goose::GooseError;
use goose::goose::Scenario;

use crate::visitor::Attack;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScenarioName {
    /// Log in, look at the profile once, log out
    LogIn,
    /// Look at the profile again and again, logged in since before
    Profile,
    /// Log in, look at twenty profiles, log out
    Browse,
    /// Many at once: log in, log out
    LoginStorm,
    /// Of 100 steps, 95 look at the profile, and 5 log out and in again
    Mixed,
}

impl ScenarioName {
    /// How many users there are, unless it is said.
    pub(crate) fn users(self) -> usize {
        match self {
            Self::LogIn => 2,
            Self::Profile | Self::Browse | Self::Mixed => 16,
            Self::LoginStorm => 64,
        }
    }

    /// Whether users may be turned away with 503 `overloaded`, which is a failure otherwise.
    pub(crate) fn may_overload(self) -> bool {
        self == Self::LoginStorm
    }

    /// What goose runs.
    ///
    /// # Errors
    /// If goose refuses a weight.
    pub(crate) fn scenario(self, attack: &Arc<Attack>) -> Result<Scenario, GooseError> {
        match self {
            Self::LogIn => Ok(log_in::scenario(attack)),
            Self::Profile => Ok(profile::scenario(attack)),
            Self::Browse => browse::scenario(attack),
            Self::LoginStorm => Ok(login_storm::scenario(attack)),
            Self::Mixed => Ok(mixed::scenario(attack)),
        }
    }
}
