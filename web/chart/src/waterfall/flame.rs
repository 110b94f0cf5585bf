//! A trace as a flame graph: spans of one service and name below one path are one block, as wide as the time that was
//! spent in it. Unlike the waterfall it says where time went, not when: what ran side by side is added up.

use super::Waterfall;
use super::tree::NONE;
use crate::{
    surface::{Draw, Stroke, Surface, TextStyle, fit_text},
    tokens::{Ink, Token},
};
use std::collections::HashMap;

/// Height of a block with its gap.
pub const BLOCK_HEIGHT: f64 = 20.0;
/// Blocks narrower than this are not drawn, nor what is above them: that bounds the cost by pixels.
const LEAST_WIDTH: f64 = 0.7;
/// Blocks narrower than this have no name.
const NAMED: f64 = 28.0;

/// Spans alike below the same path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// The longest of them.
    pub span: u32,
    /// Steps from the root.
    pub depth: u32,
    /// How many.
    pub count: u32,
    /// Of them failed.
    pub errors: u32,
    /// Nanoseconds spent in themselves, while none of their children ran.
    pub self_nanos: i64,
    /// That and the same of everything below.
    pub total_nanos: i64,
    /// Where it begins, nanoseconds from the left edge.
    from: i64,
    parent: u32,
    first_child: u32,
    next: u32,
}

/// The blocks of a trace, parents before children.
#[derive(Clone, Debug, Default)]
pub struct Flame {
    blocks: Vec<Block>,
    roots: Vec<u32>,
}

impl Flame {
    /// Adds up a trace: about as long as building its tree.
    pub fn new(waterfall: &Waterfall) -> Flame {
        let mut flame = Flame::default();
        let mut of_span = vec![NONE; waterfall.len()];
        let mut known: HashMap<(u32, u32, u32), u32> = HashMap::new();
        for &span in waterfall.tree_order() {
            let s = waterfall.span(span);
            let parent = waterfall.parent(span).map_or(NONE, |parent| of_span[parent as usize]);
            let at = *known.entry((parent, s.service, s.name)).or_insert_with(|| flame.add(parent, span));
            of_span[span as usize] = at;
            let block = &mut flame.blocks[at as usize];
            block.count += 1;
            block.errors += u32::from(s.error);
            block.self_nanos = block.self_nanos.saturating_add(self_nanos(waterfall, span));
            if s.duration > waterfall.span(block.span).duration {
                block.span = span;
            }
        }
        flame.sum_up();
        flame.place();
        flame
    }

    /// All blocks.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Number of levels.
    pub fn levels(&self) -> u32 {
        self.blocks.iter().map(|block| block.depth + 1).max().unwrap_or(0)
    }

    fn add(&mut self, parent: u32, span: u32) -> u32 {
        let depth = if parent == NONE { 0 } else { self.blocks[parent as usize].depth + 1 };
        let (first_child, next) = (NONE, NONE);
        let (count, errors, self_nanos, total_nanos, from) = (0, 0, 0, 0, 0);
        self.blocks.push(Block {
            span,
            depth,
            count,
            errors,
            self_nanos,
            total_nanos,
            from,
            parent,
            first_child,
            next,
        });
        let at = self.blocks.len() as u32 - 1;
        if parent == NONE {
            self.roots.push(at);
        }
        at
    }

    fn sum_up(&mut self) {
        for at in (0..self.blocks.len()).rev() {
            let block = &mut self.blocks[at];
            block.total_nanos = block.total_nanos.saturating_add(block.self_nanos);
            let (total, parent) = (block.total_nanos, block.parent);
            if parent != NONE {
                let above = &mut self.blocks[parent as usize];
                above.total_nanos = above.total_nanos.saturating_add(total);
                let first = std::mem::replace(&mut above.first_child, at as u32);
                self.blocks[at].next = first;
            }
        }
    }

    /// Children from the left edge of their parent, in the order they were first seen.
    fn place(&mut self) {
        let mut ends: Vec<i64> = vec![0; self.blocks.len()];
        let mut end = 0_i64;
        for at in 0..self.blocks.len() {
            let Block { parent, total_nanos, .. } = self.blocks[at];
            let edge = if parent == NONE { &mut end } else { &mut ends[parent as usize] };
            self.blocks[at].from = *edge;
            *edge = edge.saturating_add(total_nanos);
            ends[at] = self.blocks[at].from;
        }
    }

