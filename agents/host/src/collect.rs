//! One collection of all metrics: host, containers, checks, and the agent's own.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics};
use tokio::task::JoinHandle;

use crate::check;
use crate::config::{Check, Config};
use crate::docker::Docker;
use crate::host::Host;
use crate::http::HttpClient;
use crate::instrument as i;
use crate::otlp::{Recorder, now_unix_nano, resource_metrics, text};

/// A disk that does not answer must not hold up everything else.
const HOST_PATIENCE: Duration = Duration::from_secs(5);

/// All sources of metrics.
#[derive(Debug)]
pub(crate) struct Collector {
    resource: Vec<KeyValue>,
    started: u64,
    host: Option<HostReader>,
    docker: Docker,
    checks: Vec<Check>,
    client: HttpClient,
}

impl Collector {
    /// Readers for everything the configuration names. A host without `/proc` is logged, and its metrics are off.
    pub(crate) fn new(config: &Config, resource: Vec<KeyValue>, client: HttpClient) -> Self {
        let host = config.host_metrics.then(|| Host::open(&config.host_root, config.top_processes));
        let host = host.and_then(|opened| {
            opened.map_err(|error| tracing::warn!(error = %format!("{error:#}"), "host metrics are off")).ok()
        });
        Self {
            resource,
            started: now_unix_nano(),
            host: host.map(HostReader::new),
            docker: Docker::new(config.docker_socket.clone()),
            checks: config.check.clone(),
            client,
        }
    }

    /// Reads the host once without reporting it, so that the first report has the rates too.
    pub(crate) async fn warm_up(&mut self) {
        let now = now_unix_nano();
        tokio::join!(read_host(&mut self.host, now), self.docker.collect(now, &self.resource));
    }

    /// Reads everything. `own` adds the agent's own metrics to the host's.
    pub(crate) async fn collect(&mut self, own: impl AsyncFnOnce(Recorder) -> Recorder) -> Vec<ResourceMetrics> {
        let now = now_unix_nano();
        let (host, containers, findings) = tokio::join!(
            read_host(&mut self.host, now),
            self.docker.collect(now, &self.resource),
            check::run(&self.client, &self.checks),
        );
        let mut recorder = Recorder::new(now, self.started.min(now));
        check::record(&findings, &mut recorder);
        for (part, errors) in self.host.iter().flat_map(|host| &host.failures) {
            recorder.record(&i::AGENT_COLLECT_ERRORS, *errors, [text("source", *part)]);
        }
        let metrics = [host, own(recorder).await.finish()].concat();
        resource_metrics(self.resource.clone(), metrics).into_iter().chain(containers).collect()
    }
}

async fn read_host(host: &mut Option<HostReader>, now: u64) -> Vec<Metric> {
    match host {
        Some(host) => host.read(now).await,
        None => Vec::new(),
    }
}

/// Reads the host on a blocking thread. A reading that hangs is left behind, and waited for before the next.
#[derive(Debug)]
struct HostReader {
    state: HostState,
    failures: BTreeMap<&'static str, u64>,
}

#[derive(Debug)]
enum HostState {
    Idle(Box<Host>),
    Reading(JoinHandle<(Box<Host>, Vec<Metric>)>),
    Lost,
}

impl HostReader {
    fn new(host: Host) -> Self {
        Self { state: HostState::Idle(Box::new(host)), failures: BTreeMap::new() }
    }

    async fn read(&mut self, now: u64) -> Vec<Metric> {
        let mut reading = match std::mem::replace(&mut self.state, HostState::Lost) {
            HostState::Idle(mut host) => tokio::task::spawn_blocking(move || {
                let metrics = host.collect(now);
                (host, metrics)
            }),
            HostState::Reading(reading) => reading,
            HostState::Lost => return Vec::new(),
        };
        match tokio::time::timeout(HOST_PATIENCE, &mut reading).await {
            Ok(Ok((host, metrics))) => {
                self.failures.clone_from(host.failures());
                self.state = HostState::Idle(host);
                metrics
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "host metrics are off: the reader failed");
                Vec::new()
            }
            Err(_) => {
                tracing::warn!(patience = ?HOST_PATIENCE, "reading the host hangs: its metrics are left out");
                self.state = HostState::Reading(reading);
                Vec::new()
            }
        }
    }
}
