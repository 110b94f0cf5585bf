//! What hostile requests cost: small on the wire, they must not become large in memory.
//!
//! A program of its own (`harness = false`), so that nothing else moves the process's memory.

#![allow(clippy::unwrap_used)] // clippy.toml allows it in tests; helpers of integration tests count as none

#[path = "otlp/support.rs"]
#[allow(dead_code)]
mod support;

use orrery_receive::Config;
use prost::Message;
use std::io::Write;
use support::{Memory, Server, log, logs, span, text, traces};

const MIB: usize = 1 << 20;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run());
}

async fn run() {
    let server = Server::with(Config::default(), Memory::default()).await;
    // Warm up: buffers, threads, connections.
    let good = traces(vec![span("a", 1)]).encode_to_vec();
    assert_eq!(send(&server, "/v1/traces", "", good.clone()).await, 200);
    for (what, path, coding, body, status, most) in hostile() {
        let wire = body.len();
        let before = reset_peak();
        let answered = send(&server, path, coding, body).await;
        let grown = peak().saturating_sub(before);
        println!("{what}: {wire} bytes on the wire, {answered}, peak grew by {:.1} MiB", grown as f64 / MIB as f64);
        assert_eq!(answered, status, "{what}");
        assert!(grown < most * MIB, "{what}: {grown} bytes for {wire}");
    }
    assert_eq!(send(&server, "/v1/traces", "", good).await, 200);
    at_once(&server).await;
}

/// The finding that started it: four such requests at once cost a stock server 1.1 GB.
async fn at_once(server: &Server) {
    let body = gzip(&two_million_empty_spans());
    let before = reset_peak();
    let calls: Vec<_> = (0..16).map(|_| send(server, "/v1/traces", "gzip", body.clone())).collect();
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(|status| *status == 413), "{answers:?}");
    let grown = peak().saturating_sub(before);
    println!("sixteen at once: peak grew by {:.1} MiB", grown as f64 / MIB as f64);
    assert!(grown < 160 * MIB, "{grown}");
}

type Case = (&'static str, &'static str, &'static str, Vec<u8>, u16, usize);

fn hostile() -> Vec<Case> {
    let zeros = vec![0; 300 * MIB];
    let mut cases = vec![
        ("2 M empty spans", "/v1/traces", "gzip", gzip(&two_million_empty_spans()), 413, 32),
        ("gzip bomb", "/v1/traces", "gzip", gzip(&zeros), 413, 32),
        ("zstd bomb", "/v1/traces", "zstd", zstd::encode_all(&zeros[..], 3).unwrap(), 413, 32),
        ("zstd with a 2 GiB window", "/v1/traces", "zstd", wide_window(), 413, 32),
    ];
    drop(zeros);
    // One valid span or point with two million parts of two bytes each.
    for (what, path, field) in [
        ("2 M empty events", "/v1/traces", 11),
        ("2 M empty links", "/v1/traces", 13),
        ("2 M empty attributes", "/v1/traces", 9),
    ] {
        let parts = repeated(field, 2_000_000);
        cases.push((what, path, "gzip", gzip(&in_span(&parts)), 200, 32));
    }
    cases.push(("2 M empty log records", "/v1/logs", "gzip", gzip(&nested(&repeated(2, 2_000_000))), 413, 32));
    cases.push(("2 M empty resources", "/v1/logs", "gzip", gzip(&repeated(1, 2_000_000)), 413, 32));
    cases.push(("8 M buckets", "/v1/metrics", "gzip", gzip(&buckets(8_000_000)), 200, 32));
    cases.push(("JSON: 1.3 M empty spans", "/v1/traces;json", "gzip", gzip(&json_spans(1_300_000)), 413, 40));
    let deep = "[".repeat(4_000_000);
    cases.push(("JSON: 4 M brackets", "/v1/traces;json", "gzip", gzip(deep.as_bytes()), 400, 32));
    let mut long = log("");
    long.body = text(&"long body ".repeat(1_000_000));
    cases.push(("10 MB log body", "/v1/logs", "gzip", gzip(&logs(vec![long]).encode_to_vec()), 200, 40));
    cases
}

/// `count` empty sub-messages of a field.
fn repeated(field: u8, count: usize) -> Vec<u8> {
    [field << 3 | 2, 0].repeat(count)
}

/// Inside a resource group and a scope group.
fn nested(items: &[u8]) -> Vec<u8> {
    field(1, &field(2, items))
}

fn two_million_empty_spans() -> Vec<u8> {
    nested(&repeated(2, 2_090_000))
}

fn in_span(parts: &[u8]) -> Vec<u8> {
    let head = span("a", 1).encode_to_vec();
    nested(&field(2, &[&head, parts].concat()))
}

fn buckets(count: usize) -> Vec<u8> {
    let point = field(8, &field(2, &vec![1; count]));
    let data = [field(1, &point), vec![0x10, 1]].concat();
    let metric = [field(1, b"m"), field(10, &data)].concat();
    nested(&field(2, &metric))
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encoding::encode_varint(bytes.len() as u64, &mut out);
    out.extend_from_slice(bytes);
    out
}

fn json_spans(count: usize) -> Vec<u8> {
    format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{}{{}}]}}]}}]}}", "{},".repeat(count)).into_bytes()
}

/// A frame header that asks for a window of 2 GiB, and nothing else.
fn wide_window() -> Vec<u8> {
    vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, (31 - 10) << 3, 1, 0, 0]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn send(server: &Server, path: &str, coding: &str, body: Vec<u8>) -> u16 {
    let (path, kind) = path.split_once(';').unwrap_or((path, "x-protobuf"));
    let request = reqwest::Client::new().post(server.url(path)).header("content-type", format!("application/{kind}"));
    let request = if coding.is_empty() { request } else { request.header("content-encoding", coding) };
    request.body(body).send().await.unwrap().status().as_u16()
}

/// Makes the kernel forget the peak; returns what is resident now.
fn reset_peak() -> usize {
    std::fs::write("/proc/self/clear_refs", "5").expect("Linux lets a process reset its own peak");
    field_of_status("VmRSS")
}

fn peak() -> usize {
    field_of_status("VmHWM")
}

fn field_of_status(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}
