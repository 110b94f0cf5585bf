//! One alert: its values, what happened to it, what is known about the case, and who was told.

use super::act::{Act, acting};
use super::row::{actions, node_link, remarks, state_badge};
use super::{api, rule_path};
use crate::alerting::answers::AlertDetail;
use crate::alerting::document::text;
use crate::alerting::draw::{Look, chart, spans, told};
use crate::alerting::says::{compared, event_word, instance, severity_glyph, tiers};
use crate::alerting::values::shown;
use crate::client::{Load, ask, change, load};
use crate::components::chart::{TimeChart, legend};
use crate::components::icon::icon;
use crate::components::panel::{frame, panel};
use crate::components::state::{chips, empty, loaded};
use crate::figures::{ago, date_time, time};
use crate::nav::nav;
use crate::scope::{now_nanos, scope};
use crate::words::{say, t, tell, tf};
use leptos::prelude::*;
use orrery_api::alerting::{
    Alert, AlertEvent, AlertState, Delivery, DeliveryList, DeliveryState, Difference, Evidence,
};
use orrery_api::paths;
use orrery_chart::Unit;
use std::sync::Arc;
use wasm_bindgen_futures::spawn_local;

type Detail = Signal<Arc<AlertDetail>>;

/// `/alerts/{id}`.
pub(super) fn detail(id: String) -> AnyView {
    let scope = scope();
    let path = api(paths::ALERT, &id);
    let detail = load::<AlertDetail>(move || {
        let window = scope.window.get();
        Some(ask(&path, &[("from", window.from.to_string()), ("to", window.to.to_string())]).chosen(scope.range.get()))
    });
    let deliveries = load::<DeliveryList>(move || {
        scope.window.track();
        Some(ask(paths::ALERT_DELIVERIES, &[("limit", "1000".to_owned())]))
    });
    let act = RwSignal::new(None::<Act>);
    let done = Callback::new(move |()| detail.progress.retry());
    let body = move |detail: Detail| {
        view! {
            {head(detail, act, done)}
            {charted(detail)}
            {evidence(detail)}
            <div class="columns">{events(detail)}{delivered(deliveries, id.clone())}</div>
        }
        .into_any()
    };
    view! {
        {chips(detail)}
        {loaded(detail, |_| false, |_| ().into_any(), body)}
        {acting(act, done)}
    }
    .into_any()
}

fn head(detail: Detail, act: RwSignal<Option<Act>>, done: Callback<()>) -> AnyView {
    let nav = nav();
    let head = move || {
        detail.with(|detail| {
            let alert = Arc::new(detail.alert.clone());
            let (symbol, class) = severity_glyph(alert.severity);
            let is_firing = alert.state == AlertState::Firing;
            let title = if alert.summary.is_empty() { instance(&alert.labels) } else { alert.summary.clone() };
            let (rule, path) = (alert.rule.clone(), rule_path(&alert.rule));
            let labels = alert.labels.iter().filter(|(name, _)| *name != "rule").map(|(name, value)| {
                view! { <li class="chip alert-label"><span class="chip-name">{name.clone()}"="</span><span class="chip-value">{value.clone()}</span></li> }
            });
            let measured = compared(&alert).map(|(value, against)| {
                view! { <li>{t(tell::NOW_AT)}" "<b>{value}</b>" "{against}</li> }
            });
            let began = alert.began_unix_nano.unwrap_or(alert.since_unix_nano).0;
            view! {
                <section class="alert-head">
                    <p class="hint"><a href=move || nav.href(&path, &[])>{rule}</a></p>
                    <div class="trace-title">{is_firing.then(|| view! { <span class=format!("{class} alert-glyph") aria-hidden="true">{symbol}</span> })}<h2 class="trace-name">{title}</h2>{state_badge(alert.state, alert.severity)}</div>
                    <ul class="facts">
                        {measured}
                        <li title=date_time(began)>{tf(tell::SINCE_AGO, &[("time", &time(began)), ("ago", &ago(began, now_nanos()))])}</li>
                        {alert.node.as_deref().map(|node| view! { <li>{node_link(node)}</li> })}
                        {alert.caller.as_deref().map(|node| view! { <li>{t(tell::CALLED_BY)}" "{node_link(node)}</li> })}
                        <li>{remarks(&alert)}</li>
                    </ul>
                    <ul class="alert-labels">{labels.collect_view()}</ul>
                    {why_muted(&alert)}
                    <div class="actions">{actions(&alert, act)}{give_back(&alert, done)}</div>
                </section>
            }
            .into_any()
        })
    };
    view! { {head} }.into_any()
}

