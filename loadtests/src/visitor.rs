//! What each of goose's users has with it: who it is, whether it is logged in, and what it saw.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use goose::prelude::*;
use tokio::time::{Instant, sleep, sleep_until};

use crate::account::Account;
use crate::outcome::Outcome;
use crate::pace::Pace;
use crate::sample::{End, Sample};
use crate::steps;
use crate::window::Window;

/// How often a user who has stopped looks whether all may go.
const IDLE: Duration = Duration::from_millis(20);

/// What all users of an attack share.
pub(crate) struct Attack {
    pub(crate) accounts: Vec<Account>,
    pub(crate) users: usize,
    /// Requests per second of all users together, each of which is due at a set time. Without it, each user asks again
    /// as soon as there is an answer.
    pub(crate) rate: Option<f64>,
    /// How often each user goes through the scenario, if that is what ends it; the window's end does in any case.
    pub(crate) cycles: Option<usize>,
    pub(crate) window: Window,
    pub(crate) outcome: Outcome,
    /// How many users have been made.
    pub(crate) made: AtomicUsize,
}

/// One of them.
///
/// goose may clone a user before it begins; from then on there is one.
#[derive(Clone)]
pub(crate) struct Visitor {
    attack: Arc<Attack>,
    index: usize,
    account: Account,
    /// What a login gave that isn't a cookie.
    token: Option<String>,
    is_logged_in: bool,
    pace: Option<Pace>,
    samples: Vec<Sample>,
    steps: usize,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// What is done is preparation, and isn't measured.
    Arriving,
    Measured,
    /// Nothing begins any more.
    Left,
}

/// When a request began, by which its latency is told.
#[derive(Clone, Copy)]
pub(crate) struct Begun(Instant);

impl Visitor {
    fn new(attack: Arc<Attack>) -> Self {
        let index = attack.made.fetch_add(1, Ordering::Relaxed);
        let account = attack.accounts[index % attack.accounts.len()].clone();
        Self {
            attack,
            index,
            account,
            token: None,
            is_logged_in: false,
            pace: None,
            samples: Vec::new(),
            steps: 0,
            stage: Stage::Arriving,
        }
    }

    /// Which of all users it is, counted from 0.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// How many of its steps there have been, of those that are counted.
    pub(crate) fn next_step(&mut self) -> usize {
        self.steps += 1;
        self.steps - 1
    }

    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Takes what a login gave, besides a cookie.
    pub(crate) fn logged_in(&mut self, token: Option<String>) {
        self.token = token;
        self.is_logged_in = true;
    }

    pub(crate) fn logged_out(&mut self) {
        self.token = None;
        self.is_logged_in = false;
    }

    /// Waits until the next request is due, if it has a time; nothing if that is after the window's end. It has begun when
    /// it was due if it had to wait for the answer before it; if it waited for its time, when it wakes: a timer's lateness
    /// isn't the server's.
    pub(crate) async fn begin(&mut self) -> Option<Begun> {
        if let (Some(pace), Stage::Measured) = (&mut self.pace, self.stage) {
            let due = pace.next();
            if !self.attack.window.contains(due) {
                return None;
            }
            if due <= Instant::now() {
                return Some(Begun(due));
            }
            sleep_until(due).await;
        }
        Some(Begun(Instant::now()))
    }

    /// Whether to try again what was begun: not when the window has closed over it, or the run is given up.
    pub(crate) fn tries_again(&self) -> bool {
        !goose::is_killswitch_triggered() && (self.stage != Stage::Measured || self.attack.window.is_open())
    }

    /// Whether another step may begin, after so many cycles.
    fn goes_on(&self, cycles: usize) -> bool {
        let Attack { window, cycles: wanted, .. } = &*self.attack;
        let has_had_enough = wanted.is_some_and(|wanted| cycles >= wanted);
        match &self.pace {
            _ if has_had_enough || self.stage != Stage::Measured => false,
            // However late: to leave out what was due would hide what made it late.
            Some(pace) => window.contains(pace.peek()) && !window.is_long_over(),
            None => window.is_open(),
        }
    }

