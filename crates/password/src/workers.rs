//! Threads that hash, and the queue before them.

use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use argon2_rust::Argon2;
use markt_domain::ports::password_hasher::HashingError;
use markt_domain::trace;
use tokio::sync::oneshot;

use crate::argon2id::Argon2id;
use crate::load::Load;

/// What the threads are called, for who looks at the process.
const NAME: &str = "hashing";

/// By how much the threads are nicer than those that serve requests (ADR 26).
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

type Job = Box<dyn FnOnce(&mut Argon2id) + Send>;

/// A fixed number of threads, which take what there is to do in turn. They end when this is dropped.
pub(crate) struct Workers {
    queue: Sender<Job>,
    load: Arc<Load>,
}

impl Workers {
    /// # Errors
    /// If the system gives no more threads.
    pub(crate) fn start(threads: NonZeroUsize, max_queued: usize, argon2: Argon2) -> io::Result<Self> {
        let (queue, jobs) = channel();
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..threads.get() {
            let jobs = Arc::clone(&jobs);
            let work = move || work(&jobs, Argon2id::new(argon2));
            thread::Builder::new().name(NAME.to_owned()).spawn(work)?;
        }
        Ok(Self { queue, load: Arc::new(Load::new(threads, max_queued)) })
    }

    pub(crate) fn load(&self) -> &Load {
        &self.load
    }

    /// Runs a job when its turn comes; not at all if the caller has gone away by then. Traces have it by this name, the
    /// wait included.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        name: &'static str,
        job: impl FnOnce(&mut Argon2id) -> T + Send + 'static,
    ) -> Result<T, HashingError> {
        let span = trace::step(name);
        let Some(place) = self.load.admit() else {
            trace::fail(&span, "overloaded");
            return Err(HashingError::Overloaded);
        };
        let (answer, result) = oneshot::channel();
        let job: Job = Box::new(move |argon2id| {
            if answer.is_closed() {
                return;
            }
            let begun = Instant::now();
            let result = job(argon2id);
            place.done(begun.elapsed());
            let _caller_left = answer.send(result);
        });
        self.queue.send(job).map_err(|_| HashingError::Failed("the hashing threads have ended".into()))?;
        let result = result.await;
        drop(span);
        result.map_err(|error| HashingError::Failed(Box::new(error)))
    }
}

fn work(jobs: &Mutex<Receiver<Job>>, mut argon2id: Argon2id) {
    give_way();
    loop {
        // Held while waiting, not while working: the next thread takes over the wait.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A job that panics fails for its caller, who is told by the dropped channel; the thread goes on.
        let _panicked = catch_unwind(AssertUnwindSafe(|| job(&mut argon2id)));
    }
}

/// Lets the threads that serve requests go first. Elsewhere than on Linux, niceness is the whole process's.
fn give_way() {
    #[cfg(target_os = "linux")]
    let _refused = rustix::process::nice(NICENESS);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    use argon2_rust::{Algorithm, Params, Version};
    use tokio::time::timeout;

    use super::*;

    fn one_worker() -> Workers {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::builder().build().unwrap());
        Workers::start(NonZeroUsize::MIN, 8, argon2).unwrap()
    }

    #[tokio::test]
    async fn jobs_are_done_in_the_order_they_came_in() {
        let workers = one_worker();
        let done = Arc::new(Mutex::new(Vec::new()));
        let job = |name| {
            let done = Arc::clone(&done);
            workers.run("job", move |_| done.lock().unwrap().push(name))
        };
        let (a, b, c, d) = tokio::join!(job('a'), job('b'), job('c'), job('d'));
        assert!([a, b, c, d].iter().all(Result::is_ok));
        assert_eq!(*done.lock().unwrap(), ['a', 'b', 'c', 'd']);
    }

    #[tokio::test]
    async fn a_job_whose_caller_has_gone_is_not_done() {
        let workers = one_worker();
        let (open, gate) = sync_channel::<()>(0);
        let (done, seen) = channel();
        let held = workers.run("job", move |_| gate.recv().unwrap());
        let abandoned = async {
            let job = workers.run("job", move |_| done.send(()).unwrap());
            assert!(timeout(Duration::ZERO, job).await.is_err());
            open.send(()).unwrap();
        };
        let (held, ()) = tokio::join!(held, abandoned);
        held.unwrap();
        workers.run("job", |_| ()).await.unwrap();
        assert!(seen.recv().is_err(), "it was dropped, and not run");
    }

    #[tokio::test]
    async fn a_job_that_panics_takes_neither_the_thread_nor_its_place_along() {
        let workers = one_worker();
        for _ in 0..20 {
            let failed = workers.run("job", |_| panic!("as the test wants it")).await;
            assert!(matches!(failed, Err::<(), _>(HashingError::Failed(_))));
        }
        assert!(workers.run("job", |_| ()).await.is_ok());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn hashing_gives_way_to_all_else() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let hashing = one_worker().run("job", move |_| niceness()).await.unwrap();
        assert_eq!(hashing, (niceness() + NICENESS).min(19));
    }
}
