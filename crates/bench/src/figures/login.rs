//! Logins: how much of the machine goes into hashes, which is all that should cost anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};

use crate::cli::Error;
use crate::population::Member;
use crate::service::{Server, log_in};
use crate::statistics::median;
use crate::table::{Bar, Figure};

/// What a hash costs by default: `MARKT_PASSWORD__MEMORY_KIB`, `__ITERATIONS`, `__PARALLELISM`.
const COST: (u32, u32, u32) = (19_456, 2, 1);

/// Clients that log in at the same time: enough that a hash always waits, few enough that none is turned away.
const CLIENTS: u32 = 16;

/// Users who log in: members whose sessions no other figure uses.
pub(crate) const USERS: std::ops::Range<u32> = 3_000..3_256;

const WARM_UP: Duration = Duration::from_millis(500);

/// Logins against hashes by one thread times the cores, and for orientation against hashes by all cores at once: cores
/// that share a memory bus, or are two halves of one, don't hash twice as fast as one.
pub(crate) async fn against_hashes(server: &mut Server, rounds: usize, turn: Duration) -> Result<Vec<Figure>, Error> {
    let cores = u32::try_from(thread::available_parallelism()?.get())?;
    let (mut ratios, mut ratios_to_all, mut logins, mut hashes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let by_one = hashes_per_second(1, turn / 2).await?;
        let done = logins_per_second(server, turn).await?;
        let by_all = hashes_per_second(cores, turn / 2).await?;
        ratios.push(done / (by_one * f64::from(cores)));
        ratios_to_all.push(done / by_all);
        logins.push(done);
        hashes.push(by_one);
    }
    let milliseconds = 1000.0 / median(&hashes);
    Ok(vec![
        Figure {
            name: "logins/s against the cores / the time of one argon2id hash".into(),
            value: median(&ratios),
            details: format!("{:.1} logins/s, {cores} cores, {milliseconds:.1} ms", median(&logins)),
            bar: Some(Bar::AtLeast(0.9)),
        },
        Figure {
            name: "logins/s against hashes/s by all cores at once".into(),
            value: median(&ratios_to_all),
            details: String::new(),
            bar: None,
        },
    ])
}

async fn hashes_per_second(threads: u32, time: Duration) -> Result<f64, Error> {
    let hashing: Vec<_> = (0..threads).map(|_| tokio::task::spawn_blocking(move || hash_for(time))).collect();
    let mut sum = 0.0;
    for thread in hashing {
        sum += thread.await??;
    }
    Ok(sum)
}

/// Hashes one after another, in the same memory, as the service does; the hashes per second.
fn hash_for(time: Duration) -> Result<f64, Error> {
    let (memory_kib, iterations, parallelism) = COST;
    let params = Params::new(memory_kib, iterations, parallelism, Some(32))?;
    let mut memory = vec![Block::default(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut hash = || argon2.hash_password_into_with_memory(b"Password123", &[7; 16], &mut [0; 32], &mut memory);
    hash()?;
    let (start, mut hashes) = (Instant::now(), 0);
    while start.elapsed() < time {
        hash()?;
        hashes += 1;
    }
    Ok(f64::from(hashes) / start.elapsed().as_secs_f64())
}

async fn logins_per_second(server: &mut Server, time: Duration) -> Result<f64, Error> {
    let (done, ended) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let mut connection = server.connect().await?;
        let (done, ended) = (Arc::clone(&done), Arc::clone(&ended));
        clients.spawn(async move {
            for user in USERS.cycle().skip(usize::try_from(client * 16)?) {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                log_in(&mut connection, &Member(user).email()).await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, Error>(())
        });
    }
    tokio::time::sleep(WARM_UP).await;
    let (start, before) = (Instant::now(), done.load(Ordering::Relaxed));
    tokio::time::sleep(time).await;
    let per_second = f64::from(done.load(Ordering::Relaxed) - before) / start.elapsed().as_secs_f64();
    ended.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client?.map_err(|error| server.process.failed(&format!("didn't log in: {error}")))?;
    }
    server.process.check()?;
    Ok(per_second)
}
