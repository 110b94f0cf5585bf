//! A source over a real store, against sums of what was sent.

use super::*;
use crate::alerting::objectives;
use orrery_api::alerting::{CallFigure, Figure, GroupBy, Indicator, Slo};
use orrery_model::{Body, Compression, Decode, Encoding, Signal};
use orrery_query::latency::Cells;
use orrery_receive::Decoder;
use orrery_storage::{Config, Engine};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::{Instant, SystemTime};

const NANOS: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * NANOS;
const PATIENCE: Duration = Duration::from_secs(30);

struct Rig {
    _dir: tempfile::TempDir,
    engine: Arc<Engine>,
    decoder: Arc<Decoder>,
    source: Arc<StoreSource>,
    /// The full hour a day and more ago with which the test's time begins.
    start: i64,
}

#[derive(Clone, Debug, Default)]
struct Span {
    service: &'static str,
    name: &'static str,
    /// OTLP number.
    kind: u8,
    start: i64,
    nanos: i64,
    error: Option<&'static str>,
    id: u64,
    /// 0: none.
    parent: u64,
    /// 0: of its own.
    trace: u64,
    attributes: Vec<(&'static str, &'static str)>,
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

impl Rig {
    fn new() -> Rig {
        Rig::with(None, &[])
    }

    fn with(slo: Option<Slo>, beats: &'static [i64]) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let config = Config {
            seal_after: Duration::from_secs(3600),
            retention: None,
            disk_reserve_bytes: 0,
            compact: false,
            ..Config::new(dir.path())
        };
        let decoder = Arc::new(Decoder::new(Default::default()));
        let engine = Arc::new(Engine::open(config, Arc::clone(&decoder) as _).unwrap());
        let lookups = Lookups {
            beats: Box::new(move |name, _, to| {
                Ok(beats.iter().copied().filter(|beat| name == "backup" && *beat <= to).collect())
            }),
            objective: Box::new(move |name| slo.clone().filter(|slo| slo.name == name)),
            workers: None,
        };
        let source = Arc::new(StoreSource::new(Arc::clone(&engine) as _, lookups, Duration::from_secs(20)));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as i64;
        let start = now.div_euclid(60 * MINUTE) * 60 * MINUTE - 30 * 60 * MINUTE;
        Rig { _dir: dir, engine, decoder, source, start }
    }

    fn append(&self, signal: Signal, json: &Value) {
        let bytes = serde_json::to_vec(json).unwrap();
        let body = Body {
            signal,
            encoding: Encoding::Json,
            compression: Compression::Identity,
            received_unix_nano: self.start + 26 * 60 * MINUTE,
            bytes,
        };
        let batch = self.decoder.decode(&body).unwrap();
        let (done, appended) = mpsc::channel();
        self.engine.append(body, batch, Box::new(move |result| done.send(result).unwrap()));
        appended.recv_timeout(PATIENCE).unwrap().unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let signals = self.engine.health().signals;
            if signals[&signal].queryable == signals[&signal].durable {
                break;
            }
            assert!(Instant::now() < deadline, "not queryable in time");
            std::thread::yield_now();
        }
        self.source.renew();
    }

    fn send(&self, spans: &[Span]) {
        let mut resources: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for span in spans {
            let mut attributes: Vec<Value> = span.attributes.iter().map(|(key, value)| text(key, value)).collect();
            attributes.extend(span.error.map(|error| text("error.type", error)));
            resources.entry(span.service).or_default().push(json!({
                "traceId": format!("{:032x}", if span.trace == 0 { span.id } else { span.trace }),
                "spanId": format!("{:016x}", span.id),
                "parentSpanId": if span.parent == 0 { String::new() } else { format!("{:016x}", span.parent) },
                "name": span.name,
                "kind": span.kind,
                "startTimeUnixNano": (self.start + span.start).to_string(),
                "endTimeUnixNano": (self.start + span.start + span.nanos).to_string(),
                "status": { "code": if span.error.is_some() { 2 } else { 0 }, "message": span.error.map(|error| format!("{error} happened")) },
                "attributes": attributes,
            }));
        }
        let resource = |(service, spans): (&str, Vec<Value>)| {
            let resource = json!({ "attributes": [text("service.name", service), text("service.version", "1")] });
            json!({ "resource": resource, "scopeSpans": [{ "spans": spans }] })
        };
        let resources: Vec<Value> = resources.into_iter().map(resource).collect();
        self.append(Signal::Traces, &json!({ "resourceSpans": resources }));
    }

    fn grid(&self, first: i64, step: i64, count: usize) -> Grid {
        Grid { first: self.start + first, step, count }
    }

    fn values(&self, measure: &Measure, window: u32, grid: Grid) -> Values {
        self.source.values(measure, Period::seconds(window), grid).unwrap()
    }
}

