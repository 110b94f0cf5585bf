//! When an alert was what, and its values with what they were compared with.

use super::values::chart_unit;
use crate::figures::utc_offset;
use crate::words::{t, tell};
use orrery_api::Range;
use orrery_api::alerting::{
    Alert, AlertEvent, AlertEventKind, AlertPoint, AlertSeverity, AlertState, StateSpan, ValueUnit,
};
use orrery_chart::{Annotation, ChartSpec, Dash, Ink, Series, Token};
use std::collections::BTreeMap;

/// What an alert was within a range, oldest first; normal is left out. What it was before the first event follows from
/// that event; `now` is what it is at the end, if that is known.
pub fn spans(events: &[&AlertEvent], range: Range, now: Option<&Alert>) -> Vec<StateSpan> {
    let mut spans = Vec::new();
    let mut open: Option<StateSpan> = None;
    let mut seen = false;
    for event in events {
        let (state, before) = match event.what {
            AlertEventKind::Pending => (AlertState::Pending, AlertState::Normal),
            AlertEventKind::Firing => (AlertState::Firing, AlertState::Pending),
            AlertEventKind::Severity => (AlertState::Firing, AlertState::Firing),
            AlertEventKind::Resolved => (AlertState::Normal, AlertState::Firing),
            AlertEventKind::Calmed => (AlertState::Normal, AlertState::Pending),
            AlertEventKind::NoData => (AlertState::NoData, AlertState::Normal),
            AlertEventKind::Error => (AlertState::Error, AlertState::Normal),
            // These change nothing.
            AlertEventKind::Notified
            | AlertEventKind::Muted
            | AlertEventKind::Acknowledged
            | AlertEventKind::Corrected => continue,
        };
        let at = event.at_unix_nano;
        // It begins before the range only where it did not begin with an event of it.
        if !seen && before != AlertState::Normal && event.what != AlertEventKind::Firing {
            open = Some(StateSpan { state: before, severity: event.severity, from: range.from, to: at });
        }
        seen = true;
        if let Some(span) = open.take() {
            spans.push(StateSpan { to: at, ..span });
        }
        if state != AlertState::Normal {
            open = Some(StateSpan { state, severity: event.severity, from: at, to: range.to });
        }
    }
    if !seen && let Some(alert) = now.filter(|alert| alert.state != AlertState::Normal) {
        let from = alert.since_unix_nano.max(range.from);
        open = Some(StateSpan { state: alert.state, severity: alert.severity, from, to: range.to });
    }
    spans.extend(open);
    spans.retain(|span| span.from < span.to && span.to > range.from && span.from < range.to);
    spans
}

/// Events by alert.
pub fn by_alert(events: &[AlertEvent]) -> BTreeMap<&str, Vec<&AlertEvent>> {
    let mut by_alert: BTreeMap<&str, Vec<&AlertEvent>> = BTreeMap::new();
    for event in events {
        by_alert.entry(&event.alert).or_default().push(event);
    }
    by_alert
}

/// Colour of a state.
pub fn ink(state: AlertState, severity: AlertSeverity) -> Ink {
    match (state, severity) {
        (AlertState::Firing, AlertSeverity::Critical) => Token::Err.into(),
        (AlertState::Firing, AlertSeverity::Warning) => Token::Warn.into(),
        (AlertState::Firing, AlertSeverity::Info) => Token::Accent.into(),
        (AlertState::Pending, _) => Token::Text3.into(),
        _ => Token::Unknown.into(),
    }
}

/// How a chart of an alert looks.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// For screen readers.
    pub title: &'a str,
    /// What it spans.
    pub range: Range,
    /// What values are.
    pub unit: ValueUnit,
}

/// One end of what a value was compared with.
type Bound = fn(&AlertPoint) -> Option<f64>;

/// Values, the threshold or the band they were compared with, what it was when, and when people were told.
pub fn chart(look: Look<'_>, points: &[AlertPoint], states: &[StateSpan], told: &[i64]) -> ChartSpec {
    let of = |value: fn(&AlertPoint) -> Option<f64>| -> Vec<(i64, Option<f64>)> {
        points.iter().map(|point| (point.time_unix_nano.0, value(point))).collect()
    };
    let mut series = vec![Series::line(t(tell::VALUE), 0, of(|point| point.value))];
    let bounds: [(Bound, bool); 2] = [(|point| point.high, true), (|point| point.low, false)];
    let is_band = points.iter().any(|point| point.high.is_some() && point.low.is_some());
    for (bound, is_high) in bounds {
        if !points.iter().any(|point| bound(point).is_some()) {
            continue;
        }
        let name = match (is_band, is_high) {
            (true, true) => tell::USUALLY_BELOW,
            (true, false) => tell::USUALLY_ABOVE,
            _ => tell::THRESHOLD,
        };
        let ink = if is_band { Token::Text3 } else { Token::Err };
        series.push(Series { dash: Dash::Long, ..Series::line(t(name), 1, of(bound)).ink(ink) });
    }
    let mut annotations: Vec<Annotation> = states
        .iter()
        .map(|span| Annotation {
            at: span.from.0,
            until: Some(span.to.0),
            label: String::new(),
            ink: ink(span.state, span.severity),
        })
        .collect();
    annotations.extend(told.iter().map(|at| Annotation {
        at: *at,
        until: None,
        label: t(tell::TOLD).to_owned(),
        ink: Token::Accent.into(),
    }));
    ChartSpec {
        title: look.title.to_owned(),
        from: look.range.from.0,
        to: look.range.to.0,
        utc_offset_minutes: utc_offset(),
        unit: chart_unit(look.unit),
        series,
        annotations,
        ..ChartSpec::default()
    }
}

