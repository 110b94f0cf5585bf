//! `kill -9` at random moments under load: nothing acknowledged is missing, nothing is there twice.
//!
//! `ORRERY_KILL_ROUNDS` sets how often; 5 by default, so that the suite stays quick.

#[path = "support/shop.rs"]
mod shop;

use orrery_model::{Signal, TraceId};
use orrery_query::{Control, Store, plan};
use orrery_storage::{Config, Engine};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Requests acknowledged in every round at least.
const ENOUGH: usize = 30;

fn victim() -> std::path::PathBuf {
    // Examples are built with the tests and lie next to their folder.
    let mut path = std::env::current_exe().expect("this test");
    path.pop();
    path.pop();
    path.join("examples").join("kill_victim")
}

/// What was acknowledged until the kill, which comes a moment after enough was.
fn acknowledged(child: &mut Child, moment: Duration) -> BTreeSet<u64> {
    let out = BufReader::new(child.stdout.take().expect("piped"));
    let (send, receive) = mpsc::channel();
    // The last line may be cut.
    let lines = out.lines().map_while(Result::ok).filter_map(|line| line.parse().ok());
    let reader = std::thread::spawn(move || lines.for_each(|seed| _ = send.send(seed)));
    let enough = || receive.recv_timeout(Duration::from_secs(60)).expect("the victim makes progress");
    let mut acknowledged: BTreeSet<u64> = (0..ENOUGH).map(|_| enough()).collect();
    std::thread::sleep(moment);
    child.kill().expect("alive");
    child.wait().expect("ours");
    reader.join().expect("reads to the end");
    acknowledged.extend(receive);
    acknowledged
}

fn check(dir: &std::path::Path, acknowledged: &BTreeSet<u64>, round: u32) {
    let config = Config {
        seal_after: Duration::from_secs(3600),
        disk_reserve_bytes: 0,
        retention: None,
        query_memory_bytes: 256 << 20,
        hot_bytes: 1 << 30,
        ..Config::new(dir)
    };
    let engine = Engine::open(config, Arc::new(shop::Shop)).expect("opens");
    let control = Control::within(Duration::from_secs(300));
    let mut traces: BTreeSet<TraceId> = BTreeSet::new();
    for seed in acknowledged {
        traces.extend(shop::ids(*seed, 20).into_iter().map(|(trace, _)| trace));
    }
    let mut stored: BTreeSet<(TraceId, u64)> = BTreeSet::new();
    for trace_id in traces {
        let answer = engine.trace(&plan::Trace { trace_id }, &control).expect("answers");
        assert!(answer.partial.is_none(), "round {round}: {:?}", answer.partial);
        for span in answer.value.spans {
            assert!(stored.insert((trace_id, span.span_id.0)), "round {round}: a span is there twice");
        }
    }
    for seed in acknowledged {
        for (trace, span) in shop::ids(*seed, 20) {
            assert!(stored.contains(&(trace, span.0)), "round {round}: request {seed} was acknowledged and is missing");
        }
    }
    let health = engine.health();
    let spans = &health.signals[&Signal::Traces];
    assert!(health.warnings.is_empty() && spans.dropped.is_empty(), "round {round}: {:?}", health.warnings);
    // Rows are counted where they lie, so that one that was sealed and replayed would show here.
    let rows = engine.sealed_rows(Signal::Traces);
    assert!(rows <= spans.accepted, "round {round}: {rows} rows sealed, {} accepted", spans.accepted);
    assert_eq!(spans.queryable, spans.accepted, "round {round}");
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled() {
    let rounds: u32 = std::env::var("ORRERY_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(5);
    let dir = tempfile::tempdir().expect("a directory");
    let mut all = BTreeSet::new();
    let mut state = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64);
    println!("seed {state}");
    for round in 0..rounds {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let first = u64::from(round) * 1_000_000;
        let mut child = Command::new(victim())
            .arg(dir.path())
            .arg(first.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example kill_victim is built with the tests");
        let acknowledged = acknowledged(&mut child, Duration::from_millis((state >> 33) % 900));
        all.extend(&acknowledged);
        // Everything again at the end; before that what is new, to stay quick.
        let last = round + 1 == rounds;
        check(dir.path(), if last { &all } else { &acknowledged }, round);
    }
    assert!(!all.is_empty(), "nothing was ever acknowledged");
    println!("{} requests acknowledged over {rounds} kills", all.len());
}
