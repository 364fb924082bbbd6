//! Log in, look at the profile once, log out: what a login takes while few others do.

use std::sync::Arc;

use goose::goose::Scenario;

use crate::steps;
use crate::visitor::{Attack, Guest, arrival, departure, measured};

pub(super) fn scenario(attack: &Arc<Attack>) -> Scenario {
    Scenario::new("log in")
        .register_transaction(arrival(attack, Guest::New))
        .register_transaction(measured("log in", |user| Box::pin(steps::log_in(user))).set_sequence(1))
        .register_transaction(measured("profile", |user| Box::pin(steps::profile(user))).set_sequence(2))
        .register_transaction(measured("log out", |user| Box::pin(steps::log_out(user))).set_sequence(3))
        .register_transaction(departure())
}
