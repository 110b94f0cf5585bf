//! What a query can read of a span: attributes of a scope, and intrinsics.

/// Where an attribute lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// `span.`
    Span,
    /// `resource.`
    Resource,
    /// `event.`: of any event of the span.
    Event,
    /// `link.`: of any link of the span.
    Link,
    /// `instrumentation.`: of the instrumentation scope.
    Instrumentation,
}

impl Scope {
    /// All of them, in the order in which an attribute without a scope is looked for: the first that has it counts.
    pub const ALL: [Scope; 5] = [Scope::Span, Scope::Resource, Scope::Event, Scope::Link, Scope::Instrumentation];

    /// Its name in a query.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Span => "span",
            Scope::Resource => "resource",
            Scope::Event => "event",
            Scope::Link => "link",
            Scope::Instrumentation => "instrumentation",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// What every span has without anyone setting an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Intrinsic {
    /// The span's name.
    Name,
    /// End minus start of the span.
    Duration,
    /// `error`, `ok` or `unset`.
    Status,
    /// Text with the status.
    StatusMessage,
    /// `server`, `client` …
    Kind,
    /// The span's id, 16 hexadecimal digits.
    SpanId,
    /// Its parent's id; empty text for a root.
    ParentId,
    /// Its parent: only `= nil` and `!= nil` are asked of it.
    Parent,
    /// Number of direct children.
    ChildCount,
    /// Number in the trace on the way down, from 1.
    NestedSetLeft,
    /// Number in the trace on the way up.
    NestedSetRight,
    /// The parent's [`Intrinsic::NestedSetLeft`]; -1 for a root, 0 where the parent is missing.
    NestedSetParent,
    /// Last end minus first start of the trace's spans.
    TraceDuration,
    /// Name of the root span; nil while it is missing.
    RootName,
    /// `service.name` of the root span; nil while it is missing.
    RootService,
    /// The trace's id, 32 hexadecimal digits.
    TraceId,
    /// Names of the span's events.
    EventName,
    /// Times of the span's events since its start.
    EventTimeSinceStart,
    /// Traces that the span links to.
    LinkTraceId,
    /// Spans that the span links to.
    LinkSpanId,
    /// Name of the instrumentation scope.
    InstrumentationName,
    /// Version of the instrumentation scope.
    InstrumentationVersion,
}

/// Type of a value or an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Known only when an attribute is read.
    Any,
    /// Text.
    Text,
    /// Integer.
    Int,
    /// Double.
    Float,
    /// Nanoseconds.
    Duration,
    /// Boolean.
    Bool,
    /// `error`, `ok`, `unset`.
    Status,
    /// `server`, `client` …
    Kind,
}

use Intrinsic as I;

/// Every intrinsic: how it is written, how it was written before there were scopes, its type.
const INTRINSICS: [(Intrinsic, &str, Option<&str>, Type); 22] = [
    (I::Name, "span:name", Some("name"), Type::Text),
    (I::Duration, "span:duration", Some("duration"), Type::Duration),
    (I::Status, "span:status", Some("status"), Type::Status),
    (I::StatusMessage, "span:statusMessage", Some("statusMessage"), Type::Text),
    (I::Kind, "span:kind", Some("kind"), Type::Kind),
    (I::SpanId, "span:id", None, Type::Text),
    (I::ParentId, "span:parentID", None, Type::Text),
    (I::ChildCount, "span:childCount", Some("childCount"), Type::Int),
    (I::TraceDuration, "trace:duration", Some("traceDuration"), Type::Duration),
    (I::RootName, "trace:rootName", Some("rootName"), Type::Text),
    (I::RootService, "trace:rootService", Some("rootServiceName"), Type::Text),
    (I::TraceId, "trace:id", None, Type::Text),
    (I::EventName, "event:name", None, Type::Text),
    (I::EventTimeSinceStart, "event:timeSinceStart", None, Type::Duration),
    (I::LinkTraceId, "link:traceID", None, Type::Text),
    (I::LinkSpanId, "link:spanID", None, Type::Text),
    (I::InstrumentationName, "instrumentation:name", None, Type::Text),
    (I::InstrumentationVersion, "instrumentation:version", None, Type::Text),
    (I::Parent, "parent", None, Type::Text),
    (I::NestedSetLeft, "nestedSetLeft", None, Type::Int),
    (I::NestedSetRight, "nestedSetRight", None, Type::Int),
    (I::NestedSetParent, "nestedSetParent", None, Type::Int),
];

