//! Logins: how much of the machine goes into hashes, which is all that should cost anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::cli::Error;
use crate::population::Member;
use crate::service::{PASSWORD, Server, log_in};
use crate::statistics::{median, median_ratio};
use crate::table::{Bar, Figure};

/// What a hash costs by default: `MARKT_PASSWORD__MEMORY_KIB`, `__ITERATIONS`, `__PARALLELISM`.
const COST: (u32, u32, u32) = (19_456, 2, 1);

/// Clients that log in at the same time: enough that a hash always waits, few enough that none is turned away.
const CLIENTS: u32 = 16;

/// Users who log in: members whose sessions no other figure uses.
pub(crate) const USERS: std::ops::Range<u32> = 3_000..3_256;

const SALT: [u8; 16] = [7; 16];

/// The length of a hash, in bytes.
const OUTPUT: usize = 32;

/// Until logins come at their pace.
const WARM_UP: Duration = Duration::from_millis(500);

/// Logins against hashes by one thread times the cores: by the library that most services in Rust hash with, which is the
/// bar, and by the one that the service hashes with, which is several times as fast. For orientation against the latter's
/// hashes by all cores at once, too: cores that share a memory bus, or are two halves of one, don't hash twice as fast as
/// one.
pub(crate) async fn against_hashes(server: &mut Server, rounds: usize, turn: Duration) -> Result<Vec<Figure>, Error> {
    let cores = u32::try_from(thread::available_parallelism()?.get())?;
    let mut turns = Turns::default();
    for _ in 0..rounds {
        turns.usual.push(per_second(1, usual, turn / 2).await?);
        turns.own.push(per_second(1, own, turn / 2).await?);
        turns.logins.push(logins_per_second(server, turn).await?);
        turns.own_by_all.push(per_second(cores, own, turn / 2).await?);
    }
    let cores = f64::from(cores);
    let milliseconds = |hashes: &[f64]| 1000.0 / median(hashes);
    Ok(vec![
        Figure {
            name: "logins/s against the cores / the time of one argon2id hash (crate argon2)".into(),
            value: median_ratio(&turns.logins, &turns.usual) / cores,
            details: format!(
                "{:.1} logins/s, {cores} cores, {:.1} ms",
                median(&turns.logins),
                milliseconds(&turns.usual)
            ),
            bar: Some(Bar::AtLeast(0.9)),
        },
        Figure {
            name: "logins/s against the cores / the time of one hash as the service makes it".into(),
            value: median_ratio(&turns.logins, &turns.own) / cores,
            details: format!("{:.1} ms", milliseconds(&turns.own)),
            bar: None,
        },
        Figure {
            name: "logins/s against such hashes/s by all cores at once".into(),
            value: median_ratio(&turns.logins, &turns.own_by_all),
            details: format!("{:.1} hashes/s", median(&turns.own_by_all)),
            bar: None,
        },
    ])
}

/// What was done in a second, round by round.
#[derive(Default)]
struct Turns {
    usual: Vec<f64>,
    own: Vec<f64>,
    own_by_all: Vec<f64>,
    logins: Vec<f64>,
}

/// Makes a hash, in the same memory each time.
type Hash = Box<dyn FnMut() -> Result<(), Error>>;

/// How often threads do this one after another, all together.
async fn per_second(threads: u32, hash: fn() -> Result<Hash, Error>, time: Duration) -> Result<f64, Error> {
    let hashing: Vec<_> =
        (0..threads).map(|_| tokio::task::spawn_blocking(move || repeat_for(time, hash()?))).collect();
    let mut sum = 0.0;
    for thread in hashing {
        sum += thread.await??;
    }
    Ok(sum)
}

fn repeat_for(time: Duration, mut hash: Hash) -> Result<f64, Error> {
    hash()?;
    let (start, mut hashes) = (Instant::now(), 0);
    while start.elapsed() < time {
        hash()?;
        hashes += 1;
    }
    Ok(f64::from(hashes) / start.elapsed().as_secs_f64())
}

/// By the RustCrypto project's `argon2`.
fn usual() -> Result<Hash, Error> {
    use argon2::{Algorithm, Argon2, Block, Params, Version};
    let (memory_kib, iterations, parallelism) = COST;
    let params = Params::new(memory_kib, iterations, parallelism, Some(OUTPUT))?;
    let mut memory = vec![Block::default(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    Ok(Box::new(move || {
        Ok(argon2.hash_password_into_with_memory(PASSWORD.as_bytes(), &SALT, &mut [0; OUTPUT], &mut memory)?)
    }))
}

/// As the service does (`markt-password`).
fn own() -> Result<Hash, Error> {
    use argon2_rust::{Algorithm, Argon2, Params, Version, params::Memory};
    let (memory_kib, iterations, parallelism) = COST;
    let memory = Memory::kib(memory_kib.into());
    let params = Params::builder().memory(memory).passes(iterations).lanes(parallelism).build()?;
    let mut hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hasher();
    Ok(Box::new(move || Ok(hasher.hash_into(PASSWORD.as_bytes(), &SALT, &mut [0; OUTPUT])?)))
}

async fn logins_per_second(server: &mut Server, time: Duration) -> Result<f64, Error> {
    let crowd = Crowd::gather(server, CLIENTS).await?;
    let (start, before) = (Instant::now(), crowd.logins());
    tokio::time::sleep(time).await;
    let per_second = f64::from(crowd.logins() - before) / start.elapsed().as_secs_f64();
    crowd.disperse(server).await?;
    Ok(per_second)
}

/// Clients who log in, each again as soon as it has.
pub(crate) struct Crowd {
    clients: JoinSet<Result<(), Error>>,
    done: Arc<AtomicU32>,
    ended: Arc<AtomicBool>,
}

impl Crowd {
    pub(crate) async fn gather(server: &Server, clients: u32) -> Result<Self, Error> {
        let (done, ended) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let mut crowd = Self { clients: JoinSet::new(), done, ended };
        let users = USERS.end - USERS.start;
        for client in 0..clients {
            let mut connection = server.connect().await?;
            let (done, ended) = (Arc::clone(&crowd.done), Arc::clone(&crowd.ended));
            crowd.clients.spawn(async move {
                for user in USERS.cycle().skip(usize::try_from(client * users / clients)?) {
                    if ended.load(Ordering::Relaxed) {
                        break;
                    }
                    log_in(&mut connection, &Member(user).email()).await?;
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
        }
        tokio::time::sleep(WARM_UP).await;
        Ok(crowd)
    }

    /// How many logins there have been.
    pub(crate) fn logins(&self) -> u32 {
        self.done.load(Ordering::Relaxed)
    }

    /// Lets each client finish the login that it has begun.
    ///
    /// # Errors
    /// If one was refused, or the server has ended.
    pub(crate) async fn disperse(mut self, server: &mut Server) -> Result<(), Error> {
        self.ended.store(true, Ordering::Relaxed);
        while let Some(client) = self.clients.join_next().await {
            client?.map_err(|error| server.process.failed(&format!("didn't log in: {error}")))?;
        }
        server.process.check()
    }
}
