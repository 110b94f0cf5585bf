//! Which picture of the trace is shown.

use super::{Model, field, flame, logs, table};
use crate::calls::topology;
use crate::components::icon::icon;
use crate::pages::part;
use crate::words::{Phrase, say, t};
use leptos::prelude::*;
use orrery_api::Topology;

/// A picture of a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shown {
    /// When what ran, and what waited for what.
    #[default]
    Waterfall,
    /// Where time was spent.
    Flame,
    /// All spans, sortable.
    Table,
    /// Who called whom.
    Map,
    /// What was logged meanwhile.
    Logs,
}

const ALL: [(Shown, &str, Phrase, &str); 5] = [
    (Shown::Waterfall, "waterfall", say::WATERFALL, "chart-gantt"),
    (Shown::Flame, "flame", say::FLAME_GRAPH, "layers"),
    (Shown::Table, "table", say::TABLE, "table-2"),
    (Shown::Map, "map", say::SERVICE_MAP, "waypoints"),
    (Shown::Logs, "logs", say::LOGS, "logs"),
];

impl Shown {
    /// What an address says.
    pub(super) fn of(text: Option<&str>) -> Shown {
        ALL.iter().find(|known| text == Some(known.1)).map_or(Shown::default(), |known| known.0)
    }

    /// What goes into an address: nothing for the first one.
    pub(super) fn address(self) -> Option<String> {
        ALL.iter().find(|known| known.0 == self && self != Shown::default()).map(|known| known.1.to_owned())
    }
}

/// Buttons to choose one.
pub(super) fn switch(model: Model) -> AnyView {
    let buttons = ALL.map(|(shown, _, name, sign)| {
        let choose = move |_| model.nav.replace(&[("view", shown.address())]);
        let pressed = move || (model.shown.get() == shown).to_string();
        view! { <button type="button" class="button button-quiet" title=t(name) aria-pressed=pressed on:click=choose>{icon(sign)}<span class="button-text">{t(name)}</span></button> }
    });
    view! { <div class="switch" role="group" aria-label=t(say::VIEW)>{buttons.into_iter().collect_view()}</div> }
        .into_any()
}

/// The chosen one.
pub(super) fn shown(model: Model) -> AnyView {
    let picture = move || match model.shown.get() {
        Shown::Waterfall => view! { {field::minimap(model)}{field::field(model)} }.into_any(),
        Shown::Flame => flame::flame(model),
        Shown::Table => table::table(model),
        Shown::Map => part(super::MAP, (model, calls(model))),
        Shown::Logs => logs::logs(model),
    };
    view! { <div class="wf-column">{picture}</div> }.into_any()
}

/// Who called whom.
fn calls(model: Model) -> Topology {
    model.facts.with_value(|facts| model.waterfall.with_untracked(|waterfall| topology(waterfall, &facts.services)))
}
