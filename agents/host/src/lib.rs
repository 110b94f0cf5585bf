//! Orrery's host agent: ships what a machine knows about itself to an OpenTelemetry collector.
//!
//! - **Host metrics** under semantic-convention names: CPU, memory, paging, disks, filesystems, network, load, and the
//!   busiest processes.
//! - **Log files**, at least once: rotation by rename, copy or deletion, resumption after a crash, stack traces, JSON.
//! - **Containers**, where a Docker socket is. **HTTP checks**.
//!
//! Everything leaves as OTLP/HTTP protobuf with gzip. A server that is away costs the oldest metrics once a bounded
//! queue is full, and no log line as long as its file exists. Every loss is counted in `orrery.agent.dropped`.
//!
//! The binary `orrery-agent` is this library with a command line. A program may run the agent inside itself:
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let config = orrery_agent::Config { state_dir: "/tmp/agent".into(), ..Default::default() };
//! let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
//! let agent = tokio::spawn(orrery_agent::run(config, Box::pin(async { drop(stopped.await) })));
//! drop(stop);
//! agent.await??;
//! # Ok(()) }
//! ```

mod check;
mod collect;
mod config;
mod docker;
mod host;
mod http;
mod instrument;
mod otlp;
mod resource;
mod ship;
mod snapshot;
mod state;
mod stop;
mod tail;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures_util::future::BoxFuture;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use tokio::time::MissedTickBehavior;

pub use config::{Check, Config, LogSource, LogStart, default_state_dir};
pub use snapshot::Snapshot;

use collect::Collector;
use http::HttpClient;
use ship::{Batch, Exporter, FULL, Queue, Signal};
use state::StateDir;
use stop::{Stop, Stopper};
use tail::{Follower, Tailer};

/// Between the reading that rates begin with and the first report.
const WARM_UP: Duration = Duration::from_secs(1);

/// Runs the agent until `shutdown` completes, then sends what is left and returns within five seconds.
///
/// Needs a Tokio runtime with time and I/O. Logs through `tracing` and installs no subscriber. Dropping the future
/// stops the agent at once; log progress acknowledged up to the last second is kept.
///
/// # Errors
/// Only at the start: the configuration is wrong, or the state directory cannot be used. A server that is away is no
/// error.
pub fn run(config: Config, shutdown: BoxFuture<'static, ()>) -> BoxFuture<'static, anyhow::Result<()>> {
    Box::pin(work(config, shutdown))
}

async fn work(config: Config, shutdown: BoxFuture<'static, ()>) -> anyhow::Result<()> {
    config.validate()?;
    let state = StateDir::open(&config.state_dir)?;
    let resource = resource::attributes(&config.host_root, &state.instance_id()?);
    let client = HttpClient::new();
    let exporter = Exporter::new(&config, client.clone())?;
    let follower = Follower::new(Tailer::open(&config, resource.clone(), state.log_offsets())?);
    let queue = Queue::new(config.queue_bytes);
    let collector = Collector::new(&config, resource, client);
    tracing::info!(otlp = %config.otlp, interval = ?config.interval, logs = config.log.len(), "agent started");

    let (stopper, stop) = Stopper::new();
    let work = async {
        tokio::join!(
            collect(collector, &config, &queue, &exporter, &follower, &stop),
            send(&queue, &exporter, &stop),
            follower.run(&exporter, &stop),
        )
    };
    tokio::pin!(work);
    tokio::select! {
        _ = &mut work => return Ok(()),
        () = shutdown => stopper.stop(),
    }
    work.await;
    tracing::info!("agent stopped");
    Ok(())
}

/// Collects all metrics once, sending nothing and touching no state.
///
/// Takes a second, since rates need two readings.
///
/// # Errors
/// The configuration is wrong.
pub fn snapshot(config: &Config) -> BoxFuture<'_, anyhow::Result<Snapshot>> {
    Box::pin(collect_once(config))
}

async fn collect_once(config: &Config) -> anyhow::Result<Snapshot> {
    config.validate()?;
    let resource = resource::attributes(&config.host_root, &state::random_id());
    let mut collector = Collector::new(config, resource, HttpClient::new());
    collector.warm_up().await;
    tokio::time::sleep(WARM_UP).await;
    Ok(Snapshot(collector.collect(async |recorder| recorder).await))
}

/// Collects once per interval until the agent stops.
async fn collect(
    mut collector: Collector,
    config: &Config,
    queue: &Queue,
    exporter: &Exporter,
    follower: &Follower,
    stop: &Stop,
) {
    let rounds = async {
        collector.warm_up().await;
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + WARM_UP, config.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let resource_metrics = collector
                .collect(async |mut recorder| {
                    exporter.record(&mut recorder);
                    recorder.record(&instrument::AGENT_QUEUE_SIZE, queue.bytes(), []);
                    follower
                        .with(move |tailer| {
                            tailer.record(&mut recorder);
                            recorder
                        })
                        .await
                })
                .await;
            enqueue(ExportMetricsServiceRequest { resource_metrics }, queue, exporter);
        }
    };
    tokio::select! {
        () = rounds => {}
        () = stop.wait() => {}
    }
}

fn enqueue(request: ExportMetricsServiceRequest, queue: &Queue, exporter: &Exporter) {
    let points = otlp::count_points(&request.resource_metrics);
    if points == 0 {
        return;
    }
    let lost = queue.push(Batch::new(Signal::Metrics, &request, points));
    for batch in &lost {
        exporter.count_dropped(batch.signal, FULL, batch.items);
    }
    if !lost.is_empty() {
        tracing::warn!(batches = lost.len(), queue_bytes = queue.bytes(), "queue is full: oldest metrics dropped");
    }
}

/// Sends what is queued, in order, until the agent stops and the queue is empty or the time is up.
async fn send(queue: &Queue, exporter: &Exporter, stop: &Stop) {
    loop {
        match queue.try_pop() {
            Some(batch) => {
                if !exporter.deliver(&batch, stop).await {
                    return give_up(batch, queue, exporter);
                }
            }
            None if stop.is_set() => return,
            None => tokio::select! {
                () = queue.arrival() => {}
                () = stop.wait() => {}
            },
        }
    }
}

fn give_up(batch: Batch, queue: &Queue, exporter: &Exporter) {
    let mut items = 0;
    for batch in std::iter::once(batch).chain(std::iter::from_fn(|| queue.try_pop())) {
        exporter.count_dropped(batch.signal, "shutdown", batch.items);
        items += batch.items;
    }
    tracing::warn!(data_points = items, "metrics not delivered before the end: dropped");
}
