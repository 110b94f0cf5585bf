//! Routes: which alerts are told to whom, tried in order and moved by mouse or by keys; and which alerts mute others.

use super::dialog::dialog;
use super::fields::{Draft, delete, end, field, fields};
use crate::alerting::answers::{ChannelList, RouteList};
use crate::alerting::document::{put, text, words};
use crate::alerting::form::{self, INHIBITION, ROUTE};
use crate::client::{Failure, Load, ask, change, load};
use crate::components::icon::icon;
use crate::components::panel::panel;
use crate::components::state::empty;
use crate::words::{say, t, tell, tf};
use leptos::prelude::*;
use orrery_api::paths;
use serde_json::{Value, json};
use std::sync::Arc;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;

/// What is edited, and its place; none: a new one.
#[derive(Clone)]
enum Edited {
    Route(Value, Option<usize>),
    Inhibition(Value, Option<usize>),
}

#[derive(Clone, Copy)]
struct Model {
    list: Load<RouteList>,
    channels: Load<ChannelList>,
    edited: RwSignal<Option<Edited>>,
    wrong: RwSignal<String>,
    dragged: RwSignal<Option<usize>>,
    /// Over which one that is.
    over: RwSignal<Option<usize>>,
}

impl Model {
    /// Changes all of them and keeps that.
    fn change(self, change: impl FnOnce(&mut RouteList)) {
        self.change_then(change, || ());
    }

    fn change_then(self, change: impl FnOnce(&mut RouteList), then: impl FnOnce() + 'static) {
        let mut list = self.list.data.with_untracked(|list| list.as_deref().cloned()).unwrap_or_default();
        change(&mut list);
        spawn_local(async move {
            match self::change::<RouteList>("PUT", paths::ALERT_ROUTES, Some(&list)).await {
                Ok(kept) => {
                    self.list.put(kept);
                    self.wrong.try_set(String::new());
                    self.edited.try_set(None);
                    then();
                }
                Err(Failure { detail, .. }) => drop(self.wrong.try_set(detail)),
            }
        });
    }

    fn move_to(self, from: usize, to: usize) {
        let change = |list: &mut RouteList| {
            if from < list.routes.len() && to < list.routes.len() {
                let route = list.routes.remove(from);
                list.routes.insert(to, route);
            }
        };
        // Whoever moves by keys goes with it.
        let wanted = if to < from { 0 } else { 1 };
        self.change_then(change, move || {
            request_animation_frame(move || {
                let buttons = format!(".route-rows > li:nth-child({}) .route-tools button:not(:disabled)", to + 1);
                let Ok(buttons) = document().query_selector_all(&buttons) else { return };
                let all = buttons.length();
                // At an end there is only the other way.
                let at = if all < 3 { 0 } else { wanted };
                if let Some(button) = buttons.item(at).and_then(|node| node.dyn_into::<web_sys::HtmlElement>().ok()) {
                    let _ = button.focus();
                }
            });
        });
    }

    /// A new route, to the only channel if there is but one.
    fn new_route(self) {
        let mut route = form::route();
        let names: Vec<String> = self.channels.data.with_untracked(|list| {
            list.iter().flat_map(|list| &list.channels).map(|status| text(&status.channel, "name")).collect()
        });
        if let [only] = &names[..] {
            put(&mut route, "channels", Some(json!([only])));
        }
        self.edited.set(Some(Edited::Route(route, None)));
    }
}

