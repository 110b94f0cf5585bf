//! One alert: its values, what happened to it, what is known about the case, and who was told.

use super::act::{Act, acting};
use super::fields::refused;
use super::row::{Followed, actions, behind, node_link, remarks, state_badge};
use super::{api, rule_path};
use crate::alerting::answers::AlertDetail;
use crate::alerting::document::text;
use crate::alerting::draw::{Look, chart, spans, told};
use crate::alerting::says::{as_usual, compared, event_word, hottest, muted_word, severity_glyph, summary, tiers};
use crate::alerting::values::shown;
use crate::atlas::Selection;
use crate::client::{Load, ask, change, load};
use crate::components::chart::{TimeChart, legend};
use crate::components::flags::About;
use crate::components::icon::icon;
use crate::components::panel::{frame, panel};
use crate::components::state::{chips, empty, loaded};
use crate::figures::{ago, date_time, time};
use crate::nav::nav;
use crate::pages::{later, service_name};
use crate::scope::{now_nanos, scope};
use crate::words::{Language, language, t, tell, tf};
use leptos::prelude::*;
use orrery_api::alerting::{
    Alert, AlertEvent, AlertState, Delivery, DeliveryList, DeliveryState, Difference, Evidence, HotEdge, Usual,
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
    let alert: Followed = Memo::new(move |_| Some(Arc::new(detail.with(|detail| detail.alert.clone()))));
    let of = move |say: fn(&Alert) -> AnyView| move || alert.with(|alert| alert.as_deref().map(say));
    let (rule, labels, nodes) = detail.with_untracked(|detail| {
        let alert = &detail.alert;
        let label = |(name, value): (&String, &String)| {
            view! { <li class="chip alert-label"><span class="chip-name">{name.clone()}"="</span><span class="chip-value">{value.clone()}</span></li> }
        };
        let labels = alert.labels.iter().filter(|(name, _)| *name != "rule").map(label).collect_view();
        let nodes = view! {
            {alert.node.as_deref().map(|node| view! { <li>{node_link(node)}</li> })}
            {alert.caller.as_deref().map(|node| view! { <li>{t(tell::CALLED_BY)}" "{node_link(node)}</li> })}
        };
        (alert.rule.clone(), labels, nodes)
    });
    let path = rule_path(&rule);
    let title = of(|alert| {
        let (symbol, class) = severity_glyph(alert.severity);
        let glyph = (alert.state == AlertState::Firing)
            .then(|| view! { <span class=format!("{class} alert-glyph") aria-hidden="true">{symbol}</span> });
        view! { {glyph}<h2 class="trace-name">{summary(alert)}</h2>{state_badge(alert.state, alert.severity)} }
            .into_any()
    });
    let facts = of(|alert| {
        let measured = compared(alert).map(|(value, against)| {
            view! { <li>{t(tell::NOW_AT)}" "<b>{value}</b>" "{against}</li> }
        });
        let began = alert.began_unix_nano.unwrap_or(alert.since_unix_nano).0;
        let since = tf(tell::SINCE_AGO, &[("time", &time(began)), ("ago", &ago(began, now_nanos()))]);
        view! { {measured}<li title=date_time(began)>{since}</li><li>{remarks(alert)}</li> }.into_any()
    });
    view! {
        <section class="alert-head">
            <p class="hint"><a href=move || nav.href(&path, &[])>{rule}</a></p>
            <div class="trace-title">{title}</div>
            <ul class="facts">{facts}{nodes}</ul>
            <ul class="alert-labels">{labels}</ul>
            {of(|alert| why_muted(alert).into_any())}
            <div class="actions">{actions(alert, act)}{give_back(alert, done)}</div>
        </section>
    }
    .into_any()
}

fn why_muted(alert: &Alert) -> Option<AnyView> {
    let nav = nav();
    let muted = alert.muted.as_ref()?;
    let until = muted.until_unix_nano.map(|until| tf(tell::UNTIL, &[("time", &date_time(until.0)[..16])]));
    // What the server says is English; who says it there is behind the link.
    let why = (language() == Language::English).then(|| muted.why.clone()).filter(|why| !why.is_empty());
    let why = why.unwrap_or_else(|| muted_word(muted.by).to_owned());
    let why = match behind(muted) {
        Some(path) => view! { <a href=move || nav.href(&path, &[])>{why}</a> }.into_any(),
        None => why.into_any(),
    };
    Some(view! { <p class="notice-line hint">{icon("bell-off")}<span>{why}" "{until}</span></p> }.into_any())
}

/// Takes back that somebody has taken it on.
fn give_back(alert: Followed, done: Callback<()>) -> AnyView {
    let taken = Memo::new(move |_| {
        alert.with(|alert| alert.as_ref().filter(|alert| alert.acknowledged.is_some()).map(|alert| alert.id.clone()))
    });
    let wrong = RwSignal::new(String::new());
    let button = move || {
        let url = api(paths::ALERT_ACKNOWLEDGE, &taken.get()?);
        let click = move |_| {
            let url = url.clone();
            spawn_local(async move {
                let answer = change::<Alert>("DELETE", &url, None::<&()>).await;
                wrong.try_set(answer.err().map(|failure| failure.detail).unwrap_or_default());
                done.run(());
            });
        };
        Some(view! { <button type="button" class="button" on:click=click>{icon("x")}{t(tell::GIVE_BACK)}</button> })
    };
    view! { {button}{refused(wrong)} }.into_any()
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
    let about = Signal::derive(move || {
        detail.with(|detail| About::Beside {
            alert: detail.alert.id.clone(),
            node: detail.alert.node.clone().unwrap_or_default(),
        })
    });
    let body = move || {
        if detail.with(|detail| detail.points.iter().all(|point| point.value.is_none())) {
            return empty(t(tell::NO_VALUES), None);
        }
        view! { <div class="panel-body"><TimeChart spec=spec height=220.0 about=about />{legend(spec)}</div> }
            .into_any()
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
    if case.found.is_empty() && case.hottest.is_none() {
        return None;
    }
    let nav = nav();
    let found = (!case.found.is_empty()).then(|| later(super::FOUND, Arc::new(case.found.clone())));
    let edge = case.hottest.as_ref().map(|edge| {
        let place = Selection::Edge(edge.caller.clone(), edge.callee.clone()).address();
        let named = HotEdge { caller: service_name(&edge.caller), callee: service_name(&edge.callee), ..edge.clone() };
        view! { <ul class="evidence-list"><li class="begins"><span class="is-warn" aria-hidden="true">"▲"</span><a href=move || nav.href("/", &[("sel", &place)])>{hottest(&named)}</a></li></ul> }
    });
    Some(view! { <section><h3>{t(tell::WHERE_IT_BEGINS)}</h3>{found}{edge}</section> }.into_any())
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
        view! { <section><h3>{t(tell::LAST_DEPLOY)}</h3><p>{service_name(&deploy.node)}" "<code>{deploy.version.clone()}</code>" "<span class="hint" title=date_time(at)>{ago(at, now_nanos())}</span></p></section> }
            .into_any(),
    )
}

fn normal(case: &Evidence) -> Option<AnyView> {
    let line = |usual: &Usual| {
        let named = Usual {
            node: service_name(&usual.node),
            callees: usual.callees.iter().map(|id| service_name(id)).collect(),
            ..usual.clone()
        };
        view! { <li><span class="is-ok" aria-hidden="true">"● "</span>{as_usual(&named)}</li> }
    };
    let lines = case.usual.iter().map(line).collect_view();
    (!case.usual.is_empty()).then(|| {
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
