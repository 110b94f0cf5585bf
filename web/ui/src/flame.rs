//! Where many traces spend their time, made ready to be drawn and read: blocks by the time of one trace, colours,
//! changes, and the query that finds the traces behind a path.

use crate::query::quoted;
use orrery_api::{FlameNode, FlameTime, FlameTraces, TraceFlame};
use orrery_chart::flame::{Blocks, SAME};
use orrery_chart::{Ink, Token, Unit};

/// Services with colours of their own.
const COLOURED: usize = 8;
/// Steps of a path that a query names, from its end: more say hardly more.
const STEPS: usize = 6;

/// Paths with their places and names. A path is known by its index in the answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merged {
    /// Their places. Both ranges side by side are as wide as both together, so that what is new and what is gone are
    /// seen as well.
    pub blocks: Blocks,
    flame: TraceFlame,
    inks: Vec<Ink>,
    ids: Vec<u64>,
    /// Nanoseconds of a whole trace, now and before.
    whole: (f64, f64),
}

/// What one trace spends in a path.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Each {
    /// Spans.
    pub count: f64,
    /// Nanoseconds in itself.
    pub own: f64,
    /// Nanoseconds in it and below.
    pub total: f64,
    /// That as part of the time of the whole trace.
    pub share: f64,
}

impl Merged {
    /// Of an answer.
    pub fn new(flame: &TraceFlame) -> Merged {
        let flame = flame.clone();
        let both = |node: &FlameNode| {
            let before = flame.before.zip(node.before).map_or(0.0, |(traces, time)| own(traces, time));
            (node.parent, (own(flame.now, node.now) + before).round() as i64)
        };
        let blocks = Blocks::new(flame.nodes.iter().map(both));
        Merged { blocks, inks: inks(&flame), ids: ids(&flame), whole: whole(&flame), flame }
    }

    /// Number of paths.
    pub fn len(&self) -> usize {
        self.flame.nodes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.flame.nodes.is_empty()
    }

    /// Whether two ranges are side by side.
    pub fn compares(&self) -> bool {
        self.flame.before.is_some()
    }

    /// What an address calls a path: the same as long as the path is.
    pub fn id(&self, at: u32) -> String {
        format!("{:x}", self.ids[at as usize])
    }

    /// The path of an address.
    pub fn find(&self, id: &str) -> Option<u32> {
        let id = u64::from_str_radix(id, 16).ok()?;
        self.ids.iter().position(|known| *known == id).map(|at| at as u32)
    }

    /// Span name; of paths that were added up, how many.
    pub fn name(&self, at: u32) -> Result<&str, u64> {
        let node = &self.flame.nodes[at as usize];
        if node.service.is_some() { Ok(&node.name) } else { Err(node.paths) }
    }

    /// Service name and span kind.
    pub fn service(&self, at: u32) -> Option<(&str, &str)> {
        let node = &self.flame.nodes[at as usize];
        Some((&self.flame.services.get(node.service? as usize)?.name, &node.kind))
    }

    /// The colour of its service.
    pub fn ink(&self, at: u32) -> Ink {
        let service = self.flame.nodes[at as usize].service;
        service.and_then(|service| self.inks.get(service as usize)).copied().unwrap_or(Token::Text3.into())
    }

    /// Whether spans of it failed.
    pub fn failed(&self, at: u32) -> bool {
        self.flame.nodes[at as usize].now.errors > 0.0
    }

    /// Failed spans as part of all.
    pub fn errors(&self, at: u32) -> f64 {
        let now = self.flame.nodes[at as usize].now;
        if now.count > 0.0 { now.errors / now.count } else { 0.0 }
    }

    /// What one trace spends in it now.
    pub fn now(&self, at: u32) -> Each {
        each(self.flame.now, self.flame.nodes[at as usize].now, self.whole.0)
    }

    /// The same in the range compared with.
    pub fn before(&self, at: u32) -> Option<Each> {
        let (traces, time) = self.flame.before.zip(self.flame.nodes[at as usize].before)?;
        Some(each(traces, time, self.whole.1))
    }