/// Numbers that look random: the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, below: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((u128::from(self.0) * below as u128) >> 64) as i64
    }
}

const SERVICES: [&str; 3] = ["cart", "pay", "web"];
const NAMES: [&str; 2] = ["GET /a", "POST /b"];

fn requests(seed: u64, count: u64) -> Vec<Span> {
    let mut random = Random(seed + 1);
    let span = |id: u64| Span {
        service: SERVICES[random.below(3) as usize],
        name: NAMES[random.below(2) as usize],
        kind: 2,
        start: random.below(30 * MINUTE),
        nanos: 1_000_000 + random.below(500_000_000),
        error: (random.below(5) == 0).then_some("timeout"),
        id: seed * 100_000 + id,
        ..Span::default()
    };
    (1..=count).map(span).collect()
}

fn measure(figure: Figure, by: GroupBy, service: Option<&str>, operation: Option<&str>, least: u32) -> Measure {
    Measure::Requests {
        figure,
        by,
        service: service.map(str::to_owned),
        operation: operation.map(str::to_owned),
        environment: None,
        least_requests: least,
    }
}

fn expected_figure(figure: Figure, cells: &Cells, window: f64) -> Option<f64> {
    let seconds = |nanos: Option<i64>| nanos.map(|nanos| nanos as f64 / 1e9);
    match figure {
        _ if cells.count() == 0.0 => None,
        Figure::Rate => Some(cells.count() / window),
        Figure::Errors => Some(cells.errors()),
        Figure::ErrorRatio => Some(cells.errors() / cells.count()),
        Figure::Mean => Some(cells.sum_nanos() / cells.count() / 1e9),
        Figure::P50 => seconds(cells.quantile(0.5)),
        Figure::P90 => seconds(cells.quantile(0.9)),
        Figure::P95 => seconds(cells.quantile(0.95)),
        Figure::P99 => seconds(cells.quantile(0.99)),
    }
}

const FIGURES: [Figure; 8] = [
    Figure::Rate,
    Figure::Errors,
    Figure::ErrorRatio,
    Figure::Mean,
    Figure::P50,
    Figure::P90,
    Figure::P95,
    Figure::P99,
];

fn assert_close(found: Option<f64>, expected: Option<f64>, what: &str) {
    match (found, expected) {
        (Some(found), Some(expected)) => {
            assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{what}: {found} for {expected}")
        }
        _ => assert_eq!(found, expected, "{what}"),
    }
}

