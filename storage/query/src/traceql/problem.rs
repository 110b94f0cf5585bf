//! What is wrong with a query, where, and what to write instead.

use std::ops::Range;

/// Why a text is no query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}{hint}", if hint.is_empty() { "" } else { ": " })]
pub struct Problem {
    /// The bytes at fault; empty where something is missing. On character boundaries.
    pub range: Range<usize>,
    /// What is wrong, a clause.
    pub message: String,
    /// What to write instead; may be empty.
    pub hint: String,
}

impl Problem {
    pub(crate) fn new(range: impl Into<Range<usize>>, message: impl Into<String>, hint: impl Into<String>) -> Problem {
        Problem { range: range.into(), message: message.into(), hint: hint.into() }
    }
}

/// The one of `known` that `word` was probably meant to be.
pub(crate) fn meant<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let bound = 1 + word.len() / 4;
    known
        .into_iter()
        .map(|name| (distance(&word.to_ascii_lowercase(), &name.to_ascii_lowercase()), name))
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Characters to add, remove, change or swap with their neighbour.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    // Words of a query are short; what is long is no slip of one.
    if left.len() > 64 {
        return usize::MAX;
    }
    let mut rows = vec![(0..=right.len()).collect::<Vec<usize>>()];
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let mut best = (rows[i][j + 1] + 1).min(row[j] + 1).min(rows[i][j] + usize::from(a != b));
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}
