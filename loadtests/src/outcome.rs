//! What was seen of an attack, gathered from all users.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sample::Sample;

/// How many different failures are told of.
const TOLD: usize = 10;

/// Where users put what they saw.
#[derive(Default)]
pub(crate) struct Outcome {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    samples: Vec<Sample>,
    failures: BTreeMap<String, usize>,
    never_sent: usize,
}

impl Outcome {
    /// Takes what a user saw.
    pub(crate) fn add(&self, samples: &mut Vec<Sample>) {
        self.lock().samples.append(samples);
    }

    /// Takes a failure, inside the window or outside it.
    pub(crate) fn fail(&self, why: String) {
        let failures = &mut self.lock().failures;
        if failures.len() < TOLD || failures.contains_key(&why) {
            *failures.entry(why).or_default() += 1;
        } else {
            *failures.entry("others".into()).or_default() += 1;
        }
    }

    /// Takes so many requests that were due and never sent.
    pub(crate) fn leave_out(&self, requests: usize) {
        self.lock().never_sent += requests;
    }

    /// All of it: the requests, the failures with how often each was, and how many requests were never sent.
    pub(crate) fn take(&self) -> (Vec<Sample>, BTreeMap<String, usize>, usize) {
        let mut inner = self.lock();
        (std::mem::take(&mut inner.samples), std::mem::take(&mut inner.failures), inner.never_sent)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
