//! Who called whom in this trace. A service on the map leads to its spans.

use super::Model;
use super::views::Shown;
use crate::atlas::Selection;
use crate::atlas::marks::Marks;
use crate::atlas::scene::Scene;
use crate::components::map::{Controls, ServiceMap};
use leptos::prelude::*;
use orrery_api::Topology;
use std::sync::Arc;

pub(super) fn map(model: Model, calls: Topology) -> AnyView {
    let scene = Arc::new(Scene::plain(calls));
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
    let marks = Signal::stored(Arc::new(Marks::default()));
    view! { <ServiceMap scene=Signal::derive(move || scene.clone()) marks=marks selection=selection choose=choose controls=Controls::local() /> }.into_any()
}