/// Whatever the order of arrival, at moments as they come and in a past.
#[test]
fn requests_are_what_was_sent() {
    for seed in 0..3 {
        let rig = Rig::new();
        let sent = requests(seed, 400);
        let mut late = sent.clone();
        late.sort_by_key(|span| (span.id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40, span.id));
        late.chunks(70).for_each(|some| rig.send(some));
        for (window, step, first, count) in
            [(60_u32, 10, 5, 20), (300, 60, 1, 40), (10, 10, 3, 8), (120, 20, 2, 150), (1500, 60, 25, 7)]
        {
            let grid = rig.grid(first * MINUTE, step * NANOS, count);
            for (by, service, operation) in [
                (GroupBy::Service, None, None),
                (GroupBy::Operation, Some("cart"), None),
                (GroupBy::Service, None, Some("GET /a")),
                (GroupBy::Version, Some("pay"), None),
            ] {
                for (figure, least) in FIGURES.into_iter().zip([0, 0, 3, 0, 0, 2, 0, 0]) {
                    let found = rig.values(&measure(figure, by, service, operation, least), window, grid);
                    assert_eq!(found.partial, None);
                    let key = |span: &Span| match by {
                        GroupBy::Operation => format!("{} {}", span.service, span.name),
                        _ => span.service.to_owned(),
                    };
                    let mut groups: BTreeMap<String, Vec<&Span>> = BTreeMap::new();
                    let asked = |span: &&Span| {
                        service.is_none_or(|name| name == span.service)
                            && operation.is_none_or(|name| name == span.name)
                    };
                    sent.iter().filter(asked).for_each(|span| groups.entry(key(span)).or_default().push(span));
                    let mut expected = Vec::new();
                    for spans in groups.values() {
                        let value = |at: i64| {
                            let to = at - rig.start;
                            let from = to - i64::from(window) * NANOS;
                            let from = if window > 1200 { from.div_euclid(MINUTE) * MINUTE } else { from };
                            let mut cells = Cells::default();
                            let inside = spans
                                .iter()
                                .filter(|span| (from..to).contains(&(span.start.div_euclid(10 * NANOS) * 10 * NANOS)));
                            inside.for_each(|span| cells.record(span.nanos, span.error.is_some(), 1.0));
                            (cells.count() >= f64::from(least))
                                .then(|| expected_figure(figure, &cells, f64::from(window)))
                                .flatten()
                        };
                        expected.push(grid.moments().map(value).collect::<Vec<_>>());
                    }
                    expected.retain(|values| values.iter().any(Option::is_some));
                    assert_eq!(found.series.len(), expected.len(), "seed {seed}, {figure:?} by {by:?}");
                    for (series, expected) in found.series.iter().zip(expected) {
                        for (at, (found, expected)) in series.values.iter().zip(expected).enumerate() {
                            assert_close(
                                *found,
                                expected,
                                &format!("seed {seed}, {figure:?}, {:?}, {window} s, moment {at}", series.labels),
                            );
                        }
                        assert_eq!(series.node.as_deref(), series.labels.get("service").map(String::as_str));
                    }
                }
            }
        }
        let wrong = rig.source.values(
            &measure(Figure::Rate, GroupBy::Instance, None, Some("x"), 0),
            Period::minutes(1),
            rig.grid(MINUTE, MINUTE, 1),
        );
        assert!(matches!(wrong, Err(SourceError::Invalid { field, .. }) if field == "operation"));
    }
}

/// What is judged as it comes and what is asked about as a past are the same.
#[test]
fn errors_are_none_only_where_somebody_was_heard() {
    let rig = Rig::new();
    rig.send(&[Span {
        service: "cart",
        name: "GET /",
        kind: 2,
        start: 95 * NANOS,
        nanos: 1_000,
        id: 1,
        ..Span::default()
    }]);
    let measure = Measure::Errors { service: None, types: vec!["401".to_owned()], environment: None };
    let grid = rig.grid(60 * NANOS, 10 * NANOS, 12);
    let heard = rig.source.heard(&measure, Period::seconds(60), grid).unwrap();
    let expected: Vec<bool> = (60..180).step_by(10).map(|at| (100..=150).contains(&at)).collect();
    assert_eq!(heard, expected);
}

#[test]
fn the_past_is_what_it_was() {
    let rig = Rig::new();
    rig.send(&requests(5, 600));
    for window in [30, 60, 1_800] {
        for figure in FIGURES {
            let asked = measure(figure, GroupBy::Service, None, None, 0);
            let past = rig.values(&asked, window, rig.grid(4 * MINUTE, 10 * NANOS, 180));
            for moment in 0..180 {
                rig.source.renew();
                let grid = rig.grid(4 * MINUTE + moment as i64 * 10 * NANOS, 10 * NANOS, 1);
                let now = rig.values(&asked, window, grid);
                for series in &past.series {
                    let known = now.series.iter().find(|known| known.labels == series.labels);
                    let known = known.and_then(|known| known.values[0]);
                    assert_eq!(series.values[moment], known, "{figure:?} {window} {moment} {:?}", series.labels);
                }
            }
        }
    }
}

