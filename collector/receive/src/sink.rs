//! Where received telemetry goes.

use futures_util::future::BoxFuture;
use http::HeaderMap;
use orrery_model::{Batch, Body, Signal};
use std::net::SocketAddr;
use std::time::Duration;

/// What stands behind a receiver: makes batches durable, admits senders, counts.
pub trait Sink: Send + Sync + 'static {
    /// Stores a batch; resolves only once it would survive a crash. `body` is what the write-ahead log keeps: decoding it
    /// again gives `batch`. Never called with an empty batch.
    ///
    /// The future is dropped when the client goes away or `Config::append_timeout_millis` passes: the client has no
    /// acknowledgement then and will resend, so storing the batch nevertheless is allowed.
    ///
    /// # Errors
    /// [`Refused`]: the client is told to come back, or not to.
    fn append(&self, body: Body, batch: Batch) -> BoxFuture<'_, Result<(), Refused>>;

    /// Whether `sender` may send, asked before the body is read. Everybody may, unless overridden.
    ///
    /// # Errors
    /// [`Denied`], with what the client is to be told.
    fn admit(&self, _signal: Signal, _sender: &Sender<'_>) -> Result<(), Denied> {
        Ok(())
    }

    /// `count` items were never valid, or a whole request was (counted as 1 item then); `reason` is one of
    /// [`crate::reason`].
    fn rejected(&self, signal: Signal, reason: &'static str, count: u64, sender: &Sender<'_>);

    /// `count` parts of accepted items (attributes, events, ends of long texts, …) were not stored as sent; `reason` is one
    /// of [`crate::reason`].
    fn dropped(&self, signal: Signal, reason: &'static str, count: u64);

    /// A request was turned away with the advice to retry; `reason` is one of [`crate::reason`].
    fn refused(&self, _signal: Signal, _reason: &'static str) {}

    /// A connection was closed by us; `reason` is one of [`crate::reason`].
    fn closed(&self, _reason: &'static str) {}
}

/// Who sends, for admission and diagnostics.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// Peer of the connection.
    pub address: SocketAddr,
    /// HTTP headers or gRPC metadata.
    pub headers: &'a HeaderMap,
}

impl Sender<'_> {
    /// The `user-agent`, or empty. Chosen by the client: escape it before showing it.
    pub fn user_agent(&self) -> &str {
        self.headers.get(http::header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}

/// Why a batch was not made durable.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    /// The queue is full: come back after the given time.
    #[error("overloaded")]
    Overloaded(Duration),
    /// The disk is full, or its reserve is hit: come back after the given time.
    #[error("the disk is full")]
    DiskFull(Duration),
    /// Not ready yet.
    #[error("starting")]
    Starting,
    /// Not for long any more.
    #[error("shutting down")]
    ShuttingDown,
    /// Something else failed; the sink has logged it. The client retries.
    #[error("internal failure")]
    Internal,
}

/// Why a sender may not send.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Denied {
    /// No token, or an unknown one.
    #[error("missing or unknown token")]
    Unauthenticated,
    /// The token does not allow this.
    #[error("the token does not allow this")]
    Forbidden,
    /// Over its quota: come back after the given time.
    #[error("over quota")]
    OverQuota(Duration),
    /// Nobody's telemetry would be stored now: the body need not be read.
    #[error(transparent)]
    Refused(Refused),
}
