//! Keeping the trace whatever retention does.

use super::Model;
use crate::client::{Failure, Flight, ask, load, send};
use crate::components::icon::icon;
use crate::words::{say, t};
use leptos::prelude::*;
use orrery_api::{PinnedList, PinnedTrace, paths};

/// A button that says whether it is kept, and changes that.
pub(super) fn pin(model: Model) -> AnyView {
    let id = model.facts.with_value(|facts| facts.id.clone());
    let path = StoredValue::new(paths::TRACE_PIN.replace("{trace_id}", &id));
    let list = load::<PinnedList>(move || Some(ask(paths::PINS, &[])));
    let is_pinned = Memo::new(move |_| {
        list.data.with(|list| list.as_ref().map(|list| list.pins.iter().any(|pin| pin.trace_id == id)))
    });
    let failure = RwSignal::new(None::<Failure>);
    let flight = RwSignal::new_local(None::<Flight>);
    let click = move |_| {
        failure.set(None);
        let again = move |answer: Option<Failure>| {
            failure.set(answer);
            flight.set(None);
            list.progress.retry();
        };
        let path = path.get_value();
        flight.set(Some(if is_pinned.get_untracked() == Some(true) {
            send::<PinnedList>("DELETE", &path, None, move |answer| again(answer.err()))
        } else {
            send::<PinnedTrace>("PUT", &path, None, move |answer| again(answer.err()))
        }));
    };
    let busy = move || flight.with(Option::is_some) || is_pinned.get().is_none();
    let words = move || t(if is_pinned.get() == Some(true) { say::PINNED } else { say::PIN });
    view! {
        <button type="button" class="button button-quiet" title=t(say::PIN_HINT) aria-pressed=move || (is_pinned.get() == Some(true)).to_string() disabled=busy on:click=click>{icon("pin")}{words}</button>
        {move || failure.get().map(|failure| view! { <span class="is-err-text" role="alert">{failure.detail}</span> })}
    }
    .into_any()
}