    fn whole(&self) -> (i64, i64) {
        let roots = self.roots.iter().map(|at| &self.blocks[*at as usize]);
        (0, roots.map(|block| block.from.saturating_add(block.total_nanos)).max().unwrap_or(0).max(1))
    }
}

/// Time of a span in which none of its children ran.
pub fn self_nanos(waterfall: &Waterfall, span: u32) -> i64 {
    let s = waterfall.span(span);
    let (mut covered, mut until) = (0_i64, s.start);
    // Children come by start.
    for child in waterfall.children(span) {
        let child = waterfall.span(child);
        let (from, to) = (child.start.max(until), child.end().min(s.end()));
        if to > from {
            covered = covered.saturating_add(to - from);
            until = to;
        }
    }
    (s.duration.max(0) - covered).max(0)
}

/// What of a flame graph is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FlameView {
    /// The block that fills the width; the whole trace if none.
    pub focus: Option<u32>,
    /// Pixels scrolled down.
    pub scroll: f64,
    /// Width and height.
    pub size: (f64, f64),
}

impl FlameView {
    fn range(&self, flame: &Flame) -> (i64, i64) {
        let focused = self.focus.and_then(|at| flame.blocks.get(at as usize));
        focused.map_or(flame.whole(), |block| (block.from, block.from + block.total_nanos.max(1)))
    }

    /// Calls with every block on screen: index, left, top, width.
    fn each(&self, flame: &Flame, mut each: impl FnMut(u32, f64, f64, f64)) {
        let (from, to) = self.range(flame);
        let scale = self.size.0 / (to - from) as f64;
        let mut stack = flame.roots.clone();
        while let Some(at) = stack.pop() {
            let block = &flame.blocks[at as usize];
            let (x0, x1) = ((block.from - from) as f64 * scale, (block.from - from + block.total_nanos) as f64 * scale);
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
                child = flame.blocks[child as usize].next;
            }
        }
    }

    /// The block under a point.
    pub fn hit(&self, flame: &Flame, (x, y): (f64, f64)) -> Option<u32> {
        let mut found = None;
        self.each(flame, |at, left, top, width| {
            if (left..left + width).contains(&x) && (top..top + BLOCK_HEIGHT).contains(&y) {
                found = Some(at);
            }
        });
        found
    }
}

/// Draws the blocks; `inks` by service, `hovered` is marked, what a search has not found fades.
pub fn draw_flame<S: Surface>(
    s: &mut S,
    waterfall: &Waterfall,
    flame: &Flame,
    view: &FlameView,
    (inks, hovered, found): (&[Ink], Option<u32>, Option<&super::Found>),
) {
    let name = TextStyle::new(Token::Text1, 11.0, 500);
    view.each(flame, |at, x, y, width| {
        let block = &flame.blocks[at as usize];
        let span = waterfall.span(block.span);
        let ink = inks.get(span.service as usize).copied().unwrap_or(Token::Text3.into());
        let faded = found.is_some_and(|found| !found.has(waterfall, block.span));
        let strength = if faded { 0.12 } else { 0.36 };
        let (inner, height) = ((width - 1.0).max(LEAST_WIDTH), BLOCK_HEIGHT - 2.0);
        s.fill_rect(x, y, inner, height, ink.fade(if hovered == Some(at) { 0.6 } else { strength }));
        s.fill_rect(x, y, inner.min(3.0), height, ink.fade(if faded { 0.35 } else { 1.0 }));
        if block.errors > 0 {
            s.fill_rect(x, y + height - 2.0, inner, 2.0, Token::Err);
        }
        if hovered == Some(at) {
            s.rect_path(x + 0.5, y + 0.5, (inner - 1.0).max(0.0), height - 1.0);
            s.stroke(&Stroke::new(Token::Text2, 1.0));
        }
        if width >= NAMED {
            let text = fit_text(s, waterfall.name(block.span), width - 14.0, &name);
            let ink = if faded { Token::Text3 } else { Token::Text1 };
            s.text_middle(&text, x + 8.0, y + height / 2.0, &name.ink(ink));
        }
    });
}
