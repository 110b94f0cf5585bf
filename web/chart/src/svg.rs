//! Drawing to an SVG string: 0.1 px coordinates, colours as custom properties, so that one picture serves
//! both themes when inlined into the page.

use std::fmt::Write as _;

use crate::{
    surface::{Align, Dash, Face, Stroke, Surface, TextStyle, estimate_width},
    tokens::{self, Ink, Theme},
};

const UI_FONT: &str = "var(--font-ui,Pretendard Variable,Pretendard,Inter,system-ui,sans-serif)";

/// A [`Surface`] that writes SVG elements.
#[derive(Debug)]
pub struct SvgSurface {
    width: f64,
    height: f64,
    path: String,
    body: String,
    clips: usize,
}

impl SvgSurface {
    /// An empty picture of this many CSS pixels.
    pub fn new(width: f64, height: f64) -> SvgSurface {
        SvgSurface { width, height, path: String::new(), body: String::new(), clips: 0 }
    }

    /// The picture for inlining into a page that carries [`tokens::css`]. `title` and `desc` are read out by
    /// screen readers; an empty one is left out.
    pub fn finish(self, title: &str, desc: &str) -> String {
        self.wrap(title, desc, "")
    }

    /// The picture as a file of its own, with one theme's colours inside.
    pub fn finish_standalone(self, title: &str, desc: &str, theme: Theme) -> String {
        let style = format!("<style>svg{{{}background:var(--bg-1)}}</style>", tokens::declarations(theme));
        self.wrap(title, desc, &style)
    }

    fn wrap(self, title: &str, desc: &str, head: &str) -> String {
        let (w, h) = (Tenths(self.width), Tenths(self.height));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
             role=\"img\" class=\"chart\" font-family=\"{UI_FONT}\" font-variant-numeric=\"tabular-nums\" \
             stroke-linejoin=\"round\">\n"
        );
        for (tag, text) in [("title", title), ("desc", desc)] {
            if !text.is_empty() {
                let _ = writeln!(svg, "<{tag}>{}</{tag}>", escape(text));
            }
        }
        svg + head + &self.body + "</svg>\n"
    }

    fn number(&mut self, command: char, numbers: &[f64]) {
        self.path.push(command);
        for (i, n) in numbers.iter().enumerate() {
            if i > 0 {
                self.path.push(' ');
            }
            let _ = write!(self.path, "{}", Tenths(*n));
        }
    }
}

impl Surface for SvgSurface {
    fn size(&self) -> (f64, f64) {
        (self.width, self.height)
    }

    fn begin(&mut self) {
        self.path.clear();
    }

    fn move_to(&mut self, x: f64, y: f64) {
        self.number('M', &[x, y]);
    }

    fn line_to(&mut self, x: f64, y: f64) {
        self.number('L', &[x, y]);
    }

    fn curve_to(&mut self, x1: f64, y1: f64, x2: f64, y2: f64, x: f64, y: f64) {
        self.number('C', &[x1, y1, x2, y2, x, y]);
    }

    fn close(&mut self) {
        self.path.push('Z');
    }

    fn stroke(&mut self, stroke: &Stroke) {
        let _ = write!(
            self.body,
            "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"",
            self.path,
            stroke.ink.token.css_var(),
            Tenths(stroke.width)
        );
        if stroke.dash != Dash::Solid {
            let lengths: Vec<String> = stroke.dash.lengths().iter().map(f64::to_string).collect();
            let _ = write!(self.body, " stroke-dasharray=\"{}\"", lengths.join(" "));
        }
        write_opacity(&mut self.body, "stroke-opacity", stroke.ink);
        self.body += "/>\n";
    }

    fn fill(&mut self, ink: Ink) {
        let _ = write!(self.body, "<path d=\"{}\" fill=\"{}\"", self.path, ink.token.css_var());
        write_opacity(&mut self.body, "fill-opacity", ink);
        self.body += "/>\n";
    }

    fn text(&mut self, text: &str, x: f64, y: f64, style: &TextStyle) {
        let anchor = match style.align {
            Align::Left => "",
            Align::Center => " text-anchor=\"middle\"",
            Align::Right => " text-anchor=\"end\"",
        };
        let face = match style.face {
            Face::Ui => "",
            Face::Mono => " font-family=\"var(--font-mono,JetBrains Mono,ui-monospace,monospace)\"",
        };
        let _ = write!(
            self.body,
            "<text x=\"{}\" y=\"{}\"{anchor} font-size=\"{}\" font-weight=\"{}\"{face} fill=\"{}\"",
            Tenths(x),
            Tenths(y),
            Tenths(style.size),
            style.weight,
            style.ink.token.css_var(),
        );
        write_opacity(&mut self.body, "fill-opacity", style.ink);
        let _ = writeln!(self.body, ">{}</text>", escape(text));
    }

    fn measure(&self, text: &str, style: &TextStyle) -> f64 {
        estimate_width(text, style)
    }

    fn push_clip(&mut self, x: f64, y: f64, width: f64, height: f64) {
        // A nested viewport clips without an id, so that many pictures may share a page.
        let (x, y, w, h) = (Tenths(x), Tenths(y), Tenths(width.max(0.0)), Tenths(height.max(0.0)));
        self.clips += 1;
        let _ =
            writeln!(self.body, "<svg x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" viewBox=\"{x} {y} {w} {h}\">");
    }

    fn pop_clip(&mut self) {
        if self.clips > 0 {
            self.clips -= 1;
            self.body += "</svg>\n";
        }
    }
}

fn write_opacity(out: &mut String, name: &str, ink: Ink) {
    if ink.alpha < 255 {
        let _ = write!(out, " {name}=\"{:.2}\"", ink.opacity());
    }
}

/// A coordinate with at most one decimal: `12`, `-3.5`, never `-0`.
struct Tenths(f64);

impl std::fmt::Display for Tenths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = if self.0.is_finite() { (self.0 * 10.0).round() as i64 } else { 0 };
        let sign = if tenths < 0 { "-" } else { "" };
        let (whole, rest) = (tenths.abs() / 10, tenths.abs() % 10);
        if rest == 0 { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{rest}") }
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{surface::Draw, tokens::Token};
    use expect_test::expect;

    #[test]
    fn writes_roles_not_colours_and_escapes_text() {
        let mut svg = SvgSurface::new(20.0, 10.0);
        svg.line((0.04, -0.04), (9.96, 3.25), &Stroke::new(Token::Accent.alpha(0.5), 1.5).dash(Dash::Short));
        svg.push_clip(0.0, 0.0, 5.0, 5.0);
        svg.text_middle("a<b & \"c\"", 1.0, 5.0, &TextStyle::new(Token::Text2, 10.0, 400));
        svg.pop_clip();
        expect![[r#"
            <svg xmlns="http://www.w3.org/2000/svg" width="20" height="10" viewBox="0 0 20 10" role="img" class="chart" font-family="var(--font-ui,Pretendard Variable,Pretendard,Inter,system-ui,sans-serif)" font-variant-numeric="tabular-nums" stroke-linejoin="round">
            <title>T</title>
            <path d="M0 0L10 3.3" fill="none" stroke="var(--accent)" stroke-width="1.5" stroke-dasharray="3 3" stroke-opacity="0.50"/>
            <svg x="0" y="0" width="5" height="5" viewBox="0 0 5 5">
            <text x="1" y="8.6" font-size="10" font-weight="400" fill="var(--text-2)">a&lt;b &amp; &quot;c&quot;</text>
            </svg>
            </svg>
        "#]].assert_eq(&svg.finish("T", ""));
    }
}
