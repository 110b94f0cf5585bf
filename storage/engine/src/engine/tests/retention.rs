//! What goes, why, and that a crash in between changes nothing.

use super::crash::segment_files;
use super::*;
use crate::failpoint;
use crate::manifest::SegmentEntry;
use orrery_query::retention::{Limit, Rule, Term};

fn expired(rig: &Rig, signal: Signal) -> BTreeMap<String, u64> {
    rig.engine().health().signals[&signal].expired.clone()
}

fn went(reason: &str, rows: u64) -> BTreeMap<String, u64> {
    BTreeMap::from([(reason.to_owned(), rows)])
}

fn rule(text: &str) -> Rule {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn whole_segments_go_by_age_and_are_counted() {
    let mut rig = Rig::new();
    rig.put(Signal::Traces, &[span(1, 1, T0), span(1, 2, T0)]);
    rig.put(Signal::Logs, &[log(T0, "old")]);
    rig.seal();
    rig.put(Signal::Traces, &[span(2, 1, super::super::now())]);
    rig.seal();
    let keep_logs = Limit { max_age: Some(Duration::from_secs(100 * 365 * 86400)), max_bytes: None };
    rig.reopen_with(|config| {
        config.retention = Some(Duration::from_secs(3600));
        config.limits.insert(Signal::Logs, keep_logs);
    });
    wait("expired", || rig.engine().health().segments == 2);
    assert!(rig.trace("1").is_empty());
    assert_eq!((rig.trace("2").len(), rig.logs(all_logs()).len()), (1, 1));
    wait("files are gone", || segment_files(&rig, "parquet").len() == 2);
    assert_eq!(expired(&rig, Signal::Traces), went("age", 2));
    rig.reopen();
    assert_eq!(expired(&rig, Signal::Traces), went("age", 2));
}

#[test]
fn the_oldest_go_when_a_signal_has_too_many_bytes() {
    let mut rig = Rig::new();
    // Sealed in another order than their times say.
    for hour in [2, 0, 3, 1] {
        rig.put(Signal::Traces, &[span(hour + 1, 1, T0 + hour as i64 * 3600 * SECOND)]);
        rig.put(Signal::Logs, &[log(T0, "x")]);
        rig.seal();
    }
    let mut entries = rig.engine().inner.manifest.current().segments;
    entries.retain(|entry| entry.signal == Signal::Traces && entry.first_unix_nano >= T0 + 2 * 3600 * SECOND);
    let two: u64 = entries.iter().map(|entry| entry.bytes + entry.index_bytes).sum();
    let limit = Limit { max_age: None, max_bytes: Some(two) };
    rig.reopen_with(|config| _ = config.limits.insert(Signal::Traces, limit));
    wait("expired", || rig.engine().health().segments == 6);
    let left: Vec<usize> = ["1", "2", "3", "4"].map(|trace| rig.trace(trace).len()).into();
    assert_eq!((left, rig.logs(all_logs()).len()), (vec![0, 0, 1, 1], 4));
    assert_eq!(expired(&rig, Signal::Traces), went("size", 2));
}

/// Spans of two services with errors, durations and attributes of every shape.
fn spans() -> Vec<Item> {
    let mut items = round_trip::rich();
    for (at, item) in items.iter_mut().enumerate() {
        item.duration = at as i64 * 1_000_000;
        if at % 4 == 0 {
            item.resource = pairs(json!({"service.name": "shop", "deployment.environment": "prod", "region": "eu"}));
        }
    }
    items
}

/// What a rule says, in plain words of Rust.
fn speaks_of(rule: &Rule, item: &Item) -> bool {
    let resource = |key: &str| item.resource.get(key).map(|value| value.get().trim_matches('"').to_owned());
    let text = |value: &str| {
        serde_json::from_str::<serde_json::Value>(value).ok().map(|value| crate::context::text_of_json(&value))
    };
    rule.terms.iter().all(|term| {
        let found = match term {
            Term::Error(_) => item.error,
            Term::Shorter(nanos, _) => item.duration < *nanos,
            Term::Longer(nanos, _) => item.duration > *nanos,
            Term::Service(orrery_query::retention::ServiceField::Name, name, _) => {
                resource("service.name").as_ref() == Some(name)
            }
            Term::Service(_, name, _) => resource("deployment.environment").unwrap_or_default() == *name,
            Term::Attribute(filter) => {
                let own = item.attributes.get(&filter.key).or(item.resource.get(&filter.key));
                own.is_some_and(|value| text(value.get()).as_ref() == Some(&filter.value))
            }
        };
        found == term.holds()
    })
}

#[test]
fn rules_remove_what_they_speak_of_and_nothing_else() {
    for text in [
        "traces after 3d where service = cart and not error",
        "traces after 3d where error",
        "traces after 3d where duration < 20ms and environment != prod",
        "traces after 3d where duration > 50ms",
        "traces after 3d where mixed = 200",
        "traces after 3d where mixed != text and not duration > 30ms",
        "traces after 3d where region = eu",
        "traces after 3d where rare.3 = -9223372036854775808",
        "traces after 3d where service = nobody",
        "traces after 3d where service != nobody",
    ] {
        let rule = rule(text);
        let mut rig = Rig::new();
        let items = spans();
        rig.put(Signal::Traces, &items[..30]);
        rig.seal();
        rig.put(Signal::Traces, &items[30..]);
        rig.seal();
        let rows = |rig: &Rig| -> Vec<SpanRow> { (1..=7).flat_map(|trace| rig.trace(&trace.to_string())).collect() };
        let before = rows(&rig);
        let is_gone =
            |row: &SpanRow| items.iter().any(|item| SpanId(item.span) == row.span_id && speaks_of(&rule, item));
        let expected: Vec<SpanRow> = before.iter().filter(|row| !is_gone(row)).cloned().collect();
        let gone = (before.len() - expected.len()) as u64;
        rig.reopen_with(|config| config.rules = vec![rule.clone()]);
        let done = |rig: &Rig| {
            // What queries see, not the manifest: that is a moment ahead.
            let segments = &rig.engine().inner.current.get().segments;
            let judged = |entry: &SegmentEntry| entry.judged.get(&rule.to_string()).copied();
            segments.iter().all(|segment| judged(&segment.entry).is_some_and(|to| to > segment.entry.last_unix_nano))
        };
        wait(text, || done(&rig));
        assert_eq!(rows(&rig), expected, "{text}");
        let counted = expired(&rig, Signal::Traces).get("rule").copied().unwrap_or_default();
        assert_eq!(counted, gone, "{text}");
        let segments = rig.engine().inner.manifest.current().segments;
        assert_eq!(segments.iter().map(|entry| entry.rows).sum::<u64>(), expected.len() as u64, "{text}");
        // Judged once, a segment is left alone; a merge of judged segments is judged.
        assert!(!rig.engine().inner.thin_once().unwrap(), "{text}");
        if segments.len() == 2 {
            rig.engine().inner.compact_for_test();
            assert!(done(&rig), "{text}");
        }
        rig.reopen();
        assert_eq!(rows(&rig), expected, "{text}");
    }
}

#[test]
fn a_segment_of_days_is_judged_day_by_day_and_then_left_alone() {
    const HOUR: i64 = 3600 * SECOND;
    let rig = Rig::new();
    rig.put(Signal::Traces, &[span(1, 1, T0), span(1, 2, T0 + 60 * HOUR)]);
    rig.seal();
    let mut entry = rig.engine().inner.manifest.current().segments[0].clone();
    let rules = [rule("traces after 1h where error")];
    let mut judged = Vec::new();
    for hour in 0..100 {
        let now = T0 + hour * HOUR;
        for (_, before) in crate::engine::rules::due(&rules, &entry, now) {
            assert_eq!(before, now - HOUR);
            entry.judged.insert(rules[0].to_string(), before);
            judged.push(hour);
        }
    }
    // A day after its first row became old enough, a day after that, and when all of it is.
    assert_eq!(judged, [25, 49, 62]);
}

#[test]
fn rules_for_logs_and_metrics() {
    let mut rig = Rig::new();
    let mut failed = log(T0, "failed");
    failed.severity = 17;
    rig.put(Signal::Logs, &[log(T0, "fine"), failed]);
    let point = |host: &str| Item {
        resource: pairs(json!({"service.name": "cart"})),
        attributes: pairs(json!({"host": host})),
        name: "m".into(),
        time: T0,
        value: Some(raw("1")),
        ..Item::default()
    };
    rig.put(Signal::Metrics, &[point("a"), point("b"), point("b")]);
    rig.seal();
    rig.reopen_with(|config| {
        config.rules = vec![rule("logs after 1d where not error"), rule("metrics after 1d where host = b")];
    });
    wait("thinned", || !expired(&rig, Signal::Logs).is_empty() && !expired(&rig, Signal::Metrics).is_empty());
    let left: Vec<_> = rig.logs(all_logs()).into_iter().map(|log| log.body).collect();
    assert_eq!(left, [json!("failed")]);
    assert_eq!((expired(&rig, Signal::Logs), expired(&rig, Signal::Metrics)), (went("rule", 1), went("rule", 2)));
}

#[test]
fn a_rule_that_breaks_off_anywhere_neither_loses_nor_keeps() {
    for step in ["thinned", "exchanged"] {
        let mut rig = Rig::new();
        let items = spans();
        rig.put(Signal::Traces, &items);
        rig.seal();
        let count = |rig: &Rig| (1..=7).map(|trace| rig.trace(&trace.to_string()).len()).sum::<usize>();
        let failed = items.iter().filter(|item| item.error).count();
        rig.engine = None;
        let mut config = config(rig.dir.path());
        config.rules = vec![rule("traces after 3d where not error")];
        let engine = Engine::open(super::config(rig.dir.path()), Arc::new(Items)).unwrap();
        let broken = failpoint::failing(step, || engine.inner.thin_next(&config.rules));
        assert!(broken.is_err(), "{step}");
        drop(engine);
        rig.reopen();
        assert_eq!(count(&rig), if step == "thinned" { items.len() } else { failed }, "{step}");
        let listed = rig.engine().inner.manifest.current().segments.len();
        assert_eq!((segment_files(&rig, "parquet").len(), segment_files(&rig, "index").len()), (listed, listed));
        rig.reopen_with(|other| other.rules = config.rules.clone());
        wait("thinned", || count(&rig) == failed);
        assert_eq!(expired(&rig, Signal::Traces), went("rule", (items.len() - failed) as u64), "{step}");
    }
}

#[test]
fn the_plan_says_what_will_go() {
    let mut rig = Rig::new();
    for hour in 0..4 {
        let mut items = spans();
        items
            .iter_mut()
            .for_each(|item| (item.time, item.span) = (T0 + hour * 3600 * SECOND, item.span + hour as u64 * 100));
        rig.put(Signal::Traces, &items);
        rig.seal();
    }
    let oldest = super::super::now() - (T0 + 1800 * SECOND);
    let rules = vec![rule("traces after 3d where not error"), rule("traces after 3d where duration > 0s")];
    let mut planned = config(rig.dir.path());
    let bytes = |rig: &Rig| {
        rig.engine()
            .inner
            .manifest
            .current()
            .segments
            .iter()
            .map(|entry| entry.bytes + entry.index_bytes)
            .collect::<Vec<_>>()
    };
    let most = bytes(&rig).into_iter().sum::<u64>() / 2;
    planned.retention = Some(Duration::from_nanos(oldest as u64));
    planned.limits.insert(Signal::Traces, Limit { max_age: None, max_bytes: Some(most) });
    planned.rules = rules.clone();
    let segments = rig.engine().inner.current.get().segments.clone();
    let inner = &rig.engine().inner;
    let plan =
        crate::engine::retention::plan(&planned, &segments, &inner.duck, super::super::now(), || Ok(())).unwrap();
    let traces = plan.signals[&Signal::Traces];
    assert_eq!((traces.stored.rows, traces.stored.segments), (240, 4));
    assert_eq!((traces.age.rows, traces.age.segments), (60, 1));
    assert!(traces.size.segments >= 1 && traces.size.segments <= 2, "{traces:?}");
    let kept = 3 - traces.size.segments;
    // Of 60 spans 48 did not fail and all take time but the first, which failed.
    assert_eq!((traces.rules.rows, traces.rules.segments), (59 * kept, kept));
    assert_eq!(plan.rules.iter().map(|(_, amount)| amount.rows).collect::<Vec<_>>(), [48 * kept, 59 * kept]);
    assert!(traces.rules.bytes <= most);
    drop(segments);
    rig.reopen_with(|config| {
        (config.retention, config.limits, config.rules) = (planned.retention, planned.limits, planned.rules)
    });
    wait("all of it went", || {
        let gone = expired(&rig, Signal::Traces);
        let reason = |reason| gone.get(reason).copied().unwrap_or_default();
        (reason("age"), reason("size"), reason("rule")) == (60, traces.size.rows, traces.rules.rows)
    });
}

#[test]
fn retired_files_linger_for_readers_outside() {
    let mut rig = Rig::new();
    rig.put(Signal::Traces, &[span(1, 1, T0)]);
    rig.seal();
    rig.put(Signal::Traces, &[span(1, 2, T0)]);
    rig.seal();
    rig.reopen_with(|config| config.linger = Duration::from_secs(3600));
    rig.engine().inner.compact_for_test();
    assert_eq!((rig.engine().health().segments, segment_files(&rig, "parquet").len()), (1, 3));
    rig.engine().inner.bury(Duration::ZERO);
    // Whoever reads one just now keeps it: the thread that verifies checksums.
    wait("the others go", || segment_files(&rig, "parquet").len() == 1);
}
