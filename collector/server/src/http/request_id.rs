//! Every request has an id: in the response, in problem documents, in the log.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Id of the request being answered. Ours alone: one sent by the client could hold anything.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

static START: LazyLock<u64> =
    LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()));
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Gives the request its id and the response the same.
pub(crate) async fn assign(mut request: Request, next: Next) -> Response {
    let id = format!("{:x}-{:x}", *START, NEXT.fetch_add(1, Ordering::Relaxed));
    request.extensions_mut().insert(RequestId(id.clone()));
    let (method, path, began) = (request.method().clone(), request.uri().path().to_owned(), Instant::now());
    let mut response = next.run(request).await;
    tracing::debug!(request_id = id, %method, path, status = response.status().as_u16(), millis = began.elapsed().as_millis() as u64, "answered");
    if let Ok(value) = HeaderValue::try_from(id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}
