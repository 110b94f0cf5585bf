//! Sorting by a column, as the address says it.

use crate::nav::nav;
use crate::words::{Phrase, t};
use leptos::prelude::*;
use std::cmp::Ordering;

/// A column one can sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sort {
    /// Name in the address.
    pub(crate) column: &'static str,
    /// Largest first.
    pub(crate) down: bool,
}

impl Sort {
    /// `-rate` is the rate, largest first.
    pub(crate) fn of(text: Option<&str>, columns: &[&'static str], otherwise: Sort) -> Sort {
        let Some(text) = text else { return otherwise };
        let (down, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
        columns.iter().find(|column| **column == name).map_or(otherwise, |column| Sort { column, down })
    }

    /// An order, turned round when the largest comes first.
    pub(crate) fn apply(self, order: Ordering) -> Ordering {
        if self.down { order.reverse() } else { order }
    }
}

/// The head of a sortable column.
pub(crate) fn head(name: Phrase, column: &'static str, class: &'static str, sort: Memo<Sort>) -> AnyView {
    let nav = nav();
    let click = move |_| {
        let now = sort.get_untracked();
        let down = if now.column == column { !now.down } else { column != "name" };
        nav.replace(&[("sort", Some(format!("{}{column}", if down { "-" } else { "" })))]);
    };
    let state = move || match sort.get() {
        Sort { column: now, down: true } if now == column => "descending",
        Sort { column: now, .. } if now == column => "ascending",
        _ => "none",
    };
    let mark = move || match state() {
        "descending" => "↓",
        "ascending" => "↑",
        _ => "",
    };
    view! {
        <th scope="col" class=class aria-sort=state>
            <button type="button" class="sort" on:click=click>{t(name)}<span class="sort-mark" aria-hidden="true">{mark}</span></button>
        </th>
    }
    .into_any()
}