impl Intrinsic {
    /// All of them, those one should offer first.
    pub fn all() -> impl Iterator<Item = Intrinsic> {
        INTRINSICS.iter().map(|(intrinsic, ..)| *intrinsic)
    }

    /// Its spelling in a query, `span:duration`.
    pub fn as_str(self) -> &'static str {
        INTRINSICS.iter().find(|(intrinsic, ..)| *intrinsic == self).map_or("", |(_, name, ..)| name)
    }

    /// Its type.
    pub fn value_type(self) -> Type {
        INTRINSICS.iter().find(|(intrinsic, ..)| *intrinsic == self).map_or(Type::Any, |(.., of)| *of)
    }

    /// Whether it is the same for all spans of a trace.
    pub fn is_of_trace(self) -> bool {
        matches!(self, I::TraceDuration | I::RootName | I::RootService | I::TraceId)
    }

    /// Whether it follows from other spans of the trace, not from the span alone.
    pub fn is_structural(self) -> bool {
        matches!(self, I::ChildCount | I::NestedSetLeft | I::NestedSetRight | I::NestedSetParent)
    }

    /// Number of hexadecimal digits, if it is an id.
    pub(crate) fn id_digits(self) -> Option<usize> {
        match self {
            I::SpanId | I::ParentId | I::LinkSpanId => Some(16),
            I::TraceId | I::LinkTraceId => Some(32),
            _ => None,
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Intrinsic> {
        INTRINSICS
            .iter()
            .find(|(_, name, old, _)| *name == text || *old == Some(text))
            .map(|(intrinsic, ..)| *intrinsic)
    }

    /// Every spelling, old ones too.
    pub(crate) fn spellings() -> impl Iterator<Item = &'static str> {
        INTRINSICS.iter().flat_map(|(_, name, old, _)| std::iter::once(*name).chain(*old))
    }
}

/// Something a query reads of a span.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Field {
    /// Whether it is read of the span's parent instead.
    pub of_parent: bool,
    /// Which.
    pub name: FieldName,
}

/// What a [`Field`] is called.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldName {
    /// Built in.
    Intrinsic(Intrinsic),
    /// An attribute as it was written; old and new semantic-convention names mean the same. Without a scope, the first
    /// of [`Scope::ALL`] that has it.
    Attribute(Option<Scope>, String),
}

impl Field {
    /// An attribute of the span itself.
    pub fn attribute(scope: impl Into<Option<Scope>>, name: impl Into<String>) -> Field {
        Field { of_parent: false, name: FieldName::Attribute(scope.into(), name.into()) }
    }

    /// An intrinsic.
    pub fn intrinsic(intrinsic: Intrinsic) -> Field {
        Field { of_parent: false, name: FieldName::Intrinsic(intrinsic) }
    }

    /// The type of its values, [`Type::Any`] for attributes.
    pub fn value_type(&self) -> Type {
        match &self.name {
            FieldName::Intrinsic(intrinsic) => intrinsic.value_type(),
            FieldName::Attribute(..) => Type::Any,
        }
    }

    pub(crate) fn as_intrinsic(&self) -> Option<Intrinsic> {
        match self.name {
            FieldName::Intrinsic(intrinsic) => Some(intrinsic),
            FieldName::Attribute(..) => None,
        }
    }
}

impl Type {
    /// What one calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Type::Any => "a value",
            Type::Text => "text",
            Type::Int => "an integer",
            Type::Float => "a number",
            Type::Duration => "a duration",
            Type::Bool => "a condition",
            Type::Status => "a status",
            Type::Kind => "a kind",
        }
    }

    pub(crate) fn is_numeric(self) -> bool {
        matches!(self, Type::Int | Type::Float | Type::Duration)
    }
}
