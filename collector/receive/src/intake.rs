//! One request, whatever the transport: read the body, decode it, have it made durable.

use crate::budget::{Budget, Reservation};
use crate::builder::Failure;
use crate::compress::{Coding, decompress};
use crate::config::{Config, Limits};
use crate::contract::Outcome;
use crate::decode::{Decoded, Decoder, Encoded};
use crate::reason;
use crate::sink::{Denied, Refused, Sender, Sink};
use foldhash::fast::RandomState;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use orrery_model::{Body, Compression, Encoding, Signal};
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

/// Advice to a client that came at a bad moment.
const SOON: Duration = Duration::from_secs(1);
/// Requests up to here are decoded where they are received; larger ones where blocking is allowed.
const SMALL_PLAIN: usize = 32 << 10;
const SMALL_COMPRESSED: usize = 4 << 10;

/// Unix nanoseconds.
pub(crate) type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What both transports share.
pub(crate) struct Intake {
    pub(crate) config: Config,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) clock: Clock,
    decoder: Arc<Decoder>,
    budget: Budget,
    /// Large requests decoded at a time: one per processor.
    processors: Arc<Semaphore>,
    poison: Poison,
}

/// A request as its head describes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announced {
    pub(crate) signal: Signal,
    pub(crate) encoding: Encoding,
    pub(crate) coding: Coding,
}

impl Intake {
    pub(crate) fn new(sink: Arc<dyn Sink>, config: Config, clock: Clock) -> Intake {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Intake {
            decoder: Arc::new(Decoder::new(config.limits.clone())),
            budget: Budget::new(config.limits.memory_budget_bytes),
            processors: Arc::new(Semaphore::new(processors)),
            poison: Poison::default(),
            config,
            sink,
            clock,
        }
    }

    /// Whether `sender` may send.
    pub(crate) fn admit(&self, signal: Signal, sender: &Sender<'_>) -> Result<(), Outcome> {
        self.sink.admit(signal, sender).map_err(|denied| match denied {
            Denied::Unauthenticated => Outcome::Unauthenticated,
            Denied::Forbidden => Outcome::Forbidden,
            Denied::OverQuota(after) => Outcome::Quota(after),
            Denied::Refused(refused) => unavailable(refused),
        })
    }

    pub(crate) fn reserve(&self) -> Reservation {
        self.budget.reserve()
    }

    /// Reads a whole body of at most `limit` bytes.
    pub(crate) async fn collect(
        &self,
        body: &mut Incoming,
        limit: usize,
        reservation: &mut Reservation,
    ) -> Result<Vec<u8>, Outcome> {
        let mut pace = Pace::new(&self.config);
        let announced = body.size_hint().lower();
        if announced > limit as u64 {
            return Err(too_big(limit));
        }
        let mut reserved = announced as usize;
        let mut bytes = Vec::new();
        if !reservation.grow(reserved) {
            return Err(busy());
        }
        bytes.reserve_exact(reserved);
        while let Some(frame) = pace.frame(body).await? {
            if bytes.len() + frame.len() > limit {
                return Err(too_big(limit));
            }
            if bytes.len() + frame.len() > reserved {
                let more = (bytes.len() + frame.len()).next_power_of_two().max(16 << 10) - reserved;
                if !reservation.grow(more) {
                    return Err(busy());
                }
                reserved += more;
            }
            bytes.extend_from_slice(&frame);
        }
        Ok(bytes)
    }

    /// Reads on and forgets, so that an HTTP/1.1 client that sends before it reads gets to the answer; at the usual pace,
    /// and twice as much as is taken in: most of what is too big is not much too big.
    pub(crate) async fn forget(&self, body: &mut Incoming) {
        let mut pace = Pace::new(&self.config);
        let mut left = self.config.limits.max_wire_bytes.saturating_mul(2);
        while let Ok(Some(frame)) = pace.frame(body).await {
            let Some(rest) = left.checked_sub(frame.len()) else { return };
            left = rest;
        }
    }

