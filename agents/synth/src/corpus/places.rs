//! Where in an encoded request ids, times and numbers stand.

use super::Change;
use crate::wire::Signal;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::ops::Range;

/// Places of eight bytes each, or of sixteen digits.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Trace and span id of every span.
    pub(super) spans: Vec<(u128, u64)>,
    /// Stands for the process that sends it.
    pub(super) origin: u64,
    /// Lower halves of trace ids.
    traces: Vec<usize>,
    /// Span ids.
    ids: Vec<usize>,
    /// A parent of eight zero bytes: outside of the request.
    parents: Vec<usize>,
    times: Vec<usize>,
    /// Values of counters.
    counters: Vec<usize>,
    /// The numbers of items, as sixteen hexadecimal digits.
    numbers: Vec<usize>,
    /// Random UUIDs of spans: sessions, messages, whatever occurs once.
    uuids: Vec<usize>,
}

/// The attribute that numbers log records.
pub(super) const NUMBER: &str = "log.record.uid";

impl Places {
    pub(super) fn find(signal: Signal, body: &[u8]) -> Places {
        let mut places = Places::default();
        for group in fields(body, 0..body.len()).filter(|field| field.number == 1) {
            for scope in fields(body, group.value) {
                if scope.number == 1 {
                    let mut hasher = DefaultHasher::new();
                    body[scope.value].hash(&mut hasher);
                    places.origin = hasher.finish();
                } else if scope.number == 2 {
                    for item in fields(body, scope.value).filter(|field| field.number == 2) {
                        match signal {
                            Signal::Traces => places.span(body, item.value),
                            Signal::Logs => places.record(body, item.value),
                            Signal::Metrics => places.metric(body, item.value),
                        }
                    }
                }
            }
        }
        places
    }

    fn span(&mut self, body: &[u8], span: Range<usize>) {
        let (mut trace_id, mut span_id) = (0, 0);
        for field in fields(body, span) {
            let at = field.value.start;
            match field.number {
                1 => {
                    self.traces.push(at + 8);
                    trace_id = body[field.value].iter().fold(0, |id, byte| id << 8 | u128::from(*byte));
                }
                2 => {
                    self.ids.push(at);
                    span_id = u64::from_be_bytes(eight(body, at));
                }
                4 if field.value.len() == 8 && eight(body, at) == [0; 8] => self.parents.push(at),
                4 if field.value.len() == 8 => self.ids.push(at),
                7 | 8 => self.times.push(at),
                9 => {
                    let text = fields(body, field.value).nth(1).and_then(|value| fields(body, value.value).next());
                    self.uuids
                        .extend(text.filter(|text| is_uuid(&body[text.value.clone()])).map(|text| text.value.start));
                }
                11 => {
                    self.times.extend(fields(body, field.value).find(|one| one.number == 1).map(|one| one.value.start))
                }
                13 => {
                    for link in fields(body, field.value) {
                        match link.number {
                            1 => self.traces.push(link.value.start + 8),
                            2 => self.ids.push(link.value.start),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        self.spans.push((trace_id, span_id));
    }

    fn record(&mut self, body: &[u8], record: Range<usize>) {
        for field in fields(body, record) {
            match field.number {
                1 | 11 => self.times.push(field.value.start),
                9 => self.traces.push(field.value.start + 8),
                10 => self.ids.push(field.value.start),
                6 => {
                    let mut parts = fields(body, field.value);
                    let is_number = parts.next().is_some_and(|key| &body[key.value] == NUMBER.as_bytes());
                    let text = parts.next().and_then(|value| fields(body, value.value).next());
                    self.numbers.extend(text.filter(|_| is_number).map(|text| text.value.start));
                }
                _ => {}
            }
        }
    }

    fn metric(&mut self, body: &[u8], metric: Range<usize>) {
        // gauge, sum, histogram
        for data in fields(body, metric).filter(|field| matches!(field.number, 5 | 7 | 9)) {
            for point in fields(body, data.value).filter(|field| field.number == 1) {
                for field in fields(body, point.value) {
                    match field.number {
                        2 | 3 => self.times.push(field.value.start),
                        6 if data.number == 7 => self.counters.push(field.value.start),
                        _ => {}
                    }
                }
            }
        }
    }

    pub(super) fn write(&self, body: &[u8], change: &Change) -> Vec<u8> {
        let mut body = body.to_vec();
        for &at in &self.traces {
            write(&mut body, at, |id| (u64::from_be_bytes(id) ^ change.trace_mask).to_be_bytes());
        }
        for &at in &self.ids {
            write(&mut body, at, |id| (u64::from_be_bytes(id) ^ change.span_mask).to_be_bytes());
        }
        for &at in &self.parents {
            write(&mut body, at, |_| change.parent.to_be_bytes());
        }
        for &at in &self.times {
            write(&mut body, at, |time| u64::from_le_bytes(time).wrapping_add(change.shift_nanos).to_le_bytes());
        }
        for &at in &self.counters {
            write(&mut body, at, |value| u64::from_le_bytes(value).wrapping_add(change.round * 17).to_le_bytes());
        }
        for &at in &self.uuids {
            let digits = str::from_utf8(&body[at..at + 8]).ok().and_then(|text| u32::from_str_radix(text, 16).ok());
            let digits = digits.expect("digits of a UUID") ^ change.trace_mask as u32;
            write!(&mut body[at..at + 8], "{digits:08x}").expect("there is room");
        }
        for (number, &at) in (change.first_item..).zip(&self.numbers) {
            body[at..at + 16].copy_from_slice(format!("{number:016x}").as_bytes());
        }
        body
    }
}

fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && [8, 13, 18, 23].iter().all(|at| text[*at] == b'-')
        && text[..8].iter().all(u8::is_ascii_hexdigit)
}

fn eight(body: &[u8], at: usize) -> [u8; 8] {
    std::array::from_fn(|byte| body[at + byte])
}

fn write(body: &mut [u8], at: usize, change: impl FnOnce([u8; 8]) -> [u8; 8]) {
    let new = change(eight(body, at));
    body[at..at + 8].copy_from_slice(&new);
}

/// A field of a protobuf message.
struct Field {
    number: u64,
    /// Its payload, without tag and length.
    value: Range<usize>,
}

/// The fields of a message that this crate wrote.
fn fields(bytes: &[u8], message: Range<usize>) -> impl Iterator<Item = Field> + '_ {
    let mut at = message.start;
    std::iter::from_fn(move || {
        if at >= message.end {
            return None;
        }
        let tag = varint(bytes, &mut at);
        let start = at;
        match tag & 7 {
            0 => _ = varint(bytes, &mut at),
            1 => at += 8,
            5 => at += 4,
            _ => {
                let length = varint(bytes, &mut at) as usize;
                at += length;
                return Some(Field { number: tag >> 3, value: at - length..at });
            }
        }
        Some(Field { number: tag >> 3, value: start..at })
    })
}

fn varint(bytes: &[u8], at: &mut usize) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}
