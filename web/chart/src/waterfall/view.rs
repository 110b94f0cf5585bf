//! Which part of a waterfall is on screen, and what is under a point.

use super::{RULER_HEIGHT, Waterfall, draw};

/// Height of a row.
pub const ROW_HEIGHT: f64 = 22.0;

/// The visible part: rows by scroll position, time by range. Names stand left of the bars.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct View {
    /// Left edge of the bars, unix nanoseconds.
    pub from: i64,
    /// Right edge of the bars, unix nanoseconds.
    pub to: i64,
    /// Pixels scrolled down from the first row.
    pub scroll: f64,
    /// Width of the name column.
    pub names: f64,
    /// Width of everything.
    pub width: f64,
    /// Height of everything, ruler included.
    pub height: f64,
}

/// What part of a row a point is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// The sign that opens and closes.
    Toggle,
    /// Service and name.
    Name,
    /// The field of bars.
    Bar,
}

/// A row under a point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RowHit {
    /// Index into [`Waterfall::rows`].
    pub row: usize,
    /// Which part.
    pub part: Part,
}

/// Free space at the right edge, for the labels of the longest bars.
const RIGHT_MARGIN: f64 = 64.0;

impl View {
    /// The whole trace from the top, in a surface of this size. Names take a third, 160 to 420 px.
    pub fn whole(waterfall: &Waterfall, (width, height): (f64, f64)) -> View {
        let (from, to) = waterfall.range();
        let names = (width * 0.34).clamp(160.0, 420.0).min(width * 0.6);
        View { from, to: to.max(from.saturating_add(1)), scroll: 0.0, names, width, height }
    }

    /// Width of the field of bars.
    pub fn field(&self) -> f64 {
        (self.width - self.names - RIGHT_MARGIN).max(1.0)
    }

    fn span(&self) -> f64 {
        (self.to as f64 - self.from as f64).max(1.0)
    }

    /// x of a time; may lie outside the field.
    pub fn x(&self, at: i64) -> f64 {
        self.names + (at as f64 - self.from as f64) / self.span() * self.field()
    }

    /// The time at x, unix nanoseconds; may lie outside the range.
    pub fn time_at(&self, x: f64) -> i64 {
        self.from.saturating_add(((x - self.names) / self.field() * self.span()) as i64)
    }

    /// Zoomed by a factor (over 1 is closer) around x; never beyond the trace, nor closer than a microsecond.
    pub fn zoom_at(self, waterfall: &Waterfall, x: f64, factor: f64) -> View {
        let (first, last) = waterfall.range();
        let full = (last as f64 - first as f64).max(1_000.0);
        let span = (self.span() / factor.max(1e-6)).clamp(1_000.0, full);
        let share = ((x - self.names) / self.field()).clamp(0.0, 1.0);
        let middle = self.from as f64 + share * self.span();
        self.moved_to(waterfall, (middle - share * span) as i64, span as i64)
    }

    /// Moved in time by pixels, staying within the trace.
    pub fn pan(self, waterfall: &Waterfall, dx: f64) -> View {
        let by = (-dx / self.field() * self.span()) as i64;
        self.moved_to(waterfall, self.from.saturating_add(by), self.to - self.from)
    }

    fn moved_to(self, waterfall: &Waterfall, from: i64, span: i64) -> View {
        let (first, last) = waterfall.range();
        let from = from.min(last.saturating_sub(span)).max(first);
        View { from, to: from.saturating_add(span.max(1)), ..self }
    }

    /// Height of all rows; what the page's scroll spacer needs, without the ruler.
    pub fn content_height(waterfall: &Waterfall) -> f64 {
        waterfall.rows().len() as f64 * ROW_HEIGHT
    }

    /// Scrolled just as far as needed to show a row whole.
    pub fn scrolled_to(self, row: usize) -> View {
        let (top, room) = (row as f64 * ROW_HEIGHT, (self.height - RULER_HEIGHT - ROW_HEIGHT).max(0.0));
        View { scroll: self.scroll.min(top).max(top - room).max(0.0), ..self }
    }

    /// First and one past the last row on screen.
    pub fn visible_rows(&self, waterfall: &Waterfall) -> (usize, usize) {
        let first = (self.scroll.max(0.0) / ROW_HEIGHT) as usize;
        let count = ((self.height - RULER_HEIGHT).max(0.0) / ROW_HEIGHT).ceil() as usize + 1;
        let len = waterfall.rows().len();
        (first.min(len), (first + count).min(len))
    }

    /// The row under a point; `None` on the ruler and below the last row.
    pub fn hit(&self, waterfall: &Waterfall, (x, y): (f64, f64)) -> Option<RowHit> {
        if y < RULER_HEIGHT {
            return None;
        }
        let row = ((y - RULER_HEIGHT + self.scroll.max(0.0)) / ROW_HEIGHT) as usize;
        let shown = waterfall.rows().get(row)?;
        let toggle = draw::toggle_x(self, waterfall, shown);
        let part = match x {
            x if x >= self.names => Part::Bar,
            x if waterfall.has_toggle(shown) && (x - toggle).abs() <= 12.0 => Part::Toggle,
            _ => Part::Name,
        };
        Some(RowHit { row, part })
    }
}
