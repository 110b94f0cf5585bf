//! A trace as a flame graph: spans of one service and name below one path are one block, as wide as the time that was
//! spent in it. Unlike the waterfall it says where time went, not when: what ran side by side is added up.

use super::Waterfall;
use crate::flame::{Blocks, FlameView, Look, draw_blocks};
use crate::{
    surface::Surface,
    tokens::{Ink, Token},
};
use orrery_model::nesting;
use std::collections::HashMap;

/// Spans alike below the same path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// The longest of them.
    pub span: u32,
    /// How many.
    pub count: u32,
    /// Of them failed.
    pub errors: u32,
    /// Nanoseconds spent in themselves, while none of their children ran.
    pub self_nanos: i64,
    parent: Option<u32>,
}

/// The blocks of a trace, parents before children.
#[derive(Clone, Debug, Default)]
pub struct Flame {
    blocks: Vec<Block>,
    placed: Blocks,
}

impl Flame {
    /// Adds up a trace: about as long as building its tree.
    pub fn new(waterfall: &Waterfall) -> Flame {
        let mut blocks: Vec<Block> = Vec::new();
        let mut of_span = vec![0; waterfall.len()];
        let mut known: HashMap<(Option<u32>, u32, u32), u32> = HashMap::new();
        for &span in waterfall.tree_order() {
            let s = waterfall.span(span);
            let parent = waterfall.parent(span).map(|parent| of_span[parent as usize]);
            let at = *known.entry((parent, s.service, s.name)).or_insert_with(|| {
                blocks.push(Block { span, count: 0, errors: 0, self_nanos: 0, parent });
                blocks.len() as u32 - 1
            });
            of_span[span as usize] = at;
            let block = &mut blocks[at as usize];
            block.count += 1;
            block.errors += u32::from(s.error);
            block.self_nanos = block.self_nanos.saturating_add(self_nanos(waterfall, span));
            if s.duration > waterfall.span(block.span).duration {
                block.span = span;
            }
        }
        let placed = Blocks::new(blocks.iter().map(|block| (block.parent, block.self_nanos)));
        Flame { blocks, placed }
    }

    /// All blocks.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Where they are. What was spent is nanoseconds.
    pub fn placed(&self) -> &Blocks {
        &self.placed
    }
}

/// Time of a span in which none of its children ran.
pub fn self_nanos(waterfall: &Waterfall, span: u32) -> i64 {
    let s = waterfall.span(span);
    let children = waterfall.children(span).map(|child| waterfall.span(child)).map(|child| (child.start, child.end()));
    nesting::self_nanos(s.start, s.duration, children)
}

/// Draws the blocks; `inks` by service, `hovered` is marked, what a search has not found fades.
pub fn draw_flame<S: Surface>(
    s: &mut S,
    waterfall: &Waterfall,
    flame: &Flame,
    view: &FlameView,
    (inks, hovered, found): (&[Ink], Option<u32>, Option<&super::Found>),
) {
    draw_blocks(s, &flame.placed, view, hovered, |at| {
        let block = &flame.blocks[at as usize];
        let span = waterfall.span(block.span);
        let edge = inks.get(span.service as usize).copied().unwrap_or(Token::Text3.into());
        Look {
            name: waterfall.name(block.span).into(),
            edge,
            fill: edge.fade(0.36),
            failed: block.errors > 0,
            faded: found.is_some_and(|found| !found.has(waterfall, block.span)),
        }
    });
}
