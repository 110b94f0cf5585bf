//! The time machine, and what a message would say.

use crate::alerting::documents::{Document, Documents};
use crate::alerting::{case, written::Written};
use crate::api::convert;
use crate::api::endpoint::{Ask, Endpoint, Verb};
use crate::api::failure::Failure;
use crate::api::params::{FROM, TO};
use orrery_alert::live::CATCH_UP;
use orrery_alert::notify::{Class, Subject};
use orrery_alert::{Grid, Memory, Past, RuleState, SourceError, Telling, observe, replay as alert_replay};
use orrery_api::alerting::{
    Alert, AlertEvent, AlertEventKind, AlertState, MAX_DRAFTS, Message, Replay, ReplayRequest, Rule,
};
use orrery_api::{Nanos, paths};
use orrery_meta::EventQuery;
use orrery_query::TimeRange;
use std::collections::BTreeMap;
use std::time::Instant;

/// Judgements of one series, at most: a minute over a quarter of a year.
const MOST_MOMENTS: i64 = 130_000;
/// Events of other rules that are looked at.
const MOST_EVENTS: u32 = 50_000;

/// `POST /alerting/replay`.
pub(crate) const REPLAY: Endpoint =
    Endpoint::json(paths::ALERT_REPLAY, "Replay", "What rules would have said about the range, by the code that says it", &[FROM, TO])
        .change(Verb::Post, "ReplayRequest")
        .about("Nothing is kept and nobody is told. Silences, inhibition and routes apply as they are now; alerts of other rules as they were.");

pub(crate) fn replay(ask: &Ask<'_>) -> Result<Replay, Failure> {
    let began = Instant::now();
    let request: ReplayRequest = ask.sent()?;
    let range = ask.params.range()?;
    if request.rules.is_empty() || request.rules.len() > MAX_DRAFTS {
        return Err(Failure::invalid("rules", format!("send one or {MAX_DRAFTS} rules")));
    }
    for (number, rule) in request.rules.iter().enumerate() {
        let field = |name: &str| format!("rules.{number}.{name}");
        rule.check().map_err(|wrong| Failure::invalid(&field(&wrong.field), wrong.detail))?;
        if (range.to - range.from) / rule.every.nanos().max(1) > MOST_MOMENTS {
            let detail = format!(
                "that are more than {MOST_MOMENTS} judgements: choose a longer time between two, or a shorter range"
            );
            return Err(Failure::invalid(&field("every"), detail));
        }
    }
    let live = ask.api.alerting.snapshot();
    let policy = Written::read(ask.api.meta()?)?.policy();
    let others = others(ask, range)?;
    let telling = Telling { policy: &policy, graph: &live.graph, others: &others };
    let source = ask.api.source();
    let mut answer = Replay { range: convert::range(range), ..Replay::default() };
    for (number, rule) in request.rules.iter().enumerate() {
        let telling = request.notify.then_some(telling);
        let (found, partial) = alert_replay(rule, &source, (range.from, range.to), telling)
            .map_err(|error| failed(&format!("rules.{number}.measure"), error))?;
        answer.drafts.push(found);
        answer.partial = answer.partial.or(partial);
    }
    answer.took_millis = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
    Ok(answer)
}

fn failed(field: &str, error: SourceError) -> Failure {
    match error {
        SourceError::Invalid { field: name, reason } => Failure::invalid(&format!("{field}.{name}"), reason),
        SourceError::Failed(why) => Failure::Busy(why),
        SourceError::NotYet => Failure::Busy(error.to_string()),
    }
}

