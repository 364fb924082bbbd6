//! A bulkhead: so many may wait for a store at once, and who comes after them is told at once.
//!
//! It keeps what waits for a store that doesn't answer from growing until the [breaker](crate::breaker) knows of it.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A number of places.
#[derive(Debug)]
pub struct Bulkhead {
    places: usize,
    taken: AtomicUsize,
}

/// A place that is taken, until this is dropped.
#[derive(Debug)]
pub struct Place<'a>(&'a AtomicUsize);

/// There is no place.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("too many wait for the store already")]
pub struct Full;

impl Bulkhead {
    /// One with so many places.
    #[must_use]
    pub const fn new(places: usize) -> Self {
        Self { places, taken: AtomicUsize::new(0) }
    }

    /// Takes a place. Never waits: two atomic additions are all that it costs, with the one that gives it back.
    ///
    /// # Errors
    /// If all are taken.
    pub fn enter(&self) -> Result<Place<'_>, Full> {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        // Gives back, when dropped, also what there was no place for.
        let place = Place(&self.taken);
        if taken < self.places { Ok(place) } else { Err(Full) }
    }

    /// How many are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_places_and_one_that_is_given_back_is_free_again() {
        let bulkhead = Bulkhead::new(2);
        let first = bulkhead.enter().unwrap();
        let _second = bulkhead.enter().unwrap();
        for _ in 0..10 {
            assert!(bulkhead.enter().is_err());
        }
        drop(first);
        let _third = bulkhead.enter().unwrap();
        assert!(bulkhead.enter().is_err());
    }
}
