//! Flags on charts, for every page: where alerts fired, and the way to them.

use crate::canvas::CanvasSurface;
use crate::components::flags::{About, Flags, Kit, Raised, Small};
use crate::components::watch::{Moment, watched};
use crate::figures::time;
use crate::nav::nav;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_chart::{Flag, Ink, Mark, Plot, Token, draw_marks};

/// From so many pixels on a flag says its alert's name.
const ROOM: f64 = 90.0;
/// Names said of many, at most.
const NAMED: usize = 3;
/// Alerts listed beside what has no chart, at most.
const LISTED: usize = 5;

/// All of it.
pub(super) fn kit() -> Kit {
    Kit { any, draw, said: said_at, tip, links, sparkline, listed }
}

fn has(about: &About, moment: &Moment) -> bool {
    let labelled = |name: &str, value: &str| moment.labels.get(name).is_some_and(|found| found == value);
    match about {
        About::Everything => true,
        About::Node(id) => moment.node == *id,
        About::Edge(caller, callee) => moment.caller == *caller && moment.node == *callee,
        About::Host(name) => labelled("host", name) || labelled("host.name", name),
        About::Objective(name) => labelled("slo", name),
        About::Beside { alert, node } => !node.is_empty() && moment.node == *node && moment.alert != *alert,
    }
}

fn within<'a>(
    moments: &'a [Moment],
    about: &'a About,
    (from, to): (i64, i64),
) -> impl DoubleEndedIterator<Item = &'a Moment> {
    moments.iter().filter(move |moment| moment.mark.to > from && moment.mark.from < to && has(about, moment))
}

fn any(flags: Flags, range: (i64, i64)) -> bool {
    flags.about.with(|about| flags.moments.with(|moments| within(moments, about, range).next().is_some()))
}

fn draw(flags: Flags, plot: &Plot, surface: &mut CanvasSurface) {
    let moments: Vec<Moment> =
        flags.about.with(|about| flags.moments.with(|moments| within(moments, about, plot.range()).cloned().collect()));
    let marks: Vec<Mark> = moments.iter().map(|moment| moment.mark).collect();
    // One thing was in trouble while its alerts fired.
    let shade = flags.about.with(|about| !matches!(about, About::Everything | About::Beside { .. }));
    let found = plot.flags(&marks);
    draw_marks(plot, &marks, &found, shade, surface);
    let raise = |flag: Flag| {
        let moments = flag.marks.iter().map(|at| moments[*at].clone()).collect();
        Raised { flag, moments }
    };
    let now: Vec<Raised> = found.into_iter().map(raise).collect();
    if flags.raised.with_untracked(|raised| *raised != now) {
        flags.raised.set(now);
    }
}

/// Names of alerts, the first of many.
fn few<'a>(moments: impl Iterator<Item = &'a Moment>) -> Vec<String> {
    let mut names: Vec<String> = moments.map(|moment| moment.name.clone()).collect();
    names.sort_unstable();
    names.dedup();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    names.extend((more > 0).then(|| tf(say::AND_MORE, &[("n", &more.to_string())])));
    names
}

/// Alerts that fired at a moment.
fn names(flags: Flags, at: i64) -> Vec<String> {
    let range = (at, at.saturating_add(1));
    flags.about.with(|about| flags.moments.with(|moments| few(within(moments, about, range))))
}

fn said_at(flags: Flags, at: i64) -> String {
    names(flags, at).iter().map(|name| format!(", {name}")).collect()
}

fn tip(flags: Flags, at: i64) -> AnyView {
    let row = |name: String| view! { <div class="tip-row tip-fired"><span class="is-warn">"▲"</span><span class="tip-name">{name}</span></div> };
    names(flags, at).into_iter().map(row).collect_view().into_any()
}

/// The same flag keeps it while the chart moves on.
fn key(raised: &Raised) -> String {
    raised.moments.first().map(|moment| format!("{} {}", moment.alert, moment.mark.from)).unwrap_or_default()
}

/// The alert, if it is one only, however often it fired.
fn only(moments: &[Moment]) -> Option<&Moment> {
    let first = moments.first()?;
    moments.iter().all(|moment| moment.alert == first.alert).then_some(first)
}

fn links(flags: Flags) -> AnyView {
    // What has the focus keeps it while flags only move.
    let keys = Memo::new(move |_| flags.raised.with(|raised| raised.iter().map(key).collect::<Vec<_>>()));
    let list = move || {
        let keys = keys.get();
        (!keys.is_empty()).then(|| {
            let links = keys.into_iter().map(|key| link(flags, key)).collect_view();
            view! { <ul class="flags" aria-label=t(say::ALERTS)>{links}</ul> }
        })
    };
    view! { {list} }.into_any()
}

