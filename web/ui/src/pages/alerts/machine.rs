//! The time machine: what a rule would have said, while it is written.

use super::editor::Model;
use super::fields::settled;
use super::track::legend as colours;
use crate::alerting::draw::{Look, chart, told};
use crate::alerting::form::tidy;
use crate::alerting::says::{instance, replayed};
use crate::client::{Load, ask, load};
use crate::components::chart::TimeChart;
use crate::components::state::{chips, empty, loaded};
use crate::figures::{range_label, utc_offset};
use crate::nav::nav;
use crate::range::TimeRange;
use crate::scope::scope;
use crate::words::{t, tell, tf};
use leptos::prelude::*;
use orrery_api::Range;
use orrery_api::alerting::{Replay, ReplayedInstance, ReplayedRule};
use orrery_api::paths;
use orrery_chart::Unit;
use serde_json::{Value, json};
use std::sync::Arc;

/// Charts shown at first.
const CHARTS: usize = 4;
/// How long a rule stands still before it is replayed, milliseconds.
const STILL: u64 = 400;
/// Ranges offered, seconds.
const RANGES: [i64; 4] = [3_600, 86_400, 604_800, 2_592_000];

/// What the draft, and beside it what is kept, would have said.
pub(super) fn machine(model: Model) -> AnyView {
    let (nav, scope) = (nav(), scope());
    let compare = RwSignal::new(false);
    let rules = settled(
        move || {
            let draft = tidy(&model.draft.get());
            let saved = model.saved.get().filter(|_| compare.get());
            [Some(named(draft)), saved.map(|saved| tidy(&saved))].into_iter().flatten().collect::<Vec<Value>>()
        },
        STILL,
    );
    let replay: Load<Replay> = load(move || {
        scope.range.track();
        // Nobody replays a month every ten seconds.
        if !scope.live.get() {
            scope.window.track();
        }
        let window = scope.window.get_untracked();
        let range = [("from", window.from.to_string()), ("to", window.to.to_string())];
        let body = json!({ "rules": rules.get(), "notify": true });
        Some(ask(paths::ALERT_REPLAY, &range).posting(body.to_string()).chosen(scope.range.get()))
    });
    Effect::new(move |_| model.faults.put(replay.progress.failure.get(), "rules.0."));
    let range = move |seconds: i64| {
        let range = TimeRange::Last(seconds);
        view! { <button type="button" class="button button-quiet" aria-pressed=move || (scope.range.get() == range).to_string() on:click=move |_| nav.set_range(range)>{range_label(range)}</button> }
    };
    let can_compare = move || model.saved.with(Option::is_some);
    let toggle = move || view! { <label class="check"><input type="checkbox" prop:checked=move || compare.get() on:change=move |event| compare.set(event_target_checked(&event)) />{t(tell::COMPARE_SAVED)}</label> };
    let body = move |data: Signal<Arc<Replay>>| {
        let drafts = move || {
            data.with(|replay| {
                let beside = replay.drafts.len() > 1;
                let shown = replay.drafts.iter().enumerate().map(|(at, draft)| {
                    let title = beside.then(|| t(if at == 0 { tell::THIS_DRAFT } else { tell::AS_SAVED }));
                    said(draft, replay.range, title)
                });
                view! { <div class:columns={beside}>{shown.collect_view()}</div><p class="hint panel-note">{took(replay)}</p> }
            })
        };
        view! { {drafts} }.into_any()
    };
    view! {
        <section class="panel machine" aria-label=t(tell::TIME_MACHINE)>
            <header class="panel-head"><h2>{t(tell::TIME_MACHINE)}</h2>{chips(replay)}<span class="grow"></span><div class="switch" role="group" aria-label=t(tell::TIME_MACHINE)>{RANGES.map(range)}</div></header>
            <Show when=can_compare><div class="panel-note">{toggle()}</div></Show>
            {loaded(replay, |_| false, |_| ().into_any(), body)}
            {refused(replay)}
        </section>
    }
    .into_any()
}

/// Replaying needs no name, but the document does.
fn named(mut rule: Value) -> Value {
    if crate::alerting::document::text(&rule, "name").is_empty() {
        crate::alerting::document::put(&mut rule, "name", Some(json!("draft")));
    }
    rule
}

/// Why what is written now cannot be replayed, above what was before.
fn refused(replay: Load<Replay>) -> AnyView {
    let failure = move || {
        let failure = replay.progress.failure.get().filter(|_| replay.data.with(Option::is_some))?;
        Some(view! { <p class="field-error panel-note" role="alert">{failure.detail}</p> })
    };
    view! { {failure} }.into_any()
}

fn took(replay: &Replay) -> String {
    let judgements: u64 = replay.drafts.iter().map(|draft| draft.judgements).sum();
    let time = Unit::Millis.format(f64::from(replay.took_millis)).to_string();
    tf(tell::REPLAY_TOOK, &[("n", &orrery_chart::grouped(judgements as usize)), ("time", &time)])
}

fn said(draft: &ReplayedRule, range: Range, title: Option<&'static str>) -> AnyView {
    let window = crate::range::Window { from: range.from.0, to: range.to.0 };
    let range_words = match scope().range.get_untracked() {
        moving @ TimeRange::Last(_) => range_label(moving),
        TimeRange::Between(..) => crate::figures::window_label(window),
    };
    let firing = (draft.firing_nanos.0 > 0).then(|| {
        let length = Unit::Nanos.format(draft.firing_nanos.0 as f64).to_string();
        view! { <span class="hint">{tf(tell::FIRING_FOR, &[("time", &length), ("n", &draft.instances.to_string())])}</span> }
    });
    let verdict = if draft.fired > 0 { "replay-said is-firing" } else { "replay-said" };
    let all = RwSignal::new(false);
    let series = StoredValue::new((draft.clone(), range));
    let count = draft.series.len();
    let charts = move || {
        series.with_value(|(draft, range)| {
            let most = if all.get() { usize::MAX } else { CHARTS };
            draft.series.iter().take(most).map(|instance| picture(draft, instance, *range)).collect_view()
        })
    };
    let more = (count > CHARTS).then(|| {
        view! { <Show when=move || !all.get()><div class="more"><button type="button" class="button" on:click=move |_| all.set(true)>{tf(tell::SHOW_ALL, &[("n", &count.to_string())])}</button></div></Show> }
    });
    let none = (count == 0).then(|| empty(t(tell::NO_VALUES), None));
    view! {
        <div class="replay">
            {title.map(|title| view! { <h3>{title}</h3> })}
            <p class=verdict role="status">{replayed(draft.fired, draft.notified, &range_words)}" "{firing}</p>
            {charts}{more}{none}{(count > 0).then(colours)}
        </div>
    }
    .into_any()
}

fn picture(draft: &ReplayedRule, one: &ReplayedInstance, range: Range) -> AnyView {
    let name = instance(&one.labels);
    let name = if name.is_empty() { t(tell::ALL_TOGETHER).to_owned() } else { name };
    let look = Look { title: &name, range, unit: draft.unit };
    let spec = chart(look, &one.points, &one.states, &told(&draft.events, &one.id));
    let spec = orrery_chart::ChartSpec { utc_offset_minutes: utc_offset(), ..spec };
    let spec = Memo::new(move |_| spec.clone());
    view! { <figure class="replay-chart"><figcaption class="clamp">{name}</figcaption><TimeChart spec=spec height=130.0 /></figure> }.into_any()
}
