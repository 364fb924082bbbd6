//! The running service: two listeners over what [`crate::wiring`] put together.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt as _;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::Config;
use crate::demo;
use crate::http::health::{Readiness, admin_router};
use crate::http::router;
use crate::wiring::{Resources, Surroundings, Wired, WiringError, wire};

/// How long requests under way may take once the service is told to end; longer than any of them may take anyway.
const GRACE: Duration = Duration::from_secs(1);

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
    public: TcpListener,
    admin: TcpListener,
    router: Router,
    readiness: Arc<Readiness>,
    metrics: Arc<Registry>,
    resources: Resources,
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
        let router = router(config, wired.use_cases.clone(), Arc::clone(&surroundings.entropy));
        let resources = Wired::into_resources(wired);
        Ok(Self { public, admin, router, readiness, metrics, resources, grace: config.http.request_timeout + GRACE })
    }

    /// Where the public listener listens.
    ///
    /// # Errors
    /// If the system doesn't say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.public.local_addr()
    }

    /// Where the admin listener listens.
    ///
    /// # Errors
    /// If the system doesn't say.
    pub fn admin_address(&self) -> io::Result<SocketAddr> {
        self.admin.local_addr()
    }

    /// Serves until `stop` is done; then takes no new connection, finishes what is under way, sends the mail that is
    /// left and closes the stores.
    ///
    /// # Errors
    /// If a listener fails.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let (stopping, stopped) = watch::channel(false);
        let readiness = Arc::clone(&self.readiness);
        tokio::spawn(async move {
            stop.await;
            readiness.stop();
            let _nobody_listens = stopping.send(true);
        });
        let public = serve(self.public, self.router, stopped.clone());
        let admin = serve(self.admin, admin_router(self.readiness, self.metrics), stopped.clone());
        let served = tokio::select! {
            served = async { tokio::try_join!(public, admin).map(drop) } => served,
            () = overtime(stopped, self.grace) => Ok(()),
        };
        self.resources.close().await;
        served
    }
}

async fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Bind { key, address, source })
}

async fn serve(listener: TcpListener, router: Router, stopped: watch::Receiver<bool>) -> io::Result<()> {
    // Answers are written at once and whole: to wait for more to send with them would only delay them.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY not set");
        }
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(wait(stopped)).await
}

async fn wait(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is an end as well.
    let _ended = stopped.wait_for(|stopped| *stopped).await;
}

async fn overtime(stopped: watch::Receiver<bool>, grace: Duration) {
    wait(stopped).await;
    tokio::time::sleep(grace).await;
    tracing::warn!("requests under way were cut off: they took longer than they may");
}
