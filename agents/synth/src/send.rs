//! Sends a corpus over OTLP/HTTP or gRPC, at a rate or as fast as answers come.
//!
//! At a rate the schedule does not wait for the receiver (open loop), and an answer's time counts from when its request
//! was due, so that a slow receiver cannot hide.

use crate::corpus::Corpus;
use crate::ledger::Ledger;
use crate::wire::{Call, Compression, Connection, Outcome, Transport};
use anyhow::Result;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;

/// Where and how to send.
#[derive(Clone, Debug)]
pub struct Target {
    /// Base URL of the receiver.
    pub url: String,
    /// How.
    pub transport: Transport,
    /// Of bodies.
    pub compression: Compression,
    /// Requests under way at once.
    pub connections: u64,
}

/// How much, and how fast.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Number of the first request.
    pub first: u64,
    /// How many requests.
    pub requests: u64,
    /// Items per second; as fast as answers come if `None`.
    pub items_per_second: Option<f64>,
    /// How long a request is sent again when it is refused for now or gets no answer.
    pub retry: Duration,
    /// No request goes out later than this after the start.
    pub at_most: Duration,
    /// How old the telemetry is: that of the first request, and that of the last.
    pub age: (Duration, Duration),
}

impl Plan {
    /// So many requests, as fast as answers come, each sent once.
    pub fn of(first: u64, requests: u64) -> Plan {
        let (retry, at_most) = (Duration::ZERO, Duration::MAX);
        Plan { first, requests, items_per_second: None, retry, at_most, age: Default::default() }
    }

    /// How old the telemetry of a request is.
    fn age_of(&self, number: u64) -> Duration {
        let (first, last) = self.age;
        let part = (number - self.first) as f64 / self.requests.max(1) as f64;
        last + first.saturating_sub(last).mul_f64(1.0 - part)
    }
}

/// What became of it.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// Items acknowledged.
    pub acked_items: u64,
    /// Items in acknowledged requests that were not kept.
    pub rejected_items: u64,
    /// Items of requests refused in the end, by HTTP status or gRPC's equivalent; 0 is no answer.
    pub refused_items: BTreeMap<u16, u64>,
    /// Bytes of bodies, compressed.
    pub bytes: u64,
    /// From the time a request was due to its acknowledgement, milliseconds, in order.
    pub ack_millis: Vec<f64>,
    /// How long it took.
    pub seconds: f64,
    /// When each round was said to end, Unix nanoseconds.
    pub rounds: BTreeMap<u64, u64>,
    /// Request by request.
    pub ledger: Ledger,
}

impl Sent {
    /// The answer time below which a share of all were.
    pub fn ack_quantile(&self, share: f64) -> f64 {
        quantile(&self.ack_millis, share)
    }

    /// Items sent, each counted once.
    pub fn items(&self) -> u64 {
        self.acked_items + self.rejected_items + self.refused_items.values().sum::<u64>()
    }
}

/// A quantile of ordered values; NaN of none.
pub fn quantile(ordered: &[f64], share: f64) -> f64 {
    let at = ((ordered.len() as f64 - 1.0) * share).round();
    ordered.get(at.max(0.0) as usize).copied().unwrap_or(f64::NAN)
}

