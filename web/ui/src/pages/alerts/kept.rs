//! Lists whose rows stay while what they are about changes: what has the focus keeps it, and what was said beside it.

use leptos::prelude::*;

/// One thing of a list as it changes; for a moment none, when it has gone.
pub(super) type Kept<T> = Memo<Option<T>>;

/// A row for each thing, by its name; made again only when others come or go.
pub(super) fn kept<T: Clone + PartialEq + Send + Sync + 'static>(
    all: Memo<Vec<T>>,
    name: fn(&T) -> String,
    row: impl Fn(String, Kept<T>) -> AnyView + Send + Sync + 'static,
) -> AnyView {
    let names = Memo::new(move |_| all.with(|all| all.iter().map(name).collect::<Vec<_>>()));
    let one = move |wanted: String| {
        let own = wanted.clone();
        let found = Memo::new(move |_| all.with(|all| all.iter().find(|one| name(one) == own).cloned()));
        row(wanted, found)
    };
    let rows = move || names.get().into_iter().map(&one).collect_view();
    view! { {rows} }.into_any()
}

/// What a part of a row says of it.
pub(super) fn says<T: Clone + PartialEq + Send + Sync + 'static, V>(
    of: Kept<T>,
    say: impl Fn(&T) -> V + Send + Sync + 'static,
) -> impl Fn() -> Option<V> + Send + Sync + 'static {
    move || of.with(|of| of.as_ref().map(&say))
}
