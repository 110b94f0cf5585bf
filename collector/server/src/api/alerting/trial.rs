//! Trying a channel.

use crate::alerting::delivery;
use crate::api::endpoint::{Ask, Endpoint, Verb};
use crate::api::failure::Failure;
use crate::api::params::Parameter;
use orrery_api::alerting::{
    Alert, AlertPoint, AlertSeverity, AlertState, ChannelTest, Difference, Evidence, Message, ValueUnit,
};
use orrery_api::{Nanos, paths};
use orrery_notify::Outcome;
use orrery_notify::chart::{ChartInput, Mark, MarkKind, draw};
use std::time::Instant;

const SECOND: i64 = 1_000_000_000;
const NAME: Parameter = Parameter::new("id", "on call", "Name of a channel.");

/// `POST /alerting/test-channel/{name}`.
pub(crate) const TEST: Endpoint = Endpoint::json(
    paths::ALERT_CHANNEL_TEST,
    "ChannelTest",
    "Sends a message to a channel now, and waits for what it says",
    &[],
)
.in_path(&[NAME])
.change(Verb::Post, "")
.about("The message says that it is a test. It is sent whether the channel is enabled or not, and is not tried again.");

pub(crate) fn test(ask: &Ask<'_>) -> Result<ChannelTest, Failure> {
    let name = ask.part(NAME.name);
    let channels = delivery::channels(ask.api.meta()?)?;
    let channel = channels.into_iter().find(|channel| channel.name == name).ok_or_else(|| {
        Failure::NotFound(format!("There is no channel `{name}`; GET {} lists them.", paths::ALERT_CHANNELS))
    })?;
    let (message, png) = message(&ask.api.about.url, ask.params.now());
    let began = Instant::now();
    // Handlers run on threads that may block.
    let sent = ask.api.sender.send(&channel, &message, png.as_deref());
    let outcome = tokio::runtime::Handle::current().block_on(sent);
    let took_millis = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
    Ok(match outcome {
        Outcome::Delivered { but } => ChannelTest { ok: but.is_none(), detail: but.unwrap_or_default(), took_millis },
        Outcome::Retry { why, .. } | Outcome::Failed { why } => ChannelTest { ok: false, detail: why, took_millis },
    })
}

/// A message as there may be one, that says what it is.
fn message(url: &str, now: i64) -> (Message, Option<Vec<u8>>) {
    let value =
        |number: i64| if number > 50 { 0.31 + 0.02 * (number % 5) as f64 } else { 0.01 + 0.004 * (number % 4) as f64 };
    let point = |number: i64| AlertPoint {
        time_unix_nano: Nanos(now - (60 - number) * 10 * SECOND),
        value: Some(value(number)),
        low: None,
        high: Some(0.05),
    };
    let points: Vec<AlertPoint> = (0..=60).map(point).collect();
    let began = now - 90 * SECOND;
    let alert = Alert {
        id: "test".to_owned(),
        rule: "Test".to_owned(),
        labels: [("service".to_owned(), "example".to_owned())].into(),
        state: AlertState::Firing,
        severity: AlertSeverity::Info,
        since_unix_nano: Nanos(began + 20 * SECOND),
        began_unix_nano: Some(Nanos(began)),
        value: Some(value(60)),
        threshold: Some(0.05),
        unit: ValueUnit::Ratio,
        summary: "this is a test: nothing is wrong".to_owned(),
        judged_unix_nano: Nanos(now),
        coverage: 1.0,
        ..Alert::default()
    };
    let mark = |at, what| Mark { at_unix_nano: at, what };
    let marks = vec![mark(began, MarkKind::Pending), mark(began + 20 * SECOND, MarkKind::Firing)];
    let png = draw(&ChartInput { title: alert.summary.clone(), unit: alert.unit, points: points.clone(), marks });
    let evidence = Evidence {
        findings: vec!["this would say where it begins".to_owned()],
        hottest_edge: Some("caller → callee: the worst edge of the map".to_owned()),
        differs: vec![Difference {
            key: "resource.service.version".into(),
            value: "1.2.3".into(),
            bad: 1.0,
            others: 0.1,
        }],
        normal: vec!["this would list what is as usual".to_owned()],
        ..Evidence::default()
    };
    let message = Message {
        id: format!("test-{now}"),
        group: format!("test-{now}"),
        status: "firing".to_owned(),
        title: "Test: this channel works".to_owned(),
        labels: alert.labels.clone(),
        description: "Somebody pressed “send test”. A real message looks like this one.".to_owned(),
        recent: points.iter().map(|point| point.value).collect(),
        alerts: vec![alert],
        evidence,
        url: format!("{url}/alerts"),
        silence_url: format!("{url}/alerts/silences"),
        at_unix_nano: Nanos(now),
        ..Message::default()
    };
    (message, png)
}
