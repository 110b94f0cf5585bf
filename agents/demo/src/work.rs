//! A span in progress, and the logs written inside it. Passed by hand: the instances share threads, so
//! no thread-local "current" context could tell them apart.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, Severity};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{Link, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;

use crate::telemetry::Telemetry;

/// A span in progress. Clones are the same span; it ends with [`end`](Work::end) or its last clone.
#[derive(Clone)]
pub(crate) struct Work(Arc<Span>);

struct Span {
    telemetry: Arc<Telemetry>,
    context: Context,
}

impl Drop for Span {
    fn drop(&mut self) {
        self.context.span().end(); // a second end is ignored
    }
}

impl Work {
    /// A span whose parent is whatever `carrier` carries (`traceparent`), or a new trace.
    pub(crate) fn received(telemetry: &Arc<Telemetry>, carrier: &HashMap<String, String>, span: SpanBuilder) -> Self {
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), carrier);
        Self::under(telemetry, &parent, span)
    }

    /// A new trace.
    pub(crate) fn root(telemetry: &Arc<Telemetry>, span: SpanBuilder) -> Self {
        Self::under(telemetry, &Context::new(), span)
    }

    /// A child in the same instance.
    pub(crate) fn child(&self, span: SpanBuilder) -> Self {
        Self::under(&self.0.telemetry, &self.0.context, span)
    }

    fn under(telemetry: &Arc<Telemetry>, parent: &Context, span: SpanBuilder) -> Self {
        let span = telemetry.tracer.build_with_context(span, parent);
        Self(Arc::new(Span { telemetry: telemetry.clone(), context: Context::new().with_span(span) }))
    }

    /// The headers that make the receiver's span a child of this one.
    pub(crate) fn headers(&self) -> HashMap<String, String> {
        let mut carrier = HashMap::new();
        TraceContextPropagator::new().inject_context(&self.0.context, &mut carrier);
        carrier
    }

    pub(crate) fn set(&self, key: &'static str, value: impl Into<opentelemetry::Value>) {
        self.0.context.span().set_attribute(KeyValue::new(key, value));
    }

    /// Marks the span failed. `error_type` is low in cardinality.
    pub(crate) fn fail(&self, error_type: &str, message: &str) {
        self.set("error.type", error_type.to_owned());
        self.0.context.span().set_status(Status::error(message.to_owned()));
    }

    pub(crate) fn end(&self) {
        self.0.context.span().end();
    }

    pub(crate) fn info(&self, body: String, attributes: impl IntoIterator<Item = (&'static str, AnyValue)>) {
        log(&self.0.telemetry, Some(self), Severity::Info, None, body, attributes);
    }

    pub(crate) fn warn(&self, body: String, attributes: impl IntoIterator<Item = (&'static str, AnyValue)>) {
        log(&self.0.telemetry, Some(self), Severity::Warn, None, body, attributes);
    }

    /// Records an exception as a log record, where the conventions now want it.
    pub(crate) fn exception(&self, error_type: &str, error: &dyn Error) {
        let attributes: [(&'static str, AnyValue); 3] = [
            ("exception.type", error_type.to_owned().into()),
            ("exception.message", error.to_string().into()),
            ("exception.stacktrace", causes(error_type, error).into()),
        ];
        log(
            &self.0.telemetry,
            Some(self),
            Severity::Error,
            Some("exception"),
            format!("{error_type}: {error}"),
            attributes,
        );
    }

    fn span_context(&self) -> SpanContext {
        self.0.context.span().span_context().clone()
    }
}

/// A log record; inside `work` it carries its trace and span.
pub(crate) fn log(
    telemetry: &Telemetry,
    work: Option<&Work>,
    severity: Severity,
    event: Option<&'static str>,
    body: String,
    attributes: impl IntoIterator<Item = (&'static str, AnyValue)>,
) {
    let mut record = telemetry.logger.create_log_record();
    record.set_timestamp(SystemTime::now());
    record.set_severity_number(severity);
    record.set_severity_text(severity.name());
    record.set_body(body.into());
    if let Some(event) = event {
        record.set_event_name(event);
    }
    for (key, value) in attributes {
        record.add_attribute(key, value);
    }
    if let Some(work) = work {
        let span = work.span_context();
        record.set_trace_context(span.trace_id(), span.span_id(), Some(span.trace_flags()));
    }
    telemetry.logger.emit(record);
}

/// A link to the span whose headers these are, if they carry one.
pub(crate) fn link_to(carrier: &HashMap<String, String>) -> Option<Link> {
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), carrier);
    let span = context.span().span_context().clone();
    span.is_valid().then(|| Link::with_context(span))
}

/// A span builder with its kind and attributes.
pub(crate) fn span(
    kind: SpanKind,
    name: impl Into<std::borrow::Cow<'static, str>>,
    attributes: Vec<KeyValue>,
) -> SpanBuilder {
    SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes)
}

/// The chain of causes: what a Rust error has in place of a stack.
fn causes(error_type: &str, error: &dyn Error) -> String {
    let mut text = format!("{error_type}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("\nCaused by: {error}"));
        cause = error.source();
    }
    text
}
