//! The columns of a batch while a request is being decoded. Both encodings write into it.

mod logs;
mod metrics;
mod origin;
mod spans;

pub(crate) use logs::LogDraft;
pub(crate) use metrics::{ExemplarDraft, MetricDraft, PointDraft, in_order};
pub(crate) use origin::OriginDraft;
pub(crate) use spans::{EventDraft, LinkDraft, SpanDraft};

use crate::budget::Reservation;
use crate::config::Limits;
use crate::counts::Counts;
use crate::reason;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use origin::Origins;
use orrery_model::batch::Context;
use orrery_model::{Attributes, Batch, SpanId, Strings, Sym, TraceId, Value};

/// Why a request yields no batch at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Malformed(String),
    #[error("{0}")]
    TooBig(String),
    #[error("memory budget used up")]
    Busy,
}

impl Failure {
    pub(crate) fn too_many(max: usize) -> Failure {
        Failure::TooBig(format!("more than {max} items in one request"))
    }
}

impl From<crate::wire::WireError> for Failure {
    fn from(error: crate::wire::WireError) -> Failure {
        Failure::Malformed(format!("invalid protobuf: {error}"))
    }
}

/// Columns of one signal.
pub(crate) trait Columns: Default {
    fn context(&mut self) -> &mut Context;
    fn rows(&self) -> usize;
    /// The items' own attributes.
    fn attributes(&mut self) -> &mut Attributes;
    /// The resource and scope columns, filled when the group that holds the rows ends.
    fn origin(&mut self) -> (&mut Vec<u32>, &mut Vec<u32>);
    fn reserve(&mut self, rows: usize);
    /// Rough memory held, bytes.
    fn bytes(&self) -> usize;
    fn finish(self) -> Batch;
}

/// A batch being built.
pub(crate) struct Builder<'l, C> {
    pub(crate) kit: Kit<'l>,
    pub(crate) columns: C,
    origins: Origins,
    seen: usize,
    max_items: usize,
}

/// What every part of a decoder needs beside the columns.
pub(crate) struct Kit<'l> {
    pub(crate) limits: &'l Limits,
    /// When the request came, Unix nanoseconds.
    pub(crate) received: i64,
    pub(crate) rejected: Counts,
    pub(crate) dropped: Counts,
    /// Why the item being read must be rejected; set anywhere inside, taken when the item ends.
    pub(crate) fault: Option<&'static str>,
    /// For text that is not in the request as such.
    pub(crate) scratch: String,
    /// Memory of histogram buckets, bytes: the one thing whose size the columns do not know.
    bucket_bytes: usize,
    meter: Option<Meter>,
}

/// Keeps the memory of a batch within the request's limit and the common budget.
pub(crate) struct Meter {
    pub(crate) reservation: Reservation,
    pub(crate) granted: usize,
}

impl<'l, C: Columns> Builder<'l, C> {
    /// `meter`: none when replaying what was accepted before.
    pub(crate) fn new(limits: &'l Limits, received: i64, rows: usize, max_items: usize, meter: Option<Meter>) -> Self {
        let mut columns = C::default();
        columns.reserve(rows);
        let (rejected, dropped) = Default::default();
        let kit =
            Kit { limits, received, rejected, dropped, fault: None, scratch: String::new(), bucket_bytes: 0, meter };
        Builder { kit, columns, origins: Origins::default(), seen: 0, max_items }
    }

    /// Counts one more item or group, and checks memory.
    pub(crate) fn weigh(&mut self) -> Result<(), Failure> {
        self.seen += 1;
        if self.seen > self.max_items {
            return Err(Failure::too_many(self.max_items));
        }
        match &mut self.kit.meter {
            Some(meter) => meter.weigh(self.columns.bytes() + self.kit.bucket_bytes, self.kit.limits.max_decoded_bytes),
            None => Ok(()),
        }
    }

    /// The batch, what was rejected and dropped, and the memory it holds.
    pub(crate) fn finish(mut self) -> (Batch, Counts, Counts, Option<Reservation>) {
        // A batch stays in memory until it is sealed.
        self.columns.context().strings.shrink();
        self.columns.attributes().shrink();
        (self.columns.finish(), self.kit.rejected, self.kit.dropped, self.kit.meter.map(|meter| meter.reservation))
    }
}

impl Meter {
    fn weigh(&mut self, bytes: usize, max: usize) -> Result<(), Failure> {
        const STEP: usize = 1 << 20;
        if bytes > max {
            return Err(Failure::TooBig(format!("the decoded request needs more than {max} bytes")));
        }
        if bytes > self.granted {
            let more = (bytes - self.granted).next_multiple_of(STEP);
            if !self.reservation.grow(more) {
                return Err(Failure::Busy);
            }
            self.granted += more;
        }
        Ok(())
    }
}

