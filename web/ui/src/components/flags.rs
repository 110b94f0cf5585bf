//! When alerts fired, on everything that has time as its axis: flags that lead to them.

use super::watch::{Moment, watched};
use crate::figures::time;
use crate::nav::nav;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_chart::{Flag, Ink, Mark, Plot, Sparkline, Surface, Token, draw_marks};

/// From so many pixels on a flag says its alert's name.
const ROOM: f64 = 120.0;
/// Names said of a flag of many, at most.
const NAMED: usize = 4;
/// Alerts listed beside what has no chart, at most.
const LISTED: usize = 5;

/// What a picture is about: which alerts are marked on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum About {
    /// All there is.
    #[default]
    Everything,
    /// A node of the map, by its id.
    Node(String),
    /// Calls, by the ids of their ends.
    Edge(String, String),
    /// A host, by its name.
    Host(String),
    /// An objective, by its name.
    Objective(String),
    /// One alert, which is drawn already: others of its node.
    Beside {
        /// Id of the alert.
        alert: String,
        /// Id of the node; empty: of none.
        node: String,
    },
}

impl About {
    fn has(&self, moment: &Moment) -> bool {
        let labelled = |name: &str, value: &str| moment.labels.get(name).is_some_and(|found| found == value);
        match self {
            About::Everything => true,
            About::Node(id) => moment.node == *id,
            About::Edge(caller, callee) => moment.caller == *caller && moment.node == *callee,
            About::Host(name) => labelled("host", name) || labelled("host.name", name),
            About::Objective(name) => labelled("slo", name),
            About::Beside { alert, node } => !node.is_empty() && moment.node == *node && moment.alert != *alert,
        }
    }

    /// One thing, which was in trouble while its alerts fired.
    fn is_one(&self) -> bool {
        !matches!(self, About::Everything | About::Beside { .. })
    }
}

/// All there is.
pub(crate) fn everything() -> Signal<About> {
    Signal::stored(About::Everything)
}

/// The service that the address names, or everything.
pub(crate) fn as_asked() -> Signal<About> {
    let service = nav().param("service");
    Signal::derive(move || service.get().map_or(About::Everything, About::Node))
}

/// A flag with what it stands for.
#[derive(Clone, PartialEq)]
struct Raised {
    flag: Flag,
    moments: Vec<Moment>,
}

impl Raised {
    /// The same flag keeps it while the chart moves on.
    fn key(&self) -> String {
        self.moments.first().map(|moment| format!("{} {}", moment.alert, moment.mark.from)).unwrap_or_default()
    }

    /// The alert, if it is one only, however often it fired.
    fn only(&self) -> Option<&Moment> {
        let first = self.moments.first()?;
        self.moments.iter().all(|moment| moment.alert == first.alert).then_some(first)
    }
}

/// The flags of one picture.
#[derive(Clone, Copy)]
pub(crate) struct Flags {
    about: Signal<About>,
    moments: Memo<Vec<Moment>>,
    raised: RwSignal<Vec<Raised>>,
}

impl Flags {
    /// What fired within the range of the page.
    pub(crate) fn of(about: Signal<About>, range: impl Fn() -> (i64, i64) + Send + Sync + 'static) -> Flags {
        let watched = watched();
        watched.want();
        Flags::among(watched.moments.into(), about, range)
    }

    /// The same from moments of another range.
    pub(crate) fn among(
        moments: Signal<Vec<Moment>>,
        about: Signal<About>,
        range: impl Fn() -> (i64, i64) + Send + Sync + 'static,
    ) -> Flags {
        let moments = Memo::new(move |_| {
            let range = range();
            about.with(|about| moments.with(|moments| within(moments, about, range)))
        });
        Flags { about, moments, raised: RwSignal::new(Vec::new()) }
    }

    /// Draws them above a chart; tracked.
    pub(crate) fn draw<S: Surface>(self, plot: &Plot, surface: &mut S) {
        let now: Vec<Raised> = self.moments.with(|moments| {
            let marks: Vec<Mark> = moments.iter().map(|moment| moment.mark).collect();
            let flags = plot.flags(&marks);
            draw_marks(plot, &marks, &flags, self.about.with(About::is_one), surface);
            let of = |flag: Flag| {
                let moments = flag.marks.iter().map(|at| moments[*at].clone()).collect();
                Raised { flag, moments }
            };
            flags.into_iter().map(of).collect()
        });
        if self.raised.with_untracked(|raised| *raised != now) {
            self.raised.set(now);
        }
    }

    /// What fired at a moment; tracked.
    pub(crate) fn names_at(self, at: i64) -> Vec<String> {
        let is_then = |moment: &&Moment| moment.mark.from <= at && at < moment.mark.to;
        self.moments.with(|moments| {
            let mut names: Vec<String> = moments.iter().filter(is_then).map(|moment| moment.name.clone()).collect();
            names.dedup();
            names
        })
    }

    /// Links where flags are, to lie above the picture.
    pub(crate) fn links(self) -> AnyView {
        let any = Memo::new(move |_| self.raised.with(|raised| !raised.is_empty()));
        let list = move || {
            let each = move || self.raised.get();
            let link = move |raised: Raised| self.link(raised.key());
            any.get().then(|| view! { <ul class="flags" aria-label=t(say::ALERTS)><For each=each key=Raised::key children=link /></ul> })
        };
        view! { {list} }.into_any()
    }