fn why_muted(alert: &Alert) -> Option<AnyView> {
    let muted = alert.muted.as_ref().filter(|muted| !muted.why.is_empty())?;
    let until = muted.until_unix_nano.map(|until| tf(tell::UNTIL, &[("time", &date_time(until.0)[..16])]));
    Some(
        view! { <p class="notice-line hint">{icon("bell-off")}<span>{muted.why.clone()}" "{until}</span></p> }
            .into_any(),
    )
}

/// Takes back that somebody has taken it on.
fn give_back(alert: &Alert, done: Callback<()>) -> Option<AnyView> {
    alert.acknowledged.as_ref()?;
    let url = api(paths::ALERT_ACKNOWLEDGE, &alert.id);
    let click = move |_| {
        let url = url.clone();
        spawn_local(async move {
            let _ = change::<Alert>("DELETE", &url, None::<&()>).await;
            done.run(());
        });
    };
    Some(
        view! { <button type="button" class="button" on:click=click>{icon("x")}{t(tell::GIVE_BACK)}</button> }
            .into_any(),
    )
}

fn charted(detail: Detail) -> AnyView {
    let spec = Memo::new(move |_| {
        detail.with(|detail| {
            let events: Vec<&AlertEvent> = detail.events.iter().collect();
            let states = spans(&events, detail.range, Some(&detail.alert));
            let look = Look { title: t(tell::VALUES), range: detail.range, unit: detail.alert.unit };
            chart(look, &detail.points, &states, &told(&detail.events, &detail.alert.id))
        })
    });
    let watched = move || {
        detail.with(|detail| {
            let rule = detail.rule.as_ref()?;
            let tiers: Vec<_> = tiers(rule)
                .into_iter()
                .map(|(severity, when)| {
                    let (symbol, class) = severity_glyph(severity);
                    view! { <span class="tier"><span class=class aria-hidden="true">{symbol}</span>{when}</span> }
                })
                .collect();
            Some(view! { <span class="tiers hint">{tiers}<span>{tf(tell::OVER_WINDOW, &[("window", &text(rule, "window"))])}</span></span> })
        })
    };
    let body = move || {
        if detail.with(|detail| detail.points.iter().all(|point| point.value.is_none())) {
            return empty(t(tell::NO_VALUES), None);
        }
        view! { <div class="panel-body"><TimeChart spec=spec height=220.0 />{legend(spec)}</div> }.into_any()
    };
    frame(t(tell::VALUES), Some(watched.into_any()), body.into_any())
}

fn evidence(detail: Detail) -> AnyView {
    let body = move || {
        detail.with(|detail| {
            let case = &detail.evidence;
            if *case == Evidence::default() {
                return empty(t(tell::NO_EVIDENCE), None);
            }
            view! { <div class="panel-body evidence">{begins(case)}{differs(&case.differs)}{traces(case)}{deploy(case)}{normal(case)}</div> }.into_any()
        })
    };
    frame(t(tell::EVIDENCE), None, body.into_any())
}

fn begins(case: &Evidence) -> Option<AnyView> {
    if case.findings.is_empty() && case.hottest_edge.is_none() {
        return None;
    }
    let findings = case
        .findings
        .iter()
        .map(|found| view! { <li><span class="is-err" aria-hidden="true">"◆ "</span>{found.clone()}</li> });
    let nav = nav();
    let edge = case.hottest_edge.clone().map(|edge| {
        view! { <li><span class="is-warn" aria-hidden="true">"▲ "</span>{edge}" "<a href=move || nav.href("/", &[])>{t(say::MAP)}</a></li> }
    });
    Some(view! { <section><h3>{t(tell::WHERE_IT_BEGINS)}</h3><ul class="evidence-list">{findings.collect_view()}{edge}</ul></section> }.into_any())
}

/// Attributes that bad spans have more often than others, both shares as bars.
fn differs(differs: &[Difference]) -> Option<AnyView> {
    let share = |share: f64| Unit::Ratio.format(share).to_string();
    let bar = |class: &'static str, share: f64| {
        view! { <span class=format!("compare-bar {class}") style=format!("width:{}%", (share * 100.0).clamp(0.5, 100.0))></span> }
    };
    let line = |one: &Difference| {
        view! {
            <li class="differs-line"><span class="clamp differs-key" title=one.key.clone()><code>{one.key.clone()}</code>" = "<b>{one.value.clone()}</b></span>
                <span class="compare-bars" aria-hidden="true">{bar("compare-selection", one.bad)}{bar("compare-baseline", one.others)}</span>
                <span class="differs-share">{tf(tell::BAD_AND_OTHERS, &[("bad", &share(one.bad)), ("others", &share(one.others))])}</span></li>
        }
    };
    let lines = differs.iter().map(line).collect_view();
    (!differs.is_empty()).then(|| {
        view! { <section><h3>{t(tell::WHAT_DIFFERS)}</h3><ul class="differs">{lines}</ul></section> }.into_any()
    })
}

