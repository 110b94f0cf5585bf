//! Runs the binary.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Start-up includes opening DuckDB, on a machine that may be busy.
const START: Duration = Duration::from_secs(60);

/// A running server. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) http: String,
    pub(crate) otlp_http: String,
    pub(crate) otlp_grpc: String,
    pub(crate) started_in: Duration,
    pub(crate) banner: String,
    output: mpsc::Receiver<String>,
    client: reqwest::Client,
    _dir: Option<TempDir>,
}

/// The binary, deaf to the environment of whoever runs the tests.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orrery"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ORRERY_") {
            command.env_remove(name);
        }
    }
    command
}

/// `orrery serve` on free ports with its data in `dir`.
pub(crate) fn serve(dir: &Path) -> Command {
    let mut command = command();
    command.args(["serve", "--http", ":0", "--otlp-http", ":0", "--otlp-grpc", ":0", "--data-dir"]).arg(dir);
    command
}

impl Server {
    /// A server with a directory of its own.
    pub(crate) fn start() -> Server {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut server = Server::run(serve(&dir.path().join("data")));
        server._dir = Some(dir);
        server
    }

    /// A server on this directory.
    pub(crate) fn start_in(dir: &Path) -> Server {
        Server::run(serve(dir))
    }

    /// Runs a command line that starts a server and reads from its output where it listens.
    pub(crate) fn run(mut command: Command) -> Server {
        let began = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the binary runs");
        let (found, output) = mpsc::channel();
        let stdout = child.stdout.take().expect("stdout is piped");
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                _ = found.send(line);
            }
        });
        let mut lines = Vec::new();
        while !lines.iter().any(|line: &String| line.contains("  Data ")) {
            let left = START.saturating_sub(began.elapsed());
            lines.push(output.recv_timeout(left).unwrap_or_else(|_| panic!("no banner; so far: {lines:?}")));
        }
        let address = |name: &str| {
            let line = lines
                .iter()
                .find(|line| line.trim_start().starts_with(name))
                .unwrap_or_else(|| panic!("{name} in {lines:?}"));
            line.split_whitespace().last().expect("an address").to_owned()
        };
        let (http, otlp_http, otlp_grpc) = (address("Dashboard"), address("OTLP/HTTP"), address("OTLP/gRPC"));
        Server {
            child,
            http,
            otlp_http,
            otlp_grpc,
            started_in: began.elapsed(),
            banner: lines.join("\n"),
            output,
            client: reqwest::Client::new(),
            _dir: None,
        }
    }

    /// The next line of output that contains `part`.
    pub(crate) fn line_with(&self, part: &str) -> String {
        loop {
            let line = self.output.recv_timeout(START).unwrap_or_else(|_| panic!("no line with {part}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    /// `GET` of a path: status and JSON (null for an empty or other body).
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.client.get(format!("{}{path}", self.http)).send().await;
        let response = response.unwrap_or_else(|error| panic!("{path}: {error}"));
        let status = response.status().as_u16();
        let body = response.bytes().await.expect("a body");
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// `GET` that must succeed.
    pub(crate) async fn ok(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Asks until `wanted` says yes to the answer, and returns that.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.until_within(Duration::from_secs(30), path, wanted).await
    }

    pub(crate) async fn until_within(&self, patience: Duration, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let (_, body) = self.get(path).await;
            if wanted(&body) {
                return body;
            }
            assert!(began.elapsed() < patience, "{path} never was what was wanted; last: {body:#}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// SIGKILL, at once.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a process of ours");
        self.child.wait().expect("a process of ours");
    }

    /// SIGTERM; how it ended and how long that took.
    pub(crate) fn terminate(&mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        self.signal("TERM");
        let status = self.child.wait().expect("a process of ours");
        (status, began.elapsed())
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.expect("kill runs").success());
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A command that must fail to start: exit code and what it said.
pub(crate) fn fails(command: &mut Command) -> (i32, String) {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let began = Instant::now();
    while child.try_wait().expect("a process of ours").is_none() {
        if began.elapsed() > START {
            _ = child.kill();
            panic!("it runs, but should have refused to");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut said = String::new();
    child.stderr.take().expect("stderr is piped").read_to_string(&mut said).expect("text");
    (child.wait().expect("a process of ours").code().unwrap_or(-1), said)
}

/// A directory that outlives a server.
pub(crate) fn data_dir() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    (dir, data)
}
