//! Series.

use super::super::{Compared, Field, Metrics, Scope, Series, SeriesError, Sides, Table, parse};
use super::evaluate::compiled;
use super::fixture::{TestSpan, TestTrace, checkout, text, traces};
use crate::time::TimeRange;
use orrery_model::SpanKind;
use proptest::prelude::*;

const MS: i64 = 1_000_000;

/// Two steps of 100 ms from the beginning of the trace.
pub(super) fn series(query: &str) -> Series {
    Series::new(&compiled(query), TimeRange { from: 0, to: 200 * MS }, 100 * MS).unwrap()
}

fn table(mut series: Series, traces: &[TestTrace]) -> Table {
    traces.iter().for_each(|trace| series.observe(trace));
    match series.finish() {
        Metrics::Table(table) => table,
        Metrics::Compared(_) => panic!("a table"),
    }
}

/// Labels and values, as TRACEQL.md writes them.
pub(super) fn shown(table: &Table) -> String {
    let series = table.series.iter().map(|series| {
        let labels: Vec<String> = series
            .labels
            .iter()
            .map(|label| label.value.as_ref().map_or("nil".to_owned(), ToString::to_string))
            .collect();
        let values: Vec<String> = series
            .values
            .iter()
            .map(|value| value.map_or("–".to_owned(), |value| format!("{}", (value * 1e4).round() / 1e4)))
            .collect();
        let labels = if labels.is_empty() { "all".to_owned() } else { labels.join(" ") };
        format!("{labels}: {}", values.join(" "))
    });
    series.collect::<Vec<_>>().join("; ")
}

#[test]
fn a_question_that_makes_no_series_is_refused() {
    let range = TimeRange { from: 0, to: 1000 };
    assert_eq!(Series::new(&compiled("{ }"), range, 1).unwrap_err(), SeriesError::Search);
    let rate = compiled("{ } | rate()");
    for step_nanos in [0, -5] {
        assert_eq!(Series::new(&rate, range, step_nanos).unwrap_err(), SeriesError::Step { step_nanos });
    }
    assert_eq!(Series::new(&rate, TimeRange::ALL, 1).unwrap_err(), SeriesError::Step { step_nanos: 1 });
    let other = Series::new(&compiled("{ } | rate()"), range, 1).unwrap();
    assert_eq!(Series::new(&rate, range, 1).unwrap().merge(&other), Err(SeriesError::Different));
}

#[test]
fn the_last_step_may_be_shorter() {
    let rate = Series::new(&compiled("{ } | rate()"), TimeRange { from: 0, to: 150 * MS }, 100 * MS).unwrap();
    assert_eq!(shown(&table(rate, &[checkout()])), "all: 50 20");
}

#[test]
fn nothing_is_a_rate_of_zero_and_no_mean() {
    assert_eq!(shown(&table(series("{ } | rate()"), &[])), "all: 0 0");
    assert_eq!(shown(&table(series("{ } | avg_over_time(duration)"), &[])), "");
    assert_eq!(shown(&table(series("({ } | count_over_time()) / ({ } | count_over_time())"), &[])), "all: – –");
}

#[test]
fn series_are_joined_by_their_labels() {
    let joined = "({ status = error } | count_over_time() by (kind)) / ({ } | count_over_time() by (kind))";
    assert_eq!(shown(&table(series(joined), &[checkout()])), "client: 0.5 –");
    let share = "({ } | count_over_time() by (resource.service.name)) / ({ } | count_over_time())";
    assert_eq!(shown(&table(series(share), &[checkout()])), "\"audit\": 0 1; \"cart\": 0.2 0; \"frontend\": 0.8 0");
}

#[test]
fn sampled_spans_count_for_those_they_stand_for() {
    let mut trace = checkout();
    trace.spans[0].weight = 4.0;
    let of = |query: &str| shown(&table(series(query), std::slice::from_ref(&trace)));
    assert_eq!(of("{ } | count_over_time()"), "all: 5 1");
    assert_eq!(of("{ } | count_over_time() with (extrapolate = true)"), "all: 8 1");
    assert_eq!(
        of("{ kind = server || name = \"render\" } | avg_over_time(duration) with (extrapolate = true)"),
        "all: 0.084 –"
    );
    assert_eq!(of("{ } | max_over_time(duration) with (extrapolate = true)"), "all: 0.1 0.07");
}

#[test]
fn exemplars_lead_to_spans() {
    let table = table(series("{ kind = client } | max_over_time(duration) with (exemplars = true)"), &[checkout()]);
    let exemplars = &table.series[0].exemplars;
    assert_eq!(exemplars.len(), 1);
    assert_eq!((exemplars[0].span_id.0, exemplars[0].value), (0xa1, 0.05));
    let without = table_of("{ } | rate()");
    assert!(without.series[0].exemplars.is_empty());
}

fn table_of(query: &str) -> Table {
    table(series(query), &[checkout()])
}

