//! A histogram without a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// The buckets' upper bounds in nanoseconds: from a tenth of a millisecond to ten seconds.
const BOUNDS: [u64; 16] = [
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// How long something took, in seconds, by a few buckets. Two atomic additions are what an observation costs. Clones share
/// it.
#[derive(Clone, Debug, Default)]
pub struct AtomicHistogram(Arc<Cells>);

#[derive(Debug, Default)]
struct Cells {
    /// One for each bound, and one for what is above them.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl AtomicHistogram {
    /// It took this long.
    pub fn observe(&self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| nanoseconds <= *bound).unwrap_or(BOUNDS.len());
        self.0.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.0.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

impl TypedMetric for AtomicHistogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for AtomicHistogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> std::fmt::Result {
        let bounds = BOUNDS.iter().map(|bound| Duration::from_nanos(*bound).as_secs_f64()).chain([f64::INFINITY]);
        let counts = self.0.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        let buckets: Vec<_> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let seconds = Duration::from_nanos(self.0.nanoseconds.load(Ordering::Relaxed)).as_secs_f64();
        encoder.encode_histogram::<NoLabelSet>(seconds, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn each_duration_counts_in_its_bucket_and_all_above() {
        let (mut registry, histogram) = (Registry::default(), AtomicHistogram::default());
        registry.register("took", "How long", histogram.clone());
        for microseconds in [1, 100, 101, 3_000, 11_000_000] {
            histogram.observe(Duration::from_micros(microseconds));
        }
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "took_bucket{le=\"0.0001\"} 2",
            "took_bucket{le=\"0.00025\"} 3",
            "took_bucket{le=\"0.0025\"} 3",
            "took_bucket{le=\"0.005\"} 4",
            "took_bucket{le=\"10.0\"} 4",
            "took_bucket{le=\"+Inf\"} 5",
            "took_count 5",
            "took_sum 11.003202",
        ] {
            assert!(text.lines().any(|its| its == line), "no {line} in {text}");
        }
    }
}