    /// Takes a request in; tells the sink how it went.
    pub(crate) async fn take(
        &self,
        announced: Announced,
        bytes: Vec<u8>,
        reservation: Reservation,
        sender: &Sender<'_>,
    ) -> Outcome {
        let print = self.poison.print(&bytes);
        if self.poison.knows(print) {
            self.sink.rejected(announced.signal, reason::POISON, 1, sender);
            return Outcome::Undecodable("this request has failed inside the server before".to_owned());
        }
        let taken = AssertUnwindSafe(self.take_unguarded(announced, bytes, reservation, sender)).catch_unwind().await;
        taken.unwrap_or_else(|_| {
            tracing::error!(signal = %announced.signal, sender = %sender.address, "receiving a request panicked");
            self.poison.remember(print);
            self.sink.refused(announced.signal, reason::INTERNAL);
            Outcome::Unavailable(SOON, reason::INTERNAL)
        })
    }

    async fn take_unguarded(
        &self,
        announced: Announced,
        bytes: Vec<u8>,
        reservation: Reservation,
        sender: &Sender<'_>,
    ) -> Outcome {
        let signal = announced.signal;
        let (body, decoded, held) = match self.decode(announced, bytes, reservation).await {
            Ok(decoded) => decoded,
            Err(failure) => return self.failed(signal, failure, sender),
        };
        let Decoded { batch, rejected, dropped } = decoded;
        let items = batch.len() as u64 + rejected.total();
        if !batch.is_empty()
            && let Err(outcome) = self.append(body, batch).await
        {
            self.note(signal, &outcome, sender);
            return outcome;
        }
        drop(held);
        rejected.iter().for_each(|(reason, count)| self.sink.rejected(signal, reason, count, sender));
        dropped.iter().for_each(|(reason, count)| self.sink.dropped(signal, reason, count));
        let mut messages = Vec::new();
        if rejected.total() > 0 {
            messages.push(format!("rejected {} of {items} items ({rejected})", rejected.total()));
        }
        let warnings = dropped.iter().filter(|(reason, _)| reason::WORTH_A_WARNING.contains(reason));
        let warnings: Vec<String> = warnings.map(|(reason, count)| format!("{reason}: {count}")).collect();
        if !warnings.is_empty() {
            messages.push(format!("not stored as sent ({})", warnings.join(", ")));
        }
        Outcome::Done { rejected: rejected.total(), message: messages.join("; ") }
    }

