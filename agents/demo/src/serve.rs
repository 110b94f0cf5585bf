//! Serving HTTP: the SERVER span around every request, and a listener that can really crash.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::request::Parts;
use hyper_util::rt::TokioIo;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::failure::Failure;
use crate::instance::Instance;
use crate::work::{Work, span};

/// Wraps a member's routes in its telemetry and adds the `/healthz` probe, which is not traced.
pub(crate) fn observed(routes: Router, instance: &Arc<Instance>) -> Router {
    routes.layer(axum::middleware::from_fn_with_state(instance.clone(), observe)).route("/healthz", get(async || "ok"))
}

/// The caller's socket address.
#[derive(Clone, Copy)]
struct Caller(SocketAddr);

async fn observe(State(instance): State<Arc<Instance>>, mut request: Request, next: Next) -> Response {
    let common = common_attributes(&request);
    let work = begin(&instance, &request, &common);
    let _active = Active::enter(&instance, &common);
    request.extensions_mut().insert(work.clone());
    let started = Instant::now();
    let response = match instance.suffer().await {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    finish(&instance, &work, common, started.elapsed(), &response);
    response
}

/// What the span and the metrics of a request share.
fn common_attributes(request: &Request) -> Vec<KeyValue> {
    let mut attributes =
        vec![KeyValue::new("http.request.method", request.method().to_string()), KeyValue::new("url.scheme", "http")];
    if let Some(route) = request.extensions().get::<MatchedPath>() {
        attributes.push(KeyValue::new("http.route", route.as_str().to_owned()));
    }
    attributes
}

fn begin(instance: &Arc<Instance>, request: &Request, common: &[KeyValue]) -> Work {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let mut attributes = common.to_vec();
    attributes.push(KeyValue::new("url.path", request.uri().path().to_owned()));
    if let Some(query) = request.uri().query() {
        attributes.push(KeyValue::new("url.query", query.to_owned()));
    }
    if let Some(authority) = header("host").and_then(|host| host.parse::<http::uri::Authority>().ok()) {
        attributes.push(KeyValue::new("server.address", authority.host().to_owned()));
        attributes.push(KeyValue::new("server.port", i64::from(authority.port_u16().unwrap_or(80))));
    }
    if let Some(Caller(address)) = request.extensions().get() {
        attributes.push(KeyValue::new("client.address", address.ip().to_string()));
        attributes.push(KeyValue::new("network.peer.address", address.ip().to_string()));
        attributes.push(KeyValue::new("network.peer.port", i64::from(address.port())));
    }
    if let Some(agent) = header("user-agent") {
        attributes.push(KeyValue::new("user_agent.original", agent.to_owned()));
    }
    attributes.push(KeyValue::new("network.protocol.version", "1.1"));
    let route =
        request.extensions().get::<MatchedPath>().map(|route| format!(" {}", route.as_str())).unwrap_or_default();
    let name = format!("{}{route}", request.method());
    let carrier: HashMap<String, String> = ["traceparent", "tracestate"]
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), header(name)?.to_owned())))
        .collect();
    Work::received(&instance.telemetry, &carrier, span(SpanKind::Server, name, attributes))
}

fn finish(instance: &Instance, work: &Work, mut attributes: Vec<KeyValue>, took: Duration, response: &Response) {
    let status = response.status();
    work.set("http.response.status_code", i64::from(status.as_u16()));
    attributes.push(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
    let failure = response.extensions().get::<Failure>();
    if status.is_server_error() {
        // 4xx leaves a server span unset: the caller is at fault.
        let code = failure.map_or(status.as_str(), |failure| failure.code.as_str()).to_owned();
        work.fail(&code, failure.map_or("", |failure| failure.detail.as_str()));
        attributes.push(KeyValue::new("error.type", code));
    }
    if let Some(failure) = failure {
        record(work, failure);
    }
    instance.telemetry.instruments.server_duration.record(took.as_secs_f64(), &attributes);
    work.end();
}

/// Where it broke it is an exception; on the way up it is a warning.
fn record(work: &Work, failure: &Failure) {
    match &failure.cause {
        Some(cause) => work.exception(&failure.code, cause.as_ref()),
        None => work.warn(
            format!("answered {}: {}", failure.status.as_u16(), failure.detail),
            [
                ("error.type", failure.code.clone().into()),
                ("http.response.status_code", i64::from(failure.status.as_u16()).into()),
            ],
        ),
    }
}

/// Counts a request as in flight until dropped, also when the caller hangs up.
struct Active {
    instance: Arc<Instance>,
    attributes: Vec<KeyValue>,
}

impl Active {
    fn enter(instance: &Arc<Instance>, common: &[KeyValue]) -> Self {
        let attributes: Vec<_> = common.iter().filter(|kv| kv.key.as_str() != "http.route").cloned().collect();
        instance.telemetry.instruments.server_active.add(1, &attributes);
        Self { instance: instance.clone(), attributes }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.instance.telemetry.instruments.server_active.add(-1, &self.attributes);
    }
}

/// The span of the request being served.
impl<S: Sync> FromRequestParts<S> for Work {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Work>().expect("every route is observed").clone())
    }
}

/// A port that stays ours while nobody listens on it.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    bound: Option<TcpSocket>,
}

impl Door {
    /// Takes the address; connections are refused until [`open`](Door::open).
    pub(crate) fn reserve(address: SocketAddr) -> std::io::Result<Self> {
        let socket = bind(address)?;
        Ok(Self { address: socket.local_addr()?, bound: Some(socket) })
    }

    /// Listens.
    pub(crate) fn open(&mut self) -> std::io::Result<TcpListener> {
        let socket = match self.bound.take() {
            Some(socket) => socket,
            None => bind(self.address)?,
        };
        socket.listen(1024)
    }

    /// Keeps the port after the listener is gone, or another process could get it meanwhile.
    pub(crate) fn hold(&mut self) -> std::io::Result<()> {
        self.bound = Some(bind(self.address)?);
        Ok(())
    }
}

fn bind(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Serves until dropped; then the listener and every connection are gone at once.
pub(crate) async fn serve(listener: TcpListener, routes: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, caller)) => { connections.spawn(converse(stream, caller, routes.clone())); }
                // Out of file descriptors, mostly: waiting is all that helps.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: tokio::net::TcpStream, caller: SocketAddr, routes: Router) {
    let _ = stream.set_nodelay(true); // only slower without
    let service = hyper::service::service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Caller(caller));
        routes.clone().oneshot(request)
    });
    // An error here is the caller hanging up.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
