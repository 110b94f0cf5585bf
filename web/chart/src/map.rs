//! Drawing a laid-out service map: nodes by kind, edges by rate and errors, and the traffic on them.
//!
//! Two layers, so that the quiet one can be cached: [`draw_map`] for everything that stands still, [`draw_traffic`]
//! for the dots. Both draw on transparent ground in screen coordinates; a [`Viewport`] says where.
//!
//! The traffic grammar is Kiali's: density of dots is rate, their speed is response time, a diamond is an error.
//! Edge width is the logarithm of the rate. What is healthy is drawn in greys.

mod edge;
mod glyph;
mod label;
mod mark;
mod node;
mod traffic;
mod viewport;

pub use glyph::{draw_kind, draw_status, kind_svg, status_svg};
pub use label::Labels;
pub use mark::{Mark, Tone};
pub use traffic::{Traffic, draw_traffic};
pub use viewport::{Hit, Viewport};

use crate::{
    surface::Surface,
    tokens::Token,
    topology::{Kind, Layout},
    unit::{Unit, grouped},
};

/// Width every node is laid out with. One width for all: the map reads like a table.
pub const NODE_WIDTH: f64 = 152.0;
/// Height every node is laid out with.
pub const NODE_HEIGHT: f64 = 44.0;

/// How a node is doing. Never shown by colour alone: each has its own shape.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Status {
    /// No data, which is not healthy: ○.
    #[default]
    Unknown,
    /// Fine: ●.
    Ok,
    /// Degraded: ▲.
    Warn,
    /// Failing: ◆.
    Err,
}

impl Status {
    /// Colour role of its glyph and text.
    pub fn token(self) -> Token {
        match self {
            Status::Unknown => Token::Unknown,
            Status::Ok => Token::Ok,
            Status::Warn => Token::Warn,
            Status::Err => Token::Err,
        }
    }
}

/// Rate, errors, duration of a node or an edge.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Flow {
    /// Calls per second.
    pub rate: f64,
    /// `rate` is a number of calls: those of one trace.
    pub is_count: bool,
    /// Share of calls that failed, 0 to 1.
    pub error_ratio: f64,
    /// 95th percentile of the duration, nanoseconds.
    pub p95_nanos: Option<f64>,
}

impl Flow {
    /// The rate, or the number of calls, as it is written.
    pub fn calls(&self) -> String {
        if self.is_count {
            format!("×{}", grouped(self.rate as usize))
        } else {
            Unit::PerSecond.format(self.rate).to_string()
        }
    }
}

/// What is written and shown on a node.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct NodeView {
    /// Name; shortened in the middle if too long.
    pub label: String,
    /// Decides shape and glyph.
    pub kind: Kind,
    /// Decides status glyph and, if not fine, the border.
    pub status: Status,
    /// Rate, errors, duration; `None` writes "no data".
    pub flow: Option<Flow>,
    /// How many nodes it stands for, for a [`Kind::Group`].
    pub members: usize,
    /// Stands where the reader put it.
    pub pinned: bool,
    /// What is to be said about it before anything else.
    pub mark: Option<Mark>,
}

/// What is shown on an edge.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct EdgeView {
    /// Rate, errors, duration as the caller saw them.
    pub flow: Flow,
    /// Messages rather than calls: drawn dashed.
    pub is_async: bool,
    /// What is to be said about it before anything else.
    pub mark: Option<Mark>,
}

/// A map to draw: views in the order of the layout's nodes and edges.
#[derive(Clone, Copy, Debug)]
pub struct Map<'a> {
    /// Where everything is.
    pub layout: &'a Layout,
    /// One per node.
    pub nodes: &'a [NodeView],
    /// One per edge.
    pub edges: &'a [EdgeView],
}

/// What the reader looks at.
#[derive(Clone, Debug, Default)]
pub struct Focus {
    /// Under the pointer.
    pub hovered: Option<Hit>,
    /// Chosen by click or keyboard.
    pub selected: Option<Hit>,
    /// Whether the selected node has the keyboard focus (draws the focus ring).
    pub has_keyboard: bool,
    /// If not empty, a search: one flag per node, the others fade.
    pub matching: Vec<bool>,
    /// It is about the marks: what has none fades.
    pub marks_only: bool,
}

/// How strongly to draw what is not in focus.
const FADED: f64 = 0.28;