    async fn decode(
        &self,
        announced: Announced,
        bytes: Vec<u8>,
        reservation: Reservation,
    ) -> Result<(Body, Decoded, Option<Reservation>), Failure> {
        let identity = announced.coding == Coding::Kept(Compression::Identity);
        let small = bytes.len() <= if identity { SMALL_PLAIN } else { SMALL_COMPRESSED };
        let (decoder, limits, now) = (self.decoder.clone(), self.config.limits.clone(), (self.clock)());
        let work = move || decode(&decoder, &limits, announced, bytes, now, reservation);
        if small {
            return work();
        }
        let turn = self.processors.clone().acquire_owned().await.expect("the semaphore is never closed");
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    async fn append(&self, body: Body, batch: orrery_model::Batch) -> Result<(), Outcome> {
        let within = Duration::from_millis(self.config.append_timeout_millis);
        match timeout(within, self.sink.append(body, batch)).await {
            Ok(appended) => appended.map_err(unavailable),
            Err(_) => Err(Outcome::Unavailable(SOON, reason::APPEND_TIMEOUT)),
        }
    }

    /// Tells the sink of a request that came to nothing, and makes it an answer.
    fn failed(&self, signal: Signal, failure: Failure, sender: &Sender<'_>) -> Outcome {
        let outcome = match failure {
            Failure::Malformed(message) => Outcome::Undecodable(message),
            Failure::TooBig(message) => Outcome::TooBig(message),
            Failure::Busy => busy(),
        };
        self.note(signal, &outcome, sender);
        outcome
    }

    /// Tells the sink of a request that ended without being stored.
    pub(crate) fn note(&self, signal: Signal, outcome: &Outcome, sender: &Sender<'_>) {
        let rejected = match outcome {
            Outcome::Undecodable(_) => reason::MALFORMED,
            Outcome::TooBig(_) => reason::TOO_BIG,
            Outcome::Unsupported(_) => reason::MEDIA_TYPE,
            Outcome::Unauthenticated | Outcome::Forbidden => reason::DENIED,
            Outcome::Quota(_) => return self.sink.refused(signal, reason::QUOTA),
            Outcome::Stalled => return self.sink.refused(signal, reason::BODY_STALLED),
            Outcome::Unavailable(_, reason) => return self.sink.refused(signal, reason),
            Outcome::Done { .. } | Outcome::NotFound | Outcome::Method => return,
        };
        self.sink.rejected(signal, rejected, 1, sender);
    }
}

fn decode(
    decoder: &Decoder,
    limits: &Limits,
    announced: Announced,
    mut bytes: Vec<u8>,
    received_unix_nano: i64,
    mut reservation: Reservation,
) -> Result<(Body, Decoded, Option<Reservation>), Failure> {
    let Announced { signal, encoding, coding } = announced;
    let compression = match coding {
        Coding::Kept(compression) => compression,
        Coding::Deflate => {
            let plain = decompress(coding, &bytes, limits.max_decompressed_bytes, Some(&mut reservation))?;
            bytes = zstd::bulk::compress(&plain, 1).expect("compressing memory to memory does not fail");
            Compression::Zstd
        }
    };
    let coding = Coding::Kept(compression);
    let encoded = Encoded { signal, encoding, coding, received_unix_nano, bytes: &bytes };
    let (decoded, reservation) = decoder.decode_request(&encoded, reservation)?;
    Ok((Body { signal, encoding, compression, received_unix_nano, bytes }, decoded, reservation))
}

fn too_big(limit: usize) -> Outcome {
    Outcome::TooBig(format!("the request is larger than {limit} bytes"))
}

fn busy() -> Outcome {
    Outcome::Unavailable(SOON, reason::MEMORY)
}

fn unavailable(refused: Refused) -> Outcome {
    let (after, reason) = match refused {
        Refused::Overloaded(after) => (after, reason::OVERLOADED),
        Refused::DiskFull(after) => (after, reason::DISK_FULL),
        Refused::Starting | Refused::ShuttingDown => (SOON, reason::NOT_SERVING),
        Refused::Internal => (SOON, reason::INTERNAL),
    };
    Outcome::Unavailable(after, reason)
}

/// Deadlines of a body being read.
struct Pace {
    progress: Duration,
    end: Instant,
}

impl Pace {
    fn new(config: &Config) -> Pace {
        let connections = &config.connections;
        Pace {
            progress: Duration::from_millis(connections.body_progress_timeout_millis),
            end: Instant::now() + Duration::from_millis(connections.body_timeout_millis),
        }
    }

    /// The next bytes; `None` at the end.
    async fn frame(&mut self, body: &mut Incoming) -> Result<Option<hyper::body::Bytes>, Outcome> {
        loop {
            let within = self.progress.min(self.end.saturating_duration_since(Instant::now()));
            let frame = match timeout(within, body.frame()).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(_))) | Err(_) => return Err(Outcome::Stalled),
            };
            // Trailers say nothing to us.
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
    }
}

/// Requests that made us panic, by hash: the first time the client may try again, the second time it must not.
#[derive(Default)]
struct Poison {
    recent: Mutex<VecDeque<u64>>,
    hasher: RandomState,
}

impl Poison {
    const KEPT: usize = 256;

    fn print(&self, bytes: &[u8]) -> u64 {
        self.hasher.hash_one(bytes)
    }

    fn knows(&self, print: u64) -> bool {
        self.recent.lock().expect("nobody panics holding it").contains(&print)
    }

    fn remember(&self, print: u64) {
        let mut recent = self.recent.lock().expect("nobody panics holding it");
        recent.push_back(print);
        if recent.len() > Self::KEPT {
            recent.pop_front();
        }
    }
}
