//! The server under test, asked over its API and measured from outside.

use crate::process::{Process, serve};
use crate::wire::{Signal, Transport};
use anyhow::Result;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Opening a large directory takes its time.
const START: Duration = Duration::from_secs(300);

/// A running `orrery serve` that keeps everything. Killed when dropped.
pub(crate) struct Server {
    pub(crate) process: Process,
    /// Base URL of the API.
    pub(crate) http: String,
    otlp_http: String,
    otlp_grpc: String,
    /// From the start of the process until it took telemetry.
    pub(crate) started_in: Duration,
    data: PathBuf,
    client: reqwest::Client,
}

/// What the server said, and when it had.
pub(crate) struct Answer {
    pub(crate) status: reqwest::StatusCode,
    pub(crate) body: Vec<u8>,
    /// From the question to the answer's last byte.
    pub(crate) millis: f64,
}

impl Server {
    /// Starts the binary on free ports.
    pub(crate) async fn start(binary: &Path, data: &Path, config: Option<&Path>) -> Result<Server> {
        let began = Instant::now();
        let mut command = serve(binary, data);
        command.args(["--retention", "off", "--log", "error"]);
        if let Some(config) = config {
            command.arg("--config").arg(config);
        }
        let process = Process::start(command, "Data")?;
        let mut server = Server {
            http: process.address("Dashboard")?,
            otlp_http: process.address("OTLP/HTTP")?,
            otlp_grpc: process.address("OTLP/gRPC")?,
            process,
            started_in: Duration::ZERO,
            data: data.to_owned(),
            client: reqwest::Client::builder().no_proxy().build()?,
        };
        while server.get("/readyz").await.is_err() {
            anyhow::ensure!(began.elapsed() < START, "not ready in time");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.started_in = began.elapsed();
        Ok(server)
    }

    /// Base URL for telemetry.
    pub(crate) fn url(&self, transport: Transport) -> String {
        if transport == Transport::Grpc { self.otlp_grpc.clone() } else { self.otlp_http.clone() }
    }

    /// The answer to a path of the API, whatever it is.
    pub(crate) async fn ask(&self, path: &str) -> Result<Answer> {
        let began = Instant::now();
        let answer = self.client.get(format!("{}{path}", self.http)).send().await?;
        let status = answer.status();
        let body = answer.bytes().await?.to_vec();
        Ok(Answer { status, body, millis: began.elapsed().as_secs_f64() * 1e3 })
    }

    /// The answer to a change, or to a question that is sent.
    pub(crate) async fn send(&self, method: reqwest::Method, path: &str, body: &Value) -> Result<Answer> {
        let began = Instant::now();
        let answer = self.client.request(method, format!("{}{path}", self.http)).json(body).send().await?;
        let status = answer.status();
        let body = answer.bytes().await?.to_vec();
        Ok(Answer { status, body, millis: began.elapsed().as_secs_f64() * 1e3 })
    }

    /// The JSON answer to a path of the API; an error for any status but 200.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        let Answer { status, body, .. } = self.ask(path).await?;
        anyhow::ensure!(status.is_success(), "{path}: {status}: {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }

    /// `/self`.
    pub(crate) async fn own(&self) -> Result<Value> {
        self.get("/api/v1/self").await
    }

    /// Waits until what the last run left in the log can be queried; how long that took.
    pub(crate) async fn until_read(&self) -> Result<Duration> {
        let began = Instant::now();
        while self.own().await?["wal_unread_bytes"].as_u64().unwrap_or_default() > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(began.elapsed())
    }

    /// A counter of a signal; the sum over all reasons where it has reasons.
    pub(crate) async fn counted(&self, signal: Signal, counter: &str) -> Result<u64> {
        let counter = &self.own().await?["signals"][signal.as_str()][counter];
        let reasons = counter.as_object().into_iter().flat_map(|reasons| reasons.values());
        Ok(counter.as_u64().unwrap_or_else(|| reasons.filter_map(Value::as_u64).sum()))
    }

    /// Waits until so many items can be queried.
    pub(crate) async fn until_queryable(&self, signal: Signal, items: u64, patience: Duration) -> Result<()> {
        let began = Instant::now();
        while self.counted(signal, "queryable").await? < items {
            anyhow::ensure!(began.elapsed() < patience, "acknowledged items do not become visible");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Bytes of its directory: everything included, except unused room.
    pub(crate) fn disk_bytes(&self) -> u64 {
        fn size(dir: &Path) -> u64 {
            let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
            entries
                .map(|entry| match entry.metadata() {
                    Ok(metadata) if metadata.is_dir() => size(&entry.path()),
                    Ok(metadata) => metadata.len(),
                    Err(_) => 0,
                })
                .sum()
        }
        size(&self.data)
    }

    /// Waits until everything is sealed, merged, and the process rests.
    pub(crate) async fn settle(&self, patience: Duration) -> Result<()> {
        let began = Instant::now();
        let mut quiet = 0;
        let mut before = self.process.cpu_seconds();
        while quiet < 3 {
            anyhow::ensure!(began.elapsed() < patience, "did not settle in {patience:?}");
            tokio::time::sleep(Duration::from_secs(1)).await;
            let (own, now) = (self.own().await?, self.process.cpu_seconds());
            let rests = own["hot_bytes"].as_u64() == Some(0) && now - before < 0.1;
            quiet = if rests { quiet + 1 } else { 0 };
            before = now;
        }
        Ok(())
    }
}
