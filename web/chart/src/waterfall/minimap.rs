//! All spans of a trace in a strip: no span is too short or too many to be seen.

use super::{View, Waterfall};
use crate::{
    surface::{Draw, Stroke, Surface},
    tokens::{Ink, Token},
};

/// A picture of cells, row by row from the top; what matters most wins a cell.
#[derive(Clone, PartialEq, Debug)]
pub struct Minimap {
    columns: usize,
    rows: usize,
    cell: f64,
    cells: Vec<Cell>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
enum Cell {
    #[default]
    Empty,
    Span,
    Critical,
    Error,
}

/// Height of a cell on the screen: at least, and for traces of few spans at most.
const CELLS: (f64, f64) = (2.0, 5.0);

impl Minimap {
    /// Computed once per trace and width: n + columns × rows steps.
    pub fn new(waterfall: &Waterfall, width: f64, height: f64) -> Minimap {
        let columns = (width as usize).max(1);
        let rows = ((height / CELLS.0) as usize).min(waterfall.len()).max(1);
        let cell = (height / rows as f64).clamp(CELLS.0, CELLS.1);
        let mut map = Minimap { columns, rows, cell, cells: vec![Cell::Empty; columns * rows] };
        let mut layers = [Cell::Span, Cell::Critical, Cell::Error].map(|cell| Layer::new(cell, columns, rows));
        let spans = waterfall.tree_order();
        let place = |row: usize| (row as u64 * spans.len() as u64).div_ceil(rows as u64) as usize;
        for row in 0..rows {
            add_row(&mut layers, waterfall, row, &spans[place(row)..place(row + 1)]);
        }
        layers.iter().for_each(|layer| layer.paint(&mut map.cells));
        map
    }
}

/// Adds the spans of a row. A function by itself: browsers make code faster from one call to the next, not within one.
#[inline(never)]
fn add_row([all, critical, failed]: &mut [Layer; 3], waterfall: &Waterfall, row: usize, spans: &[u32]) {
    let (from, to) = waterfall.range();
    let last = all.columns - 1;
    let scale = all.columns as f64 / (to as f64 - from as f64).max(1.0);
    let column = |at: i64| ((at.saturating_sub(from) as f64 * scale) as usize).min(last);
    for &span in spans {
        let s = waterfall.span(span);
        let (first, last) = (column(s.start), column(s.end()));
        all.add(row, first, last);
        for segment in waterfall.critical_segments(span) {
            critical.add(row, column(segment.from), column(segment.to));
        }
        if s.error {
            failed.add(row, first, last);
        }
    }
}

/// Where ranges begin and end, per row: painting is one running sum, however long the ranges are.
struct Layer {
    cell: Cell,
    columns: usize,
    changes: Box<[i32]>,
}

impl Layer {
    fn new(cell: Cell, columns: usize, rows: usize) -> Layer {
        Layer { cell, columns, changes: vec![0; (columns + 1) * rows].into_boxed_slice() }
    }

    fn add(&mut self, row: usize, first: usize, last: usize) {
        let start = row * (self.columns + 1);
        self.changes[start + first] += 1;
        self.changes[start + last + 1] -= 1;
    }

    fn paint(&self, cells: &mut [Cell]) {
        for (changes, cells) in self.changes.chunks(self.columns + 1).zip(cells.chunks_mut(self.columns)) {
            let mut open = 0;
            for (change, cell) in changes.iter().zip(cells) {
                open += change;
                if open > 0 {
                    *cell = (*cell).max(self.cell);
                }
            }
        }
    }
}

fn ink(cell: Cell) -> Option<Ink> {
    match cell {
        Cell::Empty => None,
        Cell::Span => Some(Token::Series1.alpha(0.45)),
        Cell::Critical => Some(Token::Text2.alpha(0.85)),
        Cell::Error => Some(Token::Err.into()),
    }
}

/// Draws the strip from the surface's origin, and the window of `view` over it when it is not the whole trace.
pub fn draw_minimap<S: Surface>(s: &mut S, map: &Minimap, waterfall: &Waterfall, view: &View) {
    let gap = if map.cell >= 3.0 { 1.0 } else { 0.0 };
    for (y, row) in map.cells.chunks(map.columns).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|a, b| a == b) {
            if let Some(ink) = ink(run[0]) {
                s.fill_rect(x as f64, y as f64 * map.cell, run.len() as f64, map.cell - gap, ink);
            }
            x += run.len();
        }
    }
    let (from, to) = waterfall.range();
    if view.from <= from && view.to >= to {
        return;
    }
    let (width, height) = (map.columns as f64, map.rows as f64 * map.cell);
    let x = |at: i64| ((at as f64 - from as f64) / (to as f64 - from as f64).max(1.0)).clamp(0.0, 1.0) * width;
    let (a, b) = (x(view.from), x(view.to));
    s.fill_rect(0.0, 0.0, a, height, Token::Bg0.alpha(0.72));
    s.fill_rect(b, 0.0, width - b, height, Token::Bg0.alpha(0.72));
    for x in [a, b] {
        s.line((x, 0.0), (x, height), &Stroke::new(Token::Accent, 1.0));
    }
}
