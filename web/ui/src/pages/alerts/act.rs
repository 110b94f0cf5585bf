//! What people do about alerts: take one on, silence some for a while.

use super::api;
use super::dialog::dialog;
use super::fields::{Draft, end, fields, settled};
use crate::alerting::answers::SilenceStatus;
use crate::alerting::document::{put, text, words};
use crate::alerting::form::{self, Field, Input};
use crate::alerting::says::{instance, matchers_of};
use crate::client::{Failure, ask, change, load, post};
use crate::components::state::failed;
use crate::figures::{input_value, utc_offset};
use crate::scope::now_nanos;
use crate::words::{Phrase, say, t, tell, tf};
use leptos::prelude::*;
use orrery_api::alerting::{AcknowledgeInput, Alert, AlertList, Period};
use orrery_api::paths;
use serde_json::{Value, json};
use std::sync::Arc;
use wasm_bindgen_futures::spawn_local;

/// Lengths of silences offered.
const LENGTHS: [&str; 5] = ["30m", "2h", "8h", "1d", "7d"];
/// Days of a week, as the document calls them.
const DAYS: [(&str, Phrase); 7] = [
    ("mon", tell::MON),
    ("tue", tell::TUE),
    ("wed", tell::WED),
    ("thu", tell::THU),
    ("fri", tell::FRI),
    ("sat", tell::SAT),
    ("sun", tell::SUN),
];
/// The word for a day.
pub(super) fn day_word(day: &str) -> String {
    DAYS.iter().find(|(name, _)| *name == day).map_or_else(|| day.to_owned(), |(_, phrase)| t(*phrase).to_owned())
}

/// Where the browser keeps who acts here.
const WHO: &str = "orrery-who";

/// What is asked.
#[derive(Clone)]
pub(super) enum Act {
    /// To take an alert on.
    Acknowledge(Arc<Alert>),
    /// To silence what matches; with an id: to change a silence.
    Silence(Value),
}

impl Act {
    /// A silence of one alert.
    pub(super) fn silence(alert: &Alert) -> Act {
        Act::Silence(json!({ "match": matchers_of(alert) }))
    }
}

fn kept_name() -> String {
    let storage = window().local_storage().ok().flatten();
    storage.and_then(|storage| storage.get_item(WHO).ok().flatten()).unwrap_or_default()
}

fn keep_name(name: &str) {
    if let Some(storage) = window().local_storage().ok().flatten() {
        let _ = storage.set_item(WHO, name);
    }
}

/// The dialog of whatever is asked; `done` when something has changed.
pub(super) fn acting(act: RwSignal<Option<Act>>, done: Callback<()>) -> AnyView {
    let title = |act: &Act| {
        t(match act {
            Act::Acknowledge(_) => tell::ACKNOWLEDGE,
            Act::Silence(silence) if silence.get("id").is_some() => tell::CHANGE_SILENCE,
            Act::Silence(_) => tell::SILENCE,
        })
        .to_owned()
    };
    dialog(act, title, move |asked| match asked {
        Act::Acknowledge(alert) => acknowledge(&alert, act, done),
        Act::Silence(silence) => self::silence(silence, act, done),
    })
}

const TAKING: [Field; 2] =
    [form::plain("by", tell::YOUR_NAME, Input::Text), form::plain("comment", tell::COMMENT, Input::Text)];

fn acknowledge(alert: &Arc<Alert>, act: RwSignal<Option<Act>>, done: Callback<()>) -> AnyView {
    let draft: Draft = RwSignal::new(json!({ "by": kept_name() }));
    let (busy, wrong) = (RwSignal::new(false), RwSignal::new(String::new()));
    let id = alert.id.clone();
    let save = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let (by, comment) = draft.with_untracked(|draft| (text(draft, "by"), text(draft, "comment")));
        keep_name(&by);
        let url = api(paths::ALERT_ACKNOWLEDGE, &id);
        busy.set(true);
        spawn_local(async move {
            let answer = change::<Alert>("PUT", &url, Some(&AcknowledgeInput { by, comment })).await;
            finish(answer.map(drop), act, done, busy, wrong);
        });
    };
    view! {
        <form class="dialog-body" on:submit=save>
            <p><b>{alert.rule.clone()}</b>" "{instance(&alert.labels)}</p>
            <p class="hint">{t(tell::ACKNOWLEDGE_HINT)}</p>
            {fields(draft, "", &TAKING)}
            {end(t(tell::ACKNOWLEDGE), busy, wrong, move || act.set(None))}
        </form>
    }
    .into_any()
}

