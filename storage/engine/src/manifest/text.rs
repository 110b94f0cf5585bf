//! The manifest as text: a line with its checksum, and JSON.
//!
//! What segments list (services, attributes) is hardly ever new: each list stands there once, and segments give its
//! number. All of it is written whenever something is sealed, so that its size is what sealing costs where much is stored.

use super::{Manifest, Pin, SegmentEntry, Shared};
use crate::counters::Counters;
use crate::promote::Promoted;
use crate::slice::Observed;
use orrery_model::{Signal, TraceId};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

const MAGIC: &str = "orrery-manifest 3 ";
/// Without pins.
const MAGIC_2: &str = "orrery-manifest 2 ";
/// Segments have their lists themselves.
const MAGIC_1: &str = "orrery-manifest 1 ";

#[derive(Serialize, Deserialize)]
struct Text<'a> {
    next_segment: u64,
    next_slice: u64,
    cursor: u64,
    #[serde(default)]
    observed: Observed,
    counters: Cow<'a, Counters>,
    #[serde(default)]
    lists: Lists<'a>,
    segments: Vec<Entry<'a>>,
    #[serde(default)]
    next_pin: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pins: Vec<PinText<'a>>,
}

#[derive(Serialize, Deserialize)]
struct PinText<'a> {
    trace_id: String,
    pinned_unix_nano: i64,
    root_service: Cow<'a, str>,
    root_name: Cow<'a, str>,
    duration_nanos: i64,
    errors: u64,
    segment: Entry<'a>,
}

/// Each list there is, in the order of their numbers.
#[derive(Default, Serialize, Deserialize)]
struct Lists<'a> {
    services: Vec<Cow<'a, [String]>>,
    promoted: Vec<Cow<'a, [Promoted]>>,
    mapped: Vec<Cow<'a, BTreeSet<String>>>,
}

#[derive(Serialize, Deserialize)]
struct Entry<'a> {
    id: u64,
    signal: Signal,
    level: u32,
    rows: u64,
    first_unix_nano: i64,
    last_unix_nano: i64,
    bytes: u64,
    crc32: u32,
    index_bytes: u64,
    index_crc32: u32,
    services: Listed<Vec<String>>,
    promoted: Listed<Vec<Promoted>>,
    mapped: Option<Listed<BTreeMap<String, u64>>>,
    #[serde(default, skip_serializing_if = "is_empty")]
    judged: Cow<'a, BTreeMap<String, i64>>,
}

fn is_empty(judged: &BTreeMap<String, i64>) -> bool {
    judged.is_empty()
}

/// The number of a list, or the list itself.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Listed<T> {
    At(usize),
    Own(T),
}

pub(super) fn print(manifest: &Manifest) -> String {
    let mut lists = Lists::default();
    let mut numbers = HashMap::new();
    let text = Text {
        next_segment: manifest.next_segment,
        next_slice: manifest.next_slice,
        cursor: manifest.cursor,
        observed: manifest.observed,
        counters: Cow::Borrowed(&manifest.counters),
        segments: manifest.segments.iter().map(|entry| listed(entry, &mut lists, &mut numbers)).collect(),
        next_pin: manifest.next_pin,
        pins: manifest.pins.iter().map(|pin| pinned(pin, &mut lists, &mut numbers)).collect(),
        lists,
    };
    let json = serde_json::to_string(&text).expect("a manifest has text keys");
    format!("{MAGIC}{:08x}\n{json}\n", crc32fast::hash(json.as_bytes()))
}

/// Lists by where they are in memory.
type Numbers = HashMap<usize, usize>;

fn listed<'a>(entry: &'a SegmentEntry, lists: &mut Lists<'a>, numbers: &mut Numbers) -> Entry<'a> {
    Entry {
        id: entry.id,
        signal: entry.signal,
        level: entry.level,
        rows: entry.rows,
        first_unix_nano: entry.first_unix_nano,
        last_unix_nano: entry.last_unix_nano,
        bytes: entry.bytes,
        crc32: entry.crc32,
        index_bytes: entry.index_bytes,
        index_crc32: entry.index_crc32,
        services: number(&entry.services, &mut lists.services, numbers),
        promoted: number(&entry.promoted, &mut lists.promoted, numbers),
        mapped: entry.mapped.as_ref().map(|keys| number(keys, &mut lists.mapped, numbers)),
        judged: Cow::Borrowed(&entry.judged),
    }
}

