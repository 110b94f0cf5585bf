//! Values of alerts as they are shown and as people write them: `5 %`, `300ms`, `14/s`.

use super::document::{at, text};
use orrery_api::alerting::ValueUnit;
use orrery_chart::Unit;
use serde_json::Value;

/// In which unit the values of a measure are.
pub fn unit_of(measure: &Value) -> ValueUnit {
    match (text(measure, "signal").as_str(), text(measure, "figure").as_str()) {
        ("requests" | "calls", "rate") => ValueUnit::PerSecond,
        ("requests" | "calls", "errors") => ValueUnit::Count,
        ("requests" | "calls", "error_ratio" | "unanswered_ratio") => ValueUnit::Ratio,
        ("requests" | "calls" | "silent" | "hosts" | "heartbeat", _) => ValueUnit::Seconds,
        ("errors" | "new_errors" | "new_edges" | "logs" | "new_log_patterns", _) => ValueUnit::Count,
        ("burn", _) => ValueUnit::Times,
        _ => ValueUnit::None,
    }
}

/// The same for charts.
pub fn chart_unit(unit: ValueUnit) -> Unit {
    match unit {
        ValueUnit::None | ValueUnit::Count => Unit::Number,
        ValueUnit::Ratio => Unit::Ratio,
        ValueUnit::Seconds => Unit::Seconds,
        ValueUnit::PerSecond => Unit::PerSecond,
        ValueUnit::Times => Unit::Other("×".into()),
    }
}

/// As it is shown: three digits.
pub fn shown(unit: ValueUnit, value: f64) -> String {
    chart_unit(unit).format(value).to_string()
}

/// As it is written into a field: exact, and read back by [`read`].
pub fn write(unit: ValueUnit, value: f64) -> String {
    // Shares of 0.07 are 7 %, not 7.000000000000001 %.
    let tidy = |value: f64| format!("{}", (value * 1e9).round() / 1e9);
    match unit {
        ValueUnit::Ratio => format!("{} %", tidy(value * 100.0)),
        ValueUnit::Seconds if value != 0.0 && value.abs() < 1.0 => format!("{} ms", tidy(value * 1e3)),
        ValueUnit::Seconds => format!("{} s", tidy(value)),
        ValueUnit::PerSecond => format!("{} /s", tidy(value)),
        ValueUnit::Times => format!("{} ×", tidy(value)),
        ValueUnit::None | ValueUnit::Count => format!("{value}"),
    }
}

/// What somebody wrote: a number, with a unit or without. Shares are per cent, lengths of time seconds.
pub fn read(unit: ValueUnit, written: &str) -> Option<f64> {
    let written = written.trim().replace(',', ".");
    let end = written
        .find(|letter: char| !(letter.is_ascii_digit() || matches!(letter, '.' | '-' | '+')))
        .unwrap_or(written.len());
    let number: f64 = written[..end].parse().ok().filter(|number: &f64| number.is_finite())?;
    let factor: f64 = match (unit, written[end..].trim()) {
        (ValueUnit::Ratio, "" | "%") => 0.01,
        (ValueUnit::Seconds, "" | "s") => 1.0,
        (ValueUnit::Seconds, "ms") => 1e-3,
        (ValueUnit::Seconds, "us" | "µs") => 1e-6,
        (ValueUnit::Seconds, "m" | "min") => 60.0,
        (ValueUnit::Seconds, "h") => 3_600.0,
        (ValueUnit::Seconds, "d") => 86_400.0,
        (ValueUnit::PerSecond, "" | "/s")
        | (ValueUnit::Times, "" | "×" | "x")
        | (ValueUnit::None | ValueUnit::Count, "") => 1.0,
        (_, "k") => 1e3,
        (_, "M") => 1e6,
        (_, "G") => 1e9,
        _ => return None,
    };
    // 30 ms are 0.03 s, not 0.03 and a bit.
    Some(if factor < 1.0 { number / (1.0 / factor).round() } else { number * factor })
}

/// The number at a path.
pub fn number(document: &Value, path: &str) -> Option<f64> {
    at(document, path).and_then(Value::as_f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read() {
        for (unit, value, written) in [
            (ValueUnit::Ratio, 0.07, "7 %"),
            (ValueUnit::Ratio, 0.001, "0.1 %"),
            (ValueUnit::Seconds, 0.3, "300 ms"),
            (ValueUnit::Seconds, 0.0, "0 s"),
            (ValueUnit::Seconds, 90.0, "90 s"),
            (ValueUnit::PerSecond, 14.4, "14.4 /s"),
            (ValueUnit::Times, 14.4, "14.4 ×"),
            (ValueUnit::Count, 5.0, "5"),
        ] {
            assert_eq!(write(unit, value), written);
            assert_eq!(read(unit, written), Some(value), "{written}");
        }
    }

    #[test]
    fn units_are_understood_or_refused() {
        assert_eq!(read(ValueUnit::Ratio, "5"), Some(0.05));
        assert_eq!(read(ValueUnit::Ratio, "2,5%"), Some(0.025));
        assert_eq!(read(ValueUnit::Seconds, "2min"), Some(120.0));
        assert_eq!(read(ValueUnit::Count, "10k"), Some(10_000.0));
        for (unit, wrong) in
            [(ValueUnit::Ratio, "5ms"), (ValueUnit::Count, "5 %"), (ValueUnit::Seconds, ""), (ValueUnit::Seconds, "x")]
        {
            assert_eq!(read(unit, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn measures_have_the_units_of_their_figures() {
        assert_eq!(unit_of(&json!({ "signal": "requests", "figure": "p99" })), ValueUnit::Seconds);
        assert_eq!(unit_of(&json!({ "signal": "calls", "figure": "unanswered_ratio" })), ValueUnit::Ratio);
        assert_eq!(unit_of(&json!({ "signal": "logs" })), ValueUnit::Count);
        assert_eq!(unit_of(&json!({ "signal": "sql" })), ValueUnit::None);
    }
}
