//! The frame around all pages, and which page is shown.

use crate::client::live::Live;
use crate::client::{ask, load};
use crate::components::alarm::Alarm;
use crate::components::icon::icon;
use crate::components::outside::Outside;
use crate::components::palette;
use crate::components::popover::Popover;
use crate::components::shortcuts::Shortcuts;
use crate::components::time_picker::{LiveToggle, TimePicker};
use crate::components::views::{self, Views};
use crate::components::watch::{self, Watched};
use crate::figures;
use crate::nav::{Nav, nav};
use crate::opened::{self, Opened};
use crate::pages;
use crate::preferences::{Preferences, ThemeChoice, preferences};
use crate::scope::{Scope, scope};
use crate::words::{Language, Phrase, say, t, tf};
use leptos::html;
use leptos::prelude::*;
use orrery_api::{ServiceList, ServiceRef, paths};
use wasm_bindgen::JsCast;

/// A page of the rail.
pub(crate) struct Page {
    /// Address.
    pub(crate) path: &'static str,
    /// Name.
    pub(crate) name: Phrase,
    /// Icon.
    pub(crate) icon: &'static str,
}

/// Pages of the rail, in order.
pub(crate) const PAGES: [Page; 8] = [
    Page { path: "/", name: say::OVERVIEW, icon: "waypoints" },
    Page { path: "/services", name: say::SERVICES, icon: "boxes" },
    Page { path: "/traces", name: say::TRACES, icon: "chart-gantt" },
    Page { path: "/logs", name: say::LOGS, icon: "logs" },
    Page { path: "/metrics", name: say::METRICS, icon: "chart-line" },
    Page { path: "/sql", name: say::SQL, icon: "database" },
    Page { path: "/health", name: say::HEALTH, icon: "heart-pulse" },
    Page { path: "/alerts", name: say::ALERTS, icon: "bell" },
];

/// Takes over the frame that the page was sent with.
pub(crate) fn start() {
    figures::set_utc_offset(-(js_sys::Date::new_0().get_timezone_offset() as i32));
    let frame: web_sys::HtmlElement =
        document().get_element_by_id("app").expect("the page has a frame").unchecked_into();
    frame.set_inner_html("");
    let _ = frame.remove_attribute("aria-busy");
    let _ = frame.remove_attribute("class");
    mount_to(frame, App).forget();
    pages::chunks::foresee();
}

#[component]
fn App() -> impl IntoView {
    let preferences = Preferences::start();
    provide_context(preferences);
    let nav = Nav::start();
    provide_context(nav);
    let scope = Scope::start(nav);
    provide_context(scope);
    provide_context(Live::start(scope));
    provide_context(Outside::start());
    provide_context(Views::start());
    provide_context(Opened::start());
    provide_context(Watched::start());
    // Everything is drawn again in the other language; all state is in the address, so nothing is lost.
    move || {
        preferences.language.track();
        view! { <Frame /> }.into_any()
    }
}

#[component]
fn Frame() -> impl IntoView {
    let (nav, scope) = (nav(), scope());
    let path = nav.path();
    let services = services(scope);
    let (palette, shortcuts) = (RwSignal::new(false), RwSignal::new(false));
    let main = NodeRef::<html::Main>::new();
    let title = Memo::new(move |_| title(&nav.place()));
    Effect::new(move |_| document().set_title(&format!("{} · Orrery", title.get())));
    Effect::new(move |last: Option<String>| {
        let now = path.get();
        if let Some(main) = main.get_untracked().filter(|_| last.is_some_and(|last| last != now)) {
            let _ = main.focus();
        }
        now
    });
    let skip = move |event: web_sys::MouseEvent| {
        event.prevent_default();
        if let Some(main) = main.get_untracked() {
            let _ = main.focus();
        }
    };
    view! {
        <div class="app">
            <a class="skip" href="#main" on:click=skip>{t(say::SKIP)}</a>
            <Rail palette=palette shortcuts=shortcuts />
            <header class="topbar">
                <h1 class="topbar-title">{move || title.get()}</h1>
                <span class="grow"></span>
                <EnvironmentFilter services=services />
                <LiveToggle />
                <TimePicker />
                <button type="button" class="icon-button" aria-label=t(say::REFRESH) title=t(say::REFRESH) on:click=move |_| scope.refresh()>{icon("refresh-cw")}</button>
                {views::buttons()}
                <button type="button" class="icon-button only-small" aria-label=t(say::PALETTE) title=t(say::PALETTE) on:click=move |_| palette.set(true)>{icon("search")}</button>
            </header>
            <main class="main" id="main" tabindex="-1" node_ref=main><Alarm />{move || pages::page(&path.get())}</main>
            {palette::palette((palette, shortcuts, services))}
            <Shortcuts open=shortcuts />
            {pages::later(pages::alerts::WATCH, ())}
            <span class="sr-only" role="status">{move || title.get()}</span>
        </div>
    }
}

fn title(place: &crate::address::Place) -> String {
    let segments = place.segments();
    match segments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["services", id] => pages::service_name(id),
        ["alerts", ..] => t(say::ALERTS).to_owned(),
        _ if place.path == opened::PATH => t(say::TRACE_FILE).to_owned(),
        ["traces", id] => tf(say::TRACE_TITLE, &[("id", id.get(..8).unwrap_or(id))]),
        _ => {
            PAGES.iter().find(|page| page.path == place.path).map_or(t(say::NOT_FOUND), |page| t(page.name)).to_owned()
        }
    }
}

