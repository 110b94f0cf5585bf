//! Numbered requests of all signals, and what an engine gives back of them: the measure of "nothing is lost, nothing
//! is there twice, nothing is wrong".

#![allow(dead_code, reason = "not every user of this file needs all of it")]

use crate::items::{Item, Pairs, body, pairs, raw, trace_id};
use orrery_model::{Batch, Body, Signal};
use orrery_query::answer::AttributeMap;
use orrery_query::{Control, Store, TimeRange, plan};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const SECOND: i64 = 1_000_000_000;
/// Times of data points: long ago, so that a retention of a month takes them.
const LONG_AGO: i64 = 1_600_000_000 * SECOND;

/// Requests by number: the rows there are, as text that says everything about them.
pub(crate) type Rows = BTreeMap<u64, Vec<String>>;

/// Signal of a request.
pub(crate) fn signal(number: u64) -> Signal {
    [Signal::Traces, Signal::Logs, Signal::Traces, Signal::Metrics][(number % 4) as usize]
}

/// Items of a request. `base` is the time of number 0, Unix nanoseconds.
pub(crate) fn items(number: u64, base: i64) -> Vec<Item> {
    let mut state = number;
    let count = 1 + mix(&mut state) % 6;
    (0..count).map(|row| item(number, row, base, &mut state)).collect()
}

/// A request, as it is sent and as it is decoded. It is said to have come an hour ago: the log is not kept for the
/// observer of rollups then, and is trimmed as soon as it is sealed.
pub(crate) fn request(number: u64, base: i64) -> (Body, Batch) {
    let items = items(number, base);
    let received_unix_nano = base - 3600 * SECOND;
    (Body { received_unix_nano, ..body(signal(number), &items) }, crate::items::batch(signal(number), &items))
}

fn item(number: u64, row: u64, base: i64, state: &mut u64) -> Item {
    let service = ["cart", "shop", "pay"][(mix(state) % 3) as usize];
    let common = Item {
        resource: pairs(json!({"service.name": service, "host.name": format!("h{}", number % 3)})),
        attributes: pairs(json!({"n": number, "row": row, "word": format!("w{:x}", mix(state) % 1000)})),
        time: base + (number * 8 + row) as i64 * 1_000_000,
        ..Item::default()
    };
    match signal(number) {
        Signal::Traces => Item {
            trace: (number + 1).to_string(),
            span: row + 1,
            parent: row,
            name: format!("GET /{}", mix(state) % 10),
            kind: 1 + (mix(state) % 5) as u8,
            duration: (mix(state) % 9_000_000) as i64,
            error: mix(state).is_multiple_of(7),
            ..common
        },
        Signal::Logs => Item { body: Some(raw(&format!("\"line {:x}\"", mix(state)))), severity: 9, ..common },
        Signal::Metrics => Item {
            name: "points".into(),
            value: Some(raw(&(mix(state) % 1_000_000).to_string())),
            time: LONG_AGO + (number * 8 + row) as i64 * SECOND,
            ..common
        },
    }
}

/// The rows a request must give.
pub(crate) fn expected(number: u64, base: i64) -> Vec<String> {
    let row = |item: &Item| match signal(number) {
        Signal::Traces => {
            let trace = trace_id(&item.trace);
            let attributes = attributes(&item.attributes);
            span(&trace.to_string(), item.span, item.parent, &item.name, item.time, item.duration, &attributes)
        }
        Signal::Logs => {
            let body: serde_json::Value =
                serde_json::from_str(item.body.as_ref().expect("logs have one").get()).expect("JSON");
            log(item.time, &body, &attributes(&item.attributes))
        }
        Signal::Metrics => point(item.attributes["row"].get(), item.value.as_ref().expect("points have one").get()),
    };
    let mut rows: Vec<String> = items(number, base).iter().map(row).collect();
    rows.sort();
    rows
}

fn attributes(pairs: &Pairs) -> AttributeMap {
    pairs.iter().map(|(key, value)| (key.clone(), serde_json::from_str(value.get()).expect("JSON"))).collect()
}

fn span(trace: &str, id: u64, parent: u64, name: &str, start: i64, took: i64, attributes: &AttributeMap) -> String {
    format!("{trace} {id} {parent} {name} {start} {took} {attributes:?}")
}

fn log(time: i64, body: &serde_json::Value, attributes: &AttributeMap) -> String {
    format!("{time} {body} {attributes:?}")
}

fn point(row: &str, value: &str) -> String {
    format!("{row} {value}")
}