fn link(flags: Flags, wanted: String) -> AnyView {
    let now = Memo::new(move |_| flags.raised.with(|raised| raised.iter().find(|one| key(one) == wanted).cloned()));
    let of = move |say: fn(&Raised) -> String| now.with(|now| now.as_ref().map(say).unwrap_or_default());
    let nav = nav();
    let href = move || now.with(|now| now.as_ref().map(|now| leads_to(nav, &now.moments)));
    let look = move || {
        now.with(|now| {
            let now = now.as_ref()?;
            let (symbol, class) = glyph(now.flag.rank);
            let alone = only(&now.moments);
            let count = alone.is_none().then(|| match now.moments.len() {
                few @ ..100 => few.to_string(),
                _ => "99+".to_owned(),
            });
            let name = alone.filter(|_| now.flag.room > ROOM).map(|alone| {
                let style = format!("max-width:{:.0}px", (now.flag.room - 26.0).min(280.0));
                view! { <span class="flag-name" style=style>{alone.name.clone()}</span> }
            });
            Some(view! { <span class=format!("flag-glyph {class}")>{symbol}{count}</span>{name} })
        })
    };
    view! {
        <li style=move || of(|now| format!("left:{:.1}px", now.flag.x))>
            <a class="flag" href=href title=move || of(|now| said(&now.moments)) aria-label=move || of(|now| said(&now.moments))>{look}</a>
        </li>
    }
    .into_any()
}

/// As severities look elsewhere.
fn glyph(rank: u8) -> (&'static str, &'static str) {
    [("◇", "is-info"), ("▲", "is-warn"), ("◆", "is-err")][usize::from(rank.min(2))]
}

/// From when to when moments lasted.
fn span(moments: &[Moment]) -> (i64, i64) {
    let from = moments.iter().map(|moment| moment.mark.from).min().unwrap_or_default();
    (from, moments.iter().map(|moment| moment.mark.to).max().unwrap_or_default())
}

/// Names and times, for those who point at a flag or hear it.
fn said(moments: &[Moment]) -> String {
    let (from, to) = span(moments);
    let said = format!("{}, {} – {}", few(moments.iter()).join(", "), time(from), time(to));
    match moments.len() {
        1 => tf(say::ALERT_FIRED, &[("what", &said)]),
        n => tf(say::N_ALERTS_FIRED, &[("n", &n.to_string()), ("what", &said)]),
    }
}

/// To the alert; to the alerts of that time, if there are several.
fn leads_to(nav: crate::nav::Nav, moments: &[Moment]) -> String {
    const MILLI: i64 = 1_000_000;
    if let Some(alone) = only(moments) {
        return nav.href(&format!("/alerts/{}", alone.alert), &[]);
    }
    let (from, to) = span(moments);
    let room = ((to - from) / 20).max(30_000 * MILLI);
    let (from, to) = ((from - room) / MILLI, (to + room) / MILLI);
    nav.href("/alerts", &[("from", &from.to_string()), ("to", &to.to_string())])
}

fn sparkline(small: Small) -> AnyView {
    let (nav, watched) = (nav(), watched());
    let (about, times) = (small.about.clone(), small.times);
    let moments =
        Memo::new(move |_| watched.moments.with(|moments| within(moments, &about, times).cloned().collect::<Vec<_>>()));
    let draw = move || {
        let (from, to) = small.times;
        let mark = |moment: &Moment| {
            let share = (moment.mark.from - from) as f64 / (to - from).max(1) as f64;
            let ink: Ink = [Token::Accent, Token::Warn, Token::Err][usize::from(moment.mark.rank.min(2))].into();
            (share.max(0.0), ink)
        };
        let moments = moments.get();
        let mut marks: Vec<(f64, Ink)> = moments.iter().map(mark).collect();
        // Those that nobody could tell apart are drawn once.
        marks.dedup_by(|next, last| (next.0 - last.0) * small.size.0 < 4.0);
        let picture = small.picture(marks);
        if moments.is_empty() {
            return picture;
        }
        let (title, stop) = (said(&moments), if small.leads { "0" } else { "-1" });
        let hidden = (!small.leads).then_some("true");
        view! { <a class="sparkline-link" href=move || leads_to(nav, &moments) title=title.clone() aria-label=title tabindex=stop aria-hidden=hidden>{picture}</a> }.into_any()
    };
    view! { {draw} }.into_any()
}

fn listed(about: About) -> AnyView {
    let (nav, watched) = (nav(), watched());
    let moments = Memo::new(move |_| {
        let all = (i64::MIN, i64::MAX);
        watched.moments.with(|moments| within(moments, &about, all).rev().cloned().collect::<Vec<_>>())
    });
    let line = move |moment: &Moment| {
        let (symbol, class) = glyph(moment.mark.rank);
        let path = format!("/alerts/{}", moment.alert);
        let times = format!("{} – {}", time(moment.mark.from), time(moment.mark.to));
        view! { <li class="mini-row"><span class=class aria-hidden="true">{symbol}</span><a class="grow clamp" href=move || nav.href(&path, &[])>{moment.name.clone()}</a><span class="hint nowrap">{times}</span></li> }
    };
    let list = move || {
        moments.with(|moments| {
            (!moments.is_empty()).then(|| {
                let more = moments.len().saturating_sub(LISTED);
                let more = (more > 0).then(|| view! { <li class="mini-row hint">{tf(say::AND_MORE, &[("n", &more.to_string())])}</li> });
                view! { <h3>{t(say::ALERTS)}</h3><ul class="mini">{moments.iter().take(LISTED).map(line).collect_view()}{more}</ul> }
            })
        })
    };
    view! { {list} }.into_any()
}
