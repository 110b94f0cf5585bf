//! Silences and maintenance windows.

use super::{change, edit, existing, invalid, make, sent};
use crate::alerting::documents::{Document, Kept, digest};
use crate::api::endpoint::{Ask, Endpoint, Verb};
use crate::api::failure::Failure;
use crate::api::params::Parameter;
use orrery_alert::check::Wrong;
use orrery_alert::matching::{Matchers, silence_holds};
use orrery_api::alerting::{Alert, AlertState, Period, Silence, SilenceList, SilenceStatus};
use orrery_api::{Nanos, paths};
use orrery_meta::{Editor, Kind};
use std::cmp::Reverse;

const ID: Parameter = Parameter::new("id", "5f2a90c1d3e4b677", "Of a silence.");
/// Silences that are over are kept so long.
const KEPT: i64 = Period::days(90).nanos();
const MINUTE: i64 = Period::minutes(1).nanos();

/// `GET /alerting/silences`.
pub(crate) const LIST: Endpoint = Endpoint::json(
    paths::SILENCES,
    "SilenceList",
    "Silences: those that hold, those to come, those that are over",
    &[],
)
.about("Those that are over are forgotten after 90 days.");

pub(crate) fn list(ask: &Ask<'_>) -> Result<SilenceList, Failure> {
    let snapshot = ask.api.alerting.snapshot();
    let now = ask.params.now();
    let silences = super::all::<Silence>(ask)?.into_iter();
    let mut silences: Vec<SilenceStatus> =
        silences.map(|silence| status(silence.what, &snapshot.alerts, now)).collect();
    silences.sort_by_key(|it| (!it.is_active, it.is_over, Reverse(it.silence.from_unix_nano)));
    Ok(SilenceList { silences })
}

/// `POST /alerting/silences`.
pub(crate) const SAVE: Endpoint = Endpoint::json(paths::SILENCES, "SilenceStatus", "Makes a silence", &[])
    .change(Verb::Post, "Silence")
    .makes()
    .about("It holds when this answers.");

pub(crate) fn save(ask: &Ask<'_>) -> Result<SilenceStatus, Failure> {
    let mut silence = fresh(ask)?;
    let kept = edit(ask, |editor| {
        forget_old(editor)?;
        silence.id = digest(&[&serde_json::to_string(&silence).unwrap_or_default(), &editor.now().to_string()]);
        make(editor, silence, 0)
    })?;
    Ok(one(ask, kept.what))
}

/// `PUT /alerting/silences/{id}`.
pub(crate) const CHANGE: Endpoint = Endpoint::json(paths::SILENCE, "SilenceStatus", "Changes a silence", &[])
    .in_path(&[ID])
    .change(Verb::Put, "Silence");

pub(crate) fn put(ask: &Ask<'_>) -> Result<SilenceStatus, Failure> {
    let id = ask.part(ID.name);
    let silence: Silence = sent(ask)?;
    if !silence.id.is_empty() && silence.id != id {
        return Err(invalid(Wrong::new("id", format!("the silence is `{id}`: leave it out"))));
    }
    let silence = Silence { id: id.to_owned(), ..silence };
    let kept = edit(ask, |editor| {
        let old = existing::<Silence>(editor, id)?;
        change(editor, id, silence, old.origin)
    })?;
    Ok(one(ask, kept.what))
}

/// `DELETE /alerting/silences/{id}`.
pub(crate) const DELETE: Endpoint = Endpoint::json(paths::SILENCE, "SilenceStatus", "Ends a silence now", &[])
    .in_path(&[ID])
    .change(Verb::Delete, "")
    .about("One that is over, or has not begun, is forgotten.");

pub(crate) fn delete(ask: &Ask<'_>) -> Result<SilenceStatus, Failure> {
    let id = ask.part(ID.name);
    let now = ask.params.now();
    let ended = edit(ask, |editor| {
        let Kept { what: mut silence, origin, .. } = existing::<Silence>(editor, id)?;
        if silence.from_unix_nano.0 >= now || is_over(&silence, now) {
            editor.delete(Kind::Silence, id)?;
        } else {
            silence.to_unix_nano = Nanos(now);
            super::put(editor, silence.clone(), origin, 0)?;
        }
        Ok(silence)
    })?;
    Ok(one(ask, ended))
}

/// `POST /alerting/silence-preview`.
pub(crate) const PREVIEW: Endpoint =
    Endpoint::json(paths::SILENCE_PREVIEW, "SilenceStatus", "What a silence would mute now; keeps nothing", &[])
        .change(Verb::Post, "Silence");

