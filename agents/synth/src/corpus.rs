//! Requests made once and sent again and again: only ids, times and numbers are new, written in place. That costs next to
//! nothing, so that a bench measures the receiver and not the sender.

pub(crate) mod known;
mod places;
mod series;

use crate::shape::Kind;
use crate::wire::Signal;
use crate::{Request, Shape, Synth};
use places::Places;

/// Requests to send in rounds.
#[derive(Debug)]
pub struct Corpus {
    kind: Kind,
    templates: Vec<Template>,
    /// A piece of a trace that is too large for one request.
    monster: Option<Template>,
    items: u64,
    end_unix_nano: u64,
}

#[derive(Debug)]
struct Template {
    body: Vec<u8>,
    items: u64,
    places: Places,
}

/// What is in a request.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// The message, uncompressed.
    pub body: Vec<u8>,
    /// How many spans, log records or data points.
    pub items: u64,
}

/// How a template becomes a request.
struct Change {
    trace_mask: u64,
    span_mask: u64,
    /// Of the parent of a monster's piece; 0 for none.
    parent: u64,
    first_item: u64,
    round: u64,
    shift_nanos: u64,
}

/// Spans of the monsters, and which piece of ten belongs to which.
const MONSTERS: [u64; 3] = [1_000_000, 100_000, 10_000];
const PIECES: [usize; 10] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 2];
/// Spans of a monster's piece.
const PIECE: u64 = 500;
/// One request in so many is a monster's.
const MONSTER_EVERY: u64 = 4;
const SECOND: u64 = 1_000_000_000;

impl Corpus {
    /// At least `items` items of a shape, in whole traces, as if they came at `items_per_second`.
    pub fn new(shape: Shape, seed: u64, items: u64, items_per_second: f64) -> Corpus {
        const START: u64 = 1_700_000_000_000_000_000;
        let kind = shape.kind;
        let mut corpus = Corpus { kind, templates: Vec::new(), monster: None, items: 0, end_unix_nano: START };
        match kind {
            Kind::Logs => series::logs(&mut corpus, seed, items, START),
            Kind::Metrics => series::metrics(&mut corpus, seed, items, START),
            _ => {
                // Traces of T1 have 17 spans in the mean; the exact rate does not matter.
                let interval = (17.0 * 1e9 / items_per_second) as u64;
                let monster = (kind == Kind::Monsters).then(|| monster(&shape, seed, START));
                let mut synth = Synth::new(shape, seed, START, interval);
                while let Some(mut request) =
                    if corpus.items < items { Some(synth.next_request()) } else { synth.next_of(synth.traces()) }
                {
                    if kind == Kind::Late {
                        lose_some(&mut request);
                    }
                    corpus.push(request.body(), request.spans);
                }
                corpus.end_unix_nano += synth.traces() * interval;
                corpus.monster = monster;
            }
        }
        corpus
    }

    fn push(&mut self, body: Vec<u8>, items: u64) {
        self.items += items;
        self.templates.push(Template { items, places: Places::find(self.signal(), &body), body });
    }

    /// Whether every number gives a request of its own with nothing left out, so that what was sent is known.
    pub(crate) fn is_plain(&self) -> bool {
        self.kind == Kind::Traces
    }

    /// What requests carry.
    pub fn signal(&self) -> Signal {
        self.kind.signal()
    }

    /// Requests of one round.
    pub fn requests(&self) -> u64 {
        self.templates.len() as u64
    }

    /// Items of one round.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Items of the first `requests` requests, over all rounds; near enough for a schedule when some are monsters or late.
    pub fn items_of(&self, requests: u64) -> u64 {
        let rest = (requests % self.requests()) as usize;
        requests / self.requests() * self.items + self.templates[..rest].iter().map(|one| one.items).sum::<u64>()
    }

    /// A request by number, as if its round ended at `now_unix_nano`. A number gives the same ids every time, and no
    /// other number does (unless the shape sends duplicates).
    pub fn request(&self, number: u64, now_unix_nano: u64) -> Fresh {
        let (template, change) = self.plan(number, now_unix_nano);
        Fresh { body: template.places.write(&template.body, &change), items: template.items }
    }

