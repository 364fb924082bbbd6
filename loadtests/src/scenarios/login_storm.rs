//! Many log in at once, more than can be served soon: after an outage, or a push message to all.

use std::sync::Arc;

use goose::goose::Scenario;

use crate::steps;
use crate::visitor::{Attack, Guest, arrival, departure, measured};

pub(super) fn scenario(attack: &Arc<Attack>) -> Scenario {
    Scenario::new("login storm")
        .register_transaction(arrival(attack, Guest::New))
        .register_transaction(measured("log in", |user| Box::pin(steps::log_in(user))).set_sequence(1))
        .register_transaction(measured("log out", |user| Box::pin(steps::log_out(user))).set_sequence(2))
        .register_transaction(departure())
}
