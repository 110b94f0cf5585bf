//! A whole trace as columns, in a compact binary form: what pictures of a million spans need.
//!
//! `GET /traces/{trace_id}/columns` answers with it, media type [`MEDIA`]. Numbers are little-endian where they have a
//! fixed width; *varints* are unsigned LEB128, *zigzag* ones signed; a *text* is a varint of its bytes and UTF-8.
//!
//! | Field | Form |
//! |---|---|
//! | `OTCL` and version 2 | 5 bytes |
//! | earliest start, Unix nanoseconds | 8 bytes, signed |
//! | why something is missing, or empty | text |
//! | services | varint; each: id, namespace, name, environment, texts |
//! | names | varint; each a text |
//! | scopes | varint; each: name, version, texts |
//! | shapes | varint; each: name, service, scope, a varint each: index; kind and status, byte: kind + 8 × status, OTLP numbers; flags, byte: 1 parent missing, 2 has events, 4 has links |
//! | number of spans | varint |
//! | span ids | 8 bytes each |
//! | start | varint: nanoseconds after the span before |
//! | duration | varint: nanoseconds |
//! | parent | varint: 0 for none, else zigzag of own index minus the parent's, plus 1 |
//! | shape | varint: index |
//!
//! Each column follows as a whole after the one before. Spans are by start, then span id. What many spans have in common
//! is said once, and ids are most of the rest: compressing it further would take longer than sending it.

use crate::time::Nanos;
use crate::topology::ServiceRef;
use crate::traces::{Span, Trace};
use std::collections::HashMap;

/// Media type of the form.
pub const MEDIA: &str = "application/vnd.orrery.trace-columns";

/// By their OTLP numbers.
const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];
const STATUSES: [&str; 3] = ["unset", "ok", "error"];

const MAGIC: &[u8; 5] = b"OTCL\x02";
/// The least a span takes: id and four varints.
const LEAST: usize = 12;

/// Spans of a column that are read by one call.
const AT_ONCE: usize = 8192;

/// Shapes that are at hand while they are counted.
const RECENT: usize = 4096;

/// What many spans have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Shape {
    name: u32,
    service: u32,
    scope: u32,
    /// Kind + 8 × status.
    kind: u8,
    flags: u8,
}

/// An instrumentation scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeRef {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// All spans of a trace: entry `n` of each column is about span `n`. By start, then span id; no duplicates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceColumns {
    /// Services of the spans.
    pub services: Vec<ServiceRef>,
    /// Distinct span names.
    pub names: Vec<String>,
    /// Distinct scopes.
    pub scopes: Vec<ScopeRef>,
    /// Earliest start; 0 without spans.
    pub start_time_unix_nano: Nanos,
    /// Ids: 16 hexadecimal digits are this number.
    pub span_id: Vec<u64>,
    /// Index of the parent, [`TraceColumns::NO_PARENT`] if there is none here. Whatever the spans said: it may lie in a
    /// cycle.
    pub parent: Vec<u32>,
    /// Nanoseconds after the earliest start, never falling.
    pub start_nanos: Vec<u64>,
    /// Nanoseconds.
    pub duration_nanos: Vec<u64>,
    /// Index into `services`.
    pub service: Vec<u32>,
    /// Index into `names`.
    pub name: Vec<u32>,
    /// Index into `scopes`.
    pub scope: Vec<u32>,
    /// OTLP number of the kind, below 8.
    pub kind: Vec<u8>,
    /// OTLP number of the status, below 8.
    pub status_code: Vec<u8>,
    /// Bits: [`TraceColumns::PARENT_MISSING`] and its like.
    pub flags: Vec<u8>,
    /// Why something is missing.
    pub partial: Option<String>,
}

/// Bytes that are no trace in columns: cut off, damaged, or of another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoColumns(&'static str);

impl std::fmt::Display for NoColumns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no trace columns: {}", self.0)
    }
}

impl std::error::Error for NoColumns {}

impl TraceColumns {
    /// No parent here.
    pub const NO_PARENT: u32 = u32::MAX;
    /// The span names a parent that is not stored.
    pub const PARENT_MISSING: u8 = 1;
    /// It has events.
    pub const HAS_EVENTS: u8 = 2;
    /// It has links.
    pub const HAS_LINKS: u8 = 4;

