//! What isn't there, where another server may have taken over unnoticed.
//!
//! A primary that hung and was replaced takes itself for the primary when it goes on, until it is told: of a session that
//! began meanwhile, it says that it isn't there. Whoever put that session where it is had learnt of the new primary before.
//! So if all who know are asked now and name nobody else, nobody had taken over when the answer was given.

use std::sync::Arc;
use std::time::{Duration, Instant};

use markt_domain::ports::StoreError;

use super::{Servers, Topology};

/// A server of a cluster that answers within this time didn't hang over the question. One that hung tells only those what
/// is past who had asked meanwhile: then it misses the others, or hears from them, before it reads any more.
const AT_ONCE: Duration = Duration::from_millis(10);

/// How often it was looked which servers there are.
#[derive(Default)]
pub(super) struct Looks {
    begun: u64,
    /// The number of the last one that has ended.
    ended: u64,
    has_failed: bool,
}

/// The servers as they were known at a time; nothing where there is one for ever.
pub(crate) struct View(Option<(Arc<Topology>, Instant)>);

impl Servers {
    /// The servers as they are known now: to be taken before something is asked that may turn out to be absent.
    pub(crate) fn view(&self) -> View {
        View((!self.is_one_for_ever()).then(|| (self.topology(), Instant::now())))
    }

    /// Waits until it is certain that what a server has just said not to be there is absent: the servers, looked for anew,
    /// are those of that view.
    pub(crate) async fn confirm_absence(&self, operation: &'static str, view: View) -> Result<(), StoreError> {
        let Some((before, asked_at)) = view.0 else { return Ok(()) };
        if before.are_many() && asked_at.elapsed() < AT_ONCE {
            return Ok(());
        }
        let mut looks = self.0.looks.subscribe();
        let awaited = looks.borrow().begun + 1;
        self.0.wanted.notify_one();
        let look = looks.wait_for(|looks| looks.ended >= awaited);
        let is_known = match tokio::time::timeout(self.0.options.command_timeout, look).await {
            Ok(Ok(looks)) => !looks.has_failed,
            Ok(Err(_)) | Err(_) => false,
        };
        if is_known && Arc::ptr_eq(&before, &self.topology()) {
            return Ok(());
        }
        Err(StoreError::unavailable(operation, "another server may have taken over"))
    }

    /// Looks which servers there are, and tells who waits for it.
    pub(super) async fn look_for_all(&self) {
        self.0.looks.send_modify(|looks| looks.begun += 1);
        let outcome = self.look(false).await;
        if let Err(error) = &outcome {
            tracing::debug!(%error, "it can't be found out which servers there are");
        }
        self.0.looks.send_modify(|looks| {
            looks.ended = looks.begun;
            looks.has_failed = outcome.is_err();
        });
    }
}
