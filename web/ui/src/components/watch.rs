//! What fires, as every page may show it. The code that asks is the alert pages' own and comes later; here is only what
//! it leaves behind.

use super::flags::Kit;
use crate::atlas::marks::Marks;
use crate::words::{say, tf};
use leptos::prelude::*;
use orrery_chart::Mark;
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
    /// Id of the alert.
    pub(crate) alert: String,
    /// Its rule, and what sets it apart from others of it.
    pub(crate) name: String,
    /// Id of the node it is about; empty: of none.
    pub(crate) node: String,
    /// Id of the other end of a call; empty: it is about none.
    pub(crate) caller: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) mark: Mark,
}

/// What is known of what fires.
#[derive(Clone, Copy)]
pub(crate) struct Watched {
    pub(crate) firing: RwSignal<Vec<Firing>>,
    pub(crate) moments: RwSignal<Vec<Moment>>,
    /// Somebody shows moments.
    pub(crate) wanted: RwSignal<bool>,
    /// What shows them, once it is there.
    pub(crate) kit: RwSignal<Option<Kit>>,
}

impl Watched {
    pub(crate) fn start() -> Watched {
        Watched {
            firing: RwSignal::default(),
            moments: RwSignal::default(),
            wanted: RwSignal::new(false),
            kit: RwSignal::new(None),
        }
    }

    /// Somebody shows when alerts fired: asks for it.
    pub(crate) fn want(self) {
        if !self.wanted.get_untracked() {
            self.wanted.set(true);
        }
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