#[test]
fn too_many_series_are_counted_not_kept() {
    let spans = (1..=10_500).map(|id| {
        TestSpan::new(id, 0, "x", "x", SpanKind::Server, 0, 1).with(Scope::Span, "order", [text(&id.to_string())])
    });
    let table =
        table(series("{ } | count_over_time() by (span.order)"), &[TestTrace { id: 1, spans: spans.collect() }]);
    assert_eq!((table.series.len(), table.uncounted), (10_000, 500));
}

fn compared(query: &str) -> Compared {
    let mut series = series(query);
    series.observe(&checkout());
    match series.finish() {
        Metrics::Compared(compared) => compared,
        Metrics::Table(_) => panic!("a comparison"),
    }
}

/// A field's values with the numbers of spans selected and not.
fn values(compared: &Compared, field: &str) -> String {
    let found = compared.fields.iter().find(|known| known.field.to_string() == field);
    let values = found.into_iter().flat_map(|field| &field.values);
    let value = |value: &super::super::ComparedValue| {
        format!("{} {}/{}", value.value, value.spans.selection, value.spans.baseline)
    };
    values.map(value).collect::<Vec<_>>().join(", ")
}

#[test]
fn comparing_shows_what_differs() {
    let kinds = compared("{ } | compare({ kind = client })");
    assert_eq!(kinds.spans, Sides { selection: 2.0, baseline: 4.0 });
    assert_eq!(values(&kinds, "resource.service.name"), "\"frontend\" 1/3, \"cart\" 1/0, \"audit\" 0/1");
    assert_eq!(values(&kinds, "span.http.request.method"), "\"GET\" 0/1, \"POST\" 1/0");
    assert_eq!(values(&kinds, "span.http.method"), "");
    assert_eq!(values(&kinds, "span.tags"), "\"blue\" 0/1, \"fast\" 0/1");
    assert_eq!(values(&kinds, "span:status"), "unset 1/3, ok 0/1, error 1/0");
    let tags = kinds.fields.iter().find(|field| field.field == Field::attribute(Scope::Span, "tags")).unwrap();
    assert_eq!(tags.spans, Sides { selection: 0.0, baseline: 1.0 });
    let top = compared("{ } | compare({ kind = client }, 1)");
    assert_eq!(values(&top, "resource.service.name"), "\"frontend\" 1/3");
    let services = top.fields.iter().find(|field| field.field.to_string() == "resource.service.name").unwrap();
    assert_eq!(services.others, Sides { selection: 1.0, baseline: 1.0 });
    let window = compared("{ } | compare({ kind = client }, 10, 15000000, 30000000)");
    assert_eq!(window.spans, Sides { selection: 1.0, baseline: 5.0 });
}

#[test]
fn comparisons_made_apart_add_up() {
    let query = compiled("{ } | compare({ kind = client }, 2)");
    let new = || Series::new(&query, TimeRange { from: 0, to: 200 * MS }, 100 * MS).unwrap();
    let (mut one, mut other, mut whole) = (new(), new(), new());
    let mut renamed = checkout();
    renamed.spans.iter_mut().for_each(|span| span.name.push('!'));
    one.observe(&checkout());
    other.observe(&renamed);
    one.merge(&other).unwrap();
    whole.observe(&checkout());
    whole.observe(&renamed);
    assert_eq!(one.finish(), whole.finish());
}

const QUERIES: [&str; 9] = [
    "{ } | rate() by (name)",
    "{ name = \"x\" } | count_over_time() by (kind, .a)",
    "{ } | min_over_time(duration)",
    "{ } | max_over_time(.b) by (.a)",
    "{ } | avg_over_time(duration) by (status)",
    "{ } | sum_over_time(.b)",
    "{ } | quantile_over_time(duration, 0, 0.5, 1) by (name)",
    "{ } | histogram_over_time(duration)",
    "({ .a = 1 } | rate() by (name)) / ({ } | rate() by (name)) > 0 | topk(2)",
];

proptest! {
    /// Nothing depends on who saw which trace.
    #[test]
    fn what_is_gathered_apart_adds_up(traces in prop::collection::vec(traces(5), 0..6), query in prop::sample::select(QUERIES.to_vec()), at in 0_usize..6) {
        let query = compiled(query);
        let new = || Series::new(&query, TimeRange { from: 0, to: 5 }, 2).unwrap();
        let (left, right) = traces.split_at(at.min(traces.len()));
        let (mut one, mut other) = (new(), new());
        left.iter().for_each(|trace| one.observe(trace));
        right.iter().for_each(|trace| other.observe(trace));
        one.merge(&other).unwrap();
        let (merged, whole) = (table(one, &[]), table(new(), &traces));
        prop_assert_eq!(shown(&merged), shown(&whole));
    }
}

#[test]
fn the_query_is_said_as_written() {
    let table = table_of("{ } | count_over_time() by (resource.service.name)");
    assert_eq!(
        table.series[0].labels[0].name,
        super::super::LabelName::Field(Field::attribute(Scope::Resource, "service.name"))
    );
    assert!(parse("{ } | count_over_time() by (count)").is_err());
}
