//! Rules.

use super::{NAME, all, change, edit, existing, make, sent};
use crate::alerting::Snapshot;
use crate::alerting::documents::{self, Kept};
use crate::api::endpoint::{Ask, Endpoint, Verb};
use crate::api::failure::Failure;
use orrery_api::alerting::{Period, Rule, RuleList, RuleStatus, Slo};
use orrery_api::{Nanos, paths};
use orrery_meta::{Kind, Origin};
use std::collections::BTreeMap;

/// `GET /alerting/rules`.
pub(crate) const LIST: Endpoint =
    Endpoint::json(paths::ALERT_RULES, "RuleList", "Rules and how they stand, by name", &[])
        .about("Also those that objectives made, which cannot be changed here.");

pub(crate) fn list(ask: &Ask<'_>) -> Result<RuleList, Failure> {
    let mut rules: Vec<Kept<Rule>> = all(ask)?;
    for Kept { what, updated_unix_nano, .. } in all::<Slo>(ask)? {
        let made = orrery_alert::objectives::rules(&what).into_iter();
        rules.extend(made.map(|what| Kept { what, origin: Origin::Slo, updated_unix_nano }));
    }
    rules.sort_by(|a, b| a.what.name.cmp(&b.what.name));
    let (snapshot, fired) = (ask.api.alerting.snapshot(), fired(ask)?);
    Ok(RuleList { rules: rules.into_iter().map(|rule| status(rule, &snapshot, &fired)).collect() })
}

/// `POST /alerting/rules`.
pub(crate) const SAVE: Endpoint = Endpoint::json(paths::ALERT_RULES, "RuleStatus", "Makes a rule", &[])
    .change(Verb::Post, "Rule")
    .makes()
    .about("It is on the disk when this answers. 409: another rule has the name, or there are too many.");

pub(crate) fn save(ask: &Ask<'_>) -> Result<RuleStatus, Failure> {
    let rule = sent(ask)?;
    one(ask, edit(ask, |editor| make(editor, rule, 0))?)
}

/// `PUT /alerting/rules/{name}`.
pub(crate) const CHANGE: Endpoint = Endpoint::json(paths::ALERT_RULE, "RuleStatus", "Changes a rule", &[])
    .in_path(&[NAME])
    .change(Verb::Put, "Rule")
    .about("Also its name. A rule that Orrery comes with stays one while it is only switched on or off.");

pub(crate) fn put(ask: &Ask<'_>) -> Result<RuleStatus, Failure> {
    let rule: Rule = sent(ask)?;
    let name = ask.part(NAME.name);
    let rule = edit(ask, |editor| {
        let old = existing::<Rule>(editor, name)?;
        let switched = Rule { enabled: rule.enabled, ..old.what };
        let is_changed = old.origin == Origin::BuiltIn && rule != switched;
        change(editor, name, rule, if is_changed { Origin::User } else { old.origin })
    })?;
    one(ask, rule)
}

/// `DELETE /alerting/rules/{name}`.
pub(crate) const DELETE: Endpoint = Endpoint::json(paths::ALERT_RULE, "RuleStatus", "Deletes a rule", &[])
    .in_path(&[NAME])
    .change(Verb::Delete, "")
    .about("Answers what it was, with which it can be made again.");

pub(crate) fn delete(ask: &Ask<'_>) -> Result<RuleStatus, Failure> {
    let name = ask.part(NAME.name);
    let rule = edit(ask, |editor| {
        let old = existing::<Rule>(editor, name)?;
        editor.delete(Kind::Rule, name)?;
        Ok(old)
    })?;
    one(ask, rule)
}

fn one(ask: &Ask<'_>, rule: Kept<Rule>) -> Result<RuleStatus, Failure> {
    Ok(status(rule, &ask.api.alerting.snapshot(), &fired(ask)?))
}

/// How often each rule fired within the last week, by name.
fn fired(ask: &Ask<'_>) -> Result<BTreeMap<String, u64>, Failure> {
    let since = ask.params.now() - Period::days(7).nanos();
    Ok(ask.api.meta()?.count_events(since, r#""what":"firing""#)?)
}

/// What evaluation says of it, if it has got to it.
fn status(rule: Kept<Rule>, snapshot: &Snapshot, fired: &BTreeMap<String, u64>) -> RuleStatus {
    let name = &rule.what.name;
    let status = RuleStatus {
        origin: documents::origin(rule.origin),
        updated_unix_nano: Nanos(rule.updated_unix_nano),
        fired_in_week: fired.get(name).map_or(0, |count| u32::try_from(*count).unwrap_or(u32::MAX)),
        ..RuleStatus::default()
    };
    let Some(figures) = snapshot.rules.get(name) else { return RuleStatus { rule: rule.what, ..status } };
    RuleStatus {
        rule: rule.what,
        state: figures.state,
        firing: figures.firing,
        pending: figures.pending,
        instances: figures.instances,
        judged_unix_nano: (figures.judged_unix_nano > 0).then_some(Nanos(figures.judged_unix_nano)),
        took_micros: figures.took_micros,
        start_delay_micros: u64::try_from(figures.delay_nanos / 1_000).unwrap_or(0),
        cost: figures.cost,
        coverage: figures.coverage,
        error: figures.error.clone(),
        ..status
    }
}
