//! More than the server can take: see `orrery_synth::overload`, which fails where a promise is broken. Nothing here depends
//! on how fast the machine is: a small memory budget makes the server refuse.

use orrery_synth::Shape;
use orrery_synth::overload::{self, Options};
use std::time::Duration;

/// Requests under way, rows in memory, the process itself.
const MEMORY_MIB: f64 = 1024.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overload_loses_nothing_and_ends_when_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("orrery.toml");
    std::fs::write(&config, "[receive.limits]\nmemory_budget_bytes = 16777216").unwrap();
    let options = Options {
        orrery: env!("CARGO_BIN_EXE_orrery").into(),
        config: Some(config),
        shape: Shape::T1,
        seed: 20_261_120,
        seconds: 3.0,
        times: vec![3.0, 10.0],
        connections: 64,
        audit_every: 1_000,
        patience: Duration::from_secs(60),
    };
    let figures = overload::run(&options).await.unwrap();
    println!("{figures:#}");
    assert!(
        figures["audit"]["refused_requests"].as_object().is_some_and(|reasons| !reasons.is_empty()),
        "it was overloaded"
    );
    assert!(figures["audit"]["spans_found"].as_u64() > Some(0));
    assert!(figures["peak_rss_mib"].as_f64() < Some(MEMORY_MIB));
    assert_eq!(figures["panics"], serde_json::json!([]));
}
