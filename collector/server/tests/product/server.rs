//! Runs the binary.

use orrery_synth::process::{self, Process};
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Start-up includes opening DuckDB, on a machine that may be busy.
const START: Duration = Duration::from_secs(60);

/// A running server. Killed when dropped; it must never have panicked.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) http: String,
    pub(crate) otlp_http: String,
    pub(crate) otlp_grpc: String,
    pub(crate) started_in: Duration,
    pub(crate) banner: String,
    client: reqwest::Client,
    _dir: Option<TempDir>,
}

/// The binary, deaf to the environment of whoever runs the tests.
pub(crate) fn command() -> Command {
    process::command(env!("CARGO_BIN_EXE_orrery").as_ref())
}

/// `orrery serve` on free ports with its data in `dir`.
pub(crate) fn serve(dir: &Path) -> Command {
    process::serve(env!("CARGO_BIN_EXE_orrery").as_ref(), dir)
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
    pub(crate) fn run(command: Command) -> Server {
        let process = Process::start(command, "Data").expect("a banner");
        let address = |name| process.address(name).expect("an address");
        Server {
            http: address("Dashboard"),
            otlp_http: address("OTLP/HTTP"),
            otlp_grpc: address("OTLP/gRPC"),
            started_in: process.started_in,
            banner: process.banner(),
            process,
            client: reqwest::Client::new(),
            _dir: None,
        }
    }

    /// The next line of output that contains `part`.
    pub(crate) fn line_with(&self, part: &str) -> String {
        self.process.line_with(part).expect("it is said")
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
        self.process.kill();
    }

    /// SIGTERM; how it ended and how long that took.
    pub(crate) fn terminate(&mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        self.signal("TERM");
        (self.process.wait().expect("a process of ours"), began.elapsed())
    }

    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(name).expect("it runs");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.is_running()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.process.panics(), [""; 0]);
        }
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