/// How strongly each node and edge is drawn: full unless a search, the marks or a selection are about others.
struct Strengths {
    nodes: Vec<f64>,
    edges: Vec<f64>,
}

impl Strengths {
    fn node(&self, node: usize) -> f64 {
        self.nodes.get(node).copied().unwrap_or(1.0)
    }

    fn edge(&self, edge: usize) -> f64 {
        self.edges.get(edge).copied().unwrap_or(1.0)
    }
}

impl Map<'_> {
    fn strengths(&self, focus: &Focus) -> Strengths {
        let strength = |full: bool| if full { 1.0 } else { FADED };
        let found = |node: usize| focus.matching.is_empty() || focus.matching.get(node).copied().unwrap_or(true);
        let (about_nodes, about_edges) =
            if focus.marks_only { self.marked(focus.selected) } else { self.related(focus.selected) };
        let ends = |edge: usize| self.layout.ends.get(edge).map_or([usize::MAX; 2], |e| [e.from, e.to]);
        Strengths {
            nodes: about_nodes.into_iter().enumerate().map(|(n, about)| strength(about && found(n))).collect(),
            edges: about_edges
                .into_iter()
                .enumerate()
                .map(|(e, about)| strength(about && ends(e).into_iter().any(found)))
                .collect(),
        }
    }

    /// What carries a mark, and what is chosen.
    fn marked(&self, selected: Option<Hit>) -> (Vec<bool>, Vec<bool>) {
        let is = |hit: Hit| selected == Some(hit);
        let node = |n: usize| is(Hit::Node(n)) || self.nodes.get(n).is_some_and(|view| view.mark.is_some());
        let edge = |e: usize| is(Hit::Edge(e)) || self.edges.get(e).is_some_and(|view| view.mark.is_some());
        ((0..self.layout.nodes.len()).map(node).collect(), (0..self.layout.ends.len()).map(edge).collect())
    }

    /// What is chosen and what it touches; everything if nothing is chosen.
    fn related(&self, selected: Option<Hit>) -> (Vec<bool>, Vec<bool>) {
        let Some(selected) = selected else {
            return (vec![true; self.layout.nodes.len()], vec![true; self.layout.ends.len()]);
        };
        let touches = |e: usize| match selected {
            Hit::Node(node) => self.layout.ends[e].from == node || self.layout.ends[e].to == node,
            Hit::Edge(edge) => edge == e,
        };
        let edges: Vec<bool> = (0..self.layout.ends.len()).map(touches).collect();
        let mut nodes = vec![false; self.layout.nodes.len()];
        for ends in self.layout.ends.iter().zip(&edges).filter(|(_, touches)| **touches).map(|(ends, _)| ends) {
            for node in [ends.from, ends.to] {
                nodes.get_mut(node).into_iter().for_each(|n| *n = true);
            }
        }
        if let Hit::Node(node) = selected {
            nodes.get_mut(node).into_iter().for_each(|n| *n = true);
        }
        (nodes, edges)
    }

    /// Whether an edge is pointed at or chosen, itself or through one of its nodes.
    fn is_lit(&self, edge: usize, focus: &Focus) -> bool {
        let ends = self.layout.ends.get(edge);
        [focus.hovered, focus.selected].into_iter().flatten().any(|hit| match hit {
            Hit::Edge(e) => e == edge,
            Hit::Node(n) => ends.is_some_and(|ends| ends.from == n || ends.to == n),
        })
    }
}

/// Draws edges, nodes and labels: everything but the moving dots. What is outside the surface is skipped.
///
/// Returns where labels are, for [`draw_traffic`] to pass beneath them.
pub fn draw_map<S: Surface>(surface: &mut S, map: &Map<'_>, viewport: &Viewport, focus: &Focus) -> Labels {
    let scene =
        Scene { map, viewport, focus, window: viewport.visible(surface.size()), strengths: map.strengths(focus) };
    edge::draw_edges(surface, &scene);
    for i in 0..map.layout.nodes.len().min(map.nodes.len()) {
        node::draw_node(surface, &scene, i);
    }
    label::draw_labels(surface, &scene)
}

/// One frame.
struct Scene<'a> {
    map: &'a Map<'a>,
    viewport: &'a Viewport,
    focus: &'a Focus,
    window: viewport::Window,
    strengths: Strengths,
}

#[cfg(test)]
mod tests;
