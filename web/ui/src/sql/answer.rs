//! Answers as charts, and what a grid needs to know of them.

use crate::figures::utc_offset;
use orrery_api::{SqlAnswer, SqlColumn};
use orrery_chart::{ChartSpec, Series, Unit};
use serde_json::Value;
use std::cmp::Ordering;

/// Series drawn, at most.
const DRAWN: usize = 12;
/// Bars drawn, at most.
const BARS: usize = 30;
/// Rows that say how wide a column is.
const SAMPLE: usize = 200;

/// What can be drawn of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Picture {
    /// Values over time.
    Time(ChartSpec),
    /// Values of things.
    Bars(Bars),
}

/// A value for each of some things.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bars {
    /// Column of the values.
    pub title: String,
    /// Thing and value, in the order of the answer.
    pub bars: Vec<(String, f64)>,
    /// There are more.
    pub more: usize,
}

/// Whether a column has numbers.
pub fn is_number(column: &SqlColumn) -> bool {
    let kind = column.kind.as_str();
    kind.ends_with("INT")
        || kind.ends_with("INTEGER")
        || ["DOUBLE", "FLOAT"].contains(&kind)
        || kind.starts_with("DECIMAL")
}

/// Whether a column has moments.
pub fn is_time(column: &SqlColumn) -> bool {
    column.kind.starts_with("TIMESTAMP")
        || column.kind == "DATE"
        || (is_number(column) && column.name.ends_with("_unix_nano"))
}

/// A value as a number.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

/// A moment in Unix nanoseconds.
fn moment(value: &Value) -> Option<i64> {
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Number(number) => return number.as_i64(),
        _ => return None,
    };
    text.parse::<i64>().ok().or_else(|| civil(text))
}

/// Reads `2026-11-29T22:41:28.123`, in UTC.
fn civil(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00:00"));
    let mut date = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let mut clock = time.trim_end_matches('Z').splitn(3, ':');
    let (hour, minute) = (clock.next()?.parse::<i64>().ok()?, clock.next()?.parse::<i64>().ok()?);
    let seconds: f64 = clock.next().unwrap_or("0").parse().ok()?;
    // Days since 1970, after Howard Hinnant.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let whole = ((days * 24 + hour) * 60 + minute).checked_mul(60)?;
    whole.checked_mul(1_000_000_000)?.checked_add((seconds * 1e9) as i64)
}

/// What can be drawn: the first time with the numbers, a line for each of the words beside it; else the numbers of words.
pub fn picture(answer: &SqlAnswer) -> Option<Picture> {
    let columns = &answer.columns;
    let time = columns.iter().position(is_time);
    let numbers: Vec<usize> =
        (0..columns.len()).filter(|at| is_number(&columns[*at]) && !is_time(&columns[*at])).collect();
    let words: Vec<usize> =
        (0..columns.len()).filter(|at| matches!(columns[*at].kind.as_str(), "VARCHAR" | "BOOLEAN" | "ENUM")).collect();
    let first = *numbers.first()?;
    let picture = match time {
        Some(time) => Picture::Time(over_time(answer, time, &numbers, &words)?),
        None => Picture::Bars(bars(answer, first, &words)),
    };
    Some(picture)
}

/// Values by time, in Unix nanoseconds.
type Points = Vec<(i64, Option<f64>)>;

fn over_time(answer: &SqlAnswer, time: usize, numbers: &[usize], words: &[usize]) -> Option<ChartSpec> {
    let mut series: Vec<(String, Points)> = Vec::new();
    for row in &answer.rows {
        let Some(at) = moment(row.get(time)?) else { continue };
        let by: Vec<String> = words.iter().filter_map(|word| row.get(*word)).map(crate::query::plain).collect();
        for column in numbers {
            let own = &answer.columns[*column].name;
            let name = match (by.is_empty(), numbers.len()) {
                (true, _) => own.clone(),
                (false, 1) => by.join(" · "),
                (false, _) => format!("{} · {own}", by.join(" · ")),
            };
            let point = (at, row.get(*column).and_then(number));
            match series.iter().position(|(known, _)| *known == name) {
                Some(known) => series[known].1.push(point),
                None if series.len() < DRAWN => series.push((name, vec![point])),
                None => {}
            }
        }
    }
    let moments = || series.iter().flat_map(|(_, points)| points.iter().map(|(at, _)| *at));
    let (from, to) = (moments().min()?, moments().max()?);
    let mut lines = Vec::new();
    for (at, (name, points)) in series.iter_mut().enumerate() {
        points.sort_by_key(|(at, _)| *at);
        lines.push(Series::line(std::mem::take(name), at, std::mem::take(points)));
    }
    let unit = match numbers {
        [one] => unit(&answer.columns[*one].name),
        _ => Unit::Number,
    };
    Some(ChartSpec {
        title: numbers.iter().map(|at| answer.columns[*at].name.as_str()).collect::<Vec<_>>().join(", "),
        from,
        to: to.max(from.saturating_add(1_000_000_000)),
        utc_offset_minutes: utc_offset(),
        unit,
        series: lines,
        ..ChartSpec::default()
    })
}

