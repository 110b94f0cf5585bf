//! Spans as the evaluator reads them: those of a request's batch in memory, or columns of a segment. What was not read
//! is empty; nothing asks for it.

use crate::columns::{ATTRIBUTES, Part};
use crate::context::ContextTable;
use crate::promote::Promoted;
use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, ListArray, MapArray, RecordBatch, StringArray, StructArray,
};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{
    ArrowNativeType, ArrowPrimitiveType, Float64Type, Int64Type, UInt8Type, UInt32Type, UInt64Type,
};
use orrery_model::{SpanBatch, SpanId, SpanKind, StatusCode, Strings, TraceId};
use orrery_query::answer::AttributeMap;
use orrery_query::traceql::{Scope, TraceView, Value};
use std::sync::{Arc, OnceLock};

/// Spans of one place.
pub(super) struct Rows {
    context: Arc<ContextTable>,
    /// Attributes of the scopes, parsed when they are asked for.
    scopes: OnceLock<Vec<AttributeMap>>,
    /// By row, how many spans it stands for; empty where none is left out.
    weights: Vec<f64>,
    spans: Spans,
}

enum Spans {
    Hot(Part<SpanBatch>),
    Sealed(Box<Columns>),
}

/// What was read of a segment.
struct Columns {
    trace_id: Option<FixedSizeBinaryArray>,
    span_id: Option<ScalarBuffer<u64>>,
    parent_span_id: Option<ScalarBuffer<u64>>,
    start: Option<ScalarBuffer<i64>>,
    duration: Option<ScalarBuffer<i64>>,
    arrival: Option<ScalarBuffer<u64>>,
    kind: Option<ScalarBuffer<u8>>,
    status: Option<ScalarBuffer<u8>>,
    resource: Option<ScalarBuffer<u32>>,
    scope: Option<ScalarBuffer<u32>>,
    name: Option<Text>,
    status_message: Option<Text>,
    trace_state: Option<Text>,
    events: Option<List>,
    links: Option<List>,
    attributes: Option<MapArray>,
    promoted: Vec<(String, Typed)>,
}

/// A column of text, as words or spelled out.
pub(super) enum Text {
    Words(ScalarBuffer<u32>, StringArray),
    Plain(StringArray),
}

/// The column of a promoted attribute.
enum Typed {
    Text(ArrayRef, Text),
    Other(ArrayRef),
}

/// Events or links: structs, and where those of a span begin and end.
struct List {
    offsets: ScalarBuffer<i32>,
    members: StructArray,
}

impl Text {
    pub(super) fn of(column: &ArrayRef) -> Option<Text> {
        if let Some(words) = column.as_dictionary_opt::<UInt32Type>() {
            return Some(Text::Words(words.keys().values().clone(), words.values().as_string_opt::<i32>()?.clone()));
        }
        Some(Text::Plain(column.as_string_opt::<i32>()?.clone()))
    }

    pub(super) fn get(&self, row: usize) -> &str {
        match self {
            Text::Words(keys, words) => words.value(keys[row] as usize),
            Text::Plain(texts) => texts.value(row),
        }
    }
}

impl Columns {
    fn of(batch: &RecordBatch, promoted: &[Promoted]) -> Columns {
        fn numbers<T: ArrowPrimitiveType>(batch: &RecordBatch, name: &str) -> Option<ScalarBuffer<T::Native>> {
            Some(batch.column_by_name(name)?.as_primitive_opt::<T>()?.values().clone())
        }
        let column = |name: &str| batch.column_by_name(name);
        let text = |name: &str| Text::of(column(name)?);
        let list = |name: &str| List::of(column(name)?.as_list_opt()?);
        let typed = |promoted: &Promoted| {
            let column = column(promoted.column())?;
            let typed = match Text::of(column) {
                Some(text) => Typed::Text(Arc::clone(column), text),
                None => Typed::Other(Arc::clone(column)),
            };
            Some((promoted.key.clone(), typed))
        };
        Columns {
            trace_id: column("trace_id").and_then(|column| column.as_fixed_size_binary_opt()).cloned(),
            span_id: numbers::<UInt64Type>(batch, "span_id"),
            parent_span_id: numbers::<UInt64Type>(batch, "parent_span_id"),
            start: numbers::<Int64Type>(batch, "start_time_unix_nano"),
            duration: numbers::<Int64Type>(batch, "duration_nanos"),
            arrival: numbers::<UInt64Type>(batch, "arrival"),
            kind: numbers::<UInt8Type>(batch, "kind"),
            status: numbers::<UInt8Type>(batch, "status_code"),
            resource: numbers::<UInt32Type>(batch, "resource_id"),
            scope: numbers::<UInt32Type>(batch, "scope_id"),
            name: text("name"),
            status_message: text("status_message"),
            trace_state: text("trace_state"),
            events: list("events"),
            links: list("links"),
            attributes: column(ATTRIBUTES).and_then(|column| column.as_map_opt()).cloned(),
            promoted: promoted.iter().filter_map(typed).collect(),
        }
    }
}

