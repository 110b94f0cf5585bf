//! The whole shop against an OTLP sink: what it says must be what it does.

#![allow(clippy::unwrap_used)] // clippy.toml allows it in tests; helpers of integration tests count as none

mod apart;
mod faults;
mod graph;
mod sink;
mod stores;
mod tokens;

use std::time::{Duration, Instant};

use orrery_demo::{Config, FaultPlan, Shop};
use sink::Sink;

/// A shop on free ports that breaks nothing by itself.
fn config(sink: &Sink, rate: f64) -> Config {
    Config {
        otlp: sink.endpoint(),
        control: ([127, 0, 0, 1], 0).into(),
        rate,
        faults: FaultPlan { enabled: false, ..FaultPlan::default() },
        ..Config::default()
    }
}

async fn open(sink: &Sink, rate: f64) -> Shop {
    orrery_demo::start(config(sink, rate)).await.unwrap()
}

/// Waits until `found` finds something; panics with `what` after `seconds`.
async fn eventually<T>(what: &str, seconds: u64, mut found: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(seconds), "not within {seconds} s: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
