//! What is known about a case, computed: for messages and for the page of an alert.

mod evidence;

pub(crate) use evidence::evidence;

use orrery_alert::notify::Class;
use orrery_alert::replay::{looks_down, points};
use orrery_alert::{Grid, Memory, Source, observe};
use orrery_api::alerting::{Alert, AlertPoint, Evidence, Message, Rule};
use orrery_notify::chart::{ChartInput, Mark, MarkKind, draw};
use orrery_query::{Control, Store};
use std::fmt::Write as _;
use std::time::Duration;

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
/// A picture shows at least so much before the trouble.
const BEFORE: i64 = 20 * MINUTE;
/// Steps of a picture, at most.
const STEPS: i64 = 240;
/// Everything that is asked of the store for a message may take so long: it is to go out soon.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// A message and its picture.
pub(crate) struct Case {
    pub(crate) message: Message,
    pub(crate) png: Option<Vec<u8>>,
}

/// A message that only says where to look.
pub(crate) fn plain(mut message: Message, url: &str) -> Case {
    if let Some(first) = message.alerts.first() {
        message.silence_url = silence_url(url, first);
        message.url = match message.alerts.as_slice() {
            [only] => format!("{url}/alerts/{}", only.id),
            _ => format!("{url}/alerts?rule={}", encoded(&first.rule)),
        };
    }
    Case { message, png: None }
}

/// What is known about an alert's case, in the time there is.
pub(crate) fn found(store: &dyn Store, alert: &Alert, class: Class, now: i64) -> Evidence {
    evidence(store, &Control::within(PATIENCE), alert, class, now)
}

/// Adds what is known about the first alert of a message: its values, and `evidence`.
pub(crate) fn complete(
    source: &dyn Source,
    rule: Option<&Rule>,
    message: Message,
    url: &str,
    now: i64,
    evidence: impl FnOnce(&Alert, Class) -> Evidence,
) -> Case {
    let mut message = plain(message, url).message;
    let Some(first) = message.alerts.first().cloned() else { return Case { message, png: None } };
    let points = rule.map(|rule| recent(rule, source, &first, now)).unwrap_or_default();
    message.recent = points.iter().map(|point| point.value).collect();
    let class = rule.map_or(Class::Other, |rule| Class::of(&rule.measure));
    if message.evidence == Default::default() {
        message.evidence = evidence(&first, class).told();
    }
    let png = if points.iter().any(|point| point.value.is_some()) { draw(&chart(&first, points)) } else { None };
    Case { message, png }
}

fn silence_url(url: &str, alert: &Alert) -> String {
    let mut all = format!("{url}/alerts/silences?new=1&match={}", encoded(&format!("rule=\"{}\"", alert.rule)));
    for (name, value) in &alert.labels {
        let matcher = orrery_api::alerting::Matcher::equal(name, value).to_string();
        let _ = write!(all, "&match={}", encoded(&matcher));
    }
    all
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Values of an alert from some time before its trouble until now.
pub(crate) fn recent(rule: &Rule, source: &dyn Source, alert: &Alert, now: i64) -> Vec<AlertPoint> {
    let began = alert.began_unix_nano.unwrap_or(alert.since_unix_nano).0;
    let until = alert.judged_unix_nano.0.clamp(now - 10 * MINUTE, now);
    between(rule, source, &alert.id, (began - BEFORE).clamp(now - 1_440 * MINUTE, now - BEFORE), until)
}

/// Values of an alert in a range.
pub(crate) fn between(rule: &Rule, source: &dyn Source, id: &str, from: i64, to: i64) -> Vec<AlertPoint> {
    let every = rule.every.nanos().max(10 * SECOND);
    let times = ((to - from) / STEPS / every).max(1);
    let grid = Grid::between(from, to, every * times);
    let board = observe(rule, source, grid, &mut Memory::default());
    let found = board.series.iter().find(|series| series.id == id);
    found.map(|series| points(&series.observations, grid, from, looks_down(rule))).unwrap_or_default()
}

fn chart(alert: &Alert, points: Vec<AlertPoint>) -> ChartInput {
    let mark = |at: i64, what| Mark { at_unix_nano: at, what };
    let mut marks = Vec::new();
    marks.extend(alert.began_unix_nano.map(|began| mark(began.0, MarkKind::Pending)));
    let since = alert.since_unix_nano.0;
    if alert.state.is_told() {
        marks.push(mark(since, MarkKind::Firing));
    } else {
        marks.push(mark(since, MarkKind::Resolved));
    }
    ChartInput { title: alert.summary.clone(), unit: alert.unit, points, marks }
}