/// `web` calls `cart` each second for ten minutes; `cart` does not answer from the fifth on.
fn shop(from: i64, to: i64) -> Vec<Span> {
    let mut spans = Vec::new();
    for second in from..to {
        let (id, start, fails) = (second as u64 * 4 + 1, second * NANOS, second >= 300);
        let error = fails.then_some("refused");
        let span = |service, kind, id, parent, error, nanos| Span {
            service,
            name: "GET /cart",
            kind,
            start,
            nanos,
            error,
            id,
            parent,
            trace: second as u64 * 4 + 1,
            attributes: Vec::new(),
        };
        spans.push(span("web", 2, id, 0, error, 50_000_000));
        spans.push(Span {
            attributes: vec![("server.address", "cart")],
            ..span("web", 3, id + 1, id, error, 40_000_000)
        });
        if !fails {
            spans.push(span("cart", 2, id + 2, id + 1, None, 30_000_000));
        }
    }
    spans
}

fn sum_up(values: &Values) -> Vec<String> {
    let series = values.series.iter().map(|series| {
        let labels: Vec<String> = series.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let values: Vec<String> = series
            .values
            .iter()
            .map(|value| {
                value.map_or("-".to_owned(), |value| {
                    format!("{:.6}", value).trim_end_matches('0').trim_end_matches('.').to_owned()
                })
            })
            .collect();
        format!("{}: {}", labels.join(" "), values.join(" "))
    });
    series.collect()
}

#[test]
fn a_service_that_does_not_answer() {
    let rig = Rig::new();
    rig.send(&shop(0, 600));
    let grid = rig.grid(4 * MINUTE, 3 * MINUTE, 3);
    let errors = Measure::Errors { service: None, types: vec!["ref*".to_owned()], environment: None };
    let expected = ["error.type=refused service=web: - 240 240"];
    assert_eq!(sum_up(&rig.values(&errors, 120, grid)), expected, "the request and the call");
    let none = Measure::Errors { service: None, types: vec!["other".to_owned()], environment: None };
    assert!(rig.values(&none, 120, grid).series.is_empty());
    let new = Measure::NewErrors { service: None, environment: None };
    let found = rig.values(&new, 180, grid);
    assert_eq!(
        sum_up(&found),
        ["error.type=refused message=refused happened service=web: - 240 0"],
        "new, and then no more"
    );
    let silent =
        rig.values(&Measure::Silent { service: None, environment: None }, 60, rig.grid(4 * MINUTE, 2 * MINUTE, 4));
    let expected = ["service=cart: 0.97 60.97 180.97 300.97", "service=web: 0.95 0.95 0.95 0.95"];
    assert_eq!(sum_up(&silent), expected);
    let only = Measure::Silent { service: Some("web".to_owned()), environment: None };
    assert_eq!(rig.values(&only, 60, grid).series.len(), 1);
}

