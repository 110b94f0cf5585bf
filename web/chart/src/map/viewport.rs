//! Panning, zooming, and what is under a point.

use super::Map;
use crate::topology::{Layout, Placed};

/// What a point is on; indices into the layout.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Hit {
    /// A node.
    Node(usize),
    /// An edge.
    Edge(usize),
}

/// Which part of the world is on screen: `screen = (world - origin) × zoom`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Viewport {
    /// World x at the left edge of the screen.
    pub x: f64,
    /// World y at the upper edge of the screen.
    pub y: f64,
    /// Screen pixels per world unit.
    pub zoom: f64,
}

impl Default for Viewport {
    fn default() -> Viewport {
        Viewport { x: 0.0, y: 0.0, zoom: 1.0 }
    }
}

/// World rectangle: left, top, right, bottom.
pub(crate) type Window = (f64, f64, f64, f64);

impl Viewport {
    /// Smallest and largest zoom reachable with [`Viewport::zoom_at`].
    pub const ZOOMS: (f64, f64) = (0.08, 3.0);

    /// The whole map centred in a screen of this size with a margin, at most at zoom 1.15, so that a small map
    /// does not shout.
    pub fn fit(layout: &Layout, (width, height): (f64, f64), margin: f64) -> Viewport {
        let (left, top, right, bottom) = layout.bounds;
        let (w, h) = ((right - left).max(1.0), (bottom - top).max(1.0));
        let room = |size: f64| (size - 2.0 * margin).max(1.0);
        let zoom = (room(width) / w).min(room(height) / h).clamp(Self::ZOOMS.0, 1.15);
        Viewport { x: (left + right - width / zoom) / 2.0, y: (top + bottom - height / zoom) / 2.0, zoom }
    }

    /// Screen position of a world point.
    pub fn to_screen(&self, (x, y): (f64, f64)) -> (f64, f64) {
        ((x - self.x) * self.zoom, (y - self.y) * self.zoom)
    }

    /// World position of a screen point.
    pub fn to_world(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (x / self.zoom + self.x, y / self.zoom + self.y)
    }

    /// Moved with the pointer by screen pixels.
    pub fn pan(self, dx: f64, dy: f64) -> Viewport {
        Viewport { x: self.x - dx / self.zoom, y: self.y - dy / self.zoom, ..self }
    }

    /// Zoomed by a factor with the world under a screen point staying there.
    pub fn zoom_at(self, screen: (f64, f64), factor: f64) -> Viewport {
        let zoom = (self.zoom * factor).clamp(Self::ZOOMS.0, Self::ZOOMS.1);
        let (x, y) = self.to_world(screen);
        Viewport { x: x - screen.0 / zoom, y: y - screen.1 / zoom, zoom }
    }

    /// The same zoom with a node in the middle of a screen of this size.
    pub fn centered_on(self, node: &Placed, (width, height): (f64, f64)) -> Viewport {
        let (x, y) = node.center();
        Viewport { x: x - width / 2.0 / self.zoom, y: y - height / 2.0 / self.zoom, ..self }
    }

    /// The same zoom with no more than a margin of nothing beside the map, as long as it fills the screen; in the middle
    /// in the direction in which it does not.
    pub fn within(self, layout: &Layout, (width, height): (f64, f64), margin: f64) -> Viewport {
        let (left, top, right, bottom) = layout.bounds;
        let margin = margin / self.zoom;
        let place = |at: f64, size: f64, from: f64, to: f64| {
            let (first, last) = (from - margin, to + margin - size / self.zoom);
            if first < last { at.clamp(first, last) } else { (first + last) / 2.0 }
        };
        Viewport { x: place(self.x, width, left, right), y: place(self.y, height, top, bottom), ..self }
    }

    /// On the way to another view: `share` 0 is `self`, 1 is `to`.
    pub fn tween(self, to: Viewport, share: f64) -> Viewport {
        let mix = |a: f64, b: f64| a + (b - a) * share;
        Viewport { x: mix(self.x, to.x), y: mix(self.y, to.y), zoom: mix(self.zoom, to.zoom) }
    }

    /// The node, else the edge, under a screen point. Nodes are at least 24 px and edges 12 px wide to the pointer,
    /// however small they are drawn.
    pub fn hit(&self, layout: &Layout, screen: (f64, f64)) -> Option<Hit> {
        let p = self.to_world(screen);
        let slack = |size: f64| ((24.0 / self.zoom - size) / 2.0).max(0.0);
        let inside = |n: &&(usize, &Placed)| {
            let (sx, sy) = (slack(n.1.width), slack(n.1.height));
            (n.1.x - sx..=n.1.x + n.1.width + sx).contains(&p.0)
                && (n.1.y - sy..=n.1.y + n.1.height + sy).contains(&p.1)
        };
        let away = |n: &Placed| (n.center().0 - p.0).hypot(n.center().1 - p.1);
        let nodes: Vec<(usize, &Placed)> = layout.nodes.iter().enumerate().collect();
        let nearest = nodes.iter().filter(inside).min_by(|a, b| away(a.1).total_cmp(&away(b.1)));
        if let Some((node, _)) = nearest {
            return Some(Hit::Node(*node));
        }
        let near = layout.edges.iter().map(|e| e.distance_to(p)).enumerate().filter(|e| e.1 * self.zoom <= 6.0);
        near.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(edge, _)| Hit::Edge(edge))
    }

    /// The world on a screen of this size.
    pub(crate) fn visible(&self, (width, height): (f64, f64)) -> Window {
        let (left, top) = self.to_world((0.0, 0.0));
        let (right, bottom) = self.to_world((width, height));
        (left, top, right, bottom)
    }
}

/// Whether a node reaches into a window.
pub(crate) fn node_in(node: &Placed, window: Window) -> bool {
    node.x < window.2 && node.x + node.width > window.0 && node.y < window.3 && node.y + node.height > window.1
}

/// Whether an edge's bounding box reaches into a window.
pub(crate) fn edge_in(map: &Map<'_>, edge: usize, window: Window) -> bool {
    let mut points = map.layout.edges[edge].points();
    let Some(first) = points.next() else { return false };
    let b = points
        .fold((first.0, first.1, first.0, first.1), |b, p| (b.0.min(p.0), b.1.min(p.1), b.2.max(p.0), b.3.max(p.1)));
    b.0 <= window.2 && b.2 >= window.0 && b.1 <= window.3 && b.3 >= window.1
}
