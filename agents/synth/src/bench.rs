//! Measures a server from outside: what it takes in per second of processor time, what that is on disk, how soon it is
//! seen, how quickly it is found, and what overload and a kill do.
//!
//! Processor time repeats on shared machines where wall time does not. The sender runs beside the server and takes its
//! share of the cores, so that wall figures are a lower bound.

mod behind;
mod questions;

use crate::Shape;
use crate::corpus::Corpus;
use crate::corpus::known::{Known, Sending};
use crate::send::{self, Plan, Sent, Target, quantile};
use crate::server::Server;
use crate::wire::{Compression, Signal, Transport};
use anyhow::{Context, Result};
use questions::{Catalogue, Class};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `orrery` binary.
    pub orrery: PathBuf,
    /// Where data lies; a temporary directory if `None`.
    pub data_dir: Option<PathBuf>,
    /// What traffic looks like.
    pub shape: Shape,
    /// Seed of the corpus.
    pub seed: u64,
    /// Of bodies.
    pub compression: Compression,
    /// Spans, log records or data points stored before queries are asked.
    pub items: u64,
    /// Questions of each kind.
    pub questions: u64,
    /// Seconds of half load, and of overload.
    pub seconds: f64,
    /// How long ago what is stored before the questions began: there is something of every minute since. 0: it is of
    /// now.
    pub hours: f64,
    /// Nothing is sent: the data directory has what an earlier run with the same options stored.
    pub only_ask: bool,
    /// No question is asked, and nothing but what questions are about is sent.
    pub only_store: bool,
    /// MiB of log behind a start that is measured at the end; 0 leaves it out.
    pub log_mib: u64,
}

/// Items of one round of the corpus.
const ROUND: u64 = 250_000;
const CONNECTIONS: u64 = 8;
const PATIENCE: Duration = Duration::from_secs(900);

/// Runs all phases. The figures' names say their units.
///
/// # Errors
/// The server does not start, loses something, or answers wrongly.
pub async fn run(options: &Options) -> Result<Value> {
    let temporary = tempfile::tempdir()?;
    let data = options.data_dir.clone().unwrap_or_else(|| temporary.path().join("data"));
    let minutes = (options.hours * 60.0).ceil() as u64;
    let round = options.items.checked_div(minutes).map_or(ROUND, |items| items.clamp(1, ROUND));
    let corpus = Arc::new(Corpus::new(options.shape.clone(), options.seed, round, 50_000.0));
    let mut figures = Map::new();
    let mut bench = Bench { options, corpus, next: 0, sent: Vec::new(), wrong: AtomicU64::new(0) };
    let server = Server::start(&options.orrery, &data, None).await?;
    if options.only_ask {
        bench.next = 2 * bench.requests(options.items / 2);
        bench.sent = recall(&data)?;
        figures.insert("ready_ms".into(), json!(self::round(server.started_in.as_secs_f64() * 1e3)));
        figures.insert("queries".into(), bench.queries(&server).await?);
        figures.insert("settled".into(), bench.settled(&server).await?);
        figures.insert("queries_idle".into(), bench.queries(&server).await?);
        figures.insert("wrong_answers".into(), json!(bench.wrong));
        return Ok(Value::Object(figures));
    }
    figures.insert("idle_cpu_percent".into(), bench.idle(&server).await?);
    let begin = Duration::from_secs_f64(options.hours * 3600.0);
    let (half, now) = (begin / 2, Duration::ZERO);
    figures
        .insert("ingest_http".into(), bench.ingest(&server, Transport::Http, options.items / 2, (begin, half)).await?);
    figures.insert("ingest_grpc".into(), bench.ingest(&server, Transport::Grpc, options.items / 2, (half, now)).await?);
    if options.data_dir.is_some() {
        remember(&data, &bench.sent)?;
    }
    let rate = figures["ingest_http"]["wall_items_per_second"].as_f64().context("a rate")?;
    figures.insert("settled".into(), bench.settled(&server).await?);
    if options.only_store {
        return Ok(Value::Object(figures));
    }
    if bench.corpus.signal() == Signal::Traces {
        figures.insert("queries_idle".into(), bench.queries(&server).await?);
        figures.insert("half_load".into(), bench.half_load(&server, rate / 2.0).await?);
    }
    figures.insert("overload_3x".into(), bench.overload(&server, rate * 3.0).await?);
    figures.insert("peak_rss_mib".into(), json!(server.process.peak_rss_mib().round()));
    figures.insert("restart".into(), bench.restart(server, &data).await?);
    if options.log_mib > 0 {
        let (orrery, bytes) = (&options.orrery, options.log_mib << 20);
        let behind = behind::start(orrery, &bench.corpus, options.compression, bytes).await?;
        figures.insert("start_behind_log".into(), behind);
    }
    figures.insert("wrong_answers".into(), json!(bench.wrong));
    Ok(Value::Object(figures))
}

