//! Channels: ways to reach people, tried out in place; and what was sent.

use super::api;
use super::detail::delivery;
use super::dialog::dialog;
use super::fields::{Draft, delete, end, field, fields};
use super::kept::{Kept, kept, says};
use super::routes;
use crate::alerting::answers::{ChannelList, ChannelStatus};
use crate::alerting::document::{put, text, words};
use crate::alerting::form::{self, CHANNELS, Input, Kind};
use crate::client::{Load, ask, change, load};
use crate::components::icon::icon;
use crate::components::panel::panel;
use crate::components::state::empty;
use crate::figures::ago;
use crate::scope::{now_nanos, scope};
use crate::words::{say, t, tell, tf};
use leptos::prelude::*;
use orrery_api::alerting::{ChannelTest, DeliveryList, DeliveryState};
use orrery_api::paths;
use serde_json::Value;
use std::sync::Arc;
use wasm_bindgen_futures::spawn_local;

/// A channel being edited: the document, and its status if it is kept.
type Edited = RwSignal<Option<(Value, Option<bool>)>>;

/// `/alerts/channels`.
pub(super) fn channels() -> AnyView {
    let scope = scope();
    let list = load::<ChannelList>(move || {
        scope.window.track();
        Some(ask(paths::ALERT_CHANNELS, &[]))
    });
    let deliveries = load::<DeliveryList>(move || {
        scope.window.track();
        Some(ask(paths::ALERT_DELIVERIES, &[]))
    });
    let edited: Edited = RwSignal::new(None);
    let tile = move |kind: &'static Kind| {
        view! { <button type="button" class="signal kind-tile" title=t(kind.about) on:click=move |_| edited.set(Some((form::channel(kind.name), None)))>{t(kind.title)}</button> }
    };
    let adding = RwSignal::new(false);
    let tiles = move || view! { <div class="signals" role="group" aria-label=t(tell::ADD_CHANNEL)>{CHANNELS.iter().map(tile).collect_view()}</div> };
    let add = view! { <button type="button" class="button button-primary" aria-expanded=move || adding.get().to_string() on:click=move |_| adding.update(|adding| *adding = !*adding)>{icon("plus")}{t(tell::ADD_CHANNEL)}</button> };
    let body = move |data: Signal<Arc<ChannelList>>| {
        let all = Memo::new(move |_| data.with(|list| list.channels.clone()));
        let name = |status: &ChannelStatus| text(&status.channel, "name");
        let rows = kept(all, name, move |name, status| row(name, status, edited, deliveries));
        view! { <Show when=move || adding.get()><div class="panel-body">{tiles()}</div></Show><ul class="channel-rows">{rows}</ul> }.into_any()
    };
    let none = move |_: &ChannelList| {
        view! { <div class="notice notice-empty"><p>{t(tell::NO_CHANNELS)}</p>{tiles()}</div> }.into_any()
    };
    let log = |list: Signal<Arc<DeliveryList>>| {
        let rows = move || list.with(|list| list.deliveries.iter().take(50).map(delivery).collect_view());
        view! { <ul class="event-lines">{rows}</ul> }.into_any()
    };
    let title = |(channel, kept): &(Value, Option<bool>)| match kept {
        Some(_) => text(channel, "name"),
        None => tf(tell::NEW_CHANNEL, &[("kind", kind_title(channel))]),
    };
    view! {
        {panel(t(tell::CHANNELS), Some(add.into_any()), list, |list: &ChannelList| list.channels.is_empty(), none, body)}
        {routes::routes(list)}
        {panel(t(tell::DELIVERIES), None, deliveries, |list: &DeliveryList| list.deliveries.is_empty(), |_| empty(t(tell::NOTHING_SENT), None), log)}
        {dialog(edited, title, move |(channel, kept)| edit(channel, kept, edited, list))}
    }
    .into_any()
}

fn kind(channel: &Value) -> Option<&'static Kind> {
    let name = text(channel, "to.kind");
    CHANNELS.iter().find(|kind| kind.name == name)
}

fn kind_title(channel: &Value) -> &'static str {
    kind(channel).map_or("", |kind| t(kind.title))
}

/// Where it leads, as far as that is no secret.
fn target(channel: &Value) -> String {
    match text(channel, "to.kind").as_str() {
        "email" => words(channel, "to.to").join(", "),
        "ntfy" => text(channel, "to.topic"),
        "telegram" => text(channel, "to.chat_id"),
        _ => text(channel, "to.url"),
    }
}

fn row(name: String, status: Kept<ChannelStatus>, edited: Edited, deliveries: Load<DeliveryList>) -> AnyView {
    let label = tf(tell::EDIT_WHAT, &[("name", &name)]);
    let edit = move |_| {
        if let Some(status) = status.get_untracked() {
            edited.set(Some((status.channel, Some(status.has_secret))));
        }
    };
    let is_off = move |status: &ChannelStatus| status.channel.get("enabled") == Some(&Value::Bool(false));
    let about = says(status, |status| {
        view! { <span class="hint">{kind_title(&status.channel)}" "<span class="channel-target">{target(&status.channel)}</span></span> }
    });
    let off = says(status, move |status| is_off(status).then(|| view! { <span class="badge">{t(tell::OFF)}</span> }));
    let faded = move || says(status, is_off)().unwrap_or(false);
    view! {
        <li class="channel-row" class:is-off=faded>
            <div class="channel-what"><span class="channel-name"><b>{name.clone()}</b>{off}{says(status, missing)}</span>{about}</div>
            <div class="channel-facts">{says(status, last)}{says(status, counts)}</div>
            {test(&name, deliveries)}
            <button type="button" class="icon-button" aria-label=label.clone() title=label on:click=edit>{icon("pencil")}</button>
        </li>
    }
    .into_any()
}

