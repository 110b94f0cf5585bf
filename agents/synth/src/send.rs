//! Sends requests over OTLP/HTTP, open loop: at the times they are due, however slow the answers.

use crate::ledger::{Ledger, Outcome};
use crate::{Request, Synth};
use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// How to send.
#[derive(Clone, Debug)]
pub struct Options {
    /// `host:port` of an OTLP/HTTP receiver.
    pub address: String,
    /// How many traces to send; each is sent whole.
    pub traces: u64,
    /// Send each request when its traces have happened; else as fast as answers come.
    pub is_paced: bool,
    /// Connections, one request at a time on each.
    pub connections: usize,
    /// Compress bodies.
    pub is_gzipped: bool,
    /// Send a request again for so long when it is refused for now or gets no answer.
    pub retry: Duration,
}

/// What became of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Requests sent.
    pub requests: u64,
    /// Spans in them.
    pub spans: u64,
    /// Spans acknowledged.
    pub acked_spans: u64,
    /// Spans in requests that were refused in the end.
    pub refused_spans: u64,
    /// Spans in requests that got no answer.
    pub unknown_spans: u64,
    /// Body bytes as sent.
    pub bytes: u64,
    /// How late the latest request went out: the receiver, or this process, was too slow for the pace.
    pub most_late: Duration,
}

struct Shared {
    ledger: Ledger,
    summary: Summary,
}

/// Sends `options.traces` traces and waits for the answers.
///
/// # Errors
/// The ledger cannot be written. What receivers answer is in the summary, not an error.
pub fn send(synth: &mut Synth, options: &Options, ledger: Ledger) -> Result<Summary> {
    let shared = Mutex::new(Shared { ledger, summary: Summary::default() });
    let (queue, requests) = sync_channel::<Request>(options.connections * 2);
    let requests = Mutex::new(requests);
    let (requests, shared_by_all) = (&requests, &shared);
    std::thread::scope(|scope| {
        let worker = |_| scope.spawn(move || work(requests, options, shared_by_all));
        let workers: Vec<_> = (0..options.connections.max(1)).map(worker).collect();
        let started = Instant::now();
        while let Some(request) = synth.next_of(options.traces) {
            if options.is_paced {
                let due = started + Duration::from_nanos(synth.traces() * synth.interval_nanos());
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let late = Instant::now().saturating_duration_since(due);
                let mut shared = shared.lock().expect("no worker panics with the lock");
                shared.summary.most_late = shared.summary.most_late.max(late);
            }
            if queue.send(request).is_err() {
                break; // All workers ended: their errors say why.
            }
        }
        drop(queue);
        workers.into_iter().try_for_each(|worker| worker.join().expect("workers do not panic"))
    })?;
    Ok(shared.into_inner().expect("no worker panics with the lock").summary)
}

fn work(requests: &Mutex<Receiver<Request>>, options: &Options, shared: &Mutex<Shared>) -> Result<()> {
    let mut connection = Connection { address: &options.address, stream: None };
    loop {
        let next = requests.lock().expect("no worker panics with the lock").recv();
        let Ok(request) = next else { return Ok(()) };
        let body = if options.is_gzipped { gzip(&request.body())? } else { request.body() };
        let give_up = Instant::now() + options.retry;
        loop {
            shared.lock().expect("no panic").ledger.sent(request.seq, request.first_span, request.spans)?;
            let answer = connection.post(&body, options.is_gzipped);
            let outcome = answer.as_ref().map_or(Outcome::Unknown, Answer::outcome);
            let mut shared = shared.lock().expect("no panic");
            shared.ledger.ended(request.seq, outcome)?;
            if may_retry(outcome) && Instant::now() < give_up {
                drop(shared);
                let wait = answer.ok().and_then(|answer| answer.retry_after).unwrap_or(Duration::from_millis(100));
                std::thread::sleep(wait.min(give_up.saturating_duration_since(Instant::now())));
                continue;
            }
            shared.summary.count(&request, outcome, body.len());
            break;
        }
    }
}

impl Summary {
    fn count(&mut self, request: &Request, outcome: Outcome, bytes: usize) {
        self.requests += 1;
        self.spans += request.spans;
        self.bytes += bytes as u64;
        match outcome {
            Outcome::Acked(rejected) => self.acked_spans += request.spans.saturating_sub(rejected),
            Outcome::Refused(_) => self.refused_spans += request.spans,
            Outcome::Unknown => self.unknown_spans += request.spans,
        }
    }
}

/// OTLP: clients send again after these, and only these.
fn may_retry(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Unknown | Outcome::Refused(429 | 502 | 503 | 504))
}

