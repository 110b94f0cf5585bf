//! Calls to other members: one CLIENT span each, `traceparent` on the wire.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use http::{Method, StatusCode};
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use serde_json::Value;

use crate::failure::Failure;
use crate::fault::FaultKind;
use crate::graph::{Edge, EdgeKind};
use crate::instance::Instance;
use crate::member::Member;
use crate::work::{Work, span};

/// A request to be made.
#[derive(Clone)]
pub(crate) struct Ask {
    method: Method,
    template: &'static str,
    path: String,
    body: Option<Value>,
    bearer: Option<String>,
    resent: i64,
}

impl Ask {
    /// `template` is the path with its variables in braces, for names that stay few.
    pub(crate) fn get(template: &'static str, path: impl Into<String>) -> Self {
        Self { method: Method::GET, template, path: path.into(), body: None, bearer: None, resent: 0 }
    }

    pub(crate) fn post(template: &'static str, path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::get(template, path) }
    }

    pub(crate) fn delete(template: &'static str, path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, ..Self::get(template, path) }
    }

    pub(crate) fn bearer(self, token: Option<String>) -> Self {
        Self { bearer: token, ..self }
    }

    /// Marks the request as a repetition.
    pub(crate) fn again(self) -> Self {
        Self { resent: 1, ..self }
    }
}

/// Another member's answer, good or bad.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// A member that can be called, with all its instances.
pub(crate) struct Peer {
    instance: Arc<Instance>,
    to: Member,
    bases: Vec<Base>,
    turn: AtomicUsize,
    timeout: Duration,
}

struct Base {
    url: String,
    host: String,
    port: i64,
}

impl Peer {
    /// Wires `instance` to `to`.
    pub(crate) fn new(instance: &Arc<Instance>, to: Member, timeout: Duration) -> anyhow::Result<Self> {
        let bases = instance.directory.bases.get(&to).cloned().unwrap_or_default();
        anyhow::ensure!(!bases.is_empty(), "{} needs the address of {to}", instance.member());
        let bases = bases.into_iter().map(Base::new).collect::<anyhow::Result<Vec<_>>>()?;
        let host = bases[0].host.clone();
        let (callee, kind) =
            if to == Member::Payfast { (host.as_str(), EdgeKind::External) } else { (to.name(), EdgeKind::Call) };
        let mut edge = Edge::new(instance.member().name(), callee, kind);
        edge.server_address = Some(host);
        instance.wiring.add([edge]);
        Ok(Self { instance: instance.clone(), to, bases, turn: AtomicUsize::new(0), timeout })
    }

    /// Asks and insists on a good answer.
    ///
    /// # Errors
    /// The caller's own mistakes (4xx) are passed on as they are; everything else becomes a gateway error
    /// (502, 503, 504) that keeps the callee's code.
    pub(crate) async fn call(&self, work: &Work, ask: Ask) -> Result<Value, Failure> {
        let reply = self.send(work, ask).await?;
        if reply.status.is_success() {
            return Ok(reply.body);
        }
        let detail = reply.body["detail"].as_str().unwrap_or("no detail").to_owned();
        let status = if reply.status.is_client_error() { reply.status } else { StatusCode::BAD_GATEWAY };
        let code = if reply.code().is_empty() { reply.status.as_str() } else { reply.code() };
        Err(Failure::answer(status, code, format!("{}: {detail}", self.to)))
    }

    /// Asks once.
    ///
    /// # Errors
    /// Only if no answer came: connection refused, timeout.
    pub(crate) async fn send(&self, work: &Work, ask: Ask) -> Result<Reply, Failure> {
        let base = &self.bases[self.turn.fetch_add(1, Ordering::Relaxed) % self.bases.len()];
        let call = self.begin(work, base, &ask);
        let started = Instant::now();
        // The network is slow both ways, outside the callee's span.
        self.instance.faults.delay(FaultKind::NetworkDelay, self.to).await;
        let outcome = self.exchange(&call, base, &ask).await;
        self.finish(&call, base, &ask, started.elapsed(), &outcome);
        outcome
    }

    fn begin(&self, work: &Work, base: &Base, ask: &Ask) -> Work {
        let mut attributes = vec![
            KeyValue::new("http.request.method", ask.method.to_string()),
            KeyValue::new("server.address", base.host.clone()),
            KeyValue::new("server.port", base.port),
            KeyValue::new("url.full", format!("{}{}", base.url, ask.path)),
            KeyValue::new("url.template", ask.template),
        ];
        if self.to.is_service() {
            attributes.push(KeyValue::new("service.peer.name", self.to.name()));
        }
        if ask.resent > 0 {
            attributes.push(KeyValue::new("http.request.resend_count", ask.resent));
        }
        work.child(span(SpanKind::Client, format!("{} {}", ask.method, ask.template), attributes))
    }

    async fn exchange(&self, call: &Work, base: &Base, ask: &Ask) -> Result<Reply, Failure> {
        let mut request = self
            .instance
            .http
            .request(ask.method.clone(), format!("{}{}", base.url, ask.path))
            .timeout(self.timeout)
            .header("user-agent", format!("shop-{}/{}", self.instance.member(), self.instance.identity.version));
        for (name, value) in call.headers() {
            request = request.header(name, value);
        }
        if let Some(token) = &ask.bearer {
            request = request.bearer_auth(token);
        }
        if let Some(body) = &ask.body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if let Some(address) = response.remote_addr() {
            call.set("network.peer.address", address.ip().to_string());
            call.set("network.peer.port", i64::from(address.port()));
        }
        let status = response.status();
        let body = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        Ok(Reply { status, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let (status, code) = match error {
            _ if error.is_timeout() => (StatusCode::GATEWAY_TIMEOUT, "timeout"),
            _ if error.is_connect() => (StatusCode::SERVICE_UNAVAILABLE, "connection_refused"),
            _ => (StatusCode::BAD_GATEWAY, "connection_broken"),
        };
        Failure::answer(status, code, format!("{} did not answer: {}", self.to, root_cause(error)))
    }

    fn finish(&self, call: &Work, base: &Base, ask: &Ask, took: Duration, outcome: &Result<Reply, Failure>) {
        let mut attributes = vec![
            KeyValue::new("http.request.method", ask.method.to_string()),
            KeyValue::new("server.address", base.host.clone()),
            KeyValue::new("server.port", base.port),
            KeyValue::new("url.template", ask.template),
        ];
        match outcome {
            Ok(reply) => {
                let status = i64::from(reply.status.as_u16());
                call.set("http.response.status_code", status);
                attributes.push(KeyValue::new("http.response.status_code", status));
                if status >= 400 {
                    call.fail(reply.status.as_str(), reply.code());
                    attributes.push(KeyValue::new("error.type", reply.status.as_str().to_owned()));
                }
            }
            Err(failure) => {
                call.fail(&failure.code, &failure.detail);
                attributes.push(KeyValue::new("error.type", failure.code.clone()));
            }
        }
        self.instance.telemetry.instruments.client_duration.record(took.as_secs_f64(), &attributes);
        call.end();
    }
}

impl Base {
    fn new(url: String) -> anyhow::Result<Self> {
        let parsed: reqwest::Url =
            url.parse().with_context(|| format!("{url:?} is not a base URL such as http://catalog:8080"))?;
        let port = parsed.port_or_known_default().unwrap_or(80);
        let host = parsed.host_str().unwrap_or_default().to_owned();
        Ok(Self { url: url.trim_end_matches('/').to_owned(), host, port: i64::from(port) })
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}