#[test]
fn calls_are_those_of_the_map() {
    let rig = Rig::new();
    let calls: Vec<Span> = (0..600)
        .map(|second| Span {
            service: "web",
            name: "GET",
            kind: 3,
            start: second * NANOS,
            nanos: 20_000_000,
            error: (second >= 300 && second % 2 == 0).then_some("refused"),
            id: second as u64 + 1,
            attributes: vec![("db.system", "redis"), ("server.address", "redis")],
            ..Span::default()
        })
        .collect();
    rig.send(&calls);
    let asked = |figure| Measure::Calls {
        figure,
        caller: Some("web".to_owned()),
        callee: Some("redis".to_owned()),
        kind: None,
        environment: None,
        least_requests: 0,
    };
    let grid = rig.grid(4 * MINUTE, 4 * MINUTE, 2);
    let name = "callee=database:redis/redis:6379 caller=web kind=database";
    let p95 = {
        let mut cells = Cells::default();
        cells.record(20_000_000, false, 1.0);
        cells.quantile(0.95).unwrap() as f64 / 1e9
    };
    for (figure, values) in [
        (CallFigure::Rate, [1.0, 1.0]),
        (CallFigure::Errors, [0.0, 30.0]),
        (CallFigure::ErrorRatio, [0.0, 0.5]),
        (CallFigure::UnansweredRatio, [0.0, 0.0]),
        (CallFigure::Mean, [0.02, 0.02]),
        (CallFigure::P95, [p95, p95]),
    ] {
        let found = rig.values(&asked(figure), 60, grid);
        assert_eq!(found.series.len(), 1, "{figure:?}");
        assert_eq!(sum_up(&found)[0].split(": ").next(), Some(name));
        for (found, expected) in found.series[0].values.iter().zip(values) {
            assert_close(*found, Some(expected), &format!("{figure:?}"));
        }
        assert_eq!(found.series[0].caller.as_deref(), Some("web"));
        assert_eq!(found.series[0].node.as_deref(), Some("database:redis/redis:6379"));
    }
    assert!(rig.values(&asked(CallFigure::LagP95), 60, grid).series.is_empty());
    let edges = Measure::NewEdges { environment: None };
    assert!(rig.values(&edges, 60, grid).series.is_empty(), "a service that has just begun has no news");
    rig.send(&[Span {
        service: "web",
        name: "GET",
        kind: 3,
        start: 420 * NANOS,
        nanos: 1,
        id: 9_999,
        // Of a database it is known at once that no service is behind it.
        attributes: vec![("db.system.name", "mysql"), ("server.address", "bank.example")],
        ..Span::default()
    }]);
    let found = rig.values(&edges, 60, rig.grid(7 * MINUTE, MINUTE, 4));
    assert_eq!(sum_up(&found), ["callee=database:mysql/bank.example:3306 caller=web: - 1 0 0"]);
    let wrong = Measure::Calls {
        figure: CallFigure::Rate,
        caller: None,
        callee: None,
        kind: Some("shout".to_owned()),
        environment: None,
        least_requests: 0,
    };
    assert!(
        matches!(rig.source.values(&wrong, Period::minutes(1), grid), Err(SourceError::Invalid { field, .. }) if field == "kind")
    );
}

#[test]
fn budgets_burn() {
    let indicator = Indicator::Availability { service: "web".to_owned(), operation: None, environment: None };
    let slo =
        Slo { name: "web works".to_owned(), indicator, objective: 0.9, period: Period::hours(24), ..Slo::default() };
    let rig = Rig::with(Some(slo.clone()), &[]);
    let spans: Vec<Span> = shop(0, 600).into_iter().filter(|span| span.service == "web").collect();
    rig.send(&spans);
    let burn = Measure::Burn { slo: slo.name.clone(), short: Period::minutes(1) };
    let found = rig.values(&burn, 600, rig.grid(5 * MINUTE, 5 * MINUTE, 3));
    let expected = "service=web slo=web works: 0 5 -";
    assert_eq!(sum_up(&found), [expected], "half failed; all of the last minute");
    let missing = Measure::Burn { slo: "none".to_owned(), short: Period::minutes(1) };
    assert!(
        matches!(rig.source.values(&missing, Period::hours(1), rig.grid(MINUTE, MINUTE, 1)), Err(SourceError::Invalid { field, .. }) if field == "slo")
    );
    let status = objectives::status(&rig.source, &slo, rig.start + 10 * MINUTE);
    assert_eq!((status.total, status.bad, status.partial.clone()), (600.0, 300.0, None));
    assert_eq!(status.good_ratio, Some(0.5));
    assert!((status.budget_left.unwrap() + 4.0).abs() < 1e-9 && (status.burn.unwrap() - 5.0).abs() < 1e-9);
    assert!((status.coverage - 10.0 / 1440.0).abs() < 1e-9, "{}", status.coverage);
    assert!(status.points.len() <= 200 && status.exhausted_unix_nano.is_some());
    let under = Indicator::Latency { service: "web".to_owned(), operation: None, environment: None, under: 0.2 };
    let quick = Slo { indicator: under, ..slo.clone() };
    assert_eq!(
        objectives::status(&rig.source, &quick, rig.start + 10 * MINUTE).bad,
        300.0,
        "what failed is not good, however quick"
    );
    let traces = Indicator::Traces { all: "{ kind = server }".to_owned(), good: "{ status != error }".to_owned() };
    let status = objectives::status(&rig.source, &Slo { indicator: traces, ..slo }, rig.start + 10 * MINUTE);
    assert_eq!((status.total, status.bad, status.partial), (600.0, 300.0, None));
}

