//! plotters over a [`Surface`], with sub-pixel precision.
//!
//! plotters counts in whole pixels. We report a surface [`SUBPIXELS`] times larger and divide when drawing, so
//! a line lands within an eighth of a CSS pixel.

use std::convert::Infallible;

use plotters::style::{
    FontDesc, FontFamily, FontStyle, RGBAColor, ShapeStyle, TextStyle as PlotText, text_anchor::Pos,
};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    text_anchor::{HPos, VPos},
};

use crate::{
    surface::{Align, Dash, Draw, Stroke, Surface, TextStyle},
    tokens::{Ink, Theme, Token},
};

/// plotters pixels per CSS pixel on a [`SurfaceBackend`].
pub const SUBPIXELS: f64 = 8.0;

/// How chart code talks to one kind of plotters backend: its pixels per CSS pixel and what its colours mean.
#[derive(Clone, Copy, Debug)]
pub struct Pen {
    scale: f64,
    paint: Paint,
}

#[derive(Clone, Copy, Debug)]
enum Paint {
    /// Colours carry (token, dash) for our own backend to resolve.
    Roles,
    /// Colours are colours, for any other backend.
    Theme(Theme),
}

impl Pen {
    /// For a [`SurfaceBackend`].
    pub const ROLES: Pen = Pen { scale: SUBPIXELS, paint: Paint::Roles };

    /// For any other plotters backend (a bitmap): `scale` of its pixels per CSS pixel, colours of `theme`. Dashes
    /// are drawn solid there, plotters having no notion of them.
    pub fn themed(theme: Theme, scale: f64) -> Pen {
        Pen { scale, paint: Paint::Theme(theme) }
    }

    /// Backend pixels of a CSS length.
    pub(crate) fn px(self, css: f64) -> i32 {
        (css * self.scale).round() as i32
    }

    pub(crate) fn point(self, x: f64, y: f64) -> (i32, i32) {
        (self.px(x), self.px(y))
    }

    fn color(self, ink: Ink, dash: Dash) -> RGBAColor {
        match self.paint {
            Paint::Roles => RGBAColor(ink.token as u8, dash as u8, 0, ink.opacity()),
            Paint::Theme(theme) => {
                let rgb = ink.token.rgb(theme);
                RGBAColor(rgb.0, rgb.1, rgb.2, ink.opacity())
            }
        }
    }

    pub(crate) fn stroke(self, stroke: Stroke) -> ShapeStyle {
        ShapeStyle {
            color: self.color(stroke.ink, stroke.dash),
            filled: false,
            stroke_width: self.px(stroke.width).max(1) as u32,
        }
    }

    pub(crate) fn fill(self, ink: impl Into<Ink>) -> ShapeStyle {
        ShapeStyle { color: self.color(ink.into(), Dash::Solid), filled: true, stroke_width: 0 }
    }

    /// Axis and label text, vertically centred on its point.
    pub(crate) fn text(self, style: TextStyle) -> PlotText<'static> {
        let weight = if style.weight >= 600 { FontStyle::Bold } else { FontStyle::Normal };
        let font = FontDesc::new(FontFamily::SansSerif, style.size * self.scale, weight);
        let h_pos = match style.align {
            Align::Left => HPos::Left,
            Align::Center => HPos::Center,
            Align::Right => HPos::Right,
        };
        let color = plotters::style::Color::to_backend_color(&self.color(style.ink, Dash::Solid));
        PlotText { font, color, pos: Pos::new(h_pos, VPos::Center) }
    }
}

/// A plotters backend over any [`Surface`]; draw on it with [`Pen::ROLES`].
#[derive(Debug)]
pub struct SurfaceBackend<'s, S: Surface> {
    surface: &'s mut S,
}

impl<'s, S: Surface> SurfaceBackend<'s, S> {
    /// Borrows the surface for one drawing.
    pub fn new(surface: &'s mut S) -> Self {
        SurfaceBackend { surface }
    }

