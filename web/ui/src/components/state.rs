//! Loading, empty, error, partial, stale: the same on every panel.

use crate::alerting::answers;
use crate::client::{Busy, Failure, Load, Progress};
use crate::components::copy::Copy;
use crate::components::icon::icon;
use crate::figures::ago;
use crate::scope::scope;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api as api;
use orrery_api::alerting;
use std::sync::Arc;
use std::time::Duration;

/// Age of an answer from which a live panel says so, milliseconds: three missed refreshes.
const STALE_MILLIS: f64 = 30_000.0;
/// How long a change may take before a person is told and may cancel, milliseconds.
const SLOW_MILLIS: u64 = 2_000;

/// An answer that may say why something is missing.
pub(crate) trait Answer: Send + Sync + 'static {
    /// Why.
    fn partial(&self) -> Option<&str>;
}

macro_rules! answers {
    ($($name:ty),*) => { $(impl Answer for $name { fn partial(&self) -> Option<&str> { self.partial.as_deref() } })* };
}
answers!(
    api::Topology,
    api::TopologyDiff,
    api::Impact,
    api::FindingList,
    api::ServiceList,
    api::ServiceDetail,
    api::TraceList,
    api::SpanDetail,
    api::TraceLinks,
    api::TraceDiff,
    api::LogList,
    api::LogHistogram,
    api::MetricNameList,
    api::MetricSeriesList,
    api::HostList,
    api::ValueList,
    api::TraceSeriesList,
    api::TraceFlame,
    api::TraceKeyList,
    api::TraceValueList,
    api::SqlAnswer,
    api::SqlSchema,
    alerting::AlertEventList,
    alerting::Replay
);

macro_rules! whole {
    ($($name:ty),*) => { $(impl Answer for $name { fn partial(&self) -> Option<&str> { None } })* };
}
whole!(
    api::SelfHealth,
    api::PinnedList,
    api::ViewList,
    alerting::AlertList,
    alerting::DeliveryList,
    alerting::Message,
    answers::AlertDetail,
    answers::RuleList,
    answers::SloList,
    answers::ChannelList,
    answers::RouteList,
    answers::SilenceList
);

#[derive(Clone, Copy, PartialEq)]
enum Shown {
    Skeleton,
    Failure,
    Blank,
    Body,
}

/// What a load has to show.
///
/// `blank` says whether an answer is empty; `empty` then explains why and what next. `body` is made once and follows
/// the answers through its signal.
pub(crate) fn loaded<T: Answer>(
    load: Load<T>,
    blank: impl Fn(&T) -> bool + Send + Sync + 'static,
    empty: impl Fn(&T) -> AnyView + Send + Sync + 'static,
    body: impl Fn(Signal<Arc<T>>) -> AnyView + Send + Sync + 'static,
) -> AnyView {
    let shown = Memo::new(move |_| {
        let failed = load.progress.failure.with(Option::is_some);
        load.data.with(|data| match data {
            Some(data) if blank(data) => Shown::Blank,
            Some(_) => Shown::Body,
            None if failed => Shown::Failure,
            None => Shown::Skeleton,
        })
    });
    let last = StoredValue::new(None::<Arc<T>>);
    let data = Signal::derive(move || match load.data.get() {
        Some(data) => {
            last.set_value(Some(data.clone()));
            data
        }
        None => last.get_value().expect("a body is made when there is data"),
    });
    let empty = move || load.data.get().map_or_else(|| ().into_any(), |data| empty(&data));
    stage(load.progress, shown, Box::new(empty), Box::new(move || body(data)))
}

type Scene = Box<dyn Fn() -> AnyView + Send + Sync>;

fn stage(progress: Progress, shown: Memo<Shown>, empty: Scene, body: Scene) -> AnyView {
    let empty = Arc::new(empty);
    let old =
        move || matches!(progress.busy.get(), Busy::Change(_)) && matches!(shown.get(), Shown::Blank | Shown::Body);
    let view = move || match shown.get() {
        Shown::Skeleton => skeleton(),
        Shown::Failure => {
            view! { {move || progress.failure.get().map(|failure| failed(&failure, move || progress.retry()))} }
                .into_any()
        }
        Shown::Blank => {
            let empty = empty.clone();
            view! { {move || empty()} }.into_any()
        }
        Shown::Body => body(),
    };
    view! {
        <div class="loaded" class:is-old=old aria-busy=move || (progress.busy.get() != Busy::No).to_string()>
            {view}
            {slow(progress)}
        </div>
    }
    .into_any()
}

