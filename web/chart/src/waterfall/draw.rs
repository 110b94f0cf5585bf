//! Drawing the rows on screen.

use super::{Found, LogLevel, LogLine, PathSegment, ROW_HEIGHT, Row, SpanInput, SpanKind, TimeKind, View, Waterfall};
use crate::{
    surface::{Align, Dash, Draw, Stroke, Surface, TextStyle, fit_text},
    ticks::value_ticks,
    tokens::{Ink, Token},
    unit::{Unit, grouped},
};

/// Height of the time scale above the rows.
pub const RULER_HEIGHT: f64 = 26.0;
const BAR: f64 = 10.0;
/// However short a span is, so wide is its bar.
const LEAST_WIDTH: f64 = 2.0;
const INDENT: f64 = 14.0;
/// Spans of a fold looked at per pixel, and before the left edge.
const FEW: usize = 32;
const BEFORE: usize = 64;
/// Depth from which rows are indented from the shallowest on screen.
const DEEP: u32 = 24;
/// Characters of a log record that may be drawn: nobody has room for more.
const LOG_CHARS: usize = 400;
/// Guides nearer to each other than this say nothing.
const GUIDES: f64 = 4.0;

/// What the reader looks at.
#[derive(Clone, Debug, Default)]
pub struct Style {
    /// Colour of each service, by index; missing ones are grey.
    pub services: Vec<Ink>,
    /// Row under the pointer.
    pub hovered: Option<usize>,
    /// Chosen span.
    pub selected: Option<u32>,
    /// A search: spans found, others fade.
    pub found: Option<Found>,
    /// Draw the critical path.
    pub critical_path: bool,
}

/// Draws ruler, grid and the rows inside the view, from the surface's origin.
pub fn draw_waterfall<S: Surface>(s: &mut S, waterfall: &Waterfall, view: &View, style: &Style) {
    let ticks = ticks(waterfall, view);
    for tick in &ticks {
        let x = crisp(tick.0);
        s.line((x, RULER_HEIGHT), (x, view.height), &Stroke::new(Token::Line1, 1.0));
    }
    s.push_clip(0.0, RULER_HEIGHT, view.width, (view.height - RULER_HEIGHT).max(0.0));
    let (first, end) = view.visible_rows(waterfall);
    for index in first..end {
        let top = RULER_HEIGHT + index as f64 * ROW_HEIGHT - view.scroll.max(0.0);
        Drawing { s: &mut *s, waterfall, view, style, top }.row(index, &waterfall.rows()[index]);
    }
    let x = crisp(view.names - 8.0);
    s.line((x, RULER_HEIGHT), (x, view.height), &Stroke::new(Token::Line2, 1.0));
    s.pop_clip();
    draw_ruler(s, waterfall, view);
}

/// Draws the time scale alone, on panel ground, for a header that stays while rows scroll.
pub fn draw_ruler<S: Surface>(s: &mut S, waterfall: &Waterfall, view: &View) {
    s.fill_rect(0.0, 0.0, view.width, RULER_HEIGHT, Token::Bg1);
    let bottom = crisp(RULER_HEIGHT - 1.0);
    s.line((0.0, bottom), (view.width, bottom), &Stroke::new(Token::Line2, 1.0));
    let style = TextStyle::new(Token::Text3, 11.0, 500);
    for (x, label) in ticks(waterfall, view) {
        s.line((crisp(x), bottom - 5.0), (crisp(x), bottom), &Stroke::new(Token::Line2, 1.0));
        s.text_middle(&label, x + 4.0, RULER_HEIGHT / 2.0 - 1.0, &style);
    }
}

fn crisp(v: f64) -> f64 {
    v.floor() + 0.5
}

/// (x, time since the start of the trace) of the marks on screen.
fn ticks(waterfall: &Waterfall, view: &View) -> Vec<(f64, String)> {
    let (start, _) = waterfall.range();
    let since = |at: i64| at.saturating_sub(start) as f64;
    let count = (view.field() / 110.0).max(1.0) as usize;
    let (_, _, ticks) = value_ticks(since(view.from), since(view.to), count, &Unit::Nanos);
    let inside = |t: &crate::ticks::ValueTick| t.value >= since(view.from) - 0.5 && t.value <= since(view.to) + 0.5;
    let at = |value: f64| view.x(start.saturating_add(value.round() as i64));
    ticks.into_iter().filter(inside).map(|t| (at(t.value), t.label)).collect()
}

