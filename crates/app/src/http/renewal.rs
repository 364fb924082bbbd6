//! Renews the session cookie along with the session: neither shall outlive the other.

use std::cell::OnceCell;

use axum::response::Response;
use http::HeaderValue;
use http::header::SET_COOKIE;
use markt_domain::session::SessionId;
use tokio::task_local;

use super::App;

task_local! {
    /// What the answer shall bring, once the caller is known.
    static ORDERED: OnceCell<Order>;
}

/// Cookies for an answer.
#[derive(Clone)]
enum Order {
    /// The cookie of this session, anew.
    Renewed(SessionId, HeaderValue),
    /// The cookie of a session that has just begun, which nobody else has, and what else there is to say of it.
    Adopted(Vec<HeaderValue>),
}

/// Orders this cookie for the answer to the request that is being answered.
pub fn order(session: SessionId, cookie: HeaderValue) {
    // Only the first counts; and there is nobody to take orders where no request is answered.
    let _ = ORDERED.try_with(|ordered| ordered.set(Order::Renewed(session, cookie)));
}

/// Orders these cookies for the answer: that of a session which took the place of one of the system before, and what takes
/// the old one's away.
pub fn order_adopted(cookies: Vec<HeaderValue>) {
    let _ = ORDERED.try_with(|ordered| ordered.set(Order::Adopted(cookies)));
}

/// Waits for an answer, and adds the cookie that was ordered for it, unless it sets or clears one itself.
///
/// Nor if the session has got a new secret meanwhile, or has ended: another answer has told the browser of that by now,
/// and the old secret would take the new one's place.
pub async fn renewing(app: &App, answer: impl Future<Output = Response>) -> Response {
    let with_order = async {
        let response = answer.await;
        (response, ORDERED.with(|ordered| ordered.get().cloned()))
    };
    let (mut response, ordered) = ORDERED.scope(OnceCell::new(), with_order).await;
    if response.headers().contains_key(SET_COOKIE) {
        return response;
    }
    match ordered {
        Some(Order::Renewed(session, cookie)) if Box::pin(app.authenticator.is_current(&session)).await => {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
        Some(Order::Adopted(cookies)) => {
            for cookie in cookies {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
        }
        Some(Order::Renewed(..)) | None => {}
    }
    response
}