#[test]
fn spans_in_traceql() {
    let rig = Rig::new();
    let sent = requests(8, 500);
    rig.send(&sent);
    let asked = |q: &str| Measure::Traces { q: q.to_owned() };
    for (window, step, count) in [(60_i64, 60, 20), (120, 30, 40), (90, 60, 10), (10, 10, 30)] {
        let grid = rig.grid(5 * MINUTE, step * NANOS, count);
        let of = |service: &str, at: i64| -> Vec<&Span> {
            let range = at - rig.start - window * NANOS..at - rig.start;
            sent.iter().filter(|span| span.service == service && range.contains(&span.start)).collect()
        };
        let counts = rig.values(&asked("{ } | count_over_time() by (resource.service.name)"), window as u32, grid);
        let rates = rig.values(&asked("{ } | rate() by (resource.service.name)"), window as u32, grid);
        let longest =
            rig.values(&asked("{ } | max_over_time(span:duration) by (resource.service.name)"), window as u32, grid);
        assert_eq!((counts.series.len(), longest.series.len()), (3, 3), "{window} {step}: {counts:?}");
        for (number, service) in SERVICES.into_iter().enumerate() {
            assert_eq!(counts.series[number].node.as_deref(), Some(service));
            for (moment, at) in grid.moments().enumerate() {
                let spans = of(service, at);
                let what = format!("{service} {window} {step} {moment}");
                assert_close(counts.series[number].values[moment], Some(spans.len() as f64), &what);
                assert_close(rates.series[number].values[moment], Some(spans.len() as f64 / window as f64), &what);
                let most = spans.iter().map(|span| span.nanos as f64 / 1e9).reduce(f64::max);
                assert_close(longest.series[number].values[moment], most, &what);
            }
        }
    }
    for wrong in ["{ }", "{ oh", "{ } | compare({ status = error })"] {
        let found = rig.source.values(&asked(wrong), Period::minutes(1), rig.grid(MINUTE, MINUTE, 1));
        assert!(matches!(found, Err(SourceError::Invalid { ref field, .. }) if field == "q"), "{wrong}: {found:?}");
    }
}