struct Bench<'a> {
    options: &'a Options,
    corpus: Arc<Corpus>,
    /// Requests sent so far.
    next: u64,
    /// The same, with the times they were of.
    sent: Vec<Sending>,
    /// Answers that were not right.
    wrong: AtomicU64,
}

impl Bench<'_> {
    async fn send(&mut self, server: &Server, transport: Transport, items: u64, rate: Option<f64>) -> Result<Sent> {
        self.send_aged(server, transport, items, rate, Default::default()).await
    }

    async fn send_aged(
        &mut self,
        server: &Server,
        transport: Transport,
        items: u64,
        rate: Option<f64>,
        age: (Duration, Duration),
    ) -> Result<Sent> {
        let requests = self.requests(items);
        let target = Target {
            url: server.url(transport),
            transport,
            compression: self.options.compression,
            connections: if rate.is_some() { CONNECTIONS * 8 } else { CONNECTIONS },
        };
        // As fast as it goes: what is refused for now is sent again. At a rate it is lost, and counted.
        let retry = if rate.is_none() { PATIENCE } else { Duration::ZERO };
        let plan = Plan { items_per_second: rate, retry, age, ..Plan::of(self.next, requests) };
        let sent = send::send(&self.corpus, &target, plan).await?;
        self.sent.push(Sending { requests: self.next..self.next + requests, rounds: sent.rounds.clone() });
        self.next += requests;
        Ok(sent)
    }

    /// Requests with so many items.
    fn requests(&self, items: u64) -> u64 {
        (items * self.corpus.requests()).div_ceil(self.corpus.items())
    }

    fn signal(&self) -> Signal {
        self.corpus.signal()
    }

    async fn idle(&self, server: &Server) -> Result<Value> {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (before, seconds) = (server.process.cpu_seconds(), 10.0);
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        Ok(json!(round((server.process.cpu_seconds() - before) / seconds * 100.0)))
    }

    /// As fast as it goes, until everything is seen.
    async fn ingest(
        &mut self,
        server: &Server,
        transport: Transport,
        items: u64,
        age: (Duration, Duration),
    ) -> Result<Value> {
        say(&format!("{items} {} over {transport:?}", self.signal().as_str()));
        let (cpu, began) = (server.process.cpu_seconds(), Instant::now());
        let before = server.counted(self.signal(), "queryable").await?;
        let sent = self.send_aged(server, transport, items, None, age).await?;
        server.until_queryable(self.signal(), before + sent.acked_items, PATIENCE).await?;
        let cpu = server.process.cpu_seconds() - cpu;
        Ok(json!({
            "items": sent.acked_items,
            "rejected_items": sent.rejected_items,
            "refused_items": sent.refused_items,
            "refused_requests": sent.ledger.refusals,
            "items_per_cpu_second": (sent.acked_items as f64 / cpu).round(),
            "wall_items_per_second": (sent.acked_items as f64 / began.elapsed().as_secs_f64()).round(),
            "ack_p50_ms": round(sent.ack_quantile(0.5)),
            "ack_p99_ms": round(sent.ack_quantile(0.99)),
            "wire_bytes_per_item": round(sent.bytes as f64 / sent.acked_items as f64),
        }))
    }

    /// Everything sealed and merged: what all of it cost.
    async fn settled(&self, server: &Server) -> Result<Value> {
        say("settling");
        server.settle(PATIENCE).await?;
        let own = server.own().await?;
        let items = server.counted(self.signal(), "queryable").await?;
        Ok(json!({
            "items": items,
            "items_per_cpu_second": (items as f64 / server.process.cpu_seconds()).round(),
            "disk_bytes_per_item": round(server.disk_bytes() as f64 / items as f64),
            "sealed_bytes_per_item": round(own["sealed_bytes"].as_f64().unwrap_or(f64::NAN) / items as f64),
            "segments": own["segments"],
            "index_memory_mib": round(own["index_memory_bytes"].as_f64().unwrap_or(f64::NAN) / 1048576.0),
            "rss_mib": server.process.rss_mib().round(),
            "peak_rss_mib": server.process.peak_rss_mib().round(),
        }))
    }

    /// Every class of questions, and whether the answers are right.
    async fn queries(&self, server: &Server) -> Result<Value> {
        say("asking");
        let few = (self.options.questions as usize / 4).max(5);
        let is_checked = self.corpus.is_plain() && self.sent.last().map(|sent| sent.requests.end) == Some(self.next);
        let catalogue = Catalogue {
            known: Arc::new(Known::new(Arc::clone(&self.corpus), self.sent.clone())),
            numbers: self.numbers(),
            round: self.corpus.requests(),
            range: format!("from=now-{}h", 24 + 2 * self.options.hours as u64),
            few,
            is_checked,
        };
        let mut figures = Map::new();
        for class in catalogue.classes(|number| self.corpus.trace_id(number)) {
            figures.insert(class.name.to_owned(), self.ask(server, &class).await?);
        }
        figures.insert("are_checked".to_owned(), json!(is_checked));
        Ok(Value::Object(figures))
    }

    /// Requests whose traces are asked for: as many of any age, and of the newest twentieth.
    fn numbers(&self) -> Vec<u64> {
        let recent = (self.next / 20).max(1);
        let of = |at: u64, all: u64| at * 7919 % all;
        let any_age = (0..self.options.questions).map(|at| of(at, self.next));
        any_age.chain((0..self.options.questions).map(|at| self.next - 1 - of(at, recent))).collect()
    }

    async fn ask(&self, server: &Server, class: &Class) -> Result<Value> {
        let (name, questions) = (class.name, &class.questions);
        // Shapes without such attributes have no such questions.
        if questions.is_empty() {
            return Ok(Value::Null);
        }
        let (mut asked, mut wrong) = (Vec::new(), Vec::new());
        let mut cpu = 0.0;
        for question in questions {
            let before = server.process.cpu_seconds();
            let answer = server.ask(&question.path).await?;
            cpu += server.process.cpu_seconds() - before;
            let is_missing = name == "q03_trace_missing";
            let text = || String::from_utf8_lossy(&answer.body[..answer.body.len().min(1000)]).into_owned();
            let is_right = if is_missing { answer.status == 404 } else { answer.status.is_success() };
            anyhow::ensure!(is_right, "{name}: {}: {}: {}", question.path, answer.status, text());
            if let Some(check) = &question.check {
                wrong.extend(
                    check(&serde_json::from_slice(&answer.body)?)
                        .err()
                        .map(|error| (error.to_string(), &question.path)),
                );
            }
            asked.push((answer.millis, answer.body.len(), &question.path));
        }
        let first = asked[0].0;
        asked.sort_by(|a, b| a.0.total_cmp(&b.0));
        let millis: Vec<f64> = asked.iter().map(|(millis, ..)| *millis).collect();
        let (_, bytes, slowest) = asked[asked.len() - 1];
        let mut figures = spread(&millis);
        figures["first_ms"] = json!(round(first));
        figures["cpu_ms"] = json!(round(cpu * 1e3 / questions.len() as f64));
        figures["slowest"] = json!({ "path": slowest, "bytes": bytes });
        figures["checked"] = json!(questions.iter().filter(|question| question.check.is_some()).count());
        if let Some((error, path)) = wrong.first() {
            self.wrong.fetch_add(wrong.len() as u64, Ordering::Relaxed);
            figures["wrong"] = json!({ "answers": wrong.len(), "for_example": error, "path": path });
        }
        Ok(figures)
    }

    /// Half of what it can take, with a look every moment at how soon a trace is seen; traces are looked up meanwhile.
    async fn half_load(&mut self, server: &Server, rate: f64) -> Result<Value> {
        say(&format!("{rate:.0} items per second"));
        let cpu = server.process.cpu_seconds();
        let items = (rate * self.options.seconds) as u64;
        let watch = Arc::new(Corpus::new(Shape::T4, self.options.seed + 1, 2, 100.0));
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let (stored, corpus) = (self.next, Arc::clone(&self.corpus));
        let load = async {
            let sent = self.send(server, Transport::Http, items, Some(rate)).await;
            _ = stop.send(true);
            sent
        };
        let seen = watch_visibility(server, &watch, stopped.clone());
        let trace = |at: u64| format!("/api/v1/traces/{:032x}", corpus.trace_id(at * 7919 % stored));
        let found = ask_until(server, trace, stopped.clone());
        let mapped = ask_until(server, |_| "/api/v1/topology?from=now-24h".to_owned(), stopped);
        let (sent, seen, found, mapped) = tokio::join!(load, seen, found, mapped);
        let (sent, seen, found, mapped) = (sent?, seen?, found?, mapped?);
        let cpu = server.process.cpu_seconds() - cpu;
        Ok(json!({
            "offered_items_per_second": rate.round(),
            "refused_items": sent.refused_items,
            "ack_p50_ms": round(sent.ack_quantile(0.5)),
            "ack_p99_ms": round(sent.ack_quantile(0.99)),
            "visible": spread(&seen),
            "trace_by_id": spread(&found),
            "topology_24h": spread(&mapped),
            "items_per_cpu_second": (sent.acked_items as f64 / cpu).round(),
        }))
    }

    async fn overload(&mut self, server: &Server, rate: f64) -> Result<Value> {
        say(&format!("overload: {rate:.0} items per second"));
        let items = (rate * self.options.seconds) as u64;
        let before = server.counted(self.signal(), "accepted").await?;
        let sent = self.send(server, Transport::Http, items, Some(rate)).await?;
        let began = Instant::now();
        // One request after the other is answered again at once.
        let calm = self.send(server, Transport::Http, 1_000, Some(10_000.0)).await?;
        let accepted = server.counted(self.signal(), "accepted").await? - before;
        anyhow::ensure!(accepted >= sent.acked_items + calm.acked_items, "acknowledged and not accepted");
        server.until_queryable(self.signal(), before + accepted, PATIENCE).await?;
        Ok(json!({
            "offered_items_per_second": rate.round(),
            "accepted_items_per_second": (sent.acked_items as f64 / sent.seconds).round(),
            "refused_items": sent.refused_items,
            "recovered_in_ms": round(began.elapsed().as_secs_f64() * 1e3),
            "refused_afterwards": calm.refused_items,
        }))
    }

    /// kill -9 with a log behind, and a start.
    async fn restart(&mut self, server: Server, data: &Path) -> Result<Value> {
        say("kill and restart");
        self.send(&server, Transport::Http, ROUND, None).await?;
        let (own, accepted) = (server.own().await?, server.counted(self.signal(), "accepted").await?);
        drop(server);
        let server = Server::start(&self.options.orrery, data, None).await?;
        server.until_read().await?;
        let now = server.counted(self.signal(), "accepted").await?;
        anyhow::ensure!(now >= accepted, "{accepted} items were accepted, {now} are known after the restart");
        Ok(
            json!({ "wal_mib": round(own["wal_bytes"].as_f64().unwrap_or(0.0) / 1048576.0), "ready_ms": round(server.started_in.as_secs_f64() * 1e3) }),
        )
    }
}