/// Unix nanoseconds.
pub fn now_unix_nano() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// Sends requests and waits for all answers.
///
/// # Errors
/// The URL is none, or an answer breaks OTLP. Refusals and silence are in the result, not errors.
pub async fn send(corpus: &Arc<Corpus>, target: &Target, plan: Plan) -> Result<Sent> {
    let run = Arc::new(Run {
        corpus: Arc::clone(corpus),
        target: target.clone(),
        plan,
        next: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        started: Instant::now(),
        rounds: Mutex::default(),
        sent: Mutex::default(),
    });
    let mut workers = JoinSet::new();
    for _ in 0..target.connections.max(1) {
        let connection = Connection::new(&target.url, target.transport)?;
        workers.spawn(Arc::clone(&run).work(connection));
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    let mut sent = std::mem::take(&mut *run.sent.lock().expect("no worker panics"));
    sent.rounds = std::mem::take(&mut *run.rounds.lock().expect("no worker panics"));
    sent.seconds = run.started.elapsed().as_secs_f64();
    sent.ack_millis.sort_by(f64::total_cmp);
    Ok(sent)
}

struct Run {
    corpus: Arc<Corpus>,
    target: Target,
    plan: Plan,
    next: AtomicU64,
    stop: AtomicBool,
    started: Instant,
    /// When each round began: all its items are shifted alike.
    rounds: Mutex<BTreeMap<u64, u64>>,
    sent: Mutex<Sent>,
}

impl Run {
    async fn work(self: Arc<Run>, mut connection: Connection) -> Result<()> {
        loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            if at >= self.plan.requests
                || self.started.elapsed() > self.plan.at_most
                || self.stop.load(Ordering::Relaxed)
            {
                return Ok(());
            }
            let number = self.plan.first + at;
            let due = self.due(number).await;
            let round = number / self.corpus.requests();
            let begins = || now_unix_nano() - self.plan.age_of(number).as_nanos() as u64;
            let now = *self.rounds.lock().expect("no worker panics").entry(round).or_insert_with(begins);
            let fresh = self.corpus.request(number, now);
            let call = self.call(fresh.body);
            let outcome = self
                .deliver(&mut connection, number, &call)
                .await
                .inspect_err(|_| self.stop.store(true, Ordering::Relaxed))?;
            let mut sent = self.sent.lock().expect("no worker panics");
            sent.bytes += call.body.len() as u64;
            match outcome {
                Outcome::Acked(rejected) => {
                    sent.acked_items += fresh.items - rejected.min(fresh.items);
                    sent.rejected_items += rejected;
                    sent.ack_millis.push(due.elapsed().as_secs_f64() * 1e3);
                }
                Outcome::Refused(status, _) => *sent.refused_items.entry(status).or_default() += fresh.items,
                Outcome::Unknown => *sent.refused_items.entry(0).or_default() += fresh.items,
            }
        }
    }

    /// Waits until a request is due.
    async fn due(&self, number: u64) -> Instant {
        let Some(rate) = self.plan.items_per_second else { return Instant::now() };
        let items = self.corpus.items_of(number) - self.corpus.items_of(self.plan.first);
        let due = self.started + Duration::from_secs_f64(items as f64 / rate);
        tokio::time::sleep_until(due.into()).await;
        due
    }

    fn call(&self, body: Vec<u8>) -> Call {
        let (signal, coding) = (self.corpus.signal(), self.target.compression.name());
        let body = self.target.compression.pack(body);
        match self.target.transport {
            Transport::Http => Call::http(signal, "application/x-protobuf", coding, body),
            Transport::Grpc => Call::grpc(signal, coding, &body),
        }
    }

    /// Sends a request until it is settled, or for as long as the plan says.
    async fn deliver(&self, connection: &mut Connection, number: u64, call: &Call) -> Result<Outcome> {
        let give_up = Instant::now() + self.plan.retry;
        loop {
            self.sent.lock().expect("no worker panics").ledger.sent(number);
            // An acknowledgement is one when it has been read to its end.
            let outcome = match connection.call(call).await {
                Ok(answer) => answer.outcome()?,
                Err(_) => Outcome::Unknown,
            };
            self.sent.lock().expect("no worker panics").ledger.ended(number, outcome);
            if !outcome.may_retry() || Instant::now() >= give_up {
                return Ok(outcome);
            }
            let told = if let Outcome::Refused(_, Some(wait)) = outcome { wait } else { Duration::from_millis(100) };
            tokio::time::sleep(told.min(give_up.saturating_duration_since(Instant::now()))).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;

    /// Answers every second request with 503 first, then 200; hangs up after each fifth. Counts bytes of those it took.
    fn moody_receiver(listener: TcpListener, bytes: Arc<AtomicU64>) {
        let busy = "HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-type: application/json\r\n";
        let detail = r#"{"code":14,"message":"busy","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo"}]}"#;
        let mut count = 0;
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            loop {
                let (mut length, mut line) = (0, String::new());
                while stream.read_line(&mut line).unwrap_or(0) > 2 {
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                        length = value.trim().parse().unwrap();
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                if length == 0 || stream.read_exact(&mut body).is_err() {
                    break;
                }
                count += 1;
                let answer = match count {
                    count if count % 2 == 0 => format!("{busy}content-length: {}\r\n\r\n{detail}", detail.len()),
                    count if count % 5 == 0 => break,
                    _ => {
                        bytes.fetch_add(length as u64, Ordering::Relaxed);
                        "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n"
                            .to_owned()
                    }
                };
                stream.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        }
    }

    #[tokio::test]
    async fn every_request_is_acknowledged_in_the_end_and_the_ledger_knows() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&received);
        std::thread::spawn(|| moody_receiver(listener, counter));
        let corpus = Arc::new(Corpus::new(Shape::T4, 1, 600, 1e6));
        let target = Target { url, transport: Transport::Http, compression: Compression::Gzip, connections: 1 };
        let plan = Plan { retry: Duration::from_secs(20), ..Plan::of(0, corpus.requests() * 4) };
        let sent = send(&corpus, &target, plan).await.unwrap();
        assert_eq!((sent.acked_items, sent.items()), (corpus.items() * 4, corpus.items() * 4));
        assert_eq!((sent.ledger.requests(), sent.ledger.unknown()), (plan.requests, 0));
        assert!(sent.ledger.refusals[&503] > 0);
        assert_eq!(received.load(Ordering::Relaxed), sent.bytes);
    }

    #[tokio::test]
    async fn nobody_there_is_unknown_not_an_error() {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let corpus = Arc::new(Corpus::new(Shape::T4, 1, 20, 1e6));
        for transport in [Transport::Http, Transport::Grpc] {
            let url = format!("http://{gone}");
            let target = Target { url, transport, compression: Compression::None, connections: 2 };
            let sent = send(&corpus, &target, Plan::of(0, corpus.requests())).await.unwrap();
            assert_eq!((sent.acked_items, sent.refused_items[&0]), (0, corpus.items()));
            assert_eq!(sent.ledger.unknown(), corpus.requests());
        }
    }
}
