//! When alerts fired, on everything that has time as its axis. What is drawn and said then comes with the code that asks
//! for alerts, after that of the page ([`Kit`]).

use super::watch::{Moment, watched};
use crate::canvas::CanvasSurface;
use crate::nav::nav;
use leptos::prelude::*;
use orrery_chart::{Flag, Ink, Plot, Token};

/// What a picture is about: which alerts are marked on it.
#[derive(Clone)]
pub(crate) enum About {
    /// All there is.
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
pub(crate) struct Raised {
    pub(crate) flag: Flag,
    pub(crate) moments: Vec<Moment>,
}

/// The flags of one picture.
#[derive(Clone, Copy)]
pub(crate) struct Flags {
    pub(crate) about: Signal<About>,
    pub(crate) moments: Signal<Vec<Moment>>,
    pub(crate) raised: RwSignal<Vec<Raised>>,
    kit: RwSignal<Option<Kit>>,
}

/// What the code of alerts does for others.
#[derive(Clone, Copy)]
pub(crate) struct Kit {
    /// Whether anything fired between two moments.
    pub(crate) any: fn(Flags, (i64, i64)) -> bool,
    /// Draws flags above a chart.
    pub(crate) draw: fn(Flags, &Plot, &mut CanvasSurface),
    /// What fired at a moment, to be read after what else stands there.
    pub(crate) said: fn(Flags, i64) -> String,
    /// The same for a tooltip.
    pub(crate) tip: fn(Flags, i64) -> AnyView,
    /// Links where flags are.
    pub(crate) links: fn(Flags) -> AnyView,
    /// A small chart with marks.
    pub(crate) sparkline: fn(Small) -> AnyView,
    /// What fired about something, in lines.
    pub(crate) listed: fn(About) -> AnyView,
}

impl Flags {
    /// What fired within the range of the page.
    pub(crate) fn of(about: Signal<About>) -> Flags {
        let watched = watched();
        watched.want();
        Flags::among(watched.moments.into(), about)
    }

    /// The same from moments of another range.
    pub(crate) fn among(moments: Signal<Vec<Moment>>, about: Signal<About>) -> Flags {
        Flags { about, moments, raised: RwSignal::new(Vec::new()), kit: watched().kit }
    }

    /// A chart laid out below its flags, if it has any; tracked.
    pub(crate) fn lay(self, spec: &orrery_chart::ChartSpec, surface: &CanvasSurface) -> Plot {
        let any = self.kit.get().is_some_and(|kit| (kit.any)(self, (spec.from, spec.to)));
        if any { Plot::below_flags(spec, surface) } else { Plot::new(spec, surface) }
    }

    /// Draws them above a chart; tracked.
    pub(crate) fn draw(self, plot: &Plot, surface: &mut CanvasSurface) {
        if let Some(kit) = self.kit.get() {
            (kit.draw)(self, plot, surface);
        }
    }

    /// What fired at a moment, to be read after what else stands there; tracked.
    pub(crate) fn said(self, at: i64) -> Option<String> {
        self.kit.get().map(|kit| (kit.said)(self, at))
    }

    /// The same for a tooltip; tracked.
    pub(crate) fn tip(self, at: i64) -> Option<AnyView> {
        self.kit.get().map(|kit| (kit.tip)(self, at))
    }

    /// Links where flags are, to lie above the picture.
    pub(crate) fn links(self) -> AnyView {
        let links = move || self.kit.get().map(|kit| (kit.links)(self));
        view! { {links} }.into_any()
    }
}

/// A small chart.
#[derive(Clone)]
pub(crate) struct Small {
    pub(crate) values: Vec<Option<f64>>,
    /// Of the first and the last value.
    pub(crate) times: (i64, i64),
    pub(crate) token: Token,
    pub(crate) size: (f64, f64),
    pub(crate) about: About,
    /// Of several charts of a thing the one that is reached by keyboard.
    pub(crate) leads: bool,
}

impl Small {
    /// The number stands beside it: it says nothing by itself.
    pub(crate) fn picture(&self, marks: Vec<(f64, Ink)>) -> AnyView {
        let picture = orrery_chart::Sparkline {
            ink: self.token.into(),
            marks,
            ..orrery_chart::Sparkline::new(self.values.clone())
        };
        let svg = picture.to_svg(self.size.0, self.size.1, "");
        view! { <span class="sparkline" aria-hidden="true" inner_html=svg></span> }.into_any()
    }
}

/// A small chart between two times with when alerts fired about something, and if there were any a link to them.
pub(crate) fn sparkline(
    values: Vec<Option<f64>>,
    times: (i64, i64),
    token: Token,
    size: (f64, f64),
    about: About,
    leads: bool,
) -> AnyView {
    let watched = watched();
    watched.want();
    let small = Small { values, times, token, size, about, leads };
    let draw = move || match watched.kit.get() {
        Some(kit) => (kit.sparkline)(small.clone()),
        None => small.picture(Vec::new()),
    };
    view! { {draw} }.into_any()
}

/// Which alerts fired about something, for what has no chart to mark them on: the newest first.
pub(crate) fn listed(about: About) -> AnyView {
    let watched = watched();
    watched.want();
    let list = move || watched.kit.get().map(|kit| (kit.listed)(about.clone()));
    view! { {list} }.into_any()
}
