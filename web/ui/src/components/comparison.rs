//! Choosing the range that another is compared with.

use crate::compare::Comparison;
use crate::components::icon::icon;
use crate::components::popover::Popover;
use crate::figures::input_value;
use crate::scope::Scope;
use crate::words::{Phrase, say, t};
use leptos::html;
use leptos::prelude::*;

/// A button that opens the choice; `choose` is called with what was chosen.
pub(crate) fn picker(comparison: Memo<Option<Comparison>>, scope: Scope, choose: Callback<Comparison>) -> AnyView {
    let open = RwSignal::new(false);
    let choose = Callback::new(move |comparison| {
        choose.run(comparison);
        open.set(false);
    });
    let preset = move |preset: Comparison| {
        let here = move || (comparison.get() == Some(preset)).then_some("true");
        view! { <li><button type="button" class="menu-item" aria-current=here on:click=move |_| choose.run(preset)>{t(words(preset))}</button></li> }
    };
    let button = view! { {icon("diff")}<span class="button-text">{t(say::COMPARE)}</span> }.into_any();
    view! {
        <Popover open=open label=t(say::COMPARE).to_owned() class="button button-quiet" end=true button=button>
            <div class="picker picker-compare">
                <ul class="menu" aria-label=t(say::COMPARE_WITH)>{Comparison::PRESETS.map(preset).into_iter().collect_view()}</ul>
                {moments(comparison, scope, choose)}
            </div>
        </Popover>
    }
    .into_any()
}

fn words(comparison: Comparison) -> Phrase {
    match comparison {
        Comparison::Previous => say::COMPARE_PREVIOUS,
        Comparison::Day => say::COMPARE_DAY,
        Comparison::Week => say::COMPARE_WEEK,
        Comparison::Between(..) => say::COMPARE_OWN,
    }
}

fn moments(comparison: Memo<Option<Comparison>>, scope: Scope, choose: Callback<Comparison>) -> AnyView {
    let (from, to) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    let wrong = RwSignal::new(false);
    let before = comparison.get_untracked().unwrap_or(Comparison::Previous);
    let window = before.window(scope.window.get_untracked());
    let apply = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let millis = |node: NodeRef<html::Input>| {
            node.get_untracked().map(|input| js_sys::Date::parse(&input.value())).filter(|at| at.is_finite())
        };
        match (millis(from), millis(to)) {
            (Some(from), Some(to)) if from < to => choose.run(Comparison::Between(from as i64, to as i64)),
            _ => wrong.set(true),
        }
    };
    view! {
        <form class="moments" on:submit=apply>
            <label class="field">{t(say::FROM)}<input class="input" type="datetime-local" step="1" node_ref=from prop:value=input_value(window.from) /></label>
            <label class="field">{t(say::TO)}<input class="input" type="datetime-local" step="1" node_ref=to prop:value=input_value(window.to) /></label>
            <Show when=move || wrong.get()><p class="field-error" role="alert">{t(say::RANGE_WRONG)}</p></Show>
            <button type="submit" class="button button-primary">{t(say::COMPARE)}</button>
        </form>
    }
    .into_any()
}
