//! The tables a user sees: columns with names, types, meanings, and how each is read from the columns of a segment.

use orrery_model::Signal;

/// Columns with attributes, found by `column['key']`.
pub(super) const MAPS: [&str; 2] = ["attributes", "resource"];

/// A table.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) signal: Signal,
    pub(crate) about: &'static str,
    /// Column of the files that ranges go by.
    pub(super) time: &'static str,
    pub(crate) columns: &'static [Column],
}

/// A column of it.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// SQL type.
    pub(crate) kind: &'static str,
    pub(crate) about: &'static str,
    /// An expression over the columns of a segment. Empty for maps, which [`super::views`] writes.
    pub(super) sql: &'static str,
}

const fn column(name: &'static str, kind: &'static str, sql: &'static str, about: &'static str) -> Column {
    Column { name, kind, about, sql }
}

/// A text that the segments have otherwise.
const fn word(name: &'static str, sql: &'static str, about: &'static str) -> Column {
    column(name, "VARCHAR", sql, about)
}

/// A moment, from nanoseconds.
const fn moment(name: &'static str, sql: &'static str, about: &'static str) -> Column {
    column(name, "TIMESTAMP", sql, about)
}

/// A column that is what the segments have.
const fn same(name: &'static str, kind: &'static str, about: &'static str) -> Column {
    column(name, kind, name, about)
}

/// A text that the segments have.
const fn text(name: &'static str, about: &'static str) -> Column {
    same(name, "VARCHAR", about)
}

/// Nanoseconds that the segments have.
const fn nanos(name: &'static str, about: &'static str) -> Column {
    same(name, "BIGINT", about)
}

/// How many of something were dropped by the sender or by us.
const fn dropped(name: &'static str, about: &'static str) -> Column {
    same(name, "UINTEGER", about)
}

/// Attributes as text, by key.
const fn map(name: &'static str, about: &'static str) -> Column {
    column(name, "MAP(VARCHAR, VARCHAR)", "", about)
}

const fn table(
    name: &'static str,
    signal: Signal,
    about: &'static str,
    time: &'static str,
    columns: &'static [Column],
) -> Table {
    Table { name, signal, about, time, columns }
}

const ATTRIBUTES: Column = map("attributes", "Attributes as text: attributes['http.route'].");
const RESOURCE: Column = map("resource", "Resource attributes as text: resource['host.name'].");
const SERVICE: Column = text("service_name", "service.name.");
const NAMESPACE: Column = text("service_namespace", "service.namespace, or empty.");
const DEPLOYED: Column = text("environment", "deployment.environment.name, or empty.");
const SCOPE: Column = text("scope_name", "Instrumentation scope.");
const FLAGS: Column = same("flags", "UINTEGER", "OTLP flags.");
const DROPPED: Column = dropped("dropped_attributes_count", "Attributes dropped by the sender or by us.");
const TRACE: &str = "lower(hex(trace_id))";
const SPAN: &str = "printf('%016x', span_id)";

