//! Where a span's duration stands among the calls of its operation, in the day before.

use super::Model;
use super::drawer::kind;
use crate::client::{Load, ask, load};
use crate::components::figure::duration_text;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::{Nanos, Standing, paths};
use orrery_chart::{Unit, grouped};

/// The day before a span, and a moment after it.
const DAY: i64 = 86_400_000_000_000;
const AFTER: i64 = 60_000_000_000;

/// Asks; nothing where the trace is from a file.
fn load_of(model: Model, at: u32) -> Load<Standing> {
    let (span, name) = model.waterfall.with_untracked(|waterfall| (*waterfall.span(at), waterfall.name(at).to_owned()));
    let service =
        model.facts.with_value(|facts| facts.services.get(span.service as usize).cloned()).unwrap_or_default();
    let wanted = (!model.is_file()).then(|| {
        ask(
            paths::STANDING,
            &[
                ("from", span.start.saturating_sub(DAY).to_string()),
                ("to", span.end().saturating_add(AFTER).to_string()),
                ("service", service.id),
                ("operation", name),
                ("kind", kind(span.kind).to_owned()),
                ("duration", span.duration.max(0).to_string()),
            ],
        )
    });
    load::<Standing>(move || wanted.clone())
}

/// p98, with a decimal where hardly any are slower.
fn percentile(share: f64) -> String {
    match share * 100.0 {
        p if p >= 99.0 => format!("p{:.1}", p.min(99.9)),
        p => format!("p{}", p.floor()),
    }
}

/// Class and words: which are quiet where nothing is unusual.
fn said(standing: &Standing) -> (&'static str, String) {
    let class = match standing.about {
        p if p >= 0.99 => "is-err",
        p if p >= 0.95 => "is-warn",
        _ => "",
    };
    // Only what is certain is called the slowest.
    let slowest = standing.red.count >= 20.0 && standing.at_least * standing.red.count >= standing.red.count - 1.5;
    let text = if slowest {
        t(say::STANDS_SLOWEST).to_owned()
    } else {
        tf(say::STANDS_AT, &[("p", &percentile(standing.about))])
    };
    (class, text)
}

fn bounds(standing: &Standing) -> String {
    let calls = grouped(standing.red.count.round() as usize);
    let text = |share: f64| Unit::Ratio.format(share).to_string();
    let (low, high) = (text(standing.at_least), text(standing.at_most));
    let share = if low == high { low } else { format!("{low} – {high}") };
    tf(say::STANDS_BETWEEN, &[("share", &share), ("n", &calls)])
}

/// One line among the facts of a span.
pub(super) fn note(model: Model, at: u32) -> AnyView {
    let standing = load_of(model, at);
    let said = move || {
        standing.data.with(|standing| {
            let standing = standing.as_ref().filter(|standing| standing.red.count >= 2.0)?;
            let (class, text) = said(standing);
            let red = &standing.red;
            let text_of = |nanos: Option<Nanos>| nanos.map(duration_text).unwrap_or_default();
            let quantiles = format!(
                "p50 {} · p95 {} · p99 {}",
                text_of(red.p50_nanos),
                text_of(red.p95_nanos),
                text_of(red.p99_nanos)
            );
            Some(view! { <p class="span-note standing" title=bounds(standing)><b class=class>{text}</b><span class="hint">{bounds(standing)}</span><span class="hint">{quantiles}</span></p> })
        })
    };
    view! { {said} }.into_any()
}

/// One fact of a trace: where its root stands.
pub(super) fn fact(model: Model, at: u32) -> AnyView {
    let standing = load_of(model, at);
    let said = move || {
        standing.data.with(|standing| {
            let standing = standing.as_ref().filter(|standing| standing.red.count >= 2.0)?;
            let (class, text) = said(standing);
            Some(view! { <li class="standing" title=bounds(standing)><span class=class>{text}</span></li> })
        })
    };
    view! { {said} }.into_any()
}
