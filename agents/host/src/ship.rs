//! Ships OTLP/HTTP: protobuf, gzip, and the retry rules of the specification.
//!
//! Two ways in. Metrics go through a bounded [`Queue`] that drops its oldest: a fresh reading is worth more than an
//! old one. Log batches are delivered one at a time and waited for: the file itself is their buffer.

mod queue;
mod retry;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Uri};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message;

pub(crate) use queue::{FULL, Queue};

use crate::config::Config;
use crate::http::{Answer, HttpClient};
use crate::instrument as i;
use crate::otlp::{Recorder, text};
use crate::stop::Stop;
use retry::{Backoff, Verdict};

/// OTLP bounds an answer at 4 MiB.
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// A long outage is one line a minute, not one per try.
const REMIND_EVERY: Duration = Duration::from_secs(60);

/// What a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Signal {
    Metrics,
    Logs,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }
}

/// One encoded, compressed request.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) signal: Signal,
    pub(crate) body: Bytes,
    /// Data points or log records inside.
    pub(crate) items: u64,
}

impl Batch {
    /// Encodes and compresses.
    pub(crate) fn new(signal: Signal, message: &impl Message, items: u64) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&message.encode_to_vec()).expect("writing to memory does not fail");
        let body = encoder.finish().expect("writing to memory does not fail");
        Self { signal, body: body.into(), items }
    }
}

/// Sends batches to one server and counts what became of them.
#[derive(Debug)]
pub(crate) struct Exporter {
    client: HttpClient,
    base: String,
    headers: HeaderMap,
    timeout: Duration,
    totals: Mutex<Totals>,
}

#[derive(Debug, Default)]
struct Totals {
    exported: BTreeMap<Signal, u64>,
    retries: BTreeMap<Signal, u64>,
    dropped: BTreeMap<(Signal, String), u64>,
}

impl Exporter {
    /// # Errors
    /// `otlp` is not an http(s) URL, or a header is not one.
    pub(crate) fn new(config: &Config, client: HttpClient) -> anyhow::Result<Self> {
        let base = config.otlp.trim_end_matches('/').to_owned();
        let uri: Uri = base.parse().with_context(|| format!("otlp: {base:?} is not a URL"))?;
        anyhow::ensure!(
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some(),
            "otlp: {base:?} must look like http://host:4318"
        );
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers {
            let name: HeaderName = name.parse().with_context(|| format!("headers: {name:?} is not a header name"))?;
            let mut secret: HeaderValue =
                value.parse().with_context(|| format!("headers: the value of {name} has characters HTTP forbids"))?;
            secret.set_sensitive(true);
            headers.insert(name, secret);
        }
        Ok(Self { client, base, headers, timeout: config.timeout, totals: Mutex::default() })
    }

    /// Sends until the server took the batch or refused it for good, and counts its items as exported or as dropped
    /// with a reason. Waits as the server asks, else with growing, jittered pauses, for as long as it takes.
    ///
    /// Returns false if the agent stops first: there is one last try, and nothing is counted.
    pub(crate) async fn deliver(&self, batch: &Batch, stop: &Stop) -> bool {
        let signal = batch.signal.name();
        let mut backoff = Backoff::default();
        let mut reminded: Option<Instant> = None;
        loop {
            let last_try = stop.is_set();
            let verdict = tokio::select! {
                biased;
                () = stop.deadline() => return false,
                verdict = self.attempt(batch) => verdict,
            };
            let (why, wait) = match verdict {
                Verdict::Taken { rejected, message } => {
                    if reminded.is_some() {
                        tracing::info!(signal, "server takes data again");
                    }
                    self.taken(batch, rejected, &message);
                    return true;
                }
                Verdict::Refused { reason, message } => {
                    tracing::warn!(signal, items = batch.items, %reason, %message, "server refused a batch: dropped");
                    self.count_dropped(batch.signal, &reason, batch.items);
                    return true;
                }
                Verdict::TryAgain { why, after } => (why, backoff.next(after)),
            };
            *self.totals().retries.entry(batch.signal).or_default() += 1;
            if reminded.is_none_or(|at| at.elapsed() >= REMIND_EVERY) {
                tracing::warn!(signal, to = %self.base, error = %why, "not delivered, trying on");
                reminded = Some(Instant::now());
            }
            if last_try {
                return false;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.wait() => {}
            }
        }
    }