/// Alerts of rules that were judged then, as they were.
fn others(ask: &Ask<'_>, range: TimeRange) -> Result<Vec<Past>, Failure> {
    let meta = ask.api.meta()?;
    let rules: BTreeMap<String, Rule> =
        Documents::read(meta)?.rules.into_iter().map(|kept| (kept.what.name.clone(), kept.what)).collect();
    let asked = EventQuery { from: range.from - CATCH_UP, to: range.to, limit: MOST_EVENTS, ..EventQuery::default() };
    let mut open: BTreeMap<String, Past> = BTreeMap::new();
    let mut past = Vec::new();
    for event in meta.events(&asked)? {
        let Ok(event) = serde_json::from_str::<AlertEvent>(&event.what.json) else { continue };
        let at = event.at_unix_nano.0;
        match event.what {
            AlertEventKind::Pending | AlertEventKind::Firing | AlertEventKind::Severity => {
                let Some(rule) = rules.get(&event.rule) else { continue };
                let before = open.remove(&event.alert);
                let began = before.as_ref().map_or(at, |past| past.subject.began);
                past.extend(before.map(|before| Past { to: at, ..before }));
                let state =
                    if event.what == AlertEventKind::Pending { AlertState::Pending } else { AlertState::Firing };
                let subject = subject(&event, rule, state, began);
                open.insert(event.alert.clone(), Past { subject, from: at, to: i64::MAX });
            }
            AlertEventKind::Resolved | AlertEventKind::Calmed => {
                past.extend(open.remove(&event.alert).map(|before| Past { to: at, ..before }));
            }
            _ => {}
        }
    }
    past.extend(open.into_values());
    Ok(past)
}

fn subject(event: &AlertEvent, rule: &Rule, state: AlertState, began: i64) -> Subject {
    let mut labels = event.labels.clone();
    labels.insert("rule".to_owned(), event.rule.clone());
    labels.insert("severity".to_owned(), event.severity.name().to_owned());
    Subject {
        id: event.alert.clone(),
        rule: event.rule.clone(),
        caller: event.caller.clone(),
        labels,
        state,
        severity: event.severity,
        since: event.at_unix_nano.0,
        began,
        node: event.node.clone(),
        class: Class::of(&rule.measure),
        fired: 0,
        acknowledged: None,
    }
}

/// `POST /alerting/preview`.
pub(crate) const PREVIEW: Endpoint = Endpoint::json(
    paths::ALERT_PREVIEW,
    "Message",
    "The message that a rule would send now, about its worst series",
    &[],
)
.change(Verb::Post, "Rule")
.about("Nobody is told. The message is about the series that is worst by the rule now, whether it fires or not.");

pub(crate) fn preview(ask: &Ask<'_>) -> Result<Message, Failure> {
    let rule: Rule = ask.sent()?;
    rule.check().map_err(|wrong| Failure::invalid(&wrong.field, wrong.detail))?;
    let (source, now) = (ask.api.source(), ask.params.now());
    let every = rule.every.nanos().max(1);
    // Half an hour back, so that what has to last has lasted.
    let grid = Grid::between(now - CATCH_UP / 2, now - every, every);
    let board = observe(&rule, &source, grid, &mut Memory::default());
    if let Some(error) = board.failed {
        return Err(failed("measure", error));
    }
    let mut state = RuleState::default();
    state.run(&rule, &board);
    let alerts = state.alerts.iter().map(|(id, tracked)| crate::alerting::present::alert(id, &rule, tracked));
    let over = |alert: &Alert| alert.value.unwrap_or(0.0) / alert.threshold.filter(|it| *it > 0.0).unwrap_or(1.0);
    let order =
        |a: &Alert, b: &Alert| (a.state, a.severity).cmp(&(b.state, b.severity)).then(over(a).total_cmp(&over(b)));
    let worst = alerts.max_by(order).unwrap_or_else(|| Alert {
        rule: rule.name.clone(),
        summary: "no values".to_owned(),
        ..Alert::default()
    });
    let message = Message {
        id: "preview".to_owned(),
        group: "preview".to_owned(),
        status: "firing".to_owned(),
        title: format!("{}: {}", rule.name, worst.summary),
        labels: worst.labels.clone(),
        description: rule.description.clone(),
        alerts: vec![Alert { state: AlertState::Firing, ..worst }],
        at_unix_nano: Nanos(now),
        ..Message::default()
    };
    let evidence = |alert: &Alert, class: Class| case::found(ask.store(), alert, class, now);
    let case = case::complete(&source, Some(&rule), message, &ask.api.about.url, now, evidence);
    use base64::Engine as _;
    let chart_png = case.png.map(|png| base64::engine::general_purpose::STANDARD.encode(png));
    Ok(Message { chart_png, ..case.message })
}
