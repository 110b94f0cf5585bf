//! What everything in this crate draws on: a small immediate-mode surface in CSS pixels.
//!
//! [`SvgSurface`](crate::svg::SvgSurface) implements it here; the UI implements it for a canvas context, which
//! is a dozen one-line methods. Coordinates are `f64` CSS pixels, y down; the implementor applies the
//! device-pixel ratio as a transform.

use crate::tokens::Ink;

/// How a line is drawn.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Stroke {
    /// Colour role and opacity.
    pub ink: Ink,
    /// Width in CSS pixels.
    pub width: f64,
    /// Pattern along the line.
    pub dash: Dash,
}

impl Stroke {
    /// A solid line.
    pub fn new(ink: impl Into<Ink>, width: f64) -> Stroke {
        Stroke { ink: ink.into(), width, dash: Dash::Solid }
    }

    /// The same line in another pattern.
    pub fn dash(self, dash: Dash) -> Stroke {
        Stroke { dash, ..self }
    }
}

/// Line pattern. Series from the fifth on are told apart by it, not by colour alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum Dash {
    /// Unbroken.
    #[default]
    Solid,
    /// 6 on, 3 off.
    Long,
    /// 3 on, 3 off.
    Short,
    /// 1 on, 3 off.
    Dotted,
    /// 7 on, 3 off, 1 on, 3 off.
    DashDot,
}

impl Dash {
    /// All patterns; `Dash::ALL[d as usize] == d`.
    pub const ALL: [Dash; 5] = [Dash::Solid, Dash::Long, Dash::Short, Dash::Dotted, Dash::DashDot];

    /// On/off lengths in CSS pixels, empty for solid: what `setLineDash` takes.
    pub fn lengths(self) -> &'static [f64] {
        match self {
            Dash::Solid => &[],
            Dash::Long => &[6.0, 3.0],
            Dash::Short => &[3.0, 3.0],
            Dash::Dotted => &[1.0, 3.0],
            Dash::DashDot => &[7.0, 3.0, 1.0, 3.0],
        }
    }
}

/// Typeface role; the surface knows the family names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Face {
    /// Pretendard and its fallbacks, with tabular figures.
    #[default]
    Ui,
    /// JetBrains Mono and its fallbacks.
    Mono,
}

/// Which part of the text sits at the given x.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Align {
    /// Text starts at x.
    #[default]
    Left,
    /// Text is centred on x.
    Center,
    /// Text ends at x.
    Right,
}

/// How text is drawn. Everything but `ink` and `align` matters for measuring.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TextStyle {
    /// Colour role and opacity.
    pub ink: Ink,
    /// Size in CSS pixels.
    pub size: f64,
    /// 400, 500 or 600.
    pub weight: u16,
    /// Typeface role.
    pub face: Face,
    /// Horizontal anchor.
    pub align: Align,
}

impl TextStyle {
    /// UI face, left-aligned.
    pub fn new(ink: impl Into<Ink>, size: f64, weight: u16) -> TextStyle {
        TextStyle { ink: ink.into(), size, weight, face: Face::Ui, align: Align::Left }
    }

    /// The same text, otherwise anchored.
    pub fn align(self, align: Align) -> TextStyle {
        TextStyle { align, ..self }
    }

    /// The same text in another role.
    pub fn ink(self, ink: impl Into<Ink>) -> TextStyle {
        TextStyle { ink: ink.into(), ..self }
    }

    /// Distance from the visual middle of the text down to its baseline. Used instead of the host's
    /// "middle" so that canvas and SVG agree to the pixel.
    pub fn middle_to_baseline(&self) -> f64 {
        self.size * 0.36
    }
}

/// Where drawings go. `begin`, then path commands, then `stroke` and/or `fill` the same path.
pub trait Surface {
    /// Width and height in CSS pixels.
    fn size(&self) -> (f64, f64);
    /// Forgets the current path.
    fn begin(&mut self);
    /// Starts a sub-path.
    fn move_to(&mut self, x: f64, y: f64);
    /// Straight to.
    fn line_to(&mut self, x: f64, y: f64);
    /// Cubic Bézier by way of two control points.
    fn curve_to(&mut self, x1: f64, y1: f64, x2: f64, y2: f64, x: f64, y: f64);
    /// Closes the sub-path.
    fn close(&mut self);
    /// Strokes the current path and keeps it. Round joins, butt caps.
    fn stroke(&mut self, stroke: &Stroke);
    /// Fills the current path (non-zero rule) and keeps it.
    fn fill(&mut self, ink: Ink);
    /// Text with its *alphabetic baseline* at `y`.
    fn text(&mut self, text: &str, x: f64, y: f64, style: &TextStyle);
    /// Advance width of the text in CSS pixels. Called often: cache it.
    fn measure(&self, text: &str, style: &TextStyle) -> f64;
    /// Saves the state and restricts drawing to a rectangle until [`Surface::pop_clip`].
    fn push_clip(&mut self, x: f64, y: f64, width: f64, height: f64);
    /// Undoes the last [`Surface::push_clip`].
    fn pop_clip(&mut self);
}

