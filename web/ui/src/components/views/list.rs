//! Saved views: go there, rename, delete, and have back what was deleted by mistake.

use super::Views;
use crate::client::{Failure, change};
use crate::components::icon::icon;
use crate::components::state::{empty, loaded};
use crate::words::{say, t, tf};
use leptos::html;
use leptos::prelude::*;
use orrery_api::{View, ViewInput, ViewList, paths};
use std::sync::Arc;
use wasm_bindgen_futures::spawn_local;

#[derive(Clone, Copy)]
struct Model {
    views: Views,
    /// Which is being renamed.
    renaming: RwSignal<Option<String>>,
    deleted: RwSignal<Option<View>>,
    wrong: RwSignal<String>,
    root: NodeRef<html::Section>,
}

impl Model {
    /// The focus stays in the panel when what had it goes: keys still reach it.
    fn keep_focus(self) {
        if let Some(Some(root)) = self.root.try_get_untracked() {
            let _ = root.focus();
        }
    }

    fn done(self, answer: Result<View, Failure>) -> Option<View> {
        match answer {
            Ok(view) => {
                self.wrong.try_set(String::new());
                self.views.changed();
                Some(view)
            }
            Err(failure) => {
                self.wrong.try_set(failure.detail);
                None
            }
        }
    }

    fn rename(self, view: View, name: String) {
        let input = ViewInput { name, path: view.path, description: view.description };
        spawn_local(async move {
            if self.done(change("PUT", &url(&view.id), Some(&input)).await).is_some() {
                self.renaming.try_set(None);
                self.keep_focus();
            }
        });
    }

    fn delete(self, id: String) {
        spawn_local(async move {
            if let Some(view) = self.done(change("DELETE", &url(&id), None::<&()>).await) {
                self.deleted.try_set(Some(view));
                self.keep_focus();
            }
        });
    }

    fn undo(self, view: View) {
        let input = ViewInput { name: view.name, path: view.path, description: view.description };
        spawn_local(async move {
            if self.done(change("POST", paths::VIEWS, Some(&input)).await).is_some() {
                self.deleted.try_set(None);
                self.keep_focus();
            }
        });
    }
}

fn url(id: &str) -> String {
    paths::VIEW.replace("{id}", id)
}

pub(super) fn list(views: Views) -> AnyView {
    views.wanted.set(true);
    // What others saved meanwhile.
    views.changed();
    let (renaming, deleted) = (RwSignal::new(None), RwSignal::new(None::<View>));
    let model = Model { views, renaming, deleted, wrong: RwSignal::new(String::new()), root: NodeRef::new() };
    let gone = move || {
        deleted.get().map(|view| {
            let text = tf(say::VIEW_DELETED, &[("name", &view.name)]);
            view! { <p class="view-gone" role="status"><span class="grow">{text}</span><button type="button" class="button" on:click=move |_| model.undo(view.clone())>{t(say::UNDO)}</button></p> }
        })
    };
    let body = move |list: Signal<Arc<ViewList>>| {
        let rows = move || list.with(|list| list.views.iter().map(|view| row(model, view)).collect_view());
        view! { <ul class="view-list" aria-label=t(say::VIEWS)>{rows}</ul> }.into_any()
    };
    view! {
        <section class="view-saved" tabindex="-1" node_ref=model.root>
            <h3>{t(say::VIEWS)}</h3>
            {gone}
            <Show when=move || model.wrong.with(|wrong| !wrong.is_empty())><p class="field-error" role="alert">{move || model.wrong.get()}</p></Show>
            {loaded(views.list, |list: &ViewList| list.views.is_empty(), |_| empty(t(say::NO_VIEWS), None), body)}
        </section>
    }
    .into_any()
}

fn row(model: Model, view: &View) -> AnyView {
    let id = view.id.clone();
    let renamed = Memo::new(move |_| model.renaming.with(|renaming| renaming.as_ref() == Some(&id)));
    let view = view.clone();
    let inside = move || if renamed.get() { rename(model, view.clone()) } else { shown(model, &view) };
    view! { <li class="view-row">{inside}</li> }.into_any()
}

fn shown(model: Model, view: &View) -> AnyView {
    let (edited, deleted) = (view.id.clone(), view.id.clone());
    let rename = tf(say::RENAME_WHAT, &[("name", &view.name)]);
    let delete = tf(say::DELETE_WHAT, &[("name", &view.name)]);
    let description =
        (!view.description.is_empty()).then(|| view! { <span class="hint clamp">{view.description.clone()}</span> });
    view! {
        <a class="view-link" href=view.path.clone() title=view.path.clone() on:click=move |_| model.views.open.set(false)><span class="clamp">{view.name.clone()}</span>{description}</a>
        <button type="button" class="icon-button icon-button-small" title=rename.clone() aria-label=rename on:click=move |_| model.renaming.set(Some(edited.clone()))>{icon("pencil")}</button>
        <button type="button" class="icon-button icon-button-small" title=delete.clone() aria-label=delete on:click=move |_| model.delete(deleted.clone())>{icon("trash-2")}</button>
    }
    .into_any()
}

fn rename(model: Model, view: View) -> AnyView {
    let input = NodeRef::<html::Input>::new();
    Effect::new(move |_| {
        if let Some(input) = input.get() {
            let _ = input.focus();
            input.select();
        }
    });
    let name = view.name.clone();
    let save = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        if let Some(input) = input.get_untracked() {
            model.rename(view.clone(), input.value());
        }
    };
    let key = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Escape" {
            event.stop_propagation();
            model.renaming.set(None);
            model.keep_focus();
        }
    };
    view! {
        <form class="view-rename" on:submit=save on:keydown=key>
            <input class="input grow" type="text" required=true maxlength="100" aria-label=t(say::NAME) value=name node_ref=input />
            <button type="submit" class="button">{t(say::SAVE)}</button>
        </form>
    }
    .into_any()
}
