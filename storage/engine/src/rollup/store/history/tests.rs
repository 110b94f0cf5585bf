//! Cells over time against sums of the spans they were made of.

use super::*;
use crate::rollup::observer::tests::{MS, START, forest, spans};
use crate::rollup::{Observer, ObserverConfig};
use orrery_query::latency::Cells;
use std::collections::BTreeMap;
use std::time::Duration;

const SECOND: i64 = 1_000 * MS;

fn control() -> Control {
    Control::within(Duration::from_secs(60))
}

/// A span as its sender knows it.
struct Sent {
    service: String,
    name: String,
    is_request: bool,
    start: i64,
    nanos: i64,
    failed: bool,
    weight: f64,
}

/// Slices of random spans over hours, most of them late, and the spans.
fn slices(seed: u64) -> (Vec<RollupRows>, Vec<Sent>) {
    let mut observer = Observer::new(ObserverConfig::default());
    let (mut now, mut sent) = (START, Vec::new());
    let slice = |id: u64| {
        let mut rows = RollupRows::of_slice(id);
        for (at, line) in forest(seed * 100 + id, 40).into_iter().enumerate() {
            let mut batch = spans(&line).remove(0);
            batch.trace_id[0].0[..8].copy_from_slice(&(id + 1).to_be_bytes());
            batch.start_time_unix_nano[0] += id as i64 % 3 * 1_800 * SECOND + at as i64 * 37 * SECOND;
            now += SECOND;
            observer.observe(&batch, now, &mut rows);
            let name = batch.context.strings.get(batch.name[0]).to_owned();
            sent.push(Sent {
                service: name.split(' ').next().unwrap().to_owned(),
                is_request: [SERVER, CONSUMER].contains(&batch.kind[0]),
                name,
                start: batch.start_time_unix_nano[0],
                nanos: batch.duration_nanos[0],
                failed: batch.status_code[0] == 2,
                weight: if line.contains("th=8") { 2.0 } else { 1.0 },
            });
        }
        rows
    };
    let slices = (0..12).map(slice).collect();
    (slices, sent)
}

/// Nine slices sealed, eight of them folded, three in memory.
fn store(slices: &[RollupRows]) -> (tempfile::TempDir, RollupStore, Vec<Live>) {
    let folder = tempfile::tempdir().unwrap();
    let store = RollupStore::open(&folder.path().join("rollups.duckdb")).unwrap();
    for rows in &slices[..9] {
        store.persist(rows.slice.unwrap(), rows).unwrap();
    }
    assert!(store.fold(9).unwrap());
    let mut live: Vec<Live> = slices[9..].iter().cloned().map(Live::new).collect();
    // One that is sealed already and still in memory counts once.
    live.push(Live::new(slices[8].clone()));
    (folder, store, live)
}

type Sums = BTreeMap<(String, i64), (f64, f64, f64, Option<i64>)>;

/// Count, errors, sum and 90th percentile by key and bucket, without what is nothing.
fn sums(table: &CellTable, name: impl Fn(&CellKey) -> Option<String>) -> Sums {
    let mut all: BTreeMap<(String, i64), (f64, f64, f64, Cells)> = BTreeMap::new();
    for series in &table.series {
        let Some(name) = name(&series.key) else { continue };
        assert!(series.points().windows(2).all(|pair| pair[0].time < pair[1].time));
        for point in series.points() {
            let sum = all.entry((name.clone(), point.time)).or_default();
            (sum.0, sum.1, sum.2) = (sum.0 + point.count, sum.1 + point.errors, sum.2 + point.sum_nanos);
            sum.3.merge_sorted(series.durations(point));
        }
    }
    let some = all.into_iter().filter(|(_, sum)| sum.0.abs() > 1e-6);
    some.map(|(key, (count, errors, nanos, cells))| (key, (count, errors, nanos, cells.quantile(0.9)))).collect()
}

