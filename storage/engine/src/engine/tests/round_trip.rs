//! What goes in comes out, from memory and from segments.

use super::*;

/// Every shape of value, in spans that make some keys frequent, some rare and some of mixed type.
pub(super) fn rich() -> Vec<Item> {
    let values = [
        "\"text\"",
        "\"200\"",
        "200",
        "-9223372036854775808",
        "200.0",
        "0.1",
        "1e300",
        "true",
        "false",
        "null",
        "\"\"",
        "\"a \\\"b\\\"\\n한\"",
        "[1,2.0,\"x\"]",
        "{\"k\":[true]}",
        "{\"bytesValue\":\"AAEC\"}",
        "{\"doubleValue\":\"NaN\"}",
        "{\"doubleValue\":\"-Infinity\"}",
    ];
    (0..60u64)
        .map(|number| {
            let mut item = span(number % 7 + 1, number + 1, T0 + number as i64);
            let value = values[number as usize % values.len()];
            item.attributes = pairs(json!({
                "http.request.method": "GET",
                "http.response.status_code": 200 + number,
                "ratio": number as f64 / 8.0,
                "sampled": number % 2 == 0,
                "name": "an attribute called like a column",
                "weird \"key\"; --": 1,
            }));
            item.attributes.insert("mixed".into(), raw(value));
            item.attributes.insert(format!("rare.{number}"), raw(value));
            item.error = number % 5 == 0;
            item.parent = number % 3;
            item.events = (0..number % 3)
                .map(|at| (T0 + at as i64, format!("event {at}"), pairs(json!({"exception.type": "E", "n": at}))))
                .collect();
            item.links = (0..number % 2).map(|at| ("99".into(), at + 5, pairs(json!({"why": "because"})))).collect();
            item
        })
        .collect()
}

#[test]
fn spans_are_the_same_from_memory_from_segments_and_after_a_merge() {
    let mut rig = Rig::new();
    let items = rich();
    rig.put(Signal::Traces, &items);
    let read = |rig: &Rig| -> Vec<SpanRow> { (1..=7).flat_map(|trace| rig.trace(&trace.to_string())).collect() };
    let hot = read(&rig);
    assert_eq!(hot.len(), 60);
    for item in &items {
        let row = hot.iter().find(|row| row.span_id == SpanId(item.span)).unwrap();
        assert_eq!(row.attributes.len(), item.attributes.len());
        for (key, value) in &item.attributes {
            let sent: serde_json::Value = serde_json::from_str(value.get()).unwrap();
            assert_eq!(row.attributes[key], sent, "{key}");
        }
        assert_eq!((row.events.len(), row.links.len()), (item.events.len(), item.links.len()));
        assert_eq!(row.resource["service.name"], "cart");
        assert_eq!((row.scope_name.as_str(), row.scope_version.as_str()), ("test-scope", "1.2"));
    }
    rig.reopen();
    assert_eq!(read(&rig), hot, "after a replay");
    rig.seal();
    assert_eq!(read(&rig), hot, "sealed");
    let entry = rig.engine().inner.manifest.current().segments[0].clone();
    let promoted: Vec<&str> = entry.promoted.iter().map(|promoted| promoted.key.as_str()).collect();
    assert!(promoted.contains(&"http.response.status_code") && promoted.contains(&"mixed"), "{promoted:?}");
    assert!(!promoted.contains(&"name") && !promoted.iter().any(|key| key.starts_with("rare") || key.contains(' ')));
    rig.reopen();
    assert_eq!(read(&rig), hot, "sealed and reopened");
    let copy = rig.trace("1");
    for number in 0..7 {
        rig.put(Signal::Traces, &[span(1000 + number, 1, T0 + 5 * SECOND)]);
        rig.seal();
    }
    rig.engine().inner.compact_for_test();
    let manifest = rig.engine().inner.manifest.current();
    assert_eq!((manifest.segments.len(), manifest.segments[0].level, manifest.segments[0].rows), (1, 1, 67));
    assert_eq!(read(&rig), hot, "merged");
    assert_eq!(rig.trace("1"), copy);
    assert_eq!(std::fs::read_dir(rig.engine().inner.dir.segments()).unwrap().count(), 2, "old files are gone");
}

