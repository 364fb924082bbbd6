//! What a service sees on a day: for every login, many requests of those who are logged in.

use std::sync::Arc;

use goose::goose::Scenario;
use goose::prelude::*;

use crate::steps;
use crate::visitor::{self, Attack, Guest, arrival, departure, measured};

/// One login in so many steps: 5 of 100.
const STEPS_PER_LOGIN: usize = 20;

pub(super) fn scenario(attack: &Arc<Attack>) -> Scenario {
    Scenario::new("mixed")
        .register_transaction(arrival(attack, Guest::Known))
        .register_transaction(measured("mixed", |user| Box::pin(step(user))))
        .register_transaction(departure())
}

/// goose's weights would have all users log in at the same time: it puts steps in order once, for all of them. Here their
/// logins are as far apart as can be.
async fn step(user: &mut GooseUser) -> TransactionResult {
    let visitor = visitor::of(user)?;
    if (visitor.index() + visitor.next_step()).is_multiple_of(STEPS_PER_LOGIN) {
        // A cookie's session gives way to the next one by itself, a token's doesn't.
        steps::log_out(user).await?;
        steps::log_in(user).await
    } else {
        steps::profile(user).await
    }
}
