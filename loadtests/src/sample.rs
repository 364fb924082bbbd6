//! What is kept of each request, and what is said of many.

use std::time::Duration;

use serde::Serialize;

/// How long a stretch of the line that shows latency over time is.
const STRETCH: Duration = Duration::from_millis(100);

/// The percentiles that are told, in hundredths of a percent.
const PERCENTILES: [u16; 13] = [1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 9500, 9900, 9990, 10_000];

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With the answer that it should have.
    Served,
    /// With 503 `overloaded`: the service said at once that it can't, and when to come again.
    TurnedAway,
    /// With anything else, or with no answer.
    Failed,
}

/// One request.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// What was asked for.
    pub(crate) kind: &'static str,
    /// When it began, since the window opened.
    pub(crate) at: Duration,
    /// Until its answer had been read whole: from its sending or, where requests are due at set times, from when it was
    /// due.
    pub(crate) latency: Duration,
    /// How it ended.
    pub(crate) end: End,
}

/// What is said of many requests.
#[derive(Serialize)]
pub(crate) struct Summary {
    pub(crate) kind: &'static str,
    pub(crate) requests: usize,
    pub(crate) turned_away: usize,
    pub(crate) failed: usize,
    /// Of those that were served.
    pub(crate) latency: Latency,
}

/// How long requests took, in microseconds. All 0 if there was none.
#[derive(Serialize)]
pub(crate) struct Latency {
    pub(crate) mean: u64,
    pub(crate) p50: u64,
    pub(crate) p95: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
    /// Pairs of a percentile and its value.
    pub(crate) percentiles: Vec<(f64, u64)>,
}

/// A stretch of time.
#[derive(Serialize)]
pub(crate) struct Stretch {
    /// When it began, in milliseconds since the window opened.
    pub(crate) at: u64,
    pub(crate) requests: usize,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
}

/// What is said of all, and then of each kind in the order of their first requests.
pub(crate) fn summaries(samples: &[Sample]) -> Vec<Summary> {
    let mut kinds: Vec<&'static str> = Vec::new();
    for sample in samples {
        if !kinds.contains(&sample.kind) {
            kinds.push(sample.kind);
        }
    }
    let of_kind = |kind| {
        let samples: Vec<Sample> = samples.iter().filter(|sample| sample.kind == kind).copied().collect();
        summary(kind, &samples)
    };
    std::iter::once(summary("all", samples)).chain(kinds.into_iter().map(of_kind)).collect()
}

fn summary(kind: &'static str, samples: &[Sample]) -> Summary {
    let ended = |end| samples.iter().filter(|sample| sample.end == end).count();
    Summary {
        kind,
        requests: samples.len(),
        turned_away: ended(End::TurnedAway),
        failed: ended(End::Failed),
        latency: latency(samples),
    }
}

/// How latency went over time.
pub(crate) fn line(samples: &[Sample]) -> Vec<Stretch> {
    let mut stretches: Vec<Vec<Sample>> = Vec::new();
    for sample in samples {
        let index = usize::try_from(sample.at.as_millis() / STRETCH.as_millis()).unwrap_or(usize::MAX);
        if stretches.len() <= index {
            stretches.resize_with(index + 1, Vec::new);
        }
        stretches[index].push(*sample);
    }
    let described = stretches.iter().zip(0_u64..).map(|(samples, index)| {
        let Latency { p50, p99, .. } = latency(samples);
        let at = index * u64::try_from(STRETCH.as_millis()).unwrap_or(u64::MAX);
        Stretch { at, requests: samples.len(), p50, p99 }
    });
    described.filter(|stretch| stretch.requests > 0).collect()
}

fn latency(samples: &[Sample]) -> Latency {
    let served = samples.iter().filter(|sample| sample.end == End::Served);
    let mut times: Vec<u64> =
        served.map(|sample| u64::try_from(sample.latency.as_micros()).unwrap_or(u64::MAX)).collect();
    times.sort_unstable();
    // The smallest that so many of all are not above.
    let at = |percentile: u16| {
        let rank = (times.len() * usize::from(percentile)).div_ceil(10_000);
        times.get(rank.saturating_sub(1)).copied().unwrap_or(0)
    };
    Latency {
        mean: times.iter().sum::<u64>().checked_div(u64::try_from(times.len()).unwrap_or(0)).unwrap_or(0),
        p50: at(5_000),
        p95: at(9_500),
        p99: at(9_900),
        max: at(10_000),
        percentiles: PERCENTILES.map(|percentile| (f64::from(percentile) / 100.0, at(percentile))).to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(kind: &'static str, at: u64, micros: u64, end: End) -> Sample {
        Sample { kind, at: Duration::from_millis(at), latency: Duration::from_micros(micros), end }
    }

    #[test]
    fn percentiles_are_of_what_was_served() {
        let mut samples: Vec<_> = (1..=200).map(|micros| sample("profile", micros, micros, End::Served)).collect();
        samples.push(sample("log in", 1, 1_000_000, End::Failed));
        samples.push(sample("log in", 1, 1_000_000, End::TurnedAway));

        let [all, profile, log_in] = &summaries(&samples)[..] else { panic!("there are two kinds") };

        assert_eq!((all.requests, all.failed, all.turned_away), (202, 1, 1));
        assert_eq!((profile.requests, profile.failed), (200, 0));
        assert_eq!([profile.latency.p50, profile.latency.p99, profile.latency.max], [100, 198, 200]);
        assert_eq!(all.latency.max, 200);
        assert_eq!((log_in.latency.mean, log_in.latency.p50), (0, 0));
    }

    #[test]
    fn a_line_has_the_stretches_in_which_something_began() {
        let samples =
            [sample("a", 5, 10, End::Served), sample("a", 99, 30, End::Served), sample("a", 350, 7, End::Served)];

        let line: Vec<_> = line(&samples).iter().map(|stretch| (stretch.at, stretch.requests, stretch.p99)).collect();

        assert_eq!(line, [(0, 2, 30), (300, 1, 7)]);
    }
}
