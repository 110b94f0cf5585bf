//! What was sent, and the best that became of each request: sets, so that a test can say afterwards what must be there.

use crate::corpus::Corpus;
use crate::wire::{Connection, Outcome, Transport};
use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Requests by number.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    best: BTreeMap<u64, Outcome>,
    /// Answers that refused, by status: a request sent again may have several.
    pub refusals: BTreeMap<u16, u64>,
}

/// What an audit looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Traces looked up.
    pub traces: u64,
    /// Spans found in them.
    pub spans: u64,
}

impl Ledger {
    /// A request goes out.
    pub fn sent(&mut self, number: u64) {
        self.best.entry(number).or_insert(Outcome::Unknown);
    }

    /// What became of it this time.
    pub fn ended(&mut self, number: u64, outcome: Outcome) {
        if let Outcome::Refused(status, _) = outcome {
            *self.refusals.entry(status).or_default() += 1;
        }
        let best = self.best.entry(number).or_insert(outcome);
        if !matches!(best, Outcome::Acked(_)) {
            *best = outcome;
        }
    }

    /// Everything another ledger has.
    pub fn merge(&mut self, other: Ledger) {
        other.best.into_iter().for_each(|(number, outcome)| {
            let best = self.best.entry(number).or_insert(outcome);
            if !matches!(best, Outcome::Acked(_)) {
                *best = outcome;
            }
        });
        other.refusals.into_iter().for_each(|(status, count)| *self.refusals.entry(status).or_default() += count);
    }

    /// Requests sent.
    pub fn requests(&self) -> u64 {
        self.best.len() as u64
    }

    /// Requests whose outcome nobody knows.
    pub fn unknown(&self) -> u64 {
        self.best.values().filter(|outcome| **outcome == Outcome::Unknown).count() as u64
    }

    /// Looks up every `every`th trace through the API at `url` and compares the sets: what was acknowledged is there, what
    /// is there was sent, nothing is there twice.
    ///
    /// # Errors
    /// A span is missing, was never sent, or is there twice; the trace and the span are named.
    pub async fn audit(&self, corpus: &Corpus, url: &str, every: usize) -> Result<Audit> {
        let mut traces: BTreeMap<u128, HashMap<u64, bool>> = BTreeMap::new();
        for (&number, outcome) in &self.best {
            // Trace ids are random. Whoever is asked about few need not remember all.
            let looked_up =
                |(trace, _): &(u128, u64)| every <= 1 || ((trace >> 64) as u64).is_multiple_of(every as u64);
            for (trace, span) in corpus.spans(number).filter(looked_up) {
                *traces.entry(trace).or_default().entry(span).or_default() |= *outcome == Outcome::Acked(0);
            }
        }
        let (mut connection, mut audit) = (Connection::new(url, Transport::Http)?, Audit::default());
        for (trace, sent) in &traces {
            let answer = connection.get(&format!("/api/v1/traces/{trace:032x}")).await?;
            ensure!(matches!(answer.status, 200 | 404), "{answer:?}");
            let answer: serde_json::Value = serde_json::from_slice(&answer.body)?;
            let found = answer["spans"].as_array().map_or(&[][..], Vec::as_slice);
            let ids = found.iter().map(|span| {
                let id = span["span_id"].as_str().context("span_id")?;
                Ok(u64::from_str_radix(id, 16)?)
            });
            let ids = ids.collect::<Result<Vec<u64>>>()?;
            let distinct: BTreeSet<u64> = ids.iter().copied().collect();
            ensure!(distinct.len() == ids.len(), "trace {trace:032x} has a span twice");
            let lost = sent.iter().find(|(span, is_acked)| **is_acked && !distinct.contains(span));
            if let Some((span, _)) = lost {
                bail!("span {span:016x} of trace {trace:032x} was acknowledged and is not there");
            }
            if let Some(span) = distinct.iter().find(|span| !sent.contains_key(span)) {
                bail!("span {span:016x} of trace {trace:032x} was never sent");
            }
            audit.traces += 1;
            audit.spans += distinct.len() as u64;
        }
        Ok(audit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_that_became_of_a_request_counts() {
        let mut ledger = Ledger::default();
        (0..4).for_each(|number| ledger.sent(number));
        ledger.ended(0, Outcome::Refused(503, None));
        ledger.ended(0, Outcome::Acked(2));
        ledger.ended(0, Outcome::Refused(503, None));
        ledger.ended(1, Outcome::Refused(429, None));
        let mut other = Ledger::default();
        other.ended(1, Outcome::Acked(0));
        other.ended(2, Outcome::Refused(503, None));
        ledger.merge(other);
        let best: Vec<_> = ledger.best.values().copied().collect();
        assert_eq!(best, [Outcome::Acked(2), Outcome::Acked(0), Outcome::Refused(503, None), Outcome::Unknown]);
        assert_eq!((ledger.requests(), ledger.unknown()), (4, 1));
        assert_eq!(ledger.refusals, BTreeMap::from([(429, 1), (503, 3)]));
    }
}
