//! A short link to exactly what is seen: the range becomes the moments it means just now.

use super::Views;
use crate::client::change;
use crate::components::copy::{Copy, to_clipboard};
use crate::components::icon::icon;
use crate::words::{say, t};
use leptos::html;
use leptos::prelude::*;
use orrery_api::{Link, LinkInput, paths};
use wasm_bindgen_futures::spawn_local;

/// Made when it opens: the link is made and copied at once, where the browser lets us.
pub(super) fn panel(views: Views) -> AnyView {
    let link = RwSignal::new(None::<String>);
    let (said, wrong) = (RwSignal::new(t(say::LOADING)), RwSignal::new(None::<String>));
    let input = NodeRef::<html::Input>::new();
    let make = move || {
        said.set(t(say::LOADING));
        wrong.set(None);
        let place = LinkInput { path: views.here(true).href() };
        spawn_local(async move {
            match change::<Link>("POST", paths::LINKS, Some(&place)).await {
                Ok(made) => {
                    let origin = window().location().origin().unwrap_or_default();
                    let url = format!("{origin}{}", made.short);
                    let copied = to_clipboard(&url).await;
                    link.try_set(Some(url));
                    said.try_set(t(if copied { say::LINK_COPIED } else { say::LINK_COPY_YOURSELF }));
                }
                Err(failure) => {
                    said.try_set("");
                    wrong.try_set(Some(failure.detail));
                }
            }
        });
    };
    make();
    Effect::new(move |_| {
        link.track();
        if let Some(input) = input.get() {
            input.select();
        }
    });
    let field = move || {
        link.get().map(|url| view! {
            <div class="share-field"><input class="input mono grow" type="text" readonly=true aria-label=t(say::SHORT_LINK) value=url.clone() node_ref=input /><Copy text=url what=t(say::SHORT_LINK) /></div>
        })
    };
    let failed = move || {
        wrong.get().map(|why| view! {
            <p class="field-error" role="alert">{why}</p><button type="button" class="button" on:click=move |_| make()>{icon("refresh-cw")}{t(say::RETRY)}</button>
        })
    };
    view! {
        <div class="views share">
            <h3>{t(say::SHARE_VIEW)}</h3>
            <p class="hint">{t(say::SHARE_HINT)}</p>
            {field}{failed}
            <p role="status">{move || said.get()}</p>
        </div>
    }
    .into_any()
}
