//! Starting, refusing to start, and stopping.

use crate::otlp;
use crate::server::{Server, command, data_dir, fails, serve};
use std::net::TcpListener;
use std::time::Duration;

fn check_refused(command: &mut std::process::Command, says: &[&str]) {
    let (code, said) = fails(command);
    assert_eq!(code, 1, "{said}");
    assert_eq!(said.trim_end().lines().count(), 1, "one line: {said}");
    assert!(said.starts_with("orrery: "), "{said}");
    for part in says {
        assert!(said.contains(part), "{part:?} in: {said}");
    }
}

#[test]
fn a_taken_port_is_named_with_the_flag_that_changes_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--http", "--otlp-http", "--otlp-grpc"] {
        let (_dir, data) = data_dir();
        let mut command = command();
        command.arg("serve").arg("--data-dir").arg(data);
        for other in ["--http", "--otlp-http", "--otlp-grpc"] {
            command.arg(other).arg(if other == flag { &address } else { ":0" });
        }
        check_refused(&mut command, &[&address, "taken", &format!("{flag} 127.0.0.1:")]);
    }
}

#[tokio::test]
async fn a_locked_directory_is_named_with_its_owner() {
    let (_dir, data) = data_dir();
    let mut first = Server::start_in(&data);
    check_refused(&mut serve(&data), &["in use", &first.pid().to_string(), "--data-dir"]);
    first.ok("/healthz").await;
    first.kill();
    // The lock dies with its owner.
    Server::start_in(&data).ok("/api/v1/self").await;
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let (dir, _) = data_dir();
    let file = dir.path().join("file");
    std::fs::write(&file, "no directory").unwrap();
    check_refused(&mut serve(&file.join("data")), &["cannot be written", "--data-dir"]);
}

#[test]
fn a_bad_setting_is_named_with_the_fix() {
    let (dir, data) = data_dir();
    let file = dir.path().join("orrery.toml");
    std::fs::write(&file, "retension = \"30d\"").unwrap();
    check_refused(serve(&data).arg("--config").arg(&file), &["orrery.toml", "`retension`", "`retention`"]);
    std::fs::write(&file, "retention = 30").unwrap();
    check_refused(serve(&data).arg("--config").arg(&file), &["line 1", "retention"]);
    check_refused(serve(&data).args(["--config", "/nonexistent/orrery.toml"]), &["/nonexistent/orrery.toml"]);
    check_refused(serve(&data).args(["--retention", "30 days"]), &["30d", "off"]);
    check_refused(serve(&data).env("ORRERY_QUERY_TIMEOUT", "soon"), &["query_timeout", "10s"]);
    check_refused(command().args(["serve", "--http", "7070"]), &["--http 7070", "127.0.0.1:7070"]);
}

#[tokio::test]
async fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let (dir, data) = data_dir();
    let file = dir.path().join("orrery.toml");
    std::fs::write(
        &file,
        format!("data_dir = {data:?}\nhttp = \":0\"\notlp_http = \":0\"\notlp_grpc = \":0\"\nretention = \"1d\""),
    )
    .unwrap();
    let started = |flag: Option<&str>, env: Option<&str>| {
        let mut command = command();
        command.arg("serve").arg("--config").arg(&file).args(flag.map(|value| format!("--retention={value}")));
        command.envs(env.map(|value| ("ORRERY_RETENTION", value)));
        Server::run(command)
    };
    for (flag, env, expected) in
        [(None, None, "1d"), (None, Some("2d"), "2d"), (Some("3d"), Some("2d"), "3d"), (Some("off"), None, "off")]
    {
        let mut server = started(flag, env);
        assert_eq!(server.ok("/api/v1/self").await["retention"], expected);
        server.kill();
    }
    assert!(data.is_dir(), "the file's data_dir was used");
}

#[test]
fn help_is_grouped_and_ends_with_examples() {
    let output = command().args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["Storage:", "Listen on:", "Limits:", "ORRERY_DATA_DIR", "[default: 30d]", "data_dir ="] {
        assert!(help.contains(part), "{part}: {help}");
    }
    let output = command().arg("--help").output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("orrery demo"));
}

#[tokio::test]
async fn sigterm_finishes_what_is_in_flight_and_keeps_everything() {
    let (_dir, data) = data_dir();
    let mut server = Server::start_in(&data);
    otlp::traces_over_grpc(&server, otlp::checkout(1, false)).await;
    // An answer without end must not keep the server from stopping.
    let tail = reqwest::get(format!("{}/api/v1/logs/tail", server.http)).await.unwrap();
    let (status, took) = server.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
    drop(tail);
    let server = Server::start_in(&data);
    let trace = server.ok(&format!("/api/v1/traces/{:032x}", otlp::trace_of(1))).await;
    assert_eq!(trace["spans"].as_array().map(Vec::len), Some(8));
    println!("drained in {took:?}, started again in {:?}", server.started_in);
}

#[tokio::test]
async fn a_second_interrupt_ends_it_at_once() {
    let mut server = Server::start();
    server.signal("INT");
    server.signal("INT");
    let began = std::time::Instant::now();
    while server.is_running() {
        assert!(began.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_banner_says_where_everything_is() {
    let server = Server::start();
    assert!(server.banner.contains("kept 30d"), "{}", server.banner);
    assert!(server.http.starts_with("http://127.0.0.1:"));
    let own = server.ok("/api/v1/self").await;
    assert_eq!(format!("http://{}", own["endpoints"]["otlp_http"].as_str().unwrap()), server.otlp_http);
}

#[tokio::test]
async fn a_container_can_ask_whether_it_is_ready() {
    let mut server = Server::start();
    let address = server.http.replace("http://", "");
    assert!(command().arg("ready").env("ORRERY_HTTP", &address).status().unwrap().success());
    server.kill();
    let (code, said) = fails(command().args(["ready", "--http", &address]));
    assert_eq!(code, 1);
    assert!(said.contains("no answer from 127.0.0.1"), "{said}");
}