/// When people were told that an alert fires or is over.
pub fn told(events: &[AlertEvent], alert: &str) -> Vec<i64> {
    let is_told = |event: &&AlertEvent| event.alert == alert && event.what == AlertEventKind::Notified;
    events.iter().filter(is_told).map(|event| event.at_unix_nano.0).collect()
}

/// Where a span lies within a range: begin and width, per cent; wide enough to be seen.
pub fn place(span: &StateSpan, range: Range) -> (f64, f64) {
    let width = (range.to.0 - range.from.0).max(1) as f64;
    let share = |at: i64| ((at - range.from.0) as f64 / width * 100.0).clamp(0.0, 100.0);
    let (from, to) = (share(span.from.0), share(span.to.0));
    (from.min(99.6), (to - from).max(0.4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use orrery_api::Nanos;

    fn event(at: i64, what: AlertEventKind) -> AlertEvent {
        AlertEvent {
            at_unix_nano: Nanos(at),
            what,
            severity: AlertSeverity::Critical,
            alert: "a".to_owned(),
            ..AlertEvent::default()
        }
    }

    fn check_spans(events: &[(i64, AlertEventKind)], now: Option<&Alert>, expected: &[(AlertState, i64, i64)]) {
        let events: Vec<AlertEvent> = events.iter().map(|(at, what)| event(*at, *what)).collect();
        let events: Vec<&AlertEvent> = events.iter().collect();
        let range = Range { from: Nanos(100), to: Nanos(200) };
        let found: Vec<_> =
            spans(&events, range, now).iter().map(|span| (span.state, span.from.0, span.to.0)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn events_become_times_in_a_state() {
        use AlertEventKind::{Calmed, Firing, Notified, Pending, Resolved};
        check_spans(
            &[(110, Pending), (120, Firing), (121, Notified), (150, Resolved), (180, Pending)],
            None,
            &[(AlertState::Pending, 110, 120), (AlertState::Firing, 120, 150), (AlertState::Pending, 180, 200)],
        );
        check_spans(&[(130, Resolved)], None, &[(AlertState::Firing, 100, 130)]);
        check_spans(&[(130, Calmed)], None, &[(AlertState::Pending, 100, 130)]);
        check_spans(&[(130, Firing)], None, &[(AlertState::Firing, 130, 200)]);
        check_spans(&[], None, &[]);
        let firing = Alert { state: AlertState::Firing, since_unix_nano: Nanos(50), ..Alert::default() };
        check_spans(&[], Some(&firing), &[(AlertState::Firing, 100, 200)]);
    }

    #[test]
    fn short_spans_can_be_seen() {
        let range = Range { from: Nanos(0), to: Nanos(1_000_000) };
        let span = StateSpan { from: Nanos(1_000_000), to: Nanos(1_000_000), ..StateSpan::default() };
        assert_eq!(place(&span, range), (99.6, 0.4));
    }

    #[test]
    fn a_chart_has_what_values_were_compared_with() {
        let point = |at, value, low, high| AlertPoint { time_unix_nano: Nanos(at), value: Some(value), low, high };
        let look = Look { title: "a", range: Range { from: Nanos(0), to: Nanos(10) }, unit: ValueUnit::Ratio };
        let with_threshold = chart(look, &[point(0, 0.1, None, Some(0.05))], &[], &[]);
        assert_eq!(with_threshold.series.len(), 2);
        let span =
            StateSpan { state: AlertState::Firing, severity: AlertSeverity::Critical, from: Nanos(1), to: Nanos(5) };
        let with_band = chart(look, &[point(0, 0.1, Some(0.01), Some(0.05))], &[span], &[3]);
        assert_eq!((with_band.series.len(), with_band.annotations.len()), (3, 2));
        assert_eq!(with_band.annotations[0].until, Some(5));
    }
}