impl List {
    fn of(list: &ListArray) -> Option<List> {
        Some(List { offsets: list.offsets().inner().clone(), members: list.values().as_struct_opt()?.clone() })
    }

    fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }

    fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.members.column_by_name(name)
    }

    fn attributes(&self) -> Option<&MapArray> {
        self.column(ATTRIBUTES)?.as_map_opt()
    }
}

impl Rows {
    /// The spans of a request's batch. `context` is the slice's.
    pub(super) fn hot(part: &Part<SpanBatch>, context: &Arc<ContextTable>) -> Rows {
        Rows {
            context: Arc::clone(context),
            scopes: OnceLock::new(),
            weights: Vec::new(),
            spans: Spans::Hot(part.clone()),
        }
    }

    /// Rows read of a segment.
    pub(super) fn sealed(batch: &RecordBatch, promoted: &[Promoted], context: &Arc<ContextTable>) -> Rows {
        let spans = Spans::Sealed(Box::new(Columns::of(batch, promoted)));
        Rows { context: Arc::clone(context), scopes: OnceLock::new(), weights: Vec::new(), spans }
    }

    /// The same, each row standing for so many spans.
    pub(super) fn weighing(mut self, weights: Vec<f64>) -> Rows {
        self.weights = weights;
        self
    }

    pub(super) fn is_in_memory(&self) -> bool {
        matches!(self.spans, Spans::Hot(_))
    }

    pub(super) fn context(&self) -> &ContextTable {
        &self.context
    }

    pub(super) fn trace_id(&self, row: usize) -> TraceId {
        match &self.spans {
            Spans::Hot(part) => part.batch.trace_id[row],
            Spans::Sealed(columns) => {
                let id = columns.trace_id.as_ref().and_then(|ids| TraceId::from_bytes(ids.value(row)));
                id.unwrap_or(TraceId::NONE)
            }
        }
    }

    pub(super) fn span_id(&self, row: usize) -> SpanId {
        match &self.spans {
            Spans::Hot(part) => part.batch.span_id[row],
            Spans::Sealed(columns) => SpanId(at(&columns.span_id, row)),
        }
    }

    pub(super) fn parent_span_id(&self, row: usize) -> SpanId {
        match &self.spans {
            Spans::Hot(part) => part.batch.parent_span_id[row],
            Spans::Sealed(columns) => SpanId(at(&columns.parent_span_id, row)),
        }
    }

    pub(super) fn start(&self, row: usize) -> i64 {
        match &self.spans {
            Spans::Hot(part) => part.batch.start_time_unix_nano[row],
            Spans::Sealed(columns) => at(&columns.start, row),
        }
    }

    pub(super) fn duration(&self, row: usize) -> i64 {
        match &self.spans {
            Spans::Hot(part) => part.batch.duration_nanos[row],
            Spans::Sealed(columns) => at(&columns.duration, row),
        }
    }

    /// When it arrived; 0 where that was not read.
    pub(super) fn arrival(&self, row: usize) -> u64 {
        match &self.spans {
            Spans::Hot(part) => part.arrival.of(row),
            Spans::Sealed(columns) => at(&columns.arrival, row),
        }
    }

    pub(super) fn kind(&self, row: usize) -> SpanKind {
        SpanKind::from_number(match &self.spans {
            Spans::Hot(part) => part.batch.kind[row],
            Spans::Sealed(columns) => at(&columns.kind, row),
        })
    }

