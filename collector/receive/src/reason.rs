//! Why something was rejected, dropped, refused or closed: names for counters and messages.

/// Span without a valid trace id (16 bytes, not all zero).
pub const TRACE_ID: &str = "invalid_trace_id";
/// Span without a valid span id (8 bytes, not all zero).
pub const SPAN_ID: &str = "invalid_span_id";
/// Parent span id that is neither absent nor 8 bytes.
pub const PARENT_SPAN_ID: &str = "invalid_parent_span_id";
/// Arrays and maps nested beyond `Limits::max_depth`.
pub const TOO_DEEP: &str = "too_deep";
/// JSON value of the wrong type, or out of its range.
pub const WRONG_TYPE: &str = "wrong_type";
/// Metric without a name.
pub const METRIC_NAME: &str = "metric_name_missing";
/// Sum or histogram that does not say delta or cumulative.
pub const TEMPORALITY: &str = "temporality_unspecified";
/// Data point with neither a value nor the "no recorded value" flag.
pub const NO_VALUE: &str = "no_value";
/// Histogram whose bounds do not rise, or do not fit its counts.
pub const HISTOGRAM_SHAPE: &str = "histogram_shape";
/// Exponential histogram whose buckets lie outside the range of a double.
pub const BUCKET_RANGE: &str = "bucket_out_of_range";
/// More buckets or quantiles than `Limits::max_buckets`.
pub const TOO_MANY_BUCKETS: &str = "too_many_buckets";

/// Attributes over `Limits::max_attributes`.
pub const ATTRIBUTES: &str = "too_many_attributes";
/// Attribute without a key.
pub const EMPTY_KEY: &str = "empty_attribute_key";
/// Attribute whose key came again later in the same item.
pub const DUPLICATE_KEY: &str = "duplicate_attribute_key";
/// Text over its limit, cut.
pub const TRUNCATED: &str = "value_truncated";
/// Text that is not UTF-8; the bad bytes became U+FFFD.
pub const UTF8: &str = "invalid_utf8";
/// Events over `Limits::max_events`.
pub const EVENTS: &str = "too_many_events";
/// Links over `Limits::max_links`.
pub const LINKS: &str = "too_many_links";
/// Link without valid ids.
pub const LINK_IDS: &str = "invalid_link";
/// Exemplars over `Limits::max_exemplars`, or without a value.
pub const EXEMPLARS: &str = "exemplars";
/// Trace or span id of a log record or exemplar that is not one; the association is dropped.
pub const ASSOCIATION: &str = "invalid_trace_association";
/// Time beyond the year 2262, clamped.
pub const TIME_RANGE: &str = "time_out_of_range";
/// Time missing where one is needed; another time of the item or the time of receipt stands in.
pub const TIME_MISSING: &str = "time_missing";
/// Span that ends before it starts; its duration is 0.
pub const END_BEFORE_START: &str = "end_before_start";

/// Request that is not OTLP.
pub const MALFORMED: &str = "malformed_request";
/// Request over a size or count limit.
pub const TOO_BIG: &str = "request_too_big";
/// Request in a content type or encoding we do not speak.
pub const MEDIA_TYPE: &str = "unsupported_media_type";
/// Request that made us panic twice.
pub const POISON: &str = "poison_request";
/// Sender without permission.
pub const DENIED: &str = "denied";

/// Memory budget used up.
pub const MEMORY: &str = "memory_budget";
/// Sender over its quota.
pub const QUOTA: &str = "over_quota";
/// The sink's queue is full.
pub const OVERLOADED: &str = "overloaded";
/// The disk is full.
pub const DISK_FULL: &str = "disk_full";
/// Starting or shutting down.
pub const NOT_SERVING: &str = "not_serving";
/// The sink took longer than `Config::append_timeout_millis`.
pub const APPEND_TIMEOUT: &str = "append_timeout";
/// The sink failed, or something panicked.
pub const INTERNAL: &str = "internal";
/// The body came too slowly, or broke off.
pub const BODY_STALLED: &str = "body_stalled";

/// Over `Connections::max_total`.
pub const CONNECTIONS: &str = "too_many_connections";
/// Over `Connections::max_per_address`.
pub const CONNECTIONS_PER_ADDRESS: &str = "too_many_connections_per_address";
/// No request head within `Connections::header_timeout_millis`.
pub const HEADER_TIMEOUT: &str = "header_timeout";
/// No traffic within `Connections::idle_timeout_millis`.
pub const IDLE: &str = "idle";
/// The client took nothing of its answers within `Connections::idle_timeout_millis`.
pub const ANSWER_STALLED: &str = "answer_stalled";

/// Dropped parts that are worth a warning to the sender: information was lost. (The others are put right by us.)
pub(crate) const WORTH_A_WARNING: &[&str] =
    &[ATTRIBUTES, TOO_DEEP, WRONG_TYPE, TRUNCATED, UTF8, EVENTS, LINKS, EXEMPLARS, TIME_RANGE];
