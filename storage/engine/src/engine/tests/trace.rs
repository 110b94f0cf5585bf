//! A trace as columns says what its spans say.

use super::round_trip::rich;
use super::*;
use orrery_query::answer::TraceColumns;

impl Rig {
    fn columns(&self, id: &str, max_spans: u32) -> (TraceColumns, Option<String>) {
        let plan = plan::TraceColumns { trace_id: items::trace_id(id), max_spans };
        let answer = self.engine().trace_columns(&plan, &control()).unwrap();
        (answer.value, answer.partial.map(|partial| partial.0))
    }

    fn span(&self, trace: &str, span: u64) -> Option<SpanRow> {
        let plan = plan::Span { trace_id: items::trace_id(trace), span_id: SpanId(span) };
        self.engine().span(&plan, &control()).unwrap().value
    }
}

fn check_same(rig: &Rig) {
    for trace in (1..=7).map(|trace: u32| trace.to_string()) {
        let (columns, partial) = rig.columns(&trace, 1000);
        let rows = rig.trace(&trace);
        assert_eq!((columns.span_id.len(), partial), (rows.len(), None));
        for (at, row) in rows.iter().enumerate() {
            let parent = rows.iter().position(|other| other.span_id == row.parent_span_id);
            let scope = (row.scope_name.clone(), row.scope_version.clone());
            assert_eq!(columns.span_id[at], row.span_id);
            assert_eq!(columns.start_time_unix_nano + columns.start_nanos[at] as i64, row.start_time_unix_nano);
            assert_eq!(columns.duration_nanos[at], row.duration_nanos);
            assert_eq!(columns.names[columns.name[at] as usize], row.name);
            assert_eq!(columns.services[columns.service[at] as usize], row.service);
            assert_eq!(columns.scopes[columns.scope[at] as usize], scope);
            assert_eq!(SpanKind::from_number(columns.kind[at]), row.kind);
            assert_eq!(StatusCode::from_number(columns.status_code[at]), row.status_code);
            assert_eq!(columns.parent[at], parent.map_or(TraceColumns::NO_PARENT, |parent| parent as u32));
            let flag = |flag| columns.flags[at] & flag != 0;
            let missing = parent.is_none() && !row.parent_span_id.is_none();
            assert_eq!(flag(TraceColumns::PARENT_MISSING), missing);
            assert_eq!(flag(TraceColumns::HAS_EVENTS), !row.events.is_empty());
            assert_eq!(flag(TraceColumns::HAS_LINKS), !row.links.is_empty());
            assert_eq!(rig.span(&trace, row.span_id.0).as_ref(), Some(row));
        }
        assert!(columns.services.len() == 1 && !columns.names.is_empty(), "only words that are used");
    }
}

#[test]
fn columns_say_what_spans_say_wherever_they_lie() {
    let rig = Rig::new();
    let items = rich();
    rig.put(Signal::Traces, &items[..30]);
    check_same(&rig);
    rig.seal();
    check_same(&rig);
    // Half of them a second time, in memory.
    rig.put(Signal::Traces, &items[20..]);
    check_same(&rig);
    rig.seal();
    check_same(&rig);
    assert_eq!(rig.span("1", 999), None);
    assert_eq!(rig.columns("99999", 10), (TraceColumns::default(), None));
}

#[test]
fn a_larger_trace_than_wanted_says_so() {
    let rig = Rig::new();
    rig.put(Signal::Traces, &(1..=30).map(|n| span(1, n, T0 + n as i64)).collect::<Vec<_>>());
    rig.seal();
    rig.put(Signal::Traces, &(31..=40).map(|n| span(1, n, T0 + n as i64)).collect::<Vec<_>>());
    let (columns, partial) = rig.columns("1", 35);
    assert_eq!(columns.span_id.len(), 35);
    assert_eq!(columns.span_id[0], SpanId(1), "the oldest places first");
    assert!(partial.unwrap().contains("more than 35"));
    assert_eq!(rig.columns("1", 40).1, None);
}

#[test]
fn spans_that_link_to_a_trace_are_found_without_opening_what_has_none() {
    let rig = Rig::new();
    let linking = |trace: u64, to: &str| {
        let mut item = span(trace, 1, T0 + trace as i64);
        item.links = vec![("98".into(), 3, pairs(json!({}))), (to.into(), 5, pairs(json!({})))];
        item
    };
    let link = |to: u64| {
        format!("{{ link:traceID = \"{}\" }} | select(link:traceID, link:spanID)", items::trace_id(&to.to_string()))
    };
    let found = |to: u64| -> (Vec<u128>, u32) {
        let answer = rig.engine().traces(&asking(&link(to)), &control()).unwrap();
        let ids = answer.value.traces.iter().map(|trace| u128::from_be_bytes(trace.trace_id.0)).collect();
        (ids, answer.scanned.segments)
    };
    rig.put(Signal::Traces, &[linking(1, "99"), span(2, 1, T0)]);
    assert_eq!(found(99), (vec![1], 0));
    rig.seal();
    for trace in 3..7 {
        rig.put(Signal::Traces, &[span(trace, 1, T0)]);
        rig.seal();
    }
    rig.put(Signal::Traces, &[linking(8, "97")]);
    rig.seal();
    // The segment is opened for its links, and once more for the whole trace.
    let (one, two) = (found(99), found(98));
    assert_eq!((one.0, two.0), (vec![1], vec![8, 1]));
    assert!(one.1 <= 2 && two.1 <= 4, "{} and {} of 6 segments", one.1, two.1);
    assert_eq!(found(50), (vec![], 0));
    let selected = &rig.search(&asking(&link(97)))[0].spansets[0].spans[0].selected;
    let texts: Vec<String> = selected.iter().map(|(field, value)| format!("{field} {value}")).collect();
    let id = |to: &str| format!("link:traceID \"{}\"", items::trace_id(to));
    assert_eq!(
        texts,
        [id("98"), id("97"), "link:spanID \"0000000000000003\"".into(), "link:spanID \"0000000000000005\"".into()]
    );
}
