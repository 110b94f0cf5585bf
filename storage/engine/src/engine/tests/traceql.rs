//! TraceQL through the engine says what the evaluator says of all spans, wherever they lie.

mod flame;

use super::*;
use orrery_model::batch::Scope as BatchScope;
use orrery_model::{Attributes, SpanBatch, Strings, Sym, TraceId, Value as Stored};
use orrery_query::QueryError;
use orrery_query::answer::TracePage;
use orrery_query::plan::TraceSort;
use orrery_query::traceql::{
    Body, Compiled, Literal, Metrics, Prefilter, Scope, Series, Stage, Table, TraceView, Value, parse, reads,
};
use serde_json::Value as Json;
use std::collections::BTreeMap;

type Pairs = Vec<(&'static str, Json)>;

/// A span as plain data.
#[derive(Clone, Debug, Default)]
struct Plain {
    trace: u128,
    id: u64,
    parent: u64,
    name: &'static str,
    kind: SpanKind,
    status: (StatusCode, &'static str),
    /// Start and duration.
    time: (i64, i64),
    resource: Pairs,
    scope: (&'static str, &'static str, Pairs),
    attributes: Pairs,
    events: Vec<(&'static str, i64, Pairs)>,
    links: Vec<(u128, u64, Pairs)>,
    /// W3C trace state.
    state: &'static str,
}

/// Spans of one trace, each once, by start time and id: where a cycle is cut depends on the order.
struct PlainTrace(Vec<Plain>);

impl PlainTrace {
    fn new(mut spans: Vec<Plain>) -> PlainTrace {
        spans.sort_by_key(|span| (span.time.0, span.id));
        PlainTrace(spans)
    }
}

fn visit_json(value: &Json, visit: &mut dyn FnMut(Value<'_>)) -> bool {
    match value {
        Json::Null => return false,
        Json::Bool(value) => visit(Value::Bool(*value)),
        Json::String(text) => visit(Value::Text(text)),
        Json::Number(number) if number.is_i64() => visit(Value::Int(number.as_i64().unwrap())),
        Json::Number(number) => visit(Value::Float(number.as_f64().unwrap())),
        Json::Array(elements) => elements.iter().for_each(|element| _ = visit_json(element, visit)),
        Json::Object(_) => visit(Value::Text(&value.to_string())),
    }
    true
}

impl PlainTrace {
    /// Every attribute of a scope.
    fn pairs(&self, span: usize, scope: Scope) -> Vec<(&'static str, Json)> {
        let span = &self.0[span];
        match scope {
            Scope::Span => span.attributes.clone(),
            Scope::Resource => span.resource.clone(),
            Scope::Instrumentation => span.scope.2.clone(),
            Scope::Event => span.events.iter().flat_map(|(_, _, pairs)| pairs.clone()).collect(),
            Scope::Link => span.links.iter().flat_map(|(_, _, pairs)| pairs.clone()).collect(),
        }
    }
}

impl TraceView for PlainTrace {
    fn trace_id(&self, span: usize) -> TraceId {
        TraceId(self.0[span].trace.to_be_bytes())
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn parent(&self, span: usize) -> Option<usize> {
        self.0.iter().position(|other| other.id == self.0[span].parent)
    }
    fn span_id(&self, span: usize) -> SpanId {
        SpanId(self.0[span].id)
    }
    fn parent_span_id(&self, span: usize) -> SpanId {
        SpanId(self.0[span].parent)
    }
    fn start(&self, span: usize) -> i64 {
        self.0[span].time.0
    }
    fn duration(&self, span: usize) -> i64 {
        self.0[span].time.1
    }
    fn name(&self, span: usize) -> &str {
        self.0[span].name
    }
    fn kind(&self, span: usize) -> SpanKind {
        self.0[span].kind
    }
    fn status(&self, span: usize) -> StatusCode {
        self.0[span].status.0
    }
    fn status_message(&self, span: usize) -> &str {
        self.0[span].status.1
    }
    fn instrumentation(&self, span: usize) -> (&str, &str) {
        (self.0[span].scope.0, self.0[span].scope.1)
    }
    fn events(&self, span: usize, visit: &mut dyn FnMut(&str, i64)) {
        self.0[span].events.iter().for_each(|(name, time, _)| visit(name, *time));
    }
    fn links(&self, span: usize, visit: &mut dyn FnMut(TraceId, SpanId)) {
        self.0[span].links.iter().for_each(|(trace, span, _)| visit(TraceId(trace.to_be_bytes()), SpanId(*span)));
    }
    fn attribute(&self, span: usize, scope: Scope, name: &str, visit: &mut dyn FnMut(Value<'_>)) -> bool {
        let mut any = false;
        for (_, value) in self.pairs(span, scope).iter().filter(|(key, _)| *key == name) {
            any |= visit_json(value, visit);
        }
        any
    }
    fn attributes(&self, span: usize, visit: &mut dyn FnMut(Scope, &str, Value<'_>)) {
        for scope in Scope::ALL {
            for (key, value) in self.pairs(span, scope) {
                visit_json(&value, &mut |value| visit(scope, key, value));
            }
        }
    }
}

fn push(pairs: &Pairs, strings: &mut Strings, out: &mut Attributes) {
    for (key, value) in pairs {
        let value = Stored::from_json(&value.to_string(), strings);
        let key = strings.intern(key);
        out.push(key, value);
    }
}

fn batch_of(spans: &[Plain]) -> SpanBatch {
    let mut batch = SpanBatch::default();
    for span in spans {
        let context = &mut batch.context;
        push(&span.resource, &mut context.strings, &mut context.resource_attributes);
        let resource = context.end_resource(Sym::EMPTY, 0).0;
        push(&span.scope.2, &mut context.strings, &mut context.scope_attributes);
        let (name, version) = (context.strings.intern(span.scope.0), context.strings.intern(span.scope.1));
        let scope = context.end_scope(BatchScope { name, version, ..BatchScope::default() }).0;
        let strings = &mut context.strings;
        batch.trace_id.push(TraceId(span.trace.to_be_bytes()));
        batch.span_id.push(SpanId(span.id));
        batch.parent_span_id.push(SpanId(span.parent));
        batch.trace_state.push(strings.intern(span.state));
        batch.flags.push(0);
        batch.name.push(strings.intern(span.name));
        batch.kind.push(span.kind as u8);
        batch.start_time_unix_nano.push(span.time.0);
        batch.duration_nanos.push(span.time.1);
        batch.status_code.push(span.status.0 as u8);
        batch.status_message.push(strings.intern(span.status.1));
        batch.resource.push(resource);
        batch.scope.push(scope);
        push(&span.attributes, strings, &mut batch.attributes);
        batch.attributes.end_row();
        for (name, time, pairs) in &span.events {
            batch.events.time_unix_nano.push(*time);
            batch.events.name.push(strings.intern(name));
            push(pairs, strings, &mut batch.events.attributes);
            batch.events.attributes.end_row();
            batch.events.dropped_attributes_count.push(0);
        }
        for (trace, id, pairs) in &span.links {
            batch.links.trace_id.push(TraceId(trace.to_be_bytes()));
            batch.links.span_id.push(SpanId(*id));
            batch.links.trace_state.push(Sym::EMPTY);
            batch.links.flags.push(0);
            push(pairs, strings, &mut batch.links.attributes);
            batch.links.attributes.end_row();
            batch.links.dropped_attributes_count.push(0);
        }
        batch.event_ends.push(batch.events.name.len() as u32);
        batch.link_ends.push(batch.links.span_id.len() as u32);
        batch.dropped_attributes_count.push(0);
        batch.dropped_events_count.push(0);
        batch.dropped_links_count.push(0);
    }
    batch
}

impl Rig {
    fn put_spans(&self, spans: &[Plain]) {
        let (send, receive) = mpsc::channel();
        let batch = orrery_model::Batch::Traces(batch_of(spans));
        self.engine().append(body(Signal::Traces, &[]), batch, Box::new(move |result| _ = send.send(result)));
        receive.recv_timeout(Duration::from_secs(20)).unwrap().unwrap();
        self.settled();
    }

    fn page(&self, plan: &plan::Traces) -> Result<TracePage, QueryError> {
        let answer = self.engine().traces(plan, &control())?;
        assert_eq!(answer.partial, None);
        Ok(answer.value)
    }

    /// All pages.
    fn pages_of(&self, mut plan: plan::Traces) -> Vec<TraceSummary> {
        let mut found = Vec::new();
        loop {
            let page = self.page(&plan).unwrap();
            found.extend(page.traces);
            match page.next_cursor {
                Some(cursor) => plan.cursor = Some(cursor),
                None => return found,
            }
        }
    }

    fn metrics(&self, query: &str, range: TimeRange, step_nanos: i64) -> Result<Metrics, QueryError> {
        let query = parse(query).unwrap();
        let answer = self.engine().trace_series(&plan::TraceSeries { range, query, step_nanos }, &control())?;
        assert_eq!(answer.partial, None);
        Ok(answer.value)
    }
}

const MS: i64 = 1_000_000;

/// The trace that TRACEQL.md draws.
fn checkout() -> Vec<Plain> {
    let span = |id: u64, parent: u64, service: &str, name: &'static str, kind, start: i64, duration: i64| Plain {
        trace: 0x1a,
        id,
        parent,
        name,
        kind,
        time: (start * MS, duration * MS),
        resource: vec![("service.name", json!(service))],
        ..Plain::default()
    };
    vec![
        Plain {
            status: (StatusCode::Ok, ""),
            attributes: vec![
                ("http.request.method", json!("GET")),
                ("http.response.status_code", json!(200)),
                ("tags", json!(["blue", "fast"])),
                ("empty", json!([])),
            ],
            ..span(0xa0, 0, "frontend", "GET /checkout", SpanKind::Server, 0, 100)
        },
        Plain {
            status: (StatusCode::Error, "timed out"),
            attributes: vec![("http.method", json!("POST")), ("http.status_code", json!(500))],
            ..span(0xa1, 0xa0, "frontend", "POST /cart", SpanKind::Client, 10, 50)
        },
        Plain {
            attributes: vec![("db.system", json!("postgresql")), ("rows", json!(3))],
            events: vec![
                ("retry", 21 * MS, vec![("attempt", json!(1))]),
                ("exception", 24 * MS, vec![("attempt", json!(2))]),
            ],
            ..span(0xa2, 0xa1, "cart", "SELECT", SpanKind::Client, 20, 5)
        },
        Plain {
            attributes: vec![("cache.hit", json!(true)), ("rows", json!(4)), ("a name", json!(0.5))],
            ..span(0xa3, 0xa0, "frontend", "render", SpanKind::Internal, 70, 20)
        },
        Plain {
            links: vec![(u128::from_be_bytes([0xcc; 16]), 0xdd, vec![("reason", json!("batch"))])],
            ..span(0xa4, 0xa0, "frontend", "publish", SpanKind::Producer, 95, 3)
        },
        Plain {
            resource: vec![("service.name", json!("audit")), ("deployment.environment", json!("prod"))],
            scope: ("kafka", "2.1", vec![("language", json!("java"))]),
            ..span(0xb0, 0xff, "audit", "audit", SpanKind::Consumer, 130, 70)
        },
    ]
}

/// Query and result of each row of TRACEQL.md.
fn conformance() -> Vec<(String, String)> {
    const TABLE: &str = include_str!("../../../../query/TRACEQL.md");
    let rows = TABLE.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Span"));
    let rows = rows.filter_map(|line| {
        let line = line.trim_matches('|').replace("\\|", "\u{1}");
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect();
        let query = cells[1].strip_prefix('`')?.trim_matches('`').trim().to_owned();
        Some((query, cells[2].trim_matches('`').trim().to_owned()))
    });
    rows.collect()
}

/// Labels and values, as TRACEQL.md writes them.
fn shown(table: &Table) -> String {
    let series = table.series.iter().map(|series| {
        let labels =
            series.labels.iter().map(|label| label.value.as_ref().map_or("nil".to_owned(), Literal::to_string));
        let labels: Vec<String> = labels.collect();
        let value =
            |value: &Option<f64>| value.map_or("–".to_owned(), |value| ((value * 1e4).round() / 1e4).to_string());
        let values: Vec<String> = series.values.iter().map(value).collect();
        let labels = if labels.is_empty() { "all".to_owned() } else { labels.join(" ") };
        format!("{labels}: {}", values.join(" "))
    });
    series.collect::<Vec<_>>().join("; ")
}

fn refusal(error: QueryError) -> String {
    match error {
        QueryError::Query(problem) => format!("refused: {problem}"),
        other => panic!("{other}"),
    }
}

/// What a query comes to in the engine, as TRACEQL.md writes it.
fn result(rig: &Rig, text: &str) -> String {
    let query = match parse(text) {
        Ok(query) => query,
        Err(problem) => return format!("refused: {problem}"),
    };
    if let Body::Metrics(_) = query.body {
        return match rig.metrics(text, TimeRange { from: 0, to: 200 * MS }, 100 * MS) {
            Ok(Metrics::Table(table)) => shown(&table),
            Ok(Metrics::Compared(compared)) => {
                format!("{} selected, {} others", compared.spans.selection, compared.spans.baseline)
            }
            Err(error) => refusal(error),
        };
    }
    let page = match rig.page(&plan::Traces { spans: 100, query, ..all_traces() }) {
        Ok(page) => page,
        Err(error) => return refusal(error),
    };
    let number = |id: SpanId| checkout().iter().position(|span| span.id == id.0).unwrap().to_string();
    let spansets = page.traces.iter().flat_map(|trace| &trace.spansets).map(|spanset| {
        assert_eq!(spanset.span_count, spanset.spans.len() as u64);
        let mut spans: Vec<String> = spanset.spans.iter().map(|span| number(span.span_id)).collect();
        spans.sort();
        spans.join(" ")
    });
    let spansets: Vec<String> = spansets.collect();
    if spansets.is_empty() { "none".to_owned() } else { spansets.join("; ") }
}

#[test]
fn the_conformance_table_holds_in_memory_and_sealed() {
    let rig = Rig::new();
    let rows = conformance();
    assert!(rows.len() > 190, "the table is read: {} rows", rows.len());
    let check = |what: &str| {
        let mut wrong = String::new();
        for (query, expected) in &rows {
            let found = result(&rig, query);
            let same = if expected.starts_with("refused:") { found.starts_with(expected) } else { found == *expected };
            if !same {
                wrong.push_str(&format!("{query}\n  says {expected}\n  is   {found}\n"));
            }
        }
        assert!(wrong.is_empty(), "{what}:\n{wrong}");
    };
    let spans = checkout();
    rig.put_spans(&spans[..3]);
    rig.put_spans(&spans[3..]);
    check("in memory");
    rig.seal();
    check("sealed");
}

#[test]
fn a_trace_in_several_places_is_one() {
    let rig = Rig::new();
    let spans = checkout();
    // A late root, and some spans twice.
    rig.put_spans(&spans[2..4]);
    rig.seal();
    rig.put_spans(&[spans[1].clone(), spans[3].clone(), spans[4].clone()]);
    rig.seal();
    rig.put_spans(&[spans[0].clone(), spans[1].clone(), spans[5].clone()]);
    let all = conformance();
    for (query, expected) in all.iter().filter(|(query, expected)| {
        !expected.starts_with("refused:") && matches!(parse(query).unwrap().body, Body::Search(_))
    }) {
        assert_eq!(result(&rig, query), *expected, "{query}");
    }
    for query in [
        "{ kind = server } >> { kind = client } | count_over_time()",
        "{ } | by(resource.service.name) | count() > 1 | count_over_time()",
    ] {
        let expected = &all.iter().find(|(known, _)| known == query).unwrap().1;
        assert_eq!(result(&rig, query), *expected, "{query}");
    }
}

/// Seeded numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn chance(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }
}

const NAMES: [&str; 4] = ["GET /", "POST /cart", "SELECT", "render"];
const KEYS: [&str; 6] = ["user", "code", "http.method", "http.request.method", "tags", "rare.key"];

fn value(dice: &mut Dice) -> Json {
    let values = [
        json!("x"),
        json!("y"),
        json!("GET"),
        json!(1),
        json!(2),
        json!(1.0),
        json!(0.5),
        json!(true),
        json!(["x", 2]),
        json!([]),
        json!(""),
    ];
    dice.pick(&values)
}

fn pairs_of(dice: &mut Dice, most: usize) -> Pairs {
    let mut pairs: Pairs = Vec::new();
    for _ in 0..dice.below(most + 1) {
        let key = dice.pick(&KEYS);
        if !pairs.iter().any(|(known, _)| *known == key) {
            let value = if key == "user" { json!(format!("u{}", dice.below(4))) } else { value(dice) };
            pairs.push((key, value));
        }
    }
    pairs
}

/// Traces of a few spans, some without root, some with cycles.
fn traces(dice: &mut Dice, count: u128) -> Vec<Vec<Plain>> {
    let trace = |trace: u128, dice: &mut Dice| {
        let spans = 1 + dice.below(8);
        let start = T0 + dice.below(600) as i64 * SECOND;
        let span = |number: usize, dice: &mut Dice| {
            let service = dice.pick(&["cart", "orders", "gateway"]);
            let mut resource = vec![("service.name", json!(service))];
            resource.extend(pairs_of(dice, 1));
            let nested = |dice: &mut Dice| if dice.chance(3) { pairs_of(dice, 1) } else { Vec::new() };
            let time = start + dice.below(5) as i64 * SECOND;
            Plain {
                trace,
                id: trace as u64 * 100 + number as u64 + 1,
                parent: if number == 0 && !dice.chance(5) {
                    0
                } else {
                    trace as u64 * 100 + dice.below(spans + 1) as u64 + 1
                },
                name: dice.pick(&NAMES),
                kind: SpanKind::from_number(dice.below(6) as u8),
                status: dice.pick(&[(StatusCode::Unset, ""), (StatusCode::Ok, ""), (StatusCode::Error, "it failed")]),
                time: (time, dice.below(300) as i64 * MS),
                resource,
                scope: (dice.pick(&["", "lib"]), "1", nested(dice)),
                attributes: pairs_of(dice, 4),
                events: (0..dice.below(3))
                    .map(|_| (dice.pick(&["retry", "exception"]), time + 7, nested(dice)))
                    .collect(),
                links: (0..dice.below(2)).map(|_| (7, 9, nested(dice))).collect(),
                state: "",
            }
        };
        (0..spans).map(|number| span(number, dice)).collect::<Vec<Plain>>()
    };
    (1..=count).map(|number| trace(number, dice)).collect()
}

fn condition(dice: &mut Dice, depth: usize) -> String {
    if depth > 0 && dice.chance(2) {
        let (left, right) = (condition(dice, depth - 1), condition(dice, depth - 1));
        return match dice.below(5) {
            0 => format!("!({left})"),
            1 | 2 => format!("({left} && {right})"),
            _ => format!("({left} || {right})"),
        };
    }
    let compared = dice.pick(&["=", "!=", "<", ">=", ">", "<="]);
    match dice.below(12) {
        0 => format!("name {} {:?}", dice.pick(&["=", "!=", "=~", "!~"]), dice.pick(&["SELECT", "GET /", "nothing"])),
        1 => format!("duration {compared} {}ms", dice.below(300)),
        2 => format!("status {} {}", dice.pick(&["=", "!="]), dice.pick(&["error", "ok", "unset"])),
        3 => format!("kind {} {}", dice.pick(&["=", "!="]), dice.pick(&["server", "client", "internal"])),
        4 => format!(
            "resource.service.name {} {:?}",
            dice.pick(&["=", "!=", "=~"]),
            dice.pick(&["cart", "orders", "none"])
        ),
        5 => dice
            .pick(&[
                "nestedSetParent < 0",
                "span:parentID = \"\"",
                "childCount > 1",
                "parent.code = 1",
                "trace:duration > 2s",
                "instrumentation:name = \"lib\"",
                "event:name = \"retry\"",
                "link:spanID = \"9\"",
            ])
            .to_owned(),
        6 => format!(
            "{}.{} {} nil",
            dice.pick(&["span", "", "event", "resource"]),
            dice.pick(&KEYS),
            dice.pick(&["=", "!="])
        ),
        _ => {
            let scope = dice.pick(&["span", "span", "", "", "resource", "event", "link", "instrumentation"]);
            let value = dice.pick(&["\"x\"", "\"GET\"", "1", "2", "1.0", "0.5", "true", "\"u2\"", "\"\"", "1ns"]);
            let compared = if value == "true" { "=" } else { compared };
            format!("{scope}.{} {compared} {value}", dice.pick(&KEYS))
        }
    }
}

fn spanset(dice: &mut Dice, depth: usize) -> String {
    if depth > 0 && dice.chance(2) {
        let operator = dice.pick(&["&&", "||", ">>", ">", "<<", "<", "~", "!>>", "!>", "&>>", "!~"]);
        return format!("({} {operator} {})", spanset(dice, depth - 1), spanset(dice, depth - 1));
    }
    if dice.chance(8) { "{ }".to_owned() } else { format!("{{ {} }}", condition(dice, 2)) }
}

fn search(dice: &mut Dice) -> String {
    let mut query = if dice.chance(2) { format!("{{ {} }}", condition(dice, 2)) } else { spanset(dice, 1) };
    if dice.chance(4) {
        query.push_str(dice.pick(&[
            " | count() > 1",
            " | by(resource.service.name)",
            " | by(kind) | count() > 1",
            " | avg(duration) > 100ms",
            " | coalesce()",
        ]));
    }
    if dice.chance(3) {
        query.push_str(" | select(name, .user, span.tags)");
    }
    query
}

/// What the evaluator says of all traces: where each stands, and its spansets.
type Expected = BTreeMap<u128, (i64, Vec<Vec<u64>>)>;

fn expected(query: &str, range: TimeRange, traces: &[PlainTrace]) -> Expected {
    let query = parse(query).unwrap();
    let compiled = Compiled::new(&query).unwrap();
    let leads = if reads(&query).whole_traces {
        let filter =
            Stage::Spansets(orrery_query::traceql::Spanset::Filter(Prefilter::of(&query).of_some_span().to_filter()));
        let pipeline = orrery_query::traceql::Pipeline { stages: vec![filter] };
        Compiled::new(&orrery_query::traceql::Query { body: Body::Search(pipeline), hints: Vec::new() }).unwrap()
    } else {
        compiled.clone()
    };
    let one = |trace: &PlainTrace| {
        let spansets = compiled.evaluate(trace);
        let leading = leads.evaluate(trace);
        let starts = leading.iter().flat_map(|spanset| &spanset.spans).map(|span| trace.start(*span as usize));
        let position = starts.filter(|start| range.contains(*start)).max()?;
        let ids = |spans: &[u32]| {
            let mut ids: Vec<u64> = spans.iter().map(|span| trace.span_id(*span as usize).0).collect();
            ids.sort_unstable();
            ids
        };
        let mut spansets: Vec<Vec<u64>> = spansets.iter().map(|spanset| ids(&spanset.spans)).collect();
        spansets.sort();
        (!spansets.is_empty()).then(|| (trace.0[0].trace, (position, spansets)))
    };
    traces.iter().filter_map(one).collect()
}

fn found(rig: &Rig, query: &str, range: TimeRange, limit: u32) -> (Vec<u128>, Expected) {
    let plan = plan::Traces { query: parse(query).unwrap(), spans: 100, limit, ..plan::Traces::all(range) };
    let pages = rig.pages_of(plan);
    let order: Vec<u128> = pages.iter().map(|trace| u128::from_be_bytes(trace.trace_id.0)).collect();
    let spansets = |trace: &TraceSummary| {
        let ids = |spanset: &orrery_query::answer::Spanset| {
            let mut ids: Vec<u64> = spanset.spans.iter().map(|span| span.span_id.0).collect();
            ids.sort_unstable();
            ids
        };
        let mut spansets: Vec<Vec<u64>> = trace.spansets.iter().map(ids).collect();
        spansets.sort();
        spansets
    };
    let all = pages.iter().zip(&order).map(|(trace, id)| (*id, (0, spansets(trace)))).collect();
    (order, all)
}

/// Puts the spans of traces into several segments and memory, out of order, some of them twice.
fn scatter(rig: &Rig, dice: &mut Dice, traces: &[Vec<Plain>], twice: bool) {
    let mut places: Vec<Vec<Plain>> = vec![Vec::new(); 5];
    for span in traces.iter().flatten() {
        let place = dice.below(places.len());
        places[place].push(span.clone());
        if twice && dice.chance(8) {
            let place = dice.below(places.len());
            places[place].push(span.clone());
        }
    }
    for (number, spans) in places.iter().enumerate() {
        spans.chunks(50).for_each(|spans| rig.put_spans(spans));
        if number < 3 {
            rig.seal();
        }
    }
}

const SEED: u64 = 20_261_129;

#[test]
fn random_searches_find_what_the_evaluator_finds() {
    let mut dice = Dice(SEED);
    let rig = Rig::new();
    let spans = traces(&mut dice, 150);
    scatter(&rig, &mut dice, &spans, true);
    let traces: Vec<PlainTrace> = spans.into_iter().map(PlainTrace::new).collect();
    let part = TimeRange { from: T0 + 100 * SECOND, to: T0 + 300 * SECOND };
    let check = |query: &str, range: TimeRange, limit: u32| {
        let expected = expected(query, range, &traces);
        let (order, found) = found(&rig, query, range, limit);
        let spansets =
            |all: &Expected| all.iter().map(|(id, (_, spansets))| (*id, spansets.clone())).collect::<Vec<_>>();
        assert_eq!(spansets(&found), spansets(&expected), "{query}");
        let mut positions: Vec<(i64, u128)> = expected.iter().map(|(id, (position, _))| (*position, *id)).collect();
        positions.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(order, positions.into_iter().map(|(_, id)| id).collect::<Vec<_>>(), "order of {query}");
        !order.is_empty()
    };
    let (mut some, mut asked) = (0, 0);
    while asked < 250 {
        let query = search(&mut dice);
        // Types that can never fit are refused.
        if parse(&query).is_err() {
            continue;
        }
        asked += 1;
        some += usize::from(check(&query, TimeRange::ALL, 500));
        if asked % 5 == 0 {
            check(&query, part, 7);
        }
    }
    assert!(some > 100, "{some} found something");
}

#[test]
fn random_metrics_count_what_the_evaluator_counts() {
    let mut dice = Dice(SEED + 1);
    let rig = Rig::new();
    let spans = traces(&mut dice, 150);
    scatter(&rig, &mut dice, &spans, false);
    let traces: Vec<PlainTrace> = spans.into_iter().map(PlainTrace::new).collect();
    let range = TimeRange { from: T0, to: T0 + 700 * SECOND };
    let functions = [
        "rate()",
        "count_over_time() by (resource.service.name)",
        "count_over_time() by (span.code, kind)",
        "quantile_over_time(duration, 0.5, 0.9)",
        "histogram_over_time(duration) by (status)",
        "avg_over_time(duration)",
        "max_over_time(span.code)",
        "compare({ status = error }, 5)",
    ];
    let mut asked = 0;
    while asked < 80 {
        let query = format!("{} | {}", spanset(&mut dice, 1), dice.pick(&functions));
        let Ok(parsed) = parse(&query) else { continue };
        asked += 1;
        let mut series = Series::new(&Compiled::new(&parsed).unwrap(), range, 100 * SECOND).unwrap();
        traces.iter().for_each(|trace| series.observe(trace));
        match (rig.metrics(&query, range, 100 * SECOND).unwrap(), series.finish()) {
            (Metrics::Table(found), Metrics::Table(expected)) => {
                assert_eq!(shown(&found), shown(&expected), "{query}");
            }
            (Metrics::Compared(found), Metrics::Compared(expected)) => {
                assert_eq!(found.spans, expected.spans, "{query}");
                let counted = |all: &orrery_query::traceql::Compared| {
                    let fields = all
                        .fields
                        .iter()
                        .map(|field| (field.field.to_string(), (field.spans.selection, field.spans.baseline)));
                    fields.collect::<Vec<_>>()
                };
                assert_eq!(counted(&found), counted(&expected), "{query}");
            }
            other => panic!("{query}: {other:?}"),
        }
    }
}

#[test]
fn traces_are_sorted_by_what_they_are_as_a_whole() {
    let mut dice = Dice(SEED + 2);
    let rig = Rig::new();
    let spans = traces(&mut dice, 60);
    scatter(&rig, &mut dice, &spans, true);
    type Rank = fn(&TraceSummary) -> i64;
    let sorts: [(TraceSort, Rank); 3] = [
        (TraceSort::Duration, |trace| trace.duration_nanos),
        (TraceSort::Errors, |trace| trace.error_count as i64),
        (TraceSort::Spans, |trace| trace.span_count as i64),
    ];
    for (sort, key) in sorts {
        let all = rig.pages_of(plan::Traces { sort, limit: 500, ..asking("{ duration > 50ms }") });
        let mut positions: Vec<_> = all.iter().map(|trace| (key(trace), trace.trace_id)).collect();
        assert!(positions.len() > 30);
        let paged = rig.pages_of(plan::Traces { sort, limit: 7, ..asking("{ duration > 50ms }") });
        assert_eq!(paged, all);
        positions.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(positions, all.iter().map(|trace| (key(trace), trace.trace_id)).collect::<Vec<_>>());
    }
}

#[test]
fn selected_fields_and_groups_come_with_the_spans() {
    let rig = Rig::new();
    rig.put_spans(&checkout());
    rig.seal();
    let plan = plan::Traces {
        spans: 1,
        ..asking(
            "{ kind = client } | by(resource.service.name) | select(span.tags, span.http.status_code, duration, event.attempt)",
        )
    };
    let traces = rig.page(&plan).unwrap().traces;
    assert_eq!((traces[0].matched_span_count, traces[0].spansets.len(), traces[0].span_count), (2, 2, 6));
    let shown: Vec<String> = traces[0]
        .spansets
        .iter()
        .map(|spanset| {
            let of = |(name, value): &(String, Option<Literal>)| format!("{name} = {}", value.as_ref().unwrap());
            let values: Vec<String> = spanset.values.iter().map(of).collect();
            let span = &spanset.spans[0];
            let selected = span.selected.iter().map(|(field, value)| format!("{field} = {value}"));
            format!("{}: {} {}", values.join(", "), span.name, selected.collect::<Vec<_>>().join(", "))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "by(resource.service.name) = \"frontend\": POST /cart span.http.status_code = 500, span:duration = 50ms",
            "by(resource.service.name) = \"cart\": SELECT span:duration = 5ms, event.attempt = 1, event.attempt = 2",
        ]
    );
}

#[test]
fn keys_and_values_are_those_that_spans_have() {
    let rig = Rig::new();
    let check = |what: &str| {
        let keys = |scope, prefix: &str| -> Vec<(String, u64)> {
            let plan = plan::TraceKeys { range: TimeRange::ALL, scope, prefix: prefix.into(), limit: 100 };
            let keys = rig.engine().trace_keys(&plan, &control()).unwrap().value;
            keys.into_iter().map(|key| (format!("{}.{}", key.scope.as_str(), key.name), key.spans)).collect()
        };
        let http = [("span.http.request.method".to_owned(), 2), ("span.http.response.status_code".to_owned(), 2)];
        assert_eq!(keys(Some(Scope::Span), "HTTP"), http, "{what}");
        let names = |scope| keys(Some(scope), "").into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(Scope::Event), ["event.attempt"], "{what}");
        assert_eq!(names(Scope::Link), ["link.reason"], "{what}");
        assert_eq!(names(Scope::Instrumentation), ["instrumentation.language"], "{what}");
        assert_eq!(names(Scope::Resource), ["resource.deployment.environment.name", "resource.service.name"], "{what}");
        let values = |field: &str, prefix: &str| -> Vec<String> {
            let plan = plan::TraceValues {
                range: TimeRange { from: 0, to: SECOND },
                field: field.parse().unwrap(),
                prefix: prefix.into(),
                limit: 10,
            };
            let values = rig.engine().trace_values(&plan, &control()).unwrap().value;
            values.into_iter().map(|value| format!("{} {}", value.value, value.spans)).collect()
        };
        assert_eq!(values("span.http.method", ""), ["\"GET\" 1", "\"POST\" 1"], "{what}");
        assert_eq!(values("resource.service.name", ""), ["\"frontend\" 4", "\"audit\" 1", "\"cart\" 1"], "{what}");
        assert_eq!(values("name", "s"), ["\"SELECT\" 1"], "{what}");
        assert_eq!(
            values("span:kind", ""),
            ["client 2", "consumer 1", "internal 1", "producer 1", "server 1"],
            "{what}"
        );
        assert_eq!(values(".rows", ""), ["3 1", "4 1"], "{what}");
    };
    rig.put_spans(&checkout());
    check("in memory");
    rig.seal();
    check("sealed");
}

#[test]
fn what_takes_too_long_says_so_or_stops() {
    let rig = Rig::new();
    rig.put_spans(&checkout());
    rig.seal();
    let over = Control::within(Duration::ZERO);
    let series = plan::TraceSeries {
        range: TimeRange { from: 0, to: SECOND },
        query: parse("{ } | rate()").unwrap(),
        step_nanos: SECOND,
    };
    assert!(matches!(rig.engine().trace_series(&series, &over), Err(QueryError::Deadline)));
    let cancelled = control();
    cancelled.cancel();
    assert!(matches!(rig.engine().trace_series(&series, &cancelled), Err(QueryError::Cancelled)));
    assert!(matches!(rig.engine().traces(&asking("{ } >> { }"), &cancelled), Err(QueryError::Cancelled)));
    let wrong = plan::TraceSeries { step_nanos: 1, ..series.clone() };
    assert!(matches!(rig.engine().trace_series(&wrong, &control()), Err(QueryError::Invalid { field: "step", .. })));
    let search = plan::TraceSeries { query: parse("{ }").unwrap(), ..series };
    assert!(matches!(rig.engine().trace_series(&search, &control()), Err(QueryError::Query(_))));
    let metrics = plan::Traces { query: parse("{ } | rate()").unwrap(), ..all_traces() };
    assert!(matches!(rig.engine().traces(&metrics, &control()), Err(QueryError::Query(_))));
}
