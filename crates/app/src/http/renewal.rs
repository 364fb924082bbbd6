//! Renews the session cookie along with the session: neither shall outlive the other.

use std::cell::OnceCell;

use axum::response::Response;
use http::HeaderValue;
use http::header::SET_COOKIE;
use markt_domain::session::SessionId;
use tokio::task_local;

use super::App;

task_local! {
    /// The cookie that the answer shall bring, once the caller is known, and the session that it opens.
    static ORDERED: OnceCell<(SessionId, HeaderValue)>;
}

/// Orders this cookie for the answer to the request that is being answered.
pub fn order(session: SessionId, cookie: HeaderValue) {
    // Only the first counts; and there is nobody to take orders where no request is answered.
    let _ = ORDERED.try_with(|ordered| ordered.set((session, cookie)));
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
    if let Some((session, cookie)) = ordered
        && !response.headers().contains_key(SET_COOKIE)
        && Box::pin(app.authenticator.is_current(&session)).await
    {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}