    /// Number of spans.
    pub fn len(&self) -> usize {
        self.span_id.len()
    }

    /// Whether there is no span.
    pub fn is_empty(&self) -> bool {
        self.span_id.is_empty()
    }

    /// What a picture needs of whole spans. Spans whose id is none are left out.
    pub fn of(trace: &Trace) -> TraceColumns {
        let number = |id: &str| u64::from_str_radix(id, 16).ok().filter(|id| *id != 0);
        let mut spans: Vec<(u64, &Span)> =
            trace.spans.iter().filter_map(|span| Some((number(&span.span_id)?, span))).collect();
        spans.sort_by_key(|(id, span)| (span.start_time_unix_nano, *id));
        let first = spans.first().map_or(Nanos(0), |(_, span)| span.start_time_unix_nano);
        let mut columns = TraceColumns {
            services: trace.services.clone(),
            start_time_unix_nano: first,
            partial: trace.partial.clone(),
            ..TraceColumns::default()
        };
        let mut places = HashMap::with_capacity(spans.len());
        for (place, (id, _)) in spans.iter().enumerate() {
            places.entry(*id).or_insert(place as u32);
        }
        let (mut names, mut scopes) = (HashMap::new(), HashMap::new());
        for (id, span) in &spans {
            let parent = span.parent_span_id.as_deref().and_then(number);
            let place = parent.and_then(|parent| places.get(&parent)).copied().unwrap_or(TraceColumns::NO_PARENT);
            let is_missing = parent.is_some() && place == TraceColumns::NO_PARENT;
            let flag = |is: bool, flag: u8| if is { flag } else { 0 };
            columns.span_id.push(*id);
            columns.parent.push(place);
            columns.start_nanos.push(span.start_time_unix_nano.0.wrapping_sub(first.0) as u64);
            columns.duration_nanos.push(span.duration_nanos.0.max(0) as u64);
            columns.service.push(span.service.min(trace.services.len().saturating_sub(1) as u32));
            columns.name.push(*names.entry(span.name.as_str()).or_insert_with(|| {
                columns.names.push(span.name.clone());
                columns.names.len() as u32 - 1
            }));
            columns.scope.push(*scopes.entry((&span.scope_name, &span.scope_version)).or_insert_with(|| {
                columns.scopes.push(ScopeRef { name: span.scope_name.clone(), version: span.scope_version.clone() });
                columns.scopes.len() as u32 - 1
            }));
            columns.kind.push(KINDS.iter().position(|kind| *kind == span.kind).unwrap_or(0) as u8);
            columns.status_code.push(STATUSES.iter().position(|status| *status == span.status_code).unwrap_or(0) as u8);
            columns.flags.push(
                flag(is_missing, TraceColumns::PARENT_MISSING)
                    | flag(!span.events.is_empty(), TraceColumns::HAS_EVENTS)
                    | flag(!span.links.is_empty(), TraceColumns::HAS_LINKS),
            );
        }
        columns
    }

    /// The shapes there are, and which one each span has.
    fn shapes(&self) -> (Vec<Shape>, Vec<u32>) {
        let (mut known, mut shapes) = (HashMap::new(), Vec::new());
        // What was seen just before is not looked up: there are a million spans, and few shapes.
        let mut recent = vec![None; RECENT];
        let shape = |at: usize| {
            let kind = self.kind[at] & 7 | (self.status_code[at] & 7) << 3;
            let (name, service, scope) = (self.name[at], self.service[at], self.scope[at]);
            let shape = Shape { name, service, scope, kind, flags: self.flags[at] };
            let slot =
                &mut recent[(name.wrapping_mul(31) ^ service.wrapping_mul(7) ^ u32::from(kind)) as usize % RECENT];
            if let Some((found, number)) = *slot
                && found == shape
            {
                return number;
            }
            let number = *known.entry(shape).or_insert_with(|| {
                shapes.push(shape);
                shapes.len() as u32 - 1
            });
            *slot = Some((shape, number));
            number
        };
        let of_spans = (0..self.len()).map(shape).collect();
        (shapes, of_spans)
    }

