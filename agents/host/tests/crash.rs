//! kill -9, rotation and a server that often says no: every line arrives.

#[allow(dead_code, unreachable_pub, clippy::unwrap_used)]
#[path = "../src/testing.rs"]
mod testing;

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use testing::{Received, Server, answer};

const LINES: usize = 3000;
const LINES_PER_FILE: usize = 250;
const KILLS: usize = 6;

fn agent(directory: &Path, url: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_orrery-agent"))
        .args(["--otlp", url, "--docker-socket", "", "--log-start", "beginning", "--interval", "60s"])
        .arg("--state-dir")
        .arg(directory.join("state"))
        .arg("--log")
        .arg(directory.join("app.log*"))
        .stderr(Stdio::null())
        .spawn()
        .expect("the agent starts")
}

/// Rotates by renaming and by copying in turn, as two schools of logrotate do.
fn rotate(log: &Path, number: usize) {
    let rotated = log.with_extension(format!("log.{number}"));
    if number.is_multiple_of(2) {
        fs::rename(log, rotated).expect("renames");
    } else {
        fs::copy(log, rotated).expect("copies");
        OpenOptions::new().write(true).open(log).and_then(|file| file.set_len(0)).expect("truncates");
    }
}

fn write_lines(log: &Path) {
    for number in 0..LINES {
        let mut file = OpenOptions::new().create(true).append(true).open(log).expect("opens");
        writeln!(file, "line {number:05}").expect("writes");
        if number % LINES_PER_FILE == LINES_PER_FILE - 1 {
            rotate(log, number / LINES_PER_FILE);
        }
        std::thread::sleep(Duration::from_millis(4));
    }
}

/// The lines of acknowledged requests: every third is refused.
fn acknowledged(received: &[Received]) -> BTreeSet<String> {
    let taken = received.iter().enumerate().filter(|(number, request)| number % 3 != 2 && request.path == "/v1/logs");
    let resources = taken.flat_map(|(_, request)| request.message::<ExportLogsServiceRequest>().resource_logs);
    let records = resources.flat_map(|resource| resource.scope_logs).flat_map(|scope| scope.log_records);
    records
        .filter_map(|record| match record.body?.value? {
            Value::StringValue(line) => Some(line),
            _ => None,
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(|_, number| answer(if number % 3 == 2 { 503 } else { 200 }, "")).await;
    let log = directory.path().join("app.log");
    let writer = tokio::task::spawn_blocking(move || write_lines(&log));
    let mut running = agent(directory.path(), &server.url);
    for kill in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(1500 + 170 * kill as u64)).await;
        running.kill().unwrap();
        running.wait().unwrap();
        tokio::time::sleep(Duration::from_millis(100 * kill as u64)).await;
        running = agent(directory.path(), &server.url);
    }
    writer.await.unwrap();
    let expected: BTreeSet<String> = (0..LINES).map(|number| format!("line {number:05}")).collect();
    server.until("every line", |received| acknowledged(received) == expected).await;
    running.kill().unwrap();
    running.wait().unwrap();
}
