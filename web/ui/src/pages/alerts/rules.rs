//! Rules: what each watches, how it stands, what it costs; on and off by one click.

use super::kept::{Kept, kept, says};
use super::row::glyph;
use super::{api, rule_path};
use crate::alerting::answers::{RuleList, RuleStatus};
use crate::alerting::document::{at, put, text};
use crate::alerting::says::{origin_word, severity_glyph, severity_word, tiers, watches};
use crate::client::{Load, ask, change, load};
use crate::components::icon::icon;
use crate::components::panel::panel;
use crate::components::state::empty;
use crate::figures::ago;
use crate::nav::nav;
use crate::scope::{now_nanos, scope};
use crate::words::{Phrase, say, t, tell, tf};
use leptos::prelude::*;
use orrery_api::alerting::RuleOrigin;
use orrery_api::paths;
use orrery_chart::Unit;
use serde_json::Value;
use std::sync::Arc;
use wasm_bindgen_futures::spawn_local;

/// `/alerts/rules`.
pub(super) fn rules() -> AnyView {
    let (nav, scope) = (nav(), scope());
    let list = load::<RuleList>(move || {
        scope.window.track();
        Some(ask(paths::ALERT_RULES, &[]))
    });
    let find = nav.param("q");
    let wrong = RwSignal::new(String::new());
    let make = move || view! { <a class="button button-primary" href=move || nav.href("/alerts/rules/new/requests", &[])>{icon("plus")}{t(tell::NEW_RULE)}</a> };
    let tools = view! {
        <input class="input" type="search" placeholder=t(tell::FIND_RULE) aria-label=t(tell::FIND_RULE) prop:value=move || find.get().unwrap_or_default()
            on:input=move |event| nav.replace(&[("q", Some(event_target_value(&event)))]) />
        {make()}
    };
    let body = move |data: Signal<Arc<RuleList>>| {
        let found = Memo::new(move |_| {
            let wanted = find.get().unwrap_or_default().to_lowercase();
            data.with(|data| {
                let mut found: Vec<RuleStatus> =
                    data.rules.iter().filter(|status| fits(status, &wanted)).cloned().collect();
                found.sort_by_key(|status| {
                    let worst = tiers_worst(&status.rule);
                    (std::cmp::Reverse((status.state, worst)), text(&status.rule, "name"))
                });
                found
            })
        });
        let name = |status: &RuleStatus| text(&status.rule, "name");
        let rows = kept(found, name, move |name, status| row(name, status, list, wrong));
        view! {
            <Show when=move || wrong.with(|wrong| !wrong.is_empty())><p class="field-error panel-note" role="alert">{move || wrong.get()}</p></Show>
            <div class="table-wrap"><table class="table table-rules">
                <thead><tr>
                    <th scope="col" class="col-switch"><span class="sr-only">{t(tell::ON_OR_OFF)}</span></th><th scope="col" class="col-glyph"><span class="sr-only">{t(say::STATUS)}</span></th>
                    <th scope="col">{t(tell::RULE)}</th><th scope="col">{t(tell::WHEN_BAD)}</th><th scope="col" class="num col-mid">{t(tell::FIRED_IN_WEEK)}</th>
                    <th scope="col" class="num col-wide">{t(tell::INSTANCES)}</th><th scope="col" class="num col-wide">{t(tell::COST)}</th><th scope="col" class="col-wide">{t(tell::ORIGIN)}</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
        }
        .into_any()
    };
    let none = move |_: &RuleList| empty(t(tell::NO_RULES), Some(make().into_any()));
    panel(t(tell::RULES), Some(tools.into_any()), list, |list: &RuleList| list.rules.is_empty(), none, body)
}

fn fits(status: &RuleStatus, wanted: &str) -> bool {
    let said = format!("{} {}", text(&status.rule, "name"), watches(&status.rule["measure"])).to_lowercase();
    wanted.split_whitespace().all(|word| said.contains(word))
}

