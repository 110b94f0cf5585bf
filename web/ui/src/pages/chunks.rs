//! Pages are loaded when they are opened: what only one page needs is a chunk, cut out of the program by `web/bundle`.
//!
//! A page is a line of `chunks!` and one of [`of`]. A chunk is named after the first segment of its path, without the `s`
//! at its end where one thing is shown: so `boot.js` knows what to fetch for the address it is started with.

#![allow(unsafe_code, reason = "a call into another module is an `extern` function")]

use super::*;
use leptos::wasm_split::{SplitLoaderError, wasm_split};
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

/// Makes a page; takes what of its address names the thing it shows, or nothing.
pub(crate) type Page = fn(String) -> AnyView;
type Loading = Pin<Box<dyn Future<Output = Result<Page, SplitLoaderError>>>>;

/// A page that may not be there yet.
#[derive(Clone, Copy)]
pub(crate) struct Chunk {
    loaded: &'static LocalKey<OnceCell<Page>>,
    load: fn() -> Loading,
}

impl Chunk {
    /// The page, if it is there.
    pub(crate) fn loaded(self) -> Option<Page> {
        self.loaded.with(|page| page.get().copied())
    }

    /// Loads it. Where that fails, trying again may help.
    pub(crate) async fn load(self) -> Result<Page, SplitLoaderError> {
        let page = (self.load)().await?;
        Ok(self.loaded.with(|loaded| *loaded.get_or_init(|| page)))
    }
}

macro_rules! chunks {
    ($($chunk:ident $name:ident |$id:pat_param| $page:expr;)*) => {
        $(
            static $chunk: Chunk = {
                #[wasm_split($name, wasm_split_path = leptos::wasm_split, fallible)]
                fn $name() -> Result<Page, SplitLoaderError> {
                    Ok(|$id| $page.into_any())
                }
                thread_local! { static LOADED: OnceCell<Page> = const { OnceCell::new() }; }
                Chunk { loaded: &LOADED, load: || Box::pin($name()) }
            };
        )*
        /// Every chunk.
        static ALL: &[&Chunk] = &[$(&$chunk),*];
    };
}

chunks! {
    OVERVIEW overview |_| view! { <overview::Overview /> };
    SERVICES services |_| view! { <services::Services /> };
    SERVICE service |id| view! { <service::Service id=id /> };
    TRACES traces |_| view! { <traces::Traces /> };
    TRACE trace |id| view! { <trace::TracePage id=id /> };
    LOGS logs |_| view! { <logs::Logs /> };
    METRICS metrics |_| view! { <metrics::Metrics /> };
    SQL sql |_| view! { <sql::Sql /> };
    HEALTH health |_| view! { <health::HealthPage /> };
}

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
                // What fails is tried again when it is needed.
                let _ = chunk.load().await;
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
