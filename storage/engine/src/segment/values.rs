//! A Bloom filter over attribute values: which segments may hold a rare one.
//!
//! Opening a segment costs milliseconds, and searching a map in it tens: a day of segments is only searched for a value
//! that hardly any of them has if the others need not be opened. Attributes with few values, which cost little, are
//! known well; of those that nearly every row has another value of, such as ids of orders, the filter is wrong about one
//! value in eight, and seven of eight segments stay closed for half a byte per row. Texts come before numbers, which are
//! measured rather than searched for, and all together take no more than [`BITS_PER_ROW`].

use super::filter::{Bloom, mix};
use crate::columns::{Part, Table};
use crate::context::{ContextTable, text_of_json};
use hashbrown::HashMap;
use orrery_model::{Strings, Sym, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::LN_2;
use std::ops::RangeInclusive;

/// Bits of a value: so many that their key takes about one and a half bits per row, but within these bounds.
const PROBES: RangeInclusive<usize> = 3..=9;
/// Bits of all keys together, for a row of the segment.
const BITS_PER_ROW: usize = 8;
/// What stands for the traces that spans link to, among the attributes; an attribute of this name shares its place.
pub(crate) const LINKED: &str = "link:traceID";
/// Bytes read for a question.
const PAGE: usize = 4096;
/// A number counts for so many texts.
const NUMBERS_COST: usize = 8;
/// Numbers remembered while a request's are looked at.
const NUMBERS: usize = 512;

/// The filter.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ValueFilter {
    /// Attributes it knows all values of, with the bits of each value.
    pub(super) keys: BTreeMap<String, u8>,
    /// Attributes of rows with a value that is an array, of whose elements it knows nothing.
    pub(super) arrays: BTreeSet<String>,
    pub(super) bloom: Bloom,
}

/// What there is of each attribute.
pub(crate) struct Values {
    by_key: BTreeMap<String, Found>,
    rows: usize,
}

impl Values {
    pub(crate) fn of<B: Table>(parts: &[Part<B>]) -> Values {
        let rows: usize = parts.iter().map(|part| part.batch.rows()).sum();
        let values = Values { by_key: BTreeMap::new(), rows };
        let mut found: HashMap<String, Found> = HashMap::new();
        for part in parts {
            values.add(part, &mut found);
            if let Some(linked) = part.batch.linked() {
                // Known where no span has a link, too: then nobody looks for one.
                let place = found.entry_ref(LINKED).or_default();
                linked.iter().for_each(|trace| place.push(hash_text(&trace.to_string()), rows));
            }
        }
        found.values_mut().for_each(Found::settle);
        Values { by_key: found.into_iter().collect(), ..values }
    }

    fn add<B: Table>(&self, part: &Part<B>, found: &mut HashMap<String, Found>) {
        const NONE: u32 = u32::MAX;
        let strings = &part.batch.context().strings;
        // By symbol: where the values of this key go; for which key this text was seen last.
        let mut places: Vec<Option<Found>> = (0..strings.len()).map(|_| None).collect();
        let mut seen_with = vec![NONE; strings.len()];
        let mut numbers = [(NONE, 0); NUMBERS];
        let mut text = String::new();
        for (key, value) in part.batch.attributes().pairs_of_all_rows() {
            let is_known = match value {
                Value::String(sym) | Value::Bytes(sym) | Value::Json(sym) => {
                    std::mem::replace(&mut seen_with[sym.0 as usize], key.0) == key.0
                }
                Value::Int(int) => {
                    let known = &mut numbers[mix(int as u64 ^ u64::from(key.0) << 48) as usize % NUMBERS];
                    std::mem::replace(known, (key.0, int)) == (key.0, int)
                }
                _ => false,
            };
            let is_array = matches!(value, Value::Json(sym) if strings.get(sym).starts_with('['));
            if is_known && !is_array {
                continue;
            }
            let place = &mut places[key.0 as usize];
            let place = place.get_or_insert_with(|| found.remove(strings.get(key)).unwrap_or_default());
            place.is_number |= matches!(value, Value::Int(_) | Value::Double(_));
            place.has_arrays |= is_array;
            place.push(hash_value(value, strings, &mut text), self.rows);
        }
        for (symbol, place) in places.into_iter().enumerate() {
            if let Some(place) = place {
                found.insert(strings.get(Sym(symbol as u32)).to_owned(), place);
            }
        }
    }

    /// How many distinct values the attribute has; `None`: more than half as many as there are rows.
    pub(crate) fn distinct(&self, key: &str) -> Option<usize> {
        let distinct = self.by_key.get(key).map_or(0, |found| found.hashes.len());
        (distinct * 2 <= self.rows).then_some(distinct)
    }