#[test]
fn records_and_points() {
    let rig = Rig::with(None, &[i64::MAX]);
    let record = |second: i64, severity: u8, body: &str| json!({ "timeUnixNano": (rig.start + second * NANOS).to_string(), "severityNumber": severity, "body": { "stringValue": body } });
    let records: Vec<Value> = (0..600)
        .map(|second| record(second, 9, &format!("order {second} placed")))
        .chain((400..410).map(|second| record(second, 17, &format!("no stock for order {second}"))))
        .collect();
    let resource = json!({ "attributes": [text("service.name", "orders"), text("host.name", "h1")] });
    let logs = json!({ "resourceLogs": [{ "resource": resource, "scopeLogs": [{ "logRecords": records }] }] });
    rig.append(Signal::Logs, &logs);
    let grid = rig.grid(6 * MINUTE, MINUTE, 4);
    let asked = |severity: Option<&str>, text: Option<&str>| Measure::Logs {
        service: Some("orders".to_owned()),
        severity: severity.map(str::to_owned),
        text: text.map(str::to_owned),
        attr: Vec::new(),
    };
    assert_eq!(sum_up(&rig.values(&asked(None, None), 60, grid)), ["service=orders: 60 70 60 60"]);
    assert_eq!(sum_up(&rig.values(&asked(Some("error"), None), 90, grid)), ["service=orders: - 10 10 0"]);
    assert_eq!(sum_up(&rig.values(&asked(None, Some("stock")), 60, grid)), ["service=orders: - 10 0 0"]);
    let new = Measure::NewLogPatterns { service: None, severity: None };
    assert_eq!(sum_up(&rig.values(&new, 60, grid)), ["pattern=no stock for order # service=orders: - 10 0 0"]);

    let point = |second: i64, value: f64| json!({ "timeUnixNano": (rig.start + second * NANOS).to_string(), "asDouble": value });
    let gauge = |name: &str, points: Vec<Value>| json!({ "name": name, "gauge": { "dataPoints": points } });
    let total = |second: i64| json!({ "timeUnixNano": (rig.start + second * NANOS).to_string(), "startTimeUnixNano": rig.start.to_string(), "asDouble": (second * 2) as f64 });
    let sum = json!({ "aggregationTemporality": 2, "isMonotonic": true, "dataPoints": (0..60).map(|at| total(at * 10)).collect::<Vec<_>>() });
    let metrics = vec![
        gauge("queue.length", (0..60).map(|at| point(at * 10, at as f64)).collect()),
        gauge("system.cpu.utilization", (0..30).map(|at| point(at * 10 + 1, 0.5)).collect()),
        json!({ "name": "jobs", "sum": sum }),
    ];
    rig.append(
        Signal::Metrics,
        &json!({ "resourceMetrics": [{ "resource": resource, "scopeMetrics": [{ "metrics": metrics }] }] }),
    );
    let metric = |name: &str, aggregation: Option<&str>| Measure::Metric {
        name: name.to_owned(),
        aggregation: aggregation.map(str::to_owned),
        service: Some("orders".to_owned()),
        attr: Vec::new(),
        group_by: vec!["host.name".to_owned()],
    };
    let grid = rig.grid(5 * MINUTE, MINUTE, 2);
    assert_eq!(sum_up(&rig.values(&metric("queue.length", Some("max")), 60, grid)), ["host.name=h1: 29 35"]);
    assert_eq!(sum_up(&rig.values(&metric("queue.length", Some("min")), 120, grid)), ["host.name=h1: 18 24"]);
    let found = rig.values(&metric("jobs", None), 60, grid);
    assert_eq!(sum_up(&found), ["host.name=h1: 2 2"], "what only grows is a rate");
    let hosts = rig.values(&Measure::Hosts { host: None }, 60, rig.grid(4 * MINUTE, 2 * MINUTE, 3));
    assert_eq!(sum_up(&hosts), ["host=h1: 0 60 180"]);

    let heartbeat = |name: &str| Measure::Heartbeat { name: name.to_owned() };
    assert!(rig.values(&heartbeat("backup"), 60, grid).series[0].values.iter().all(Option::is_none));
}

/// Values of series by their labels.
type ByLabels = BTreeMap<BTreeMap<String, String>, Vec<Option<f64>>>;

/// Values as they are judged minute by minute, from what was counted before, and later over the whole time.
#[test]
fn records_that_are_counted_once_are_those_of_the_past() {
    let rig = Rig::new();
    let mut random = Random(11);
    let measures = [
        Measure::Logs { service: None, severity: None, text: None, attr: Vec::new() },
        Measure::Logs { service: None, severity: Some("error".to_owned()), text: None, attr: Vec::new() },
        Measure::Logs {
            service: Some("pay".to_owned()),
            severity: None,
            text: Some("stock".to_owned()),
            attr: Vec::new(),
        },
        Measure::NewLogPatterns { service: None, severity: None },
    ];
    let mut judged = vec![ByLabels::new(); measures.len()];
    const MINUTES: i64 = 24;
    for minute in 0..MINUTES {
        let mut resources = Vec::new();
        for service in ["cart", "pay"] {
            let record = |second: i64, severity: u8, body: String| {
                let time = (rig.start + minute * MINUTE + second * NANOS).to_string();
                json!({ "timeUnixNano": time, "severityNumber": severity, "body": { "stringValue": body } })
            };
            let mut records: Vec<Value> =
                (0..20).map(|at| record(random.below(60), 9, format!("order {at} placed"))).collect();
            if minute % 9 == 5 {
                records.extend((0..3).map(|at| record(random.below(60), 17, format!("no stock for order {at}"))));
            }
            let resource = json!({ "attributes": [text("service.name", service)] });
            resources.push(json!({ "resource": resource, "scopeLogs": [{ "logRecords": records }] }));
        }
        rig.append(Signal::Logs, &json!({ "resourceLogs": resources }));
        let grid = rig.grid(minute * MINUTE + 10 * NANOS, 10 * NANOS, 6);
        for (measure, judged) in measures.iter().zip(&mut judged) {
            for series in rig.values(measure, 60, grid).series {
                let values = judged.entry(series.labels).or_insert_with(|| vec![None; 6 * MINUTES as usize]);
                values[6 * minute as usize..][..6].copy_from_slice(&series.values);
            }
        }
    }
    let grid = rig.grid(10 * NANOS, 10 * NANOS, 6 * MINUTES as usize);
    for (measure, judged) in measures.iter().zip(judged) {
        let past = rig.values(measure, 60, grid).series;
        let past: ByLabels = past.into_iter().map(|series| (series.labels, series.values)).collect();
        assert_eq!(judged, past, "{measure:?}");
        assert!(!past.is_empty(), "{measure:?}");
    }

    // What comes a minute late is seen at the next look.
    let grid = rig.grid(MINUTES * MINUTE, 10 * NANOS, 1);
    let sum = |found: Values| found.series.iter().flat_map(|series| series.values[0]).sum::<f64>();
    let before = sum(rig.values(&measures[0], 180, grid));
    let time = (rig.start + (MINUTES - 1) * MINUTE - 10 * NANOS).to_string();
    let record = json!({ "timeUnixNano": time, "severityNumber": 9, "body": { "stringValue": "late" } });
    let resource = json!({ "attributes": [text("service.name", "cart")] });
    let late = json!({ "resource": resource, "scopeLogs": [{ "logRecords": [record] }] });
    rig.append(Signal::Logs, &json!({ "resourceLogs": [late] }));
    assert_eq!(sum(rig.values(&measures[0], 180, grid)), before + 1.0);
}

