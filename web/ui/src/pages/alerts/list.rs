//! What fires, what is about to, and what was.

use super::act::{Act, acting};
use super::dialog;
use super::row::{glyph, row};
use super::rule_path;
use super::track::{axis, legend, track};
use crate::alerting::draw::{by_alert, spans};
use crate::alerting::says::{by_rule, instance};
use crate::client::{Load, ask, load};
use crate::components::filter::is_typing;
use crate::components::icon::icon;
use crate::components::state::{chips, empty, loaded};
use crate::figures::range_label;
use crate::nav::{Nav, nav};
use crate::scope::scope;
use crate::words::{Phrase, say, t, tell, tf};
use leptos::prelude::*;
use orrery_api::alerting::{Alert, AlertEventList, AlertList, AlertState};
use orrery_api::{Range, paths};
use std::collections::BTreeMap;
use std::sync::Arc;
use wasm_bindgen::JsCast;

/// Lines of the timeline, at most.
const LINES: usize = 14;

/// `/alerts`.
pub(super) fn list() -> AnyView {
    let scope = scope();
    let range = move || {
        let window = scope.window.get();
        [("from", window.from.to_string()), ("to", window.to.to_string())]
    };
    let alerts = load::<AlertList>(move || Some(ask(paths::ALERTS, &range()).chosen(scope.range.get())));
    let events = load::<AlertEventList>(move || Some(ask(paths::ALERT_EVENTS, &range()).chosen(scope.range.get())));
    let act = RwSignal::new(None::<Act>);
    let done = Callback::new(move |()| {
        alerts.progress.retry();
        events.progress.retry();
    });
    keys(alerts, act);
    let body = move |list: Signal<Arc<AlertList>>| {
        let firing = move |alert: &Alert| alert.state == AlertState::Firing;
        let waiting =
            move |alert: &Alert| matches!(alert.state, AlertState::Pending | AlertState::NoData | AlertState::Error);
        let over = move |alert: &Alert| alert.state == AlertState::Normal;
        view! {
            {notices(list)}
            {groups(list, say_firing, firing, act)}
            {groups(list, |_| t(tell::NOT_YET).to_owned(), waiting, act)}
            {timeline(list, events)}
            {resolved(list, over, act)}
        }
        .into_any()
    };
    view! {
        {chips(alerts)}
        {loaded(alerts, |_| false, |_| ().into_any(), body)}
        {acting(act, done)}
    }
    .into_any()
}

fn say_firing(count: usize) -> String {
    tf(tell::N_FIRING, &[("n", &count.to_string())])
}

/// What keeps people from being told, and what to do about it; that all is well, if it is.
fn notices(list: Signal<Arc<AlertList>>) -> AnyView {
    let nav = nav();
    let known = Memo::new(move |_| {
        list.with(|list| {
            let quiet = list.alerts.iter().all(|alert| alert.state == AlertState::Normal);
            (list.rules, list.has_channel, quiet, list.skipped)
        })
    });
    let button = move |path: &'static str, phrase: Phrase, symbol: &'static str| {
        view! { <a class="button" href=move || nav.href(path, &[])>{icon(symbol)}{t(phrase)}</a> }.into_any()
    };
    let shown = move || {
        let (rules, has_channel, quiet, skipped) = known.get();
        let no_rules = (rules == 0).then(|| {
            let next = view! { <div class="actions">{button("/alerts/rules/new/requests", tell::NEW_RULE, "plus")}{button("/alerts/rules", tell::RULES, "funnel")}</div> };
            view! { <section class="panel">{empty(t(tell::NO_RULES), Some(next.into_any()))}</section> }
        });
        let fine = (rules > 0 && quiet).then(|| {
            let text = tf(tell::ALL_QUIET, &[("n", &rules.to_string())]);
            view! { <section class="panel quiet-note"><p><span class="is-ok" aria-hidden="true">"● "</span>{text}</p>{button("/alerts/rules", tell::WHAT_THEY_WATCH, "funnel")}</section> }
        });
        let no_channel = (!has_channel).then(|| {
            view! { <div class="warnings notice-line"><p><span class="is-warn" aria-hidden="true">"▲ "</span>{t(tell::NO_CHANNEL)}</p>{button("/alerts/channels", tell::ADD_CHANNEL, "plus")}</div> }
        });
        let behind = (skipped > 0).then(|| {
            view! { <div class="warnings"><span class="is-warn" aria-hidden="true">"▲ "</span>{tf(tell::SKIPPED, &[("n", &skipped.to_string())])}</div> }
        });
        view! { {no_channel}{behind}{no_rules}{fine} }.into_any()
    };
    view! { {shown} }.into_any()
}