fn traces(case: &Evidence) -> Option<AnyView> {
    let nav = nav();
    let link = move |id: &String| {
        let path = format!("/traces/{id}");
        let short = id.get(..8).unwrap_or(id).to_owned();
        view! { <a class="button" href=move || nav.href(&path, &[])>{icon("chart-gantt")}<code>{short}</code></a> }
    };
    let links = case.traces.iter().map(link).collect_view();
    (!case.traces.is_empty())
        .then(|| view! { <section><h3>{t(tell::EXAMPLES)}</h3><div class="actions">{links}</div></section> }.into_any())
}

fn deploy(case: &Evidence) -> Option<AnyView> {
    let deploy = case.last_deploy.as_ref()?;
    let at = deploy.at_unix_nano.0;
    Some(
        view! { <section><h3>{t(tell::LAST_DEPLOY)}</h3><p><code>{deploy.version.clone()}</code>" "<span class="hint" title=date_time(at)>{ago(at, now_nanos())}</span></p></section> }
            .into_any(),
    )
}

fn normal(case: &Evidence) -> Option<AnyView> {
    let lines = case
        .normal
        .iter()
        .map(|line| view! { <li><span class="is-ok" aria-hidden="true">"● "</span>{line.clone()}</li> })
        .collect_view();
    (!case.normal.is_empty()).then(|| {
        view! { <section><h3>{t(tell::AS_USUAL)}</h3><ul class="evidence-list">{lines}</ul></section> }.into_any()
    })
}

fn events(detail: Detail) -> AnyView {
    let body = move || {
        detail.with(|detail| {
            if detail.events.is_empty() {
                return empty(t(tell::NO_EVENTS), None);
            }
            let unit = detail.alert.unit;
            let row = |event: &AlertEvent| {
                let value = event.value.map(|value| shown(unit, value));
                let at = event.at_unix_nano.0;
                view! { <li class="event-line"><time class="hint" title=date_time(at)>{time(at)}</time><b>{event_word(event.what)}</b><span class="event-value">{value}</span><span class="event-detail hint">{event.detail.clone()}</span></li> }
            };
            view! { <ul class="event-lines">{detail.events.iter().rev().map(row).collect_view()}</ul> }.into_any()
        })
    };
    frame(t(tell::WHAT_HAPPENED), None, body.into_any())
}

fn delivered(deliveries: Load<DeliveryList>, id: String) -> AnyView {
    let shown = id.clone();
    let body = move |list: Signal<Arc<DeliveryList>>| {
        let id = shown.clone();
        let rows = move || {
            let about = |one: &&Delivery| one.alerts.contains(&id);
            list.with(|list| list.deliveries.iter().filter(about).map(delivery).collect_view())
        };
        view! { <ul class="event-lines">{rows}</ul> }.into_any()
    };
    let none = |_: &DeliveryList| empty(t(tell::NOBODY_TOLD), None);
    let blank = move |list: &DeliveryList| !list.deliveries.iter().any(|one| one.alerts.contains(&id));
    panel(t(tell::DELIVERIES), None, deliveries, blank, none, body)
}

/// One message on its way, or there.
pub(super) fn delivery(delivery: &Delivery) -> AnyView {
    let (class, word) = match delivery.state {
        DeliveryState::Delivered => ("badge badge-ok", tell::DELIVERED),
        DeliveryState::Waiting => ("badge badge-warn", tell::WAITING),
        DeliveryState::Failed => ("badge badge-err", tell::GIVEN_UP),
    };
    let at = delivery.created_unix_nano.0;
    let attempts = (delivery.attempts > 1).then(|| tf(tell::N_ATTEMPTS, &[("n", &delivery.attempts.to_string())]));
    let error = delivery.error.clone().map(|error| view! { <span class="event-detail is-err">{error}</span> });
    view! {
        <li class="event-line delivery-line"><time class="hint" title=date_time(at)>{time(at)}</time><span class=class>{t(word)}</span><b>{delivery.channel.clone()}</b>
            <span class="event-detail">{delivery.title.clone()}" "<span class="hint">{attempts}</span></span>{error}</li>
    }
    .into_any()
}
