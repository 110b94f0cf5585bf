//! What rules say, and what they said.

use crate::alerting::{Snapshot, case, present};
use crate::api::convert;
use crate::api::endpoint::{Ask, Endpoint, Verb};
use crate::api::failure::Failure;
use crate::api::params::{FROM, Parameter, TO};
use orrery_alert::notify::Class;
use orrery_alert::replay::looks_down;
use orrery_alert::text;
use orrery_api::alerting::{
    AcknowledgeInput, Acknowledgement, Alert, AlertDetail, AlertEvent, AlertEventKind, AlertEventList, AlertList,
    AlertState, Evidence, Rule,
};
use orrery_api::{Nanos, paths};
use orrery_meta::EventQuery;
use orrery_query::TimeRange;
use std::collections::BTreeMap;

/// Events in an answer, at most: of more the newest.
const MOST_EVENTS: u32 = 5_000;
const ID: Parameter = Parameter::new("id", "9f86d081884c7d65", "Of an alert.");
const ALERT: Parameter = Parameter::new("alert", "9f86d081884c7d65", "Only of this alert.");
const RULE: Parameter = Parameter::new("rule", "Requests fail", "Only of this rule.");
const NODE: Parameter = Parameter::new("node", "payments", "Only about this node of the map.");

/// `GET /alerting/alerts`.
pub(crate) const LIST: Endpoint = Endpoint::json(
    paths::ALERTS,
    "AlertList",
    "Alerts that are not normal, firing first, then the worst, then the newest",
    &[FROM, TO, RULE, NODE],
)
.about("With `from`, also those that were resolved since, at the end. Without it only what is not normal now.");

pub(crate) fn list(ask: &Ask<'_>) -> Result<AlertList, Failure> {
    let live = ask.api.alerting.snapshot();
    if let Some(why) = &live.error {
        return Err(Failure::Busy(why.clone()));
    }
    let (rule, node) = (ask.params.text(RULE.name), ask.params.text(NODE.name));
    let is_asked = |alert: &&Alert| {
        rule.is_none_or(|rule| alert.rule == rule) && node.is_none_or(|node| alert.node.as_deref() == Some(node))
    };
    let ill = live.alerts.iter().filter(|alert| alert.state != AlertState::Normal);
    let mut alerts: Vec<Alert> = ill.filter(is_asked).cloned().collect();
    if ask.params.text(FROM.name).is_some() {
        let over = resolved(ask, ask.params.range()?)?;
        alerts.extend(
            over.into_iter()
                .filter(|alert| !live.alerts.iter().any(|it| it.id == alert.id && it.state != AlertState::Normal))
                .filter(|alert| is_asked(&alert)),
        );
    }
    let has_channel = crate::alerting::delivery::channels(ask.api.meta()?)?.iter().any(|channel| channel.enabled);
    Ok(AlertList { alerts, rules: live.rules.len() as u32, has_channel, skipped: live.figures.skipped })
}

/// Alerts as they were when they were resolved last, the newest first.
fn resolved(ask: &Ask<'_>, range: TimeRange) -> Result<Vec<Alert>, Failure> {
    let live = ask.api.alerting.snapshot();
    let mut last: BTreeMap<String, (AlertEvent, Option<Nanos>)> = BTreeMap::new();
    let mut began: BTreeMap<String, Nanos> = BTreeMap::new();
    for event in events(ask, range, None, None)?.events {
        match event.what {
            AlertEventKind::Pending => _ = began.insert(event.alert.clone(), event.at_unix_nano),
            AlertEventKind::Firing => _ = began.entry(event.alert.clone()).or_insert(event.at_unix_nano),
            AlertEventKind::Resolved => {
                let begin = began.remove(&event.alert);
                last.insert(event.alert.clone(), (event, begin));
            }
            _ => {}
        }
    }
    let alert = |(event, begin)| was(&live, event, begin, AlertState::Normal);
    let mut all: Vec<Alert> = last.into_values().map(alert).collect();
    all.sort_by_key(present::order);
    Ok(all)
}

