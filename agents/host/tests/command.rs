//! The command as users meet it.

use std::io::Read;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn agent(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orrery-agent"));
    command.args(arguments).env_remove("ORRERY_AGENT_OTLP").env_remove("RUST_LOG");
    command
}

fn output(arguments: &[&str]) -> Output {
    agent(arguments).output().expect("the command runs")
}

fn check_refused(arguments: &[&str], names: &str) {
    let output = output(arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{arguments:?} should fail");
    assert!(error.contains(names), "{arguments:?} should name {names}: {error}");
    assert!(!error.contains("panicked"), "{error}");
}

#[test]
fn wrong_settings_fail_naming_the_fix() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let state = state.to_str().unwrap();
    let file = directory.path().join("agent.toml");
    std::fs::write(&file, "[[log]]\nglob = \"/x\"\nmultilin_start = \"y\"\n").unwrap();
    check_refused(&["--config", file.to_str().unwrap()], "multilin_start");
    check_refused(&["--config", "/nonexistent/agent.toml"], "/nonexistent/agent.toml");
    check_refused(&["--state-dir", state, "--otlp", "127.0.0.1:4318"], "http://host:4318");
    check_refused(&["--interval", "fast"], "--interval");
    check_refused(&["--state-dir", "/proc/nowhere"], "--state-dir");
}

#[test]
fn once_prints_what_would_be_sent() {
    let text = output(&["--once"]);
    assert!(text.status.success());
    assert!(String::from_utf8_lossy(&text.stdout).contains("system.memory.usage [By] updowncounter"));
    let json = output(&["--once=json", "--docker-socket", ""]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json[0]["attributes"]["service.name"], "orrery-agent");
}

#[test]
fn sigterm_ends_it_cleanly_and_soon() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let mut child = agent(&["--state-dir", state.to_str().unwrap(), "--otlp", "http://127.0.0.1:9"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !state.join("instance-id").exists() {
        assert!(started.elapsed() < Duration::from_secs(30), "never started");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(200));
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let asked = Instant::now();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = child.wait().unwrap();
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(status.success(), "{status}: {log}");
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(log.contains("agent stopped"), "{log}");
}