/// Services of the range, for the palette and the environments.
fn services(scope: Scope) -> Signal<Vec<ServiceRef>> {
    let load = load::<ServiceList>(move || {
        scope.range.track();
        let window = scope.window.get_untracked();
        Some(ask(
            paths::SERVICES,
            &[("from", window.from.to_string()), ("to", window.to.to_string()), ("points", "0".to_owned())],
        ))
    });
    Signal::derive(move || {
        load.data.get().map(|list| list.services.iter().map(|line| line.service.clone()).collect()).unwrap_or_default()
    })
}

#[component]
fn Rail(palette: RwSignal<bool>, shortcuts: RwSignal<bool>) -> impl IntoView {
    let nav = nav();
    let path = nav.path();
    let item = move |page: &'static Page| {
        let here = move || {
            path.with(|path| path == page.path || (page.path != "/" && path.starts_with(&format!("{}/", page.path))))
        };
        view! {
            <a class="rail-item" href=move || nav.href(page.path, &[]) aria-current=move || here().then_some("page") title=t(page.name)>
                {icon(page.icon)}<span class="rail-label">{t(page.name)}</span>{(page.path == "/alerts").then(|| watch::badge(None))}
            </a>
        }
    };
    view! {
        <nav class="rail" aria-label=t(say::MAIN_MENU)>
            <a class="brand" href=move || nav.href("/", &[]) aria-label="Orrery"><svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><use href="#logo"></use></svg><span class="brand-name">"Orrery"</span></a>
            <div class="rail-items">{PAGES.iter().map(item).collect_view()}</div>
            <div class="rail-foot">
                <button type="button" class="rail-item" title=t(say::PALETTE) aria-label=format!("{} {}", t(say::SEARCH), shortcut()) on:click=move |_| palette.set(true)>
                    {icon("search")}<span class="rail-label">{t(say::SEARCH)}</span>" "<kbd class="rail-label rail-key">{shortcut()}</kbd>
                </button>
                <button type="button" class="rail-item" title=t(say::SHORTCUTS) aria-label=t(say::SHORTCUTS) on:click=move |_| shortcuts.set(true)>
                    {icon("circle-help")}<span class="rail-label">{t(say::SHORTCUTS)}</span>" "<kbd class="rail-label rail-key">"?"</kbd>
                </button>
                <Appearance />
            </div>
        </nav>
    }
}

fn shortcut() -> &'static str {
    let mac = window().navigator().user_agent().is_ok_and(|agent| agent.contains("Mac"));
    if mac { "⌘K" } else { "Ctrl K" }
}

#[component]
fn Appearance() -> impl IntoView {
    let open = RwSignal::new(false);
    let preferences = preferences();
    let button = view! { {icon("sun")}<span class="rail-label">{t(say::APPEARANCE)}</span> }.into_any();
    let theme = move |choice: ThemeChoice, name: Phrase, symbol: &'static str| {
        view! {
            <button type="button" class="menu-item" aria-pressed=move || (preferences.theme.get() == choice).to_string() on:click=move |_| preferences.choose_theme(choice)>
                {icon(symbol)}{t(name)}
            </button>
        }
    };
    let language = move |choice: Language, name: &'static str| {
        view! {
            <button type="button" class="menu-item" lang=choice.tag() aria-pressed=move || (preferences.language.get() == choice).to_string() on:click=move |_| preferences.choose_language(choice)>
                {icon("languages")}{name}
            </button>
        }
    };
    view! {
        <div class="appearance">
            <Popover open=open label=t(say::APPEARANCE).to_owned() class="rail-item" button=button>
                <div class="menu">
                    <h3 class="menu-head">{t(say::THEME)}</h3>
                    {theme(ThemeChoice::Dark, say::THEME_DARK, "moon")}
                    {theme(ThemeChoice::Light, say::THEME_LIGHT, "sun")}
                    {theme(ThemeChoice::System, say::THEME_SYSTEM, "monitor")}
                    <h3 class="menu-head">{t(say::LANGUAGE)}</h3>
                    {language(Language::English, "English")}
                    {language(Language::Korean, "한국어")}
                </div>
            </Popover>
        </div>
    }
}

/// Which deployment environment; there only when there is a choice.
#[component]
fn EnvironmentFilter(services: Signal<Vec<ServiceRef>>) -> impl IntoView {
    let (nav, scope) = (nav(), scope());
    let environments = Memo::new(move |_| {
        let mut names: Vec<String> = services.with(|services| {
            services.iter().map(|service| service.environment.clone()).filter(|name| !name.is_empty()).collect()
        });
        names.extend(scope.environment.get());
        names.sort_unstable();
        names.dedup();
        names
    });
    let choose = move |event: web_sys::Event| nav.set(&[("env", Some(event_target_value(&event)))]);
    view! {
        <Show when=move || environments.with(|names| names.len() > 1) || scope.environment.with(Option::is_some)>
            <select class="select" aria-label=t(say::ENVIRONMENT) on:change=choose prop:value=move || scope.environment.get().unwrap_or_default()>
                <option value="">{t(say::ALL_ENVIRONMENTS)}</option>
                {move || environments.get().into_iter().map(|name| {
                    let chosen = scope.environment.with_untracked(|now| now.as_deref() == Some(name.as_str()));
                    view! { <option value=name.clone() selected=chosen>{name.clone()}</option> }
                }).collect_view()}
            </select>
        </Show>
    }
}