fn pinned<'a>(pin: &'a Pin, lists: &mut Lists<'a>, numbers: &mut Numbers) -> PinText<'a> {
    PinText {
        trace_id: pin.trace_id.to_string(),
        pinned_unix_nano: pin.pinned_unix_nano,
        root_service: Cow::Borrowed(&pin.root_service),
        root_name: Cow::Borrowed(&pin.root_name),
        duration_nanos: pin.duration_nanos,
        errors: pin.errors,
        segment: listed(&pin.segment, lists, numbers),
    }
}

fn number<'a, T: ToOwned + ?Sized, L>(
    list: &'a Arc<T>,
    lists: &mut Vec<Cow<'a, T>>,
    numbers: &mut Numbers,
) -> Listed<L> {
    let place = Arc::as_ptr(list).cast::<u8>().addr();
    Listed::At(*numbers.entry(place).or_insert_with(|| {
        lists.push(Cow::Borrowed(&**list));
        lists.len() - 1
    }))
}

pub(super) fn parse(text: &str) -> Result<Manifest, String> {
    let rest = [MAGIC, MAGIC_2, MAGIC_1].into_iter().find_map(|magic| text.strip_prefix(magic));
    let rest = rest.ok_or("its first line is unknown")?;
    let (crc, json) = rest.split_once('\n').ok_or("it is cut off")?;
    let json = json.trim_end_matches('\n');
    if u32::from_str_radix(crc, 16) != Ok(crc32fast::hash(json.as_bytes())) {
        return Err("its checksum is wrong".into());
    }
    let text: Text<'_> = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let lists = Known {
        services: text.lists.services.into_iter().map(|list| list.into_owned().into()).collect(),
        promoted: text.lists.promoted.into_iter().map(|list| list.into_owned().into()).collect(),
        mapped: text.lists.mapped.into_iter().map(|list| Arc::new(list.into_owned())).collect(),
    };
    let mut shared = Shared::default();
    let mut segments = Vec::with_capacity(text.segments.len());
    for entry in text.segments {
        let id = entry.id;
        let mut entry = lists.entry(entry).ok_or_else(|| format!("segment {id} names a list that is not there"))?;
        shared.share(&mut entry);
        segments.push(entry);
    }
    let mut pins = Vec::with_capacity(text.pins.len());
    for pin in text.pins {
        let (id, trace) = (pin.segment.id, pin.trace_id);
        let mut segment = lists.entry(pin.segment).ok_or_else(|| format!("pin {id} names a list that is not there"))?;
        shared.share(&mut segment);
        pins.push(Pin {
            trace_id: trace.parse::<TraceId>().map_err(|error| format!("pin {id} is of no trace: {error}"))?,
            pinned_unix_nano: pin.pinned_unix_nano,
            root_service: pin.root_service.into_owned(),
            root_name: pin.root_name.into_owned(),
            duration_nanos: pin.duration_nanos,
            errors: pin.errors,
            segment,
        });
    }
    Ok(Manifest {
        next_pin: text.next_pin,
        pins,
        next_segment: text.next_segment,
        next_slice: text.next_slice,
        cursor: text.cursor,
        observed: text.observed,
        counters: text.counters.into_owned(),
        segments,
    })
}

/// The lists that were read.
struct Known {
    services: Vec<Arc<[String]>>,
    promoted: Vec<Arc<[Promoted]>>,
    mapped: Vec<Arc<BTreeSet<String>>>,
}

impl Known {
    /// `None`: it names a list that is not there.
    fn entry(&self, entry: Entry<'_>) -> Option<SegmentEntry> {
        let mapped = match entry.mapped {
            None => None,
            Some(Listed::At(number)) => Some(self.mapped.get(number)?.clone()),
            Some(Listed::Own(keys)) => Some(Arc::new(keys.into_keys().collect())),
        };
        Some(SegmentEntry {
            id: entry.id,
            signal: entry.signal,
            level: entry.level,
            rows: entry.rows,
            first_unix_nano: entry.first_unix_nano,
            last_unix_nano: entry.last_unix_nano,
            bytes: entry.bytes,
            crc32: entry.crc32,
            index_bytes: entry.index_bytes,
            index_crc32: entry.index_crc32,
            services: entry.services.resolve(&self.services)?,
            promoted: entry.promoted.resolve(&self.promoted)?,
            mapped,
            judged: entry.judged.into_owned(),
        })
    }
}

impl<T> Listed<Vec<T>> {
    fn resolve(self, known: &[Arc<[T]>]) -> Option<Arc<[T]>> {
        match self {
            Listed::At(number) => known.get(number).cloned(),
            Listed::Own(list) => Some(list.into()),
        }
    }
}
