//! Moving dots: how often, how fast, how well.

use std::collections::HashMap;

use super::{Focus, Labels, Map, Viewport, edge, viewport::edge_in};
use crate::{
    surface::{Draw, Surface},
    tokens::Token,
};

/// More dots than this are thinned out evenly.
const MOST_DOTS: f64 = 600.0;
/// Calls per second that are shown one dot each; a busier map is scaled down as a whole.
const FULL_RATE: f64 = 4.0;
/// Seconds between two dots, shortest and longest. Source: Kiali's animation timer, slowed for calm.
const DELAYS: (f64, f64) = (0.22, 7.0);

/// The dots on the way. Keep one per map and [`Traffic::advance`] it once a frame; with reduced motion, or while the
/// page is hidden, do neither that nor [`draw_traffic`].
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    lanes: Vec<Lane>,
    keys: Vec<(String, String)>,
}

#[derive(Clone, Debug, Default)]
struct Lane {
    /// Part of the next dot that is due, 0 to 1.
    due: f64,
    /// Part of the next failure that is due, 0 to 1.
    failing: f64,
    /// (distance travelled, is an error), furthest first.
    dots: std::collections::VecDeque<(f64, bool)>,
    filled: bool,
}

impl Traffic {
    /// Number of dots on the way.
    pub fn len(&self) -> usize {
        self.lanes.iter().map(|l| l.dots.len()).sum()
    }

    /// Whether nothing moves.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Moves all dots on by some seconds (at most a tenth: after a pause they go on where they were) and sends new
    /// ones. Lanes follow their edge through a refresh; a new edge starts with its dots already under way.
    pub fn advance(&mut self, map: &Map<'_>, seconds: f64) {
        self.match_lanes(map);
        let seconds = seconds.clamp(0.0, 0.1);
        let delays = delays(map);
        for (i, lane) in self.lanes.iter_mut().enumerate() {
            let (Some(view), Some(route)) = (map.edges.get(i), map.layout.edges.get(i)) else { continue };
            let speed = speed(view.flow.p95_nanos);
            let errors = view.flow.error_ratio;
            if delays[i].is_infinite() {
                lane.dots.clear();
                continue;
            }
            if !std::mem::replace(&mut lane.filled, true) {
                lane.fill(route.length(), speed * delays[i], errors, phase(i));
            }
            lane.step(seconds, speed, delays[i], errors, route.length());
        }
    }

    fn match_lanes(&mut self, map: &Map<'_>) {
        let id = |n: usize| map.layout.nodes.get(n).map(|n| n.id.clone()).unwrap_or_default();
        let same = self.keys.len() == map.layout.ends.len()
            && self.keys.iter().zip(&map.layout.ends).all(|(key, e)| {
                let is = |n: usize, id: &str| map.layout.nodes.get(n).is_some_and(|n| n.id == id);
                is(e.from, &key.0) && is(e.to, &key.1)
            });
        if same {
            return;
        }
        let keys: Vec<(String, String)> = map.layout.ends.iter().map(|e| (id(e.from), id(e.to))).collect();
        let mut old: HashMap<(String, String), Lane> = self.keys.drain(..).zip(self.lanes.drain(..)).collect();
        self.lanes = keys.iter().map(|k| old.remove(k).unwrap_or_default()).collect();
        self.keys = keys;
    }
}

impl Lane {
    fn fill(&mut self, length: f64, gap: f64, errors: f64, phase: f64) {
        self.due = phase;
        self.failing = phase;
        let mut at = length - gap * phase;
        while at > 0.0 {
            let failed = self.next_fails(errors);
            self.dots.push_back((at, failed));
            at -= gap.max(4.0);
        }
    }

    fn step(&mut self, seconds: f64, speed: f64, delay: f64, errors: f64, length: f64) {
        self.dots.iter_mut().for_each(|d| d.0 += speed * seconds);
        while self.dots.front().is_some_and(|d| d.0 > length) {
            self.dots.pop_front();
        }
        self.due += seconds / delay;
        while self.due >= 1.0 {
            self.due -= 1.0;
            let failed = self.next_fails(errors);
            self.dots.push_back((self.due * delay * speed, failed));
        }
    }

    /// Every nth dot fails, evenly: no randomness, so that pictures repeat.
    fn next_fails(&mut self, errors: f64) -> bool {
        self.failing += errors.clamp(0.0, 1.0);
        let fails = self.failing >= 1.0;
        self.failing -= f64::from(u8::from(fails));
        fails
    }
}

/// A start value in 0 to 1 that differs from lane to lane.
fn phase(i: usize) -> f64 {
    (i as f64 * 0.618_033_988_75).fract()
}