    /// The binary form. All columns must be of one length.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len() * 20 + 1024);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.start_time_unix_nano.0.to_le_bytes());
        text(&mut out, self.partial.as_deref().unwrap_or_default());
        varint(&mut out, self.services.len() as u64);
        for service in &self.services {
            for part in [&service.id, &service.namespace, &service.name, &service.environment] {
                text(&mut out, part);
            }
        }
        varint(&mut out, self.names.len() as u64);
        self.names.iter().for_each(|name| text(&mut out, name));
        varint(&mut out, self.scopes.len() as u64);
        for scope in &self.scopes {
            text(&mut out, &scope.name);
            text(&mut out, &scope.version);
        }
        let (shapes, of_spans) = self.shapes();
        varint(&mut out, shapes.len() as u64);
        for shape in &shapes {
            for number in [shape.name, shape.service, shape.scope] {
                varint(&mut out, u64::from(number));
            }
            out.extend_from_slice(&[shape.kind, shape.flags]);
        }
        varint(&mut out, self.len() as u64);
        self.span_id.iter().for_each(|id| out.extend_from_slice(&id.to_le_bytes()));
        let mut before = 0;
        for start in &self.start_nanos {
            varint(&mut out, start.wrapping_sub(before));
            before = *start;
        }
        self.duration_nanos.iter().for_each(|nanos| varint(&mut out, *nanos));
        for (at, parent) in self.parent.iter().enumerate() {
            varint(
                &mut out,
                if *parent == TraceColumns::NO_PARENT { 0 } else { zigzag(at as i64 - i64::from(*parent)) + 1 },
            );
        }
        of_spans.iter().for_each(|shape| varint(&mut out, u64::from(*shape)));
        out
    }

    /// Reads the binary form. Columns are then of one length, and indices point at something.
    ///
    /// # Errors
    /// [`NoColumns`]: another version, or not what [`TraceColumns::encode`] wrote; reload to match the server.
    pub fn decode(bytes: &[u8]) -> Result<TraceColumns, NoColumns> {
        let mut from = Reader(bytes);
        if from.bytes(MAGIC.len())? != MAGIC {
            return Err(NoColumns("another version"));
        }
        let start = from.bytes(8)?.try_into().map_err(|_| CUT)?;
        let partial = Some(from.text()?).filter(|why| !why.is_empty());
        let services = from.list(4, |from| {
            let (id, namespace, name, environment) = (from.text()?, from.text()?, from.text()?, from.text()?);
            Ok(ServiceRef { id, namespace, name, environment })
        })?;
        let names = from.list(1, Reader::text)?;
        let scopes = from.list(2, |from| Ok(ScopeRef { name: from.text()?, version: from.text()? }))?;
        let shapes = from.list(5, |from| {
            let (name, service) = (from.index(names.len())?, from.index(services.len())?);
            let scope = from.index(scopes.len())?;
            let [kind, flags] = *from.bytes(2)? else { return Err(CUT) };
            Ok(Shape { name, service, scope, kind, flags })
        })?;
        let spans = from.count(LEAST)?;
        let span_id = from.bytes(spans * 8)?.as_chunks::<8>().0.iter().map(|id| u64::from_le_bytes(*id)).collect();
        let mut start_of_last = 0_u64;
        let start_nanos = from.column(spans, |_, after| {
            start_of_last = start_of_last.checked_add(after).ok_or(NoColumns("a start beyond all time"))?;
            Ok(start_of_last)
        })?;
        let duration_nanos = from.column(spans, |_, nanos| Ok(nanos))?;
        let parent = from.parents(spans)?;
        let shape = from.column(spans, |_, number| index(number, shapes.len()))?;
        if !from.0.is_empty() {
            return Err(NoColumns("something follows"));
        }
        let shape = || shape.iter().map(|shape| &shapes[*shape as usize]);
        Ok(TraceColumns {
            name: shape().map(|shape| shape.name).collect(),
            service: shape().map(|shape| shape.service).collect(),
            scope: shape().map(|shape| shape.scope).collect(),
            kind: shape().map(|shape| shape.kind & 7).collect(),
            status_code: shape().map(|shape| shape.kind >> 3 & 7).collect(),
            flags: shape().map(|shape| shape.flags).collect(),
            services,
            names,
            scopes,
            start_time_unix_nano: Nanos(i64::from_le_bytes(start)),
            span_id,
            parent,
            start_nanos,
            duration_nanos,
            partial,
        })
    }
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn text(out: &mut Vec<u8>, text: &str) {
    varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

const CUT: NoColumns = NoColumns("cut off");

fn index(number: u64, things: usize) -> Result<u32, NoColumns> {
    if number < things as u64 { Ok(number as u32) } else { Err(NoColumns("an index")) }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], NoColumns> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(CUT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, NoColumns> {
        let (mut number, mut bits) = (0, 0);
        while let [byte, rest @ ..] = self.0 {
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << bits;
            if *byte < 0x80 {
                return Ok(number);
            }
            bits += 7;
            if bits == 70 {
                break;
            }
        }
        Err(CUT)
    }

    fn text(&mut self) -> Result<String, NoColumns> {
        let length = self.count(1)?;
        let bytes = self.bytes(length)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| NoColumns("a text that is none"))
    }

    /// A number of things of at least so many bytes each: never more than there can be.
    fn count(&mut self, least: usize) -> Result<usize, NoColumns> {
        let count = usize::try_from(self.varint()?).map_err(|_| CUT)?;
        if count > self.0.len() / least { Err(CUT) } else { Ok(count) }
    }

    fn list<T>(&mut self, least: usize, read: impl Fn(&mut Self) -> Result<T, NoColumns>) -> Result<Vec<T>, NoColumns> {
        let count = self.count(least)?;
        (0..count).map(|_| read(self)).collect()
    }

    /// One number per span, each of which `each` makes something of. Room is made once: `spans` are no more than there are
    /// bytes.
    fn column<T>(
        &mut self,
        spans: usize,
        mut each: impl FnMut(usize, u64) -> Result<T, NoColumns>,
    ) -> Result<Vec<T>, NoColumns> {
        let mut column = Vec::with_capacity(spans);
        while column.len() < spans {
            self.extend(&mut column, spans, &mut each)?;
        }
        Ok(column)
    }

    /// Some more of a column. A function by itself: browsers make code faster from one call to the next, not within one.
    #[inline(never)]
    fn extend<T>(
        &mut self,
        column: &mut Vec<T>,
        spans: usize,
        each: &mut impl FnMut(usize, u64) -> Result<T, NoColumns>,
    ) -> Result<(), NoColumns> {
        for at in column.len()..spans.min(column.len() + AT_ONCE) {
            let number = match self.0 {
                [byte, rest @ ..] if *byte < 0x80 => {
                    self.0 = rest;
                    u64::from(*byte)
                }
                _ => self.varint()?,
            };
            column.push(each(at, number)?);
        }
        Ok(())
    }

    fn index(&mut self, things: usize) -> Result<u32, NoColumns> {
        self.varint().and_then(|number| index(number, things))
    }

    fn parents(&mut self, spans: usize) -> Result<Vec<u32>, NoColumns> {
        self.column(spans, |at, number| {
            let Some(number) = number.checked_sub(1) else { return Ok(TraceColumns::NO_PARENT) };
            let back = (number >> 1) as i64 ^ -((number & 1) as i64);
            let parent = (at as i64).checked_sub(back).filter(|parent| (0..spans as i64).contains(parent));
            parent.map(|parent| parent as u32).ok_or(NoColumns("a parent"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn service(name: &str) -> ServiceRef {
        ServiceRef { id: format!("shop/{name}"), namespace: "shop".into(), name: name.into(), ..Default::default() }
    }

    prop_compose! {
        fn traces()(spans in prop::collection::vec(
            (any::<u64>(), 0..u64::MAX / 1000, any::<u64>(), any::<u32>(), 0..3_u32, 0..2_u32, 0..8_u8, 0..8_u8, any::<u8>()),
            0..200,
        ), start in any::<i64>(), why in "[a-z]{0,9}") -> TraceColumns {
            let mut starts: Vec<u64> = spans.iter().map(|span| span.1).collect();
            starts.sort_unstable();
            let len = spans.len() as u32;
            TraceColumns {
                services: vec![service("cart"), service("결제")],
                names: vec!["GET /".into(), "한글".into(), String::new()],
                scopes: vec![ScopeRef { name: "http".into(), version: "1".into() }],
                start_time_unix_nano: Nanos(start),
                span_id: spans.iter().map(|span| span.0).collect(),
                parent: spans.iter().map(|s| if s.3 % 4 == 0 { TraceColumns::NO_PARENT } else { s.3 % len }).collect(),
                start_nanos: starts,
                duration_nanos: spans.iter().map(|span| span.2).collect(),
                service: spans.iter().map(|span| span.5).collect(),
                name: spans.iter().map(|span| span.4).collect(),
                scope: vec![0; spans.len()],
                kind: spans.iter().map(|span| span.6).collect(),
                status_code: spans.iter().map(|span| span.7).collect(),
                flags: spans.iter().map(|span| span.8).collect(),
                partial: Some(why).filter(|why| !why.is_empty()),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(trace in traces()) {
            prop_assert_eq!(TraceColumns::decode(&trace.encode()), Ok(trace));
        }

        #[test]
        fn what_is_cut_off_is_refused(trace in traces(), cut in any::<prop::sample::Index>()) {
            let bytes = trace.encode();
            prop_assert!(TraceColumns::decode(&bytes[..cut.index(bytes.len())]).is_err());
        }

        #[test]
        fn what_is_spoilt_is_refused_or_whole(trace in traces(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
            let mut bytes = trace.encode();
            let at = at.index(bytes.len());
            bytes[at] = with;
            if let Ok(read) = TraceColumns::decode(&bytes) {
                let spans = read.len();
                let lengths = [read.parent.len(), read.start_nanos.len(), read.duration_nanos.len(), read.name.len()];
                prop_assert!(lengths.iter().all(|length| *length == spans) && read.flags.len() == spans);
                prop_assert!(read.parent.iter().all(|p| *p == TraceColumns::NO_PARENT || (*p as usize) < spans));
                prop_assert!(read.name.iter().all(|name| (*name as usize) < read.names.len()));
            }
        }

        #[test]
        fn anything_is_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut with_magic = MAGIC.to_vec();
            with_magic.extend(bytes);
            _ = TraceColumns::decode(&with_magic);
        }
    }

    #[test]
    fn whole_spans_become_columns() {
        let span = |id: &str, parent: Option<&str>, start: i64, name: &str| Span {
            span_id: id.into(),
            parent_span_id: parent.map(str::to_owned),
            name: name.into(),
            kind: "server".into(),
            start_time_unix_nano: Nanos(start),
            duration_nanos: Nanos(5),
            status_code: "error".into(),
            ..Span::default()
        };
        let trace = Trace {
            services: vec![service("cart")],
            spans: vec![
                span("000000000000000b", Some("000000000000000a"), 120, "SELECT"),
                span("000000000000000a", None, 100, "GET /"),
                span("000000000000000c", Some("00000000000000ff"), 130, "SELECT"),
                span("", None, 90, "of no id"),
            ],
            ..Trace::default()
        };
        let columns = TraceColumns::of(&trace);
        assert_eq!((&columns.span_id[..], &columns.start_nanos[..]), (&[10, 11, 12][..], &[0, 20, 30][..]));
        let none = TraceColumns::NO_PARENT;
        assert_eq!((&columns.parent[..], &columns.flags[..]), (&[none, 0, none][..], &[0, 0, 1][..]));
        assert_eq!((columns.names.len(), columns.kind[0], columns.status_code[0]), (2, 2, 2));
        assert_eq!(TraceColumns::decode(&columns.encode()), Ok(columns));
    }

    #[test]
    fn another_version_is_refused() {
        let mut bytes = TraceColumns::default().encode();
        bytes[4] = 1;
        assert_eq!(TraceColumns::decode(&bytes), Err(NoColumns("another version")));
    }
}
