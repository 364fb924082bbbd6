//! What is looked up when somebody asks for it, instead of being kept up to date.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

/// A value that is read, and what kind of a value it is.
#[derive(Clone)]
struct Reading {
    read: Arc<dyn Fn() -> f64 + Send + Sync>,
    kind: MetricType,
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").field("kind", &self.kind.as_str()).finish_non_exhaustive()
    }
}

impl EncodeMetric for Reading {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> std::fmt::Result {
        let value = (self.read)();
        match self.kind {
            MetricType::Counter => encoder.encode_counter::<NoLabelSet, _, f64>(&value, None),
            _ => encoder.encode_gauge(&value),
        }
    }

    fn metric_type(&self) -> MetricType {
        self.kind
    }
}

/// A value that goes up and down.
pub fn gauge(registry: &mut Registry, name: &str, help: &str, read: impl Fn() -> f64 + Send + Sync + 'static) {
    registry.register(name, help, Reading { read: Arc::new(read), kind: MetricType::Gauge });
}

/// A value that only grows; `_total` comes behind its name.
pub fn count(registry: &mut Registry, name: &str, help: &str, read: impl Fn() -> f64 + Send + Sync + 'static) {
    registry.register(name, help, Reading { read: Arc::new(read), kind: MetricType::Counter });
}

/// Several values of one name that a label tells apart.
#[derive(Debug)]
pub struct Readings {
    name: &'static str,
    help: &'static str,
    label: &'static str,
    kind: MetricType,
    values: Vec<(&'static str, Reading)>,
}

impl Readings {
    /// Values that go up and down.
    pub const fn gauges(name: &'static str, help: &'static str, label: &'static str) -> Self {
        Self { name, help, label, kind: MetricType::Gauge, values: Vec::new() }
    }

    /// Values that only grow; `_total` comes behind their name.
    pub const fn counts(name: &'static str, help: &'static str, label: &'static str) -> Self {
        Self { name, help, label, kind: MetricType::Counter, values: Vec::new() }
    }

    /// With one more, whose label says this.
    pub fn with(mut self, value: &'static str, read: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.values.push((value, Reading { read: Arc::new(read), kind: self.kind }));
        self
    }

    /// Shown among these metrics.
    pub fn register(self, registry: &mut Registry) {
        registry.register_collector(Box::new(self));
    }
}

impl Collector for Readings {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let mut family = encoder.encode_descriptor(self.name, self.help, None, self.kind)?;
        for (value, reading) in &self.values {
            reading.encode(family.encode_family(&[(self.label, *value)])?)?;
        }
        Ok(())
    }
}

/// A count that is small, as metrics have it.
pub fn number(count: impl TryInto<u32>) -> f64 {
    f64::from(count.try_into().unwrap_or(u32::MAX))
}

/// A count that may be large, as metrics have it.
#[expect(clippy::cast_precision_loss, reason = "what is counted is below 2^53")]
pub const fn large_number(count: u64) -> f64 {
    count as f64
}