    fn trace(&mut self, points: impl IntoIterator<Item = BackendCoord>) -> usize {
        self.surface.begin();
        let mut count = 0;
        for p in points {
            let (x, y) = css(p);
            if count == 0 {
                self.surface.move_to(x, y)
            } else {
                self.surface.line_to(x, y)
            }
            count += 1;
        }
        count
    }
}

fn css(p: BackendCoord) -> (f64, f64) {
    (f64::from(p.0) / SUBPIXELS, f64::from(p.1) / SUBPIXELS)
}

fn ink(color: BackendColor) -> Ink {
    Token::ALL.get(usize::from(color.rgb.0)).copied().unwrap_or(Token::Text1).alpha(color.alpha)
}

fn stroke<B: BackendStyle>(style: &B) -> Stroke {
    let color = style.color();
    let dash = Dash::ALL.get(usize::from(color.rgb.1)).copied().unwrap_or_default();
    Stroke { ink: ink(color), width: f64::from(style.stroke_width()) / SUBPIXELS, dash }
}

fn text_style<T: BackendTextStyle>(style: &T) -> TextStyle {
    let weight = if matches!(style.style(), FontStyle::Bold) { 600 } else { 500 };
    let align = match style.anchor().h_pos {
        HPos::Left => Align::Left,
        HPos::Center => Align::Center,
        HPos::Right => Align::Right,
    };
    TextStyle::new(ink(style.color()), style.size() / SUBPIXELS, weight).align(align)
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl<S: Surface> DrawingBackend for SurfaceBackend<'_, S> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        let (w, h) = self.surface.size();
        ((w * SUBPIXELS) as u32, (h * SUBPIXELS) as u32)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Drawn {
        let (x, y) = css(point);
        self.surface.fill_rect(x, y, 1.0 / SUBPIXELS, 1.0 / SUBPIXELS, ink(color));
        Ok(())
    }

    fn draw_line<B: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &B) -> Drawn {
        self.surface.line(css(from), css(to), &stroke(style));
        Ok(())
    }

    fn draw_rect<B: BackendStyle>(&mut self, a: BackendCoord, b: BackendCoord, style: &B, fill: bool) -> Drawn {
        let ((x0, y0), (x1, y1)) = (css(a), css(b));
        self.surface.rect_path(x0, y0, x1 - x0, y1 - y0);
        if fill {
            self.surface.fill(ink(style.color()))
        } else {
            self.surface.stroke(&stroke(style))
        }
        Ok(())
    }

    fn draw_path<B: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &B) -> Drawn {
        if self.trace(path) > 1 {
            self.surface.stroke(&stroke(style));
        }
        Ok(())
    }

    fn draw_circle<B: BackendStyle>(&mut self, center: BackendCoord, radius: u32, style: &B, fill: bool) -> Drawn {
        let (x, y) = css(center);
        self.surface.circle_path(x, y, f64::from(radius) / SUBPIXELS);
        if fill {
            self.surface.fill(ink(style.color()))
        } else {
            self.surface.stroke(&stroke(style))
        }
        Ok(())
    }

    fn fill_polygon<B: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, vert: I, style: &B) -> Drawn {
        if self.trace(vert) > 2 {
            self.surface.close();
            self.surface.fill(ink(style.color()));
        }
        Ok(())
    }

    fn draw_text<T: BackendTextStyle>(&mut self, text: &str, style: &T, pos: BackendCoord) -> Drawn {
        let (x, y) = css(pos);
        let drawn = text_style(style);
        let y = match style.anchor().v_pos {
            VPos::Top => y + drawn.size * 0.5,
            VPos::Center => y,
            VPos::Bottom => y - drawn.size * 0.5,
        };
        self.surface.text_middle(text, x, y, &drawn);
        Ok(())
    }

    fn estimate_text_size<T: BackendTextStyle>(
        &self,
        text: &str,
        style: &T,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let width = self.surface.measure(text, &text_style(style)) * SUBPIXELS;
        Ok((width.ceil() as u32, style.size().ceil() as u32))
    }
}
