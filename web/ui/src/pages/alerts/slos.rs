//! Objectives: what was promised, how much of the error budget is left, and how fast it burns.

use super::api;
use super::dialog::dialog;
use super::editor::labels;
use super::fields::{Draft, delete, end, field, fields, known};
use super::kept::{Kept, kept, says};
use super::watch::moments;
use crate::alerting::answers::{SloList, SloStatus};
use crate::alerting::document::{put, text};
use crate::alerting::form::{self, INDICATORS, Input, tidy};
use crate::alerting::says::promise;
use crate::alerting::values;
use crate::client::{Load, ask, change, load};
use crate::components::chart::TimeChart;
use crate::components::flags::{About, Flags};
use crate::components::icon::icon;
use crate::components::panel::panel;
use crate::components::state::empty;
use crate::components::watch::Moment;
use crate::figures::{date_time, utc_offset};
use crate::nav::nav;
use crate::scope::scope;
use crate::words::{Phrase, say, t, tell, tf};
use leptos::prelude::*;
use orrery_api::alerting::{AlertEventList, ValueUnit};
use orrery_api::paths;
use orrery_chart::{ChartSpec, Series, Shape, Token, Unit, ValueScale};
use serde_json::{Value, json};
use std::sync::Arc;
use wasm_bindgen_futures::spawn_local;

/// A budget below this share is short.
const SHORT: f64 = 0.2;

/// `/alerts/slos`.
pub(super) fn slos() -> AnyView {
    let scope = scope();
    let list = load::<SloList>(move || {
        scope.window.track();
        Some(ask(paths::SLOS, &[]))
    });
    // Objectives look further back than the page.
    let events = load::<AlertEventList>(move || {
        let hour = 3_600 * 1_000_000_000;
        let from =
            list.data.with(|list| list.as_ref()?.slos.iter().map(|status| status.range.from.0 / hour * hour).min())?;
        let to = scope.window.get().to;
        Some(ask(paths::ALERT_EVENTS, &[("from", from.to_string()), ("to", to.to_string())]))
    });
    let moments = Signal::from(Memo::new(move |_| {
        events.data.with(|events| events.as_ref().map(|events| moments(events, None)).unwrap_or_default())
    }));
    let edited = RwSignal::new(None::<(Value, bool)>);
    let make = move || view! { <button type="button" class="button button-primary" on:click=move |_| edited.set(Some((form::slo("availability"), false)))>{icon("plus")}{t(tell::NEW_SLO)}</button> };
    let body = move |data: Signal<Arc<SloList>>| {
        let all = Memo::new(move |_| data.with(|list| list.slos.clone()));
        let name = |status: &SloStatus| text(&status.slo, "name");
        let cards = kept(all, name, move |name, status| card(name, status, moments, edited));
        view! { <ul class="slos">{cards}</ul> }.into_any()
    };
    let none = move |_: &SloList| empty(t(tell::NO_SLOS), Some(make().into_any()));
    let title = |(slo, is_kept): &(Value, bool)| if *is_kept { text(slo, "name") } else { t(tell::NEW_SLO).to_owned() };
    view! {
        {panel(t(tell::SLOS), Some(make().into_any()), list, |list: &SloList| list.slos.is_empty(), none, body)}
        {dialog(edited, title, move |(slo, is_kept)| edit(slo, is_kept, edited, list))}
    }
    .into_any()
}

