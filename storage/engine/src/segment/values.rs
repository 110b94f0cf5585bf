//! A Bloom filter over attribute values: which segments may hold a rare one.
//!
//! Opening a segment costs milliseconds, and searching a map in it tens: a day of segments is only searched for a value
//! that hardly any of them has if the others need not be opened. The filter knows the keys with the fewest values,
//! within half the number of rows: a thousand users rather than a million paths. It costs 8 bits per value.

use super::filter::{Bloom, mix};
use crate::columns::{Part, Table};
use hashbrown::HashMap;
use orrery_model::{Strings, Sym, Value};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Values of all keys together: one for so many rows.
const ROWS_PER_VALUE: usize = 2;
const BITS_PER_VALUE: usize = 8;
/// Numbers remembered while a request's are looked at.
const NUMBERS: usize = 512;

/// The filter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ValueFilter {
    /// Attribute names it knows all values of.
    keys: BTreeSet<String>,
    values: Bloom,
    /// Attribute names with a value that is an array; `None` in files written before they were noted.
    #[serde(default)]
    lists: Option<BTreeSet<String>>,
}

/// What there is of each attribute.
pub(crate) struct Values {
    /// Hashes of distinct values; `None`: more than any filter holds.
    by_key: BTreeMap<String, Option<Vec<u64>>>,
    /// Attributes with a value that is an array.
    lists: BTreeSet<String>,
    most: usize,
}

impl Values {
    pub(crate) fn of<B: Table>(parts: &[Part<B>]) -> Values {
        let rows: usize = parts.iter().map(|part| part.batch.rows()).sum();
        let mut values = Values { by_key: BTreeMap::new(), lists: BTreeSet::new(), most: rows / ROWS_PER_VALUE };
        let mut found: HashMap<String, Found> = HashMap::new();
        parts.iter().for_each(|part| values.add(part, &mut found));
        values.lists = found.iter().filter(|(_, found)| found.has_lists).map(|(key, _)| key.clone()).collect();
        values.by_key = found.into_iter().map(|(key, found)| (key, found.finish(values.most))).collect();
        values
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
            if is_known {
                continue;
            }
            let place = &mut places[key.0 as usize];
            let place = place.get_or_insert_with(|| found.remove(strings.get(key)).unwrap_or_default());
            place.has_lists |= matches!(value, Value::Json(sym) if strings.get(sym).starts_with('['));
            if !place.is_full {
                place.push(hash_value(value, strings, &mut text), self.most);
            }
        }
        for (symbol, place) in places.into_iter().enumerate() {
            if let Some(place) = place {
                found.insert(strings.get(Sym(symbol as u32)).to_owned(), place);
            }
        }
    }

    /// Whether nearly every row that has the attribute has another value of it: a dictionary would only cost.
    pub(crate) fn hardly_repeat(&self, key: &str) -> bool {
        matches!(self.by_key.get(key), Some(None))
    }

    /// The filter, of the keys with the fewest values.
    pub(crate) fn filter(&self) -> ValueFilter {
        let mut known: Vec<(&String, &Vec<u64>)> =
            self.by_key.iter().filter_map(|(key, values)| Some((key, values.as_ref()?))).collect();
        known.sort_by_key(|(key, values)| (values.len(), *key));
        let mut room = self.most;
        known.retain(|(_, values)| match room.checked_sub(values.len()) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        });
        let hashes: Vec<u64> =
            known.iter().flat_map(|(key, values)| values.iter().map(|value| of_key(key, *value))).collect();
        ValueFilter {
            keys: known.into_iter().map(|(key, _)| key.clone()).collect(),
            values: Bloom::new(&hashes, BITS_PER_VALUE),
            lists: Some(self.lists.clone()),
        }
    }
}

/// Hashes of the values of a key, some of them more than once.
#[derive(Default)]
struct Found {
    hashes: Vec<u64>,
    is_full: bool,
    has_lists: bool,
}

impl Found {
    fn push(&mut self, hash: u64, most: usize) {
        if self.hashes.last() == Some(&hash) {
            return;
        }
        self.hashes.push(hash);
        if self.hashes.len() > 2 * most.max(1024) {
            self.settle();
            if self.hashes.len() > most {
                *self = Found { hashes: Vec::new(), is_full: true, has_lists: self.has_lists };
            }
        }
    }

    fn settle(&mut self) {
        self.hashes.sort_unstable();
        self.hashes.dedup();
    }

    fn finish(mut self, most: usize) -> Option<Vec<u64>> {
        self.settle();
        (!self.is_full && self.hashes.len() <= most).then_some(self.hashes)
    }
}

impl ValueFilter {
    /// False: no row has exactly this attribute with this value, written as [`Value::to_text`] does.
    pub(crate) fn may_contain(&self, key: &str, value: &str) -> bool {
        !self.keys.contains(key) || self.values.may_contain(of_key(key, hash_text(value)))
    }
}

impl ValueFilter {
    /// Whether some row may have this attribute with an array, whose elements the filter does not know.
    pub(crate) fn may_have_lists(&self, key: &str) -> bool {
        self.lists.as_ref().is_none_or(|lists| lists.contains(key))
    }
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
    use std::sync::Arc;

    fn part(rows: u64) -> Part<LogBatch> {
        let mut batch = LogBatch::default();
        for row in 0..rows {
            let strings = &mut batch.context.strings;
            let (user, path, size) = (strings.intern("user"), strings.intern("path"), strings.intern("size"));
            let own = strings.intern(&format!("user-{}", row % 20));
            batch.attributes.push(user, Value::String(own));
            batch.attributes.push(path, Value::String(strings.intern(&format!("/orders/{row}"))));
            batch.attributes.push(size, Value::Int((row % 3) as i64));
            batch.attributes.end_row();
            batch.time_unix_nano.push(0);
        }
        Part { batch: Arc::new(batch), resources: [].into(), scopes: [].into(), arrival: Arrival::Record(0) }
    }

    #[test]
    fn values_that_repeat_are_known_and_others_are_not_ruled_out() {
        let values = Values::of(&[part(1000), part(3000)]);
        assert!(values.hardly_repeat("path") && !values.hardly_repeat("user") && !values.hardly_repeat("absent"));
        let filter: ValueFilter = serde_json::from_str(&serde_json::to_string(&values.filter()).unwrap()).unwrap();
        assert!((0..20).all(|user| filter.may_contain("user", &format!("user-{user}"))));
        assert!((0..3).all(|size| filter.may_contain("size", &size.to_string())));
        assert!(filter.may_contain("path", "/orders/none"), "too many to know");
        let wrong = (20..1020).filter(|user| filter.may_contain("user", &format!("user-{user}"))).count();
        assert!(wrong < 20 && !filter.may_contain("user", "0"), "{wrong} of 1000");
    }

    /// Written into files.
    #[test]
    fn hashes_stay_what_they_are() {
        assert_eq!(hash_text("user-777"), 8_518_885_793_318_822_014);
        assert_eq!(hash_text(""), 16_294_208_416_658_607_535);
    }
}
