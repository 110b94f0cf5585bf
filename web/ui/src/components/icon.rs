//! Icons from the sprite in the page.

use leptos::prelude::*;

/// A decorative icon; the words beside it say what it means.
pub(crate) fn icon(name: &str) -> AnyView {
    let href = format!("#i-{name}");
    view! { <svg class="icon" aria-hidden="true"><use href=href></use></svg> }.into_any()
}
