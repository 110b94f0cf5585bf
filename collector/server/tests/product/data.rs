//! What people do with a data directory: export, look after it, keep less, run out of disk.

use crate::otlp;
use crate::server::{Server, command, data_dir, fails, serve};
use parquet::file::reader::{FileReader, SerializedFileReader};
use prost::Message;
use serde_json::Value;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use tonic::Code;

fn run(command: &mut Command) -> Output {
    command.output().expect("the binary runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

fn rows(file: &Path) -> i64 {
    let file = std::fs::File::open(file).expect("a file");
    SerializedFileReader::new(file).expect("a Parquet file").metadata().file_metadata().num_rows()
}

fn export(signal: &str, out: &Path) -> Command {
    let mut command = command();
    command.args(["export", "--signal", signal, "--from", "now-1h", "--to", "now+1h", "--out"]).arg(out);
    command
}

#[tokio::test]
async fn rows_are_exported_from_a_running_server_and_from_its_directory() {
    let (dir, data) = data_dir();
    let mut server = Server::start_in(&data);
    for number in 1..=3 {
        otlp::over_http(&server, "traces", &otlp::checkout(number, false)).await;
    }
    otlp::over_http(&server, "logs", &otlp::logs("cart", &[(9, "one"), (17, "two")], None)).await;
    server
        .until("/api/v1/self", |own| {
            own["signals"]["traces"]["queryable"] == 27 && own["signals"]["logs"]["queryable"] == 2
        })
        .await;

    let out = dir.path().join("traces.parquet");
    let output = run(export("traces", &out).args(["--url", &server.http]));
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(rows(&out), 27);
    let one = dir.path().join("one.parquet");
    assert!(run(export("traces", &one).args(["--url", &server.http, "--service", "nobody"])).status.success());
    assert_eq!(rows(&one), 0);
    let raw = reqwest::get(format!("{}/api/v1/export?signal=logs&from=now-1h", server.http)).await.unwrap();
    assert_eq!(raw.headers()["content-type"], "application/vnd.apache.parquet");
    let logs = dir.path().join("logs.parquet");
    std::fs::write(&logs, raw.bytes().await.unwrap()).unwrap();
    assert_eq!(rows(&logs), 2);

    let (code, said) = fails(export("traces", &out).arg("--data-dir").arg(&data));
    assert!(code == 1 && said.contains("in use") && said.contains("--url"), "{said}");
    let (status, problem) = server.get("/api/v1/export?signal=spans").await;
    assert_eq!((status, problem["field"].as_str()), (400, Some("signal")));
    server.terminate();
    for (signal, expected) in [("traces", 27), ("logs", 2), ("metrics", 0)] {
        let output = run(export(signal, &out).arg("--data-dir").arg(&data));
        assert!(output.status.success(), "{}", self::said(&output));
        assert_eq!(rows(&out), expected, "{signal}");
    }
    let (code, said) = fails(export("traces", &out).arg("--data-dir").arg(dir.path().join("none")));
    assert!(code == 1 && said.contains("no data directory") && !dir.path().join("none").exists(), "{said}");
}

#[test]
fn an_interrupted_export_leaves_no_file() {
    let (dir, _) = data_dir();
    // A server that begins an answer and never ends it.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        _ = client.read(&mut [0; 4096]);
        client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nPAR1").unwrap();
        std::thread::sleep(Duration::from_secs(60));
    });
    let out = dir.path().join("traces.parquet");
    let mut child = export("traces", &out).args(["--url", &url]).spawn().unwrap();
    let part = dir.path().join("traces.parquet.part");
    let deadline = Instant::now() + Duration::from_secs(30);
    let wait = |what: &str, done: &mut dyn FnMut() -> bool| {
        while !done() {
            assert!(Instant::now() < deadline, "not in time: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait("the file is begun", &mut || part.exists());
    // The signal's handler is there once the request is on its way.
    std::thread::sleep(Duration::from_millis(300));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    wait("it ends", &mut || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(!part.exists() && !out.exists());
}

fn doctor(data: &Path, arguments: &[&str]) -> Output {
    run(command().arg("doctor").arg("--data-dir").arg(data).args(arguments))
}

#[tokio::test]
async fn the_doctor_looks_names_and_repairs() {
    let (_dir, data) = data_dir();
    let mut server = Server::start_in(&data);
    otlp::over_http(&server, "traces", &otlp::checkout(1, false)).await;
    otlp::over_http(&server, "traces", &otlp::checkout(2, false)).await;
    let output = doctor(&data, &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).contains(&format!("In use by process {}", server.pid())), "{}", said(&output));
    assert_eq!(doctor(&data, &["--repair"]).status.code(), Some(2), "not under a server");
    server.terminate();

    let output = doctor(&data, &["--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["log"]["unsealed_items"]["traces"]), (Some(0), &18.into()), "{report}");
    let log: PathBuf = std::fs::read_dir(data.join("wal")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&log).unwrap();
    bytes[60] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    let output = doctor(&data, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("is damaged at byte 8 ") && said(&output).contains("What to do:"),
        "{}",
        said(&output)
    );
    let output = doctor(&data, &["--repair"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("Repaired: wal/"), "{}", said(&output));
    let server = Server::start_in(&data);
    let own = server.ok("/api/v1/self").await;
    assert_eq!(own["signals"]["traces"]["dropped"]["damaged"], 9, "{own}");
    let trace = server.ok(&format!("/api/v1/traces/{:032x}", otlp::trace_of(2))).await;
    assert_eq!(trace["spans"].as_array().map(Vec::len), Some(8));
    assert_eq!(doctor(&data.join("none"), &[]).status.code(), Some(2));
}

#[tokio::test]
async fn what_retention_would_remove_is_said_before() {
    let (_dir, data) = data_dir();
    let mut command = serve(&data);
    command.args(["--retention", "7d", "--retention-max-bytes", "traces=1GiB,logs=500MB"]);
    command.args(["--retention-rule", "traces after 3d where service = cart and not error"]);
    let mut server = Server::run(command);
    let own = server.ok("/api/v1/self").await;
    assert_eq!(own["retention"], "7d, traces 1GiB, logs 500MB, 1 rule");
    let plan = server.ok("/api/v1/retention").await;
    assert_eq!(plan["signals"]["traces"]["max_bytes"], 1 << 30);
    assert_eq!(plan["rules"][0]["rule"], "traces after 3d where service = 'cart' and not error");
    let dry_run = || {
        let mut command = crate::server::command();
        command.args(["retention", "--dry-run"]);
        command
    };
    let output = run(dry_run().args(["--url", &server.http, "--json"]));
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), plan, "{}", said(&output));
    let other = "logs after 1d where not error";
    let output = run(dry_run().args(["--url", &server.http, "--json", "--retention-rule", other]));
    assert_eq!(
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["rules"][0]["rule"],
        other,
        "{}",
        said(&output)
    );
    let (code, said) = fails(dry_run().arg("--data-dir").arg(&data));
    assert!(code == 1 && said.contains("--url"), "{said}");
    server.terminate();
    let output =
        run(dry_run().arg("--data-dir").arg(&data).args(["--retention-rule", "logs after 1d where not error"]));
    assert!(self::said(&output).contains("Nothing would go now."), "{}", self::said(&output));
    let (_, said) = fails(serve(&data).args(["--retention-rule", "traces after 3d where eror"]));
    assert!(said.contains("character 27") && said.contains("retention.rules"), "{said}");
}

/// On a file system in memory that nobody else fills: how much of it is free, and something that takes it.
struct Tmpfs {
    dir: tempfile::TempDir,
}

impl Tmpfs {
    const ROOM: u64 = 64 << 20;

    fn new() -> Tmpfs {
        Tmpfs { dir: tempfile::tempdir_in("/dev/shm").expect("/dev/shm is a file system in memory") }
    }

    fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.dir.path()).expect("a file system");
        stat.f_bavail * stat.f_frsize
    }

    fn ballast(&self) -> PathBuf {
        self.dir.path().join("ballast")
    }

    /// Takes twice the room there was.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.ballast()).unwrap();
        (0..(2 * Self::ROOM) >> 20).for_each(|_| file.write_all(&vec![1; 1 << 20]).unwrap());
    }
}

#[tokio::test]
async fn at_the_disk_reserve_it_refuses_says_so_and_recovers() {
    let disk = Tmpfs::new();
    let mut command = serve(&disk.dir.path().join("data"));
    command.args(["--disk-reserve", &(disk.free() - Tmpfs::ROOM).to_string()]);
    let server = Server::run(command);
    otlp::over_http(&server, "traces", &otlp::checkout(1, false)).await;
    disk.fill();
    let own = server.until("/api/v1/self", |own| own["disk_low"] == true).await;
    let [free, reserve] =
        ["disk_free_bytes", "disk_reserve_bytes"].map(|size| own[size].as_u64().expect("a number of bytes"));
    assert!(free < reserve && own["warnings"] == serde_json::json!([]), "said once: {own}");
    let client = reqwest::Client::new();
    let post = client.post(format!("{}/v1/traces", server.otlp_http)).header("content-type", "application/x-protobuf");
    let response = post.body(otlp::checkout(2, false).encode_to_vec()).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 503);
    assert!(response.headers().contains_key("retry-after"), "{response:?}");
    let mut grpc = opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient::connect(
        server.otlp_grpc.clone(),
    )
    .await
    .unwrap();
    assert_eq!(grpc.export(otlp::checkout(3, false)).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(server.get("/readyz").await.0, 503);
    let own = server
        .until("/api/v1/self", |own| {
            own["signals"]["traces"]["refused"].as_object().is_some_and(|refused| !refused.is_empty())
        })
        .await;
    println!("{}", own["signals"]["traces"]["refused"]);
    // What is stored can be read all the while.
    server.ok(&format!("/api/v1/traces/{:032x}", otlp::trace_of(1))).await;
    std::fs::remove_file(disk.ballast()).unwrap();
    // Ready again before anybody has sent anything.
    server.until("/api/v1/self", |own| own["disk_low"] == false).await;
    assert_eq!(server.get("/readyz").await.0, 200);
    otlp::over_http(&server, "traces", &otlp::checkout(2, false)).await;
}
