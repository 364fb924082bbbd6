//! The profile again and again: what it costs to know who asks.

use std::sync::Arc;

use goose::goose::Scenario;

use crate::steps;
use crate::visitor::{Attack, Guest, arrival, departure, measured};

pub(super) fn scenario(attack: &Arc<Attack>) -> Scenario {
    Scenario::new("profile")
        .register_transaction(arrival(attack, Guest::Known))
        .register_transaction(measured("profile", |user| Box::pin(steps::profile(user))))
        .register_transaction(departure())
}
