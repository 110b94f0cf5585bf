//! Orrery's own health, and the probes.

use crate::api::endpoint::{Ask, Endpoint, ask};
use crate::api::failure::Failure;
use crate::api::state::Api;
use crate::http::request_id::RequestId;
use crate::process;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use orrery_alert::live::Delays;
use orrery_api as api;
use orrery_api::{Nanos, paths};
use orrery_model::Signal;
use orrery_query::{SignalHealth, TimeRange, plan};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// `GET /self`.
pub(crate) const SELF: Endpoint = Endpoint::json(paths::SELF, "SelfHealth", "Orrery's own health", &[])
    .about("Counters are in items (spans, log records, data points) since the data directory was made.");

pub(crate) fn own(ask: &Ask<'_>) -> Result<api::SelfHealth, Failure> {
    Ok(health(ask.api))
}

/// Also what the live view sends.
pub(crate) fn health(api: &Api) -> api::SelfHealth {
    let store = api.health();
    let signals = Signal::ALL.into_iter().map(|signal| {
        let counters = store.signals.get(&signal).map(counters).unwrap_or_default();
        (signal.as_str().to_owned(), counters)
    });
    api::SelfHealth {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_unix_nano: Nanos(api.about.started_unix_nano),
        now_unix_nano: Nanos(api.now()),
        signals: signals.collect(),
        queue_bytes: store.queue_bytes,
        queue_limit_bytes: store.queue_limit_bytes,
        wal_bytes: store.wal_bytes,
        wal_unread_bytes: store.wal_unread_bytes,
        hot_bytes: store.hot_bytes,
        sealed_bytes: store.sealed_bytes,
        segments: store.segments,
        index_memory_bytes: store.index_memory_bytes,
        index_memory_limit_bytes: store.index_memory_limit_bytes,
        index_reads: store.index_reads,
        disk_bytes: store.wal_bytes + store.sealed_bytes,
        disk_free_bytes: store.disk_free_bytes,
        disk_total_bytes: store.disk_total_bytes,
        disk_reserve_bytes: store.disk_reserve_bytes,
        disk_low: store.disk_low,
        rss_bytes: process::rss_bytes(),
        cpu_seconds: process::cpu().as_secs_f64(),
        oldest_unix_nano: store.oldest_unix_nano.map(Nanos),
        retention: api.about.retention.clone(),
        endpoints: api.about.endpoints.clone(),
        live_clients: api.bus.clients(),
        alerting: alerting(api),
        warnings: warnings(api, store.warnings),
    }
}

fn alerting(api: &Api) -> api::AlertingHealth {
    let (live, told) = (api.alerting.snapshot(), api.alerting.told());
    let figures = &live.figures;
    api::AlertingHealth {
        rules: live.rules.len() as u64,
        instances: live.rules.values().map(|rule| u64::from(rule.instances)).sum(),
        evaluations: figures.evaluations,
        judged: figures.judged,
        together: figures.together,
        skipped: figures.skipped,
        start_delay: delays(&figures.delays),
        first_attempt_delay: delays(&told),
        messages_without_case: api.alerting.plain(),
        forgotten_senders: live.forgotten_senders,
    }
}

fn delays(all: &Delays) -> api::DelayHealth {
    let millis = |nanos: i64| (nanos as f64 / 1e4).round() / 1e2;
    api::DelayHealth {
        count: all.count(),
        p50_millis: millis(all.quantile(0.5)),
        p99_millis: millis(all.quantile(0.99)),
        longest_millis: millis(all.longest()),
    }
}

fn counters(health: &SignalHealth) -> api::SignalCounters {
    api::SignalCounters {
        accepted: health.accepted,
        durable: health.durable,
        queryable: health.queryable,
        received_bytes: health.received_bytes,
        rejected: health.rejected.clone(),
        refused: health.refused.clone(),
        dropped: health.dropped.clone(),
        expired: health.expired.clone(),
        trimmed: health.trimmed.clone(),
    }
}

fn warnings(api: &Api, mut warnings: Vec<String>) -> Vec<String> {
    if !api.writes.load(Ordering::Relaxed) {
        warnings.push(
            "The last write to the data directory failed; senders are told to retry. The server's log says why."
                .to_owned(),
        );
    }
    warnings.extend(api.metadata.warning.clone());
    let forgotten = api.alerting.snapshot().forgotten_senders;
    if forgotten > 0 {
        warnings.push(format!(
            "More services send than alerts can keep in view: {forgotten} were forgotten, and rules do not wait for their data."
        ));
    }
    warnings
}

/// `GET /healthz`: the process lives.
pub(crate) async fn alive() -> Response {
    "ok\n".into_response()
}

/// `GET /readyz`: telemetry is accepted and queries are answered. The last write must have reached the disk, and a
/// query goes through while the probe waits.
pub(crate) async fn ready(State(api): State<Arc<Api>>, Extension(request): Extension<RequestId>) -> Response {
    match readiness(api).await {
        Ok(()) => "ready\n".into_response(),
        Err(failure) => failure.respond(&request.0),
    }
}

async fn readiness(api: Arc<Api>) -> Result<(), Failure> {
    if api.stopping.is_cancelled() {
        return Err(Failure::Busy("The server is shutting down.".to_owned()));
    }
    if api.health().disk_low {
        return Err(Failure::Busy(
            "The disk is almost full: telemetry is refused until there is more room. See /api/v1/self.".to_owned(),
        ));
    }
    if !api.writes.load(Ordering::Relaxed) {
        return Err(Failure::Busy(
            "The last write to the data directory failed; the server's log says why.".to_owned(),
        ));
    }
    ask(api, |api, control| {
        let to = api.now();
        let range = TimeRange { from: to - 10_000_000_000, to };
        api.store.services(&plan::Services { range, environment: None, points: 0 }, control)?;
        Ok(())
    })
    .await
}
