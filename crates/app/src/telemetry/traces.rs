//! Traces, sent to a collector by OTLP over gRPC.

use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

/// What the service is called, unless `OTEL_SERVICE_NAME` says otherwise.
const SERVICE: &str = "markt-auth";

/// How long a collector may take for a batch of spans, and how long the last of them are waited for in the end.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is sent goes here. What waits is bounded in number, and dropped if the collector doesn't take it.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Sends traces to the collector at this address (`http://collector:4317`, or `https`), from now on. Needs a Tokio
    /// runtime, and doesn't wait for the collector. `OTEL_TRACES_SAMPLER` and other variables of OpenTelemetry's count.
    ///
    /// # Errors
    /// If this is no address.
    pub fn to(endpoint: &str) -> Result<Self, ExporterBuildError> {
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(PATIENCE);
        let exporter = if endpoint.starts_with("https:") {
            exporter.with_tls_config(ClientTlsConfig::new().with_native_roots())
        } else {
            exporter
        };
        let exporter = exporter.build()?;
        Ok(Self(SdkTracerProvider::builder().with_resource(resource()).with_batch_exporter(exporter).build()))
    }

    pub(super) fn tracer(&self) -> SdkTracer {
        self.0.tracer(SERVICE)
    }

    /// Sends what is left.
    pub async fn close(self) {
        let closed = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(PATIENCE)).await;
        if let Ok(Err(error)) = closed {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

fn resource() -> Resource {
    let given = Resource::builder().build();
    let is_named =
        given.get(&Key::new("service.name")).is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let resource = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if is_named { resource.build() } else { resource.with_service_name(SERVICE).build() }
}