fn card(
    name: String,
    status: Kept<SloStatus>,
    moments: Signal<Vec<Moment>>,
    edited: RwSignal<Option<(Value, bool)>>,
) -> AnyView {
    let label = tf(tell::EDIT_WHAT, &[("name", &name)]);
    let edit = move |_| {
        if let Some(status) = status.get_untracked() {
            edited.set(Some((status.slo, true)));
        }
    };
    let exhausted = |status: &SloStatus| {
        let at = status.exhausted_unix_nano.filter(|_| status.budget_left.is_some_and(|left| left > 0.0))?;
        Some(view! { <p class="is-warn">{tf(tell::EXHAUSTED_AT, &[("time", &date_time(at.0)[..16])])}</p> })
    };
    let promised = says(status, |status| {
        view! { <p class="hint">{promise(&status.slo)}" · "{text(&status.slo, "period")}</p> }
    });
    view! {
        <li class="slo">
            <header class="slo-head">{says(status, standing)}
                <div class="grow"><h3>{name.clone()}</h3>{promised}</div>{says(status, remarks)}
                <button type="button" class="icon-button" aria-label=label.clone() title=label on:click=edit>{icon("pencil")}</button></header>
            {says(status, budget)}
            {says(status, figures)}
            {says(status, exhausted)}{chart(name, status, moments)}
        </li>
    }
    .into_any()
}

/// How the budget stands: class, glyph, word.
fn stands(status: &SloStatus) -> (&'static str, &'static str, Phrase) {
    match status.budget_left {
        None => ("is-unknown", "○", tell::NOT_MEASURED),
        Some(left) if left <= 0.0 => ("is-err", "◆", tell::BUDGET_GONE),
        Some(left) if left < SHORT => ("is-warn", "▲", tell::BUDGET_SHORT),
        Some(_) => ("is-ok", "●", tell::BUDGET_FINE),
    }
}

fn standing(status: &SloStatus) -> AnyView {
    let (class, glyph, word) = stands(status);
    view! { <span class=class title=t(word)><span aria-hidden="true">{glyph}</span><span class="sr-only">{t(word)}</span></span> }
        .into_any()
}

/// Its alerts, and what is missing.
fn remarks(status: &SloStatus) -> AnyView {
    let nav = nav();
    let alerts = status.alerts.iter().map(|id| {
        let path = format!("/alerts/{id}");
        view! { <a class="badge badge-err" href=move || nav.href(&path, &[])>{t(tell::STATE_FIRING)}</a> }
    });
    let partial = status
        .partial
        .clone()
        .map(|why| view! { <span class="badge badge-warn" title=why.clone()>"▲ "{t(say::PARTIAL)}</span> });
    view! { {alerts.collect_view()}{partial} }.into_any()
}

fn share(value: Option<f64>) -> String {
    Unit::Ratio.format(value.unwrap_or(f64::NAN)).to_string()
}

fn budget(status: &SloStatus) -> AnyView {
    let width = format!("width:{}%", status.budget_left.unwrap_or(0.0).clamp(0.0, 1.0) * 100.0);
    let fill = format!("budget-fill {}", stands(status).0);
    view! {
        <div class="budget"><span class="budget-track" aria-hidden="true"><span class=fill style=width></span></span><span class="budget-left"><b>{share(status.budget_left)}</b>" "{t(tell::OF_BUDGET_LEFT)}</span></div>
    }
    .into_any()
}

fn figures(status: &SloStatus) -> AnyView {
    // What is good is near 1: three digits would hide what is not.
    let good = status.good_ratio.map_or_else(|| "–".to_owned(), |good| format!("{:.3} %", good * 100.0));
    let burn = status.burn.map_or_else(|| "–".to_owned(), |burn| values::shown(ValueUnit::Times, burn));
    let bad = format!("{} / {}", Unit::Number.format(status.bad), Unit::Number.format(status.total));
    let fact = |phrase: Phrase, value: String| view! { <div class="tile"><span class="tile-name">{t(phrase)}</span><span class="tile-value">{value}</span></div> };
    view! {
        <div class="tiles">{fact(tell::GOOD, good)}{fact(tell::BURN_NOW, burn)}{fact(tell::COVERED, share(Some(status.coverage)))}{fact(tell::BAD_OF, bad)}</div>
    }
    .into_any()
}

/// What was left of the budget.
fn chart(name: String, status: Kept<SloStatus>, moments: Signal<Vec<Moment>>) -> AnyView {
    let spec = Memo::new(move |_| status.with(|status| status.as_ref().map(spec)).unwrap_or_default());
    let is_drawn = Memo::new(move |_| spec.with(|spec| spec.series.iter().any(|series| series.points.len() > 1)));
    let about = Signal::stored(About::Objective(name));
    let flags = Flags::among(moments, about);
    view! { {move || is_drawn.get().then(|| view! { <TimeChart spec=spec height=110.0 flags=flags /> })} }.into_any()
}

