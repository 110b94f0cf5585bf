//! What is said about a node or an edge before anything else: that it is new, gone, worse, better.

use crate::{
    surface::{Align, Draw, Stroke, Surface, TextStyle},
    tokens::Token,
};

use super::node;

/// What a mark means. Never shown by colour alone: each has its own sign, and the words with it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Tone {
    /// Neither good nor bad: ~.
    Other,
    /// For the better: ↓.
    Better,
    /// Was here and is not: −. Its outline is broken, its edges dotted.
    Gone,
    /// Was not here: +.
    Added,
    /// Slower: ↑.
    Slower,
    /// More of it fails: ↑.
    Failing,
}

impl Tone {
    /// Colour role of its text and outline.
    pub fn token(self) -> Token {
        match self {
            Tone::Other | Tone::Gone => Token::Text2,
            Tone::Better => Token::Ok,
            Tone::Added => Token::Accent,
            Tone::Slower => Token::Warn,
            Tone::Failing => Token::Err,
        }
    }

    /// Its sign, where there is no room for words.
    pub fn sign(self) -> &'static str {
        match self {
            Tone::Other => "~",
            Tone::Better => "↓",
            Tone::Gone => "−",
            Tone::Added => "+",
            Tone::Slower | Tone::Failing => "↑",
        }
    }
}

/// A short remark.
#[derive(Clone, PartialEq, Debug)]
pub struct Mark {
    /// What it means.
    pub tone: Tone,
    /// A few words, in the page's language, with their sign.
    pub text: String,
}

/// Height of a mark, CSS pixels at every zoom: marks are what the map is about.
const HEIGHT: f64 = 15.0;

/// Draws a mark on the upper edge of a node: left, top and width on the screen. Only its sign on a map too small for
/// names.
pub(super) fn draw_mark<S: Surface>(s: &mut S, mark: &Mark, (x, y, w): (f64, f64, f64), zoom: f64, strength: f64) {
    let style = TextStyle::new(mark.tone.token().alpha(strength), 10.0, 600).align(Align::Center);
    let text = if zoom >= node::NAME_ZOOM { mark.text.as_str() } else { mark.tone.sign() };
    let width = s.measure(text, &style) + 10.0;
    let left = if zoom >= node::NAME_ZOOM { x + 6.0 } else { x + (w - width) / 2.0 };
    s.round_rect_path(left, y - HEIGHT + 4.0, width, HEIGHT, HEIGHT / 2.0);
    s.fill(Token::Bg0.into());
    s.stroke(&Stroke::new(mark.tone.token().alpha(strength), 1.0));
    s.text_middle(text, left + width / 2.0, y - HEIGHT / 2.0 + 4.0, &style);
}
