//! The server under test: started, asked, measured from outside, killed.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Replaying a gigabyte of log takes its time.
const START: Duration = Duration::from_secs(300);

/// A running `orrery serve`. Killed when dropped.
pub(super) struct Server {
    child: Child,
    /// Base URLs.
    pub(super) http: String,
    pub(super) otlp_http: String,
    pub(super) otlp_grpc: String,
    /// From the start of the process until it took telemetry.
    pub(super) started_in: Duration,
    data: PathBuf,
    client: reqwest::Client,
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Server {
    /// Starts the binary on free ports.
    pub(super) async fn start(binary: &Path, data: &Path) -> Result<Server> {
        let began = Instant::now();
        let mut command = Command::new(binary);
        command.args(["serve", "--http", ":0", "--otlp-http", ":0", "--otlp-grpc", ":0", "--retention", "off"]);
        command.arg("--data-dir").arg(data).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().with_context(|| format!("{} does not start", binary.display()))?;
        let stdout = child.stdout.take().context("its output is piped")?;
        let (found, output) = mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| _ = found.send(line))
        });
        let mut lines: Vec<String> = Vec::new();
        while !lines.iter().any(|line| line.contains("  Data ")) {
            let Ok(line) = output.recv_timeout(START.saturating_sub(began.elapsed())) else {
                bail!("{} said only {lines:?}", binary.display());
            };
            lines.push(line);
        }
        let address = |name: &str| {
            let line = lines.iter().find(|line| line.trim_start().starts_with(name));
            line.and_then(|line| line.split_whitespace().last())
                .map(str::to_owned)
                .with_context(|| format!("no {name} in {lines:?}"))
        };
        let mut server = Server {
            http: address("Dashboard")?,
            otlp_http: address("OTLP/HTTP")?,
            otlp_grpc: address("OTLP/gRPC")?,
            child,
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

    /// kill -9.
    pub(super) fn kill(mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }

    /// The JSON answer to a path of the API; an error for any status but 200.
    pub(super) async fn get(&self, path: &str) -> Result<Value> {
        let answer = self.client.get(format!("{}{path}", self.http)).send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        anyhow::ensure!(status.is_success(), "{path}: {status}: {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }

    /// `/self`.
    pub(super) async fn own(&self) -> Result<Value> {
        self.get("/api/v1/self").await
    }

    /// A counter of the spans.
    pub(super) async fn spans(&self, counter: &str) -> Result<u64> {
        Ok(self.own().await?["signals"]["traces"][counter].as_u64().unwrap_or(0))
    }

    /// User and system time the process has used, seconds.
    pub(super) fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let after_name = stat.rsplit(") ").next().unwrap_or_default();
        let ticks: u64 = after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        // Linux counts in hundredths.
        ticks as f64 / 100.0
    }

    /// The most memory the process ever held, MiB.
    pub(super) fn peak_rss_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
    }

    /// Bytes of its directory: everything included, except unused room.
    pub(super) fn disk_bytes(&self) -> u64 {
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
    pub(super) async fn settle(&self, patience: Duration) -> Result<()> {
        let began = Instant::now();
        let mut quiet = 0;
        let mut before = self.cpu_seconds();
        while quiet < 3 {
            anyhow::ensure!(began.elapsed() < patience, "did not settle in {patience:?}");
            tokio::time::sleep(Duration::from_secs(1)).await;
            let (own, now) = (self.own().await?, self.cpu_seconds());
            let rests = own["hot_bytes"].as_u64() == Some(0) && now - before < 0.1;
            quiet = if rests { quiet + 1 } else { 0 };
            before = now;
        }
        Ok(())
    }
}
