//! Saved views, and short links to exactly what is seen.

mod list;
mod save;
mod share;

use crate::address::Place;
use crate::client::{Load, ask, load};
use crate::components::icon::icon;
use crate::components::popover::Popover;
use crate::nav::{Nav, nav};
use crate::pages::chunks::chunks;
use crate::pages::part;
use crate::range::TimeRange;
use crate::scope::{Scope, scope};
use crate::words::{say, t};
use leptos::prelude::*;
use orrery_api::{View, ViewList, paths};

/// Saved views, loaded when somebody first asks for them.
#[derive(Clone, Copy)]
pub(crate) struct Views {
    nav: Nav,
    scope: Scope,
    list: Load<ViewList>,
    wanted: RwSignal<bool>,
    /// The panel with the list and the form is open.
    pub(crate) open: RwSignal<bool>,
    /// The panel with the short link is open.
    pub(crate) sharing: RwSignal<bool>,
}

/// The saved views of this dashboard.
pub(crate) fn views() -> Views {
    expect_context()
}

impl Views {
    pub(crate) fn start() -> Views {
        let wanted = RwSignal::new(false);
        Views {
            nav: nav(),
            scope: scope(),
            list: load::<ViewList>(move || wanted.get().then(|| ask(paths::VIEWS, &[]))),
            wanted,
            open: RwSignal::new(false),
            sharing: RwSignal::new(false),
        }
    }

    /// All of them, as far as they are known; asks for them.
    pub(crate) fn all(self) -> Vec<View> {
        self.wanted.set(true);
        self.list.data.with(|list| list.as_ref().map(|list| list.views.clone())).unwrap_or_default()
    }

    /// Asks again.
    fn changed(self) {
        self.list.progress.retry();
    }

    /// Where we are, with the range as it is, or as the moments it means just now.
    fn here(self, fixed: bool) -> Place {
        let mut place = self.nav.place_now();
        if fixed {
            TimeRange::fixed(self.scope.window.get_untracked()).write(&mut place.params);
            place.params.set("live", None);
        }
        place
    }
}

chunks! {
    /// Saving what is seen, and what was saved.
    pub(crate) SAVED frame_views |views: Views| view! { <div class="views">{save::form(views)}{list::list(views)}</div> };
    /// A short link.
    pub(crate) SHARE frame_share |views: Views| share::panel(views);
}

/// The two buttons of the bar.
pub(crate) fn buttons() -> AnyView {
    let views = views();
    let (share, bookmark) = (icon("share-2").into_any(), icon("bookmark").into_any());
    view! {
        <Popover open=views.sharing label=t(say::SHARE_VIEW).to_owned() class="icon-button" end=true button=share>{part(SHARE, views)}</Popover>
        <Popover open=views.open label=t(say::VIEWS).to_owned() class="icon-button" end=true button=bookmark>
            {part(SAVED, views)}
        </Popover>
    }
    .into_any()
}
