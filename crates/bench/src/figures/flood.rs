//! A flood of logins, and what those feel of it who are logged in.

use crate::cli::Error;
use crate::figures::login::Crowd;
use crate::figures::profile::Lane;
use crate::statistics::{median, median_ratio};
use crate::table::{Bar, Figure};
use crate::wrk::{Load, Wrk};

/// Clients that log in at the same time.
const CLIENTS: u32 = 64;

/// How long each server is asked for profiles in a turn.
const SECONDS: u32 = 2;

/// The p99 of profiles at a steady pace, quiet and while logins flood the service; and that of a plain server's answers
/// beside it, which has nothing to do with logins but the machine's cores.
pub(crate) async fn of_logins(
    wrk: &Wrk,
    mut service: Lane<'_>,
    mut plain: Lane<'_>,
    rounds: usize,
) -> Result<Vec<Figure>, Error> {
    let mut turns = Turns::default();
    for _ in 0..rounds {
        turns.quiet.push(service.p99(wrk).await?);
        turns.plain_quiet.push(plain.p99(wrk).await?);
        let crowd = Crowd::gather(service.server, CLIENTS).await?;
        turns.flooded.push(service.p99(wrk).await?);
        turns.plain_flooded.push(plain.p99(wrk).await?);
        crowd.disperse(service.server).await?;
    }
    let Turns { quiet, flooded, plain_quiet, plain_flooded } = turns;
    let against = |name: &str, some: &[f64], others: &[f64], bar| Figure {
        name: name.into(),
        value: median_ratio(some, others),
        details: format!("{:.2} against {:.2} ms", median(some) / 1000.0, median(others) / 1000.0),
        bar,
    };
    Ok(vec![
        against("profile while logins flood, against a quiet one: p99", &flooded, &quiet, Some(Bar::AtMost(3.0))),
        against(
            "a bare handler's answer in the same flood, against a quiet one: p99",
            &plain_flooded,
            &plain_quiet,
            None,
        ),
        against("profile against a bare handler's answer, both in the flood: p99", &flooded, &plain_flooded, None),
    ])
}

/// Each server's p99 in microseconds, round by round.
#[derive(Default)]
struct Turns {
    quiet: Vec<f64>,
    flooded: Vec<f64>,
    plain_quiet: Vec<f64>,
    plain_flooded: Vec<f64>,
}

impl Lane<'_> {
    async fn p99(&mut self, wrk: &Wrk) -> Result<f64, Error> {
        let Load { latencies: [_, _, p99], .. } = wrk.steady_load(self.server, &self.clients, SECONDS).await?;
        Ok(p99)
    }
}