pub(crate) fn preview(ask: &Ask<'_>) -> Result<SilenceStatus, Failure> {
    Ok(one(ask, sent(ask)?))
}

/// A silence without an id.
fn fresh(ask: &Ask<'_>) -> Result<Silence, Failure> {
    let silence: Silence = sent(ask)?;
    match silence.id.is_empty() {
        true => Ok(silence),
        false => Err(invalid(Wrong::new("id", "a new silence is given its id: leave it out"))),
    }
}

/// With an id made of what it says, so that the same file makes the same silence.
pub(super) fn named(silence: Silence) -> Silence {
    if !silence.id.is_empty() {
        return silence;
    }
    Silence { id: digest(&[&serde_json::to_string(&silence).unwrap_or_default()]), ..silence }
}

fn forget_old(editor: &Editor<'_>) -> Result<(), Failure> {
    for document in editor.all(Kind::Silence)? {
        let kept = crate::alerting::documents::kept::<Silence>(&document);
        if kept.is_some_and(|kept| kept.what.to_unix_nano.0.saturating_add(KEPT) < editor.now()) {
            editor.delete(Silence::KIND, &document.name)?;
        }
    }
    Ok(())
}

fn one(ask: &Ask<'_>, silence: Silence) -> SilenceStatus {
    status(silence, &ask.api.alerting.snapshot().alerts, ask.params.now())
}

fn status(silence: Silence, alerts: &[Alert], now: i64) -> SilenceStatus {
    let matchers = Matchers::new(&silence.matchers);
    // What silences are compared with also says which rule it is and how bad.
    let labels = |alert: &Alert| {
        let mut labels = alert.labels.clone();
        labels.insert("rule".to_owned(), alert.rule.clone());
        labels.insert("severity".to_owned(), alert.severity.name().to_owned());
        labels
    };
    let is_about = |alert: &&Alert| {
        alert.state != AlertState::Normal && matchers.as_ref().is_ok_and(|matchers| matchers.hold(&labels(alert)))
    };
    SilenceStatus {
        is_active: silence_holds(&silence, now).is_some(),
        is_over: is_over(&silence, now),
        alerts: alerts.iter().filter(is_about).map(|alert| alert.id.clone()).collect(),
        silence,
    }
}

/// Whether it can never hold again.
fn is_over(silence: &Silence, now: i64) -> bool {
    let to = silence.to_unix_nano.0;
    if silence.weekly.is_none() || to <= now {
        return to <= now;
    }
    let from = now.max(silence.from_unix_nano.0);
    if to - from > Period::days(7).nanos() {
        return false;
    }
    // Windows begin at whole minutes.
    let minutes = std::iter::successors(Some(from), |at| Some((at.div_euclid(MINUTE) + 1) * MINUTE));
    !minutes.take_while(|at| *at < to).any(|at| silence_holds(silence, at).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use orrery_api::alerting::{Weekday, Weekly};

    #[test]
    fn a_window_that_does_not_come_again_is_over() {
        // 1970-01-01 was a Thursday.
        const DAY: i64 = Period::days(1).nanos();
        let weekly =
            Weekly { days: vec![Weekday::Thu], begin: "01:00".into(), lasts: Period::hours(1), ..Weekly::default() };
        let silence = Silence { to_unix_nano: Nanos(6 * DAY), weekly: Some(weekly), ..Silence::default() };
        let hours = |hours: i64| Period::hours(1).nanos() * hours;
        assert_eq!([0, 1, 2, 30].map(|at| is_over(&silence, hours(at))), [false, false, true, true]);
        let longer = Silence { to_unix_nano: Nanos(9 * DAY), ..silence.clone() };
        assert_eq!([2, 24 * 7 + 1, 24 * 7 + 2].map(|at| is_over(&longer, hours(at))), [false, false, true]);
        let plain = Silence { weekly: None, ..silence };
        assert_eq!([hours(1), 6 * DAY].map(|at| is_over(&plain, at)), [false, true]);
    }

    #[test]
    fn the_same_silence_of_a_file_has_the_same_id() {
        let silence = |comment: &str| named(Silence { comment: comment.into(), ..Silence::default() });
        assert_eq!(silence("a").id, silence("a").id);
        assert_ne!(silence("a").id, silence("b").id);
        assert_eq!(named(Silence { id: "x".into(), ..Silence::default() }).id, "x");
    }
}
