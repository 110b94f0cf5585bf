//! Alerts: what fires, the rules that say so, what was promised, and whom it is told.

mod act;
mod channels;
mod detail;
mod dialog;
mod editor;
mod fields;
mod flags;
mod found;
mod kept;
mod list;
mod machine;
mod query;
mod routes;
mod row;
mod rules;
mod sheet;
mod silences;
mod slos;
mod track;
mod watch;

use crate::components::icon::icon;
use crate::nav::nav;
use crate::pages::chunks::chunks;
use crate::pages::part;
use crate::words::{Phrase, t, tell};
use leptos::prelude::*;

chunks! {
    /// What fires, for every page: asked again and again.
    pub(crate) WATCH alerts_watch |_: ()| watch::watch();
    /// A rule, field by field, and what it would have said.
    pub(crate) EDITOR alerts_editor |rule: Edited| match rule {
        Edited::New(signal) => editor::create(&signal),
        Edited::Kept(name) => editor::editor(name),
    };
    /// What a rule measures of traces: nearly all of it is the page of traces' own.
    IN_TRACEQL traces_rule |draft: fields::Draft| query::bar(draft);
    /// What a rule measures with a statement: nearly all of it is the console's own.
    IN_SQL sql_rule |draft: fields::Draft| sheet::sheet(draft);
    /// What is wrong where an alert's trouble begins: nearly all of it is the overview's own.
    FOUND overview_found |all: std::sync::Arc<Vec<orrery_api::Finding>>| found::found(&all);
    /// Objectives.
    SLOS alerts_slos |_: ()| slos::slos();
    /// Whom to tell, and of what.
    WHOM alerts_whom |_: ()| channels::channels();
}

/// Which rule is edited.
#[derive(Clone)]
pub(crate) enum Edited {
    /// One that is not kept yet, about a signal.
    New(String),
    /// One by its name.
    Kept(String),
}

/// The pages below `/alerts`.
const PAGES: [(&str, Phrase, &str); 5] = [
    ("/alerts", tell::ALERTS, "bell"),
    ("/alerts/rules", tell::RULES, "funnel"),
    ("/alerts/slos", tell::SLOS, "target"),
    ("/alerts/channels", tell::CHANNELS, "send"),
    ("/alerts/silences", tell::SILENCES, "bell-off"),
];

/// The page of an address below `/alerts`.
pub(crate) fn page() -> AnyView {
    let segments = nav().place_now().segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let body = match segments[..] {
        ["alerts"] => list::list(),
        ["alerts", "rules"] => rules::rules(),
        ["alerts", "rules", "new", signal] => part(EDITOR, Edited::New(signal.to_owned())),
        ["alerts", "rules", name] => part(EDITOR, Edited::Kept(name.to_owned())),
        ["alerts", "slos"] => part(SLOS, ()),
        ["alerts", "channels"] => part(WHOM, ()),
        ["alerts", "silences"] => silences::silences(),
        ["alerts", id] => detail::detail(id.to_owned()),
        _ => return super::not_found(),
    };
    view! { <div class="page alerting">{tabs()}{body}</div> }.into_any()
}

fn tabs() -> AnyView {
    let nav = nav();
    let here = nav.place_now().path;
    let is_here = |path: &str| match path {
        "/alerts" => PAGES[1..].iter().all(|(other, ..)| !here.starts_with(other)),
        path => here.starts_with(path),
    };
    let tab = |(path, name, symbol): (&'static str, Phrase, &'static str)| {
        let current = is_here(path).then_some("page");
        view! { <a class="tab" href=move || nav.href(path, &[]) aria-current=current>{icon(symbol)}{t(name)}</a> }
    };
    view! { <nav class="tabs" aria-label=t(tell::ALERTS)>{PAGES.map(tab).collect_view()}</nav> }.into_any()
}

/// Where a rule is edited.
fn rule_path(name: &str) -> String {
    format!("/alerts/rules/{}", crate::address::encode_segment(name))
}

/// A path of the API with the name or id of what it is about.
fn api(path: &str, name: &str) -> String {
    path.replace("{id}", &crate::address::encode_segment(name))
}