/// Where stands what was sent to a data directory: beside it.
fn memory(data: &Path) -> PathBuf {
    data.with_extension("sent.json")
}

fn remember(data: &Path, sent: &[Sending]) -> Result<()> {
    let sent = sent.iter().map(|sent| json!([sent.requests.start, sent.requests.end, sent.rounds]));
    Ok(std::fs::write(memory(data), Value::from_iter(sent).to_string())?)
}

fn recall(data: &Path) -> Result<Vec<Sending>> {
    let path = memory(data);
    let text = std::fs::read_to_string(&path).with_context(|| format!("{} says what was sent", path.display()))?;
    let sent: Vec<(u64, u64, BTreeMap<u64, u64>)> = serde_json::from_str(&text)?;
    Ok(sent.into_iter().map(|(from, to, rounds)| Sending { requests: from..to, rounds }).collect())
}

/// From sending a small request to finding its trace, milliseconds.
async fn watch_visibility(
    server: &Server,
    corpus: &Arc<Corpus>,
    stopped: tokio::sync::watch::Receiver<bool>,
) -> Result<Vec<f64>> {
    let transport = Transport::Http;
    let target = Target { url: server.url(transport), transport, compression: Compression::Gzip, connections: 1 };
    let mut millis = Vec::new();
    for first in 0.. {
        if *stopped.borrow() {
            break;
        }
        let began = Instant::now();
        send::send(corpus, &target, Plan::of(first, 1)).await?;
        let path = format!("/api/v1/traces/{:032x}", corpus.trace_id(first));
        while server.get(&path).await.is_err() {
            anyhow::ensure!(began.elapsed() < PATIENCE, "an acknowledged trace is never seen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        millis.push(began.elapsed().as_secs_f64() * 1e3);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    millis.sort_by(f64::total_cmp);
    Ok(millis)
}

/// Asks one question after the other, while telemetry comes in. Milliseconds, in order.
async fn ask_until(
    server: &Server,
    path: impl Fn(u64) -> String,
    stopped: tokio::sync::watch::Receiver<bool>,
) -> Result<Vec<f64>> {
    let mut millis = Vec::new();
    for at in 0u64.. {
        if *stopped.borrow() {
            break;
        }
        let path = path(at);
        let answer = server.ask(&path).await?;
        anyhow::ensure!(answer.status.is_success(), "{path}: {}", answer.status);
        millis.push(answer.millis);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    millis.sort_by(f64::total_cmp);
    Ok(millis)
}

/// Figures of ordered milliseconds.
fn spread(millis: &[f64]) -> Value {
    json!({
        "questions": millis.len(),
        "p50_ms": round(quantile(millis, 0.5)),
        "p99_ms": round(quantile(millis, 0.99)),
        "max_ms": round(quantile(millis, 1.0)),
    })
}

/// Progress, beside the figures.
fn say(what: &str) {
    eprintln!("bench: {what}");
}

/// Three digits after the point are more than anybody reads.
pub(crate) fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
