//! Which attributes of a segment get columns of their own: those frequent in it.
//!
//! A typed column is searched 30 times faster than a map, and a sparse one costs about a byte per row; the break-even
//! is near a tenth of the rows. Nothing is configured: each segment knows its own keys.

use crate::columns::{ATTRIBUTES, Part, Pick, Table};
use hashbrown::HashMap;
use orrery_model::Value;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Columns a segment has at most: beyond that its schema costs more than its rows.
const MOST: usize = 64;

/// Type of a promoted column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PromotedKind {
    Text,
    Int,
    Double,
    Bool,
}

/// An attribute with a column of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Promoted {
    /// Attribute name. Only letters, digits and `_.:/-`, so that it is safe as a column name.
    pub(crate) key: String,
    pub(crate) kind: PromotedKind,
    /// Whether some rows have a value of another type, which lies in the map.
    pub(crate) mixed: bool,
    /// Rows with a value in it; 0 in manifests written before they were counted.
    #[serde(default)]
    pub(crate) rows: u64,
}

impl Promoted {
    /// Name of the column.
    pub(crate) fn column(&self) -> &str {
        &self.key
    }
}

/// The attribute keys of a segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Keys {
    pub(crate) promoted: Vec<Promoted>,
    /// Keys that (also) occur in the map, with the number of rows.
    pub(crate) mapped: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, Default)]
struct Count {
    text: u64,
    int: u64,
    double: u64,
    bool: u64,
    other: u64,
}

impl Count {
    fn add(&mut self, value: Value) {
        match value {
            Value::String(_) => self.text += 1,
            Value::Int(_) => self.int += 1,
            Value::Double(double) if double.is_finite() => self.double += 1,
            Value::Bool(_) => self.bool += 1,
            _ => self.other += 1,
        }
    }

    fn total(self) -> u64 {
        self.text + self.int + self.double + self.bool + self.other
    }

    fn dominant(self) -> (PromotedKind, u64) {
        let kinds = [
            (PromotedKind::Text, self.text),
            (PromotedKind::Int, self.int),
            (PromotedKind::Double, self.double),
            (PromotedKind::Bool, self.bool),
        ];
        kinds.into_iter().max_by_key(|(_, count)| *count).expect("there are four")
    }

    fn plus(self, other: Count) -> Count {
        Count {
            text: self.text + other.text,
            int: self.int + other.int,
            double: self.double + other.double,
            bool: self.bool + other.bool,
            other: self.other + other.other,
        }
    }
}

/// Looks at all attributes of the rows and decides.
pub(crate) fn keys<B: Table>(parts: &[Part<B>], picks: &[Pick]) -> Keys {
    let counts = count(parts, picks);
    let mut frequent: Vec<(&str, Count)> = counts
        .iter()
        .map(|(key, count)| (key.as_str(), *count))
        .filter(|(key, count)| B::PROMOTES && count.dominant().1 * 10 >= picks.len() as u64 && is_column_name::<B>(key))
        .collect();
    // Most frequent first; by name among equals, so that the same rows give the same file.
    frequent.sort_by(|a, b| b.1.dominant().1.cmp(&a.1.dominant().1).then(a.0.cmp(b.0)));
    let mut promoted: Vec<Promoted> = Vec::new();
    for (key, count) in frequent {
        // Column names are compared without case by most readers.
        let taken = promoted.iter().any(|promoted| promoted.key.eq_ignore_ascii_case(key));
        if !taken && promoted.len() < MOST {
            let (kind, rows) = count.dominant();
            promoted.push(Promoted { key: key.to_owned(), kind, mixed: count.total() > rows, rows });
        }
    }
    let in_column = |key: &str| promoted.iter().find(|promoted| promoted.key == key);
    let mapped = counts
        .iter()
        .filter(|(key, _)| in_column(key).is_none_or(|promoted| promoted.mixed))
        .map(|(key, count)| {
            let in_map = in_column(key).map_or(count.total(), |_| count.total() - count.dominant().1);
            (key.clone(), in_map)
        })
        .collect();
    Keys { promoted, mapped }
}

fn count<B: Table>(parts: &[Part<B>], picks: &[Pick]) -> HashMap<String, Count> {
    let mut by_part: Vec<Vec<Count>> = vec![Vec::new(); parts.len()];
    let is_all = picks.len() == parts.iter().map(|part| part.batch.rows()).sum::<usize>();
    for (part, counts) in parts.iter().zip(&mut by_part).filter(|_| is_all) {
        counts.resize(part.batch.context().strings.len(), Count::default());
        part.batch.attributes().pairs_of_all_rows().for_each(|(key, value)| counts[key.0 as usize].add(value));
    }
    // The same, row by row, where some came twice.
    for pick in picks.iter().filter(|_| !is_all) {
        let batch = &parts[pick.part as usize].batch;
        let counts = &mut by_part[pick.part as usize];
        counts.resize(batch.context().strings.len(), Count::default());
        for (key, value) in batch.attributes().row(pick.row as usize) {
            counts[key.0 as usize].add(value);
        }
    }
    let mut counts: HashMap<String, Count> = HashMap::new();
    for (part, part_counts) in parts.iter().zip(by_part) {
        for (key, count) in part.batch.context().strings.iter().zip(part_counts) {
            if count.total() > 0 {
                let sum = counts.entry_ref(key).or_default();
                *sum = sum.plus(count);
            }
        }
    }
    counts
}

fn is_column_name<B: Table>(key: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte);
    (1..=100).contains(&key.len())
        && key.bytes().all(allowed)
        && !key.eq_ignore_ascii_case(ATTRIBUTES)
        && !B::COLUMNS.iter().any(|column| column.name.eq_ignore_ascii_case(key))
}
