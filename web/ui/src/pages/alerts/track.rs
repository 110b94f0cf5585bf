//! What was when, as spans on a line of time.

use crate::alerting::draw::{ink, place};
use crate::alerting::says::{severity_word, state_word};
use crate::figures::{time, utc_offset};
use crate::words::{t, tell, tf};
use leptos::prelude::*;
use orrery_api::Range;
use orrery_api::alerting::StateSpan;

/// Spans of one thing.
pub(super) fn track(spans: &[StateSpan], range: Range) -> AnyView {
    let span = |span: &StateSpan| {
        let (from, width) = place(span, range);
        let style =
            format!("left:{from}%;width:{width}%;background:{}", ink(span.state, span.severity).token.css_var());
        let title = format!(
            "{} · {} · {} – {}",
            state_word(span.state),
            severity_word(span.severity),
            time(span.from.0),
            time(span.to.0)
        );
        view! { <span class="track-span" style=style title=title></span> }
    };
    let said = tf(tell::N_TIMES, &[("n", &spans.len().to_string())]);
    view! { <span class="track" role="img" aria-label=said>{spans.iter().map(span).collect_view()}</span> }.into_any()
}

/// The times below.
pub(super) fn axis(range: Range) -> AnyView {
    let width = (range.to.0 - range.from.0).max(1) as f64;
    let tick = |tick: orrery_chart::TimeTick| {
        let at = (tick.at - range.from.0) as f64 / width * 100.0;
        (3.0..97.0)
            .contains(&at)
            .then(|| view! { <span class="track-tick" style=format!("left:{at}%")>{tick.label}</span> })
    };
    let ticks = orrery_chart::ticks::time_ticks(range.from.0, range.to.0, utc_offset(), 6);
    view! { <span class="track track-axis" aria-hidden="true">{ticks.into_iter().map(tick).collect_view()}</span> }
        .into_any()
}

/// What the colours mean.
pub(super) fn legend() -> AnyView {
    use orrery_api::alerting::{AlertSeverity, AlertState};
    let item = |state: AlertState, severity: AlertSeverity, word: &'static str| {
        let style = format!("background:{}", ink(state, severity).token.css_var());
        view! { <li><span class="swatch" style=style></span>{word}</li> }
    };
    view! {
        <ul class="legend">
            {item(AlertState::Firing, AlertSeverity::Critical, t(tell::CRITICAL))}
            {item(AlertState::Firing, AlertSeverity::Warning, t(tell::WARNING))}
            {item(AlertState::Firing, AlertSeverity::Info, t(tell::INFO))}
            {item(AlertState::Pending, AlertSeverity::Info, t(tell::STATE_PENDING))}
        </ul>
    }
    .into_any()
}
