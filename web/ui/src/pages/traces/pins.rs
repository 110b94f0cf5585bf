//! The traces that are kept whatever retention does.

use crate::client::{Flight, ask, load, send};
use crate::components::icon::icon;
use crate::components::popover::Popover;
use crate::components::state::{empty, loaded};
use crate::figures::date_time;
use crate::nav::nav;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::{PinnedList, PinnedTrace, paths};
use orrery_chart::{Unit, grouped};
use std::sync::Arc;

/// A button that opens the list.
pub(super) fn pins() -> AnyView {
    let open = RwSignal::new(false);
    let list = load::<PinnedList>(move || open.get().then(|| ask(paths::PINS, &[])));
    let flight = RwSignal::new_local(None::<Flight>);
    let nav = nav();
    let unpin = move |id: &str| {
        let path = paths::TRACE_PIN.replace("{trace_id}", id);
        let done = move |answer: Result<PinnedList, _>| match answer {
            Ok(left) => list.put(left),
            Err(_) => list.progress.retry(),
        };
        flight.set(Some(send("DELETE", &path, None, done)));
    };
    let item = move |pin: &PinnedTrace| {
        let (id, path) = (pin.trace_id.clone(), format!("/traces/{}", pin.trace_id));
        let size = Unit::Bytes.format(pin.bytes as f64).to_string();
        let spans = tf(say::N_SPANS, &[("n", &grouped(pin.span_count as usize))]);
        let label = format!("{}: {}", t(say::UNPIN), pin.root_name);
        view! {
            <li class="pin-item">
                <p class="name-line"><span class="hint">{pin.root_service.name.clone()}</span>" "<a href=move || nav.href(&path, &[])>{pin.root_name.clone()}</a></p>
                <button type="button" class="icon-button icon-button-small" aria-label=label title=t(say::UNPIN) on:click=move |_| unpin(&id)>{icon("x")}</button>
                <p class="hint">{date_time(pin.start_time_unix_nano.0)}" · "{spans}" · "{size}</p>
            </li>
        }
    };
    let body = move |list: Signal<Arc<PinnedList>>| {
        let items = move || list.with(|list| list.pins.iter().map(item).collect_view());
        let size = move || {
            list.with(|list| {
                let (n, most) = (grouped(list.pins.len()), grouped(list.limit as usize));
                let size = Unit::Bytes.format(list.bytes as f64).to_string();
                tf(say::PINS_SIZE, &[("n", &n), ("most", &most), ("size", &size)])
            })
        };
        view! { <ul class="pin-list">{items}</ul><p class="hint">{size}</p> }.into_any()
    };
    let button = view! { {icon("pin")}<span class="button-text">{t(say::PINNED)}</span> }.into_any();
    view! {
        <Popover open=open label=t(say::PINS).to_owned() class="button button-quiet" end=true button=button>
            <div class="pins">{loaded(list, |list: &PinnedList| list.pins.is_empty(), |_| empty(t(say::NO_PINS), None), body)}</div>
        </Popover>
    }
    .into_any()
}
