//! Links to outside tools, as the server is configured.

use crate::client::{Load, ask, load};
use crate::components::icon::icon;
use crate::outside::Subject;
use leptos::prelude::*;
use orrery_api::{LinkOn, LinkTemplateList, paths};

/// Templates, loaded when something first has use for them.
#[derive(Clone, Copy)]
pub(crate) struct Outside {
    wanted: RwSignal<bool>,
    list: Load<LinkTemplateList>,
}

impl Outside {
    pub(crate) fn start() -> Outside {
        let wanted = RwSignal::new(false);
        Outside { wanted, list: load(move || wanted.get().then(|| ask(paths::LINK_TEMPLATES, &[]))) }
    }
}

/// The links that what one looks at can fill in; tracked.
pub(crate) fn outside(on: LinkOn, subject: impl Fn() -> Subject + Send + Sync + 'static) -> AnyView {
    let outside: Outside = expect_context();
    outside.wanted.set(true);
    let links = move || {
        let subject = subject();
        outside.list.data.with(|list| {
            let templates = list.iter().flat_map(|list| &list.templates);
            let filled = templates.filter_map(|template| {
                let url = template.fill(on, |placeholder| subject.value(placeholder))?;
                Some(view! { <a class="button" target="_blank" rel="noopener noreferrer" href=url>{icon("arrow-up-right")}{template.name.clone()}</a> })
            });
            filled.collect_view()
        })
    };
    view! { {links} }.into_any()
}