fn row(name: String, status: Kept<RuleStatus>, list: Load<RuleList>, wrong: RwSignal<String>) -> AnyView {
    let nav = nav();
    let path = rule_path(&name);
    let about = says(status, |status| {
        let description = text(&status.rule, "description");
        view! { <span class="hint" title=description>{watches(&status.rule["measure"])}</span> }
    });
    let error = says(status, |status| {
        status.error.clone().map(|error| view! { <span class="rule-error is-err">"◆ "{error}</span> })
    });
    let firing = says(status, |status| {
        let badge = |class: &'static str, phrase: Phrase, n: u32| {
            (n > 0).then(|| view! { <span class=class>{tf(phrase, &[("n", &n.to_string())])}</span> })
        };
        let firing = badge("badge badge-err", tell::N_FIRING, status.firing);
        view! { {firing}{badge("badge badge-unknown", tell::N_PENDING, status.pending)} }
    });
    let origin = says(status, |status| {
        let badge = if status.origin == RuleOrigin::User { "badge" } else { "badge badge-unknown" };
        view! { <span class=badge>{origin_word(status.origin)}</span> }
    });
    let is_off = move || says(status, |status| !is_on(&status.rule))().unwrap_or(false);
    // Those of objectives come and go with them.
    let can_switch = status.with_untracked(|status| status.as_ref().is_some_and(|it| it.origin != RuleOrigin::Slo));
    view! {
        <tr class:is-off=is_off>
            <td class="col-switch">{can_switch.then(|| switch(name.clone(), status, list, wrong))}</td>
            <td class="col-glyph">{says(status, mark)}</td>
            <th scope="row" class="cell-name"><span class="name-stack"><a href=move || nav.href(&path, &[])>{name.clone()}</a>{about}{error}</span>{firing}</th>
            <td>{says(status, levels)}</td>
            <td class="num col-mid">{says(status, |status| status.fired_in_week)}</td>
            <td class="num col-wide">{says(status, |status| status.instances)}</td>
            <td class="num col-wide">{says(status, costs)}</td>
            <td class="col-wide">{origin}</td>
        </tr>
    }
    .into_any()
}

/// How it stands.
fn mark(status: &RuleStatus) -> AnyView {
    match (is_on(&status.rule), status.judged_unix_nano) {
        (false, _) => view! { <span class="glyph is-quiet" title=t(tell::OFF)><span aria-hidden="true">"○"</span><span class="sr-only">{t(tell::OFF)}</span></span> }.into_any(),
        (true, None) => view! { <span class="glyph is-quiet" title=t(tell::NOT_JUDGED)><span aria-hidden="true">"○"</span><span class="sr-only">{t(tell::NOT_JUDGED)}</span></span> }.into_any(),
        (true, Some(_)) => glyph(status.state, tiers_worst(&status.rule)),
    }
}

/// How bad it is when.
fn levels(status: &RuleStatus) -> AnyView {
    let tier = |(severity, when)| {
        let (symbol, class) = severity_glyph(severity);
        let word = severity_word(severity);
        view! { <span class="tier" title=word><span class=class aria-hidden="true">{symbol}</span><span class="sr-only">{word}</span>{when}</span> }
    };
    view! { <span class="tiers">{tiers(&status.rule).into_iter().map(tier).collect_view()}</span> }.into_any()
}

fn costs(status: &RuleStatus) -> AnyView {
    let judged = status.judged_unix_nano.map(|at| tf(tell::JUDGED, &[("ago", &ago(at.0, now_nanos()))]));
    let cost = Unit::Ratio.format(status.cost).to_string();
    let took = Unit::Micros.format(status.took_micros as f64).to_string();
    view! { <span title=judged>{took}" "<span class="hint">{tf(tell::OF_A_CORE, &[("share", &cost)])}</span></span> }
        .into_any()
}

fn tiers_worst(rule: &Value) -> orrery_api::alerting::AlertSeverity {
    tiers(rule).first().map(|tier| tier.0).unwrap_or_default()
}

/// A rule is on unless it says otherwise.
pub(super) fn is_on(rule: &Value) -> bool {
    at(rule, "enabled") != Some(&Value::Bool(false))
}

/// Turns a rule on or off, at once. Who clicks again before that is kept means what was clicked last.
fn switch(name: String, status: Kept<RuleStatus>, list: Load<RuleList>, wrong: RwSignal<String>) -> AnyView {
    let kept = Memo::new(move |_| status.with(|status| status.as_ref().is_some_and(|status| is_on(&status.rule))));
    let on = RwSignal::new(kept.get_untracked());
    let busy = RwSignal::new(false);
    Effect::new(move |_| {
        let kept = kept.get();
        if !busy.get_untracked() {
            on.set(kept);
        }
    });
    let label = tf(tell::SWITCH_WHAT, &[("name", &name)]);
    let click = move |_| {
        let Some(status) = status.get_untracked() else { return };
        on.update(|on| *on = !*on);
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        let (mut rule, url) = (status.rule, api(paths::ALERT_RULE, &name));
        spawn_local(async move {
            while let Some(wanted) = on.try_get_untracked() {
                put(&mut rule, "enabled", (!wanted).then_some(Value::Bool(false)));
                match change::<RuleStatus>("PUT", &url, Some(&rule)).await {
                    Ok(_) => drop(wrong.try_set(String::new())),
                    Err(failure) => {
                        on.try_set(!wanted);
                        wrong.try_set(failure.detail);
                        break;
                    }
                }
                if on.try_get_untracked() == Some(wanted) {
                    break;
                }
            }
            busy.try_set(false);
            list.progress.retry();
        });
    };
    view! {
        <button type="button" class="toggle" role="switch" aria-checked=move || on.get().to_string() aria-label=label.clone() title=label aria-busy=move || busy.get().to_string() on:click=click><span class="toggle-dot"></span></button>
    }
    .into_any()
}
