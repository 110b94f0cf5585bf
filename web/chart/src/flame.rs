//! Blocks as wide as what was spent in them, each below the one it is part of: what flame graphs are drawn of.

use crate::surface::{Draw, Stroke, Surface, TextStyle, fit_text};
use crate::tokens::{Ink, Token};
use std::borrow::Cow;

/// No block.
const NONE: u32 = u32::MAX;
/// Height of a block with its gap.
pub const BLOCK_HEIGHT: f64 = 20.0;
/// Blocks narrower than this are not drawn, nor what is below them: that bounds the cost by pixels.
const LEAST_WIDTH: f64 = 0.7;
/// Blocks narrower than this have no name.
const NAMED: f64 = 28.0;

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Block {
    depth: u32,
    /// What was spent in it and below.
    total: i64,
    /// Where it begins, from the left edge of all.
    from: i64,
    parent: u32,
    first_child: u32,
    next: u32,
}

/// Blocks in their places, known by their index.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Blocks {
    blocks: Vec<Block>,
    roots: Vec<u32>,
}

impl Blocks {
    /// Puts blocks in their places, children from the left edge of their parent in their own order. Each is its parent's
    /// index and what was spent in itself; parents come before their children.
    pub fn new(blocks: impl IntoIterator<Item = (Option<u32>, i64)>) -> Blocks {
        let mut placed = Blocks::default();
        for (parent, own) in blocks {
            placed.add(parent.unwrap_or(NONE), own);
        }
        placed.sum_up();
        placed.place();
        placed
    }

    /// Number of levels.
    pub fn levels(&self) -> u32 {
        self.blocks.iter().map(|block| block.depth + 1).max().unwrap_or(0)
    }

    /// Steps from the root.
    pub fn depth(&self, at: u32) -> u32 {
        self.blocks[at as usize].depth
    }

    /// What was spent in it and below.
    pub fn total(&self, at: u32) -> i64 {
        self.blocks[at as usize].total
    }

    /// What it is part of.
    pub fn parent(&self, at: u32) -> Option<u32> {
        some(self.blocks[at as usize].parent)
    }

    /// Its parts, from left to right; of nothing, the outermost blocks.
    pub fn children(&self, at: Option<u32>) -> Vec<u32> {
        let Some(at) = at else { return self.roots.clone() };
        let first = some(self.blocks[at as usize].first_child);
        std::iter::successors(first, |at| some(self.blocks[*at as usize].next)).collect()
    }

    /// The block, what it is part of, and so on.
    pub fn above(&self, at: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(Some(at), |at| self.parent(*at))
    }

    fn add(&mut self, parent: u32, own: i64) {
        let depth = if parent == NONE { 0 } else { self.blocks[parent as usize].depth + 1 };
        if parent == NONE {
            self.roots.push(self.blocks.len() as u32);
        }
        self.blocks.push(Block { depth, total: own, from: 0, parent, first_child: NONE, next: NONE });
    }

    fn sum_up(&mut self) {
        for at in (0..self.blocks.len()).rev() {
            let Block { total, parent, .. } = self.blocks[at];
            if parent != NONE {
                let above = &mut self.blocks[parent as usize];
                above.total = above.total.saturating_add(total);
                let first = std::mem::replace(&mut above.first_child, at as u32);
                self.blocks[at].next = first;
            }
        }
    }

    fn place(&mut self) {
        let mut ends: Vec<i64> = vec![0; self.blocks.len()];
        let mut end = 0_i64;
        for at in 0..self.blocks.len() {
            let Block { parent, total, .. } = self.blocks[at];
            let edge = if parent == NONE { &mut end } else { &mut ends[parent as usize] };
            self.blocks[at].from = *edge;
            *edge = edge.saturating_add(total);
            ends[at] = self.blocks[at].from;
        }
    }

    fn whole(&self) -> (i64, i64) {
        let roots = self.roots.iter().map(|at| &self.blocks[*at as usize]);
        (0, roots.map(|block| block.from.saturating_add(block.total)).max().unwrap_or(0).max(1))
    }
}

fn some(at: u32) -> Option<u32> {
    (at != NONE).then_some(at)
}

/// What of the blocks is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FlameView {
    /// The block that fills the width; everything if none.
    pub focus: Option<u32>,
    /// Pixels scrolled down.
    pub scroll: f64,
    /// Width and height.
    pub size: (f64, f64),
}

impl FlameView {
    fn range(&self, blocks: &Blocks) -> (i64, i64) {
        let focused = self.focus.and_then(|at| blocks.blocks.get(at as usize));
        focused.map_or(blocks.whole(), |block| (block.from, block.from + block.total.max(1)))
    }

