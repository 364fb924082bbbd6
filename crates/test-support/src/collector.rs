//! A collector of traces, which keeps what it is sent: OTLP over gRPC, by tonic and OpenTelemetry's own service
//! definition.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1 as wire;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// A span as it arrived.
#[derive(Clone, Debug)]
pub struct Span {
    /// The trace's id, in hexadecimal.
    pub trace: String,
    /// Its own.
    pub id: String,
    /// The parent's; empty if it has none.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// Whether it is a `Server`'s, a `Client`'s or `Internal`.
    pub kind: String,
    /// When it began, and when it ended, in nanoseconds since 1970.
    pub time: (u64, u64),
    /// Whether it failed.
    pub is_error: bool,
    /// What else is said of it, in text.
    pub attributes: BTreeMap<String, String>,
}

impl Span {
    fn of(span: wire::Span) -> Self {
        let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let kind = format!("{:?}", span.kind());
        Self {
            trace: hexadecimal(&span.trace_id),
            id: hexadecimal(&span.span_id),
            parent: hexadecimal(&span.parent_span_id),
            name: span.name,
            kind,
            time: (span.start_time_unix_nano, span.end_time_unix_nano),
            is_error: span.status.is_some_and(|status| status.code() == wire::status::StatusCode::Error),
            attributes: texts(span.attributes),
        }
    }

    /// What is said of it under this name; empty if nothing is.
    #[must_use]
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// What has arrived.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// The spans, in the order of their ends.
    pub spans: Vec<Span>,
    /// What is said of the service that sent them.
    pub resource: BTreeMap<String, String>,
    /// All of it, in words.
    pub text: String,
}

/// A collector on this machine, without TLS. It is gone when it is dropped.
pub struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Received>>,
    serving: JoinHandle<()>,
}

impl Collector {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// If there is none.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, received) = (listener.local_addr().unwrap(), Arc::<Mutex<Received>>::default());
        let service = TraceServiceServer::new(Receiver(Arc::clone(&received)));
        let serving = tokio::spawn(async move {
            Server::builder().add_service(service).serve_with_incoming(TcpIncoming::from(listener)).await.unwrap();
        });
        Self { address, received, serving }
    }

    /// Where it listens, as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What has arrived until now.
    ///
    /// # Panics
    /// If it has panicked.
    #[must_use]
    pub fn received(&self) -> Received {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Receiver(Arc<Mutex<Received>>);

#[async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut received = self.0.lock().unwrap();
        for of_service in request.into_inner().resource_spans {
            received.text.push_str(&format!("{of_service:?}"));
            received.resource.extend(texts(of_service.resource.unwrap_or_default().attributes));
            let spans = of_service.scope_spans.into_iter().flat_map(|scope| scope.spans);
            received.spans.extend(spans.map(Span::of));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes.into_iter().map(|attribute| (attribute.key, text(attribute.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}