pub(super) fn routes(channels: Load<ChannelList>) -> AnyView {
    let list = load::<RouteList>(|| Some(ask(paths::ALERT_ROUTES, &[])));
    let (edited, wrong) = (RwSignal::new(None), RwSignal::new(String::new()));
    let model = Model { list, channels, edited, wrong, dragged: RwSignal::new(None), over: RwSignal::new(None) };
    let make = move || view! { <button type="button" class="button" on:click=move |_| model.new_route()>{icon("plus")}{t(tell::NEW_ROUTE)}</button> };
    let mute = move || {
        let click = move |_| edited.set(Some(Edited::Inhibition(form::inhibition(), None)));
        view! { <button type="button" class="button" on:click=click>{icon("plus")}{t(tell::NEW_INHIBITION)}</button> }
    };
    let body = move |data: Signal<Arc<RouteList>>| {
        let rows = move || {
            data.with(|list| {
                list.routes.iter().enumerate().map(|(at, one)| row(model, one, at, list.routes.len())).collect_view()
            })
        };
        view! { <p class="panel-note hint">{t(tell::ROUTES_HINT)}</p><ol class="route-rows">{rows}</ol> }.into_any()
    };
    let muting = move |data: Signal<Arc<RouteList>>| {
        let rows = move || {
            data.with(|list| {
                list.inhibitions.iter().enumerate().map(|(at, one)| inhibits(model, one, at)).collect_view()
            })
        };
        view! { <ul class="route-rows">{rows}</ul> }.into_any()
    };
    let none = move |_: &RouteList| empty(t(tell::NO_ROUTES), Some(make().into_any()));
    let title = |edited: &Edited| match edited {
        Edited::Route(route, Some(_)) => text(route, "name"),
        Edited::Route(..) => t(tell::NEW_ROUTE).to_owned(),
        Edited::Inhibition(..) => t(tell::INHIBITIONS).to_owned(),
    };
    view! {
        {panel(t(tell::ROUTES), Some(make().into_any()), list, |list: &RouteList| list.routes.is_empty(), none, body)}
        <Show when=move || edited.with(Option::is_none) && wrong.with(|wrong| !wrong.is_empty())><p class="field-error" role="alert">{move || wrong.get()}</p></Show>
        {panel(t(tell::INHIBITIONS), Some(mute().into_any()), list, |list: &RouteList| list.inhibitions.is_empty(), |_| empty(t(tell::NO_INHIBITIONS), None), muting)}
        {dialog(edited, title, move |edited| match edited {
            Edited::Route(route, at) => edit_route(model, route, at),
            Edited::Inhibition(one, at) => edit_inhibition(model, one, at),
        })}
    }
    .into_any()
}

fn codes(matchers: Vec<String>) -> AnyView {
    matchers.into_iter().map(|matcher| view! { <code class="route-match">{matcher}</code> }).collect_view().into_any()
}

fn row(model: Model, route: &Value, at: usize, count: usize) -> AnyView {
    let name = text(route, "name");
    let matchers = words(route, "match");
    let whom = words(route, "channels");
    let continues = route.get("continue") == Some(&Value::Bool(true));
    let what = match matchers.is_empty() {
        true => view! { <span class="hint">{t(tell::EVERY_ALERT)}</span> }.into_any(),
        false => codes(matchers),
    };
    let to = if whom.is_empty() { t(tell::NOBODY).to_owned() } else { whom.join(", ") };
    let up = move |_| model.move_to(at, at.saturating_sub(1));
    let down = move |_| model.move_to(at, at + 1);
    let opened = route.clone();
    let label = tf(tell::EDIT_WHAT, &[("name", &name)]);
    let (higher, lower) = (tf(tell::MOVE_UP, &[("name", &name)]), tf(tell::MOVE_DOWN, &[("name", &name)]));
    let start = move |event: web_sys::DragEvent| {
        // Some browsers drag nothing that has no data.
        if let Some(data) = event.data_transfer() {
            let _ = data.set_data("text/plain", &(at + 1).to_string());
        }
        model.dragged.set(Some(at));
    };
    let over = move |event: web_sys::DragEvent| {
        if model.dragged.get_untracked().is_some() {
            event.prevent_default();
            model.over.set(Some(at));
        }
    };
    let end = move |_| {
        model.dragged.set(None);
        model.over.set(None);
    };
    let is_dragged = move || model.dragged.get() == Some(at);
    // It comes to stand above what is before it, and below what is after it.
    let comes = move |above: bool| {
        move || {
            model
                .dragged
                .get()
                .is_some_and(|from| model.over.get() == Some(at) && if above { from > at } else { from < at })
        }
    };
    let drop_here = move |event: web_sys::DragEvent| {
        event.prevent_default();
        if let Some(from) = model.dragged.get_untracked().filter(|from| *from != at) {
            model.move_to(from, at);
        }
        model.dragged.set(None);
        model.over.set(None);
    };
    view! {
        <li class="route-row" class:is-dragged=is_dragged class:comes-above=comes(true) class:comes-below=comes(false) draggable="true" on:dragstart=start on:dragover=over on:dragend=end on:drop=drop_here>
            <span class="route-number hint" aria-hidden="true">{at + 1}</span>
            <div class="route-what"><b>{name}</b><span class="route-matchers">{what}</span></div>
            <span class="route-to">{icon("arrow-right")}{to}{continues.then(|| view! { <span class="badge">{t(tell::GOES_ON)}</span> })}</span>
            <span class="route-tools">
                <button type="button" class="icon-button" aria-label=higher.clone() title=higher disabled={at == 0} on:click=up>{icon("arrow-up")}</button>
                <button type="button" class="icon-button" aria-label=lower.clone() title=lower disabled={at + 1 == count} on:click=down>{icon("arrow-down")}</button>
                <button type="button" class="icon-button" aria-label=label.clone() title=label on:click=move |_| model.edited.set(Some(Edited::Route(opened.clone(), Some(at))))>{icon("pencil")}</button>
            </span>
        </li>
    }
    .into_any()
}

