//! The API as signals: one request at a time per place, cancelled when nobody waits for it any more.

pub(crate) mod live;
mod request;

pub(crate) use request::Failure;

use crate::address;
use leptos::prelude::*;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A request: what is asked, and what of it a person chose.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ask {
    url: String,
    /// Changes when a person chose something else, not when only the clock moved on.
    choice: String,
    path: String,
}

/// A `GET` of a path with parameters; empty values are left out.
pub(crate) fn ask(path: &str, params: &[(&str, String)]) -> Ask {
    let mut url = path.to_owned();
    let mut choice = path.to_owned();
    for (name, value) in params.iter().filter(|(_, value)| !value.is_empty()) {
        let pair = format!("{}{name}={}", if url.contains('?') { '&' } else { '?' }, address::encode(value));
        url += &pair;
        if !matches!(*name, "from" | "to") {
            choice += &pair;
        }
    }
    Ask { url, choice, path: path.to_owned() }
}

impl Ask {
    /// Also a choice: the range, whose moments change with every refresh.
    pub(crate) fn chosen(mut self, choice: impl std::fmt::Debug) -> Ask {
        self.choice += &format!(" {choice:?}");
        self
    }
}

/// What a panel waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Busy {
    /// Nothing.
    #[default]
    No,
    /// The next state of what it shows.
    Refresh,
    /// Something else than it shows, since a moment (`performance.now()`).
    Change(f64),
}

/// An answer as it comes and comes again.
pub(crate) struct Load<T: Send + Sync + 'static> {
    /// The last good answer.
    pub(crate) data: RwSignal<Option<Arc<T>>>,
    /// Why there is no newer one.
    pub(crate) failure: RwSignal<Option<Failure>>,
    /// What is under way.
    pub(crate) busy: RwSignal<Busy>,
    /// When the last good answer came, `Date.now()`.
    pub(crate) arrived: RwSignal<f64>,
    again: RwSignal<u32>,
    flight: StoredValue<Option<request::Flight>, LocalStorage>,
}

impl<T: Send + Sync + 'static> Clone for Load<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Load<T> {}

impl<T: Send + Sync + 'static> Load<T> {
    /// Asks again.
    pub(crate) fn retry(self) {
        self.again.update(|count| *count += 1);
    }

    /// Gives up on the request under way.
    pub(crate) fn cancel(self) {
        self.flight.set_value(None);
        self.busy.set(Busy::No);
    }

    /// Puts in an answer that came another way.
    pub(crate) fn put(self, data: T) {
        self.data.set(Some(Arc::new(data)));
        self.failure.set(None);
        self.busy.set(Busy::No);
        self.arrived.set(js_sys::Date::now());
    }
}

/// Loads whatever `wanted` says, again when that changes. `None` asks nothing and shows nothing.
pub(crate) fn load<T>(wanted: impl Fn() -> Option<Ask> + Send + Sync + 'static) -> Load<T>
where
    T: DeserializeOwned + Send + Sync + 'static,
{
    let load = Load {
        data: RwSignal::new(None),
        failure: RwSignal::new(None),
        busy: RwSignal::new(Busy::No),
        arrived: RwSignal::new(0.0),
        again: RwSignal::new(0),
        flight: StoredValue::new_local(None),
    };
    let wanted = Memo::new(move |_| wanted());
    Effect::new(move |last: Option<Option<Ask>>| {
        load.again.track();
        let ask = wanted.get();
        follow(load, last.flatten().as_ref(), ask.as_ref());
        ask
    });
    on_cleanup(move || {
        load.flight.try_set_value(None);
    });
    load
}

fn follow<T: DeserializeOwned + Send + Sync + 'static>(load: Load<T>, last: Option<&Ask>, ask: Option<&Ask>) {
    let Some(ask) = ask else {
        load.flight.set_value(None);
        load.data.set(None);
        load.failure.set(None);
        return load.busy.set(Busy::No);
    };
    if last.is_some_and(|last| last.path != ask.path) {
        load.data.set(None);
    }
    let refresh = load.data.with_untracked(Option::is_some) && last.is_some_and(|last| last.choice == ask.choice);
    load.busy.set(if refresh { Busy::Refresh } else { Busy::Change(request::clock()) });
    let done = move |answer: Result<T, Failure>| match answer {
        Ok(data) => load.put(data),
        Err(failure) => {
            load.failure.set(Some(failure));
            load.busy.set(Busy::No);
        }
    };
    load.flight.set_value(Some(request::get(&ask.url, done)));
}

/// Fetches once, outside of any panel. The request goes on when its page is left.
pub(crate) async fn fetch<T: DeserializeOwned>(ask: &Ask) -> Result<T, Failure> {
    request::once(&ask.url, None).await
}
