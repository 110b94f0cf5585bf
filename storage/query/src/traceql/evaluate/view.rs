//! What evaluation needs of a trace.

use super::super::arithmetic::Number;
use super::super::field::Scope;
use super::super::literal::Literal;
use orrery_model::{SpanId, SpanKind, StatusCode, TraceId};

/// A value of a span, borrowed from its trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Text; also what has no other form here, such as bytes in base64.
    Text(&'a str),
    /// Integer.
    Int(i64),
    /// Double.
    Float(f64),
    /// Boolean.
    Bool(bool),
    /// Nanoseconds. No attribute is one.
    Duration(i64),
    /// Status of a span.
    Status(StatusCode),
    /// Kind of a span.
    Kind(SpanKind),
}

/// A trace as evaluation reads it. Spans are numbered from 0, in any order. Nothing is kept beyond a call.
///
/// Where spans are judged one by one (not [`super::super::Reads::whole_traces`]) it may as well be spans of many traces.
///
/// Attributes are asked for by every spelling of their name, one after the other: give what is stored under just this one.
pub trait TraceView {
    /// The id of the span's trace.
    fn trace_id(&self, span: usize) -> TraceId;
    /// Number of spans.
    fn len(&self) -> usize;
    /// Whether there is no span.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The number of the span's parent; `None` for roots and where the parent is missing. Cycles are cut.
    fn parent(&self, span: usize) -> Option<usize>;
    /// Its id.
    fn span_id(&self, span: usize) -> SpanId;
    /// What it says its parent is; [`SpanId::NONE`] for a root.
    fn parent_span_id(&self, span: usize) -> SpanId;
    /// Unix nanoseconds.
    fn start(&self, span: usize) -> i64;
    /// Nanoseconds.
    fn duration(&self, span: usize) -> i64;
    /// Its name.
    fn name(&self, span: usize) -> &str;
    /// Its kind.
    fn kind(&self, span: usize) -> SpanKind;
    /// Its status.
    fn status(&self, span: usize) -> StatusCode;
    /// Text with the status.
    fn status_message(&self, span: usize) -> &str;
    /// Name and version of the instrumentation scope; empty where unknown.
    fn instrumentation(&self, span: usize) -> (&str, &str);
    /// Calls `visit` with name and time (Unix nanoseconds) of each event.
    fn events(&self, span: usize, visit: &mut dyn FnMut(&str, i64));
    /// Calls `visit` with each link.
    fn links(&self, span: usize, visit: &mut dyn FnMut(TraceId, SpanId));
    /// Calls `visit` with each value of an attribute: one, or the elements of an array; for events and links those of
    /// each. Says whether there is the attribute: an empty array is there, an empty value ("null") is not.
    fn attribute(&self, span: usize, scope: Scope, name: &str, visit: &mut dyn FnMut(Value<'_>)) -> bool;
    /// Calls `visit` with every attribute, of the resource and of the instrumentation scope too. For `compare()`.
    fn attributes(&self, span: usize, visit: &mut dyn FnMut(Scope, &str, Value<'_>));
    /// How many spans it stands for of those that the view leaves out. For metrics.
    fn stands_for(&self, span: usize) -> f64 {
        _ = span;
        1.0
    }
    /// How many spans it stands for, where it was sampled.
    fn weight(&self, span: usize) -> f64 {
        _ = span;
        1.0
    }
}

impl<'a> Value<'a> {
    /// The value of a literal.
    pub(crate) fn of(literal: &'a Literal) -> Value<'a> {
        match literal {
            Literal::Text(text) => Value::Text(text),
            Literal::Int(value) => Value::Int(*value),
            Literal::Float(value) => Value::Float(*value),
            Literal::Bool(value) => Value::Bool(*value),
            Literal::Duration(value) => Value::Duration(*value),
            Literal::Status(value) => Value::Status(*value),
            Literal::Kind(value) => Value::Kind(*value),
        }
    }

    /// The same, to keep.
    pub fn to_literal(self) -> Literal {
        match self {
            Value::Text(text) => Literal::Text(text.to_owned()),
            Value::Int(value) => Literal::Int(value),
            Value::Float(value) => Literal::Float(value),
            Value::Bool(value) => Literal::Bool(value),
            Value::Duration(value) => Literal::Duration(value),
            Value::Status(value) => Literal::Status(value),
            Value::Kind(value) => Literal::Kind(value),
        }
    }

    pub(crate) fn number(self) -> Option<Number> {
        match self {
            Value::Int(value) => Some(Number::Int(value)),
            Value::Float(value) => Some(Number::Float(value)),
            Value::Duration(value) => Some(Number::Duration(value)),
            _ => None,
        }
    }
}

impl From<Number> for Value<'_> {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(value) => Value::Int(value),
            Number::Float(value) => Value::Float(value),
            Number::Duration(value) => Value::Duration(value),
        }
    }
}
