//! Numbers as people read them: three significant digits and a unit, the same on axes, tiles and tables.

use std::borrow::Cow;

/// What a value means, and so how it is written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Unit {
    /// A bare number, shortened with k, M, G.
    #[default]
    Number,
    /// Nanoseconds.
    Nanos,
    /// Microseconds.
    Micros,
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
    /// Bytes, written in powers of 1024 (KiB).
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Events per second, written `/s`.
    PerSecond,
    /// Requests per second, written `req/s`.
    Requests,
    /// Per cent, 0 to 100.
    Percent,
    /// A share of 0 to 1, written in per cent.
    Ratio,
    /// Anything else, shortened like a bare number.
    Other(Cow<'static, str>),
}

/// A written number: digits and unit apart, so that the unit can be set in a quieter colour.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quantity {
    /// Digits, e.g. `1.84`, `<0.01`, `–` for a missing value.
    pub number: String,
    /// Unit, maybe empty, e.g. `s`, `KiB/s`, `k req/s`.
    pub unit: String,
}

impl std::fmt::Display for Quantity {
    /// Number and unit with a thin space between.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.number)?;
        if !self.unit.is_empty() {
            write!(f, "\u{2009}{}", self.unit)?;
        }
        Ok(())
    }
}

/// One step of a unit ladder: values are divided by `divisor` and written with `suffix`.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Scale {
    pub(crate) divisor: f64,
    pub(crate) suffix: String,
}

type Ladder = &'static [(f64, &'static str)];

