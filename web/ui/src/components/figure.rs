//! Numbers, status glyphs, sparklines.

use crate::words::{say, t};
use leptos::prelude::*;
use orrery_api::{Health, Nanos, NodeKind, Red, RedPoint};
use orrery_chart::{Quantity, Token, Unit};

/// A quantity, its unit quieter.
pub(crate) fn figure(unit: &Unit, value: f64) -> AnyView {
    quantity(unit.format(value))
}

/// A quantity, its unit quieter.
pub(crate) fn quantity(quantity: Quantity) -> AnyView {
    let unit =
        (!quantity.unit.is_empty()).then(|| view! { <span class="unit">{format!("\u{2009}{}", quantity.unit)}</span> });
    view! { <span class="figure">{quantity.number}{unit}</span> }.into_any()
}

/// A duration; a dash when there is none.
pub(crate) fn duration(nanos: Option<Nanos>) -> AnyView {
    figure(&Unit::Nanos, nanos.map_or(f64::NAN, |nanos| nanos.0 as f64))
}

/// A duration as plain text.
pub(crate) fn duration_text(nanos: Nanos) -> String {
    Unit::Nanos.format(nanos.0 as f64).to_string()
}

/// Failed share of calls, coloured from one per cent.
pub(crate) fn error_ratio(red: &Red) -> AnyView {
    if red.count <= 0.0 {
        return figure(&Unit::Ratio, f64::NAN);
    }
    let class = match Health::of(red) {
        Health::Failing => "is-err",
        Health::Degraded => "is-warn",
        _ => "",
    };
    view! { <span class=class>{figure(&Unit::Ratio, red.error_ratio())}</span> }.into_any()
}

/// Shape and colour of a health, with its word for those who see neither.
pub(crate) fn health_glyph(health: Health) -> AnyView {
    let (class, glyph) = match health {
        Health::Ok => ("glyph is-ok", "●"),
        Health::Degraded => ("glyph is-warn", "▲"),
        Health::Failing => ("glyph is-err", "◆"),
        Health::Unknown => ("glyph is-unknown", "○"),
    };
    let word = health_word(health);
    view! { <span class=class title=word><span aria-hidden="true">{glyph}</span><span class="sr-only">{word}</span></span> }.into_any()
}

/// A health in a word.
pub(crate) fn health_word(health: Health) -> &'static str {
    t(match health {
        Health::Ok => say::HEALTH_OK,
        Health::Degraded => say::HEALTH_DEGRADED,
        Health::Failing => say::HEALTH_FAILING,
        Health::Unknown => say::HEALTH_UNKNOWN,
    })
}

/// Glyph and word together.
pub(crate) fn health_badge(health: Health) -> AnyView {
    let class = match health {
        Health::Ok => "badge",
        Health::Degraded => "badge badge-warn",
        Health::Failing => "badge badge-err",
        Health::Unknown => "badge badge-unknown",
    };
    let glyph = match health {
        Health::Ok => "●",
        Health::Degraded => "▲",
        Health::Failing => "◆",
        Health::Unknown => "○",
    };
    let dot = if health == Health::Ok { "is-ok" } else { "" };
    view! { <span class=class><span class=dot aria-hidden="true">{glyph}</span>{health_word(health)}</span> }.into_any()
}

/// Icon of a kind of node.
pub(crate) fn kind_icon(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Client => "monitor",
        NodeKind::Gateway => "waypoints",
        NodeKind::Auth => "shield-check",
        NodeKind::Service => "box",
        NodeKind::Job => "timer",
        NodeKind::Database => "database",
        NodeKind::Queue => "rows-3",
        NodeKind::External => "globe",
        NodeKind::Model => "bot",
        NodeKind::Function => "zap",
        NodeKind::User => "user",
        NodeKind::UnknownCaller => "circle-help",
    }
}

/// A kind of node in words.
pub(crate) fn kind_word(kind: NodeKind) -> &'static str {
    t(match kind {
        NodeKind::Client => say::KIND_CLIENT,
        NodeKind::Gateway => say::KIND_GATEWAY,
        NodeKind::Auth => say::KIND_AUTH,
        NodeKind::Service => say::KIND_SERVICE,
        NodeKind::Job => say::KIND_JOB,
        NodeKind::Database => say::KIND_DATABASE,
        NodeKind::Queue => say::KIND_QUEUE,
        NodeKind::External => say::KIND_EXTERNAL,
        NodeKind::Model => say::KIND_MODEL,
        NodeKind::Function => say::KIND_FUNCTION,
        NodeKind::User => say::KIND_USER,
        NodeKind::UnknownCaller => say::KIND_UNKNOWN_CALLER,
    })
}

/// A value at each step from the first to the last; steps without a point are gaps.
pub(crate) fn steps(points: &[RedPoint], value: impl Fn(&Red) -> Option<f64>) -> Vec<Option<f64>> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let step = first.step_nanos.0.max(1);
    let count = ((last.time_unix_nano.0 - first.time_unix_nano.0) / step + 1).clamp(1, 2_000);
    let mut values = vec![None; count as usize];
    for point in points {
        let place = (point.time_unix_nano.0 - first.time_unix_nano.0) / step;
        if let Some(slot) = values.get_mut(place as usize) {
            *slot = value(&point.red);
        }
    }
    values
}

/// Times of the first and the last point.
pub(crate) fn ends(points: &[RedPoint]) -> (i64, i64) {
    let at = |point: Option<&RedPoint>| point.map(|point| point.time_unix_nano.0).unwrap_or_default();
    (at(points.first()), at(points.last()))
}

/// Failed shares over time: red only where something failed.
pub(crate) fn failed_shares(points: &[RedPoint]) -> (Vec<Option<f64>>, Token) {
    let values = steps(points, |red| Some(red.error_ratio()));
    let failed = values.iter().flatten().any(|ratio| *ratio > 0.0);
    (values, if failed { Token::Err } else { Token::Errors0 })
}

/// One number with its name, and how it went.
pub(crate) fn tile(name: &'static str, value: AnyView, trend: Option<AnyView>) -> AnyView {
    view! { <div class="tile"><span class="tile-name">{name}</span><span class="tile-value">{value}</span>{trend}</div> }.into_any()
}
