//! One alert in a line, and its parts.

use super::act::Act;
use crate::alerting::says::{compared, instance, muted_word, severity_glyph, severity_word, state_word, summary};
use crate::components::icon::icon;
use crate::figures::{ago, date_time};
use crate::nav::nav;
use crate::pages::{service_name, service_path};
use crate::scope::now_nanos;
use crate::words::{t, tell, tf};
use leptos::prelude::*;
use orrery_api::alerting::{Alert, AlertList, AlertSeverity, AlertState, Muted, MutedBy};
use orrery_chart::Unit;
use std::sync::Arc;

/// Shape, colour and word of how bad something is.
pub(super) fn glyph(state: AlertState, severity: AlertSeverity) -> AnyView {
    let (glyph, class) = match state {
        AlertState::Firing => severity_glyph(severity),
        AlertState::Pending => ("◇", "is-quiet"),
        AlertState::Normal => ("●", "is-ok"),
        AlertState::NoData | AlertState::Error => ("○", "is-warn"),
    };
    let word = if state == AlertState::Firing { severity_word(severity) } else { state_word(state) };
    view! { <span class=format!("glyph {class}") title=word><span aria-hidden="true">{glyph}</span><span class="sr-only">{word}</span></span> }.into_any()
}

/// A state as a badge.
pub(super) fn state_badge(state: AlertState, severity: AlertSeverity) -> AnyView {
    let class = match (state, severity) {
        (AlertState::Firing, AlertSeverity::Critical) => "badge badge-err",
        (AlertState::Firing, AlertSeverity::Info) => "badge badge-accent",
        (AlertState::Firing, _) | (AlertState::Error, _) => "badge badge-warn",
        (AlertState::Normal, _) => "badge badge-ok",
        _ => "badge badge-unknown",
    };
    let text = match state {
        AlertState::Firing => format!("{} · {}", state_word(state), severity_word(severity)),
        state => state_word(state).to_owned(),
    };
    view! { <span class=class>{text}</span> }.into_any()
}

/// A link to the page of a node.
pub(super) fn node_link(id: &str) -> AnyView {
    let nav = nav();
    let path = service_path(id);
    view! { <a class="node-link" href=move || nav.href(&path, &[])>{icon("box")}{service_name(id)}</a> }.into_any()
}

/// Where to see why nobody is told: the alert that explains it, the silences, or the channels there are not.
pub(super) fn behind(muted: &Muted) -> Option<String> {
    match muted.by {
        MutedBy::Silence => Some("/alerts/silences".to_owned()),
        MutedBy::NoRoute => Some("/alerts/channels".to_owned()),
        MutedBy::Callee | MutedBy::Caller | MutedBy::Inhibited => {
            (!muted.id.is_empty()).then(|| format!("/alerts/{}", muted.id))
        }
        MutedBy::Acknowledged | MutedBy::Flapping => None,
    }
}

/// Why nobody is told, who has taken it on, on how much of the data it rests.
pub(super) fn remarks(alert: &Alert) -> AnyView {
    let nav = nav();
    let muted = alert.muted.as_ref().map(|muted| {
        let inner = view! { {icon("bell-off")}{muted_word(muted.by)} };
        let why = muted.why.clone();
        match behind(muted) {
            Some(path) => {
                view! { <a class="badge remark" title=why href=move || nav.href(&path, &[])>{inner}</a> }.into_any()
            }
            None => view! { <span class="badge remark" title=why>{inner}</span> }.into_any(),
        }
    });
    let taken = alert.acknowledged.as_ref().map(|taken| {
        let who = if taken.by.is_empty() { t(tell::SOMEBODY).to_owned() } else { taken.by.clone() };
        let title = taken.comment.clone();
        view! { <span class="badge badge-accent remark" title=title>{icon("check")}{tf(tell::TAKEN_BY, &[("who", &who)])}</span> }
    });
    let coverage = (alert.coverage < 0.995 && alert.judged_unix_nano.0 > 0).then(|| {
        let share = Unit::Ratio.format(alert.coverage).to_string();
        view! { <span class="badge badge-warn remark" title=t(tell::COVERAGE_HINT)>{tf(tell::COVERAGE, &[("share", &share)])}</span> }
    });
    view! { {muted}{taken}{coverage} }.into_any()
}