    /// The filter, of the attributes of rows and of all these resources.
    pub(crate) fn filter(mut self, context: &ContextTable) -> ValueFilter {
        let arrays = self.by_key.iter().filter(|(_, found)| found.has_arrays).map(|(key, _)| key.clone()).collect();
        let mut of_resources = BTreeSet::new();
        for (key, value) in context.resources().iter().flat_map(|resource| resource.attribute_map().iter()) {
            of_resources.insert(key);
            self.by_key.entry(key.clone()).or_default().hashes.push(hash_text(&text_of_json(value)));
        }
        let mut wanted: Vec<(usize, String, Found)> = Vec::new();
        for (key, mut found) in self.by_key {
            found.settle();
            let is_always_known = of_resources.contains(&key) || key == LINKED;
            let weight = if is_always_known { 0 } else { found.weight() };
            wanted.push((weight, key, found));
        }
        wanted.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        let mut room = (self.rows * BITS_PER_ROW) as f64;
        let (mut keys, mut entries) = (BTreeMap::new(), Vec::new());
        for (weight, key, Found { hashes, .. }) in wanted {
            let probes = (self.rows / hashes.len().max(1)).clamp(*PROBES.start(), *PROBES.end());
            let bits = (hashes.len() * probes) as f64 / LN_2;
            // Of resources and links all are known, so that nobody has to look through them.
            if weight == 0 || bits <= room {
                room -= bits;
                entries.extend(hashes.into_iter().map(|value| (of_key(&key, value), probes as u8)));
                keys.insert(key, probes as u8);
            }
        }
        ValueFilter { keys, arrays, bloom: Bloom::new(&entries, PAGE) }
    }
}

/// Hashes of the values of a key, some of them more than once until they are settled.
#[derive(Default)]
struct Found {
    hashes: Vec<u64>,
    is_number: bool,
    has_arrays: bool,
}

impl Found {
    fn push(&mut self, hash: u64, most: usize) {
        if self.hashes.last() == Some(&hash) {
            return;
        }
        self.hashes.push(hash);
        if self.hashes.len() > 2 * most.max(1024) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.hashes.sort_unstable();
        self.hashes.dedup();
    }

    /// What has a low one comes first: few values, and rather texts.
    fn weight(&self) -> usize {
        self.hashes.len().max(1) * if self.is_number { NUMBERS_COST } else { 1 }
    }
}

/// What stands for an attribute's value in the filter; the value is written as [`Value::to_text`] does.
pub(super) fn hash_of(key: &str, value: &str) -> u64 {
    of_key(key, hash_text(value))
}

fn of_key(key: &str, value: u64) -> u64 {
    mix(hash_text(key) ^ value.rotate_left(1))
}

fn hash_value(value: Value, strings: &Strings, text: &mut String) -> u64 {
    match value {
        Value::String(sym) | Value::Bytes(sym) | Value::Json(sym) => hash_text(strings.get(sym)),
        Value::Empty => hash_text(""),
        other => {
            text.clear();
            other.to_json(strings, text);
            hash_text(text)
        }
    }
}

/// Part of the file format: must not change.
fn hash_text(text: &str) -> u64 {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let all = words.iter().chain(std::iter::once(&last));
    all.fold(text.len() as u64, |hash, word| mix(hash ^ u64::from_le_bytes(*word)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::Arrival;
    use orrery_model::LogBatch;
    use orrery_model::batch::Context;
    use std::sync::Arc;

    fn part(rows: u64) -> Part<LogBatch> {
        let mut batch = LogBatch::default();
        for row in 0..rows {
            let strings = &mut batch.context.strings;
            let [user, path, size] = ["user", "path", "size"].map(|key| strings.intern(key));
            let measured = ["bytes", "serial"].map(|key| strings.intern(key));
            let own = strings.intern(&format!("user-{}", row % 20));
            batch.attributes.push(user, Value::String(own));
            batch.attributes.push(path, Value::String(strings.intern(&format!("/orders/{row}"))));
            batch.attributes.push(size, Value::Int((row % 3) as i64));
            measured.iter().for_each(|key| batch.attributes.push(*key, Value::Int((rows * rows + row) as i64)));
            batch.attributes.end_row();
            batch.time_unix_nano.push(0);
        }
        Part { batch: Arc::new(batch), resources: [].into(), scopes: [].into(), arrival: Arrival::Record(0) }
    }

    fn resource(key: &str, value: &str) -> Context {
        let mut context = Context::default();
        let (key, value) = (context.strings.intern(key), context.strings.intern(value));
        context.resource_attributes.push(key, Value::String(value));
        context.end_resource(Sym(0), 0);
        context
    }

    #[test]
    fn values_that_repeat_are_known_and_others_are_not_ruled_out() {
        let values = Values::of(&[part(1000), part(3000)]);
        assert_eq!(["path", "user", "absent"].map(|key| values.distinct(key)), [None, Some(20), Some(0)]);
        let mut context = ContextTable::default();
        context.number(&resource("host.name", "h1"));
        let filter = values.filter(&context);
        let may_have = |key: &str, value: &str| filter.bloom.may_contain(hash_of(key, value), filter.keys[key]);
        assert!((0..20).all(|user| may_have("user", &format!("user-{user}"))));
        assert!((0..3).all(|size| may_have("size", &size.to_string())));
        assert!(may_have("host.name", "h1") && !may_have("host.name", "h2"));
        assert!((0..3000).all(|order| may_have("path", &format!("/orders/{order}"))));
        let wrong = |key: &str, own: &str| (5000..6000).filter(|at| may_have(key, &format!("{own}{at}"))).count();
        assert!(wrong("user", "user-") < 20 && !may_have("user", "0"), "{}", wrong("user", "user-"));
        assert!((50..300).contains(&wrong("path", "/orders/")), "{}", wrong("path", "/orders/"));
        assert!(!filter.keys.contains_key("serial"), "there is no room for numbers that never repeat");
        let bytes = filter.bloom.bits.len();
        assert!((2000..4000).contains(&bytes), "{bytes} bytes for 4000 rows");
    }

    /// Written into files.
    #[test]
    fn hashes_stay_what_they_are() {
        assert_eq!(hash_text("user-777"), 8_518_885_793_318_822_014);
        assert_eq!(hash_text(""), 16_294_208_416_658_607_535);
    }
}
