//! The one colour table: CSS custom properties, chart palette and contrast test all read it.
//!
//! Names are roles (`--text-2`), never hues. Everything drawn takes an [`Ink`] (a role and an alpha), so
//! that one drawing serves both themes: an SVG writes `var(--text-2)`, a canvas asks for the
//! [`Rgb`] of its theme.
//!
//! Source: the visual direction's token table; the ratios promised there are asserted in the tests below.

use std::fmt;

/// Which column of the table to read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Theme {
    /// Midnight ink, the canonical theme.
    #[default]
    Dark,
    /// Paper, a full peer.
    Light,
}

/// A colour in sRGB, one byte per channel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rgb(pub u8, pub u8, pub u8);

impl Rgb {
    const fn hex(v: u32) -> Rgb {
        Rgb((v >> 16) as u8, (v >> 8) as u8, v as u8)
    }

    /// `self` at `alpha` (0 to 1) over the opaque `below`, blended in sRGB as browsers do.
    pub fn over(self, alpha: f64, below: Rgb) -> Rgb {
        let mix = |a: u8, b: u8| (f64::from(a) * alpha + f64::from(b) * (1.0 - alpha)).round() as u8;
        Rgb(mix(self.0, below.0), mix(self.1, below.1), mix(self.2, below.2))
    }
}

impl fmt::Display for Rgb {
    /// `#rrggbb`, as CSS takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

macro_rules! tokens {
    ($($variant:ident $name:literal $dark:literal $light:literal $doc:literal)*) => {
        /// A colour role. The custom property is `--` and [`Token::name`].
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        #[repr(u8)]
        pub enum Token { $(#[doc = $doc] $variant),* }

        impl Token {
            /// Every token, in table order; `Token::ALL[t as usize] == t`.
            pub const ALL: &'static [Token] = &[$(Token::$variant),*];

            /// Name without the leading dashes, e.g. `text-2`.
            pub const fn name(self) -> &'static str {
                match self { $(Token::$variant => $name),* }
            }

            /// `var(--name)`.
            pub const fn css_var(self) -> &'static str {
                match self { $(Token::$variant => concat!("var(--", $name, ")")),* }
            }

            /// The opaque colour in one theme.
            pub const fn rgb(self, theme: Theme) -> Rgb {
                match (self, theme) {
                    $((Token::$variant, Theme::Dark) => Rgb::hex($dark),
                      (Token::$variant, Theme::Light) => Rgb::hex($light),)*
                }
            }
        }
    };
}

tokens! {
    Bg0 "bg-0" 0x0B0E14 0xF5F7FA "Page."
    Bg1 "bg-1" 0x11151D 0xFFFFFF "Panels, tables, chart field."
    Bg2 "bg-2" 0x181D27 0xEDF1F6 "Row hover, popover, sticky header."
    Bg3 "bg-3" 0x212836 0xE1E7EF "Inputs, pressed controls, selected row base."
    Line1 "line-1" 0x232A36 0xDCE2EB "Dividers and grid; decorative."
    Line2 "line-2" 0x364152 0xBFC9D7 "Axes, panel edges."
    LineI "line-i" 0x667389 0x76839A "Borders of things one can operate."
    Text1 "text-1" 0xE8ECF2 0x121822 "Main text."
    Text2 "text-2" 0xA9B4C4 0x445064 "Labels."
    Text3 "text-3" 0x8893A5 0x596679 "Hints, ticks, units."
    Accent "accent" 0x5CB8FF 0x0A5FB8 "Links, focus, selection."
    AccentBg "accent-bg" 0x12314D 0xDCEBFB "Selected row or tab; only text-1 and text-2 on it."
    OnAccent "on-accent" 0x06121F 0xFFFFFF "Text on an accent fill."
    Brass "brass" 0xD8B26A 0x7A5A16 "The logo and the live needle, nothing else."
    Ok "ok" 0x4CC38A 0x17764A "Status glyph ●."
    Warn "warn" 0xF0B13C 0x8A5600 "Status glyph ▲."
    Err "err" 0xFF6B5E 0xC0281B "Status glyph ◆."
    Unknown "unknown" 0x8A96A8 0x596679 "Status glyph ○: no data is not healthy."
    Series1 "series-1" 0x83A4D0 0x5C7093 "Series 1; also the baseline of a comparison."
    Series2 "series-2" 0xFC9F04 0x6B3906 "Series 2; also the selection of a comparison."
    Series3 "series-3" 0x0FB38B 0x006557 "Series 3."
    Series4 "series-4" 0xFEC5CF 0xAF2B67 "Series 4."
    Series5 "series-5" 0xC6E863 0x456C07 "Series 5."
    Series6 "series-6" 0xB5BBFE 0x2A4385 "Series 6."
    Series7 "series-7" 0x1190A1 0x4EA0AF "Series 7."
    Series8 "series-8" 0xBE6511 0xA38263 "Series 8."
    Heat0 "heat-0" 0x1A2532 0xE5F3FA "Heat ramp, lowest."
    Heat1 "heat-1" 0x1F405B 0xB0DDE9 "Heat ramp."
    Heat2 "heat-2" 0x07617C 0x73C3CC "Heat ramp."
    Heat3 "heat-3" 0x05888E 0x37A1B8 "Heat ramp."
    Heat4 "heat-4" 0x48B289 0x0D76AD "Heat ramp."
    Heat5 "heat-5" 0xAED06E 0x234993 "Heat ramp."
    Heat6 "heat-6" 0xF0E988 0x262067 "Heat ramp, highest."
    Errors0 "errors-0" 0x414853 0xB4BFCD "No errors."
    Errors1 "errors-1" 0x937D4E 0x9A8448 "Error ratio under 0.1 %."
    Errors2 "errors-2" 0xD5A13C 0xB27400 "Error ratio under 1 %."
    Errors3 "errors-3" 0xF27636 0xC2500C "Error ratio under 5 %."
    Errors4 "errors-4" 0xF45249 0xC0281B "Error ratio of 5 % and more."
}

/// How many series get a colour of their own before "other".
pub const SERIES_COUNT: usize = 8;

impl Token {
    /// The `i`th series colour, from 0; past the eighth everything is "other" ([`Token::Text3`]).
    pub fn series(i: usize) -> Token {
        if i < SERIES_COUNT { Token::ALL[Token::Series1 as usize + i] } else { Token::Text3 }
    }