/// An alert as an event left it.
fn was(live: &Snapshot, event: AlertEvent, began: Option<Nanos>, state: AlertState) -> Alert {
    let rule = live.rules.get(&event.rule).map(|figures| &figures.rule);
    let summary = |rule: &Rule| match state {
        AlertState::Normal => text::over(&rule.measure, &event.labels, event.value),
        _ => text::summary(&rule.measure, &event.labels, event.value, None),
    };
    Alert {
        summary: rule.map(summary).unwrap_or_default(),
        says: rule.map(|rule| text::saying(&rule.measure, looks_down(rule))),
        unit: rule.map(|rule| text::unit(&rule.measure)).unwrap_or_default(),
        id: event.alert,
        rule: event.rule,
        labels: event.labels,
        state,
        severity: event.severity,
        since_unix_nano: event.at_unix_nano,
        began_unix_nano: began,
        value: event.value,
        node: event.node,
        caller: event.caller,
        judged_unix_nano: event.at_unix_nano,
        coverage: event.coverage,
        ..Alert::default()
    }
}

/// `GET /alerting/alerts/{id}`.
pub(crate) const DETAIL: Endpoint = Endpoint::json(
    paths::ALERT,
    "AlertDetail",
    "One alert: what happened, its values, and what is known about the case",
    &[FROM, TO],
)
.in_path(&[ID])
.about("The range is that of events and values. What is known about the case is of the time of its trouble.");

pub(crate) fn detail(ask: &Ask<'_>) -> Result<AlertDetail, Failure> {
    let (id, range) = (ask.part(ID.name), ask.params.range()?);
    let live = ask.api.alerting.snapshot();
    let known = live.alert(id).cloned();
    let events = events(ask, range, Some(id), None)?.events;
    let alert = match known {
        Some(alert) => alert,
        None => {
            let over = resolved_alone(ask, range, id)?;
            over.or_else(|| left_firing(&live, &events))
                .ok_or_else(|| Failure::NotFound(format!("Nothing is known of an alert `{id}` in this range.")))?
        }
    };
    let rule: Option<Rule> = live.rules.get(&alert.rule).map(|figures| figures.rule.clone());
    let source = ask.api.source();
    let points = rule.as_ref().map(|rule| case::between(rule, &source, id, range.from, range.to)).unwrap_or_default();
    let class = rule.as_ref().map_or(Class::Other, |rule| Class::of(&rule.measure));
    let evidence = match alert.state {
        AlertState::Normal if alert.began_unix_nano.is_none() => Evidence::default(),
        _ => case::evidence(ask.store(), ask.control, &alert, class, ask.params.now()),
    };
    Ok(AlertDetail { alert, rule, events, points, evidence, range: convert::range(range) })
}

fn resolved_alone(ask: &Ask<'_>, range: TimeRange, id: &str) -> Result<Option<Alert>, Failure> {
    Ok(resolved(ask, range)?.into_iter().find(|alert| alert.id == id))
}

/// As it was at the end of a range after which it went on.
fn left_firing(live: &Snapshot, events: &[AlertEvent]) -> Option<Alert> {
    let fired = |event: &&AlertEvent| matches!(event.what, AlertEventKind::Firing | AlertEventKind::Severity);
    let last = events.iter().rev().find(fired)?;
    let began = events.iter().find(|event| event.what == AlertEventKind::Pending).map(|event| event.at_unix_nano);
    Some(was(live, last.clone(), began, AlertState::Firing))
}

/// `GET /alerting/events`.
pub(crate) const EVENTS: Endpoint = Endpoint::json(
    paths::ALERT_EVENTS,
    "AlertEventList",
    "What happened to alerts in the range, oldest first",
    &[FROM, TO, ALERT, RULE, NODE],
)
.about("Of more than 5000 the newest. `firing`, `resolved` and the like are of the moment in the data; `recorded_unix_nano` says when that was known.");