fn finish(
    answer: Result<(), Failure>,
    act: RwSignal<Option<Act>>,
    done: Callback<()>,
    busy: RwSignal<bool>,
    wrong: RwSignal<String>,
) {
    busy.try_set(false);
    match answer {
        Ok(()) => {
            act.try_set(None);
            done.run(());
        }
        Err(failure) => drop(wrong.try_set(failure.detail)),
    }
}

const ABOUT: [Field; 1] = [form::plain("match", tell::MATCHERS, Input::Matchers)];
const WHY: [Field; 2] =
    [form::plain("comment", tell::COMMENT, Input::Text), form::plain("author", tell::YOUR_NAME, Input::Text)];
const WEEKLY: [Field; 1] = [form::plain("weekly.lasts", tell::LASTS, Input::Period)];

/// A silence: what it matches, from when to when, or when in every week; and what it would mute.
fn silence(begun: Value, act: RwSignal<Option<Act>>, done: Callback<()>) -> AnyView {
    let id = text(&begun, "id");
    let draft: Draft = RwSignal::new(begun.clone());
    if text(&begun, "author").is_empty() {
        draft.update(|draft| put(draft, "author", Some(kept_name()).filter(|name| !name.is_empty()).map(Value::from)));
    }
    let (busy, wrong) = (RwSignal::new(false), RwSignal::new(String::new()));
    let moment = |path: &str| text(&begun, path).parse::<i64>().ok();
    let (from, to) = (RwSignal::new(moment("from_unix_nano")), RwSignal::new(moment("to_unix_nano")));
    let lasts = RwSignal::new(if to.get_untracked().is_some() { String::new() } else { LENGTHS[1].to_owned() });
    let document = move || {
        let mut document = draft.get();
        let begin = from.get().unwrap_or_else(now_nanos);
        let length = lasts
            .with(|lasts| lasts.replace(' ', "").parse::<Period>().ok())
            .map(|length| begin.saturating_add(length.nanos()));
        let end = length.or(to.get()).unwrap_or(begin);
        put(&mut document, "from_unix_nano", Some(json!(begin.to_string())));
        put(&mut document, "to_unix_nano", Some(json!(end.to_string())));
        document
    };
    let save = {
        let id = id.clone();
        move |event: web_sys::SubmitEvent| {
            event.prevent_default();
            let document = untrack(document);
            keep_name(&text(&document, "author"));
            let (method, url) = match id.as_str() {
                "" => ("POST", paths::SILENCES.to_owned()),
                id => ("PUT", api(paths::SILENCE, id)),
            };
            busy.set(true);
            spawn_local(async move {
                let answer = change::<SilenceStatus>(method, &url, Some(&document)).await;
                finish(answer.map(drop), act, done, busy, wrong);
            });
        }
    };
    let length = move |text: &'static str| {
        let pressed = move || lasts.with(|lasts| lasts == text).to_string();
        view! { <button type="button" class="button" aria-pressed=pressed on:click=move |_| lasts.set(text.to_owned())>{text}</button> }
    };
    let local = |event: &web_sys::Event| {
        let millis = js_sys::Date::parse(&event_target_value(event));
        millis.is_finite().then_some(millis as i64 * 1_000_000)
    };
    let chosen_end = move |event: web_sys::Event| {
        to.set(local(&event));
        lasts.set(String::new());
    };
    let begin_of = move || input_value(from.get().unwrap_or_else(now_nanos));
    let end_of = move || {
        let document = document();
        text(&document, "to_unix_nano").parse::<i64>().map(input_value).unwrap_or_default()
    };
    let button = if id.is_empty() { tell::SILENCE } else { tell::CHANGE_SILENCE };
    view! {
        <form class="dialog-body" on:submit=save>
            {fields(draft, "", &ABOUT)}
            <fieldset class="field"><legend>{t(tell::HOW_LONG)}</legend><div class="actions">{LENGTHS.map(length).collect_view()}</div></fieldset>
            <div class="field-pair">
                <label class="field">{t(say::FROM)}<input class="input" type="datetime-local" step="1" prop:value=begin_of on:change=move |event| from.set(local(&event)) /></label>
                <label class="field">{t(say::TO)}<input class="input" type="datetime-local" step="1" prop:value=end_of on:change=chosen_end /></label>
            </div>
            {weekly(draft)}
            <div class="field-pair">{fields(draft, "", &WHY)}</div>
            {preview(document)}
            {end(t(button), busy, wrong, move || act.set(None))}
        </form>
    }
    .into_any()
}

