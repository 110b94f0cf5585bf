//! A link to the statement that says what a panel shows.

use crate::components::icon::icon;
use crate::nav::nav;
use crate::words::{say, t};
use leptos::prelude::*;

/// `statement` is tracked.
pub(crate) fn open_in_sql(statement: impl Fn() -> String + Send + Sync + 'static) -> AnyView {
    let nav = nav();
    view! {
        <a class="button button-quiet" href=move || nav.href("/sql", &[("q", statement().as_str())]) title=t(say::OPEN_IN_SQL) aria-label=t(say::OPEN_IN_SQL)>
            {icon("database")}<span class="button-text">"SQL"</span>
        </a>
    }
    .into_any()
}
