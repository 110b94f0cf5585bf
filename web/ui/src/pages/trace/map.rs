//! Who called whom in this trace. A service on the map leads to its spans.

use super::Model;
use super::views::Shown;
use crate::atlas::Selection;
use crate::calls::topology;
use crate::components::map::ServiceMap;
use leptos::prelude::*;
use std::sync::Arc;

pub(super) fn map(model: Model) -> AnyView {
    let map = model
        .facts
        .with_value(|facts| model.waterfall.with_untracked(|waterfall| Arc::new(topology(waterfall, &facts.services))));
    let choose = Callback::new(move |selection: Option<Selection>| {
        let Some(Selection::Node(id) | Selection::Edge(_, id)) = selection else { return };
        let name = model.facts.with_value(|facts| {
            facts.services.iter().find(|service| service.id == id).map(|service| service.name.clone())
        });
        if let Some(name) = name {
            model.search.set(name);
            model.nav.set(&[("view", Shown::Table.address())]);
        }
    });
    let selection = Memo::new(|_| None);
    view! { <ServiceMap topology=Signal::derive(move || map.clone()) selection=selection choose=choose /> }.into_any()
}