/// Value and what it is compared with.
pub(super) fn value(alert: &Alert) -> Option<AnyView> {
    let (value, against) = compared(alert)?;
    Some(view! { <span class="alert-value"><b>{value}</b>" "<span class="hint">{against}</span></span> }.into_any())
}

/// Since when, in words; the moment as a hint.
pub(super) fn since(alert: &Alert) -> AnyView {
    let at = alert.since_unix_nano.0;
    view! { <span class="hint nowrap" title=date_time(at)>{ago(at, now_nanos())}</span> }.into_any()
}

/// An alert as it changes: what stands for it keeps the focus.
pub(super) type Followed = Memo<Option<Arc<Alert>>>;

/// An alert of a list.
pub(super) fn followed(list: Signal<Arc<AlertList>>, id: String) -> Followed {
    let find = move |list: &Arc<AlertList>| list.alerts.iter().find(|alert| alert.id == id).cloned().map(Arc::new);
    Memo::new(move |_| list.with(&find))
}

/// What can be done about it.
pub(super) fn actions(alert: Followed, act: RwSignal<Option<Act>>) -> AnyView {
    let can = move |may: fn(&Alert) -> bool| {
        Memo::new(move |_| alert.with(|alert| alert.as_deref().is_some_and(|alert| may(alert))))
    };
    let can_take = can(|alert| alert.acknowledged.is_none() && alert.state.is_told());
    let can_silence = can(|alert| alert.muted.as_ref().is_none_or(|muted| muted.by != MutedBy::Silence));
    let ask = move |asked: fn(Arc<Alert>) -> Act| {
        move |_| {
            if let Some(alert) = alert.get_untracked() {
                act.set(Some(asked(alert)));
            }
        }
    };
    let take = move || {
        can_take.get().then(|| view! { <button type="button" class="button" on:click=ask(Act::Acknowledge)>{icon("check")}{t(tell::ACKNOWLEDGE)}</button> })
    };
    let silence = move || {
        can_silence.get().then(|| view! { <button type="button" class="button" on:click=ask(|alert| Act::silence(&alert))>{icon("bell-off")}{t(tell::SILENCE)}</button> })
    };
    view! { <span class="alert-actions">{take}{silence}</span> }.into_any()
}

/// One line of the list. It takes the focus as a whole, for the keys.
pub(super) fn row(list: Signal<Arc<AlertList>>, id: String, act: RwSignal<Option<Act>>) -> AnyView {
    let nav = nav();
    let path = format!("/alerts/{id}");
    let alert = followed(list, id.clone());
    let of = move |say: fn(&Alert) -> AnyView| move || alert.with(|alert| alert.as_deref().map(say));
    let name = alert.with_untracked(|alert| {
        let alert = alert.as_deref()?;
        Some(instance(&alert.labels)).filter(|name| !name.is_empty()).or_else(|| Some(alert.rule.clone()))
    });
    let node = alert.with_untracked(|alert| alert.as_deref()?.node.as_deref().map(node_link));
    let is = move |may: fn(&Alert) -> bool| move || alert.with(|alert| alert.as_deref().is_some_and(may));
    let is_muted = is(|alert| alert.muted.is_some() || alert.acknowledged.is_some());
    let is_over = alert.with_untracked(|alert| alert.as_ref().is_none_or(|alert| alert.state == AlertState::Normal));
    view! {
        <li class="alert-row" class:is-muted=is_muted tabindex="-1" data-alert=id>
            {of(|alert| glyph(alert.state, alert.severity))}
            <div class="alert-what"><a class="alert-name" href=move || nav.href(&path, &[])>{name}</a><span class="alert-summary">{of(|alert| summary(alert).into_any())}</span></div>
            <div class="alert-facts">{of(|alert| value(alert).into_any())}{of(since)}{node}{of(remarks)}</div>
            {(!is_over).then(|| actions(alert, act))}
        </li>
    }
    .into_any()
}
