//! Trace and log search.

use super::*;
use orrery_query::traceql::{Literal, parse};

#[test]
fn a_search_needs_all_filters_on_one_span() {
    let rig = Rig::new();
    let mut items = vec![span(1, 1, T0), span(1, 2, T0 + 1), span(2, 3, T0 + 2)];
    items[0].attributes = pairs(json!({"user": "ann"}));
    items[1].error = true;
    items[2].attributes = pairs(json!({"user": "ann"}));
    items[2].error = true;
    items[2].name = "POST /cart".into();
    items[2].duration = 50_000_000;
    items[2].resource = pairs(json!({"service.name": "orders", "deployment.environment.name": "prod"}));
    rig.put(Signal::Traces, &items);
    let check = |rig: &Rig| {
        let ids = |plan: plan::Traces| -> Vec<u128> {
            rig.search(&plan).iter().map(|trace| u128::from_be_bytes(trace.trace_id.0)).collect()
        };
        assert_eq!(ids(all_traces()), [2, 1]);
        assert_eq!(ids(asking("{ status = error && .user = \"ann\" }")), [2]);
        assert_eq!(ids(asking("{ status != error }")), [1]);
        assert_eq!(ids(asking("{ name = \"POST /cart\" }")), [2]);
        assert_eq!(ids(asking("{ duration >= 6ms }")), [2]);
        assert_eq!(ids(asking("{ duration <= 6ms }")), [1]);
        assert_eq!(ids(plan::Traces { range: TimeRange::new(T0, T0 + 2).unwrap(), ..all_traces() }), [1]);
        assert_eq!(ids(asking("{ resource.service.name = \"cart\" }")), [1]);
        let of = |environment| format!("{{ resource.deployment.environment.name = {environment} }}");
        assert_eq!(ids(asking(&of("\"prod\""))), [2]);
        assert_eq!(ids(asking(&of("nil"))), [1]);
        let summary = &rig.search(&all_traces())[1];
        assert_eq!((summary.span_count, summary.error_count, summary.root_received), (2, 1, true));
        assert_eq!(summary.matched_span_id, SpanId(2));
    };
    check(&rig);
    rig.seal();
    check(&rig);
}

#[test]
fn a_span_that_comes_twice_is_seen_once() {
    let rig = Rig::new();
    rig.put(Signal::Traces, &[span(1, 1, T0)]);
    rig.put(Signal::Traces, &[span(1, 1, T0)]);
    assert_eq!((rig.trace("1").len(), rig.search(&all_traces())[0].span_count), (1, 1));
    rig.seal();
    assert_eq!(rig.engine().inner.manifest.current().segments[0].rows, 1);
    rig.put(Signal::Traces, &[span(1, 1, T0)]);
    assert_eq!((rig.trace("1").len(), rig.search(&all_traces())[0].span_count), (1, 1));
    assert_eq!(rig.engine().health().signals[&Signal::Traces].queryable, 3, "duplicates included");
}

/// All pages, with something arriving between them.
fn pages(rig: &Rig, limit: u32, mut between: impl FnMut(usize)) -> Vec<u128> {
    let mut plan = plan::Traces { limit, ..all_traces() };
    let mut found = Vec::new();
    for page in 0.. {
        let answer = rig.engine().traces(&plan, &control()).unwrap().value;
        found.extend(answer.traces.iter().map(|trace| u128::from_be_bytes(trace.trace_id.0)));
        match answer.next_cursor {
            Some(cursor) => plan.cursor = Some(cursor),
            None => return found,
        }
        between(page);
    }
    unreachable!("pages end")
}

#[test]
fn pages_have_no_gap_and_no_repeat_while_more_arrives() {
    let rig = Rig::new();
    // Three spans per trace, interleaved in time, so that traces straddle pages, slices and segments.
    let batch = |from: u64| -> Vec<Item> {
        let item = |at: u64| span(1 + (from + at) % 40, from + at + 1, T0 + (from + at) as i64 % 17);
        (0..60).map(item).collect()
    };
    rig.put(Signal::Traces, &batch(0));
    rig.seal();
    rig.put(Signal::Traces, &batch(60));
    let all = pages(&rig, 100, |_| ());
    assert_eq!(all.len(), 40);
    let mut next = 1_000;
    for limit in [3, 7] {
        let before = pages(&rig, 100, |_| ());
        let paged = pages(&rig, limit, |page| {
            // Newer traces, and later spans of traces not yet shown.
            next += 1;
            let newer = span(next, next, T0 + 100 + next as i64);
            rig.put(Signal::Traces, &[newer, span(1 + page as u64 % 40, next, T0 + 100)]);
            if page % 5 == 0 {
                rig.seal();
            }
        });
        assert_eq!(paged, before, "limit {limit}");
    }
}