/// All tables.
pub(crate) static TABLES: [Table; 3] = [
    table(
        "spans",
        Signal::Traces,
        "One row per span.",
        "start_time_unix_nano",
        &[
            moment("start_time", "make_timestamp(start_time_unix_nano // 1000)", "When it began, UTC."),
            SERVICE,
            text("name", "Span name."),
            word(
                "kind",
                "CASE kind WHEN 1 THEN 'internal' WHEN 2 THEN 'server' WHEN 3 THEN 'client' WHEN 4 THEN 'producer' WHEN 5 THEN 'consumer' ELSE 'unspecified' END",
                "server, client, producer, consumer, internal or unspecified.",
            ),
            word(
                "status",
                "CASE status_code WHEN 2 THEN 'error' WHEN 1 THEN 'ok' ELSE 'unset' END",
                "error, ok or unset.",
            ),
            nanos("duration_nanos", "How long it took, nanoseconds."),
            word("trace_id", TRACE, "Hexadecimal."),
            word("span_id", SPAN, "Hexadecimal."),
            word(
                "parent_span_id",
                "CASE WHEN parent_span_id = 0 THEN NULL ELSE printf('%016x', parent_span_id) END",
                "Hexadecimal; null for a root span.",
            ),
            text("status_message", "Text with the status."),
            ATTRIBUTES,
            RESOURCE,
            NAMESPACE,
            DEPLOYED,
            text("service_version", "service.version, or empty."),
            nanos("start_time_unix_nano", "When it began, Unix nanoseconds."),
            same(
                "events",
                "STRUCT(time_unix_nano BIGINT, name VARCHAR, attributes MAP(VARCHAR, VARCHAR), dropped_attributes_count UINTEGER)[]",
                "Span events; values of attributes are JSON.",
            ),
            column(
                "links",
                "STRUCT(trace_id VARCHAR, span_id VARCHAR, attributes MAP(VARCHAR, VARCHAR))[]",
                "list_transform(links, lambda l: {'trace_id': lower(hex(l.trace_id)), 'span_id': printf('%016x', l.span_id), 'attributes': l.attributes})",
                "Span links; values of attributes are JSON.",
            ),
            SCOPE,
            text("scope_version", "Version of the instrumentation scope."),
            text("trace_state", "W3C trace state."),
            FLAGS,
            DROPPED,
            dropped("dropped_events_count", "Events dropped by the sender or by us."),
            dropped("dropped_links_count", "Links dropped by the sender or by us."),
        ],
    ),
    table(
        "logs",
        Signal::Logs,
        "One row per log record.",
        "time_unix_nano",
        &[
            moment("time", "make_timestamp(time_unix_nano // 1000)", "When it happened, UTC."),
            SERVICE,
            same("severity_number", "UTINYINT", "OTLP number, 1 to 24; 17 and more are errors."),
            text("severity_text", "The source's word."),
            text("body", "The text, or JSON when it is something else."),
            word(
                "trace_id",
                "nullif(lower(hex(trace_id)), '00000000000000000000000000000000')",
                "Hexadecimal; null outside a trace.",
            ),
            word(
                "span_id",
                "CASE WHEN span_id = 0 THEN NULL ELSE printf('%016x', span_id) END",
                "Hexadecimal; null outside a span.",
            ),
            ATTRIBUTES,
            RESOURCE,
            text("event_name", "OTLP event name."),
            NAMESPACE,
            DEPLOYED,
            nanos("time_unix_nano", "When it happened, Unix nanoseconds."),
            nanos("observed_time_unix_nano", "When it was collected, Unix nanoseconds."),
            same("body_is_json", "BOOLEAN", "Whether body is JSON."),
            SCOPE,
            FLAGS,
            DROPPED,
        ],
    ),
    table(
        "metrics",
        Signal::Metrics,
        "One row per data point.",
        "time_unix_nano",
        &[
            moment("time", "make_timestamp(time_unix_nano // 1000)", "UTC."),
            text("name", "Metric name."),
            column("value", "DOUBLE", "coalesce(value_double, value_int::DOUBLE)", "Of a gauge or sum."),
            text("unit", "UCUM unit."),
            word(
                "kind",
                "CASE kind WHEN 1 THEN 'gauge' WHEN 2 THEN 'sum' WHEN 3 THEN 'histogram' WHEN 4 THEN 'exponential_histogram' WHEN 5 THEN 'summary' END",
                "gauge, sum, histogram, exponential_histogram or summary.",
            ),
            SERVICE,
            text("host_name", "host.name, or empty."),
            ATTRIBUTES,
            RESOURCE,
            same("count", "UBIGINT", "Measurements of a histogram or summary."),
            same("sum", "DOUBLE", "Their sum."),
            same("min", "DOUBLE", "The smallest."),
            same("max", "DOUBLE", "The largest."),
            word(
                "temporality",
                "CASE temporality WHEN 1 THEN 'delta' WHEN 2 THEN 'cumulative' END",
                "delta or cumulative; null for a gauge.",
            ),
            same("is_monotonic", "BOOLEAN", "Whether a sum only grows."),
            same("series", "UBIGINT", "Hash of metric, attributes, resource and scope."),
            NAMESPACE,
            DEPLOYED,
            text("description", "By its sender."),
            nanos("time_unix_nano", "Unix nanoseconds."),
            nanos("start_time_unix_nano", "Unix nanoseconds; 0 when not said."),
            same("value_int", "BIGINT", "Of a gauge or sum, if an integer."),
            same("value_double", "DOUBLE", "Of a gauge or sum, if a double."),
            same("bounds", "DOUBLE[]", "Histogram: upper bounds. Summary: quantile and value in turns."),
            same("counts", "UBIGINT[]", "Histogram: measurements per bucket."),
            same("scale", "INTEGER", "Exponential histogram: resolution."),
            same("zero_count", "UBIGINT", "Exponential histogram: measurements near zero."),
            same("zero_threshold", "DOUBLE", "Exponential histogram: width of the zero bucket."),
            same("positive_offset", "INTEGER", "Index of the first of counts."),
            same("negative_offset", "INTEGER", "Index of the first of negative_counts."),
            same("negative_counts", "UBIGINT[]", "Exponential histogram: per negative bucket."),
            column(
                "exemplars",
                "STRUCT(time_unix_nano BIGINT, value DOUBLE, trace_id VARCHAR, span_id VARCHAR)[]",
                "list_transform(exemplars, lambda e: {'time_unix_nano': e.time_unix_nano, 'value': e.value, 'trace_id': lower(hex(e.trace_id)), 'span_id': printf('%016x', e.span_id)})",
                "Example measurements.",
            ),
            SCOPE,
            FLAGS,
        ],
    ),
];

/// The tables' names, for a sentence.
pub(super) fn names() -> String {
    TABLES.iter().map(|table| table.name).collect::<Vec<_>>().join(", ")
}

/// The table of a signal.
pub(super) fn of(signal: Signal) -> &'static Table {
    TABLES.iter().find(|table| table.signal == signal).expect("every signal has one")
}