    /// By how much a trace spends more time in it than before, as part of the longer of the two traces.
    pub fn change(&self, at: u32) -> Option<f64> {
        let (now, before) = (self.now(at).total, self.before(at)?.total);
        let (whole_now, whole_before) = self.whole;
        Some((now - before) / whole_now.max(whole_before).max(1.0))
    }

    /// The change in words: `+12 ms`; nothing if it is none.
    pub fn changed(&self, at: u32) -> Option<String> {
        let by = self.now(at).total - self.before(at)?.total;
        let sign = if by > 0.0 { '+' } else { '−' };
        (self.change(at)?.abs() >= SAME).then(|| format!("{sign}{}", Unit::Nanos.format(by.abs())))
    }

    /// Which paths are of a service or have a name with these words; nothing to look for finds nothing.
    pub fn search(&self, words: &str) -> Option<Vec<bool>> {
        let words = words.trim().to_lowercase();
        let has = |at: u32| {
            let name = self.name(at).unwrap_or_default().to_lowercase();
            name.contains(&words) || self.service(at).is_some_and(|(name, _)| name.to_lowercase().contains(&words))
        };
        (!words.is_empty()).then(|| (0..self.len() as u32).map(has).collect())
    }

    /// What finds the traces with a path among those that a search finds; `None` for paths that were added up.
    pub fn query(&self, at: u32, spans: &str) -> Option<String> {
        let step = |at: u32| {
            let service = &self.flame.services.get(self.flame.nodes[at as usize].service? as usize)?.name;
            let name = self.name(at).ok()?;
            Some(format!("{{ resource.service.name = {} && span:name = {} }}", quoted(service), quoted(name)))
        };
        let mut steps: Vec<String> = self.blocks.above(at).take(STEPS).map(step).collect::<Option<_>>()?;
        steps.reverse();
        let path = steps.join(" > ");
        let plain = spans.trim();
        let is_all = plain.trim_start_matches('{').trim_end_matches('}').trim().is_empty();
        Some(match (is_all, steps.len()) {
            (true, _) => path,
            (false, 1) => format!("({plain}) && {path}"),
            (false, _) => format!("({plain}) && ({path})"),
        })
    }
}

/// Nanoseconds of a whole trace, now and before.
fn whole(flame: &TraceFlame) -> (f64, f64) {
    let sum = |traces: FlameTraces, time: &dyn Fn(&FlameNode) -> FlameTime| {
        let roots = flame.nodes.iter().filter(|node| node.parent.is_none());
        roots.map(|node| time(node).total_nanos.0 as f64).sum::<f64>() / traces.weight.max(f64::MIN_POSITIVE)
    };
    let before = flame.before.map_or(0.0, |traces| sum(traces, &|node| node.before.unwrap_or_default()));
    (sum(flame.now, &|node| node.now), before)
}

fn own(traces: FlameTraces, time: FlameTime) -> f64 {
    time.self_nanos.0 as f64 / traces.weight.max(f64::MIN_POSITIVE)
}

fn each(traces: FlameTraces, time: FlameTime, whole: f64) -> Each {
    let weight = traces.weight.max(f64::MIN_POSITIVE);
    let total = time.total_nanos.0 as f64 / weight;
    let share = if whole > 0.0 { total / whole } else { 0.0 };
    Each { count: time.count / weight, own: time.self_nanos.0 as f64 / weight, total, share }
}

/// Colours for the services with most time of their own.
fn inks(flame: &TraceFlame) -> Vec<Ink> {
    let mut time = vec![0_i64; flame.services.len()];
    for node in &flame.nodes {
        if let Some(time) = node.service.and_then(|service| time.get_mut(service as usize)) {
            *time = time
                .saturating_add(node.now.self_nanos.0)
                .saturating_add(node.before.map_or(0, |time| time.self_nanos.0));
        }
    }
    let mut order: Vec<usize> = (0..time.len()).collect();
    order.sort_by_key(|service| (std::cmp::Reverse(time[*service]), &flame.services[*service].id));
    let mut inks = vec![Ink::from(Token::Text3); time.len()];
    order
        .into_iter()
        .take(COLOURED)
        .enumerate()
        .for_each(|(place, service)| inks[service] = Token::series(place).into());
    inks
}