    /// Heat ramp for a share of the maximum, 0 to 1 (clamped; not-a-number is 0).
    ///
    /// Callers with counts pass the square root of the share, as the visual direction asks.
    pub fn heat(share: f64) -> Token {
        let step = (share.clamp(0.0, 1.0) * 7.0) as usize;
        Token::ALL[Token::Heat0 as usize + step.min(6)]
    }

    /// Five-step error colour of a ratio 0 to 1: none, < 0.1 %, < 1 %, < 5 %, more.
    pub fn errors(ratio: f64) -> Token {
        match ratio {
            r if r >= 0.05 => Token::Errors4,
            r if r >= 0.01 => Token::Errors3,
            r if r >= 0.001 => Token::Errors2,
            r if r > 0.0 => Token::Errors1,
            _ => Token::Errors0,
        }
    }

    /// This role at an opacity of 0 to 1.
    pub fn alpha(self, alpha: f64) -> Ink {
        Ink { token: self, alpha: (alpha.clamp(0.0, 1.0) * 255.0).round() as u8 }
    }
}

/// Something to draw with: a role and an opacity. Small, `Copy` and hashable, so a canvas can cache its
/// CSS string.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ink {
    /// The colour role.
    pub token: Token,
    /// Opacity, 0 to 255.
    pub alpha: u8,
}

impl From<Token> for Ink {
    fn from(token: Token) -> Ink {
        Ink { token, alpha: 255 }
    }
}

impl Ink {
    /// Opacity from 0 to 1.
    pub fn opacity(self) -> f64 {
        f64::from(self.alpha) / 255.0
    }

    /// The same role, `factor` times as opaque.
    pub fn fade(self, factor: f64) -> Ink {
        self.token.alpha(self.opacity() * factor)
    }

    /// A CSS colour for one theme, for canvases: `#rrggbb` or `rgb(r g b / a)`.
    pub fn css(self, theme: Theme) -> String {
        let rgb = self.token.rgb(theme);
        match self.alpha {
            255 => rgb.to_string(),
            _ => format!("rgb({} {} {} / {:.3})", rgb.0, rgb.1, rgb.2, self.opacity()),
        }
    }
}

/// Status colours and the opacity of their tint over the panel, dark and light.
const TINTED: [(Token, &str); 4] =
    [(Token::Ok, "ok-bg"), (Token::Warn, "warn-bg"), (Token::Err, "err-bg"), (Token::Unknown, "unknown-bg")];

fn tint(token: Token, theme: Theme) -> Rgb {
    let alpha = if theme == Theme::Dark { 0.14 } else { 0.10 };
    token.rgb(theme).over(alpha, Token::Bg1.rgb(theme))
}

/// The custom properties of one theme as CSS declarations, without a selector.
///
/// Besides every [`Token`]: `--ok-bg`, `--warn-bg`, `--err-bg`, `--unknown-bg` (status tints over the panel),
/// `--shadow` (floating layers only) and `color-scheme`.
pub fn declarations(theme: Theme) -> String {
    let (scheme, shadow) = match theme {
        Theme::Dark => ("dark", ".45"),
        Theme::Light => ("light", ".14"),
    };
    let mut css = format!("color-scheme:{scheme};--shadow:0 8px 24px rgb(0 0 0 / {shadow});");
    for token in Token::ALL {
        css += &format!("--{}:{};", token.name(), token.rgb(theme));
    }
    for (token, name) in TINTED {
        css += &format!("--{name}:{};", tint(token, theme));
    }
    css
}

/// The whole theme sheet: dark by default, `data-theme=light|dark|system` on the root element; `system`
/// follows `prefers-color-scheme`.
pub fn css() -> String {
    let (dark, light) = (declarations(Theme::Dark), declarations(Theme::Light));
    format!(
        ":root,:root[data-theme=dark]{{{dark}}}\n\
         :root[data-theme=light]{{{light}}}\n\
         @media (prefers-color-scheme: light){{:root[data-theme=system]{{{light}}}}}\n"
    )
}

#[cfg(test)]
mod tests;
