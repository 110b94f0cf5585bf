//! What telemetry is: signals, ids, attributes and the columnar batches they travel in.
//!
//! No I/O and no engine: the browser compiles this crate too. Names follow OpenTelemetry's, so that a
//! search from the specification lands here. Times are Unix nanoseconds in `i64`, durations nanoseconds.

pub mod attributes;
pub mod batch;
pub mod body;
pub mod id;
pub mod nesting;
pub mod semconv;
pub mod service;
pub mod signal;
pub mod strings;
pub mod template;

pub use attributes::{Attributes, Value};
pub use batch::{Batch, LogBatch, MetricBatch, SpanBatch};
pub use body::{Body, Compression, Decode, DecodeError, Encoding};
pub use id::{SpanId, TraceId};
pub use service::ServiceKey;
pub use signal::{Severity, Signal, SpanKind, StatusCode};
pub use strings::{Strings, Sym};
pub use template::template;