fn inhibits(model: Model, one: &Value, at: usize) -> AnyView {
    let same = words(one, "equal").join(", ");
    let same = (!same.is_empty()).then(|| format!("{} {same}", t(tell::WITH_SAME)));
    let opened = one.clone();
    let label = tf(tell::EDIT_WHAT, &[("name", &words(one, "source").join(", "))]);
    view! {
        <li class="route-row">
            <span class="route-matchers">{codes(words(one, "source"))}</span>{icon("bell-off")}
            <span class="route-matchers">{codes(words(one, "target"))}</span><span class="hint grow">{same}</span>
            <button type="button" class="icon-button" aria-label=label.clone() title=label on:click=move |_| model.edited.set(Some(Edited::Inhibition(opened.clone(), Some(at))))>{icon("pencil")}</button>
        </li>
    }
    .into_any()
}

/// Puts one in its place, or at the end.
fn place(list: &mut Vec<Value>, at: Option<usize>, one: Value) {
    match at.and_then(|at| list.get_mut(at)) {
        Some(old) => *old = one,
        None => list.push(one),
    }
}

/// Takes one out.
fn remove(model: Model, at: Option<usize>, of: fn(&mut RouteList) -> &mut Vec<Value>) -> Option<AnyView> {
    let at = at?;
    Some(delete(move || {
        model.change(|list| {
            let list = of(list);
            if at < list.len() {
                list.remove(at);
            }
        });
    }))
}

fn edit_inhibition(model: Model, one: Value, at: Option<usize>) -> AnyView {
    let draft: Draft = RwSignal::new(one);
    model.wrong.set(String::new());
    let save = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let one = draft.get_untracked();
        model.change(|list| place(&mut list.inhibitions, at, one));
    };
    view! {
        <form class="dialog-body" on:submit=save>
            {fields(draft, "", &INHIBITION)}
            {end(t(say::SAVE), RwSignal::new(false), model.wrong, move || model.edited.set(None))}{remove(model, at, |list| &mut list.inhibitions)}
        </form>
    }
    .into_any()
}

fn edit_route(model: Model, route: Value, at: Option<usize>) -> AnyView {
    let draft: Draft = RwSignal::new(route);
    model.wrong.set(String::new());
    let save = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let route = draft.get_untracked();
        model.change(|list| place(&mut list.routes, at, route));
    };
    let channel = move |name: String| {
        let (has, toggled) = (name.clone(), name.clone());
        let is_on = move || draft.with(|draft| words(draft, "channels").contains(&has));
        let click = move |_| {
            let mut names = draft.with_untracked(|draft| words(draft, "channels"));
            if names.contains(&toggled) {
                names.retain(|name| *name != toggled)
            } else {
                names.push(toggled.clone())
            }
            draft.update(|draft| put(draft, "channels", Some(json!(names))));
        };
        view! { <button type="button" class="button" aria-pressed=move || is_on().to_string() on:click=click>{name}</button> }
    };
    let channels = move || {
        model.channels.data.with(|list| {
            list.iter()
                .flat_map(|list| &list.channels)
                .map(|status| channel(text(&status.channel, "name")))
                .collect_view()
        })
    };
    let [name, matchers, _, group_by, wait, interval, repeat, goes_on] = ROUTE;
    view! {
        <form class="dialog-body" on:submit=save>
            {field(draft, "", name)}{field(draft, "", matchers)}
            <p class="hint">{t(tell::MATCHERS_HINT)}</p>
            <fieldset class="field"><legend>{t(tell::TO_CHANNELS)}</legend><div class="actions">{channels}</div></fieldset>
            {field(draft, "", group_by)}
            <div class="field-grid">{field(draft, "", wait)}{field(draft, "", interval)}{field(draft, "", repeat)}</div>
            {field(draft, "", goes_on)}
            {end(t(say::SAVE), RwSignal::new(false), model.wrong, move || model.edited.set(None))}{remove(model, at, |list| &mut list.routes)}
        </form>
    }
    .into_any()
}