fn spec(status: &SloStatus) -> ChartSpec {
    let points =
        status.points.iter().map(|point| (point.time_unix_nano.0, point.bad_ratio.map(|_| point.left))).collect();
    ChartSpec {
        title: t(tell::BUDGET_LEFT).to_owned(),
        from: status.range.from.0,
        to: status.range.to.0,
        utc_offset_minutes: utc_offset(),
        unit: Unit::Ratio,
        scale: ValueScale::FromZero,
        series: vec![Series::line(t(tell::BUDGET_LEFT), 0, points).shape(Shape::Area).ink(Token::Series1)],
        ..ChartSpec::default()
    }
}

fn edit(slo: Value, is_kept: bool, edited: RwSignal<Option<(Value, bool)>>, list: Load<SloList>) -> AnyView {
    let name = text(&slo, "name");
    let draft: Draft = RwSignal::new(slo);
    let (busy, wrong) = (RwSignal::new(false), RwSignal::new(String::new()));
    let kind = Memo::new(move |_| draft.with(|draft| text(draft, "indicator.kind")));
    let choose = move |event: web_sys::Event| {
        let service = draft.with_untracked(|draft| text(draft, "indicator.service"));
        let mut indicator = form::slo(&event_target_value(&event))["indicator"].take();
        if indicator.get("service").is_some() {
            indicator["service"] = json!(service);
        }
        draft.update(|draft| put(draft, "indicator", Some(indicator)));
    };
    let answered = move |answer: Result<SloStatus, crate::client::Failure>| {
        busy.try_set(false);
        match answer {
            Ok(_) => {
                edited.try_set(None);
                list.progress.retry();
            }
            Err(failure) => drop(wrong.try_set(failure.detail)),
        }
    };
    let url = if is_kept { api(paths::SLO, &name) } else { paths::SLOS.to_owned() };
    let to_delete = url.clone();
    let save = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let (url, document) = (url.clone(), tidy(&draft.get_untracked()));
        busy.set(true);
        spawn_local(async move { answered(change(if is_kept { "PUT" } else { "POST" }, &url, Some(&document)).await) });
    };
    let remove = is_kept.then(|| {
        delete(move || {
            let url = to_delete.clone();
            busy.set(true);
            spawn_local(async move { answered(change("DELETE", &url, None::<&()>).await) });
        })
    });
    let options = INDICATORS
        .iter()
        .map(|(name, phrase)| view! { <option value=*name selected=move || kind.get() == *name>{t(*phrase)}</option> });
    let alerts = move |event: web_sys::Event| {
        draft.update(|draft| put(draft, "alerts", Some(json!(event_target_checked(&event)))))
    };
    view! {
        <form class="dialog-body" on:submit=save>
            {known()}
            {field(draft, "", form::plain("name", tell::NAME, Input::Text).needed())}
            <label class="field">{t(tell::ABOUT_WHAT)}<select class="select" on:change=choose>{options.collect_view()}</select></label>
            {move || fields(draft, "", form::indicator(&kind.get()))}
            <div class="field-pair">
                {field(draft, "", form::plain("objective", tell::OBJECTIVE, Input::Number(ValueUnit::Ratio)))}
                {field(draft, "", form::plain("period", tell::PERIOD, Input::Period))}
            </div>
            <label class="check"><input type="checkbox" prop:checked=move || draft.with(|draft| draft.get("alerts") != Some(&Value::Bool(false))) on:change=alerts />{t(tell::WATCH_BUDGET)}</label>
            {labels(draft)}
            {field(draft, "", form::plain("description", tell::DESCRIPTION, Input::Lines))}
            <p class="preview">{move || draft.with(promise)}</p>
            {end(t(say::SAVE), busy, wrong, move || edited.set(None))}{remove}
        </form>
    }
    .into_any()
}
