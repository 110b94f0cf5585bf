//! Reading a field of a span.

use super::super::field::{Field, FieldName, Intrinsic, Scope};
use super::super::literal::Literal;
use super::structure::{NONE, Trace};
use super::view::{TraceView, Value};
use orrery_model::{SpanId, SpanKind, StatusCode, TraceId, semconv};
use std::collections::HashMap;

/// A field made ready to be read.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    of_parent: bool,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Intrinsic(Intrinsic),
    /// In the order in which they are looked at; the first that is there counts.
    Attribute {
        scopes: Vec<Scope>,
        spellings: Vec<String>,
    },
}

impl Read {
    pub(crate) fn new(field: &Field) -> Read {
        let what = match &field.name {
            FieldName::Intrinsic(intrinsic) => What::Intrinsic(*intrinsic),
            FieldName::Attribute(scope, name) => What::Attribute {
                scopes: scope.map_or_else(|| Scope::ALL.to_vec(), |scope| vec![scope]),
                spellings: semconv::spellings(name).map(str::to_owned).collect(),
            },
        };
        Read { of_parent: field.of_parent, what }
    }

    /// Calls `visit` with each value, and says whether the field is there.
    pub(crate) fn visit(&self, trace: &Trace<'_>, span: usize, visit: &mut dyn FnMut(Value<'_>)) -> bool {
        let span = match (self.of_parent, self.of_parent.then(|| trace.structure().parent[span])) {
            (true, Some(NONE) | None) => return false,
            (true, Some(parent)) => parent as usize,
            (false, _) => span,
        };
        match &self.what {
            What::Intrinsic(of) => intrinsic(trace, span, *of, visit),
            What::Attribute { scopes, spellings } => scopes
                .iter()
                .any(|scope| spellings.iter().any(|spelling| trace.view.attribute(span, *scope, spelling, visit))),
        }
    }

    /// The first value.
    pub(crate) fn first<T>(
        &self,
        trace: &Trace<'_>,
        span: usize,
        then: impl FnOnce(Option<Value<'_>>) -> T,
    ) -> Option<T> {
        let (mut then, mut result) = (Some(then), None);
        self.visit(trace, span, &mut |value| {
            if let Some(then) = then.take() {
                result = Some(then(Some(value)));
            }
        });
        result.or_else(|| then.map(|then| then(None)))
    }
}

fn intrinsic(trace: &Trace<'_>, span: usize, of: Intrinsic, visit: &mut dyn FnMut(Value<'_>)) -> bool {
    use Intrinsic as I;
    let view = trace.view;
    let number = |number: u32| Value::Int(i64::from(number));
    match of {
        I::Name => visit(Value::Text(view.name(span))),
        I::Duration => visit(Value::Duration(view.duration(span))),
        I::Status => visit(Value::Status(view.status(span))),
        I::StatusMessage => visit(Value::Text(view.status_message(span))),
        I::Kind => visit(Value::Kind(view.kind(span))),
        I::SpanId => span_id(view.span_id(span), visit),
        I::ParentId => match view.parent_span_id(span) {
            SpanId::NONE => visit(Value::Text("")),
            id => span_id(id, visit),
        },
        I::Parent => match view.parent_span_id(span) {
            SpanId::NONE => return false,
            id => span_id(id, visit),
        },
        I::ChildCount => visit(number(trace.structure().children[span])),
        I::NestedSetLeft => visit(number(trace.structure().left[span])),
        I::NestedSetRight => visit(number(trace.structure().right[span])),
        I::NestedSetParent => visit(match trace.structure().parent[span] {
            NONE if view.parent_span_id(span).is_none() => Value::Int(-1),
            NONE => Value::Int(0),
            parent => number(trace.structure().left[parent as usize]),
        }),
        I::TraceDuration => visit(Value::Duration(trace.summary().duration)),
        I::RootName => match trace.summary().root {
            Some(root) => visit(Value::Text(view.name(root))),
            None => return false,
        },
        I::RootService => {
            let root = trace.summary().root;
            return root.is_some_and(|root| view.attribute(root, Scope::Resource, "service.name", visit));
        }
        I::TraceId => trace_id(view.trace_id(span), visit),
        I::EventName | I::EventTimeSinceStart => return events(view, span, of, visit),
        I::LinkTraceId | I::LinkSpanId => {
            let mut any = false;
            view.links(span, &mut |trace, span| {
                any = true;
                if of == I::LinkTraceId { trace_id(trace, visit) } else { span_id(span, visit) }
            });
            return any;
        }
        I::InstrumentationName => visit(Value::Text(view.instrumentation(span).0)),
        I::InstrumentationVersion => visit(Value::Text(view.instrumentation(span).1)),
    }
    true
}

fn events(view: &dyn TraceView, span: usize, of: Intrinsic, visit: &mut dyn FnMut(Value<'_>)) -> bool {
    let mut any = false;
    view.events(span, &mut |name, time| {
        any = true;
        visit(match of {
            Intrinsic::EventName => Value::Text(name),
            _ => Value::Duration(time.saturating_sub(view.start(span))),
        });
    });
    any
}

fn span_id(id: SpanId, visit: &mut dyn FnMut(Value<'_>)) {
    hex(&id.0.to_be_bytes(), visit);
}

fn trace_id(id: TraceId, visit: &mut dyn FnMut(Value<'_>)) {
    hex(&id.0, visit);
}

/// An id as text, on the stack.
fn hex(bytes: &[u8], visit: &mut dyn FnMut(Value<'_>)) {
    let mut text = [0_u8; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        let digit = |half: u8| b"0123456789abcdef"[usize::from(half)];
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    visit(Value::Text(std::str::from_utf8(&text[..bytes.len() * 2]).unwrap_or_default()));
}

/// Values by number, so that groups are compared without copying text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interner {
    texts: HashMap<String, u32>,
    others: HashMap<Other, u32>,
    pub(crate) values: Vec<Option<Literal>>,
}

/// What can be told apart of a value that is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Other {
    Nil,
    Int(i64),
    Float(u64),
    Bool(bool),
    Duration(i64),
    Status(StatusCode),
    Kind(SpanKind),
}

impl Interner {
    /// The number of a value, given when it is seen first.
    pub(crate) fn number(&mut self, value: Option<Value<'_>>) -> u32 {
        let next = self.values.len() as u32;
        let number = match key(value) {
            Ok(text) => match self.texts.get(text) {
                Some(known) => *known,
                None => *self.texts.entry(text.to_owned()).or_insert(next),
            },
            Err(other) => *self.others.entry(other).or_insert(next),
        };
        if number == next {
            self.values.push(value.map(Value::to_literal));
        }
        number
    }

    /// Whether a value has a number.
    pub(crate) fn knows(&self, value: Value<'_>) -> bool {
        match key(Some(value)) {
            Ok(text) => self.texts.contains_key(text),
            Err(other) => self.others.contains_key(&other),
        }
    }
}

fn key(value: Option<Value<'_>>) -> Result<&str, Other> {
    Err(match value {
        Some(Value::Text(text)) => return Ok(text),
        None => Other::Nil,
        Some(Value::Int(value)) => Other::Int(value),
        Some(Value::Float(value)) => Other::Float(value.to_bits()),
        Some(Value::Bool(value)) => Other::Bool(value),
        Some(Value::Duration(value)) => Other::Duration(value),
        Some(Value::Status(value)) => Other::Status(value),
        Some(Value::Kind(value)) => Other::Kind(value),
    })
}