#[test]
fn every_filter_finds_the_same_in_memory_and_in_segments() {
    let rig = Rig::new();
    // A trace for each span: a trace is found when its span is.
    let items = rich().into_iter().map(|item| Item { trace: item.span.to_string(), ..item });
    rig.put(Signal::Traces, &items.collect::<Vec<_>>());
    let filters: Vec<(&str, usize)> = vec![
        (r#".http.request.method = "GET""#, 60),
        (r#".http.method = "GET""#, 60),
        (".http.status_code = 207", 1),
        (".mixed = 200", 8),
        (r#".mixed = "200""#, 4),
        (r#".mixed = "text""#, 4),
        (r#".mixed = "AAEC""#, 3),
        (".mixed = true", 4),
        (r#".mixed = "x""#, 3),
        (r#".mixed = "nothing""#, 0),
        (".rare.3 = minInt", 1),
        (".ratio = 0.125", 1),
        (r#".ratio = "0.125""#, 0),
        (".sampled = true", 30),
        (r#".service.name = "cart""#, 60),
        (r#"resource.host.name = "h1""#, 60),
        (r#"span.host.name = "h1""#, 0),
        (r#".host.name = "h2""#, 0),
        (r#"span."weird \"key\"; --" = 1"#, 60),
        (r#"span.name = "an attribute called like a column""#, 60),
        (r#".absent = """#, 0),
    ];
    let check = |what: &str| {
        for (filter, expected) in &filters {
            let count = |query: String| rig.search(&asking(&query)).len();
            assert_eq!(count(format!("{{ {filter} }}")), *expected, "{what}: {filter}");
            assert_eq!(count(format!("{{ !({filter}) }}")), 60 - expected, "{what}: not {filter}");
        }
    };
    check("memory");
    rig.seal();
    check("sealed");
}

#[test]
fn logs_of_any_body_come_back() {
    let mut rig = Rig::new();
    let bodies = ["\"plain\"", "\"200\"", "200", "2.5", "{\"a\":[1,\"x\"]}", "null", "true", "\"한글 'quoted'\""];
    let items: Vec<Item> = bodies
        .iter()
        .enumerate()
        .map(|(at, body)| Item { body: Some(raw(body)), trace: "5".into(), ..log(T0 + at as i64, "") })
        .collect();
    rig.put(Signal::Logs, &items);
    let hot = rig.logs(all_logs());
    let read: Vec<String> = hot.iter().rev().map(|log| log.body.to_string()).collect();
    assert_eq!(read, bodies);
    rig.reopen();
    assert_eq!(rig.logs(all_logs()), hot);
    rig.seal();
    assert_eq!(rig.logs(all_logs()), hot);
    let text = |text: &str| rig.logs(plan::LogFilter { text: Some(text.into()), ..all_logs() }).len();
    assert_eq!((text("PLAIN"), text("'quoted'"), text("글"), text("%")), (1, 1, 1, 0));
    let of_trace = |id: &str| rig.logs(plan::LogFilter { trace_id: Some(items::trace_id(id)), ..all_logs() }).len();
    assert_eq!((of_trace("5"), of_trace("6")), (8, 0));
}

#[test]
fn points_come_back_from_segments_as_they_were() {
    use crate::columns::{self, Arrival, Part, Place, Rows, Table};
    use crate::context::ContextTable;
    let mut items = vec![
        Item { name: "g".into(), value: Some(raw("5")), ..span(1, 1, T0) },
        Item { name: "g".into(), value: Some(raw("0.1")), ..span(1, 1, T0) },
    ];
    let distribution = |kind, distribution| items::MetricItem {
        kind,
        unit: "s".into(),
        temporality: 2,
        monotonic: true,
        start: T0,
        distribution: Some(distribution),
    };
    use orrery_model::batch::{Buckets, Distribution};
    let exponential = Buckets::Exponential {
        scale: 3,
        zero_count: 2,
        zero_threshold: 1e-9,
        positive_offset: -4,
        positive: vec![1, 0, 7],
        negative_offset: 9,
        negative: vec![u64::MAX],
    };
    let summary = Buckets::Summary { quantiles: vec![(0.5, 1.25), (0.99, 2.5)] };
    for (kind, shape) in [(3, items::histogram(&[0.1, 1.0], &[1, 2, 3]).buckets), (4, exponential), (5, summary)] {
        let shape = Distribution { count: 6, sum: Some(0.3), min: Some(-0.0), max: None, buckets: shape };
        items.push(Item { name: "d".into(), metric: Some(distribution(kind, shape)), ..span(1, 1, T0) });
    }
    let orrery_model::Batch::Metrics(batch) = items::batch(Signal::Metrics, &items) else { unreachable!() };
    let mut context = ContextTable::default();
    let (resources, scopes) = context.number(&batch.context);
    let (resources, scopes) = (resources.into(), scopes.into());
    let parts = [Part { batch: Arc::new(batch.clone()), resources, scopes, arrival: Arrival::Record(1) }];
    let picks = crate::slice::picks(&parts);
    let columns = columns::sealed_batch(
        &Rows { parts: &parts, picks: &picks, context: &context },
        &columns::Promotion::new(&parts, &[]),
    )
    .unwrap();
    assert_eq!(columns.schema(), columns::schema::<orrery_model::MetricBatch>(Place::Sealed, &[]));
    let read = orrery_model::MetricBatch::read(&columns, &context, &[]).unwrap();
    assert_eq!(read.value, batch.value);
    assert_eq!(read.distributions, batch.distributions);
    assert_eq!(read.distribution, batch.distribution);
    assert_eq!(read.exemplars, batch.exemplars);
    let metric = |batch: &orrery_model::MetricBatch, row: usize| {
        let metric = &batch.metrics[batch.metric[row] as usize];
        let name = batch.context.strings.get(metric.name).to_owned();
        (name, metric.kind, metric.temporality, metric.is_monotonic)
    };
    (0..5).for_each(|row| assert_eq!(metric(&read, row), metric(&batch, row)));
}
