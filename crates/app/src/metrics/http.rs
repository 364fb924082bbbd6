//! Requests.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{Method, StatusCode};
use markt_domain::ports::StoreErrorKind;
use markt_domain::ports::password_hasher::HashingError;
use markt_domain::use_cases::log_in::LogInError;
use markt_domain::use_cases::throttle::ThrottleError;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::{MetricType, TypedMetric as _};
use prometheus_client::registry::{Registry, Unit};

use super::{AtomicHistogram, Authentications, Source};

/// What a request that comes to no route is counted as.
const NO_ROUTE: &str = "other";

/// The methods that are told from each other; the last one stands for all others.
const METHODS: [&str; 8] = ["GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "PUT", "other"];

/// The statuses that are told from each other: those from here on, so many.
const FIRST_STATUS: u16 = 100;
const STATUSES: usize = 500;

/// What the public listener measures.
#[derive(Clone)]
pub struct HttpMetrics {
    /// Requests, by what they were authenticated by.
    pub authentications: Authentications,
    /// Attempts to log in, by what came of them: `succeeded`, or the error's type.
    logins: Family<LoginLabels, Counter>,
    /// Requests for a session that name an address in the place of their peer's, who isn't trusted to.
    pub untrusted_forwarded: Counter,
    /// How long answers took.
    pub durations: Arc<RequestDurations>,
    /// How many connections there are.
    pub connections: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LoginLabels {
    result: &'static str,
}

impl HttpMetrics {
    /// Shown among these metrics, for the routes with these paths. Sessions that aren't in memory are in this store.
    pub fn register(metrics: &mut Registry, paths: impl IntoIterator<Item = String>, store: Source) -> Self {
        let (logins, untrusted_forwarded) = (Family::default(), Counter::default());
        metrics.register("markt_logins", "Attempts to log in, by what came of them", logins.clone());
        let help = "Requests for a session whose Forwarded or X-Forwarded-For was ignored: the peer is not in \
                    http.trusted_proxies";
        metrics.register("markt_http_untrusted_forwarded_requests", help, untrusted_forwarded.clone());
        let connections = Gauge::default();
        metrics.register("markt_http_connections", "Connections to the public listener", connections.clone());
        let durations = Arc::new(RequestDurations::new(paths));
        metrics.register_collector(Box::new(Shown(Arc::clone(&durations))));
        let authentications = Authentications::register(metrics, store);
        Self { authentications, logins, untrusted_forwarded, durations, connections }
    }

    /// What came of somebody's attempt to log in.
    pub fn login<T>(&self, outcome: &Result<T, LogInError>) {
        let result = outcome.as_ref().err().map_or("succeeded", why);
        self.logins.get_or_create(&LoginLabels { result }).inc();
    }
}

/// The error's type, as the answer has it.
fn why(error: &LogInError) -> &'static str {
    let of_store = |kind: StoreErrorKind| match kind {
        StoreErrorKind::Unavailable => "store_unavailable",
        StoreErrorKind::Unreadable => "internal",
    };
    match error {
        LogInError::InvalidCredentials => "invalid_credentials",
        LogInError::AccountDeactivated => "account_deactivated",
        LogInError::UnverifiedEmail(_) => "unverified_email",
        LogInError::RoleUnavailable(_) => "role_unavailable",
        LogInError::Throttle(ThrottleError::TooManyAttempts { .. }) => "too_many_requests",
        LogInError::Hashing(HashingError::Overloaded) => "overloaded",
        LogInError::Hashing(HashingError::Failed(_)) => "internal",
        LogInError::Throttle(ThrottleError::Store(error)) | LogInError::Store(error) => of_store(error.kind),
    }
}

/// How long answers took (`markt_http_request_duration_seconds`), by route, method and status.
#[derive(Debug)]
pub struct RequestDurations {
    /// The routes without parameters, by their paths' lengths and paths: few are as long as another, so that the path is
    /// compared hardly more than once.
    fixed: Vec<(usize, String, usize)>,
    patterns: matchit::Router<usize>,
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    path: String,
    /// By method and status.
    cells: [Cells; METHODS.len()],
}

/// By status. Made when there is something to count.
#[derive(Debug, Default)]
struct Cells(OnceLock<Box<[OnceLock<AtomicHistogram>]>>);

impl RequestDurations {
    fn new(paths: impl IntoIterator<Item = String>) -> Self {
        let (mut fixed, mut patterns, mut routes) = (Vec::new(), matchit::Router::new(), Vec::new());
        for path in paths.into_iter().chain([NO_ROUTE.to_owned()]) {
            if path.contains('{') {
                // What can't be told from another is counted with those that come to no route.
                let _ambiguous = patterns.insert(path.clone(), routes.len());
            } else {
                fixed.push((path.len(), path.clone(), routes.len()));
            }
            routes.push(Route { path, cells: Default::default() });
        }
        fixed.sort_unstable();
        Self { fixed, patterns, routes }
    }

    /// A request for this path was answered, after so long.
    pub fn observe(&self, path: &str, method: &Method, status: StatusCode, took: Duration) {
        let cells = &self.routes[self.find(path)].cells[index_of(method)];
        let cells = cells.0.get_or_init(|| std::iter::repeat_with(OnceLock::new).take(STATUSES).collect());
        if let Some(cell) = cells.get(usize::from(status.as_u16() - FIRST_STATUS)) {
            cell.get_or_init(AtomicHistogram::default).observe(took);
        }
    }

    /// The route's template, as documented; `other` if there is none.
    pub fn route(&self, path: &str) -> &str {
        &self.routes[self.find(path)].path
    }

    /// The same, if there is one.
    pub fn known_route(&self, path: &str) -> Option<&str> {
        let place = self.find(path);
        (place < self.routes.len() - 1).then(|| &*self.routes[place].path)
    }

    fn find(&self, path: &str) -> usize {
        let by_length = |(length, fixed, _): &(usize, String, usize)| (*length, &**fixed).cmp(&(path.len(), path));
        let found = self.fixed.binary_search_by(by_length).ok().map(|place| self.fixed[place].2);
        found.or_else(|| self.patterns.at(path).ok().map(|found| *found.value)).unwrap_or(self.routes.len() - 1)
    }
}

fn index_of(method: &Method) -> usize {
    METHODS.iter().position(|name| *name == method.as_str()).unwrap_or(METHODS.len() - 1)
}

/// Shows durations that others go on measuring.
#[derive(Debug)]
struct Shown(Arc<RequestDurations>);

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let help = "Time from a request's head to its answer's";
        let (name, kind): (_, MetricType) = ("markt_http_request_duration", AtomicHistogram::TYPE);
        let mut family = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), kind)?;
        for Route { path, cells } in &self.0.routes {
            for (method, cells) in METHODS.iter().zip(cells) {
                for (status, cell) in (FIRST_STATUS..).zip(cells.0.get().into_iter().flatten()) {
                    let Some(histogram) = cell.get() else { continue };
                    let status = status.to_string();
                    let labels = [("method", *method), ("route", path.as_str()), ("status", status.as_str())];
                    histogram.encode(family.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_the_route_s_template() {
        let paths = ["/users/{id}", "/users/me", "/users"].map(ToOwned::to_owned);
        let durations = RequestDurations::new(paths);
        for (path, route) in [
            ("/users/me", "/users/me"),
            ("/users/7", "/users/{id}"),
            ("/users", "/users"),
            ("/users/7/8", "other"),
            ("/other", "other"),
            ("other", "other"),
            ("", "other"),
        ] {
            assert_eq!(durations.route(path), route, "{path}");
        }
    }
}
