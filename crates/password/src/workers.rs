//! Threads that hash, and the queue before them.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use markt_domain::ports::password_hasher::HashingError;
use tokio::sync::oneshot;

use crate::argon2id::Memory;

type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// A fixed number of threads. They end when this is dropped.
pub(crate) struct Workers {
    queue: SyncSender<Job>,
}

impl Workers {
    pub(crate) fn start(threads: NonZeroUsize, max_queued: usize) -> Self {
        let (queue, jobs) = sync_channel::<Job>(max_queued);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..threads.get() {
            let jobs = Arc::clone(&jobs);
            std::thread::spawn(move || work(&jobs));
        }
        Self { queue }
    }

    /// Runs a job when its turn comes; not at all if the caller has gone away by then.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, HashingError> {
        let (answer, result) = oneshot::channel();
        let job: Job = Box::new(move |memory| {
            if !answer.is_closed() {
                let _caller_left = answer.send(job(memory));
            }
        });
        self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => HashingError::Overloaded,
            TrySendError::Disconnected(_) => HashingError::Failed("the hashing threads have ended".into()),
        })?;
        result.await.map_err(|error| HashingError::Failed(Box::new(error)))
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    let mut memory = Memory::new();
    loop {
        // Held while waiting, not while working: the next thread takes over the wait.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A job that panics fails for its caller, who is told by the dropped channel; the thread goes on.
        let _panicked = catch_unwind(AssertUnwindSafe(|| job(&mut memory)));
    }
}
