//! The time range, always on screen.

use crate::components::icon::icon;
use crate::components::popover::Popover;
use crate::figures::{input_value, range_label};
use crate::nav::nav;
use crate::range::{PRESETS, TimeRange};
use crate::scope::scope;
use crate::words::{say, t};
use leptos::html;
use leptos::prelude::*;

/// Presets and two moments.
#[component]
pub(crate) fn TimePicker() -> impl IntoView {
    let (nav, scope) = (nav(), scope());
    let open = RwSignal::new(false);
    let text = move || range_label(scope.range.get());
    let label = Signal::derive(move || format!("{}: {}", t(say::TIME_RANGE), text()));
    let button = view! { {icon("clock")}<span class="button-text">{text}</span>{icon("chevron-down")} }.into_any();
    view! {
        <Popover open=open label=label end=true button=button>
            <div class="picker">
                <ul class="menu" aria-label=t(say::TIME_RANGE)>
                    {PRESETS.map(|(_, seconds)| {
                        let range = TimeRange::Last(seconds);
                        let choose = move |_| {
                            nav.set_range(range);
                            open.set(false);
                        };
                        view! {
                            <li><button type="button" class="menu-item" aria-current=move || (scope.range.get() == range).then_some("true") on:click=choose>
                                {range_label(range)}
                            </button></li>
                        }
                    }).collect_view()}
                </ul>
                <Moments open=open />
            </div>
        </Popover>
    }
}

#[component]
fn Moments(open: RwSignal<bool>) -> impl IntoView {
    let (nav, scope) = (nav(), scope());
    let (from, to) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    let wrong = RwSignal::new(false);
    let window = scope.window.get_untracked();
    let apply = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let millis = |node: NodeRef<html::Input>| {
            node.get_untracked().map(|input| js_sys::Date::parse(&input.value())).filter(|at| at.is_finite())
        };
        match (millis(from), millis(to)) {
            (Some(from), Some(to)) if from < to => {
                nav.set_range(TimeRange::Between(from as i64, to as i64));
                open.set(false);
            }
            _ => wrong.set(true),
        }
    };
    view! {
        <form class="moments" on:submit=apply>
            <label class="field">{t(say::FROM)}<input class="input" type="datetime-local" step="1" node_ref=from prop:value=input_value(window.from) /></label>
            <label class="field">{t(say::TO)}<input class="input" type="datetime-local" step="1" node_ref=to prop:value=input_value(window.to) /></label>
            <Show when=move || wrong.get()><p class="field-error" role="alert">{t(say::RANGE_WRONG)}</p></Show>
            <button type="submit" class="button button-primary">{t(say::APPLY)}</button>
        </form>
    }
}

/// Whether new data comes by itself.
#[component]
pub(crate) fn LiveToggle() -> impl IntoView {
    let (nav, scope) = (nav(), scope());
    let toggle = move |_| match (scope.range.get_untracked().is_moving(), scope.live.get_untracked()) {
        (true, true) => nav.replace(&[("live", Some("off".to_owned()))]),
        (true, false) => {
            nav.replace(&[("live", None)]);
            scope.refresh();
        }
        (false, _) => nav.set(&[("live", None), ("from", None), ("to", None), ("range", None)]),
    };
    view! {
        <button type="button" class="button live-button" class:is-live=move || scope.live.get() aria-pressed=move || scope.live.get().to_string() on:click=toggle title=t(say::LIVE_HINT)>
            <span class="live-dot" aria-hidden="true"></span><span>{t(say::LIVE)}</span>
        </button>
    }
}
