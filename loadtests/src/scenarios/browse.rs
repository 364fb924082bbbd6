//! A visit: log in once, many profiles, log out.

use std::sync::Arc;

use goose::GooseError;
use goose::goose::Scenario;

use crate::steps;
use crate::visitor::{Attack, Guest, arrival, departure, measured};

/// How many pages a visit has.
const PROFILES: usize = 20;

pub(super) fn scenario(attack: &Arc<Attack>) -> Result<Scenario, GooseError> {
    let profiles = measured("profile", |user| Box::pin(steps::profile(user))).set_sequence(2).set_weight(PROFILES)?;
    Ok(Scenario::new("browse")
        .register_transaction(arrival(attack, Guest::New))
        .register_transaction(measured("log in", |user| Box::pin(steps::log_in(user))).set_sequence(1))
        .register_transaction(profiles)
        .register_transaction(measured("log out", |user| Box::pin(steps::log_out(user))).set_sequence(3))
        .register_transaction(departure()))
}