impl Kit<'_> {
    pub(crate) fn fault(&mut self, reason: &'static str) {
        self.fault.get_or_insert(reason);
    }

    pub(crate) fn name(&mut self, strings: &mut Strings, bytes: &[u8]) -> Sym {
        self.text(strings, bytes, self.limits.max_name_bytes)
    }

    /// Interns text of at most `limit` bytes.
    #[inline]
    pub(crate) fn text(&mut self, strings: &mut Strings, bytes: &[u8], limit: usize) -> Sym {
        let known = if bytes.len() <= limit { strings.intern_utf8(bytes) } else { None };
        known.unwrap_or_else(|| self.repaired(strings, bytes, limit))
    }

    #[cold]
    fn repaired(&mut self, strings: &mut Strings, bytes: &[u8], limit: usize) -> Sym {
        let text = self.utf8(bytes);
        let (cut, ellipsis) = self.cut(&text, limit);
        strings.intern(&[cut, ellipsis].concat())
    }

    /// Text with U+FFFD for what is not UTF-8.
    pub(crate) fn utf8<'a>(&mut self, bytes: &'a [u8]) -> std::borrow::Cow<'a, str> {
        let text = String::from_utf8_lossy(bytes);
        if let std::borrow::Cow::Owned(_) = text {
            self.dropped.add(reason::UTF8, 1);
        }
        text
    }

    /// `text` within `limit` bytes, and what to put behind it.
    pub(crate) fn cut<'a>(&mut self, text: &'a str, limit: usize) -> (&'a str, &'static str) {
        if text.len() <= limit {
            return (text, "");
        }
        self.dropped.add(reason::TRUNCATED, 1);
        (clip(text, limit.saturating_sub('…'.len_utf8())), "…")
    }

    /// Base64 of at most `limit` bytes.
    pub(crate) fn base64(&mut self, bytes: &[u8], limit: usize, out: &mut String) {
        let limit = limit / 4 * 3;
        let cut = bytes.get(..limit).unwrap_or(bytes);
        if cut.len() < bytes.len() {
            self.dropped.add(reason::TRUNCATED, 1);
        }
        BASE64_STANDARD.encode_string(cut, out);
    }

    /// A value from the JSON text of an array or map. Text over `limit` is cut, and then only text.
    pub(crate) fn nested(&mut self, strings: &mut Strings, json: &str, limit: usize) -> Value {
        if json.len() <= limit {
            return Value::Json(strings.intern(json));
        }
        Value::String(self.text(strings, json.as_bytes(), limit))
    }

    /// Adds an attribute to the open row, unless it has no key or the row is full. Returns how many were dropped.
    pub(crate) fn push(&mut self, attributes: &mut Attributes, key: Sym, value: Value) -> u32 {
        if key.is_empty() {
            self.dropped.add(reason::EMPTY_KEY, 1);
            return 1;
        }
        if attributes.pending().len() >= self.limits.max_attributes {
            self.dropped.add(reason::ATTRIBUTES, 1);
            return 1;
        }
        attributes.push(key, value);
        0
    }

    /// Closes the open row. Returns how many duplicates were dropped.
    pub(crate) fn end_row(&mut self, attributes: &mut Attributes) -> u32 {
        let duplicates = attributes.end_row();
        self.dropped.add(reason::DUPLICATE_KEY, duplicates.into());
        duplicates
    }

    /// Unix nanoseconds as we keep them: clamped at the year 2262.
    pub(crate) fn time(&mut self, nanos: u64) -> i64 {
        i64::try_from(nanos).unwrap_or_else(|_| {
            self.dropped.add(reason::TIME_RANGE, 1);
            i64::MAX
        })
    }

    /// `nanos`, or when that is 0 (not said), what `instead` says.
    pub(crate) fn time_or(&mut self, nanos: u64, instead: i64) -> i64 {
        if nanos != 0 {
            return self.time(nanos);
        }
        self.dropped.add(reason::TIME_MISSING, 1);
        instead
    }

    /// The ids of a log record or exemplar: absent or all zero is "none"; anything else that is no id is dropped.
    pub(crate) fn association(&mut self, trace: IdField<TraceId>, span: IdField<SpanId>) -> (TraceId, SpanId) {
        let bad = matches!(trace, IdField::Invalid) || matches!(span, IdField::Invalid);
        self.dropped.add(reason::ASSOCIATION, bad.into());
        (trace.or_default(), span.or_default())
    }
}

/// The longest beginning of `text` within `limit` bytes.
pub(crate) fn clip(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    &text[..end]
}

/// An id field as sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum IdField<T> {
    /// Absent or empty.
    #[default]
    Absent,
    /// Of the right length; perhaps all zero.
    Id(T),
    /// Of another length, or not hexadecimal.
    Invalid,
}

impl<T: Default> IdField<T> {
    pub(crate) fn from(empty: bool, id: Option<T>) -> Self {
        match id {
            _ if empty => IdField::Absent,
            Some(id) => IdField::Id(id),
            None => IdField::Invalid,
        }
    }

    pub(crate) fn or_default(self) -> T {
        if let IdField::Id(id) = self { id } else { T::default() }
    }
}

/// An enum number as a column keeps it. Unknown numbers survive as far as they fit.
pub(crate) fn small(number: i32) -> u8 {
    number.clamp(0, u8::MAX.into()) as u8
}

fn strings_bytes(strings: &Strings) -> usize {
    strings.text_bytes() + 16 * strings.len()
}

fn attributes_bytes(attributes: &Attributes) -> usize {
    20 * attributes.pairs() + 4 * attributes.len()
}

fn context_bytes(context: &Context) -> usize {
    strings_bytes(&context.strings)
        + 64 * context.resources.len()
        + 32 * context.scopes.len()
        + attributes_bytes(&context.resource_attributes)
        + attributes_bytes(&context.scope_attributes)
}