/// What a column's name says of its values.
fn unit(name: &str) -> Unit {
    match name.rsplit('_').next() {
        Some("nanos" | "ns") => Unit::Nanos,
        Some("ms" | "millis") => Unit::Millis,
        Some("seconds") => Unit::Seconds,
        Some("bytes") => Unit::Bytes,
        _ => Unit::Number,
    }
}

fn bars(answer: &SqlAnswer, value: usize, words: &[usize]) -> Bars {
    let label = |at: usize, row: &[Value]| {
        let by: Vec<String> = words.iter().filter_map(|word| row.get(*word)).map(crate::query::plain).collect();
        if by.is_empty() { (at + 1).to_string() } else { by.join(" · ") }
    };
    let all: Vec<(String, f64)> = answer
        .rows
        .iter()
        .enumerate()
        .filter_map(|(at, row)| Some((label(at, row), number(row.get(value)?)?)))
        .collect();
    let more = all.len().saturating_sub(BARS);
    Bars { title: answer.columns[value].name.clone(), bars: all.into_iter().take(BARS).collect(), more }
}

/// Orders values of a column; null comes last.
pub fn compare(column: &SqlColumn, a: &Value, b: &Value) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (false, false) => {}
        (a, b) => return a.cmp(&b),
    }
    if is_number(column) {
        // Beyond 2^53 the digits tell.
        let whole = |value: &Value| value.as_str().and_then(|text| text.parse::<i128>().ok());
        if let (Some(a), Some(b)) = (whole(a), whole(b)) {
            return a.cmp(&b);
        }
        return number(a).partial_cmp(&number(b)).unwrap_or(Ordering::Equal);
    }
    crate::query::plain(a).cmp(&crate::query::plain(b))
}

/// Characters a column is wide.
pub fn width(answer: &SqlAnswer, at: usize) -> usize {
    let longest = answer
        .rows
        .iter()
        .rev()
        .step_by(answer.rows.len() / SAMPLE + 1)
        .filter_map(|row| row.get(at))
        .map(|value| crate::query::plain(value).chars().count())
        .max();
    longest.unwrap_or(0).max(answer.columns[at].name.chars().count() + 2).clamp(6, 56)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(columns: &[(&str, &str)], rows: Value) -> SqlAnswer {
        let column = |(name, kind): &(&str, &str)| SqlColumn { name: (*name).into(), kind: (*kind).into() };
        SqlAnswer {
            columns: columns.iter().map(column).collect(),
            rows: serde_json::from_value(rows).unwrap(),
            ..SqlAnswer::default()
        }
    }

    #[test]
    fn times_are_moments() {
        assert_eq!(civil("1970-01-01T00:00:01.5"), Some(1_500_000_000));
        assert_eq!(civil("2026-11-29 22:41:28"), Some(1_795_992_088_000_000_000));
        assert_eq!(civil("2024-02-29"), Some(1_709_164_800_000_000_000));
        assert_eq!([civil("nonsense"), civil("2024"), civil("12:00")], [None, None, None]);
    }

    #[test]
    fn numbers_over_time_are_lines_and_others_bars() {
        let rows = json!([
            ["2026-11-29T00:01:00", "b", "2"],
            ["2026-11-29T00:00:00", "a", "1"],
            ["2026-11-29T00:00:00", "b", null]
        ]);
        let Some(Picture::Time(spec)) =
            picture(&answer(&[("minute", "TIMESTAMP"), ("service_name", "VARCHAR"), ("calls", "BIGINT")], rows))
        else {
            panic!("lines")
        };
        let names: Vec<&str> = spec.series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
        assert_eq!(spec.series[0].points.iter().map(|point| point.1).collect::<Vec<_>>(), [None, Some(2.0)]);
        let Some(Picture::Bars(bars)) =
            picture(&answer(&[("service_name", "VARCHAR"), ("n", "BIGINT")], json!([["a", "3"], ["b", "1"]])))
        else {
            panic!("bars")
        };
        assert_eq!(bars.bars, [("a".to_owned(), 3.0), ("b".to_owned(), 1.0)]);
        assert_eq!(picture(&answer(&[("a", "VARCHAR")], json!([["x"]]))), None);
    }

    #[test]
    fn values_are_ordered_by_what_they_are() {
        let int = SqlColumn { name: "n".into(), kind: "BIGINT".into() };
        let text = SqlColumn { name: "t".into(), kind: "VARCHAR".into() };
        assert_eq!(compare(&int, &json!("9"), &json!("10")), Ordering::Less);
        assert_eq!(compare(&int, &json!("9007199254740993"), &json!("9007199254740992")), Ordering::Greater);
        assert_eq!(compare(&text, &json!("9"), &json!("10")), Ordering::Greater);
        assert_eq!(compare(&text, &json!(null), &json!("a")), Ordering::Greater);
    }
}
