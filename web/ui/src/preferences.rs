//! Theme and language: kept by the browser, not by the address.

use crate::words::{Language, language, set_language};
use leptos::prelude::*;
use orrery_chart::Theme;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;

/// Which theme was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ThemeChoice {
    /// Follows the system.
    System,
    /// Midnight ink.
    Dark,
    /// Paper.
    Light,
}

impl ThemeChoice {
    fn name(self) -> &'static str {
        match self {
            ThemeChoice::System => "system",
            ThemeChoice::Dark => "dark",
            ThemeChoice::Light => "light",
        }
    }

    fn of(name: &str) -> ThemeChoice {
        match name {
            "dark" => ThemeChoice::Dark,
            "light" => ThemeChoice::Light,
            _ => ThemeChoice::System,
        }
    }
}

/// How the reader likes it.
#[derive(Clone, Copy)]
pub(crate) struct Preferences {
    /// As chosen.
    pub(crate) theme: RwSignal<ThemeChoice>,
    /// As drawn.
    pub(crate) drawn_theme: Memo<Theme>,
    /// Changes when fonts have loaded: texts on canvases are drawn again.
    pub(crate) fonts: RwSignal<u32>,
    /// The page is drawn again when it changes.
    pub(crate) language: RwSignal<Language>,
    /// Things do not move.
    pub(crate) still: RwSignal<bool>,
}

/// The reader's preferences.
pub(crate) fn preferences() -> Preferences {
    expect_context()
}

impl Preferences {
    /// Reads what `boot.js` put on the root element, and follows the system.
    pub(crate) fn start() -> Preferences {
        let root = root();
        set_language(Language::of(&root.get_attribute("lang").unwrap_or_default()));
        let theme = RwSignal::new(ThemeChoice::of(&root.get_attribute("data-theme").unwrap_or_default()));
        let light = media("(prefers-color-scheme: light)");
        let still = media("(prefers-reduced-motion: reduce)");
        let drawn_theme = Memo::new(move |_| match theme.get() {
            ThemeChoice::Dark => Theme::Dark,
            ThemeChoice::Light => Theme::Light,
            ThemeChoice::System if light.get() => Theme::Light,
            ThemeChoice::System => Theme::Dark,
        });
        let preferences =
            Preferences { theme, drawn_theme, fonts: RwSignal::new(0), language: RwSignal::new(language()), still };
        preferences.watch_fonts();
        preferences
    }

    /// Chooses a theme and keeps it.
    pub(crate) fn choose_theme(self, theme: ThemeChoice) {
        let _ = root().set_attribute("data-theme", theme.name());
        keep("orrery-theme", theme.name());
        self.theme.set(theme);
    }

    /// Chooses a language, keeps it and draws the page again.
    pub(crate) fn choose_language(self, language: Language) {
        let _ = root().set_attribute("lang", language.tag());
        keep("orrery-lang", language.tag());
        set_language(language);
        self.language.set(language);
    }

    fn watch_fonts(self) {
        let loaded = Closure::<dyn Fn()>::new(move || {
            crate::canvas::forget_widths();
            self.fonts.update(|count| *count += 1);
        });
        let _ = document().fonts().add_event_listener_with_callback("loadingdone", loaded.as_ref().unchecked_ref());
        loaded.forget();
    }
}

fn root() -> web_sys::Element {
    document().document_element().expect("a page has a root element")
}

fn media(query: &str) -> RwSignal<bool> {
    let Ok(Some(list)) = window().match_media(query) else { return RwSignal::new(false) };
    let matches = RwSignal::new(list.matches());
    let changed = {
        let list = list.clone();
        Closure::<dyn Fn()>::new(move || matches.set(list.matches()))
    };
    let _ = list.add_event_listener_with_callback("change", changed.as_ref().unchecked_ref());
    changed.forget();
    matches
}

fn keep(name: &str, value: &str) {
    // Forbidden storage costs only the memory of a choice.
    if let Ok(Some(storage)) = window().local_storage() {
        let _ = storage.set_item(name, value);
    }
}
