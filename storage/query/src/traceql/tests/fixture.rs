//! A trace to ask of, and traces at random.

use super::super::{Literal, Scope, TraceView, Value};
use orrery_model::{SpanId, SpanKind, StatusCode, TraceId};
use proptest::prelude::*;

#[derive(Clone, Debug, Default)]
pub(super) struct TestTrace {
    pub(super) id: u8,
    pub(super) spans: Vec<TestSpan>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct TestSpan {
    pub(super) id: u64,
    pub(super) parent: u64,
    pub(super) name: String,
    pub(super) kind: SpanKind,
    pub(super) status: (StatusCode, String),
    /// Start and duration, nanoseconds.
    pub(super) time: (i64, i64),
    pub(super) instrumentation: (String, String),
    /// Several values are an array; none is an empty one.
    pub(super) attributes: Vec<(Scope, String, Vec<Literal>)>,
    pub(super) events: Vec<(String, i64)>,
    pub(super) links: Vec<(TraceId, SpanId)>,
    pub(super) weight: f64,
}

impl TraceView for TestTrace {
    fn trace_id(&self, _: usize) -> TraceId {
        TraceId([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, self.id])
    }
    fn len(&self) -> usize {
        self.spans.len()
    }
    fn parent(&self, span: usize) -> Option<usize> {
        self.spans.iter().position(|other| other.id == self.spans[span].parent)
    }
    fn span_id(&self, span: usize) -> SpanId {
        SpanId(self.spans[span].id)
    }
    fn parent_span_id(&self, span: usize) -> SpanId {
        SpanId(self.spans[span].parent)
    }
    fn start(&self, span: usize) -> i64 {
        self.spans[span].time.0
    }
    fn duration(&self, span: usize) -> i64 {
        self.spans[span].time.1
    }
    fn name(&self, span: usize) -> &str {
        &self.spans[span].name
    }
    fn kind(&self, span: usize) -> SpanKind {
        self.spans[span].kind
    }
    fn status(&self, span: usize) -> StatusCode {
        self.spans[span].status.0
    }
    fn status_message(&self, span: usize) -> &str {
        &self.spans[span].status.1
    }
    fn instrumentation(&self, span: usize) -> (&str, &str) {
        (&self.spans[span].instrumentation.0, &self.spans[span].instrumentation.1)
    }
    fn events(&self, span: usize, visit: &mut dyn FnMut(&str, i64)) {
        self.spans[span].events.iter().for_each(|(name, time)| visit(name, *time));
    }
    fn links(&self, span: usize, visit: &mut dyn FnMut(TraceId, SpanId)) {
        self.spans[span].links.iter().for_each(|(trace, span)| visit(*trace, *span));
    }
    fn attribute(&self, span: usize, scope: Scope, name: &str, visit: &mut dyn FnMut(Value<'_>)) -> bool {
        let mut found = false;
        for (_, _, values) in self.spans[span].attributes.iter().filter(|(of, known, _)| *of == scope && known == name)
        {
            found = true;
            values.iter().for_each(|value| visit(Value::of(value)));
        }
        found
    }
    fn attributes(&self, span: usize, visit: &mut dyn FnMut(Scope, &str, Value<'_>)) {
        for (scope, name, values) in &self.spans[span].attributes {
            values.iter().for_each(|value| visit(*scope, name, Value::of(value)));
        }
    }
    fn weight(&self, span: usize) -> f64 {
        self.spans[span].weight
    }
}

pub(super) fn text(text: &str) -> Literal {
    Literal::Text(text.to_owned())
}

const MS: i64 = 1_000_000;

impl TestSpan {
    /// A span of a service; times in milliseconds.
    pub(super) fn new(
        id: u64,
        parent: u64,
        service: &str,
        name: &str,
        kind: SpanKind,
        start: i64,
        duration: i64,
    ) -> TestSpan {
        let attributes = vec![(Scope::Resource, "service.name".to_owned(), vec![text(service)])];
        let (name, time) = (name.to_owned(), (start * MS, duration * MS));
        TestSpan { id, parent, name, kind, time, attributes, weight: 1.0, ..TestSpan::default() }
    }

    pub(super) fn with(mut self, scope: Scope, name: &str, values: impl IntoIterator<Item = Literal>) -> TestSpan {
        self.attributes.push((scope, name.to_owned(), values.into_iter().collect()));
        self
    }

    fn span(self, name: &str, value: Literal) -> TestSpan {
        self.with(Scope::Span, name, [value])
    }
}

/// The trace that TRACEQL.md draws.
pub(super) fn checkout() -> TestTrace {
    let mut spans = vec![
        TestSpan::new(0xa0, 0, "frontend", "GET /checkout", SpanKind::Server, 0, 100)
            .span("http.request.method", text("GET"))
            .span("http.response.status_code", Literal::Int(200))
            .with(Scope::Span, "tags", [text("blue"), text("fast")])
            .with(Scope::Span, "empty", []),
        TestSpan::new(0xa1, 0xa0, "frontend", "POST /cart", SpanKind::Client, 10, 50)
            .span("http.method", text("POST"))
            .span("http.status_code", Literal::Int(500)),
        TestSpan::new(0xa2, 0xa1, "cart", "SELECT", SpanKind::Client, 20, 5)
            .span("db.system", text("postgresql"))
            .span("rows", Literal::Int(3))
            .with(Scope::Event, "attempt", [Literal::Int(1), Literal::Int(2)]),
        TestSpan::new(0xa3, 0xa0, "frontend", "render", SpanKind::Internal, 70, 20)
            .span("cache.hit", Literal::Bool(true))
            .span("rows", Literal::Int(4))
            .span("a name", Literal::Float(0.5)),
        TestSpan::new(0xa4, 0xa0, "frontend", "publish", SpanKind::Producer, 95, 3).with(
            Scope::Link,
            "reason",
            [text("batch")],
        ),
        TestSpan::new(0xb0, 0xff, "audit", "audit", SpanKind::Consumer, 130, 70)
            .with(Scope::Resource, "deployment.environment", [text("prod")])
            .with(Scope::Instrumentation, "language", [text("java")]),
    ];
    spans[1].status = (StatusCode::Error, "timed out".to_owned());
    spans[0].status = (StatusCode::Ok, String::new());
    spans[2].events = vec![("retry".to_owned(), 21 * MS), ("exception".to_owned(), 24 * MS)];
    spans[4].links = vec![(TraceId([0xcc; 16]), SpanId(0xdd))];
    spans[5].instrumentation = ("kafka".to_owned(), "2.1".to_owned());
    TestTrace { id: 0x1a, spans }
}

fn value() -> impl Strategy<Value = Literal> {
    prop_oneof![
        prop::sample::select(vec!["x", "y", "GET", ""]).prop_map(text),
        (-3_i64..5).prop_map(Literal::Int),
        prop::sample::select(vec![0.5, -2.0, f64::NAN]).prop_map(Literal::Float),
        any::<bool>().prop_map(Literal::Bool),
    ]
}

fn attribute() -> impl Strategy<Value = (Scope, String, Vec<Literal>)> {
    let name = prop::sample::select(vec!["a", "b", "http.method", "http.request.method", "service.name"]);
    let values = prop_oneof![4 => prop::collection::vec(value(), 1), 1 => prop::collection::vec(value(), 0..3)];
    (prop::sample::select(Scope::ALL.to_vec()), name.prop_map(str::to_owned), values)
}

/// Traces with missing parents, several roots and cycles.
pub(super) fn traces(most: usize) -> impl Strategy<Value = TestTrace> {
    let span = (
        0..=most as u64 + 1,
        prop::sample::select(vec!["x", "y", "GET"]),
        (0_i64..5, 0_i64..5),
        prop::collection::vec(attribute(), 0..4),
        (0_u8..6, 0_u8..3),
        prop::collection::vec((prop::sample::select(vec!["x", "y"]), 0_i64..5), 0..2),
    );
    let span = span.prop_map(|(parent, name, time, attributes, (kind, status), events)| TestSpan {
        parent,
        name: name.to_owned(),
        kind: SpanKind::from_number(kind),
        status: (StatusCode::from_number(status), String::new()),
        time,
        attributes,
        events: events.into_iter().map(|(name, time)| (name.to_owned(), time)).collect(),
        weight: 1.0,
        ..TestSpan::default()
    });
    prop::collection::vec(span, 0..most).prop_map(|mut spans| {
        spans.iter_mut().zip(1..).for_each(|(span, id)| span.id = id);
        TestTrace { id: 1, spans }
    })
}
