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
mod node;
mod traffic;
mod viewport;

pub use glyph::{draw_kind, draw_status, kind_svg, status_svg};
pub use label::Labels;
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
}

/// What is shown on an edge.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct EdgeView {
    /// Rate, errors, duration as the caller saw them.
    pub flow: Flow,
    /// Messages rather than calls: drawn dashed.
    pub is_async: bool,
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
}

/// How strongly to draw what is not in focus.
const FADED: f64 = 0.28;

impl Map<'_> {
    /// Opacity of a node: full unless a search or a selection is about others.
    fn node_strength(&self, node: usize, focus: &Focus) -> f64 {
        let found = focus.matching.is_empty() || focus.matching.get(node).copied().unwrap_or(true);
        let related = match focus.selected {
            None => true,
            Some(Hit::Node(selected)) => {
                node == selected
                    || self
                        .layout
                        .ends
                        .iter()
                        .any(|e| (e.from, e.to) == (selected, node) || (e.from, e.to) == (node, selected))
            }
            Some(Hit::Edge(edge)) => self.layout.ends.get(edge).is_some_and(|e| e.from == node || e.to == node),
        };
        if found && related { 1.0 } else { FADED }
    }

    fn edge_strength(&self, edge: usize, focus: &Focus) -> f64 {
        let Some(ends) = self.layout.ends.get(edge) else { return 0.0 };
        let related = match focus.selected {
            None => true,
            Some(Hit::Node(node)) => ends.from == node || ends.to == node,
            Some(Hit::Edge(selected)) => selected == edge,
        };
        let found = focus.matching.is_empty()
            || [ends.from, ends.to].iter().any(|n| focus.matching.get(*n).copied().unwrap_or(true));
        if found && related { 1.0 } else { FADED }
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
    let visible = viewport.visible(surface.size());
    edge::draw_edges(surface, map, viewport, focus, visible);
    for i in 0..map.layout.nodes.len().min(map.nodes.len()) {
        node::draw_node(surface, map, i, viewport, focus, visible);
    }
    label::draw_labels(surface, map, viewport, focus, visible)
}

#[cfg(test)]
mod tests;
