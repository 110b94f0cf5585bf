//! Asks what fires, for every page: its code comes after that of the page.

use crate::alerting::draw::{by_alert, spans};
use crate::alerting::says::instance;
use crate::client::{ask, load};
use crate::components::watch::{Firing, Moment, watched};
use crate::scope::scope;
use leptos::prelude::*;
use orrery_api::alerting::{AlertEventList, AlertList, AlertState};
use orrery_api::paths;
use orrery_chart::Mark;

/// Shows nothing, and fills in what others show.
pub(super) fn watch() -> AnyView {
    let (scope, watched) = (scope(), watched());
    watched.kit.set(Some(super::flags::kit()));
    let range = move || {
        let window = scope.window.get();
        [("from", window.from.to_string()), ("to", window.to.to_string())]
    };
    let alerts = load::<AlertList>(move || Some(ask(paths::ALERTS, &range())));
    let events = load::<AlertEventList>(move || {
        let range = range();
        watched.wanted.get().then(|| ask(paths::ALERT_EVENTS, &range))
    });
    Effect::new(move |_| {
        if let Some(list) = alerts.data.get() {
            let firing = list.alerts.iter().filter(|alert| alert.state == AlertState::Firing);
            let found =
                firing.map(|alert| Firing { node: alert.node.clone().unwrap_or_default(), rank: alert.severity as u8 });
            watched.firing.set(found.collect());
        }
    });
    Effect::new(move |_| {
        let Some(events) = events.data.get() else { return };
        let alerts = alerts.data.get();
        watched.moments.set(moments(&events, alerts.as_deref()));
    });
    ().into_any()
}

/// When which alert fired, by time.
pub(super) fn moments(events: &AlertEventList, alerts: Option<&AlertList>) -> Vec<Moment> {
    let known = alerts.map(|list| list.alerts.as_slice()).unwrap_or_default();
    let mut happened = by_alert(&events.events);
    // What has fired all the time has no event.
    let lasting = known.iter().filter(|alert| alert.state == AlertState::Firing);
    for alert in lasting {
        happened.entry(alert.id.as_str()).or_default();
    }
    let mut moments: Vec<Moment> = Vec::new();
    for (id, events_of) in &happened {
        let now = known.iter().find(|alert| alert.id == *id);
        let said = events_of.first().map(|event| (&event.rule, &event.labels, &event.node, &event.caller));
        let told = said.or_else(|| now.map(|alert| (&alert.rule, &alert.labels, &alert.node, &alert.caller)));
        let Some((rule, labels, node, caller)) = told else { continue };
        let instance = instance(labels);
        let name = if instance.is_empty() { rule.clone() } else { format!("{rule} · {instance}") };
        for span in spans(events_of, events.range, now).into_iter().filter(|span| span.state == AlertState::Firing) {
            let mark = Mark { from: span.from.0, to: span.to.0, rank: span.severity as u8 };
            match moments.last_mut() {
                // It became worse or less bad: one moment, as bad as it was.
                Some(last) if last.alert == *id && last.mark.to == mark.from => {
                    last.mark = Mark { to: mark.to, rank: last.mark.rank.max(mark.rank), ..last.mark };
                }
                _ => moments.push(Moment {
                    alert: (*id).to_owned(),
                    name: name.clone(),
                    node: node.clone().unwrap_or_default(),
                    caller: caller.clone().unwrap_or_default(),
                    labels: labels.clone(),
                    mark,
                }),
            }
        }
    }
    moments.sort_by_key(|moment| moment.mark.from);
    moments
}