fn gzip(body: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).context("gzip")?;
    encoder.finish().context("gzip")
}

struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Answer {
    fn outcome(&self) -> Outcome {
        if self.status != 200 {
            return Outcome::Refused(self.status);
        }
        let response = ExportTraceServiceResponse::decode(self.body.as_slice()).unwrap_or_default();
        Outcome::Acked(response.partial_success.map_or(0, |partial| partial.rejected_spans.max(0) as u64))
    }
}

/// A kept-alive HTTP/1.1 connection: as much of it as OTLP needs.
struct Connection<'a> {
    address: &'a str,
    stream: Option<BufReader<TcpStream>>,
}

impl Connection<'_> {
    fn post(&mut self, body: &[u8], is_gzipped: bool) -> Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(Duration::from_secs(30)))?;
                stream.set_write_timeout(Some(Duration::from_secs(30)))?;
                BufReader::new(stream)
            }
        };
        let encoding = if is_gzipped { "Content-Encoding: gzip\r\n" } else { "" };
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-protobuf\r\n{encoding}Content-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.get_mut().write_all(&[head.as_bytes(), body].concat())?;
        let (answer, stays_open) = read_answer(&mut stream)?;
        self.stream = stays_open.then_some(stream);
        Ok(answer)
    }
}

fn read_answer(stream: &mut impl BufRead) -> Result<(Answer, bool)> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no HTTP answer")?;
    let (mut length, mut retry_after, mut stays_open) = (None, None, true);
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            bail!("the answer ended in its headers");
        }
        let Some((name, value)) = line.split_once(':') else { break };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok(),
            "retry-after" => retry_after = value.parse().ok().map(Duration::from_secs),
            "connection" => stays_open &= !value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    let mut body = vec![0; length.context("an answer without Content-Length")?];
    stream.read_exact(&mut body)?;
    Ok((Answer { status, retry_after, body }, stays_open))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Shape, ledger};
    use std::io::Read;
    use std::net::TcpListener;
    use std::sync::Arc;

    /// Answers every second request with 503 first, then 200; hangs up after each fifth.
    fn moody_receiver(listener: TcpListener, spans: Arc<Mutex<Vec<u64>>>) {
        use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
        let mut count = 0;
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            loop {
                let (mut length, mut line) = (0, String::new());
                while stream.read_line(&mut line).unwrap_or(0) > 2 {
                    if let Some(value) = line.strip_prefix("Content-Length: ") {
                        length = value.trim().parse().unwrap();
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                if length == 0 || stream.read_exact(&mut body).is_err() {
                    break;
                }
                count += 1;
                if count % 2 == 0 {
                    stream
                        .get_mut()
                        .write_all(b"HTTP/1.1 503 Busy\r\nretry-after: 0\r\nContent-Length: 0\r\n\r\n")
                        .unwrap();
                    continue;
                }
                if count % 5 == 0 {
                    break;
                }
                let mut text = Vec::new();
                flate2::read::GzDecoder::new(body.as_slice()).read_to_end(&mut text).unwrap();
                let message = ExportTraceServiceRequest::decode(text.as_slice()).unwrap();
                spans.lock().unwrap().push(message.resource_spans[0].scope_spans[0].spans.len() as u64);
                stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
            }
        }
    }

    #[test]
    fn every_request_is_acknowledged_in_the_end_and_the_ledger_knows() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let received = Arc::new(Mutex::new(Vec::new()));
        let spans = Arc::clone(&received);
        std::thread::spawn(|| moody_receiver(listener, spans));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let options = Options {
            address,
            traces: 300,
            is_paced: false,
            connections: 1,
            is_gzipped: true,
            retry: Duration::from_secs(20),
        };
        let mut synth = Synth::new(Shape::T4, 1, 1, 1_000);
        let summary = send(&mut synth, &options, Ledger::create(&path).unwrap()).unwrap();
        assert_eq!((summary.spans, summary.acked_spans), (600, 600));
        assert_eq!(received.lock().unwrap().iter().sum::<u64>(), 600);
        let entries = ledger::read(&path).unwrap();
        assert_eq!(entries.len() as u64, summary.requests);
        assert!(entries.values().all(|entry| entry.outcome == Outcome::Acked(0)));
    }

    #[test]
    fn nobody_there_is_unknown_not_an_error() {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let options = Options {
            address: gone,
            traces: 10,
            is_paced: false,
            connections: 2,
            is_gzipped: false,
            retry: Duration::ZERO,
        };
        let summary = send(&mut Synth::new(Shape::T4, 1, 1, 1), &options, Ledger::none()).unwrap();
        assert_eq!((summary.acked_spans, summary.unknown_spans), (0, 20));
    }
}
