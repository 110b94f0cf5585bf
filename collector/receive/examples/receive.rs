//! Receives OTLP and prints what comes: `cargo run --release -p orrery-receive --example receive [refuse N]`.
//!
//! Listens on 127.0.0.1, gRPC on 14317 and HTTP on 14318. With `refuse N` the first N requests are told to come back in 2 s.

use futures_util::future::BoxFuture;
use orrery_model::{Batch, Body, Signal};
use orrery_receive::{Config, Receiver, Refused, Sender, Sink};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

struct Print {
    begun: Instant,
    refuse: AtomicI64,
}

impl Sink for Print {
    fn append(&self, body: Body, batch: Batch) -> BoxFuture<'_, Result<(), Refused>> {
        let refused = self.refuse.fetch_sub(1, Relaxed) > 0;
        let (signal, rows, bytes) = (body.signal, batch.len(), body.bytes.len());
        let verb = if refused { "refused" } else { "accepted" };
        let at = self.begun.elapsed().as_secs_f64();
        println!("{at:8.3} {verb} {rows} {signal}, {bytes} bytes {:?} {:?}", body.encoding, body.compression);
        Box::pin(async move { if refused { Err(Refused::Overloaded(Duration::from_secs(2))) } else { Ok(()) } })
    }

    fn rejected(&self, signal: Signal, reason: &'static str, count: u64, sender: &Sender<'_>) {
        println!("rejected {count} {signal}: {reason} from {} {:?}", sender.address, sender.user_agent());
    }

    fn dropped(&self, signal: Signal, reason: &'static str, count: u64) {
        println!("dropped {count} of {signal}: {reason}");
    }

    fn closed(&self, reason: &'static str) {
        println!("closed a connection: {reason}");
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let refuse = arguments.get(2).and_then(|count| count.parse().ok()).unwrap_or(0);
    let sink = Arc::new(Print { begun: Instant::now(), refuse: AtomicI64::new(refuse) });
    let receiver = Receiver::new(sink, Config::default());
    let grpc = TcpListener::bind("127.0.0.1:14317").await?;
    let http = TcpListener::bind("127.0.0.1:14318").await?;
    println!("gRPC on 127.0.0.1:14317, HTTP on 127.0.0.1:14318");
    let stop = || Box::pin(async { _ = tokio::signal::ctrl_c().await });
    let cut = tokio::join!(receiver.serve_grpc(grpc, stop()), receiver.serve_http(http, stop()));
    println!("stopped; {} connections cut off", cut.0 + cut.1);
    Ok(())
}