    pub(super) fn status(&self, row: usize) -> StatusCode {
        StatusCode::from_number(match &self.spans {
            Spans::Hot(part) => part.batch.status_code[row],
            Spans::Sealed(columns) => at(&columns.status, row),
        })
    }

    pub(super) fn name(&self, row: usize) -> &str {
        match &self.spans {
            Spans::Hot(part) => part.batch.context.strings.get(part.batch.name[row]),
            Spans::Sealed(columns) => columns.name.as_ref().map_or("", |name| name.get(row)),
        }
    }

    fn status_message(&self, row: usize) -> &str {
        match &self.spans {
            Spans::Hot(part) => part.batch.context.strings.get(part.batch.status_message[row]),
            Spans::Sealed(columns) => columns.status_message.as_ref().map_or("", |text| text.get(row)),
        }
    }

    fn trace_state(&self, row: usize) -> &str {
        match &self.spans {
            Spans::Hot(part) => part.batch.context.strings.get(part.batch.trace_state[row]),
            Spans::Sealed(columns) => columns.trace_state.as_ref().map_or("", |text| text.get(row)),
        }
    }

    /// Number of its resource in the context.
    pub(super) fn resource(&self, row: usize) -> u32 {
        match &self.spans {
            Spans::Hot(part) => part.resources[part.batch.resource[row] as usize],
            Spans::Sealed(columns) => at(&columns.resource, row),
        }
    }

    fn scope(&self, row: usize) -> Option<u32> {
        match &self.spans {
            Spans::Hot(part) => Some(part.scopes[part.batch.scope[row] as usize]),
            Spans::Sealed(columns) => columns.scope.as_ref().map(|scopes| scopes[row]),
        }
    }

    fn scope_attributes(&self, scope: u32) -> Option<&AttributeMap> {
        let parsed = self.scopes.get_or_init(|| {
            let scopes = self.context.scopes().iter();
            scopes.map(|scope| serde_json::from_str(&scope.attributes).unwrap_or_default()).collect()
        });
        parsed.get(scope as usize)
    }

    fn events(&self, row: usize, visit: &mut dyn FnMut(&str, i64)) {
        match &self.spans {
            Spans::Hot(part) => {
                let batch = &part.batch;
                for event in batch.event_range(row) {
                    visit(batch.context.strings.get(batch.events.name[event]), batch.events.time_unix_nano[event]);
                }
            }
            Spans::Sealed(columns) => {
                let Some(events) = &columns.events else { return };
                let names = events.column("name").and_then(|names| names.as_string_opt::<i32>());
                let times = events.column("time_unix_nano").and_then(|times| times.as_primitive_opt::<Int64Type>());
                if let (Some(names), Some(times)) = (names, times) {
                    events.range(row).for_each(|event| visit(names.value(event), times.value(event)));
                }
            }
        }
    }

    fn links(&self, row: usize, visit: &mut dyn FnMut(TraceId, SpanId)) {
        match &self.spans {
            Spans::Hot(part) => {
                let links = &part.batch.links;
                part.batch.link_range(row).for_each(|link| visit(links.trace_id[link], links.span_id[link]));
            }
            Spans::Sealed(columns) => {
                let Some(links) = &columns.links else { return };
                let traces = links.column("trace_id").and_then(|ids| ids.as_fixed_size_binary_opt());
                let spans = links.column("span_id").and_then(|ids| ids.as_primitive_opt::<UInt64Type>());
                if let (Some(traces), Some(spans)) = (traces, spans) {
                    for link in links.range(row) {
                        let trace = TraceId::from_bytes(traces.value(link)).unwrap_or(TraceId::NONE);
                        visit(trace, SpanId(spans.value(link)));
                    }
                }
            }
        }
    }

