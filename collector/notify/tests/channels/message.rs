//! What is sent.

use orrery_api::alerting::{Alert, AlertSeverity, AlertState, Evidence, Message, ValueUnit};
use orrery_api::time::Nanos;

/// 2025-11-20 10:48:20 UTC.
const NOW: i64 = 1_763_635_700_000_000_000;

/// An alert that fires, with something of a case.
pub(crate) fn firing() -> Message {
    let alert = Alert {
        id: "a1".into(),
        rule: "Errors".into(),
        labels: [("service".to_owned(), "payments".to_owned())].into(),
        state: AlertState::Firing,
        severity: AlertSeverity::Critical,
        since_unix_nano: Nanos(NOW - 60_000_000_000),
        began_unix_nano: Some(Nanos(NOW - 120_000_000_000)),
        value: Some(0.52),
        threshold: Some(0.05),
        unit: ValueUnit::Ratio,
        summary: "52 % of the requests to payments fail (more than 5 %)".into(),
        coverage: 1.0,
        ..Alert::default()
    };
    Message {
        id: "m-1".into(),
        group: "rule=Errors".into(),
        status: "firing".into(),
        title: "결제: 52 % of the requests to payments fail".into(),
        labels: alert.labels.clone(),
        alerts: vec![alert],
        evidence: Evidence {
            hottest_edge: Some("orders → payments: 52 % of 14/s fail".into()), ..Evidence::default()
        },
        url: "https://orrery.example/alerts/a1".into(),
        silence_url: "https://orrery.example/silences/new".into(),
        at_unix_nano: Nanos(NOW),
        ..Message::default()
    }
}

/// The same, over.
pub(crate) fn resolved() -> Message {
    let mut message = firing();
    message.id = "m-2".into();
    message.status = "resolved".into();
    message.alerts[0].state = AlertState::Normal;
    message.alerts[0].since_unix_nano = Nanos(NOW - 10_000_000_000);
    message
}

/// A picture, as the server would draw it.
pub(crate) fn picture() -> Vec<u8> {
    use orrery_notify::chart::{ChartInput, draw};
    let point = |i: i64| orrery_api::alerting::AlertPoint {
        time_unix_nano: Nanos(NOW + i * 60_000_000_000),
        value: Some(i as f64 / 60.0),
        low: None,
        high: Some(0.05),
    };
    draw(&ChartInput { unit: ValueUnit::Ratio, points: (0..60).map(point).collect(), ..ChartInput::default() }).unwrap()
}