    fn link(self, key: String) -> AnyView {
        let now = Memo::new(move |_| self.raised.with(|raised| raised.iter().find(|one| one.key() == key).cloned()));
        let of = move |say: fn(&Raised) -> String| now.with(|now| now.as_ref().map(say).unwrap_or_default());
        let nav = nav();
        let href = move || now.with(|now| now.as_ref().map(|now| leads_to(nav, &now.moments)));
        let look = move || {
            now.with(|now| {
                let now = now.as_ref()?;
                let (symbol, class) = glyph(now.flag.rank);
                let count = (now.only().is_none()).then(|| match now.moments.len() {
                    many @ 100.. => format!("{}+", many.min(99)),
                    few => few.to_string(),
                });
                let name = now.only().filter(|_| now.flag.room > ROOM).map(|only| {
                    let style = format!("max-width:{:.0}px", (now.flag.room - 28.0).min(260.0));
                    view! { <span class="flag-name" style=style>{only.name.clone()}</span> }
                });
                Some(view! { <span class=format!("flag-glyph {class}")>{symbol}{count}</span>{name} })
            })
        };
        view! {
            <li style=move || of(|now| format!("left:{:.1}px", now.flag.x))>
                <a class="flag" href=href title=move || of(said) aria-label=move || of(said)>{look}</a>
            </li>
        }
        .into_any()
    }
}

fn within(moments: &[Moment], about: &About, (from, to): (i64, i64)) -> Vec<Moment> {
    let is_in = |moment: &&Moment| moment.mark.to > from && moment.mark.from < to && about.has(moment);
    moments.iter().filter(is_in).cloned().collect()
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
fn said(raised: &Raised) -> String {
    let mut names: Vec<&str> = raised.moments.iter().map(|moment| moment.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let mut said = names.join(", ");
    if more > 0 {
        said += &format!(" {}", tf(say::AND_MORE, &[("n", &more.to_string())]));
    }
    let (from, to) = span(&raised.moments);
    said += &format!(", {} – {}", time(from), time(to));
    match raised.moments.len() {
        1 => tf(say::ALERT_FIRED, &[("what", &said)]),
        n => tf(say::N_ALERTS_FIRED, &[("n", &n.to_string()), ("what", &said)]),
    }
}

/// To the alert; to the alerts of that time, if there are several.
fn leads_to(nav: crate::nav::Nav, moments: &[Moment]) -> String {
    const MILLI: i64 = 1_000_000;
    match moments {
        [first, others @ ..] if others.iter().all(|other| other.alert == first.alert) => {
            nav.href(&format!("/alerts/{}", first.alert), &[])
        }
        _ => {
            let (from, to) = span(moments);
            let room = ((to - from) / 20).max(30_000 * MILLI);
            let (from, to) = ((from - room) / MILLI, (to + room) / MILLI);
            nav.href("/alerts", &[("from", &from.to_string()), ("to", &to.to_string())])
        }
    }
}

/// A small chart between two times with when alerts fired, and if there were any a link to them. Where several charts of
/// a thing stand together one `leads` there by keyboard.
pub(crate) fn sparkline(
    values: Vec<Option<f64>>,
    (from, to): (i64, i64),
    token: Token,
    (width, height): (f64, f64),
    about: About,
    leads: bool,
) -> AnyView {
    let (nav, watched) = (nav(), watched());
    watched.want();
    let moments = Memo::new(move |_| watched.moments.with(|moments| within(moments, &about, (from, to))));
    let draw = move || {
        let moments = moments.get();
        let share = |at: i64| (at - from) as f64 / (to - from).max(1) as f64;
        let mut marks: Vec<(f64, Ink)> = moments
            .iter()
            .map(|moment| {
                let ink = [Token::Accent, Token::Warn, Token::Err][usize::from(moment.mark.rank.min(2))];
                (share(moment.mark.from).max(0.0), ink.into())
            })
            .collect();
        // Those that nobody could tell apart are drawn once.
        marks.dedup_by(|next, last| (next.0 - last.0) * width < 4.0);
        let picture = Sparkline { ink: token.into(), marks, ..Sparkline::new(values.clone()) };
        let picture =
            view! { <span class="sparkline" aria-hidden="true" inner_html=picture.to_svg(width, height, "")></span> };
        if moments.is_empty() {
            return picture.into_any();
        }
        let raised = Raised { flag: Flag::default(), moments };
        let (title, stop) = (said(&raised), if leads { "0" } else { "-1" });
        let hidden = (!leads).then_some("true");
        view! { <a class="sparkline-link" href=move || leads_to(nav, &raised.moments) title=title.clone() aria-label=title tabindex=stop aria-hidden=hidden>{picture}</a> }.into_any()
    };
    view! { {draw} }.into_any()
}

/// Which alerts fired about something, for what has no chart to mark them on: the newest first.
pub(crate) fn listed(about: About) -> AnyView {
    let (nav, watched) = (nav(), watched());
    watched.want();
    let moments = Memo::new(move |_| watched.moments.with(|moments| within(moments, &about, (i64::MIN, i64::MAX))));
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
                view! { <h3>{t(say::ALERTS)}</h3><ul class="mini">{moments.iter().rev().take(LISTED).map(line).collect_view()}{more}</ul> }
            })
        })
    };
    view! { {list} }.into_any()
}
