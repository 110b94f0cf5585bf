//! What was sent and what became of it, one line per fact, so that a test can say after a crash what must be there.
//!
//! `sent SEQ FIRST_SPAN SPANS` before a request goes out, then `acked SEQ REJECTED_SPANS`, `refused SEQ STATUS` or
//! `failed SEQ` (no answer: it may or may not have arrived). A request sent again has several lines; acked wins.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// No answer: it may have arrived.
    Unknown,
    /// Answered with this HTTP status: nothing was kept.
    Refused(u16),
    /// Answered with success; so many of its spans were rejected.
    Acked(u64),
}

/// A request of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `bench.seq` of its first span.
    pub first_span: u64,
    /// Number of its spans.
    pub spans: u64,
    /// The best that became of it.
    pub outcome: Outcome,
}

/// Writes a ledger. Every line is written at once: it survives this process.
#[derive(Debug)]
pub struct Ledger {
    file: Option<File>,
}

impl Ledger {
    /// A new file, instead of one that is there.
    pub fn create(path: &Path) -> Result<Ledger> {
        let file = File::create(path).with_context(|| format!("cannot write ledger {}", path.display()))?;
        Ok(Ledger { file: Some(file) })
    }

    /// Remembers nothing.
    pub fn none() -> Ledger {
        Ledger { file: None }
    }

    /// A request goes out.
    pub fn sent(&mut self, seq: u64, first_span: u64, spans: u64) -> Result<()> {
        self.line(&format!("sent {seq} {first_span} {spans}\n"))
    }

    /// What became of it.
    pub fn ended(&mut self, seq: u64, outcome: Outcome) -> Result<()> {
        self.line(&match outcome {
            Outcome::Acked(rejected) => format!("acked {seq} {rejected}\n"),
            Outcome::Refused(status) => format!("refused {seq} {status}\n"),
            Outcome::Unknown => format!("failed {seq}\n"),
        })
    }

    fn line(&mut self, line: &str) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(line.as_bytes()).context("cannot write the ledger")
    }
}

/// Reads a ledger, by request number. A last line that was cut off is ignored.
pub fn read(path: &Path) -> Result<BTreeMap<u64, Entry>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read ledger {}", path.display()))?;
    let mut all: BTreeMap<u64, Entry> = BTreeMap::new();
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| -> Result<u64> {
            words.get(at).and_then(|word| word.parse().ok()).with_context(|| format!("no ledger line: {line:?}"))
        };
        let seq = number(1)?;
        let outcome = match words[0] {
            "sent" => {
                all.entry(seq).or_insert(Entry {
                    first_span: number(2)?,
                    spans: number(3)?,
                    outcome: Outcome::Unknown,
                });
                continue;
            }
            "acked" => Outcome::Acked(number(2)?),
            "refused" => Outcome::Refused(number(2)? as u16),
            _ => Outcome::Unknown,
        };
        let entry = all.get_mut(&seq).with_context(|| format!("request {seq} ended before it was sent"))?;
        entry.outcome = entry.outcome.max(outcome);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_tells_what_became_of_each_request() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let mut ledger = Ledger::create(&path).unwrap();
        for seq in 0..4 {
            ledger.sent(seq, seq * 10, 10).unwrap();
        }
        ledger.ended(0, Outcome::Acked(2)).unwrap();
        ledger.ended(1, Outcome::Unknown).unwrap();
        ledger.sent(1, 10, 10).unwrap();
        ledger.ended(1, Outcome::Acked(0)).unwrap();
        ledger.ended(2, Outcome::Refused(503)).unwrap();
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"acked 3").unwrap();
        let outcomes: Vec<_> =
            read(&path).unwrap().into_values().map(|entry| (entry.first_span, entry.outcome)).collect();
        let expected = [Outcome::Acked(2), Outcome::Acked(0), Outcome::Refused(503), Outcome::Unknown];
        assert_eq!(outcomes, [0, 10, 20, 30].into_iter().zip(expected).collect::<Vec<_>>());
    }
}
