//! The real OpenTelemetry SDK of another language.

use crate::server::Server;
use std::path::PathBuf;
use std::process::Command;

/// Runs only where `ORRERY_SDK_PYTHON` names a Python that has the OpenTelemetry SDK and its OTLP exporters, and
/// `ORRERY_SDK_SCRIPT` the script that sends one trace of five services with logs and metrics.
#[tokio::test]
async fn what_the_python_sdk_sends_arrives_complete() {
    let (Some(python), Some(script)) = (std::env::var_os("ORRERY_SDK_PYTHON"), std::env::var_os("ORRERY_SDK_SCRIPT"))
    else {
        println!("skipped: ORRERY_SDK_PYTHON and ORRERY_SDK_SCRIPT are not set");
        return;
    };
    let server = Server::start();
    for (sent, (mode, endpoint)) in
        [("http", server.otlp_http.clone()), ("grpc", server.otlp_grpc.replace("http://", ""))].into_iter().enumerate()
    {
        for flags in [&[][..], &["--gzip", "--ok"]] {
            let output =
                Command::new(&python).arg(PathBuf::from(&script)).args([mode, &endpoint]).args(flags).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let words: Vec<&str> = said.split_whitespace().collect();
            let (trace, worker) = (words[1], words[3]);
            let found = server
                .until(&format!("/api/v1/traces/{trace}"), |found| {
                    found["spans"].as_array().is_some_and(|spans| spans.len() == 8)
                })
                .await;
            assert_eq!(found["services"].as_array().map(Vec::len), Some(3), "run {sent}");
            server
                .until(&format!("/api/v1/traces/{worker}"), |found| {
                    found["spans"].as_array().is_some_and(|spans| spans.len() == 2)
                })
                .await;
            server
                .until(&format!("/api/v1/logs?trace_id={trace}"), |found| {
                    found["logs"].as_array().is_some_and(|logs| logs.len() == 2)
                })
                .await;
        }
    }
    // Per run: 10 spans, 2 log records; per service and run a histogram, an exponential one, a counter and a gauge.
    let own = server.until("/api/v1/self", |own| own["signals"]["metrics"]["queryable"].as_u64() == Some(64)).await;
    assert_eq!(own["signals"]["traces"]["queryable"], 40);
    assert_eq!(own["signals"]["logs"]["queryable"], 8);
    assert_eq!(own["signals"]["traces"]["rejected"], serde_json::json!({}));
}