#[test]
fn log_pages_go_on_where_they_ended() {
    let rig = Rig::new();
    let items: Vec<Item> = (0..50).map(|at| log(T0 + at / 10, &format!("record {at}"))).collect();
    rig.put(Signal::Logs, &items[..30]);
    rig.seal();
    rig.put(Signal::Logs, &items[30..]);
    let mut plan = plan::Logs { filter: all_logs(), limit: 7, cursor: None };
    let mut found = Vec::new();
    loop {
        let page = rig.engine().logs(&plan, &control()).unwrap().value;
        found.extend(page.logs.iter().map(|log| log.body.as_str().unwrap().to_owned()));
        let Some(cursor) = page.next_cursor else { break };
        plan.cursor = Some(cursor);
        rig.put(Signal::Logs, &[log(T0 + 100, "newer")]);
        if found.len() == 21 {
            rig.seal();
        }
    }
    let mut expected: Vec<String> = (0..50).rev().map(|at| format!("record {at}")).collect();
    assert_eq!(found.len(), 50);
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let bad = plan::Logs { cursor: Some("x".into()), ..plan };
    assert!(matches!(
        rig.engine().logs(&bad, &control()),
        Err(orrery_query::QueryError::Invalid { field: "cursor", .. })
    ));
}

#[test]
fn log_counts_add_up() {
    let rig = Rig::new();
    let mut items: Vec<Item> = (0..100).map(|at| log(T0 + at * SECOND, "x")).collect();
    items.iter_mut().step_by(4).for_each(|item| item.severity = 17);
    rig.put(Signal::Logs, &items[..50]);
    rig.seal();
    rig.put(Signal::Logs, &items[50..]);
    let range = TimeRange::new(T0, T0 + 100 * SECOND).unwrap();
    let plan = plan::LogHistogram { filter: plan::LogFilter { range, ..all_logs() }, buckets: 10 };
    let answer = rig.engine().log_histogram(&plan, &control()).unwrap().value;
    assert_eq!(answer.step_nanos, 10 * SECOND);
    let counts: u64 = answer.buckets.iter().flat_map(|bucket| bucket.counts.values()).sum();
    let errors: u64 =
        answer.buckets.iter().filter_map(|bucket| bucket.counts.get(&orrery_model::Severity::Error)).sum();
    assert_eq!((counts, errors), (100, 25));
}

#[test]
fn queries_stop_at_their_deadline_when_cancelled_and_when_too_many() {
    let rig = Rig::new();
    rig.put(Signal::Traces, &[span(1, 1, T0)]);
    let over = Control::within(Duration::ZERO);
    assert!(matches!(rig.engine().traces(&all_traces(), &over), Err(orrery_query::QueryError::Deadline)));
    let cancelled = control();
    cancelled.cancel();
    assert!(matches!(rig.engine().traces(&all_traces(), &cancelled), Err(orrery_query::QueryError::Cancelled)));
    let control = control();
    let leases: Vec<_> = std::iter::from_fn(|| rig.engine().inner.duck.query(&control).ok()).collect();
    assert!(matches!(rig.engine().traces(&all_traces(), &control), Err(orrery_query::QueryError::Busy)));
    drop(leases);
    rig.engine().traces(&all_traces(), &control).unwrap();
    // A statement that would run for minutes.
    let short = Control::within(Duration::from_millis(200));
    let lease = rig.engine().inner.duck.query(&short).unwrap();
    let started = Instant::now();
    let endless = lease.connection().execute_batch("SELECT count(*) FROM range(100000000) a, range(100000000) b");
    assert!(endless.is_err() && started.elapsed() < Duration::from_secs(10));
}

