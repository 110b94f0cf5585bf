//! The address bar as a signal, and links that do not reload the page.

use crate::address::{Params, Place};
use crate::range::TimeRange;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::JsValue;

/// Parameters that every page has; links carry them along.
pub(crate) const SHARED: [&str; 5] = ["range", "from", "to", "env", "live"];

/// Where we are and how to get elsewhere.
#[derive(Clone, Copy)]
pub(crate) struct Nav {
    place: RwSignal<Place>,
}

/// The navigation of this page.
pub(crate) fn nav() -> Nav {
    expect_context()
}

impl Nav {
    /// Reads the address and listens to back, forward and clicks on links.
    pub(crate) fn start() -> Nav {
        let nav = Nav { place: RwSignal::new(current()) };
        let back = Closure::<dyn Fn()>::new(move || nav.place.set(current()));
        let click = Closure::<dyn Fn(web_sys::MouseEvent)>::new(move |event| nav.follow(&event));
        let window = window();
        let _ = window.add_event_listener_with_callback("popstate", back.as_ref().unchecked_ref());
        let _ = document().add_event_listener_with_callback("click", click.as_ref().unchecked_ref());
        back.forget();
        click.forget();
        nav
    }

    /// Where we are; tracked.
    pub(crate) fn place(self) -> Place {
        self.place.get()
    }

    /// Where we are, for handlers.
    pub(crate) fn place_now(self) -> Place {
        self.place.get_untracked()
    }

    /// The page's path as a signal of its own, so that a page stays while its parameters change.
    pub(crate) fn path(self) -> Memo<String> {
        Memo::new(move |_| self.place.with(|place| place.path.clone()))
    }

    /// One parameter as a signal.
    pub(crate) fn param(self, name: &'static str) -> Memo<Option<String>> {
        Memo::new(move |_| self.place.with(|place| place.params.get(name).map(str::to_owned)))
    }

    /// The time range as a signal.
    pub(crate) fn range(self) -> Memo<TimeRange> {
        Memo::new(move |_| self.place.with(|place| TimeRange::of(&place.params)))
    }

    /// A link to a page that keeps the shared parameters; tracked.
    pub(crate) fn href(self, path: &str, params: &[(&str, &str)]) -> String {
        self.place.with(|here| link(here, path, params))
    }

    /// The same without tracking, for handlers.
    pub(crate) fn href_now(self, path: &str, params: &[(&str, &str)]) -> String {
        self.place.with_untracked(|here| link(here, path, params))
    }

    /// Goes to an address of ours.
    pub(crate) fn go(self, href: &str) {
        let place = Place::parse(href);
        let moved = self.place.with_untracked(|here| here.path != place.path);
        self.put(place, true);
        if moved {
            window().scroll_to_with_x_and_y(0.0, 0.0);
        }
    }

    /// Changes parameters as a step one can go back from.
    pub(crate) fn set(self, changes: &[(&str, Option<String>)]) {
        self.change(true, |params| changes.iter().for_each(|(name, value)| params.set(name, value.clone())));
    }

    /// Changes parameters in place: for what changes with every key or click in a list.
    pub(crate) fn replace(self, changes: &[(&str, Option<String>)]) {
        self.change(false, |params| changes.iter().for_each(|(name, value)| params.set(name, value.clone())));
    }

    /// Chooses a time range.
    pub(crate) fn set_range(self, range: TimeRange) {
        self.change(true, |params| range.write(params));
    }

    fn change(self, step: bool, change: impl FnOnce(&mut Params)) {
        let mut place = self.place.get_untracked();
        change(&mut place.params);
        self.put(place, step);
    }

    fn put(self, place: Place, step: bool) {
        if self.place.with_untracked(|here| *here == place) {
            return;
        }
        if let Ok(history) = window().history() {
            let href = place.href();
            let _ = match step {
                true => history.push_state_with_url(&JsValue::NULL, "", Some(&href)),
                false => history.replace_state_with_url(&JsValue::NULL, "", Some(&href)),
            };
        }
        self.place.set(place);
    }

    /// Takes over a plain click on a link to a page of ours.
    fn follow(self, event: &web_sys::MouseEvent) {
        let plain =
            event.button() == 0 && !(event.ctrl_key() || event.meta_key() || event.shift_key() || event.alt_key());
        let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let link = target.and_then(|target| target.closest("a[href]").ok().flatten());
        let href = link.as_ref().and_then(|link| link.get_attribute("href")).filter(|href| is_ours(href));
        let (true, false, Some(link), Some(href)) = (plain, event.default_prevented(), link, href) else { return };
        if link.has_attribute("download") || link.has_attribute("target") {
            return;
        }
        event.prevent_default();
        self.go(&href);
    }
}

fn link(here: &Place, path: &str, params: &[(&str, &str)]) -> String {
    let mut place = Place { path: path.to_owned(), params: here.params.only(&SHARED) };
    params.iter().for_each(|(name, value)| place.params.set(name, Some((*value).to_owned())));
    place.href()
}

fn is_ours(href: &str) -> bool {
    href.starts_with('/') && !href.starts_with("//") && !href.starts_with("/api/")
}

fn current() -> Place {
    let location = window().location();
    Place::parse(&format!("{}{}", location.pathname().unwrap_or_default(), location.search().unwrap_or_default()))
}
