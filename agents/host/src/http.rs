//! The few HTTP requests an agent makes: one client over TCP and TLS, and one request over a unix socket.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::ring::default_provider;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there was no answer. All of these may pass, so all are worth another try.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// Not all of the answer came in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// Nobody accepts connections there, the name is unknown, or TLS failed.
    #[error("cannot connect")]
    Connect(#[source] Source),
    /// The connection broke, or the answer was not HTTP or too large.
    #[error("broken exchange")]
    Exchange(#[source] Source),
}

impl HttpError {
    /// A low-cardinality name for `error.type`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "timeout",
            Self::Connect(_) => "connect",
            Self::Exchange(_) => "exchange",
        }
    }
}

/// A pooling client for `http://` and `https://` (the system's certificates). Redirects are not followed.
#[derive(Clone, Debug)]
pub(crate) struct HttpClient {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl HttpClient {
    pub(crate) fn new() -> Self {
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls_config()).https_or_http().enable_http1().build();
        Self { pool: Pool::builder(TokioExecutor::new()).build(connector) }
    }

    /// Sends and reads the whole answer, at most `max_body` bytes of it, within `limit`.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        limit: Duration,
        max_body: usize,
    ) -> Result<Answer, HttpError> {
        let exchange = async {
            let response = self.pool.request(request).await.map_err(|error| {
                if error.is_connect() { HttpError::Connect(error.into()) } else { HttpError::Exchange(error.into()) }
            })?;
            whole(response, max_body).await
        };
        tokio::time::timeout(limit, exchange).await.map_err(|_| HttpError::Timeout(limit))?
    }
}

/// The system's certificates; without any (a bare container) every TLS handshake fails and says so.
fn tls_config() -> rustls::ClientConfig {
    use hyper_rustls::ConfigBuilderExt;
    let builder = || {
        rustls::ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring supports the default protocol versions")
    };
    let with_roots = builder().with_native_roots().unwrap_or_else(|error| {
        tracing::debug!(%error, "no system certificates: https is unavailable");
        builder().with_root_certificates(rustls::RootCertStore::empty())
    });
    with_roots.with_no_client_auth()
}

/// One GET over a unix socket, on a connection of its own.
pub(crate) async fn get_over_socket(
    socket: &Path,
    path: &str,
    limit: Duration,
    max_body: usize,
) -> Result<Answer, HttpError> {
    let exchange = async {
        let stream = tokio::net::UnixStream::connect(socket).await.map_err(|error| HttpError::Connect(error.into()))?;
        let exchange_error = |error: hyper::Error| HttpError::Exchange(error.into());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(exchange_error)?;
        let request = Request::get(path)
            .header("host", "localhost")
            .header("connection", "close")
            .body(Full::<Bytes>::default())
            .map_err(|error| HttpError::Exchange(error.into()))?;
        let answer = async { whole(sender.send_request(request).await.map_err(exchange_error)?, max_body).await };
        tokio::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            // The connection ends once the answer is complete; then the answer is ready too.
            ended = connection => match ended {
                Ok(()) => answer.await,
                Err(error) => Err(exchange_error(error)),
            },
        }
    };
    tokio::time::timeout(limit, exchange).await.map_err(|_| HttpError::Timeout(limit))?
}

async fn whole(response: Response<Incoming>, max_body: usize) -> Result<Answer, HttpError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, max_body).collect().await.map_err(HttpError::Exchange)?.to_bytes();
    Ok(Answer { status: head.status, headers: head.headers, body })
}