/// Everything an engine gives back, and whether it called an answer partial. Of requests that are not `thorough`, spans
/// are only counted: looking each trace up takes a while.
pub(crate) fn read(engine: &dyn Store, base: i64, thorough: impl Fn(u64) -> bool) -> (Rows, bool) {
    let mut rows = Rows::new();
    let mut partial = false;
    spans(engine, base, thorough, &mut rows, &mut partial);
    logs(engine, &mut rows, &mut partial);
    points(engine, &mut rows, &mut partial);
    rows.values_mut().for_each(|rows| rows.sort());
    (rows, partial)
}

/// Compares rows with what was sent: every acknowledged request is whole, no other is there by half, none was made up.
pub(crate) fn compare(rows: &Rows, acknowledged: &BTreeSet<u64>, sent: u64, base: i64) -> Result<(), String> {
    for (number, found) in rows {
        if *number >= sent {
            return Err(format!("request {number} is there and was never sent"));
        }
        if *found != expected(*number, base) {
            return Err(format!("request {number} is {found:#?} instead of {:#?}", expected(*number, base)));
        }
    }
    match acknowledged.iter().find(|number| !rows.contains_key(number)) {
        Some(number) => Err(format!("request {number} ({}) was acknowledged and is gone", signal(*number))),
        None => Ok(()),
    }
}

/// Whether everything durable can be queried.
pub(crate) fn settled(engine: &dyn Store) -> bool {
    engine
        .health()
        .signals
        .values()
        .all(|signal| signal.queryable + signal.dropped.values().sum::<u64>() >= signal.durable)
}

fn control() -> Control {
    Control::within(Duration::from_secs(300))
}

fn number(attributes: &AttributeMap) -> u64 {
    attributes["n"].as_u64().expect("the request's number")
}

fn spans(engine: &dyn Store, base: i64, thorough: impl Fn(u64) -> bool, rows: &mut Rows, partial: &mut bool) {
    let mut plan = plan::Traces { limit: 500, ..plan::Traces::all(TimeRange::ALL) };
    loop {
        let page = engine.traces(&plan, &control()).expect("traces are found");
        *partial |= page.partial.is_some();
        for found in &page.value.traces {
            let number = u128::from_be_bytes(found.trace_id.0) as u64 - 1;
            let whole = expected(number, base);
            if !thorough(number) && found.span_count == whole.len() as u64 {
                rows.insert(number, whole);
                continue;
            }
            let trace = engine.trace(&plan::Trace { trace_id: found.trace_id }, &control()).expect("a trace is read");
            *partial |= trace.partial.is_some();
            for row in &trace.value.spans {
                rows.entry(number).or_default().push(span(
                    &row.trace_id.to_string(),
                    row.span_id.0,
                    row.parent_span_id.0,
                    &row.name,
                    row.start_time_unix_nano,
                    row.duration_nanos,
                    &row.attributes,
                ));
            }
        }
        plan.cursor = page.value.next_cursor;
        if plan.cursor.is_none() {
            return;
        }
    }
}

fn logs(engine: &dyn Store, rows: &mut Rows, partial: &mut bool) {
    let filter = plan::LogFilter {
        range: TimeRange::ALL,
        service: None,
        min_severity: None,
        text: None,
        trace_id: None,
        span_id: None,
        attributes: Vec::new(),
    };
    let mut plan = plan::Logs { filter, limit: 500, cursor: None };
    loop {
        let page = engine.logs(&plan, &control()).expect("logs are found");
        *partial |= page.partial.is_some();
        for row in &page.value.logs {
            let text = log(row.time_unix_nano, &row.body, &row.attributes);
            rows.entry(number(&row.attributes)).or_default().push(text);
        }
        plan.cursor = page.value.next_cursor;
        if plan.cursor.is_none() {
            return;
        }
    }
}

fn points(engine: &dyn Store, rows: &mut Rows, partial: &mut bool) {
    let plan = plan::Metric {
        name: "points".into(),
        range: TimeRange { from: 0, to: 4 * LONG_AGO },
        step_nanos: SECOND,
        service: None,
        attributes: Vec::new(),
        group_by: vec!["n".into(), "row".into()],
        aggregation: Some(plan::Aggregation::Max),
        limit: u32::MAX,
    };
    let series = engine.metric(&plan, &control()).expect("points are found");
    *partial |= series.partial.is_some();
    for series in &series.value {
        let [(_, number), (_, row)] = &series.group[..] else { panic!("{:?}", series.group) };
        let number = number.parse().expect("the request's number");
        for (_, value) in &series.points {
            rows.entry(number).or_default().push(point(row, &value.to_string()));
        }
    }
}

/// splitmix64: random enough, and the same everywhere.
pub(crate) fn mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}