fn expected<'a>(
    sent: impl Iterator<Item = &'a Sent>,
    range: TimeRange,
    step: i64,
    name: impl Fn(&Sent) -> String,
) -> Sums {
    let mut all: BTreeMap<(String, i64), Cells> = BTreeMap::new();
    for span in sent {
        let time = span.start.div_euclid(step) * step;
        if range.contains(time) {
            all.entry((name(span), time)).or_default().record(span.nanos, span.failed, span.weight);
        }
    }
    let sums = |cells: Cells| (cells.count(), cells.errors(), cells.sum_nanos(), cells.quantile(0.9));
    all.into_iter().map(|(key, cells)| (key, sums(cells))).collect()
}

fn served(key: &CellKey) -> Option<String> {
    match key {
        CellKey::Service { service, slice, work: Work::Served } => Some(format!("{service}|{slice}")),
        _ => None,
    }
}

fn plan(of: CellsOf, range: TimeRange, step_nanos: i64, durations: bool) -> plan::Cells {
    plan::Cells { range, step_nanos, coarse: None, of, environment: None, durations }
}

#[test]
fn cells_are_what_was_sent() {
    for seed in 0..4 {
        let (slices, sent) = slices(seed);
        let (_folder, store, live) = store(&slices);
        let live: Vec<&Live> = live.iter().collect();
        let hour = 3_600 * SECOND;
        let from = START.div_euclid(hour) * hour;
        for (step, minutes) in
            [(10, (0, 300)), (10, (17, 95)), (30, (0, 300)), (60, (20, 40)), (600, (0, 300)), (3600, (0, 300))]
        {
            let step = step * SECOND;
            let range = TimeRange { from: from + minutes.0 * 60 * SECOND, to: from + minutes.1 * 60 * SECOND };
            let ask = |of: CellsOf, durations| {
                let answer = store.cells(&plan(of, range, step, durations), &live, &control()).unwrap();
                assert_eq!(answer.value.stretches, [Stretch { from: range.from, to: range.to, step_nanos: step }]);
                answer.value
            };
            let requests = || sent.iter().filter(|span| span.is_request);
            let services = expected(requests(), range, step, |span| format!("{}|", span.service));
            assert!(!services.is_empty());
            let found = sums(&ask(CellsOf::Services(None), true), served);
            assert_eq!(found, services, "seed {seed}, step {step}, {minutes:?}");
            let without =
                |sums: &Sums| -> Vec<_> { sums.iter().map(|(key, sum)| (key.clone(), sum.0, sum.1, sum.2)).collect() };
            let counted = sums(&ask(CellsOf::Services(None), false), served);
            assert_eq!(without(&counted), without(&services), "seed {seed}: added up by the engine");
            let cart = Some(ServiceMatch::Name("cart".to_owned()));
            let own = expected(requests().filter(|span| span.service == "cart"), range, step, |span| {
                format!("cart|{}", span.name)
            });
            let of = CellsOf::Operations { service: cart.clone(), operation: None };
            assert_eq!(sums(&ask(of, true), served), own, "seed {seed}: operations");
            let of = CellsOf::Operations { service: cart, operation: Some("cart server".to_owned()) };
            let one = own.iter().filter(|((name, _), _)| name == "cart|cart server");
            assert_eq!(
                sums(&ask(of, true), served),
                one.map(|(key, sum)| (key.clone(), *sum)).collect(),
                "seed {seed}"
            );
            let failed = expected(sent.iter().filter(|span| span.failed), range, step, |span| span.service.clone());
            let errors = sums(&ask(CellsOf::Errors(None), false), |key| match key {
                CellKey::Errors { service, .. } => Some(service.clone()),
                _ => None,
            });
            let plain =
                sent.iter().filter(|span| span.failed && range.contains(span.start.div_euclid(step) * step)).count();
            assert_eq!(errors.values().map(|sum| sum.0).sum::<f64>(), plain as f64, "seed {seed}: not weighted");
            assert!(errors.keys().eq(failed.keys()), "seed {seed}");
        }
    }
}

