//! `kill -9` at random moments under load: nothing acknowledged is missing, nothing is there twice.
//!
//! `ORRERY_KILL_ROUNDS` sets how often; 5 by default, so that the suite stays quick.

#[path = "support/shop.rs"]
mod shop;

use orrery_model::{Signal, TraceId};
use orrery_query::{Control, Store, TimeRange, plan};
use orrery_storage::{Config, Engine};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Spans of a request: two traces of ten.
const SPANS: u64 = 20;
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
    let stored = span_counts(&engine);
    for seed in acknowledged {
        for (trace, _) in shop::ids(*seed, SPANS) {
            let count = stored.get(&trace).copied();
            assert_eq!(count, Some(10), "round {round}: request {seed} was acknowledged, trace {trace} is not whole");
        }
    }
    let health = engine.health();
    let spans = &health.signals[&Signal::Traces];
    assert!(health.warnings.is_empty() && spans.dropped.is_empty(), "round {round}: {:?}", health.warnings);
    // Ids are unique, so what was both sealed and replayed would be counted twice and found once.
    assert_eq!(stored.values().sum::<u64>(), spans.accepted, "round {round}");
    assert_eq!(spans.queryable, spans.accepted, "round {round}");
}

/// All traces there are, with their number of distinct spans.
fn span_counts(engine: &Engine) -> BTreeMap<TraceId, u64> {
    let mut plan = plan::Traces {
        range: TimeRange::ALL,
        service: None,
        operation: None,
        error: None,
        min_duration_nanos: None,
        max_duration_nanos: None,
        attributes: Vec::new(),
        limit: 500,
        cursor: None,
    };
    let mut counts = BTreeMap::new();
    loop {
        let answer = engine.traces(&plan, &Control::within(Duration::from_secs(120))).expect("answers");
        assert!(answer.partial.is_none(), "{:?}", answer.partial);
        for trace in answer.value.traces {
            assert!(counts.insert(trace.trace_id, trace.span_count).is_none(), "a trace is on two pages");
        }
        plan.cursor = answer.value.next_cursor;
        if plan.cursor.is_none() {
            return counts;
        }
    }
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
        all.extend(acknowledged);
        check(dir.path(), &all, round);
        println!("round {round}: {} requests acknowledged so far", all.len());
    }
    assert!(!all.is_empty(), "nothing was ever acknowledged");
    println!("{} requests acknowledged over {rounds} kills", all.len());
}
