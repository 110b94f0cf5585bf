//! Silences and maintenance windows: those that hold, those to come, those that are over.

use super::act::{Act, acting, day_word};
use super::api;
use super::fields::refused;
use crate::address::decode;
use crate::alerting::answers::{SilenceList, SilenceStatus};
use crate::alerting::document::{at, put, text, words};
use crate::client::{Load, ask, change, load};
use crate::components::icon::icon;
use crate::components::panel::panel;
use crate::components::state::empty;
use crate::figures::date_time;
use crate::nav::nav;
use crate::scope::scope;
use crate::words::{t, tell, tf};
use leptos::prelude::*;
use orrery_api::paths;
use serde_json::{Value, json};
use std::sync::Arc;
use wasm_bindgen_futures::spawn_local;

/// `/alerts/silences`.
pub(super) fn silences() -> AnyView {
    let scope = scope();
    let list = load::<SilenceList>(move || {
        scope.window.track();
        Some(ask(paths::SILENCES, &[]))
    });
    let act = RwSignal::new(asked().map(Act::Silence));
    let done = Callback::new(move |()| list.progress.retry());
    // Once it is closed it is not asked again.
    let nav = nav();
    Effect::new(move |_| {
        if act.with(Option::is_none) {
            nav.replace(&[("new", None), ("match", None)]);
        }
    });
    let make = move || {
        view! { <button type="button" class="button button-primary" on:click=move |_| act.set(Some(Act::Silence(json!({ "match": [] }))))>{icon("plus")}{t(tell::NEW_SILENCE)}</button> }
    };
    let body = move |data: Signal<Arc<SilenceList>>| {
        let of = move |wanted: fn(&SilenceStatus) -> bool| {
            data.with(|data| {
                data.silences.iter().filter(|status| wanted(status)).map(|status| row(status, act, list)).collect_view()
            })
        };
        let count = move |wanted: fn(&SilenceStatus) -> bool| {
            data.with(|list| list.silences.iter().filter(|status| wanted(status)).count())
        };
        let part = move |title: crate::words::Phrase, wanted: fn(&SilenceStatus) -> bool| {
            view! { <Show when=move || count(wanted) != 0><h3 class="silence-part">{t(title)}</h3><ul>{move || of(wanted)}</ul></Show> }
        };
        view! {
            <div class="silence-rows">
                {part(tell::ACTIVE, |status| status.is_active)}
                {part(tell::TO_COME, |status| !status.is_active && !status.is_over)}
                <Show when=move || count(is_over) != 0>
                    <details class="section"><summary>{icon("chevron-right")}{move || tf(tell::N_OVER, &[("n", &count(is_over).to_string())])}</summary><ul>{move || of(is_over)}</ul></details>
                </Show>
            </div>
        }
        .into_any()
    };
    let none = move |_: &SilenceList| empty(t(tell::NO_SILENCES), Some(make().into_any()));
    view! {
        {panel(t(tell::SILENCES), Some(make().into_any()), list, |list: &SilenceList| list.silences.is_empty(), none, body)}
        {acting(act, done)}
    }
    .into_any()
}

/// A silence that a link in a message proposes: `?new=1&match=…&match=…`. A parameter of the page holds one value only.
fn asked() -> Option<Value> {
    nav().place_now().params.get("new")?;
    let query = window().location().search().unwrap_or_default();
    let matchers: Vec<String> =
        query.trim_start_matches('?').split('&').filter_map(|pair| pair.strip_prefix("match=")).map(decode).collect();
    Some(json!({ "match": matchers }))
}

fn is_over(status: &SilenceStatus) -> bool {
    status.is_over
}

fn row(status: &SilenceStatus, act: RwSignal<Option<Act>>, list: Load<SilenceList>) -> AnyView {
    let silence = status.silence.clone();
    let matchers =
        words(&silence, "match").into_iter().map(|matcher| view! { <code class="route-match">{matcher}</code> });
    let moment = |path: &str| {
        text(&silence, path).parse::<i64>().ok().map(|at| date_time(at)[..16].to_owned()).unwrap_or_default()
    };
    let time = format!("{} – {}", moment("from_unix_nano"), moment("to_unix_nano"));
    let weekly = at(&silence, "weekly").map(|_| {
        let days = words(&silence, "weekly.days").iter().map(|day| day_word(day)).collect::<Vec<_>>().join(", ");
        let days = if days.is_empty() { t(tell::EVERY_DAY).to_owned() } else { days };
        tf(
            tell::WEEKLY_AT,
            &[("days", &days), ("begin", &text(&silence, "weekly.begin")), ("lasts", &text(&silence, "weekly.lasts"))],
        )
    });
    let (comment, author) = (text(&silence, "comment"), text(&silence, "author"));
    let muted = (!status.alerts.is_empty() && status.is_active)
        .then(|| tf(tell::MUTING_N, &[("n", &status.alerts.len().to_string())]));
    let id = text(&silence, "id");
    let wrong = RwSignal::new(String::new());
    let end = (!status.is_over).then(|| {
        let url = api(paths::SILENCE, &id);
        let click = move |_| {
            let url = url.clone();
            spawn_local(async move {
                match change::<SilenceStatus>("DELETE", &url, None::<&()>).await {
                    Ok(_) => list.progress.retry(),
                    Err(failure) => _ = wrong.try_set(failure.detail),
                }
            });
        };
        view! { <button type="button" class="button" on:click=click>{icon("x")}{t(tell::END_NOW)}</button> }
    });
    let (edited, again) = (silence.clone(), silence.clone());
    let change = (!status.is_over).then(|| view! { <button type="button" class="button" on:click=move |_| act.set(Some(Act::Silence(edited.clone())))>{icon("pencil")}{t(tell::CHANGE)}</button> });
    let repeat = status.is_over.then(|| {
        let click = move |_| act.set(Some(Act::Silence(anew(&again))));
        view! { <button type="button" class="button" on:click=click>{icon("refresh-cw")}{t(tell::SILENCE_AGAIN)}</button> }
    });
    view! {
        <li class="silence-row" class:is-off=status.is_over>
            <div class="route-what"><span class="route-matchers">{matchers.collect_view()}</span><span class="hint">{weekly.map(|weekly| format!("{weekly} · "))}{time}</span></div>
            <div class="silence-why"><span>{comment}</span><span class="hint">{author}</span></div>
            {muted.map(|muted| view! { <span class="badge remark">{icon("bell-off")}{muted}</span> })}
            <span class="alert-actions">{change}{end}{repeat}</span>{refused(wrong)}
        </li>
    }
    .into_any()
}

/// The same from now on.
fn anew(silence: &Value) -> Value {
    let mut again = silence.clone();
    for path in ["id", "from_unix_nano", "to_unix_nano"] {
        put(&mut again, path, None);
    }
    again
}