/// Edges are judged as the map does, of which there is one meaning.
#[test]
fn cells_of_edges_are_those_of_the_map() {
    for seed in 0..4 {
        let (slices, _) = slices(seed);
        let (_folder, store, live) = store(&slices);
        let live: Vec<&Live> = live.iter().collect();
        let minute = 60 * SECOND;
        let from = START.div_euclid(minute) * minute;
        let range = TimeRange { from, to: from + 90 * minute };
        let map = store.topology(&plan::Topology { range, environment: None }, &live, &control()).unwrap().value;
        let ask = |measure, caller: Option<&str>, durations| {
            let of = CellsOf::Edges { measure, caller: caller.map(str::to_owned), callee: None };
            let table = store.cells(&plan(of, range, minute, durations), &live, &control()).unwrap().value;
            let name = |key: &CellKey| match key {
                CellKey::Edge { caller, callee, kind } => Some(format!("{} {} {kind:?}", caller.id, callee.id)),
                _ => None,
            };
            let mut all: BTreeMap<String, (f64, f64)> = BTreeMap::new();
            for ((name, _), sum) in sums(&table, name) {
                let own = all.entry(name).or_default();
                (own.0, own.1) = (own.0 + sum.0, own.1 + sum.1);
            }
            all
        };
        let drawn: BTreeMap<String, (f64, f64)> = map
            .edges
            .iter()
            .map(|edge| (format!("{} {} {:?}", edge.caller, edge.callee, edge.kind), (edge.red.count, edge.red.errors)))
            .collect();
        assert!(drawn.len() > 5);
        assert_eq!(ask(EdgeMeasure::Caller, None, true), drawn, "seed {seed}");
        assert_eq!(ask(EdgeMeasure::Caller, None, false), drawn, "seed {seed}: added up by the engine");
        let of_web: BTreeMap<_, _> =
            drawn.iter().filter(|(name, _)| name.starts_with("web ")).map(|(k, v)| (k.clone(), *v)).collect();
        assert_eq!(ask(EdgeMeasure::Caller, Some("web"), false), of_web, "seed {seed}");
        let blamed: f64 = map.edges.iter().map(|edge| edge.callee_errors).sum();
        let (callee, inferred) = (ask(EdgeMeasure::Callee, None, false), ask(EdgeMeasure::Blamed, None, false));
        let found = callee.values().map(|sum| sum.1).sum::<f64>() + inferred.values().map(|sum| sum.0).sum::<f64>();
        assert!((found - blamed).abs() < 1e-6, "seed {seed}: {found} {blamed}");
    }
}

#[test]
fn time_that_has_lost_its_detail_says_so() {
    let (slices, sent) = slices(9);
    let (_folder, store, live) = store(&slices[..]);
    let live: Vec<&Live> = live[..0].iter().collect();
    let hour = 3_600 * SECOND;
    let day = 24 * hour;
    let begin = START.div_euclid(hour) * hour;
    store.thin(begin + 2 * day + hour).unwrap();
    let range = TimeRange { from: begin + 1_800 * SECOND, to: begin + 2 * hour };
    let table = store.cells(&plan(CellsOf::Services(None), range, 10 * SECOND, true), &live, &control()).unwrap().value;
    let steps: Vec<_> = table
        .stretches
        .iter()
        .map(|s| ((s.from - begin) / SECOND, (s.to - begin) / SECOND, s.step_nanos / SECOND))
        .collect();
    assert_eq!(steps, [(1800, 3600, 60), (3600, 7200, 10)]);
    let sealed = &sent[..9 * 40];
    let requests = || sealed.iter().filter(|span| span.is_request);
    let mut all = expected(requests(), TimeRange { from: range.from, to: begin + hour }, 60 * SECOND, |span| {
        format!("{}|", span.service)
    });
    all.extend(expected(requests(), TimeRange { from: begin + hour, to: range.to }, 10 * SECOND, |span| {
        format!("{}|", span.service)
    }));
    assert_eq!(sums(&table, served), all);
    let coarse = plan::Cells {
        coarse: Some((begin + hour + 700 * SECOND, 600 * SECOND)),
        ..plan(CellsOf::Services(None), range, 10 * SECOND, true)
    };
    let table = store.cells(&coarse, &live, &control()).unwrap().value;
    let steps: Vec<_> = table
        .stretches
        .iter()
        .map(|s| ((s.from - begin) / SECOND, (s.to - begin) / SECOND, s.step_nanos / SECOND))
        .collect();
    assert_eq!(steps, [(1800, 4200, 600), (4200, 7200, 10)]);
}