#[test]
fn heartbeats_are_counted_from_the_last_before_each_moment() {
    let rig = Rig::with(None, &[5 * NANOS, 28 * NANOS]);
    let grid = Grid { first: 0, step: 10 * NANOS, count: 4 };
    let found = rig.values(&Measure::Heartbeat { name: "backup".to_owned() }, 60, grid);
    assert_eq!(found.series[0].values, [None, Some(5.0), Some(15.0), Some(2.0)]);
    assert_eq!(found.partial, None);
    assert_eq!(found.series[0].labels["heartbeat"], "backup");
    let found = rig.values(&Measure::Heartbeat { name: "other".to_owned() }, 60, grid);
    assert_eq!(found.series[0].values, [None; 4], "never heard");
}

/// What judging a thousand rules at one moment costs, each of which looks at twenty services: printed as JSON if
/// `ORRERY_BENCH` is set. Always: that what was read is read once.
#[test]
fn a_thousand_rules_share_what_is_read() {
    let rig = Rig::new();
    let services: Vec<&'static str> =
        (0..20).map(|number| &*Box::leak(format!("service-{number}").into_boxed_str())).collect();
    let mut random = Random(3);
    for minute in 0..40 {
        let span = |id: u64| Span {
            service: services[random.below(20) as usize],
            name: NAMES[random.below(2) as usize],
            kind: 2,
            start: minute * MINUTE + random.below(MINUTE),
            nanos: 1_000_000 + random.below(500_000_000),
            error: (random.below(5) == 0).then_some("timeout"),
            id: minute as u64 * 10_000 + id,
            ..Span::default()
        };
        rig.send(&(1..=500).map(span).collect::<Vec<_>>());
    }
    let rules: Vec<(Measure, u32)> = (0..1_000)
        .map(|number| {
            let by = if number % 10 == 9 { GroupBy::Operation } else { GroupBy::Service };
            (measure(FIGURES[number % FIGURES.len()], by, None, None, 0), [60, 120, 300][number % 3])
        })
        .collect();
    let grid = rig.grid(40 * MINUTE, 10 * NANOS, 1);
    let cpu = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        text.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
    };
    let (began, before) = (Instant::now(), cpu());
    let values: usize = rules.iter().map(|(measure, window)| rig.values(measure, *window, grid).series.len()).sum();
    assert_eq!(values, 900 * 20 + 100 * 40);
    if std::env::var_os("ORRERY_BENCH").is_some() {
        let figures = json!({ "rules": rules.len(), "values": values, "cpu_seconds": cpu() - before, "seconds": began.elapsed().as_secs_f64() });
        println!("{figures}");
    }
}
