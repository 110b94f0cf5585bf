//! Asks what fires, for every page: its code comes after that of the page.

use crate::alerting::draw::{by_alert, spans};
use crate::alerting::says::instance;
use crate::client::{ask, load};
use crate::components::watch::{Firing, Moment, watched};
use crate::scope::scope;
use leptos::prelude::*;
use orrery_api::alerting::{AlertEventList, AlertList, AlertState};
use orrery_api::paths;
use std::sync::Arc;

/// Shows nothing, and fills in what others show.
pub(super) fn watch() -> AnyView {
    let (scope, watched) = (scope(), watched());
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

fn moments(events: &Arc<AlertEventList>, alerts: Option<&AlertList>) -> Vec<Moment> {
    let happened = by_alert(&events.events);
    let mut moments: Vec<Moment> = Vec::new();
    for (id, events_of) in &happened {
        let now = alerts.and_then(|list| list.alerts.iter().find(|alert| alert.id == *id));
        let node = events_of.iter().find_map(|event| event.node.clone());
        let (Some(node), Some(first)) = (node, events_of.first()) else { continue };
        let name = instance(&first.labels);
        let rule = if name.is_empty() { first.rule.clone() } else { format!("{} · {name}", first.rule) };
        for span in spans(events_of, events.range, now).into_iter().filter(|span| span.state == AlertState::Firing) {
            let moment = Moment {
                node: node.clone(),
                rule: rule.clone(),
                rank: span.severity as u8,
                from: span.from.0,
                to: span.to.0,
            };
            match moments.last_mut() {
                // It became worse or less bad: one moment, as bad as it was.
                Some(Moment { rule, to, rank, .. }) if *rule == moment.rule && *to == moment.from => {
                    (*to, *rank) = (moment.to, moment.rank.max(*rank));
                }
                _ => moments.push(moment),
            }
        }
    }
    moments.sort_by_key(|moment| moment.from);
    moments
}
