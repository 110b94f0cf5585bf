//! The product under test: `orrery demo` or `orrery serve`, as a user starts it, on free ports and an empty data directory.

use anyhow::{Context, Result, bail};
use orrery_synth::process::{Process, command};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A running `orrery`; killed when dropped.
pub(crate) struct Product {
    process: Process,
    /// `http://127.0.0.1:port` of the dashboard.
    pub(crate) dashboard: String,
    /// Where telemetry goes, over HTTP.
    pub(crate) otlp: String,
    /// Where faults are injected and listed.
    pub(crate) faults: String,
    _data: tempfile::TempDir,
}

impl Product {
    /// Starts it and waits until the map has nodes and edges.
    pub(crate) async fn demo() -> Result<Product> {
        let started = Instant::now();
        let mut product = Product::start("demo", &[], "Faults")?;
        product.faults = product.process.address("Faults")?;
        product.until_mapped().await?;
        crate::say!("from start to a map with data: {:.1} s", started.elapsed().as_secs_f64());
        Ok(product)
    }

    /// A server alone.
    pub(crate) fn serve() -> Result<Product> {
        Product::start("serve", &[], "Data")
    }

    /// A server alone, with more settings.
    pub(crate) fn serve_with(arguments: &[&str]) -> Result<Product> {
        Product::start("serve", arguments, "Data")
    }

    /// A server alone, on a disk that has less room than it is to leave.
    pub(crate) fn on_a_full_disk() -> Result<Product> {
        Product::start("serve", &["--disk-reserve", "1000TiB"], "Data")
    }

    /// `last_line`: how the last line of what it prints at a start begins.
    fn start(what: &str, arguments: &[&str], last_line: &str) -> Result<Product> {
        let data = tempfile::tempdir()?;
        let mut command = command(&binary()?);
        command.arg(what).args(arguments).arg("--data-dir").arg(data.path());
        for flag in ["--http", "--otlp-http", "--otlp-grpc"] {
            command.args([flag, "127.0.0.1:0"]);
        }
        let process = Process::start(command, last_line)?;
        let dashboard = process.address("Dashboard")?;
        let otlp = process.address("OTLP/HTTP")?;
        Ok(Product { process, dashboard, otlp, faults: String::new(), _data: data })
    }

    async fn until_mapped(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(120);
        while Instant::now() < deadline {
            let map = self.get("/api/v1/topology").await.unwrap_or_default();
            if map["edges"].as_array().map_or(0, Vec::len) >= 10 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("no map with data within two minutes of the start")
    }

    /// A JSON answer of the API.
    pub(crate) async fn get(&self, path: &str) -> Result<serde_json::Value> {
        Ok(reqwest::get(format!("{}{path}", self.dashboard)).await?.error_for_status()?.json().await?)
    }

    /// Posts JSON to the API; the answer.
    pub(crate) async fn post(&self, path: &str, body: &serde_json::Value) -> Result<serde_json::Value> {
        let answer = reqwest::Client::new().post(format!("{}{path}", self.dashboard)).json(body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("{path}: {status} {text}");
        }
        Ok(serde_json::from_str(&text)?)
    }

    /// Breaks something in the shop for a while.
    pub(crate) async fn inject(&self, kind: &str, target: &str, seconds: u32) -> Result<()> {
        let fault = serde_json::json!({ "kind": kind, "target": target, "duration_seconds": seconds });
        let answer = reqwest::Client::new().post(&self.faults).json(&fault).send().await?;
        // The shop's own schedule may have been quicker.
        if answer.status() != reqwest::StatusCode::CONFLICT {
            answer.error_for_status()?;
        }
        Ok(())
    }

    /// Heals everything in the shop.
    pub(crate) async fn heal(&self) -> Result<()> {
        reqwest::Client::new().delete(&self.faults).send().await?.error_for_status()?;
        Ok(())
    }
}

/// The demo shop by itself, where nothing breaks unless it is told to; closed when dropped.
pub(crate) struct Shop {
    _process: Process,
    faults: String,
}

impl Shop {
    /// Ships to a product.
    pub(crate) fn open(product: &Product, arguments: &[&str]) -> Result<Shop> {
        let mut command = command(&beside("orrery-demo")?);
        command.args(["all", "--no-faults", "--control", "127.0.0.1:0"]).args(arguments);
        command.args(["--otlp", &product.process.address("OTLP/gRPC")?]);
        let process = Process::start(command, "faults")?;
        let faults = process.address("faults")?;
        Ok(Shop { _process: process, faults })
    }

    /// Breaks something, where it usually is broken, until it is healed.
    pub(crate) async fn inject(&self, kind: &str) -> Result<()> {
        let fault = serde_json::json!({ "kind": kind, "duration_seconds": 600 });
        reqwest::Client::new().post(&self.faults).json(&fault).send().await?.error_for_status()?;
        Ok(())
    }

    /// What is broken now, as the shop says itself.
    pub(crate) async fn active(&self) -> Result<serde_json::Value> {
        let report: serde_json::Value = reqwest::get(&self.faults).await?.json().await?;
        match report["active"].as_array().map(Vec::as_slice) {
            Some([one]) => Ok(one.clone()),
            _ => bail!("not one fault alone: {report}"),
        }
    }

    /// Heals everything.
    pub(crate) async fn heal(&self) -> Result<()> {
        reqwest::Client::new().delete(&self.faults).send().await?.error_for_status()?;
        Ok(())
    }
}

fn binary() -> Result<PathBuf> {
    match std::env::var_os("ORRERY_BIN") {
        Some(path) => Ok(path.into()),
        None => beside("orrery"),
    }
}

/// A binary beside this test's: the same build.
fn beside(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let path = test.ancestors().nth(2).context("tests lie in target/<profile>/deps")?.join(name);
    if !path.is_file() {
        bail!("{} is missing: `cargo xtask test` builds it first", path.display());
    }
    Ok(path)
}