/// Shimmers, but only after a moment.
pub(crate) fn skeleton() -> AnyView {
    view! { <div class="skeleton" role="status"><span class="sr-only">{t(say::LOADING)}</span></div> }.into_any()
}

/// What went wrong, where to find it in the log, and another try; of a question that is wrong, only what is wrong.
pub(crate) fn failed(failure: &Failure, retry: impl Fn() + 'static) -> AnyView {
    let id = failure.request_id.clone();
    let is_ours = failure.status != 400;
    let id = (is_ours && !id.is_empty()).then(|| {
        view! { <p class="hint">{t(say::REQUEST_ID)} " " <code>{id.clone()}</code> <Copy text=id.clone() what=t(say::REQUEST_ID) /></p> }
    });
    view! {
        <div class="notice" role="alert">
            <span class="glyph is-err" aria-hidden="true">"◆"</span>
            <div><p>{failure.detail.clone()}</p>{id}</div>
            {is_ours.then(|| view! { <button type="button" class="button" on:click=move |_| retry()>{icon("refresh-cw")}{t(say::RETRY)}</button> })}
        </div>
    }
    .into_any()
}

/// Why there is nothing, and the one next step.
pub(crate) fn empty(why: impl Into<String>, next: Option<AnyView>) -> AnyView {
    view! { <div class="notice notice-empty"><p>{why.into()}</p>{next}</div> }.into_any()
}

/// Elapsed time and a way out, once a change takes long.
fn slow(progress: Progress) -> AnyView {
    let seconds = RwSignal::new(None::<u64>);
    Effect::new(move |_| {
        seconds.set(None);
        if let Busy::Change(since) = progress.busy.get() {
            count(progress, since, seconds, SLOW_MILLIS);
        }
    });
    let text = move || seconds.get().map(|seconds| tf(say::RUNNING_FOR, &[("n", &seconds.to_string())]));
    view! {
        <Show when=move || seconds.get().is_some()>
            <div class="slow" role="status">{text}<button type="button" class="link" on:click=move |_| progress.cancel()>{t(say::CANCEL)}</button></div>
        </Show>
    }
    .into_any()
}

fn count(progress: Progress, since: f64, seconds: RwSignal<Option<u64>>, after: u64) {
    set_timeout(
        move || {
            if progress.busy.try_get_untracked() == Some(Busy::Change(since)) {
                seconds.update(|seconds| *seconds = Some(seconds.map_or(SLOW_MILLIS / 1_000, |seconds| seconds + 1)));
                count(progress, since, seconds, 1_000);
            }
        },
        Duration::from_millis(after),
    );
}

/// Chips that say what is wrong with what is shown: partial, stale.
pub(crate) fn chips<T: Answer>(load: Load<T>) -> AnyView {
    badges(
        load.progress,
        Memo::new(move |_| load.data.with(|data| data.as_ref().and_then(|data| data.partial().map(str::to_owned)))),
    )
}

fn badges(progress: Progress, partial: Memo<Option<String>>) -> AnyView {
    let scope = scope();
    let age = Memo::new(move |_| {
        scope.window.track();
        let (arrived, failed) = (progress.arrived.get(), progress.failure.with(Option::is_some));
        let old = js_sys::Date::now() - arrived > STALE_MILLIS;
        (arrived > 0.0 && (failed || (old && scope.live.get())))
            .then(|| ago(arrived as i64 * 1_000_000, crate::scope::now_nanos()))
    });
    view! {
        {move || partial.get().map(|why| view! { <span class="badge badge-warn" title=why.clone()><span aria-hidden="true">"▲"</span>{t(say::PARTIAL)}": "{why.clone()}</span> })}
        {move || age.get().map(|age| view! { <span class="badge badge-warn" role="status"><span aria-hidden="true">"▲"</span>{tf(say::UPDATED, &[("ago", &age)])}</span> })}
    }
    .into_any()
}