pub(crate) fn list_events(ask: &Ask<'_>) -> Result<AlertEventList, Failure> {
    let mut list = events(ask, ask.params.range()?, ask.params.text(ALERT.name), ask.params.text(RULE.name))?;
    if let Some(node) = ask.params.text(NODE.name) {
        list.events.retain(|event| event.node.as_deref() == Some(node));
    }
    Ok(list)
}

fn events(ask: &Ask<'_>, range: TimeRange, alert: Option<&str>, rule: Option<&str>) -> Result<AlertEventList, Failure> {
    let asked = EventQuery {
        from: range.from,
        to: range.to,
        alert: alert.map(str::to_owned),
        rule: rule.map(str::to_owned),
        after: 0,
        limit: MOST_EVENTS,
    };
    let found = ask.api.meta()?.events(&asked)?;
    let partial = (found.len() == MOST_EVENTS as usize)
        .then(|| format!("the newest {MOST_EVENTS} events; ask for a shorter time to see others"));
    let event = |event: orrery_meta::Event| {
        let read: AlertEvent = serde_json::from_str(&event.what.json).ok()?;
        let recorded = Nanos(event.what.recorded_unix_nano);
        Some(AlertEvent { number: event.number.unsigned_abs(), recorded_unix_nano: recorded, ..read })
    };
    let events = found.into_iter().filter_map(event).collect();
    Ok(AlertEventList { range: convert::range(range), events, partial })
}

/// `PUT /alerting/acknowledge/{id}`.
pub(crate) const ACKNOWLEDGE: Endpoint = Endpoint::json(
    paths::ALERT_ACKNOWLEDGE,
    "Alert",
    "Takes an alert on: nobody is told of it again until it is over",
    &[],
)
.in_path(&[ID])
.change(Verb::Put, "AcknowledgeInput");

pub(crate) fn acknowledge(ask: &Ask<'_>) -> Result<Alert, Failure> {
    let input: AcknowledgeInput = ask.sent()?;
    for (field, text, most) in [("by", &input.by, 100), ("comment", &input.comment, 1_000)] {
        if text.chars().count() > most {
            return Err(Failure::invalid(field, format!("at most {most} characters")));
        }
    }
    let mut alert = ill(ask)?;
    let at_unix_nano = Nanos(ask.params.now());
    let taken = Acknowledgement { by: input.by, comment: input.comment, at_unix_nano };
    keep(ask, &alert, Some(&taken))?;
    alert.acknowledged = Some(taken);
    Ok(alert)
}

/// `DELETE /alerting/acknowledge/{id}`.
pub(crate) const GIVE_BACK: Endpoint = Endpoint::json(paths::ALERT_ACKNOWLEDGE, "Alert", "Gives an alert back", &[])
    .in_path(&[ID])
    .change(Verb::Delete, "");

pub(crate) fn give_back(ask: &Ask<'_>) -> Result<Alert, Failure> {
    let mut alert = ill(ask)?;
    keep(ask, &alert, None)?;
    alert.acknowledged = None;
    Ok(alert)
}

fn ill(ask: &Ask<'_>) -> Result<Alert, Failure> {
    let id = ask.part(ID.name);
    let live = ask.api.alerting.snapshot();
    let alert = live.alert(id).filter(|alert| alert.state != AlertState::Normal).cloned();
    alert.ok_or_else(|| {
        Failure::NotFound(format!("There is no alert `{id}` that is not normal; GET {} lists them.", paths::ALERTS))
    })
}

fn keep(ask: &Ask<'_>, alert: &Alert, taken: Option<&Acknowledgement>) -> Result<(), Failure> {
    let json = taken.map(crate::alerting::engine::json);
    ask.api.meta()?.acknowledge(&alert.id, json.as_deref(), ask.params.now())?;
    ask.api.alerting.changed();
    Ok(())
}
