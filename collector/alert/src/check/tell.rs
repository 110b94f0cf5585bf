//! Routes, inhibitions and silences.

use super::{Checked, MAX_LABELS, Wrong, label_names, matchers, name, period, text, wrong};
use crate::matching::{Matchers, minute_of_day};
use orrery_api::alerting::{Inhibition, Matcher, Period, Route, Silence, Weekly};
use std::collections::BTreeMap;

/// Longest silence, nanoseconds.
const LONGEST: i64 = Period::days(400).nanos();
/// Minutes that a clock is ahead of, or behind, UTC, at most.
const MAX_OFFSET: i32 = 14 * 60;

/// Whether a route is right. Whether its channels exist, others know.
///
/// # Errors
/// The first field that is not.
pub fn route(route: &Route) -> Result<(), Wrong> {
    name("name", &route.name)?;
    matchers("match", &route.matchers)?;
    if route.channels.len() > MAX_LABELS {
        return wrong("channels", format!("at most {MAX_LABELS} channels"));
    }
    for (at, channel) in route.channels.iter().enumerate() {
        name(&format!("channels[{at}]"), channel)?;
        if route.channels[..at].contains(channel) {
            return wrong(&format!("channels[{at}]"), format!("`{channel}` is there twice"));
        }
    }
    label_names("group_by", &route.group_by)?;
    period("group_wait", route.group_wait, Period::seconds(0), Period::hours(1))?;
    period("group_interval", route.group_interval, Period::seconds(10), Period::days(1))?;
    period("repeat_interval", route.repeat_interval, Period::minutes(1), Period::days(30))?;
    if route.repeat_interval < route.group_interval {
        let least = route.group_interval;
        return wrong("repeat_interval", format!("at least as long as `group_interval`: {least}"));
    }
    Ok(())
}

/// Whether an inhibition is right.
///
/// # Errors
/// The first field that is not.
pub fn inhibition(inhibition: &Inhibition) -> Result<(), Wrong> {
    some("source", &inhibition.source)?;
    some("target", &inhibition.target)?;
    label_names("equal", &inhibition.equal)
}

/// Conditions that do not fit everything.
fn some(field: &str, all: &[Matcher]) -> Checked {
    matchers(field, all)?;
    if all.is_empty() {
        return wrong(field, "at least one condition is wanted: service=\"cart\"");
    }
    if Matchers::new(all).is_ok_and(|all| all.hold(&BTreeMap::new())) {
        return wrong(field, "this fits alerts without any labels, and so nearly all: name a label it must have");
    }
    Ok(())
}

/// Whether a silence is right.
///
/// # Errors
/// The first field that is not.
pub fn silence(silence: &Silence) -> Result<(), Wrong> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if silence.id.len() > 64 || !silence.id.bytes().all(is_fit) {
        return wrong("id", "up to 64 letters, digits, `_` and `-`; leave it out for a new silence");
    }
    some("match", &silence.matchers)?;
    let (from, to) = (silence.from_unix_nano.0, silence.to_unix_nano.0);
    if to <= from {
        return wrong("to_unix_nano", "it ends after it begins");
    }
    if to.saturating_sub(from) > LONGEST {
        return wrong("to_unix_nano", "a silence lasts 400 days at most");
    }
    if let Some(weekly) = &silence.weekly {
        self::weekly(weekly).map_err(|wrong| wrong.within("weekly"))?;
    }
    text("comment", &silence.comment)?;
    match silence.author.chars().count() > super::MAX_NAME || silence.author.chars().any(char::is_control) {
        true => wrong("author", format!("one line of at most {} characters", super::MAX_NAME)),
        false => Ok(()),
    }
}

fn weekly(weekly: &Weekly) -> Checked {
    if minute_of_day(&weekly.begin).is_none() {
        return wrong("begin", format!("`{}` is no time of day; write it like 22:30", weekly.begin));
    }
    period("lasts", weekly.lasts, Period::minutes(1), Period::days(7))?;
    if weekly.utc_offset_minutes.abs() > MAX_OFFSET {
        return wrong("utc_offset_minutes", format!("-{MAX_OFFSET} to {MAX_OFFSET}: 540 is Seoul"));
    }
    let twice = (1..weekly.days.len()).find(|at| weekly.days[..*at].contains(&weekly.days[*at]));
    twice.map_or(Ok(()), |at| wrong(&format!("days[{at}]"), "a day is there twice"))
}
