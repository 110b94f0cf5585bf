//! The product under test: `orrery demo` or `orrery serve`, as a user starts it, on free ports and an empty data directory.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A running `orrery`; killed when dropped.
pub(crate) struct Product {
    process: Child,
    /// `http://127.0.0.1:port` of the dashboard.
    pub(crate) dashboard: String,
    /// Where faults are injected and listed.
    pub(crate) faults: String,
    _data: tempfile::TempDir,
}

impl Product {
    /// Starts it and waits until the map has nodes and edges.
    pub(crate) async fn demo() -> Result<Product> {
        let started = Instant::now();
        let (mut product, lines) = Product::start("demo", &[])?;
        product.faults = url_after(&lines, "Faults")?;
        product.until_mapped().await?;
        crate::say!("from start to a map with data: {:.1} s", started.elapsed().as_secs_f64());
        Ok(product)
    }

    /// A server alone, on a disk that has less room than it is to leave.
    pub(crate) fn on_a_full_disk() -> Result<Product> {
        Ok(Product::start("serve", &["--disk-reserve", "1000TiB"])?.0)
    }

    fn start(what: &str, arguments: &[&str]) -> Result<(Product, mpsc::Receiver<String>)> {
        let data = tempfile::tempdir()?;
        let mut command = Command::new(binary()?);
        command.arg(what).args(arguments).arg("--data-dir").arg(data.path());
        for flag in ["--http", "--otlp-http", "--otlp-grpc"] {
            command.args([flag, "127.0.0.1:0"]);
        }
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
        let stdout = process.stdout.take().context("stdout is piped")?;
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                println!("orrery: {line}");
                _ = send.send(line);
            }
        });
        let dashboard = url_after(&lines, "Dashboard")?;
        Ok((Product { process, dashboard, faults: String::new(), _data: data }, lines))
    }

    async fn until_mapped(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            let map = self.get("/api/v1/topology").await.unwrap_or_default();
            if map["edges"].as_array().map_or(0, Vec::len) >= 10 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("no map with data within 60 s of the start")
    }

    /// A JSON answer of the API.
    pub(crate) async fn get(&self, path: &str) -> Result<serde_json::Value> {
        Ok(reqwest::get(format!("{}{path}", self.dashboard)).await?.error_for_status()?.json().await?)
    }

    /// Breaks something in the shop for a while.
    pub(crate) async fn inject(&self, kind: &str, target: &str, seconds: u32) -> Result<()> {
        let fault = serde_json::json!({ "kind": kind, "target": target, "duration_seconds": seconds });
        reqwest::Client::new().post(&self.faults).json(&fault).send().await?.error_for_status()?;
        Ok(())
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// The address on the next line that begins with a word.
fn url_after(lines: &mpsc::Receiver<String>, word: &str) -> Result<String> {
    loop {
        let line = lines.recv_timeout(Duration::from_secs(60)).with_context(|| format!("no {word} on stdout"))?;
        if line.trim().starts_with(word) {
            return url(&line).with_context(|| format!("no URL in {line:?}"));
        }
    }
}

fn url(line: &str) -> Option<String> {
    let rest = &line[line.find("http://")?..];
    rest.split_whitespace().next().map(|url| url.trim_end_matches(['/', ',', ';']).to_owned())
}

/// `orrery` beside this test's binary: the same build.
fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("ORRERY_BIN") {
        return Ok(path.into());
    }
    let test = std::env::current_exe()?;
    let path = test.ancestors().nth(2).context("tests lie in target/<profile>/deps")?.join("orrery");
    if !path.is_file() {
        bail!("{} is missing: `cargo xtask test` builds it first", path.display());
    }
    Ok(path)
}