    /// Stops, for good.
    async fn leave(&mut self) {
        self.stage = Stage::Left;
        let Attack { window, outcome, .. } = &*self.attack;
        outcome.add(&mut self.samples);
        if let (Some(pace), Some(end)) = (&self.pace, window.end()) {
            outcome.leave_out(pace.due_before(end));
        }
        window.leave().await;
    }

    /// Notes how a request ended.
    pub(crate) fn note(&mut self, kind: &'static str, begun: Begun, end: End) {
        if let (Stage::Measured, Some(opened)) = (self.stage, self.attack.window.opened()) {
            let (at, latency) = (begun.0.saturating_duration_since(opened), begun.0.elapsed());
            self.samples.push(Sample { kind, at, latency, end });
        }
    }

    /// Notes why one failed, also one that isn't measured.
    pub(crate) fn fail(&self, kind: &'static str, why: &str) {
        self.attack.outcome.fail(format!("{kind}: {why}"));
    }
}

/// This user's visitor, whom [`arrival`] makes before anything else happens.
///
/// # Errors
/// If it hasn't.
pub(crate) fn of(user: &mut GooseUser) -> Result<&mut Visitor, Box<TransactionError>> {
    user.get_session_data_mut().ok_or_else(|| Box::new("a user has not arrived".into()))
}

/// Comes first: makes the visitor, who logs in if it is a [`Guest::Known`] one, and waits for all the others.
pub(crate) fn arrival(attack: &Arc<Attack>, guest: Guest) -> Transaction {
    let attack = Arc::clone(attack);
    step("arrive", move |user| {
        let attack = Arc::clone(&attack);
        Box::pin(async move {
            user.set_session_data(Visitor::new(Arc::clone(&attack)));
            let prepared = match guest {
                // And has looked at the profile once: what is read at first is not what is measured.
                Guest::Known => match steps::log_in(user).await {
                    Ok(()) => steps::profile(user).await,
                    failed => failed,
                },
                Guest::New => Ok(()),
            };
            let Some(opened) = attack.window.enter().await else { return prepared };
            let visitor = of(user)?;
            visitor.pace = attack.rate.map(|rate| Pace::new(rate, visitor.index, attack.users, opened));
            visitor.stage = Stage::Measured;
            prepared
        })
    })
    .set_on_start()
}

/// Whether a user has logged in before what is measured begins.
#[derive(Clone, Copy)]
pub(crate) enum Guest {
    Known,
    New,
}

/// Comes last: whoever is logged in logs out.
pub(crate) fn departure() -> Transaction {
    step("depart", |user| {
        Box::pin(async move {
            let visitor = of(user)?;
            if visitor.stage == Stage::Measured {
                // The run was given up.
                visitor.leave().await;
            }
            if visitor.is_logged_in { steps::log_out(user).await } else { Ok(()) }
        })
    })
    .set_on_stop()
}

/// A step that is measured: taken as long as the user goes on.
pub(crate) fn measured<F>(name: &str, function: F) -> Transaction
where
    F: for<'user> Fn(&'user mut GooseUser) -> Step<'user> + Send + Sync + Copy + 'static,
{
    step(name, move |user| {
        Box::pin(async move {
            let cycles = user.get_iterations();
            if of(user)?.goes_on(cycles) {
                let taken = function(user).await;
                if let Err(error) = &taken {
                    of(user)?.fail("a step", &error.to_string());
                }
                return taken;
            }
            let visitor = of(user)?;
            if visitor.stage == Stage::Measured {
                visitor.leave().await;
            }
            sleep(IDLE).await;
            Ok(())
        })
    })
}

/// What a step does, once it is begun.
pub(crate) type Step<'user> = Pin<Box<dyn Future<Output = TransactionResult> + Send + 'user>>;

fn step<F>(name: &str, function: F) -> Transaction
where
    F: for<'user> Fn(&'user mut GooseUser) -> Step<'user> + Send + Sync + 'static,
{
    Transaction::new(Arc::new(function)).set_name(name)
}
