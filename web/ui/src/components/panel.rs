//! A titled field of a page that loads for itself.

use crate::client::Load;
use crate::components::state::{Answer, chips, loaded};
use leptos::prelude::*;
use std::sync::Arc;

/// A panel that shows an answer in all its states; the parameters are those of [`loaded`].
pub(crate) fn panel<T: Answer>(
    title: &'static str,
    actions: Option<AnyView>,
    load: Load<T>,
    blank: impl Fn(&T) -> bool + Send + Sync + 'static,
    empty: impl Fn(&T) -> AnyView + Send + Sync + 'static,
    body: impl Fn(Signal<Arc<T>>) -> AnyView + Send + Sync + 'static,
) -> AnyView {
    view! {
        <section class="panel" aria-label=title>
            <header class="panel-head"><h2>{title}</h2>{chips(load)}<span class="grow"></span>{actions}</header>
            {loaded(load, blank, empty, body)}
        </section>
    }
    .into_any()
}

/// A panel around something that is there already.
pub(crate) fn frame(title: impl IntoView + 'static, actions: Option<AnyView>, body: AnyView) -> AnyView {
    view! {
        <section class="panel">
            <header class="panel-head"><h2>{title}</h2><span class="grow"></span>{actions}</header>
            {body}
        </section>
    }
    .into_any()
}
