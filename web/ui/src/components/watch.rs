//! What fires, as every page may show it. The code that asks is the alert pages' own and comes later; here is only what
//! it leaves behind.

use crate::atlas::marks::Marks;
use crate::words::{say, tf};
use leptos::prelude::*;
use orrery_api::Range;
use orrery_chart::{Annotation, Token};
use std::collections::BTreeMap;

/// An alert that fires.
#[derive(Clone, PartialEq)]
pub(crate) struct Firing {
    /// Id of the node it is about; empty: of none.
    pub(crate) node: String,
    /// How bad: info, warning, critical.
    pub(crate) rank: u8,
}

/// A time in which an alert fired.
#[derive(Clone, PartialEq)]
pub(crate) struct Moment {
    pub(crate) node: String,
    pub(crate) rule: String,
    pub(crate) rank: u8,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// What is known of what fires.
#[derive(Clone, Copy)]
pub(crate) struct Watched {
    pub(crate) firing: RwSignal<Vec<Firing>>,
    pub(crate) moments: RwSignal<Vec<Moment>>,
    /// Somebody shows moments.
    pub(crate) wanted: RwSignal<bool>,
}

impl Watched {
    pub(crate) fn start() -> Watched {
        Watched { firing: RwSignal::default(), moments: RwSignal::default(), wanted: RwSignal::new(false) }
    }

    /// Marks on the map; tracked.
    pub(crate) fn marks(self) -> Marks {
        self.firing.with(|firing| {
            let mut nodes: BTreeMap<&str, (usize, u8)> = BTreeMap::new();
            for alert in firing.iter().filter(|alert| !alert.node.is_empty()) {
                let (count, worst) = nodes.entry(&alert.node).or_default();
                (*count, *worst) = (*count + 1, (*worst).max(alert.rank));
            }
            Marks::of_alerts(nodes.into_iter().map(|(node, (count, worst))| (node, count, worst > 1)))
        })
    }

    /// How many fire about a node, or at all, and how bad the worst is; tracked.
    fn worst(self, node: Option<&str>) -> (usize, u8) {
        self.firing.with(|firing| {
            let about = firing.iter().filter(|alert| node.is_none_or(|node| node == alert.node));
            about.fold((0, 0), |(count, worst), alert| (count + 1, worst.max(alert.rank)))
        })
    }
}

/// What fires.
pub(crate) fn watched() -> Watched {
    expect_context()
}

/// How many alerts fire about a node, or at all; nothing while none does.
pub(crate) fn badge(node: Option<String>) -> AnyView {
    let watched = watched();
    let badge = move || {
        let (count, rank) = watched.worst(node.as_deref());
        let class = ["badge firing badge-accent", "badge firing badge-warn", "badge firing badge-err"]
            [usize::from(rank.min(2))];
        let title = tf(say::N_ALERTS, &[("n", &count.to_string())]);
        let said = title.clone();
        (count > 0).then(|| view! { <span class=class title=title><span aria-hidden="true">{count}</span><span class="sr-only">{said}</span></span> })
    };
    view! { {badge} }.into_any()
}

/// When alerts fired about a node, for its charts over a range; tracked. Names stand where there is room.
pub(crate) fn moments_of(node: &str, range: Range) -> Vec<Annotation> {
    let watched = watched();
    if !watched.wanted.get_untracked() {
        watched.wanted.set(true);
    }
    let room = (range.to.0 - range.from.0) / 4;
    let (mut named, mut shaded) = (i64::MIN, i64::MIN);
    let mark = |moment: &Moment| Annotation {
        at: moment.from,
        // One shade, however many fire.
        until: (moment.to > shaded).then(|| {
            shaded = moment.to;
            moment.to
        }),
        label: if named.saturating_add(room) <= moment.from {
            named = moment.from;
            moment.rule.clone()
        } else {
            String::new()
        },
        ink: [Token::Accent, Token::Warn, Token::Err][usize::from(moment.rank.min(2))].into(),
    };
    watched.moments.with(|moments| moments.iter().filter(|moment| moment.node == node).map(mark).collect())
}
