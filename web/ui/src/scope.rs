//! What all pages share: time window, environment, live or not.

use crate::nav::Nav;
use crate::range::{TimeRange, Window};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;

/// Distance of two refreshes of a live page, milliseconds.
const REFRESH_MILLIS: i32 = 10_000;

/// Time window and filters that every page obeys.
#[derive(Clone, Copy)]
pub(crate) struct Scope {
    /// As chosen.
    pub(crate) range: Memo<TimeRange>,
    /// As moments; moves with every refresh.
    pub(crate) window: Memo<Window>,
    /// `deployment.environment.name`, or all.
    pub(crate) environment: Memo<Option<String>>,
    /// New data comes by itself.
    pub(crate) live: Memo<bool>,
    /// The tab is in front.
    pub(crate) visible: RwSignal<bool>,
    tick: RwSignal<f64>,
}

/// The scope of this page.
pub(crate) fn scope() -> Scope {
    expect_context()
}

impl Scope {
    /// Follows the address, the clock and the tab.
    pub(crate) fn start(nav: Nav) -> Scope {
        let (tick, visible) = (RwSignal::new(js_sys::Date::now()), RwSignal::new(!document().hidden()));
        let range = nav.range();
        let wanted = nav.param("live");
        let live = Memo::new(move |_| range.get().is_moving() && wanted.get().as_deref() != Some("off"));
        let window = Memo::new(move |_| range.get().window(tick.get() as i64));
        let scope = Scope { range, window, environment: nav.param("env"), live, visible, tick };
        watch_visibility(scope);
        every(REFRESH_MILLIS, move || {
            if scope.live.get_untracked() && scope.visible.get_untracked() {
                scope.refresh();
            }
        });
        scope
    }

    /// Moves a relative window up to now and loads again.
    pub(crate) fn refresh(self) {
        self.tick.set(js_sys::Date::now());
    }

    /// `from` and `to` and the environment as an API takes them; tracked.
    pub(crate) fn query(self) -> Vec<(&'static str, String)> {
        let window = self.window.get();
        let mut query = vec![("from", window.from.to_string()), ("to", window.to.to_string())];
        query.extend(self.environment.get().map(|environment| ("environment", environment)));
        query
    }
}

fn watch_visibility(scope: Scope) {
    let changed = Closure::<dyn Fn()>::new(move || {
        let visible = !document().hidden();
        scope.visible.set(visible);
        if visible && scope.live.get_untracked() {
            scope.refresh();
        }
    });
    let _ = document().add_event_listener_with_callback("visibilitychange", changed.as_ref().unchecked_ref());
    changed.forget();
}

/// Calls something again and again for as long as the page lives.
pub(crate) fn every(millis: i32, call: impl Fn() + 'static) {
    let tick = Closure::<dyn Fn()>::new(call);
    let _ = window().set_interval_with_callback_and_timeout_and_arguments_0(tick.as_ref().unchecked_ref(), millis);
    tick.forget();
}

/// Now, Unix nanoseconds.
pub(crate) fn now_nanos() -> i64 {
    js_sys::Date::now() as i64 * 1_000_000
}
