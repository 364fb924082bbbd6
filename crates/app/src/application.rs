//! The running service: two listeners over what [`crate::wiring`] put together.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::{Stream, StreamExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::config::Config;
use crate::demo;
use crate::http::events::EventStreams;
use crate::http::health::{Readiness, admin_router};
use crate::http::public_service;
use crate::http::service::PublicService;
use crate::serving::{ADMIN_CONNECTIONS, Limits, Server, Stage, public_connections};
use crate::wiring::{Resources, Surroundings, Wired, WiringError, wire};

/// How much longer than `http.request_timeout` a request is waited for: its own limit is to come first.
const GRACE: Duration = Duration::from_secs(1);

/// How long a connection may be idle. Longer than load balancers keep theirs to a server (nginx and AWS 60 seconds, for
/// example), so that it is they who close it: one that the service closed just as a request came would lose that.
const IDLE: Duration = Duration::from_secs(75);

/// Why the service doesn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It can't be put together.
    #[error(transparent)]
    Wiring(#[from] WiringError),
    /// An address can't be listened on.
    #[error("{key} = \"{address}\": can't be listened on")]
    Bind {
        /// The configuration's key.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The demo accounts can't be made.
    #[error("the demo accounts can't be made")]
    Demo(#[from] demo::DemoError),
}

/// The service, listening but not yet serving.
pub struct Application {
    public: Server<PublicService>,
    admin: Server<Router>,
    readiness: Arc<Readiness>,
    event_streams: EventStreams,
    resources: Resources,
    drain: Duration,
    grace: Duration,
}

impl Application {
    /// Puts the service together and listens.
    ///
    /// # Errors
    /// Says what is in the way, and by which key it is configured.
    pub async fn build(config: &Config, surroundings: &Surroundings, with_demo: bool) -> Result<Self, StartError> {
        let public = bind("bind", config.bind).await?;
        let admin = bind("admin_bind", config.admin_bind).await?;
        let mut wired = wire(config, surroundings).await?;
        if with_demo {
            demo::create_accounts(&wired, surroundings).await?;
        }
        let readiness = Arc::new(Readiness::new(std::mem::take(&mut wired.dependencies)));
        let metrics = Arc::new(std::mem::take(&mut wired.metrics));
        let service = public_service(
            config,
            wired.use_cases.clone(),
            wired.jwks.clone(),
            wired.http_metrics.clone(),
            surroundings.entropy.as_ref(),
        );
        let event_streams = wired.event_streams.clone();
        let connections = wired.http_metrics.connections.clone();
        let resources = Wired::into_resources(wired);
        let patience = config.http.request_timeout;
        let grace = patience + GRACE;
        let limits = Limits { head: patience, handler: grace, answer: patience, idle: IDLE };
        let public = Server::new(public, service, limits, public_connections()).counted_by(connections);
        let entropy = surroundings.entropy.as_ref();
        let router = admin_router(Arc::clone(&readiness), metrics, event_streams.clone(), entropy);
        let admin = Server::new(admin, router.with_state(()), limits, ADMIN_CONNECTIONS);
        Ok(Self { public, admin, readiness, event_streams, resources, drain: config.http.drain, grace })
    }

    /// Where the public listener listens.
    ///
    /// # Errors
    /// If the system doesn't say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.public.address()
    }

    /// Where the admin listener listens.
    ///
    /// # Errors
    /// If the system doesn't say.
    pub fn admin_address(&self) -> io::Result<SocketAddr> {
        self.admin.address()
    }

    /// Serves until `told_to_end` has an item. Then the service isn't ready any more, and streams of events end so that
    /// who follows them goes to another node; but it goes on serving for `http.drain`, or until there is another item; it finishes what is under way, sends the mail that is left and
    /// closes the stores.
    pub async fn run(self, told_to_end: impl Stream<Item = ()>) {
        let (stage, stages) = watch::channel(Stage::Serving);
        let served = async { tokio::join!(self.public.serve(stages.clone()), self.admin.serve(stages)) };
        let ending = async {
            let mut told_to_end = pin!(told_to_end);
            told_to_end.next().await;
            self.readiness.stop();
            self.event_streams.stop();
            stage.send_replace(Stage::Draining);
            tracing::info!(seconds = self.drain.as_secs_f32(), "ending: load balancers are given time to notice");
            tokio::select! {
                () = sleep(self.drain) => {}
                Some(()) = told_to_end.next() => {}
            }
            stage.send_replace(Stage::Closing);
            tracing::info!("ending: requests under way are finished");
            sleep(self.grace).await;
        };
        tokio::select! {
            ((), ()) = served => {}
            () = ending => tracing::warn!("connections were cut off: they took longer than they may"),
        }
        self.resources.close().await;
    }
}

async fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Bind { key, address, source })
}
