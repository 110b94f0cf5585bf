//! What can be done on a map besides choosing: find, open and close groups, look around a node, pin.

use crate::atlas::pins;
use leptos::prelude::*;
use std::collections::HashMap;

/// What a map's owner does for it.
#[derive(Clone, Copy)]
pub(crate) struct Controls {
    /// What is looked for.
    pub(crate) find: Signal<String>,
    /// Called with what is looked for.
    pub(crate) set_find: Callback<String>,
    /// Called with a node to be chosen and shown by itself.
    pub(crate) reveal: Callback<String>,
    /// Called with a node whose group is to open or close.
    pub(crate) toggle: Callback<String>,
    /// Called with a node whose surroundings are to be shown.
    pub(crate) around: Callback<String>,
    /// Where the reader put nodes.
    pub(crate) pins: Pins,
    /// All of it is to be seen at first, however small.
    pub(crate) whole: bool,
}

impl Controls {
    /// For a small map without groups: nothing is kept.
    pub(crate) fn local() -> Controls {
        let find = RwSignal::new(String::new());
        let nothing = Callback::new(|_| ());
        Controls {
            find: find.into(),
            set_find: Callback::new(move |text| find.set(text)),
            reveal: nothing,
            toggle: nothing,
            around: nothing,
            pins: Pins { at: RwSignal::new(HashMap::new()), name: Signal::derive(|| None) },
            whole: true,
        }
    }
}

/// Where the reader put nodes.
#[derive(Clone, Copy)]
pub(crate) struct Pins {
    /// Left upper corners by node id.
    pub(crate) at: RwSignal<HashMap<String, (f64, f64)>>,
    /// Under which name the browser keeps them; nothing is kept without.
    name: Signal<Option<String>>,
}

impl Pins {
    /// Pins of the map of this name, as the browser kept them.
    pub(crate) fn kept(name: Signal<String>) -> Pins {
        let name = Signal::derive(move || Some(format!("orrery-pins:{}", name.get())));
        let at = RwSignal::new(HashMap::new());
        Effect::new(move |_| {
            at.set(
                name.get()
                    .and_then(|name| storage()?.get_item(&name).ok()?)
                    .map_or_else(HashMap::new, |text| pins::parse(&text)),
            )
        });
        Pins { at, name }
    }

    /// Puts a node somewhere, for as long as the page is open.
    pub(crate) fn put(self, id: &str, place: (f64, f64)) {
        self.at.update(|pins| {
            pins.insert(id.to_owned(), place);
        });
    }

    /// Lets a node stand where it would.
    pub(crate) fn remove(self, id: &str) {
        if self.at.with_untracked(|pins| pins.contains_key(id)) {
            self.at.update(|pins| {
                pins.remove(id);
            });
            self.keep();
        }
    }

    /// Lets all nodes stand where they would.
    pub(crate) fn clear(self) {
        self.at.set(HashMap::new());
        self.keep();
    }

    /// Keeps them.
    pub(crate) fn keep(self) {
        // Forbidden storage costs only the memory of where things were put.
        let (Some(name), Some(storage)) = (self.name.get_untracked(), storage()) else { return };
        let _ = self.at.with_untracked(|pins| match pins.is_empty() {
            true => storage.remove_item(&name),
            false => storage.set_item(&name, &pins::write(pins)),
        });
    }
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}