/// From which depth names are indented, and by how much: deep traces indent less, so that names keep their room, and very
/// deep ones from the shallowest row on screen.
fn indent(view: &View, waterfall: &Waterfall) -> (u32, f64) {
    let (first, end) = view.visible_rows(waterfall);
    let depths = || waterfall.rows()[first..end].iter().map(|row| row.depth);
    let deepest = depths().max().unwrap_or(0);
    let base = if deepest > DEEP { depths().min().unwrap_or(0) } else { 0 };
    (base, INDENT.min(view.names * 0.42 / f64::from((deepest - base).max(1))))
}

pub(super) fn toggle_x(view: &View, waterfall: &Waterfall, row: &Row) -> f64 {
    let (base, step) = indent(view, waterfall);
    12.0 + f64::from(row.depth.saturating_sub(base)) * step
}

struct Drawing<'a, S: Surface> {
    s: &'a mut S,
    waterfall: &'a Waterfall,
    view: &'a View,
    style: &'a Style,
    top: f64,
}

impl<S: Surface> Drawing<'_, S> {
    fn middle(&self) -> f64 {
        self.top + ROW_HEIGHT / 2.0
    }

    fn row(&mut self, index: usize, row: &Row) {
        if let Some(line) = row.log.and_then(|log| self.waterfall.logs().get(log as usize)) {
            return self.log(index, row, line);
        }
        let selected = self.style.selected == Some(row.span) && row.folded == 0;
        let ground = match (selected, self.style.hovered == Some(index)) {
            (true, _) => Some(Token::AccentBg),
            (_, true) => Some(Token::Bg2),
            _ => None,
        };
        if let Some(token) = ground {
            self.s.fill_rect(0.0, self.top, self.view.width, ROW_HEIGHT, token);
        }
        let strength = self.strength(row);
        self.names(index, row, strength);
        let (x, y) = (self.view.names - 7.0, self.top);
        self.s.push_clip(x, y, (self.view.width - x).max(0.0), ROW_HEIGHT);
        self.bars(row, strength);
        self.s.pop_clip();
    }

    /// A log record: how bad it is among the names, what it says at its time.
    fn log(&mut self, index: usize, row: &Row, line: &LogLine) {
        if self.style.hovered == Some(index) {
            self.s.fill_rect(0.0, self.top, self.view.width, ROW_HEIGHT, Token::Bg2);
        }
        let (middle, strength) = (self.middle(), self.strength(row));
        let token = match line.level {
            LogLevel::Fine => Token::Text3,
            LogLevel::Warning => Token::Warn,
            LogLevel::Error => Token::Err,
        };
        self.guides(row);
        let (view, top) = (self.view, self.top);
        let x = toggle_x(view, self.waterfall, row) + 10.0;
        self.s.fill_rect(x, middle - 1.5, 6.0, 3.0, token.alpha(strength));
        let quiet = TextStyle::new(Token::Text3.alpha(strength), 11.0, 500);
        let after = line.time.saturating_sub(self.waterfall.range().0);
        let sign = if after < 0 { "−" } else { "+" };
        let after = format!("{sign}{}", Unit::Nanos.format(after.unsigned_abs() as f64));
        let after = fit_text(self.s, &after, (view.names - 24.0 - x).max(0.0), &quiet);
        self.s.text_middle(&after, x + 12.0, middle, &quiet);
        let (left, right) = (view.names, view.width - 6.0);
        self.s.push_clip(left - 7.0, top, (view.width - left + 7.0).max(0.0), ROW_HEIGHT);
        let at = view.x(line.time).clamp(left, right);
        self.s.line((crisp(at), top + 4.0), (crisp(at), top + ROW_HEIGHT - 4.0), &Stroke::new(token, 2.0));
        let style = TextStyle::new(Token::Text2.alpha(strength), 11.0, 400);
        let style = if line.level == LogLevel::Error { style.ink(Token::Err.alpha(strength)) } else { style };
        let first: String = line.text.lines().next().unwrap_or_default().chars().take(LOG_CHARS).collect();
        // On the side with more room.
        if right - at >= at - left {
            let text = fit_text(self.s, &first, right - at - 8.0, &style);
            self.s.text_middle(&text, at + 8.0, middle, &style);
        } else {
            let text = fit_text(self.s, &first, at - left - 8.0, &style);
            self.s.text_middle(&text, at - 8.0, middle, &style.align(Align::Right));
        }
        self.s.pop_clip();
    }

    fn strength(&self, row: &Row) -> f64 {
        // What is folded is alike.
        let is_found = |found: &Found| found.has(self.waterfall, row.span);
        if self.style.found.as_ref().is_none_or(is_found) { 1.0 } else { 0.35 }
    }

    fn ink(&self, span: &SpanInput) -> Ink {
        self.style.services.get(span.service as usize).copied().unwrap_or(Token::Text3.into())
    }

    /// Whether a failure is hidden in or under the row.
    fn hides_error(&self, index: usize, row: &Row) -> bool {
        let own = row.folded == 0 && self.waterfall.span(row.span).error;
        let hidden = row.folded > 0 || self.waterfall.is_collapsed(row.span);
        hidden && self.waterfall.errors_in(index) > u32::from(own)
    }

    fn names(&mut self, index: usize, row: &Row, strength: f64) {
        let (waterfall, view, middle) = (self.waterfall, self.view, self.middle());
        let span = *waterfall.span(row.span);
        let toggle = toggle_x(view, waterfall, row);
        self.guides(row);
        if waterfall.has_toggle(row) {
            let open = row.folded == 0 && !waterfall.is_collapsed(row.span);
            self.chevron(toggle, middle, open);
        }
        let x = toggle + 10.0;
        self.s.fill_rect(x, middle - 6.0, 3.0, 12.0, self.ink(&span).fade(strength));
        let mut x = x + 8.0;
        let mut room = view.names - 14.0 - x;
        if span.error || self.hides_error(index, row) {
            room -= 12.0;
            self.diamond(view.names - 18.0, middle, if span.error && row.folded == 0 { 1.0 } else { 0.75 });
        }
        if row.folded == 0 && waterfall.is_odd(row.span) {
            self.triangle(x + room - 2.0, middle, strength);
            room -= 14.0;
        }
        let parent_service = waterfall.parent(row.span).map(|p| waterfall.span(p).service);
        if parent_service != Some(span.service) {
            let style = TextStyle::new(Token::Text1.alpha(strength), 12.0, 600);
            let text = fit_text(self.s, waterfall.service(row.span), room * 0.55, &style);
            let width = self.s.measure(&text, &style);
            self.s.text_middle(&text, x, middle, &style);
            (x, room) = (x + width + 8.0, room - width - 8.0);
        }
        let mut suffix = String::new();
        if row.folded > 0 {
            suffix = format!("×{}", grouped(row.folded as usize));
        } else if waterfall.is_collapsed(row.span) {
            suffix = format!("+{}", grouped(waterfall.descendants(row.span) as usize));
        }
        let quiet = TextStyle::new(Token::Text3.alpha(strength), 11.0, 500);
        let tail = if suffix.is_empty() { 0.0 } else { self.s.measure(&suffix, &quiet) + 8.0 };
        let style = TextStyle::new(Token::Text2.alpha(strength), 12.0, 400);
        let text = fit_text(self.s, waterfall.name(row.span), (room - tail).max(0.0), &style);
        let width = self.s.measure(&text, &style);
        self.s.text_middle(&text, x, middle, &style);
        if !suffix.is_empty() {
            self.s.text_middle(&suffix, x + width + 8.0, middle, &quiet);
        }
    }

    /// Hairlines from each open ancestor down to its children.
    fn guides(&mut self, row: &Row) {
        let (base, step) = indent(self.view, self.waterfall);
        if step < GUIDES {
            return;
        }
        for depth in 0..row.depth.saturating_sub(base) {
            let x = crisp(12.0 + f64::from(depth) * step);
            self.s.line((x, self.top), (x, self.top + ROW_HEIGHT), &Stroke::new(Token::Line1, 1.0));
        }
    }

    fn chevron(&mut self, x: f64, y: f64, open: bool) {
        let points = if open {
            [(x - 3.5, y - 2.0), (x, y + 2.0), (x + 3.5, y - 2.0)]
        } else {
            [(x - 2.0, y - 3.5), (x + 2.0, y), (x - 2.0, y + 3.5)]
        };
        // Cuts the guide behind it.
        self.s.fill_rect(x - 5.0, y - 6.0, 10.0, 12.0, Token::Bg1.alpha(0.9));
        self.s.begin();
        self.s.move_to(points[0].0, points[0].1);
        points[1..].iter().for_each(|p| self.s.line_to(p.0, p.1));
        self.s.stroke(&Stroke::new(Token::Text3, 1.5));
    }

    /// Something is odd about the span; the drawer says what.
    fn triangle(&mut self, x: f64, y: f64, strength: f64) {
        self.s.polygon_path(&[(x, y - 4.5), (x + 5.0, y + 4.0), (x - 5.0, y + 4.0)]);
        self.s.fill(Token::Bg1.into());
        self.s.fill(Token::Warn.alpha(strength));
    }

    fn diamond(&mut self, x: f64, y: f64, strength: f64) {
        let r = 4.6;
        self.s.polygon_path(&[(x, y - r), (x + r, y), (x, y + r), (x - r, y)]);
        self.s.fill(Token::Bg1.into());
        self.s.fill(Token::Err.alpha(strength));
    }

    /// Left and right edge of a span's bar, clipped to just outside the screen.
    fn extent(&self, from: i64, to: i64) -> (f64, f64) {
        let (low, high) = (self.view.names - 20.0, self.view.width + 20.0);
        let x0 = self.view.x(from).clamp(low, high);
        (x0, self.view.x(to).clamp(low, high).max(x0 + LEAST_WIDTH))
    }

    fn bars(&mut self, row: &Row, strength: f64) {
        if row.folded == 0 {
            self.network(row.span, strength);
        }
        let (spans, (from, to)) = self.spans(row);
        let mut last = (f64::MIN, f64::MIN);
        for &span in &spans {
            let s = *self.waterfall.span(span);
            let (x0, x1) = self.extent(s.start, s.end());
            // Hundreds of folded spans within a pixel are one bar.
            if x1 <= last.1 && x0 >= last.0 && x1 - x0 < 3.0 {
                continue;
            }
            last = (x0, x1);
            self.bar(&s, (x0, x1), row.folded > 0, strength);
        }
        if self.style.critical_path {
            for &span in &spans {
                self.underline(span, strength);
            }
        }
        self.label(row, (from, to), strength);
    }

    /// The spans of a row that can be told apart on screen, and from when to when all of them go.
    fn spans(&self, row: &Row) -> (Vec<u32>, (i64, i64)) {
        let start = self.waterfall.span(row.span).start;
        let Some((all, end)) = self.waterfall.large_fold(row) else {
            let spans: Vec<u32> = self.waterfall.run(row).collect();
            let end = spans.iter().map(|span| self.waterfall.span(*span).end()).max();
            return (spans, (start, end.unwrap_or(start)));
        };
        let starts = |span: &u32| self.waterfall.span(*span).start;
        let pixel = (((self.view.to - self.view.from) as f64 / self.view.field()) as i64).max(1);
        let mut spans = Vec::new();
        // One that began before what is on screen may reach into it.
        let mut at = all.partition_point(|span| starts(span) < self.view.from).saturating_sub(BEFORE);
        while let Some(first) = all.get(at).map(starts).filter(|start| *start <= self.view.to) {
            let next = at + all[at..].partition_point(|span| starts(span) < first.saturating_add(pixel)).max(1);
            // Of those within a pixel the longest of a few, and a failed one.
            let few = all[at..next].iter().take(FEW);
            spans.extend(few.clone().max_by_key(|span| self.waterfall.span(**span).duration));
            spans.extend(few.clone().find(|span| self.waterfall.span(**span).error));
            at = next;
        }
        (spans, (start, end))
    }

    fn bar(&mut self, span: &SpanInput, (x0, x1): (f64, f64), folded: bool, strength: f64) {
        let ink = self.ink(span).fade(strength * if folded { 0.7 } else { 1.0 });
        let top = self.middle() - BAR / 2.0 - 1.0;
        self.s.round_rect_path(x0, top, x1 - x0, BAR, if x1 - x0 > 6.0 { 2.0 } else { 0.0 });
        self.s.fill(ink);
        if span.error && x0 > self.view.names - 8.0 && x0 < self.view.width - 6.0 {
            self.diamond(x1.min(self.view.width - 8.0), self.middle() - 1.0, strength);
        }
    }

    /// The critical path: a 2 px line under the bar; dashed where it was the network's time.
    fn underline(&mut self, span: u32, strength: f64) {
        let y = self.middle() + BAR / 2.0 + 1.5;
        let segments: &[PathSegment] = self.waterfall.critical_segments(span);
        for segment in segments {
            let (x0, x1) = self.extent(segment.from, segment.to);
            let dash = if segment.kind == TimeKind::Own { Dash::Solid } else { Dash::Short };
            self.s.line((x0, y), (x1, y), &Stroke::new(Token::Text1.alpha(strength), 2.0).dash(dash));
        }
    }

    /// The client of a server row: where the line that stands for the network ends.
    fn client(&self, span: u32) -> Option<SpanInput> {
        let parent = self.waterfall.parent(span).map(|p| *self.waterfall.span(p))?;
        let answers = parent.kind == SpanKind::Client && self.waterfall.span(span).kind == SpanKind::Server;
        answers.then_some(parent)
    }

    fn awaited_until(&self, row: &Row) -> Option<i64> {
        let client = self.client(row.span).filter(|_| row.folded == 0)?;
        (self.view.x(client.end()) - self.view.x(self.waterfall.span(row.span).end()) < 40.0).then(|| client.end())
    }

    /// The way from a client to this server and back: a hairline with end marks.
    fn network(&mut self, span: u32, strength: f64) {
        let s = *self.waterfall.span(span);
        let Some(parent) = self.client(span) else { return };
        let y = crisp(self.middle() - 1.0);
        let stroke = Stroke::new(Token::LineI.alpha(strength), 1.0);
        for (a, b, mark) in [(parent.start, s.start, parent.start), (s.end(), parent.end(), parent.end())] {
            let (x0, x1) = (self.view.x(a), self.view.x(b));
            if x1 - x0 < 3.0 {
                continue;
            }
            self.s.line((x0, y), (x1, y), &stroke.dash(Dash::Dotted));
            let x = self.view.x(mark);
            self.s.line((x, y - 3.0), (x, y + 3.0), &stroke);
        }
    }

    /// The duration: right of the bar, else left of it, else inside its right end; at the edge with a pointer if the
    /// bar is off the screen.
    fn label(&mut self, row: &Row, (from, to): (i64, i64), strength: f64) {
        let nanos = if row.folded > 0 { to.saturating_sub(from) } else { self.waterfall.span(row.span).duration };
        let text = Unit::Nanos.format(nanos as f64).to_string();
        let style = TextStyle::new(Token::Text2.alpha(strength), 11.0, 500);
        let width = self.s.measure(&text, &style);
        let (start, end) = (self.view.x(from), self.view.x(to));
        let (x0, x1) = self.extent(from, self.awaited_until(row).unwrap_or(to).max(to));
        let gap = if self.waterfall.span(row.span).error { 10.0 } else { 6.0 };
        let y = self.middle() - 1.0;
        let (left, right) = (self.view.names, self.view.width - 6.0);
        let elsewhere = style.ink(Token::Text3.alpha(0.7 * strength));
        if end < left {
            self.s.text_middle(&format!("‹ {text}"), left, y, &elsewhere);
        } else if start > right {
            self.s.text_middle(&format!("{text} ›"), right, y, &elsewhere.align(Align::Right));
        } else if x1 + gap + width <= right {
            self.s.text_middle(&text, x1.max(left) + gap, y, &style);
        } else if x0 - 6.0 - width >= left {
            self.s.text_middle(&text, x0 - 6.0, y, &style.align(Align::Right));
        } else {
            self.s.round_rect_path(right - width - 5.0, y - 7.0, width + 10.0, 14.0, 3.0);
            self.s.fill(Token::Bg1.alpha(0.85));
            self.s.text_middle(&text, right, y, &style.align(Align::Right));
        }
    }
}
