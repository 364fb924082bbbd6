//! Writes down what happens: in the log at once, and in the audit trail as soon as it can be.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use markt_domain::audit::{AuditEntry, AuditEvent, AuditRecord};
use markt_domain::ports::StoreErrorKind;
use markt_domain::ports::audit_log::{AuditLog, AuditTrail};
use markt_domain::ports::clock::Clock;
use markt_domain::session::{Ending, SessionId};
use markt_domain::user::UserId;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::telemetry::current_request_id;
use crate::unique::UniqueNumbers;
use crate::wiring::Surroundings;

/// How many records wait to be written at most. A database that is away for some minutes costs none.
const CAPACITY: usize = 16_384;

/// How many are written in one statement at most.
const BATCH: usize = 256;

/// How long after a write records are gathered for the next. Whoever comes alone is written at once; in a rush, each would
/// be written by itself, which costs as much as a login's other statements together.
const GATHERED_FOR: Duration = Duration::from_millis(50);

/// How long until what could not be written is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// How long is waited in the end for what is still to be written.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Event {
    event: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Beginning {
    by: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Limit {
    limit: String,
}

/// What records tell, counted.
#[derive(Clone, Default)]
struct Counts {
    events: Family<Event, Counter>,
    started: Family<Beginning, Counter>,
    ended: Family<Reason, Counter>,
    refusals: Family<Limit, Counter>,
    lost: Counter,
}

impl Counts {
    fn count(&self, record: &AuditRecord) {
        self.events.get_or_create(&Event { event: record.event.as_str() }).inc();
        if let (Some(ending), Some(count @ 1..)) = (record.ending, record.count) {
            self.ended.get_or_create(&Reason { reason: ending.as_str() }).inc_by(count);
        }
        let started_by = |by| self.started.get_or_create(&Beginning { by }).inc();
        match record.event {
            AuditEvent::LoginSucceeded => {
                started_by("login");
            }
            AuditEvent::Registered => {
                started_by("registration");
            }
            AuditEvent::TokenExchanged => {
                started_by("exchange");
            }
            AuditEvent::SessionAdopted => {
                started_by("adoption");
            }
            AuditEvent::LimitReached => {
                let limit = record.reason.clone().unwrap_or_default();
                self.refusals.get_or_create(&Limit { limit }).inc();
            }
            _ => {}
        }
    }
}

/// Writes audit records.
pub struct AuditWriter {
    clock: Arc<dyn Clock>,
    keys: Arc<UniqueNumbers>,
    waiting: mpsc::Sender<AuditEntry>,
    counts: Counts,
    untold: Arc<AtomicU64>,
    written: watch::Sender<()>,
    closing: Arc<Notify>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl AuditWriter {
    /// Writes to this trail, on a task of its own, until it is [closed](Self::close).
    pub fn start(trail: Arc<dyn AuditTrail>, surroundings: &Surroundings) -> Arc<Self> {
        let Surroundings { clock, entropy } = surroundings.clone();
        let (waiting, entries) = mpsc::channel(CAPACITY);
        let (counts, closing) = (Counts::default(), Arc::new(Notify::new()));
        let (keys, untold, written) =
            (Arc::new(UniqueNumbers::draw(&*entropy)), Arc::default(), watch::Sender::default());
        let pen = Pen {
            trail,
            clock: Arc::clone(&clock),
            keys: Arc::clone(&keys),
            lost: counts.lost.clone(),
            untold: Arc::clone(&untold),
            written: written.clone(),
        };
        let task = Mutex::new(Some(tokio::spawn(pen.write(entries, Arc::clone(&closing)))));
        Arc::new(Self { clock, keys, waiting, counts, untold, written, closing, task })
    }

    /// What changes when something was written here.
    pub fn written(&self) -> watch::Receiver<()> {
        self.written.subscribe()
    }

    /// Has what is counted shown among the metrics.
    pub fn register(&self, metrics: &mut Registry) {
        let Counts { events, started, ended, refusals, lost } = self.counts.clone();
        metrics.register("markt_audit_events", "Events in the life of sessions and users", events);
        metrics.register("markt_sessions_started", "Sessions that this process began, by what", started);
        metrics.register("markt_sessions_ended", "Sessions that this process ended, by why", ended);
        metrics.register("markt_rate_limit_refusals", "Attempts that were refused, by the limit", refusals);
        let help = "Audit records that are in the log only, because they could not be written to the database";
        metrics.register("markt_audit_events_lost", help, lost);
    }

    /// Writes what waits, and no more from then on.
    pub async fn close(&self) {
        self.closing.notify_one();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && timeout(PATIENCE, task).await.is_err()
        {
            tracing::error!("the database doesn't take the last audit records: they are in the log only");
        }
    }
}

impl AuditLog for AuditWriter {
    fn record(&self, record: AuditRecord) {
        log(&record);
        self.counts.count(&record);
        let entry =
            AuditEntry { key: self.keys.next(), at: self.clock.now(), request_id: current_request_id(), record };
        if self.waiting.try_send(entry).is_err() {
            self.counts.lost.inc();
            self.untold.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What the task writes with.
struct Pen {
    trail: Arc<dyn AuditTrail>,
    clock: Arc<dyn Clock>,
    keys: Arc<UniqueNumbers>,
    lost: Counter,
    /// How many were lost that the trail doesn't tell of yet.
    untold: Arc<AtomicU64>,
    written: watch::Sender<()>,
}

impl Pen {
    async fn write(self, mut entries: mpsc::Receiver<AuditEntry>, closing: Arc<Notify>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut not_before = Instant::now();
        loop {
            let next = async {
                sleep_until(not_before).await;
                entries.recv_many(&mut batch, BATCH).await
            };
            tokio::select! {
                biased;
                () = closing.notified() => {
                    entries.close();
                    not_before = Instant::now();
                }
                received = next => {
                    if received == 0 {
                        return;
                    }
                    if received < BATCH && !entries.is_closed() {
                        not_before = Instant::now() + GATHERED_FOR;
                    }
                    self.write_batch(&batch).await;
                    batch.clear();
                }
            }
        }
    }

    async fn write_batch(&self, batch: &[AuditEntry]) {
        if !self.append(batch).await {
            let records = u64::try_from(batch.len()).unwrap_or(u64::MAX);
            tracing::error!(records, "audit records can't be written: they are in the log only");
            self.lost.inc_by(records);
            self.untold.fetch_add(records, Ordering::Relaxed);
        }
        self.tell_losses().await;
    }

    /// Writes these, as soon as the database is there. False if it refuses them.
    async fn append(&self, entries: &[AuditEntry]) -> bool {
        let mut was_told = false;
        while let Err(error) = self.trail.append(entries).await {
            if error.kind == StoreErrorKind::Unreadable {
                tracing::error!(%error, "the database refuses audit records");
                return false;
            }
            if !was_told {
                tracing::warn!(%error, "audit records are written later");
                was_told = true;
            }
            sleep(PAUSE).await;
        }
        self.written.send_replace(());
        true
    }

    /// Who follows the trail has to know that it has a hole.
    async fn tell_losses(&self) {
        let count = self.untold.swap(0, Ordering::Relaxed);
        if count == 0 {
            return;
        }
        let record = AuditRecord { count: Some(count), ..AuditRecord::new(AuditEvent::RecordsLost) };
        let entry = AuditEntry { key: self.keys.next(), at: self.clock.now(), request_id: None, record };
        if !self.append(&[entry]).await {
            self.untold.fetch_add(count, Ordering::Relaxed);
        }
    }
}

/// A line in the log, without what there isn't.
fn log(record: &AuditRecord) {
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                event = record.event.as_str(),
                user_id = record.user_id.as_ref().map(UserId::as_str),
                session_id = record.session_id.map(display::<SessionId>),
                related_id = record.related_id.map(display::<SessionId>),
                ip_address = record.client.as_ref().map(|client| display(client.ip_address)),
                user_agent = record.client.as_ref().map(|client| &*client.user_agent),
                reason = record.reason,
                ending = record.ending.map(Ending::as_str),
                count = record.count,
            )
        };
    }
    if record.event.is_suspicious() {
        line!(warn);
    } else {
        line!(info);
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use futures_util::FutureExt as _;
    use markt_domain::Timestamp;
    use markt_domain::ports::StoreError;
    use markt_domain::ports::audit_log::Position;
    use markt_test_support::clock::MovableClock;
    use markt_test_support::entropy::MachineEntropy;
    use tokio::sync::Semaphore;

    use super::*;

    /// A trail that takes as many batches as it is allowed to, and fails before that as often as it is told to.
    struct Slow {
        allowed: Semaphore,
        failures: Mutex<Vec<StoreErrorKind>>,
        entries: Mutex<Vec<AuditEntry>>,
    }

    impl Slow {
        fn failing(failures: &[StoreErrorKind]) -> Arc<Self> {
            let failures = Mutex::new(failures.to_vec());
            Arc::new(Self { allowed: Semaphore::new(0), failures, entries: Mutex::default() })
        }

        fn events(&self) -> Vec<AuditEvent> {
            self.entries.lock().unwrap().iter().map(|entry| entry.record.event).collect()
        }
    }

    #[async_trait]
    impl AuditTrail for Slow {
        async fn append(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
            self.allowed.acquire().await.unwrap().forget();
            match self.failures.lock().unwrap().pop() {
                Some(StoreErrorKind::Unavailable) => return Err(StoreError::unavailable("append", "away")),
                Some(StoreErrorKind::Unreadable) => return Err(StoreError::unreadable("append", "refused")),
                None => self.entries.lock().unwrap().extend_from_slice(entries),
            }
            Ok(())
        }

        async fn after(&self, _: Position, _: u64) -> Result<Vec<(Position, AuditEntry)>, StoreError> {
            Ok(Vec::new())
        }

        async fn last(&self) -> Result<Position, StoreError> {
            Ok(Position::default())
        }

        async fn position_before(&self, _: Timestamp) -> Result<Position, StoreError> {
            Ok(Position::default())
        }

        async fn delete_before(&self, _: Timestamp, _: u64) -> Result<u64, StoreError> {
            Ok(0)
        }
    }

    const EVENTS: [AuditEvent; 3] = [AuditEvent::LoginSucceeded, AuditEvent::SessionRotated, AuditEvent::LoggedOut];

    fn writer(trail: &Arc<Slow>) -> Arc<AuditWriter> {
        let (clock, entropy) = (Arc::new(MovableClock::at_present()), Arc::new(MachineEntropy));
        let writer = AuditWriter::start(Arc::clone(trail) as _, &Surroundings { clock, entropy });
        EVENTS.iter().for_each(|event| writer.record(AuditRecord::new(*event)));
        writer
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_written_before_the_end() {
        let trail = Slow::failing(&[]);
        let writer = writer(&trail);
        let mut closed = Box::pin(writer.close());
        assert!(closed.as_mut().now_or_never().is_none());
        trail.allowed.add_permits(EVENTS.len());
        closed.await;
        assert_eq!(trail.events(), EVENTS);
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_alone_is_written_at_once_and_a_rush_together() {
        const PERMITS: usize = 10;
        let (trail, moment) = (Slow::failing(&[]), Duration::from_millis(1));
        trail.allowed.add_permits(PERMITS);
        let writer = writer(&trail);
        sleep(moment).await;
        assert_eq!(trail.events(), EVENTS);
        for _ in 0..3 {
            writer.record(AuditRecord::new(AuditEvent::LoginFailed));
            sleep(moment).await;
        }
        assert_eq!(trail.events(), EVENTS, "they wait for more");
        sleep(GATHERED_FOR).await;
        assert_eq!((trail.events().len(), trail.allowed.available_permits()), (6, PERMITS - 2));
        sleep(GATHERED_FOR).await;
        writer.record(AuditRecord::new(AuditEvent::LoginFailed));
        sleep(moment).await;
        assert_eq!(trail.events().len(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_database_is_away_for_is_written_later_and_what_it_refuses_is_counted() {
        for (failure, written, lost) in [
            (StoreErrorKind::Unavailable, EVENTS.as_slice(), 0),
            (StoreErrorKind::Unreadable, &[AuditEvent::RecordsLost], 3),
        ] {
            let trail = Slow::failing(&[failure]);
            trail.allowed.add_permits(2);
            let writer = writer(&trail);
            writer.close().await;
            assert_eq!((trail.events().as_slice(), writer.counts.lost.get()), (written, lost), "{failure:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_there_is_no_room_for_is_counted_and_told() {
        let trail = Slow::failing(&[]);
        let writer = writer(&trail);
        (EVENTS.len()..CAPACITY + 2).for_each(|_| writer.record(AuditRecord::new(AuditEvent::LoginFailed)));
        assert_eq!(writer.counts.lost.get(), 2);
        trail.allowed.add_permits(CAPACITY);
        writer.close().await;
        let entries = trail.entries.lock().unwrap();
        let told: Vec<_> = entries.iter().filter(|entry| entry.record.event == AuditEvent::RecordsLost).collect();
        assert_eq!(told.iter().filter_map(|entry| entry.record.count).collect::<Vec<_>>(), [2]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_stays_away_does_not_hold_up_the_end() {
        let writer = writer(&Slow::failing(&[]));
        writer.close().await;
    }
}
