//! Receives OpenTelemetry (OTLP/gRPC, OTLP/HTTP protobuf and JSON) and turns it into columnar batches.
//!
//! The only crate that knows the wire. A request goes: head checked → body read, within time and memory → counted →
//! decoded from bytes straight into columns → made durable by the [`Sink`] → answered, by the one table of the response
//! contract. Good items are kept, bad ones are counted and reported as partial success.
//!
//! ```no_run
//! # async fn example(sink: std::sync::Arc<dyn orrery_receive::Sink>) -> std::io::Result<()> {
//! use orrery_receive::{Config, Receiver};
//! let receiver = Receiver::new(sink, Config::default());
//! let http = tokio::net::TcpListener::bind("127.0.0.1:4318").await?;
//! let grpc = tokio::net::TcpListener::bind("127.0.0.1:4317").await?;
//! let stop = || Box::pin(async { _ = tokio::signal::ctrl_c().await });
//! tokio::join!(receiver.serve_http(http, stop()), receiver.serve_grpc(grpc, stop()));
//! # Ok(()) }
//! ```
//!
//! The stored [`orrery_model::Body`] keeps the request as it came, still compressed (identity, gzip, zstd); only HTTP
//! `deflate` is compressed again, with zstd 1. [`Decoder`] turns such a body into the same batch again.

mod budget;
mod builder;
mod compress;
pub mod config;
mod contract;
mod counts;
mod decode;
mod grpc;
mod http;
mod intake;
mod json;
pub mod listen;
mod protobuf;
pub mod reason;
pub mod sink;
mod wire;

pub use config::Config;
pub use counts::Counts;
pub use decode::{Decoded, Decoder};
pub use sink::{Denied, Refused, Sender, Sink};

use futures_util::future::BoxFuture;
use intake::Intake;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;

/// The receiving end of OTLP; its listeners share one memory budget. Cheap to clone.
#[derive(Clone)]
pub struct Receiver(Arc<Intake>);

impl Receiver {
    /// A receiver that hands what it gets to `sink`.
    pub fn new(sink: Arc<dyn Sink>, config: Config) -> Receiver {
        Receiver::with_clock(sink, config, || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
        })
    }

    /// The same, with a clock of one's own: Unix nanoseconds.
    pub fn with_clock(
        sink: Arc<dyn Sink>,
        config: Config,
        clock: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Receiver {
        Receiver(Arc::new(Intake::new(sink, config, Arc::new(clock))))
    }

    /// Serves OTLP/HTTP until `shutdown` resolves and requests in flight are answered (bounded, see
    /// [`config::Connections::drain_timeout_millis`]). Returns how many connections had to be cut off.
    pub fn serve_http(&self, listener: TcpListener, shutdown: BoxFuture<'static, ()>) -> BoxFuture<'static, usize> {
        let (intake, sink) = (self.0.clone(), self.0.sink.clone());
        let connections = self.0.config.connections.clone();
        let service = move |request, peer| {
            let intake = intake.clone();
            async move { http::handle(&intake, request, peer).await }
        };
        Box::pin(listen::serve(listener, connections, move |reason| sink.closed(reason), service, shutdown))
    }

    /// Serves OTLP/gRPC; otherwise like [`Receiver::serve_http`].
    pub fn serve_grpc(&self, listener: TcpListener, shutdown: BoxFuture<'static, ()>) -> BoxFuture<'static, usize> {
        let (intake, sink) = (self.0.clone(), self.0.sink.clone());
        let connections = self.0.config.connections.clone();
        let service = move |request, peer| {
            let intake = intake.clone();
            async move { grpc::handle(&intake, request, peer).await }
        };
        Box::pin(listen::serve(listener, connections, move |reason| sink.closed(reason), service, shutdown))
    }
}