/// How the last message went.
fn last(status: &ChannelStatus) -> Option<AnyView> {
    let last = status.last.as_ref()?;
    let (class, word) = match last.state {
        DeliveryState::Delivered => ("is-ok", tell::DELIVERED),
        DeliveryState::Waiting => ("is-warn", tell::WAITING),
        DeliveryState::Failed => ("is-err", tell::GIVEN_UP),
    };
    let error = last.error.clone().map(|error| view! { <span class="is-err channel-error">{error}</span> });
    let when = ago(last.created_unix_nano.0, now_nanos());
    Some(view! { <span class="channel-last"><span class=class>{t(word)}</span>" "<span class="hint">{when}</span>{error}</span> }.into_any())
}

fn counts(status: &ChannelStatus) -> AnyView {
    let (delivered, failed) = (status.delivered.to_string(), status.failed.to_string());
    let words = [("delivered", delivered.as_str()), ("failed", &failed), ("waiting", &status.waiting.to_string())];
    view! { <span class="hint">{tf(tell::SENT_COUNTS, &words)}</span> }.into_any()
}

/// It cannot send without.
fn missing(status: &ChannelStatus) -> Option<AnyView> {
    const NEEDING: [&str; 5] = ["slack", "teams", "pagerduty", "opsgenie", "telegram"];
    let needs = kind(&status.channel).is_some_and(|kind| NEEDING.contains(&kind.name));
    (needs && !status.has_secret)
        .then(|| view! { <span class="badge badge-warn">{t(tell::SECRET_MISSING)}</span> }.into_any())
}

/// Sends a message now, and says what the channel said.
fn test(name: &str, deliveries: Load<DeliveryList>) -> AnyView {
    let (busy, said) = (RwSignal::new(false), RwSignal::new(None::<ChannelTest>));
    let url = api(paths::ALERT_CHANNEL_TEST, name);
    let click = move |_| {
        let url = url.clone();
        busy.set(true);
        said.set(None);
        spawn_local(async move {
            let answer = change::<ChannelTest>("POST", &url, None::<&()>).await;
            busy.try_set(false);
            said.try_set(Some(answer.unwrap_or_else(|failure| ChannelTest {
                ok: false,
                detail: failure.detail,
                took_millis: 0,
            })));
            deliveries.progress.retry();
        });
    };
    let result = move || {
        said.get().map(|said| {
            let (class, word) = if said.ok { ("test-said is-ok", tell::TEST_OK) } else { ("test-said is-err", tell::TEST_FAILED) };
            view! { <p class=class><b>{if said.ok { "● " } else { "◆ " }}{t(word)}</b>" "<span>{said.detail}</span></p> }
        })
    };
    view! {
        <button type="button" class="button" disabled=move || busy.get() on:click=click>{icon("send")}{t(tell::SEND_TEST)}</button>
        <div class="test-result" role="status">{result}</div>
    }
    .into_any()
}

fn edit(channel: Value, kept: Option<bool>, edited: Edited, list: Load<ChannelList>) -> AnyView {
    let name = text(&channel, "name");
    let kind = kind(&channel);
    let draft: Draft = RwSignal::new(channel);
    let (busy, wrong) = (RwSignal::new(false), RwSignal::new(String::new()));
    let answered = move |answer: Result<ChannelStatus, crate::client::Failure>| {
        busy.try_set(false);
        match answer {
            Ok(_) => {
                edited.try_set(None);
                list.progress.retry();
            }
            Err(failure) => drop(wrong.try_set(failure.detail)),
        }
    };
    let url = if kept.is_some() { api(paths::ALERT_CHANNEL, &name) } else { paths::ALERT_CHANNELS.to_owned() };
    let to_delete = url.clone();
    let save = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let (url, document) = (url.clone(), draft.get_untracked());
        busy.set(true);
        spawn_local(async move {
            answered(change(if kept.is_some() { "PUT" } else { "POST" }, &url, Some(&document)).await)
        });
    };
    let remove = kept.is_some().then(|| {
        delete(move || {
            let url = to_delete.clone();
            busy.set(true);
            spawn_local(async move { answered(change("DELETE", &url, None::<&()>).await) });
        })
    });
    let secret = kind.is_some_and(|kind| kind.fields.iter().any(|field| field.input == Input::Secret)).then(|| {
        view! { <p class="hint">{t(if kept == Some(true) { tell::SECRET_SET } else { tell::SECRET_HINT })}</p> }
    });
    let flag = move |path: &'static str, name: crate::words::Phrase| {
        let is_on = move || draft.with(|draft| draft.get(path) != Some(&Value::Bool(false)));
        let change = move |event: web_sys::Event| {
            let off = (!event_target_checked(&event)).then_some(Value::Bool(false));
            draft.update(|draft| put(draft, path, off));
        };
        view! { <label class="check"><input type="checkbox" prop:checked=is_on on:change=change />{t(name)}</label> }
    };
    view! {
        <form class="dialog-body" on:submit=save>
            <p class="hint">{kind.map(|kind| t(kind.about))}</p>
            {field(draft, "", form::plain("name", tell::NAME, Input::Text).needed())}
            {kind.map(|kind| fields(draft, "", kind.fields))}
            {secret}
            {flag("send_resolved", tell::SEND_RESOLVED)}{flag("enabled", tell::IS_USED)}
            {end(t(say::SAVE), busy, wrong, move || edited.set(None))}{remove}
        </form>
    }
    .into_any()
}