    /// Trace and span id of every span in a request; nothing for other signals.
    pub fn spans(&self, number: u64) -> impl Iterator<Item = (u128, u64)> + '_ {
        let (template, change) = self.plan(number, 0);
        let ids = template.places.spans.iter();
        ids.map(move |(trace, span)| (trace ^ u128::from(change.trace_mask), span ^ change.span_mask))
    }

    /// One of the traces in a request, without making it.
    pub fn trace_id(&self, number: u64) -> u128 {
        self.spans(number).last().map_or(0, |(trace, _)| trace)
    }

    fn plan(&self, number: u64, now_unix_nano: u64) -> (&Template, Change) {
        let number = self.original(number);
        if let Some(monster) = self.monster.as_ref().filter(|_| number % MONSTER_EVERY == MONSTER_EVERY - 1) {
            return (monster, self.piece(monster, number / MONSTER_EVERY, now_unix_nano));
        }
        let template = &self.templates[(number % self.requests()) as usize];
        let round = number / self.requests();
        let mut shift_nanos = now_unix_nano.wrapping_sub(self.end_unix_nano);
        if self.kind == Kind::Late {
            let late = mix(number).is_multiple_of(20).then(|| SECOND * (60 + mix(number + 1) % 3540));
            let skew = template.places.origin % (4 * SECOND);
            shift_nanos = shift_nanos.wrapping_add(skew).wrapping_sub(2 * SECOND + late.unwrap_or(0));
        }
        let (mask, first_item) = (mask(round), self.items_of(number));
        (template, Change { trace_mask: mask, span_mask: mask, parent: 0, first_item, round, shift_nanos })
    }

    /// A number that repeats the request before it says whose it is.
    fn original(&self, number: u64) -> u64 {
        if self.kind == Kind::Late && mix(number).is_multiple_of(200) { number.saturating_sub(1) } else { number }
    }

    /// Each piece hangs below the piece before: a deep trace, whose first piece is its root.
    fn piece(&self, monster: &Template, at: u64, now_unix_nano: u64) -> Change {
        let class = PIECES[(at % 10) as usize];
        let pieces_in_ten = PIECES.iter().filter(|one| **one == class).count() as u64;
        let at = at / 10 * pieces_in_ten + if class == 0 { at % 10 } else { 0 };
        let pieces = MONSTERS[class] / PIECE;
        let key = |at: u64| mix((class as u64 + 1) << 56 | at);
        let root = monster.places.spans.last().map_or(0, |(_, span)| *span);
        Change {
            trace_mask: key((1 << 48) | (at / pieces)),
            span_mask: key(at),
            parent: if at.is_multiple_of(pieces) { 0 } else { root ^ key(at - 1) },
            first_item: 0,
            round: 0,
            shift_nanos: now_unix_nano.wrapping_sub(self.end_unix_nano),
        }
    }
}

/// One trace of [`PIECE`] spans whose root has a parent that can be written.
fn monster(shape: &Shape, seed: u64, start: u64) -> Template {
    let size = PIECE as usize;
    let shape = Shape { median_spans: PIECE as f64, spread: 0.0, max_spans: size, ..shape.clone() };
    let mut synth = Synth::new(shape, seed ^ 1, start, SECOND);
    let body = synth.next_whole(|spans| spans.last_mut().expect("spans").parent_span_id = vec![0; 8]);
    Template { items: PIECE, places: Places::find(Signal::Traces, &body), body }
}

/// Every hundredth span never comes.
fn lose_some(request: &mut Request) {
    let (mut at, seq) = (0, request.seq);
    for scope in request.message.resource_spans.iter_mut().flat_map(|group| &mut group.scope_spans) {
        scope.spans.retain(|_| {
            at += 1;
            at == 1 || !mix(seq << 20 | at).is_multiple_of(100)
        });
        request.spans = scope.spans.len() as u64;
    }
}

/// Differs between any two rounds; nothing in the first.
fn mask(round: u64) -> u64 {
    round.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Splitmix64: as good as random, and the same every time.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests;