/// What is found does not depend on where it is: each kind of filter, on values of every type, in memory and sealed.
#[test]
fn memory_and_segments_find_the_same() {
    let mut rig = Rig::new();
    let mut items = super::round_trip::rich();
    for (at, item) in items.iter_mut().enumerate() {
        let version = if at % 2 == 0 { json!("1.0") } else { json!(1.5) };
        let service = ["cart", "orders"][at % 2];
        item.resource = pairs(json!({"service.name": service, "service.version": version}));
        item.duration = at as i64 * 1_000_000;
        item.name = format!("operation {}", at % 4);
        // The old spelling of an attribute that others have by its new name; a resource's attribute of the span's own.
        if at % 3 == 0 {
            let method = item.attributes.remove("http.request.method").unwrap();
            item.attributes.insert("http.method".into(), method);
        }
        if at % 7 == 0 {
            item.attributes.insert("service.version".into(), raw("\"2.0\""));
        }
    }
    items.chunks(7).for_each(|items| rig.put(Signal::Traces, items));
    let keys = ["mixed", "http.method", "http.request.method", "ratio", "sampled", "service.version", "rare.3", "none"];
    let values = [
        "text",
        "200",
        "200.0",
        "1e300",
        "0.1",
        "true",
        "null",
        "",
        "GET",
        "1.0",
        "1.5",
        "2.0",
        "0.25",
        "AAEC",
        "[1,2.0,\"x\"]",
        "a \"b\"\n한",
        "-9223372036854775808",
        "NaN",
        "-Infinity",
    ];
    let mut plans = vec![
        all_traces(),
        plan::Traces { limit: 3, ..all_traces() },
        asking("{ name = \"operation 2\" }"),
        asking("{ name = \"nothing\" }"),
        asking("{ status = error && resource.service.name = \"orders\" }"),
        asking("{ duration >= 20ms && duration <= 30ms }"),
        asking("{ duration > 20ms } && { status = error }"),
        plan::Traces { range: TimeRange::new(T0 + 10, T0 + 31).unwrap(), ..all_traces() },
    ];
    for (key, value) in keys.iter().flat_map(|key| values.iter().map(move |value| (*key, *value))) {
        let literals = [
            Some(Literal::Text(value.into())),
            value.parse().ok().map(Literal::Int),
            value.parse().ok().filter(|value: &f64| value.is_finite()).map(Literal::Float),
            value.parse().ok().map(Literal::Bool),
        ];
        for literal in literals.into_iter().flatten() {
            for scope in ["", "span", "resource", "instrumentation"] {
                plans.push(asking(&format!("{{ {scope}.{key} = {literal} }}")));
                plans.push(asking(&format!("{{ !({scope}.{key} = {literal}) }}")));
                plans.push(asking(&format!("{{ {scope}.{key} != {literal} }}")));
            }
        }
    }
    let everything = |rig: &Rig| {
        let found: Vec<Vec<TraceSummary>> = plans.iter().map(|plan| rig.search(plan)).collect();
        let spans: Vec<Vec<SpanRow>> = (1..=7).map(|trace| rig.trace(&trace.to_string())).collect();
        let values: Vec<_> = keys
            .iter()
            .chain(&["name", "service.name"])
            .map(|key| {
                let plan = plan::Values {
                    range: TimeRange::ALL,
                    signal: Signal::Traces,
                    key: (*key).into(),
                    prefix: String::new(),
                    limit: 100,
                };
                rig.engine().values(&plan, &control()).unwrap().value
            })
            .collect();
        (found, spans, values)
    };
    let hot = everything(&rig);
    assert!(hot.0.iter().filter(|found| !found.is_empty()).count() > plans.len() / 4);
    rig.seal();
    let sealed = everything(&rig);
    for ((plan, hot), sealed) in plans.iter().zip(&hot.0).zip(&sealed.0) {
        assert_eq!(hot, sealed, "{plan:?}");
    }
    assert_eq!(hot.1, sealed.1);
    assert_eq!(hot.2, sealed.2);
    // Without memory for indexes all of them are read for every question.
    rig.reopen_with(|config| config.index_memory_bytes = 0);
    assert!(everything(&rig) == sealed);
    let health = rig.engine().health();
    assert!(health.index_memory_bytes == 0 && health.index_reads > plans.len() as u64, "{health:?}");
}

/// A value that occurs once, of an attribute of spans or of a resource, is not searched for everywhere.
#[test]
fn a_search_opens_the_segments_that_may_have_the_value() {
    const SEGMENTS: u64 = 24;
    let rig = Rig::new();
    for segment in 0..SEGMENTS {
        let spans: Vec<Item> = (0..40)
            .map(|at| {
                let mut span = span(segment + 1, segment * 100 + at + 1, T0 + (segment * 100 + at) as i64);
                span.resource.extend(pairs(json!({"k8s.pod.name": format!("pod-{segment}")})));
                span.attributes = pairs(json!({"order.id": format!("order-{segment}-{at}"), "tenant": at % 3}));
                span
            })
            .collect();
        rig.put(Signal::Traces, &spans);
        rig.seal();
    }
    let opened = |query: &str, found: usize| {
        let plan = plan::Traces { query: parse(query).unwrap(), ..all_traces() };
        let answer = rig.engine().traces(&plan, &control()).unwrap();
        assert_eq!(answer.value.traces.len(), found, "{query}");
        // Those of traces that were found are read once more.
        answer.scanned.segments as usize - found
    };
    assert!((1..8).contains(&opened("{ span.order.id = \"order-7-11\" }", 1)));
    assert!(opened("{ span.order.id = \"order-7-99\" }", 0) < 8);
    assert!((1..3).contains(&opened("{ resource.k8s.pod.name = \"pod-7\" }", 1)));
    assert_eq!(opened("{ span.tenant = 2 }", SEGMENTS as usize), SEGMENTS as usize);
    assert_eq!((opened("{ span.tenant = 3 }", 0), opened("{ span.unknown = 1 }", 0)), (0, 0));
}