    fn attribute(&self, row: usize, scope: Scope, name: &str, visit: &mut dyn FnMut(Value<'_>)) -> bool {
        match scope {
            Scope::Span => self.own(row, name, visit),
            Scope::Resource => of_resource(&self.context, self.resource(row), name, visit),
            Scope::Instrumentation => {
                let attributes = self.scope(row).and_then(|scope| self.scope_attributes(scope));
                attributes.and_then(|attributes| attributes.get(name)).is_some_and(|value| json(value, visit))
            }
            Scope::Event | Scope::Link => self.nested(row, scope, |key, value| key == name && value.visit(visit)),
        }
    }

    /// An attribute of the span's own.
    fn own(&self, row: usize, name: &str, visit: &mut dyn FnMut(Value<'_>)) -> bool {
        match &self.spans {
            Spans::Hot(part) => {
                let strings = &part.batch.context.strings;
                let value = strings.find(name).and_then(|key| part.batch.attributes.get(row, key));
                value.is_some_and(|value| in_memory(value, strings, visit))
            }
            Spans::Sealed(columns) => {
                let promoted = columns.promoted.iter().find(|(key, _)| key == name);
                promoted.is_some_and(|(_, column)| column.visit(row, visit))
                    || columns.attributes.as_ref().is_some_and(|map| in_map(map, row, name, visit))
            }
        }
    }

    /// Calls `each` with every attribute of the span's events or links; says whether it once said yes.
    fn nested(&self, row: usize, scope: Scope, mut each: impl FnMut(&str, Stored<'_>) -> bool) -> bool {
        let mut any = false;
        match &self.spans {
            Spans::Hot(part) => {
                let batch = &part.batch;
                let strings = &batch.context.strings;
                let (range, attributes) = match scope {
                    Scope::Link => (batch.link_range(row), &batch.links.attributes),
                    _ => (batch.event_range(row), &batch.events.attributes),
                };
                for (key, value) in range.flat_map(|member| attributes.row(member)) {
                    any |= each(strings.get(key), Stored::InMemory(value, strings));
                }
            }
            Spans::Sealed(columns) => {
                let list = if scope == Scope::Link { &columns.links } else { &columns.events };
                if let Some((list, map)) = list.as_ref().and_then(|list| Some((list, list.attributes()?))) {
                    for member in list.range(row) {
                        pairs(map, member, |key, value| any |= each(key, Stored::Written(value)));
                    }
                }
            }
        }
        any
    }

    fn attributes(&self, row: usize, visit: &mut dyn FnMut(Scope, &str, Value<'_>)) {
        match &self.spans {
            Spans::Hot(part) => {
                let strings = &part.batch.context.strings;
                for (key, value) in part.batch.attributes.row(row) {
                    in_memory(value, strings, &mut |value| visit(Scope::Span, strings.get(key), value));
                }
            }
            Spans::Sealed(columns) => {
                for (key, column) in &columns.promoted {
                    column.visit(row, &mut |value| visit(Scope::Span, key, value));
                }
                if let Some(map) = &columns.attributes {
                    pairs(map, row, |key, text| _ = written(text, &mut |value| visit(Scope::Span, key, value)));
                }
            }
        }
        let resource = self.context.resources().get(self.resource(row) as usize);
        for (key, value) in resource.iter().flat_map(|resource| resource.attribute_map()) {
            json(value, &mut |value| visit(Scope::Resource, key, value));
        }
        let scope = self.scope(row).and_then(|scope| self.scope_attributes(scope));
        for (key, value) in scope.into_iter().flatten() {
            json(value, &mut |value| visit(Scope::Instrumentation, key, value));
        }
        for scope in [Scope::Event, Scope::Link] {
            self.nested(row, scope, |key, value| value.visit(&mut |value| visit(scope, key, value)));
        }
    }
}

fn at<T: ArrowNativeType>(column: &Option<ScalarBuffer<T>>, row: usize) -> T {
    column.as_ref().map_or(T::default(), |column| column[row])
}

impl Typed {
    fn visit(&self, row: usize, visit: &mut dyn FnMut(Value<'_>)) -> bool {
        match self {
            Typed::Text(column, _) | Typed::Other(column) if column.is_null(row) => return false,
            Typed::Text(_, text) => visit(Value::Text(text.get(row))),
            Typed::Other(column) => match typed(column, row) {
                Some(value) => visit(value),
                None => return false,
            },
        }
        true
    }
}

/// The value of a promoted column that is no text and not null.
fn typed(column: &ArrayRef, row: usize) -> Option<Value<'static>> {
    if let Some(column) = column.as_primitive_opt::<Int64Type>() {
        return Some(Value::Int(column.value(row)));
    }
    if let Some(column) = column.as_primitive_opt::<Float64Type>() {
        return Some(Value::Float(column.value(row)));
    }
    Some(Value::Bool(column.as_boolean_opt()?.value(row)))
}

/// A value as it is kept.
enum Stored<'a> {
    InMemory(orrery_model::Value, &'a Strings),
    Written(&'a str),
}

impl Stored<'_> {
    fn visit(&self, visit: &mut dyn FnMut(Value<'_>)) -> bool {
        match self {
            Stored::InMemory(value, strings) => in_memory(*value, strings, visit),
            Stored::Written(text) => written(text, visit),
        }
    }
}

/// An attribute of a resource. One without a name is of the unknown service, as everywhere.
pub(super) fn of_resource(context: &ContextTable, resource: u32, name: &str, visit: &mut dyn FnMut(Value<'_>)) -> bool {
    let Some(resource) = context.resources().get(resource as usize) else { return false };
    match resource.attribute_map().get(name) {
        Some(serde_json::Value::String(text)) if !text.is_empty() => {
            visit(Value::Text(text));
            true
        }
        _ if name == "service.name" => {
            visit(Value::Text(&resource.service.service_name));
            true
        }
        Some(value) => json(value, visit),
        None => false,
    }
}

/// Calls `each` with the pairs of a row of attributes.
fn pairs<'a>(map: &'a MapArray, row: usize, mut each: impl FnMut(&'a str, &'a str)) {
    let (keys, values) = (map.keys().as_string::<i32>(), map.values().as_string::<i32>());
    let offsets = map.value_offsets();
    for at in offsets[row] as usize..offsets[row + 1] as usize {
        each(keys.value(at), values.value(at));
    }
}

/// The value of a name in a row of attributes; the last of several, as everywhere.
pub(super) fn in_map(map: &MapArray, row: usize, name: &str, visit: &mut dyn FnMut(Value<'_>)) -> bool {
    let mut found = None;
    pairs(map, row, |key, value| {
        if key == name {
            found = Some(value);
        }
    });
    found.is_some_and(|text| written(text, visit))
}

fn in_memory(value: orrery_model::Value, strings: &Strings, visit: &mut dyn FnMut(Value<'_>)) -> bool {
    use orrery_model::Value as V;
    match value {
        V::Empty => return false,
        V::String(text) | V::Bytes(text) => visit(Value::Text(strings.get(text))),
        V::Bool(value) => visit(Value::Bool(value)),
        V::Int(value) => visit(Value::Int(value)),
        V::Double(value) => visit(Value::Float(value)),
        V::Json(text) => return written(strings.get(text), visit),
    }
    true
}

/// A value written as JSON, as `orrery_model::Value::to_json` does.
fn written(text: &str, visit: &mut dyn FnMut(Value<'_>)) -> bool {
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match (inner, text.as_bytes().first()) {
        (Some(inner), _) if !inner.contains('\\') => visit(Value::Text(inner)),
        (None, None | Some(b'n')) => return false,
        (None, Some(b't')) => visit(Value::Bool(true)),
        (None, Some(b'f')) => visit(Value::Bool(false)),
        (None, Some(b'0'..=b'9' | b'-')) if text.parse::<i64>().is_ok() => {
            visit(Value::Int(text.parse().unwrap_or_default()));
        }
        _ => match serde_json::from_str::<serde_json::Value>(text) {
            Ok(value) => return json(&value, visit),
            Err(_) => visit(Value::Text(text)),
        },
    }
    true
}

/// A value; of an array its elements. What has no other form is text.
fn json(value: &serde_json::Value, visit: &mut dyn FnMut(Value<'_>)) -> bool {
    use serde_json::Value as J;
    match value {
        J::Null => return false,
        J::Array(elements) => elements.iter().for_each(|element| match element {
            J::Array(_) => visit(Value::Text(&element.to_string())),
            element => _ = json(element, visit),
        }),
        J::Bool(value) => visit(Value::Bool(*value)),
        J::String(text) => visit(Value::Text(text)),
        J::Number(number) => match number.as_i64() {
            Some(int) => visit(Value::Int(int)),
            None => visit(Value::Float(number.as_f64().unwrap_or(f64::NAN))),
        },
        J::Object(object) => match object.iter().next() {
            Some((key, J::String(text))) if object.len() == 1 && key == "bytesValue" => visit(Value::Text(text)),
            Some((key, J::String(text))) if object.len() == 1 && key == "doubleValue" => {
                visit(Value::Float(match text.as_str() {
                    "Infinity" => f64::INFINITY,
                    "-Infinity" => f64::NEG_INFINITY,
                    _ => f64::NAN,
                }));
            }
            _ => visit(Value::Text(&value.to_string())),
        },
    }
    true
}

/// Spans of some rows: a trace, or spans of many where they are judged one by one.
pub(super) struct View<'a> {
    pub(super) rows: &'a [Rows],
    /// Which of `rows`, which row of it.
    pub(super) spans: &'a [(u32, u32)],
    /// By span, [`View::NONE`] where there is none; empty where nothing asks for parents.
    pub(super) parents: &'a [u32],
}

impl View<'_> {
    pub(super) const NONE: u32 = u32::MAX;

    pub(super) fn at(&self, span: usize) -> (&Rows, usize) {
        let (rows, row) = self.spans[span];
        (&self.rows[rows as usize], row as usize)
    }
}

impl TraceView for View<'_> {
    fn trace_id(&self, span: usize) -> TraceId {
        let (rows, row) = self.at(span);
        rows.trace_id(row)
    }

    fn len(&self) -> usize {
        self.spans.len()
    }

    fn parent(&self, span: usize) -> Option<usize> {
        self.parents.get(span).filter(|parent| **parent != View::NONE).map(|parent| *parent as usize)
    }

    fn span_id(&self, span: usize) -> SpanId {
        let (rows, row) = self.at(span);
        rows.span_id(row)
    }

    fn parent_span_id(&self, span: usize) -> SpanId {
        let (rows, row) = self.at(span);
        rows.parent_span_id(row)
    }

    fn start(&self, span: usize) -> i64 {
        let (rows, row) = self.at(span);
        rows.start(row)
    }

    fn duration(&self, span: usize) -> i64 {
        let (rows, row) = self.at(span);
        rows.duration(row)
    }

    fn name(&self, span: usize) -> &str {
        let (rows, row) = self.at(span);
        rows.name(row)
    }

    fn kind(&self, span: usize) -> SpanKind {
        let (rows, row) = self.at(span);
        rows.kind(row)
    }

    fn status(&self, span: usize) -> StatusCode {
        let (rows, row) = self.at(span);
        rows.status(row)
    }

    fn status_message(&self, span: usize) -> &str {
        let (rows, row) = self.at(span);
        rows.status_message(row)
    }

    fn instrumentation(&self, span: usize) -> (&str, &str) {
        let (rows, row) = self.at(span);
        let scope = rows.scope(row).and_then(|scope| rows.context.scopes().get(scope as usize));
        scope.map_or(("", ""), |scope| (&scope.name, &scope.version))
    }

    fn events(&self, span: usize, visit: &mut dyn FnMut(&str, i64)) {
        let (rows, row) = self.at(span);
        rows.events(row, visit);
    }

    fn links(&self, span: usize, visit: &mut dyn FnMut(TraceId, SpanId)) {
        let (rows, row) = self.at(span);
        rows.links(row, visit);
    }

    fn attribute(&self, span: usize, scope: Scope, name: &str, visit: &mut dyn FnMut(Value<'_>)) -> bool {
        let (rows, row) = self.at(span);
        rows.attribute(row, scope, name, visit)
    }

    fn attributes(&self, span: usize, visit: &mut dyn FnMut(Scope, &str, Value<'_>)) {
        let (rows, row) = self.at(span);
        rows.attributes(row, visit);
    }

    fn stands_for(&self, span: usize) -> f64 {
        let (rows, row) = self.at(span);
        rows.weights.get(row).copied().unwrap_or(1.0)
    }

    fn weight(&self, span: usize) -> f64 {
        let (rows, row) = self.at(span);
        crate::rollup::weight(rows.trace_state(row))
    }
}