/// A hash of each path (FNV-1a), the same in every answer.
fn ids(flame: &TraceFlame) -> Vec<u64> {
    let mut ids: Vec<u64> = Vec::with_capacity(flame.nodes.len());
    for node in &flame.nodes {
        let service =
            node.service.and_then(|service| flame.services.get(service as usize)).map_or("", |service| &service.id);
        let mut hash = node.parent.map_or(0xcbf2_9ce4_8422_2325, |parent| ids[parent as usize]);
        for byte in [service, &node.name, &node.kind].into_iter().flat_map(|text| text.bytes().chain([0])) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        ids.push(hash);
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use orrery_api::{Nanos, ServiceRef};

    const MS: i64 = 1_000_000;

    fn time(count: f64, own: i64, total: i64) -> FlameTime {
        FlameTime { count, errors: 0.0, self_nanos: Nanos(own * MS), total_nanos: Nanos(total * MS) }
    }

    /// Two traces now, four before; the second call is new, the first became faster.
    fn flame() -> TraceFlame {
        let service = |name: &str| ServiceRef { id: name.into(), name: name.into(), ..ServiceRef::default() };
        let node = |parent, service: u32, name: &str, now, before| FlameNode {
            parent,
            service: Some(service),
            name: name.into(),
            kind: "server".into(),
            paths: 1,
            now,
            before: Some(before),
        };
        TraceFlame {
            now: FlameTraces { traces: 2, weight: 2.0, candidates: 2 },
            before: Some(FlameTraces { traces: 4, weight: 4.0, candidates: 4 }),
            services: vec![service("shop"), service("bank \"x\"")],
            nodes: vec![
                node(None, 0, "GET /", time(2.0, 20, 100), time(4.0, 40, 160)),
                node(Some(0), 1, "pay", time(2.0, 20, 20), time(4.0, 120, 120)),
                node(Some(0), 1, "check", time(2.0, 60, 60), time(0.0, 0, 0)),
                FlameNode { parent: Some(0), paths: 7, before: Some(FlameTime::default()), ..FlameNode::default() },
            ],
            ..TraceFlame::default()
        }
    }

    #[test]
    fn times_are_those_of_one_trace() {
        let merged = Merged::new(&flame());
        let now = merged.now(1);
        assert_eq!((now.count, now.total, now.share), (1.0, 10.0 * MS as f64, 0.2));
        assert_eq!(merged.before(1).unwrap().total, 30.0 * MS as f64);
        assert_eq!(
            [0, 1, 2].map(|at| merged.changed(at).unwrap()),
            ["+10\u{2009}ms", "−20\u{2009}ms", "+30\u{2009}ms"]
        );
        assert_eq!(merged.change(0), Some(0.2));
        assert_eq!((merged.blocks.total(0), merged.blocks.total(2)), (90 * MS, 30 * MS), "as wide as both");
        assert_eq!((merged.name(3), merged.changed(3)), (Err(7), None));
    }

    #[test]
    fn a_path_is_found_again_and_asked_for() {
        let merged = Merged::new(&flame());
        for at in 0..4 {
            assert_eq!(merged.find(&merged.id(at)), Some(at));
        }
        let mut other = flame();
        other.nodes.swap_remove(1);
        assert_eq!(Merged::new(&other).id(0), merged.id(0));
        let root = r#"{ resource.service.name = "shop" && span:name = "GET /" }"#;
        let pay = r#"{ resource.service.name = "bank \"x\"" && span:name = "pay" }"#;
        assert_eq!(merged.query(0, "{ }").unwrap(), root);
        assert_eq!(merged.query(1, "").unwrap(), format!("{root} > {pay}"));
        let narrowed = merged.query(1, "{ status = error } | count() > 2").unwrap();
        assert_eq!(narrowed, format!("({{ status = error }} | count() > 2) && ({root} > {pay})"));
        for query in [merged.query(0, "{ kind = server }").unwrap(), narrowed] {
            assert!(crate::traceql::read(&query).problem.is_none(), "{query}");
        }
        assert_eq!(merged.query(3, "{ }"), None);
        assert_eq!(merged.search("BANK").unwrap(), [false, true, true, false]);
        assert_eq!(merged.search(" "), None);
    }
}