/// When in every week, where it is a maintenance window.
fn weekly(draft: Draft) -> AnyView {
    let is_weekly = Memo::new(move |_| draft.with(|draft| draft.get("weekly").is_some_and(Value::is_object)));
    let toggle = move |event: web_sys::Event| {
        let weekly = event_target_checked(&event)
            .then(|| json!({ "days": ["sun"], "begin": "02:00", "lasts": "2h", "utc_offset_minutes": utc_offset() }));
        draft.update(|draft| put(draft, "weekly", weekly));
    };
    let day = move |(name, phrase): (&'static str, Phrase)| {
        let is_on = move || draft.with(|draft| words(draft, "weekly.days").iter().any(|day| day == name));
        let click = move |_| {
            let mut days = draft.with_untracked(|draft| words(draft, "weekly.days"));
            if untrack(is_on) {
                days.retain(|day| day != name)
            } else {
                days.push(name.to_owned())
            }
            days.sort_by_key(|day| DAYS.iter().position(|(known, _)| known == day));
            draft.update(|draft| put(draft, "weekly.days", Some(json!(days))));
        };
        view! { <button type="button" class="button" aria-pressed=move || is_on().to_string() on:click=click>{t(phrase)}</button> }
    };
    let begin = move |event: web_sys::Event| {
        draft.update(|draft| put(draft, "weekly.begin", Some(json!(event_target_value(&event)))))
    };
    view! {
        <label class="check"><input type="checkbox" prop:checked=move || is_weekly.get() on:change=toggle />{t(tell::EVERY_WEEK)}</label>
        <Show when=move || is_weekly.get()>
            <fieldset class="field"><legend>{t(tell::ON_DAYS)}</legend><div class="actions days">{DAYS.map(day).collect_view()}</div></fieldset>
            <div class="field-pair">
                <label class="field">{t(tell::BEGINS_AT)}<input class="input" type="time" prop:value=move || draft.with(|draft| text(draft, "weekly.begin")) on:change=begin /></label>
                {fields(draft, "", &WEEKLY)}
            </div>
            <p class="hint">{t(tell::WEEKLY_HINT)}</p>
        </Show>
    }
    .into_any()
}

/// What it would mute.
fn preview(document: impl Fn() -> Value + Copy + Send + Sync + 'static) -> AnyView {
    let wanted = settled(
        move || {
            let mut document = document();
            // Now and its end do not matter to what is muted.
            put(&mut document, "comment", None);
            put(&mut document, "author", None);
            document
        },
        300,
    );
    let alerts = load::<AlertList>(|| Some(ask(paths::ALERTS, &[])));
    let muted = load::<SilenceStatus>(move || {
        let document = wanted.get();
        let has_matcher = !words(&document, "match").is_empty();
        has_matcher.then(|| post(paths::SILENCE_PREVIEW, document.to_string(), document["match"].to_string()))
    });
    let names = move || {
        let muted = muted.data.get()?;
        let named = |id: &String| {
            alerts.data.with(|list| {
                let found = list.iter().flat_map(|list| &list.alerts).find(|alert| alert.id == *id);
                found.map(|alert| format!("{} · {}", alert.rule, instance(&alert.labels)))
            })
        };
        let names: Vec<_> =
            muted.alerts.iter().filter_map(named).take(8).map(|name| view! { <li>{name}</li> }).collect();
        let count = muted.alerts.len().to_string();
        let title = if muted.alerts.is_empty() {
            t(tell::MUTES_NOTHING).to_owned()
        } else {
            tf(tell::MUTES_N, &[("n", &count)])
        };
        Some(view! { <div class="preview" role="status"><b>{title}</b><ul>{names}</ul></div> })
    };
    let trouble = move || muted.progress.failure.get().map(|failure| failed(&failure, move || muted.progress.retry()));
    view! { {names}{trouble} }.into_any()
}