/// Shapes every surface gets from the primitives.
pub trait Draw: Surface {
    /// One straight line.
    fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: &Stroke) {
        self.begin();
        self.move_to(from.0, from.1);
        self.line_to(to.0, to.1);
        self.stroke(stroke);
    }

    /// A rectangle as current path.
    fn rect_path(&mut self, x: f64, y: f64, width: f64, height: f64) {
        self.polygon_path(&[(x, y), (x + width, y), (x + width, y + height), (x, y + height)]);
    }

    /// A filled rectangle.
    fn fill_rect(&mut self, x: f64, y: f64, width: f64, height: f64, ink: impl Into<Ink>)
    where
        Self: Sized,
    {
        self.rect_path(x, y, width, height);
        self.fill(ink.into());
    }

    /// A closed polygon as current path; nothing for fewer than two points.
    fn polygon_path(&mut self, points: &[(f64, f64)]) {
        self.begin();
        if let [first, rest @ ..] = points {
            self.move_to(first.0, first.1);
            rest.iter().for_each(|p| self.line_to(p.0, p.1));
            self.close();
        }
    }

    /// A rectangle with rounded corners as current path; the radius is clamped to half the shorter side.
    fn round_rect_path(&mut self, x: f64, y: f64, width: f64, height: f64, radius: f64) {
        let r = radius.min(width / 2.0).min(height / 2.0).max(0.0);
        let k = r * (1.0 - CIRCLE);
        let (right, bottom) = (x + width, y + height);
        self.begin();
        self.move_to(x + r, y);
        self.line_to(right - r, y);
        self.curve_to(right - k, y, right, y + k, right, y + r);
        self.line_to(right, bottom - r);
        self.curve_to(right, bottom - k, right - k, bottom, right - r, bottom);
        self.line_to(x + r, bottom);
        self.curve_to(x + k, bottom, x, bottom - k, x, bottom - r);
        self.line_to(x, y + r);
        self.curve_to(x, y + k, x + k, y, x + r, y);
        self.close();
    }

    /// A circle added to the current path.
    fn add_ellipse(&mut self, cx: f64, cy: f64, rx: f64, ry: f64) {
        let (kx, ky) = (rx * CIRCLE, ry * CIRCLE);
        self.move_to(cx + rx, cy);
        self.curve_to(cx + rx, cy + ky, cx + kx, cy + ry, cx, cy + ry);
        self.curve_to(cx - kx, cy + ry, cx - rx, cy + ky, cx - rx, cy);
        self.curve_to(cx - rx, cy - ky, cx - kx, cy - ry, cx, cy - ry);
        self.curve_to(cx + kx, cy - ry, cx + rx, cy - ky, cx + rx, cy);
        self.close();
    }

    /// A circle as current path.
    fn circle_path(&mut self, cx: f64, cy: f64, r: f64) {
        self.begin();
        self.add_ellipse(cx, cy, r, r);
    }

    /// Text whose visual middle sits at `y`.
    fn text_middle(&mut self, text: &str, x: f64, y: f64, style: &TextStyle) {
        self.text(text, x, y + style.middle_to_baseline(), style);
    }
}

impl<S: Surface + ?Sized> Draw for S {}

/// Control-point distance that makes four cubics a circle.
const CIRCLE: f64 = 0.552_284_75;

/// `text` shortened in the middle with `…` so that it fits `width`; identifiers differ at both ends.
///
/// Empty if not even the ellipsis fits. Cuts between characters, never inside one.
pub fn fit_text<S: Surface + ?Sized>(surface: &S, text: &str, width: f64, style: &TextStyle) -> String {
    if surface.measure(text, style) <= width {
        return text.to_owned();
    }
    let chars: Vec<char> = text.chars().collect();
    let shortened = |keep: usize| {
        let head = keep.div_ceil(2);
        let tail = chars.len() - (keep - head);
        chars[..head].iter().chain(['…'].iter()).chain(&chars[tail..]).collect::<String>()
    };
    let (mut low, mut high) = (0, chars.len());
    while low < high {
        let keep = (low + high).div_ceil(2);
        if keep < chars.len() && surface.measure(&shortened(keep), style) <= width {
            low = keep;
        } else {
            high = keep - 1;
        }
    }
    match low {
        0 if surface.measure("…", style) > width => String::new(),
        _ => shortened(low),
    }
}

/// Width of text without a font at hand: an estimate after Inter-like proportions, for SVG and tests.
pub fn estimate_width(text: &str, style: &TextStyle) -> f64 {
    if style.face == Face::Mono {
        return text.chars().map(|c| if is_wide(c) { 1.0 } else { 0.6 }).sum::<f64>() * style.size;
    }
    let em: f64 = text.chars().map(char_em).sum();
    em * style.size * if style.weight >= 600 { 1.04 } else { 1.0 }
}

fn is_wide(c: char) -> bool {
    matches!(c as u32, 0x1100..=0x11FF | 0x2E80..=0x9FFF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFF00..=0xFF60)
}

fn char_em(c: char) -> f64 {
    match c {
        '\u{2009}' => 0.2,
        ' ' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | 'i' | 'l' | 'I' | 'j' => 0.27,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' | '·' => 0.37,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.88,
        '0'..='9' => 0.62,
        'A'..='Z' => 0.68,
        c if is_wide(c) => 0.9,
        _ => 0.57,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{svg::SvgSurface, tokens::Token};

    #[test]
    fn long_names_lose_their_middle() {
        let surface = SvgSurface::new(100.0, 100.0);
        let style = TextStyle::new(Token::Text1, 10.0, 400);
        assert_eq!(fit_text(&surface, "payment", 100.0, &style), "payment");
        let short = fit_text(&surface, "payment-deployment-7f9c", 60.0, &style);
        assert!(short.starts_with("pay") && short.ends_with('c') && short.contains('…'), "{short}");
        assert!(surface.measure(&short, &style) <= 60.0);
        assert_eq!(fit_text(&surface, "결제서비스", 2.0, &style), "");
    }
}
