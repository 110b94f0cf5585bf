//! Pages are loaded when they are opened: what only one page needs is a chunk, cut out of the program by `web/bundle`. So
//! is what a page shows only when it is asked to, and is large.
//!
//! A page is a line of `chunks!`, one of [`ALL`] and one of [`of`]. A chunk is named after the first segment of its path, without the `s`
//! at its end where one thing is shown: so `boot.js` knows what to fetch for the address it is started with.

#![allow(unsafe_code, reason = "a call into another module is an `extern` function")]

use super::*;
use crate::components::palette::PALETTE;
use crate::components::query::BUILDER;
use crate::components::views::{SAVED, SHARE};
use leptos::wasm_split::SplitLoaderError;
use std::cell::OnceCell;
use std::pin::Pin;
use std::thread::LocalKey;
use std::time::Duration;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;

/// How long after the start pages are loaded that nobody asked for.
const FORESIGHT: Duration = Duration::from_secs(3);
/// Where the browser keeps which script was reloaded because the server had another.
const RELOADED: &str = "orrery-reloaded";

/// Makes what a chunk shows of what it is told. A page is told what of its address names the thing it shows, or nothing.
pub(crate) type Shows<A = String> = fn(A) -> AnyView;
type Loading<A> = Pin<Box<dyn Future<Output = Result<Shows<A>, SplitLoaderError>>>>;

/// A page, or a part of one, that may not be there yet.
pub(crate) struct Chunk<A: 'static = String> {
    pub(crate) loaded: &'static LocalKey<OnceCell<Shows<A>>>,
    pub(crate) load: fn() -> Loading<A>,
}

impl<A> Clone for Chunk<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Chunk<A> {}

impl<A: 'static> Chunk<A> {
    /// What it shows, if it is there.
    pub(crate) fn loaded(self) -> Option<Shows<A>> {
        self.loaded.with(|shows| shows.get().copied())
    }

    /// Loads it. Where that fails, trying again may help.
    pub(crate) async fn load(self) -> Result<Shows<A>, SplitLoaderError> {
        let shows = (self.load)().await?;
        Ok(self.loaded.with(|loaded| *loaded.get_or_init(|| shows)))
    }

    /// Loads it before it is asked for. What fails is tried again when it is needed.
    fn ahead(self) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async move { drop(self.load().await) })
    }
}

/// `CHUNK name |told: Type| what it shows;` each. A part is named `page_part`.
macro_rules! chunks {
    ($($(#[$doc:meta])* $visible:vis $chunk:ident $name:ident |$told:tt : $type:ty| $shows:expr;)*) => {
        $(
            $(#[$doc])*
            $visible static $chunk: $crate::pages::chunks::Chunk<$type> = {
                #[leptos::wasm_split::wasm_split($name, wasm_split_path = leptos::wasm_split, fallible)]
                fn $name() -> Result<$crate::pages::chunks::Shows<$type>, leptos::wasm_split::SplitLoaderError> {
                    Ok(|$told| $shows.into_any())
                }
                thread_local! {
                    static LOADED: std::cell::OnceCell<$crate::pages::chunks::Shows<$type>> =
                        const { std::cell::OnceCell::new() };
                }
                $crate::pages::chunks::Chunk { loaded: &LOADED, load: || Box::pin($name()) }
            };
        )*
    };
}
pub(crate) use chunks;

chunks! {
    OVERVIEW overview |_: String| view! { <overview::Overview /> };
    SERVICES services |_: String| view! { <services::Services /> };
    SERVICE service |id: String| view! { <service::Service id=id /> };
    TRACES traces |_: String| view! { <traces::Traces /> };
    TRACE trace |id: String| view! { <trace::TracePage id=id /> };
    LOGS logs |_: String| view! { <logs::Logs /> };
    METRICS metrics |_: String| view! { <metrics::Metrics /> };
    SQL sql |_: String| view! { <sql::Sql /> };
    HEALTH health |_: String| view! { <health::HealthPage /> };
    ALERTS alerts |_: String| alerts::page();
}

/// Every chunk, the likely ones first.
static ALL: &[fn() -> Pin<Box<dyn Future<Output = ()>>>] = &[
    || OVERVIEW.ahead(),
    || overview::DRAWER.ahead(),
    || SERVICES.ahead(),
    || SERVICE.ahead(),
    || TRACES.ahead(),
    || TRACE.ahead(),
    || LOGS.ahead(),
    || METRICS.ahead(),
    || BUILDER.ahead(),
    || traces::SERIES.ahead(),
    || traces::FLAME.ahead(),
    || trace::MAP.ahead(),
    || SQL.ahead(),
    || HEALTH.ahead(),
    || ALERTS.ahead(),
    || PALETTE.ahead(),
    || SAVED.ahead(),
    || SHARE.ahead(),
    || alerts::EDITOR.ahead(),
];

/// The page of a path, and what of the path names the thing it shows.
pub(crate) fn of(path: &str) -> Option<(Chunk, String)> {
    let mut segments = crate::address::Place { path: path.to_owned(), ..Default::default() }.segments().into_iter();
    let (page, id) = (segments.next(), segments.next());
    let chunk = match (page.as_deref(), &id, segments.next()) {
        (None, ..) => OVERVIEW,
        (Some("services"), None, _) => SERVICES,
        (Some("services"), Some(_), None) => SERVICE,
        (Some("traces"), None, _) => TRACES,
        (Some("traces"), Some(_), None) => TRACE,
        (Some("logs"), None, _) => LOGS,
        (Some("metrics"), None, _) => METRICS,
        (Some("sql"), None, _) => SQL,
        (Some("health"), None, _) => HEALTH,
        (Some("alerts"), ..) => ALERTS,
        _ => return None,
    };
    Some((chunk, id.unwrap_or_default()))
}

/// Loads the page of a link as soon as it is pointed at or has the focus, and every page once there has been time for
/// the one that was asked for.
pub(crate) fn foresee() {
    for event in ["pointerover", "focusin"] {
        let seen = Closure::<dyn Fn(web_sys::Event)>::new(|event: web_sys::Event| {
            let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
            let link = target.and_then(|target| target.closest("a[href^='/']").ok().flatten());
            let href = link.and_then(|link| link.get_attribute("href")).unwrap_or_default();
            if let Some((chunk, _)) = of(&crate::address::Place::parse(&href).path) {
                spawn_local(async move { drop(chunk.load().await) });
            }
        });
        let _ = document().add_event_listener_with_callback(event, seen.as_ref().unchecked_ref());
        seen.forget();
    }
    let all = || {
        spawn_local(async {
            for chunk in ALL {
                chunk().await;
            }
        })
    };
    set_timeout(all, FORESIGHT);
}

/// Reloads the page where the server has another dashboard than this one, whose chunks it does not have: once, should
/// it have several.
pub(crate) async fn reload_if_replaced() {
    let Ok(Some(script)) = document().query_selector("link[rel=modulepreload]") else { return };
    let ours = script.get_attribute("href").unwrap_or_default();
    let Ok(page) = crate::client::bytes("/").await else { return };
    let Ok(Some(storage)) = window().session_storage() else { return };
    let replaced = !String::from_utf8_lossy(&page).contains(&ours);
    if replaced && storage.get_item(RELOADED).ok().flatten().is_none_or(|last| last != ours) {
        let _ = storage.set_item(RELOADED, &ours);
        let _ = window().location().reload();
    }
}
