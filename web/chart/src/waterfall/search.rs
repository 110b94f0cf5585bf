//! Search in a trace. What matches is a matter of words, of which there are few, not of spans.

use super::Waterfall;

/// Spans whose operation or service contains a text, ignoring case, or whose id it is.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Found {
    names: Vec<bool>,
    services: Vec<bool>,
    id: Option<u64>,
    /// How many.
    pub count: usize,
}

impl Found {
    /// Whether a span is among them.
    pub fn has(&self, waterfall: &Waterfall, span: u32) -> bool {
        let span = waterfall.span(span);
        let is = |words: &[bool], word: u32| words.get(word as usize).copied().unwrap_or(false);
        is(&self.names, span.name) || is(&self.services, span.service) || self.id == Some(span.id)
    }
}

impl Waterfall {
    /// Spans that contain the text; `None` for an empty text.
    pub fn search(&self, text: &str) -> Option<Found> {
        let text = text.trim().to_lowercase();
        if text.is_empty() {
            return None;
        }
        let matching = |words: &[String]| words.iter().map(|word| word.to_lowercase().contains(&text)).collect();
        let id = if text.len() == 16 { u64::from_str_radix(&text, 16).ok() } else { None };
        let found = Found { names: matching(&self.names), services: matching(&self.services), id, count: 0 };
        let count = (0..self.len() as u32).filter(|span| found.has(self, *span)).count();
        Some(Found { count, ..found })
    }

    /// The next span found after one, in tree order, going round.
    pub fn next_found(&self, found: &Found, after: Option<u32>) -> Option<u32> {
        self.next(after, |span| found.has(self, span))
    }
}
