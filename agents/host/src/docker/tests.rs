//! Against a real HTTP server on a unix socket that replays documented answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;

use super::*;
use crate::otlp::data_points;
use crate::testing::{Received, Server, answer};

const LIST: &str = include_str!("../../tests/fixtures/docker/list.json");
const INSPECT: &str = include_str!("../../tests/fixtures/docker/inspect.json");
const V1: &str = include_str!("../../tests/fixtures/docker/stats-v1.json");
const V2: &str = include_str!("../../tests/fixtures/docker/stats-v2.json");

/// 2026-11-20T09:10:00Z, in nanoseconds.
const NOW: u64 = 1_795_165_800_000_000_000;

/// An engine whose containers have used so many CPU nanoseconds.
fn engine(socket: &std::path::Path, cpu_nanos: &Arc<AtomicU64>) -> Server {
    let cpu_nanos = Arc::clone(cpu_nanos);
    Server::on_socket(socket, move |request, _| {
        let cpu = cpu_nanos.load(Ordering::Relaxed).to_string();
        match request.path.as_str() {
            "/containers/json" => answer(200, LIST),
            path if path.ends_with("/json") => answer(200, INSPECT),
            "/containers/8dfafdbc3a40/stats?stream=false&one-shot=true" => answer(200, V1.replace("100215355", &cpu)),
            "/containers/9cd87474be90/stats?stream=false&one-shot=true" => answer(200, V2.replace("100215355", &cpu)),
            _ => answer(404, "{\"message\":\"page not found\"}"),
        }
    })
}

fn asked_to_inspect(received: &[Received]) -> usize {
    received.iter().filter(|request| request.path.ends_with("0/json")).count()
}

/// The values of one container as `name{attribute values}`.
fn values(resources: &[ResourceMetrics], name: &str) -> HashMap<String, f64> {
    let text_of = |attribute: &KeyValue| match attribute.value.clone().and_then(|value| value.value) {
        Some(opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(text)) => text,
        other => panic!("{other:?}"),
    };
    let of_container = resources.iter().find(|resource| {
        let attributes = &resource.resource.as_ref().unwrap().attributes;
        attributes.iter().any(|attribute| attribute.key == "container.name" && text_of(attribute) == name)
    });
    let metrics = of_container.unwrap().scope_metrics.iter().flat_map(|scope| &scope.metrics);
    metrics
        .flat_map(|metric| data_points(metric).iter().map(move |point| (metric, point)))
        .map(|(metric, point)| {
            let attributes: Vec<_> = point.attributes.iter().map(text_of).collect();
            let value = match point.value {
                Some(Value::AsInt(value)) => value as f64,
                Some(Value::AsDouble(value)) => value,
                None => f64::NAN,
            };
            (format!("{}{{{}}}", metric.name.trim_start_matches("container."), attributes.join(",")), value)
        })
        .collect()
}

fn check(values: &HashMap<String, f64>, expected: &[(&str, f64)]) {
    let expected: HashMap<String, f64> = expected.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    assert_eq!(*values, expected);
}

#[tokio::test]
async fn containers_are_read_to_the_digit() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("docker.sock");
    let cpu_nanos = Arc::new(AtomicU64::new(1_000_000_000));
    let server = engine(&socket, &cpu_nanos);
    let mut docker = Docker::new(socket);
    let host = [text("host.name", "h")];
    docker.collect(NOW, &host).await;
    cpu_nanos.store(6_000_000_000, Ordering::Relaxed);
    let resources = docker.collect(NOW + 10_000_000_000, &host).await;
    assert_eq!(resources.len(), 2);
    let keys: Vec<_> = resources[0].resource.as_ref().unwrap().attributes.iter().map(|a| a.key.as_str()).collect();
    let container = ["container.id", "container.name", "container.image.name", "container.runtime.name"];
    assert_eq!(keys, [&["host.name"][..], &container].concat());
    check(
        &values(&resources, "boring_feynman"),
        &[
            ("cpu.time{user}", 0.05),
            ("cpu.time{kernel}", 0.03),
            ("cpu.usage{}", 0.5),
            ("memory.usage{}", 6_574_080.0),
            ("memory.working_set{}", 6_537_216.0),
            ("memory.rss{}", 6_537_216.0),
            ("memory.available{}", 67_108_864.0 - 6_537_216.0),
            ("network.io{eth0,receive}", 5338.0),
            ("network.io{eth0,transmit}", 648.0),
            ("network.io{eth5,receive}", 4641.0),
            ("network.io{eth5,transmit}", 690.0),
            ("disk.io{read}", 5120.0),
            ("disk.io{write}", 8192.0),
            ("uptime{}", 609.75),
        ],
    );
    let second = values(&resources, "coolName");
    assert_eq!((second["memory.working_set{}"], second["memory.rss{}"]), (8_000_000.0, 6_000_000.0));
    assert_eq!(second["disk.io{read}"], 0.0, "null is none");
    assert_eq!(asked_to_inspect(&server.received()), 2, "once per container");
}

#[tokio::test]
async fn a_restarted_container_is_inspected_again() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("docker.sock");
    let cpu_nanos = Arc::new(AtomicU64::new(5_000_000_000));
    let server = engine(&socket, &cpu_nanos);
    let mut docker = Docker::new(socket);
    docker.collect(NOW, &[]).await;
    cpu_nanos.store(1_000, Ordering::Relaxed);
    let resources = docker.collect(NOW + 10_000_000_000, &[]).await;
    assert!(!values(&resources, "coolName").contains_key("cpu.usage{}"), "no rate across a restart");
    assert_eq!(asked_to_inspect(&server.received()), 4);
}

#[tokio::test]
async fn no_socket_and_a_sick_engine_cost_nothing_but_the_metrics() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("docker.sock");
    let mut docker = Docker::new(socket.clone());
    assert!(docker.collect(NOW, &[]).await.is_empty());
    assert_eq!(docker.state, State::Off);

    let _server = Server::on_socket(&socket, |_, number| match number {
        0 => answer(500, "{\"message\":\"sick\"}"),
        1 => answer(200, "not json"),
        _ => answer(200, "[]"),
    });
    for expected in [State::Failing, State::Failing, State::On] {
        assert!(docker.collect(NOW, &[]).await.is_empty());
        assert_eq!(docker.state, expected);
    }
}
