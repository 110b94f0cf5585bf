//! Says on every page that telemetry is refused: whoever looks at a chart that ends should know why.

use crate::client::{ask, load};
use crate::scope::scope;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::{SelfHealth, paths};
use orrery_chart::Unit;
use std::time::Duration;

/// How often it is asked about.
const EVERY: Duration = Duration::from_secs(10);

/// There only while the disk is too full.
#[component]
pub(crate) fn Alarm() -> impl IntoView {
    let scope = scope();
    let tick = RwSignal::new(0_u32);
    if let Ok(timer) = set_interval_with_handle(move || tick.update(|count| *count = count.wrapping_add(1)), EVERY) {
        on_cleanup(move || timer.clear());
    }
    let own = load::<SelfHealth>(move || {
        tick.track();
        scope.visible.get().then(|| ask(paths::SELF, &[]))
    });
    let low = Memo::new(move |_| own.data.with(|own| own.as_ref().is_some_and(|own| own.disk_low)));
    let size = |bytes: u64| Unit::Bytes.format(bytes as f64).to_string();
    let about = move || {
        own.data.with(|own| {
            let own = own.as_ref()?;
            Some(tf(say::DISK_LOW, &[("free", &size(own.disk_free_bytes)), ("reserve", &size(own.disk_reserve_bytes))]))
        })
    };
    view! {
        <Show when=move || low.get()>
            <p class="alarm" role="alert"><b><span aria-hidden="true">"◆ "</span>{t(say::DISK_LOW_TITLE)}</b>" "{about}</p>
        </Show>
    }
}