const DECIMAL: Ladder = &[(1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T")];
const BINARY: Ladder =
    &[(1.0, "B"), (1024.0, "KiB"), (1_048_576.0, "MiB"), (1_073_741_824.0, "GiB"), (1_099_511_627_776.0, "TiB")];
/// In nanoseconds. Minutes start at two, so that a 90 s timeout still reads 90 s.
const TIME: Ladder =
    &[(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s"), (60e9, "min"), (3_600e9, "h"), (86_400e9, "d")];

impl Unit {
    /// The unit behind an OpenTelemetry (UCUM) unit string: `ms`, `By`, `By/s`, `1`, `%`, `{request}`.
    ///
    /// Annotations in braces carry no dimension, so `{request}` is a bare number and `{request}/s` a rate.
    pub fn from_ucum(ucum: &str) -> Unit {
        match ucum.trim() {
            "" | "1" => Unit::Number,
            "ns" => Unit::Nanos,
            "us" => Unit::Micros,
            "ms" => Unit::Millis,
            "s" => Unit::Seconds,
            "By" | "bytes" => Unit::Bytes,
            "By/s" => Unit::BytesPerSecond,
            "%" => Unit::Percent,
            "1/s" => Unit::PerSecond,
            u if u.starts_with('{') && u.ends_with('}') => Unit::Number,
            u if u.starts_with('{') && u.ends_with("}/s") => Unit::PerSecond,
            u => Unit::Other(Cow::Owned(u.to_owned())),
        }
    }

    /// `value` with three significant digits; `–` if it is not a number.
    ///
    /// ```
    /// use orrery_chart::Unit;
    /// assert_eq!(Unit::Nanos.format(1_840_000_000.0).to_string(), "1.84\u{2009}s");
    /// assert_eq!(Unit::Ratio.format(0.0042).to_string(), "0.42\u{2009}%");
    /// assert_eq!(Unit::Bytes.format(1536.0).to_string(), "1.50\u{2009}KiB");
    /// ```
    pub fn format(&self, value: f64) -> Quantity {
        if !value.is_finite() {
            return Quantity { number: "–".to_owned(), unit: String::new() };
        }
        let scale = self.scale_for(round_significant(value * self.base()) / self.base());
        let scaled = value / scale.divisor;
        Quantity { number: write_number(scaled, self.max_decimals()), unit: scale.suffix }
    }

    /// The ladder step on which `value` (in this unit) is best written.
    pub(crate) fn scale_for(&self, value: f64) -> Scale {
        let value = value.abs() * self.base();
        let (ladder, tail) = self.ladder();
        let bottom = if self.is_time() && value == 0.0 { ladder[2.min(ladder.len() - 1)] } else { ladder[0] };
        let fits = |&&(size, name): &&(f64, &str)| value >= if name == "min" { 2.0 * size } else { size };
        let (divisor, name) = ladder.iter().rev().find(fits).copied().unwrap_or(bottom);
        let suffix = match (name, tail) {
            ("", tail) => tail.to_owned(),
            (name, "") => name.to_owned(),
            (name, tail) if self.is_prefixed() => format!("{name} {tail}"),
            (name, tail) => format!("{name}{tail}"),
        };
        Scale { divisor: divisor / self.base(), suffix }
    }

    /// How many ladder units one of ours is.
    fn base(&self) -> f64 {
        match self {
            Unit::Micros => 1e3,
            Unit::Millis => 1e6,
            Unit::Seconds => 1e9,
            Unit::Ratio => 100.0,
            _ => 1.0,
        }
    }

    fn ladder(&self) -> (Ladder, &str) {
        match self {
            Unit::Number => (DECIMAL, ""),
            Unit::Nanos | Unit::Micros | Unit::Millis | Unit::Seconds => (TIME, ""),
            Unit::Bytes => (BINARY, ""),
            Unit::BytesPerSecond => (BINARY, "/s"),
            Unit::PerSecond => (DECIMAL, "/s"),
            Unit::Requests => (DECIMAL, "req/s"),
            Unit::Percent | Unit::Ratio => (&[(1.0, "%")], ""),
            Unit::Other(name) => (DECIMAL, name),
        }
    }

    pub(crate) fn is_time(&self) -> bool {
        matches!(self, Unit::Nanos | Unit::Micros | Unit::Millis | Unit::Seconds)
    }

    pub(crate) fn is_binary(&self) -> bool {
        matches!(self, Unit::Bytes | Unit::BytesPerSecond)
    }

    fn is_prefixed(&self) -> bool {
        matches!(self, Unit::Requests | Unit::Other(_))
    }

    fn max_decimals(&self) -> usize {
        match self {
            Unit::Percent | Unit::Ratio => 2,
            _ => 3,
        }
    }

    /// A value's natural ceiling when a chart shows nothing but zeros.
    pub(crate) fn quiet_maximum(&self) -> f64 {
        match self {
            Unit::Ratio => 0.01,
            unit if unit.is_time() => 1e6 / unit.base(),
            _ => 1.0,
        }
    }
}

fn round_significant(value: f64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let unit = 10f64.powi(value.abs().log10().floor() as i32 - 2);
    (value / unit).round() * unit
}

/// Three significant digits, at most `max_decimals` decimals; whole numbers stay whole.
fn write_number(value: f64, max_decimals: usize) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    let floor = 10f64.powi(-(max_decimals as i32));
    if size < floor {
        return if value < 0.0 { format!(">−{floor}") } else { format!("<{floor}") };
    }
    if size >= 1e6 {
        return format!("{value:.2e}").replace('-', "−");
    }
    let decimals = match size {
        s if s >= 99.95 => 0,
        s if s >= 9.995 => 1,
        s if s >= 0.0995 => 2,
        _ => 3,
    };
    let decimals = if (size - size.round()).abs() < 1e-9 { 0 } else { decimals.min(max_decimals) };
    with_minus(value, decimals)
}

pub(crate) fn with_minus(value: f64, decimals: usize) -> String {
    if value.abs() >= 1e9 {
        return format!("{value:.2e}").replace('-', "−");
    }
    let digits = format!("{:.decimals$}", value.abs());
    let negative = value < 0.0 && digits.bytes().any(|b| (b'1'..=b'9').contains(&b));
    if negative { format!("−{digits}") } else { digits }
}

/// An exact count with its thousands apart, as both languages write it: `1,234,567`.
pub fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(unit: Unit, cases: &[(f64, &str)]) {
        for (value, want) in cases {
            let got = unit.format(*value).to_string().replace('\u{2009}', " ");
            assert_eq!(got, *want, "{value} as {unit:?}");
        }
    }

    #[test]
    fn durations_pick_their_unit_after_rounding() {
        check(
            Unit::Nanos,
            &[
                (0.0, "0 ms"),
                (17.0, "17 ns"),
                (1_530.0, "1.53 µs"),
                (999_600.0, "1.00 ms"),
                (318e6, "318 ms"),
                (1.84e9, "1.84 s"),
                (90e9, "90 s"),
                (150e9, "2.50 min"),
                (5_400e9, "1.50 h"),
            ],
        );
        check(Unit::Millis, &[(41.2, "41.2 ms"), (0.25, "250 µs")]);
        check(Unit::Seconds, &[(0.041, "41 ms")]);
    }

    #[test]
    fn rates_counts_and_bytes() {
        check(Unit::Requests, &[(214.0, "214 req/s"), (12_400.0, "12.4 k req/s"), (0.0167, "0.017 req/s")]);
        check(Unit::PerSecond, &[(12_400.0, "12.4 k/s"), (999.9, "1.00 k/s")]);
        check(Unit::Number, &[(5.0, "5"), (1_284.0, "1.28 k"), (-3.25, "−3.25"), (f64::NAN, "–")]);
        check(Unit::Bytes, &[(1536.0, "1.50 KiB"), (3_221_225_472.0, "3 GiB"), (12.0, "12 B")]);
        check(Unit::BytesPerSecond, &[(2_097_152.0, "2 MiB/s")]);
    }

    #[test]
    fn shares_have_two_decimals_at_most() {
        check(Unit::Ratio, &[(0.061, "6.10 %"), (0.0042, "0.42 %"), (0.00002, "<0.01 %"), (1.0, "100 %")]);
        check(Unit::Percent, &[(99.95, "100 %"), (12.34, "12.3 %")]);
    }

    #[test]
    fn ucum_strings() {
        assert_eq!(Unit::from_ucum("{request}"), Unit::Number);
        assert_eq!(Unit::from_ucum("By"), Unit::Bytes);
        check(Unit::from_ucum("Cel"), &[(42.0, "42 Cel")]);
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([grouped(0), grouped(999), grouped(4_213), grouped(1_000_000)], ["0", "999", "4,213", "1,000,000"]);
    }
}
