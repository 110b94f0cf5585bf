//! Only services with spans that have an attribute. Rollups know nothing of attributes: spans are counted.

use super::Model;
use crate::address::Params;
use crate::client::{Load, ask, load};
use crate::components::icon::icon;
use crate::components::popover::Popover;
use crate::components::state::chips;
use crate::nav::Nav;
use crate::query::of_filters;
use crate::scope::Scope;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::{TraceSeries, TraceSeriesList, paths};
use orrery_model::ServiceKey;
use serde_json::Value;
use std::collections::BTreeSet;

/// The attribute of the address, `key=value`.
const PARAM: &str = "with";

/// Counts spans with the attribute by service.
pub(super) fn load_having(nav: Nav, scope: Scope) -> Load<TraceSeriesList> {
    let wanted = nav.param(PARAM);
    load(move || {
        let mut params = Params::default();
        params.set("attr", Some(wanted.get()?));
        let window = scope.window.get();
        let by = "by (resource.service.namespace, resource.service.name, resource.deployment.environment.name)";
        let asked = format!("{} | count_over_time() {by}", of_filters(&params)?);
        let step = format!("{}ns", window.to - window.from);
        let query = [("from", window.from.to_string()), ("to", window.to.to_string()), ("q", asked), ("step", step)];
        Some(ask(paths::TRACE_SERIES, &query).chosen(scope.range.get()))
    })
}

/// Ids of the services counted; `None` while no attribute is asked for.
pub(super) fn services(counted: &TraceSeriesList) -> BTreeSet<String> {
    let id = |series: &TraceSeries| {
        let text = |at: usize| match series.labels.get(at).map(|label| &label.value) {
            Some(Value::String(text)) => text.clone(),
            _ => String::new(),
        };
        ServiceKey { namespace: text(0), name: text(1), environment: text(2) }.to_string()
    };
    counted.series.iter().map(id).collect()
}

/// The button beside the kinds.
pub(super) fn control(model: Model) -> AnyView {
    let open = RwSignal::new(false);
    let wanted = model.nav.param(PARAM);
    let typed = RwSignal::new(String::new());
    Effect::new(move |_| typed.set(wanted.get().unwrap_or_default()));
    let is_good = Memo::new(move |_| {
        typed.with(|typed| {
            typed.trim().is_empty()
                || typed.split_once('=').is_some_and(|(key, value)| !key.trim().is_empty() && !value.trim().is_empty())
        })
    });
    let choose = move || {
        if is_good.get_untracked() {
            let text = typed.with_untracked(|typed| typed.trim().to_owned());
            model.nav.set(&[(PARAM, (!text.is_empty()).then_some(text))]);
            open.set(false);
        }
    };
    let key = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Enter" {
            choose();
        }
    };
    let button = view! { {icon("link-2")}<span class="button-text">{t(say::HAVING)}</span> }.into_any();
    view! {
        <Popover open=open label=t(say::HAVING).to_owned() class="button button-quiet" end=true button=button>
            <div class="cut having">
                <label class="having-field"><span>{t(say::HAVING_HINT)}</span>
                    <input class="input mono" type="text" placeholder="customer.tier=gold" spellcheck="false" autocomplete="off" prop:value=move || typed.get()
                        aria-invalid=move || (!is_good.get()).to_string() on:input=move |event| typed.set(event_target_value(&event)) on:keydown=key /></label>
                <p class="hint" role="status">{move || (!is_good.get()).then(|| t(say::HAVING_FORM))}</p>
                <div class="actions"><button type="button" class="button button-primary" disabled=move || !is_good.get() on:click=move |_| choose()>{t(say::APPLY)}</button></div>
            </div>
        </Popover>
    }
    .into_any()
}

/// Which attribute the map is about, and the way back.
pub(super) fn bar(model: Model) -> AnyView {
    let wanted = model.nav.param(PARAM);
    let words = move || wanted.get().map(|attribute| tf(say::HAVING_BAR, &[("attribute", &attribute)]));
    let counts = move || {
        let (shown, all) = model.scene.with(|scene| (scene.shown(), scene.total));
        tf(say::SHOWN_OF, &[("n", &shown.to_string()), ("all", &all.to_string())])
    };
    view! {
        <Show when=move || wanted.with(Option::is_some)>
            <div class="map-bar"><b>{words}</b><span class="hint">{counts}</span>{chips(model.having)}<span class="grow"></span>
                <button type="button" class="button" on:click=move |_| model.nav.set(&[(PARAM, None)])>{icon("x")}{t(say::SHOW_ALL)}</button></div>
        </Show>
    }
    .into_any()
}
