//! Service level objectives.

use super::{NAME, all, change, edit, existing, make, sent};
use crate::alerting::objectives;
use crate::api::endpoint::{Ask, Endpoint, Verb};
use crate::api::failure::Failure;
use orrery_api::alerting::{AlertState, Slo, SloList, SloStatus};
use orrery_api::paths;
use orrery_meta::Kind;

/// `GET /alerting/slos`.
pub(crate) const LIST: Endpoint =
    Endpoint::json(paths::SLOS, "SloList", "Service level objectives and how they stand, by name", &[]);

pub(crate) fn list(ask: &Ask<'_>) -> Result<SloList, Failure> {
    let slos = all::<Slo>(ask)?.into_iter().map(|slo| status(ask, slo.what));
    Ok(SloList { slos: slos.collect() })
}

/// `POST /alerting/slos`.
pub(crate) const SAVE: Endpoint = Endpoint::json(paths::SLOS, "SloStatus", "Makes an objective", &[])
    .change(Verb::Post, "Slo")
    .makes()
    .about("The rules that watch its error budget come with it. 409: another objective has the name, or there are too many.");

pub(crate) fn save(ask: &Ask<'_>) -> Result<SloStatus, Failure> {
    let slo = sent(ask)?;
    Ok(status(ask, edit(ask, |editor| make(editor, slo, 0))?.what))
}

/// `PUT /alerting/slos/{name}`.
pub(crate) const CHANGE: Endpoint =
    Endpoint::json(paths::SLO, "SloStatus", "Changes an objective", &[]).in_path(&[NAME]).change(Verb::Put, "Slo");

pub(crate) fn put(ask: &Ask<'_>) -> Result<SloStatus, Failure> {
    let slo: Slo = sent(ask)?;
    let name = ask.part(NAME.name);
    let slo = edit(ask, |editor| {
        let old = existing::<Slo>(editor, name)?;
        change(editor, name, slo, old.origin)
    })?;
    Ok(status(ask, slo.what))
}

/// `DELETE /alerting/slos/{name}`.
pub(crate) const DELETE: Endpoint = Endpoint::json(paths::SLO, "SloStatus", "Deletes an objective and its rules", &[])
    .in_path(&[NAME])
    .change(Verb::Delete, "")
    .about("Answers what it was, with which it can be made again.");

pub(crate) fn delete(ask: &Ask<'_>) -> Result<SloStatus, Failure> {
    let name = ask.part(NAME.name);
    let slo = edit(ask, |editor| {
        let old = existing::<Slo>(editor, name)?;
        editor.delete(Kind::Slo, name)?;
        Ok(old)
    })?;
    Ok(status(ask, slo.what))
}

/// Not evaluated yet, and said so.
fn status(ask: &Ask<'_>, slo: Slo) -> SloStatus {
    let rules: Vec<String> = orrery_alert::objectives::rules(&slo).into_iter().map(|rule| rule.name).collect();
    let live = ask.api.alerting.snapshot();
    let ill = live.alerts.iter().filter(|alert| alert.state != AlertState::Normal && rules.contains(&alert.rule));
    let alerts = ill.map(|alert| alert.id.clone()).collect();
    SloStatus { alerts, ..objectives::status(&ask.api.source(), &slo, ask.params.now()) }
}