/// The alerts that are something, by rule; nothing where there are none.
fn groups(
    list: Signal<Arc<AlertList>>,
    title: fn(usize) -> String,
    wanted: impl Fn(&Alert) -> bool + Copy + Send + Sync + 'static,
    act: RwSignal<Option<Act>>,
) -> AnyView {
    let nav = nav();
    // Who is there: what they are changes in place, and what has the focus keeps it.
    let there = Memo::new(move |_| {
        list.with(|list| {
            let found: Vec<&Alert> = list.alerts.iter().filter(|alert| wanted(alert)).collect();
            let ids = |alerts: Vec<&Alert>| alerts.into_iter().map(|alert| alert.id.clone()).collect::<Vec<_>>();
            by_rule(&found).into_iter().map(|(rule, alerts)| (rule.to_owned(), ids(alerts))).collect::<Vec<_>>()
        })
    });
    let group = move |(rule, ids): (String, Vec<String>)| {
        let (path, count) = (rule_path(&rule), ids.len());
        let own = rule.clone();
        let worst = move || {
            list.with(|list| {
                let of_rule = list.alerts.iter().filter(|alert| alert.rule == own && wanted(alert));
                let (states, severities): (Vec<_>, Vec<_>) = of_rule.map(|alert| (alert.state, alert.severity)).unzip();
                glyph(states.into_iter().max().unwrap_or_default(), severities.into_iter().max().unwrap_or_default())
            })
        };
        let rows = ids.into_iter().map(|id| row(list, id, act)).collect_view();
        view! {
            <li class="alert-group">
                <h3 class="alert-rule">{worst}<a href=move || nav.href(&path, &[])>{rule}</a><span class="hint">{count}</span></h3>
                <ul>{rows}</ul>
            </li>
        }
    };
    let shown = move || {
        let groups = there.get();
        let count: usize = groups.iter().map(|(_, ids)| ids.len()).sum();
        (count > 0).then(|| {
            let groups = groups.into_iter().map(group).collect_view();
            view! { <section class="panel"><header class="panel-head"><h2>{title(count)}</h2></header><ul class="alert-groups">{groups}</ul></section> }
        })
    };
    view! { {shown} }.into_any()
}

/// What was resolved within the range, folded.
fn resolved(
    list: Signal<Arc<AlertList>>,
    over: impl Fn(&Alert) -> bool + Copy + Send + Sync + 'static,
    act: RwSignal<Option<Act>>,
) -> AnyView {
    let there = Memo::new(move |_| {
        let found = |list: &Arc<AlertList>| {
            list.alerts.iter().filter(|alert| over(alert)).map(|alert| alert.id.clone()).collect::<Vec<_>>()
        };
        list.with(found)
    });
    let count = Memo::new(move |_| there.with(Vec::len));
    let rows = move || there.get().into_iter().map(|id| row(list, id, act)).collect_view();
    let title = move || tf(tell::N_RESOLVED, &[("n", &count.get().to_string())]);
    view! {
        <Show when=move || count.get() != 0>
            <details class="panel section resolved"><summary class="panel-head">{icon("chevron-right")}<h2>{title}</h2></summary><ul>{rows}</ul></details>
        </Show>
    }
    .into_any()
}

/// What was when: a line per alert, the longest firing first.
fn timeline(list: Signal<Arc<AlertList>>, events: Load<AlertEventList>) -> AnyView {
    let nav = nav();
    let body = move |events: Signal<Arc<AlertEventList>>| {
        let lines = move || {
            let (list, events) = (list.get(), events.get());
            let range = events.range;
            let lines = lines(&list, &events, range);
            if lines.is_empty() {
                let why = tf(tell::NOTHING_HAPPENED, &[("range", &range_label(scope().range.get_untracked()))]);
                return empty(why, Some(earlier(nav)));
            }
            let more = lines.len().saturating_sub(LINES);
            let line = |line: Line| {
                let path = format!("/alerts/{}", line.id);
                let (spans, title) = (track(&line.spans, range), line.rule.clone());
                view! { <li class="track-line"><a class="track-name clamp" title=title href=move || nav.href(&path, &[])>{line.name}<span class="hint">{line.rule}</span></a>{spans}</li> }
            };
            let rows: Vec<_> = lines.into_iter().take(LINES).map(line).collect();
            let more =
                (more > 0).then(|| view! { <p class="panel-note">{tf(tell::N_MORE, &[("n", &more.to_string())])}</p> });
            view! { <div class="panel-body"><ul class="track-lines">{rows}</ul><div class="track-line" aria-hidden="true"><span></span>{axis(range)}</div>{more}{legend()}</div> }.into_any()
        };
        view! { {lines} }.into_any()
    };
    view! {
        <section class="panel" aria-label=t(tell::TIMELINE)>
            <header class="panel-head"><h2>{t(tell::TIMELINE)}</h2>{chips(events)}</header>
            {loaded(events, |_| false, |_| ().into_any(), body)}
        </section>
    }
    .into_any()
}