/// World units per second: 150 for a millisecond and less, 24 for ten seconds and more, logarithmic between.
fn speed(p95_nanos: Option<f64>) -> f64 {
    let millis = (p95_nanos.unwrap_or(20e6) / 1e6).clamp(1.0, 10_000.0);
    150.0 - 126.0 * millis.log10() / 4.0
}

/// Seconds between dots per edge, infinite for silent ones.
fn delays(map: &Map<'_>) -> Vec<f64> {
    let busiest = map.edges.iter().map(|e| e.flow.rate).fold(0.0, f64::max);
    let scale = if busiest > FULL_RATE { FULL_RATE / busiest } else { 1.0 };
    let delay = |rate: f64| if rate > 0.0 { (1.0 / (rate * scale)).clamp(DELAYS.0, DELAYS.1) } else { f64::INFINITY };
    let delays: Vec<f64> = map.edges.iter().map(|e| delay(e.flow.rate)).collect();
    let expected: f64 = map
        .layout
        .edges
        .iter()
        .zip(map.edges.iter().zip(&delays))
        .map(|(route, (view, delay))| route.length() / (speed(view.flow.p95_nanos) * delay))
        .sum();
    let thin = (expected / MOST_DOTS).max(1.0);
    delays.into_iter().map(|d| d * thin).collect()
}

/// Draws the dots of visible edges: round for success, a red diamond for an error; beneath `labels` none.
pub fn draw_traffic<S: Surface>(
    s: &mut S,
    map: &Map<'_>,
    traffic: &Traffic,
    v: &Viewport,
    focus: &Focus,
    labels: &Labels,
) {
    let window = v.visible(s.size());
    let strengths = map.strengths(focus);
    let k = edge::line_zoom(v.zoom);
    for (i, lane) in traffic.lanes.iter().enumerate() {
        let Some(view) = map.edges.get(i).filter(|_| i < map.layout.edges.len()) else { continue };
        if lane.dots.is_empty() || !edge_in(map, i, window) {
            continue;
        }
        let strength = strengths.edge(i);
        let radius = (1.2 + edge::width(view.flow.rate) * 0.26) * k;
        // One path per lane and outcome: a canvas pays per fill, not per dot.
        for outcome in [false, true] {
            let at = |d: &(f64, bool)| (d.1 == outcome).then(|| v.to_screen(map.layout.edges[i].at(d.0).0));
            let mut places = lane.dots.iter().filter_map(at).filter(|p| !labels.cover(*p)).peekable();
            if places.peek().is_none() {
                continue;
            }
            s.begin();
            for place in places {
                if outcome {
                    add_diamond(s, place, radius * 1.9)
                } else {
                    s.add_ellipse(place.0, place.1, radius, radius)
                }
            }
            s.fill(if outcome { Token::Err.alpha(strength) } else { Token::Text1.alpha(0.85 * strength) });
        }
    }
}

fn add_diamond<S: Surface>(s: &mut S, (x, y): (f64, f64), r: f64) {
    s.move_to(x, y - r);
    s.line_to(x + r, y);
    s.line_to(x, y + r);
    s.line_to(x - r, y);
    s.close();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::tests::shop;

    #[test]
    fn dots_show_rate_and_errors_and_survive_a_refresh() {
        let (layout, nodes, mut edges) = shop();
        let map = Map { layout: &layout, nodes: &nodes, edges: &edges };
        let mut traffic = Traffic::default();
        traffic.advance(&map, 0.016);
        assert!(!traffic.is_empty(), "a new map is already under way");
        for _ in 0..600 {
            traffic.advance(&map, 0.05);
        }
        let busy = traffic.lanes[0].dots.len();
        assert!(busy > traffic.lanes[1].dots.len());
        let sent = 1_000;
        let mut lane = Lane::default();
        let failed = (0..sent).filter(|_| lane.next_fails(0.1)).count();
        assert!((99..=101).contains(&failed), "{failed}");
        let before = traffic.lanes[0].dots.clone();
        edges[1].flow.rate = 0.0;
        let map = Map { layout: &layout, nodes: &nodes, edges: &edges };
        traffic.advance(&map, 0.0);
        assert_eq!(traffic.lanes[0].dots, before);
        assert!(traffic.lanes[1].dots.is_empty());
    }

    #[test]
    fn a_busy_map_has_a_bounded_number_of_dots() {
        let (layout, nodes, mut edges) = shop();
        edges.iter_mut().for_each(|e| e.flow.rate = 1e9);
        let map = Map { layout: &layout, nodes: &nodes, edges: &edges };
        let mut traffic = Traffic::default();
        (0..2_000).for_each(|_| traffic.advance(&map, 0.1));
        assert!(traffic.len() < 700, "{}", traffic.len());
    }
}