    async fn attempt(&self, batch: &Batch) -> Verdict {
        match self.client.send(self.request(batch), self.timeout, MAX_ANSWER_BYTES).await {
            Ok(answer) => retry::judge(&answer, |answer| partial_success(batch.signal, answer)),
            Err(error) => Verdict::TryAgain { why: format!("{:#}", anyhow::Error::new(error)), after: None },
        }
    }

    fn request(&self, batch: &Batch) -> Request<Full<Bytes>> {
        let mut request = Request::post(format!("{}{}", self.base, batch.signal.path()))
            .header(header::CONTENT_TYPE, "application/x-protobuf")
            .header(header::CONTENT_ENCODING, "gzip")
            .header(header::USER_AGENT, concat!("orrery-agent/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(batch.body.clone()))
            .expect("Exporter::new checked the URL");
        request.headers_mut().extend(self.headers.clone());
        request
    }

    fn taken(&self, batch: &Batch, rejected: u64, message: &str) {
        let rejected = rejected.min(batch.items);
        *self.totals().exported.entry(batch.signal).or_default() += batch.items - rejected;
        if rejected > 0 {
            self.count_dropped(batch.signal, "partial_success", rejected);
        }
        if rejected > 0 || !message.is_empty() {
            tracing::warn!(signal = batch.signal.name(), rejected, message, "server took the batch in part");
        }
    }

    /// Counts lost items.
    pub(crate) fn count_dropped(&self, signal: Signal, reason: &str, items: u64) {
        *self.totals().dropped.entry((signal, reason.to_owned())).or_default() += items;
    }

    /// Records the totals since the agent started. Known counters start at 0, so that their rates exist.
    pub(crate) fn record(&self, to: &mut Recorder) {
        let totals = self.totals();
        for signal in [Signal::Metrics, Signal::Logs] {
            let of = |totals: &BTreeMap<Signal, u64>| totals.get(&signal).copied().unwrap_or_default();
            to.record(&i::AGENT_EXPORTED, of(&totals.exported), [text("signal", signal.name())]);
            to.record(&i::AGENT_RETRIES, of(&totals.retries), [text("signal", signal.name())]);
        }
        let never = ((Signal::Metrics, FULL.to_owned()), 0);
        let dropped: BTreeMap<_, _> =
            std::iter::once(never).chain(totals.dropped.iter().map(|(key, items)| (key.clone(), *items))).collect();
        for ((signal, reason), items) in dropped {
            to.record(&i::AGENT_DROPPED, items, [text("signal", signal.name()), text("reason", reason)]);
        }
    }

    fn totals(&self) -> std::sync::MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The rejected items and the message of a 200. An empty or foreign body rejects nothing.
fn partial_success(signal: Signal, answer: &Answer) -> (u64, String) {
    let (rejected, message) = match signal {
        Signal::Metrics => ExportMetricsServiceResponse::decode(answer.body.clone())
            .ok()
            .and_then(|response| response.partial_success)
            .map(|partial| (partial.rejected_data_points, partial.error_message)),
        Signal::Logs => ExportLogsServiceResponse::decode(answer.body.clone())
            .ok()
            .and_then(|response| response.partial_success)
            .map(|partial| (partial.rejected_log_records, partial.error_message)),
    }
    .unwrap_or_default();
    (u64::try_from(rejected).unwrap_or_default(), message)
}

#[cfg(test)]
mod tests;