fn earlier(nav: Nav) -> AnyView {
    let day = move |_| nav.set_range(crate::range::TimeRange::Last(86_400));
    view! { <button type="button" class="button" on:click=day>{t(say::SHOW_LAST_DAY)}</button> }.into_any()
}

struct Line {
    id: String,
    name: String,
    rule: String,
    spans: Vec<orrery_api::alerting::StateSpan>,
}

fn lines(list: &AlertList, events: &AlertEventList, range: Range) -> Vec<Line> {
    let now: BTreeMap<&str, &Alert> = list.alerts.iter().map(|alert| (alert.id.as_str(), alert)).collect();
    let happened = by_alert(&events.events);
    let ids = now.keys().chain(happened.keys()).copied().collect::<std::collections::BTreeSet<_>>();
    let line = |id: &str| {
        let (alert, events) = (now.get(id).copied(), happened.get(id).map(Vec::as_slice).unwrap_or_default());
        let spans = spans(events, range, alert);
        let (labels, rule) = match (alert, events.first()) {
            (Some(alert), _) => (&alert.labels, &alert.rule),
            (None, Some(event)) => (&event.labels, &event.rule),
            (None, None) => return None,
        };
        let name = instance(labels);
        let name = if name.is_empty() { rule.clone() } else { name };
        (!spans.is_empty()).then(|| Line { id: id.to_owned(), name, rule: rule.clone(), spans })
    };
    let mut lines: Vec<Line> = ids.into_iter().filter_map(line).collect();
    let fired = |line: &Line| {
        let firing = line.spans.iter().filter(|span| span.state == AlertState::Firing);
        firing.map(|span| span.to.0 - span.from.0).sum::<i64>()
    };
    lines.sort_by_key(|line| std::cmp::Reverse(fired(line)));
    lines
}

/// `j` and `k` go from alert to alert, Enter opens one, `a` takes it on, `s` silences it.
fn keys(list: Load<AlertList>, act: RwSignal<Option<Act>>) {
    let nav = nav();
    let keys = window_event_listener(leptos::ev::keydown, move |event| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() || is_typing() || dialog::is_open() {
            return;
        }
        let here = document().active_element().and_then(|element| element.closest(".alert-row").ok().flatten());
        let id = here.as_ref().and_then(|row| row.get_attribute("data-alert"));
        let alert = || {
            let found =
                |list: &Arc<AlertList>| list.alerts.iter().find(|alert| Some(&alert.id) == id.as_ref()).cloned();
            list.data.with_untracked(|list| list.as_ref().and_then(found)).map(Arc::new)
        };
        match event.key().as_str() {
            "j" => go(here.as_ref(), 1),
            "k" => go(here.as_ref(), -1),
            "Enter" if here.is_some() && document().active_element() == here => {
                nav.go(&nav.href_now(&format!("/alerts/{}", id.unwrap_or_default()), &[]));
            }
            "a" => match alert().filter(|alert| alert.acknowledged.is_none() && alert.state.is_told()) {
                Some(alert) => act.set(Some(Act::Acknowledge(alert))),
                None => return,
            },
            "s" => match alert() {
                Some(alert) => act.set(Some(Act::silence(&alert))),
                None => return,
            },
            _ => return,
        }
        event.prevent_default();
    });
    on_cleanup(move || keys.remove());
}

/// Gives the focus to the next row, or the one before.
fn go(here: Option<&web_sys::Element>, step: i32) {
    let Ok(rows) = document().query_selector_all(".alert-row") else { return };
    let rows: Vec<web_sys::HtmlElement> = (0..rows.length())
        .filter_map(|at| rows.item(at)?.dyn_into().ok())
        .filter(|row: &web_sys::HtmlElement| row.offset_height() > 0)
        .collect();
    if rows.is_empty() {
        return;
    }
    let at = here.and_then(|here| rows.iter().position(|row| row.is_same_node(Some(here))));
    let next = match (at, step) {
        (None, _) => 0,
        (Some(at), step) => (at as i32 + step).clamp(0, rows.len() as i32 - 1) as usize,
    };
    if let Some(row) = rows.get(next) {
        let _ = row.focus();
    }
}