    /// Calls with every block on screen: index, left, top, width.
    fn each(&self, blocks: &Blocks, mut each: impl FnMut(u32, f64, f64, f64)) {
        let (from, to) = self.range(blocks);
        let scale = self.size.0 / (to - from) as f64;
        let mut stack = blocks.roots.clone();
        while let Some(at) = stack.pop() {
            let block = &blocks.blocks[at as usize];
            let (x0, x1) = ((block.from - from) as f64 * scale, (block.from - from + block.total) as f64 * scale);
            let (x0, x1) = (x0.max(0.0), x1.min(self.size.0));
            if x1 - x0 < LEAST_WIDTH {
                continue;
            }
            let top = f64::from(block.depth) * BLOCK_HEIGHT - self.scroll;
            if top > self.size.1 {
                continue;
            }
            if top + BLOCK_HEIGHT > 0.0 {
                each(at, x0, top, x1 - x0);
            }
            let mut child = block.first_child;
            while child != NONE {
                stack.push(child);
                child = blocks.blocks[child as usize].next;
            }
        }
    }

    /// The block under a point.
    pub fn hit(&self, blocks: &Blocks, (x, y): (f64, f64)) -> Option<u32> {
        let mut found = None;
        self.each(blocks, |at, left, top, width| {
            if (left..left + width).contains(&x) && (top..top + BLOCK_HEIGHT).contains(&y) {
                found = Some(at);
            }
        });
        found
    }
}

/// How a block looks.
#[derive(Clone, Debug)]
pub struct Look<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// What it is known by at its left edge.
    pub edge: Ink,
    /// What fills it.
    pub fill: Ink,
    /// Whether something in it failed.
    pub failed: bool,
    /// Whether something else is looked for.
    pub faded: bool,
}

/// Draws the blocks on screen; `hovered` is marked.
pub fn draw_blocks<'a, S: Surface>(
    s: &mut S,
    blocks: &Blocks,
    view: &FlameView,
    hovered: Option<u32>,
    look: impl Fn(u32) -> Look<'a>,
) {
    let style = TextStyle::new(Token::Text1, 11.0, 500);
    view.each(blocks, |at, x, y, width| {
        let Look { name, edge, fill, failed, faded } = look(at);
        let (inner, height) = ((width - 1.0).max(LEAST_WIDTH), BLOCK_HEIGHT - 2.0);
        let strength = if faded { 0.35 } else { 1.0 };
        let fill = if hovered == Some(at) {
            fill.fade(1.7_f64.min(0.6 / fill.opacity().max(0.01)))
        } else {
            fill.fade(strength)
        };
        s.fill_rect(x, y, inner, height, fill);
        s.fill_rect(x, y, inner.min(3.0), height, edge.fade(strength));
        if failed {
            s.fill_rect(x, y + height - 2.0, inner, 2.0, Token::Err);
        }
        if hovered == Some(at) {
            s.rect_path(x + 0.5, y + 0.5, (inner - 1.0).max(0.0), height - 1.0);
            s.stroke(&Stroke::new(Token::Text2, 1.0));
        }
        if width >= NAMED {
            let text = fit_text(s, &name, width - 14.0, &style);
            let ink = if faded { Token::Text3 } else { Token::Text1 };
            s.text_middle(&text, x + 8.0, y + height / 2.0, &style.ink(ink));
        }
    });
}

/// The colour of what takes other than it did: amber for longer, blue for shorter, the stronger the more of the whole
/// that is; grey for about the same. `change` is the part of the whole by which it grew, from -1 to 1.
pub fn change_ink(change: f64) -> Ink {
    if change.abs() < SAME {
        return Token::Text3.alpha(0.22);
    }
    let token = if change > 0.0 { Token::Warn } else { Token::series(0) };
    // A tenth of the whole is as much as there is to see: a name has to stay readable on it.
    token.alpha(0.12 + 0.34 * (change.abs() / 0.1).min(1.0))
}

/// Changes by less than this part of the whole are none.
pub const SAME: f64 = 0.005;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_know_their_relatives() {
        let blocks = Blocks::new([(None, 10), (Some(0), 20), (Some(0), 30), (Some(2), 5), (None, 1)]);
        assert_eq!((blocks.levels(), blocks.total(0), blocks.total(2), blocks.total(4)), (3, 65, 35, 1));
        assert_eq!(blocks.children(Some(0)), [1, 2]);
        assert_eq!(blocks.children(None), [0, 4]);
        assert_eq!(blocks.above(3).collect::<Vec<_>>(), [3, 2, 0]);
        let view = FlameView { size: (66.0, 100.0), ..FlameView::default() };
        let hit = |x, y| view.hit(&blocks, (x, y));
        assert_eq!(
            [hit(0.5, 1.0), hit(65.5, 1.0), hit(19.5, 21.0), hit(20.5, 21.0)],
            [Some(0), Some(4), Some(1), Some(2)]
        );
        assert_eq!([hit(20.5, 41.0), hit(60.0, 21.0)], [Some(3), None]);
    }

    #[test]
    fn nothing_is_nothing() {
        let blocks = Blocks::new([]);
        assert_eq!((blocks.levels(), FlameView::default().hit(&blocks, (0.0, 0.0))), (0, None));
    }

    #[test]
    fn a_change_is_as_strong_as_it_is_large() {
        assert_eq!(change_ink(0.001), change_ink(-0.001));
        assert!(change_ink(0.3).opacity() > change_ink(0.02).opacity());
        assert_ne!(change_ink(0.05), change_ink(-0.05));
    }
}
