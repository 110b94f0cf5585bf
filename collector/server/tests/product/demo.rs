//! `orrery demo`: the map it shows is the shop's true call graph.

use crate::server::{Server, command, data_dir};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A request of every kind has gone through the shop by then, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(90);

type Graph = BTreeSet<(String, String, String)>;

#[tokio::test]
async fn the_map_equals_the_shops_call_graph() {
    let (_dir, data) = data_dir();
    let mut command = command();
    command
        .args(["demo", "--http", ":0", "--otlp-http", ":0", "--otlp-grpc", ":0", "--log", "warn", "--data-dir"])
        .arg(&data);
    let began = Instant::now();
    let mut server = Server::run(command);
    let map = server
        .until_within(PATIENCE, "/api/v1/topology", |map| {
            map["edges"].as_array().is_some_and(|edges| !edges.is_empty())
        })
        .await;
    println!("{} nodes on the map after {:?}", map["nodes"].as_array().map_or(0, Vec::len), began.elapsed());
    let control = server
        .line_with("/faults says which")
        .split_whitespace()
        .find(|word| word.starts_with("http://"))
        .map(|url| url.replace("/faults", ""));
    let truth = graph(&control.expect("the control API's address")).await;
    assert!(truth.len() > 15, "{truth:#?}");
    let mut shown = Graph::new();
    while began.elapsed() < PATIENCE {
        shown = edges(&server.ok("/api/v1/topology").await);
        if shown == truth {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let missing: Vec<_> = truth.difference(&shown).collect();
    let invented: Vec<_> = shown.difference(&truth).collect();
    assert!(missing.is_empty() && invented.is_empty(), "missing {missing:#?}, invented {invented:#?}");
    println!("map equals call graph: {} edges after {:?}", truth.len(), began.elapsed());

    // The agent's host is there, and the log has no gaps.
    server.until_within(PATIENCE, "/api/v1/hosts", |hosts| hosts["hosts"][0]["cpu_utilization"].is_number()).await;
    let (status, took) = server.terminate();
    assert_eq!(status.code(), Some(0));
    println!("the demo stopped in {took:?}");
    assert!(took < Duration::from_secs(8), "{took:?}");
}

/// (caller, kind, callee) as the shop wired itself.
async fn graph(control: &str) -> Graph {
    let answer = reqwest::get(format!("{control}/graph")).await.expect("an answer").bytes().await.expect("a body");
    let graph: Value = serde_json::from_slice(&answer).expect("JSON");
    let edges = graph.as_array().or_else(|| graph["edges"].as_array()).expect("a list of edges");
    edges.iter().map(true_edge).collect()
}

fn true_edge(edge: &Value) -> (String, String, String) {
    let text = |key: &str| edge[key].as_str().unwrap_or_default().to_owned();
    let (caller, callee, queue) = (text("caller"), text("callee"), format!("queue:{}/", text("system")));
    match edge["kind"].as_str().unwrap_or_default() {
        "database" => (caller, "database".into(), format!("database:{}", callee.replacen('@', "/", 1))),
        "publish" => (caller, "publish".into(), queue + &callee),
        "consume" => (queue + &caller, "consume".into(), callee),
        "external" => (caller, "call".into(), format!("external:{callee}")),
        kind => (caller, kind.to_owned(), callee),
    }
}

/// (caller, kind, callee) as the map shows it: services by name, all others by id, externals without their port.
fn edges(map: &Value) -> Graph {
    let end = |id: &Value| {
        let node = map["nodes"].as_array().into_iter().flatten().find(|node| node["id"] == *id).unwrap_or(&Value::Null);
        let id = id.as_str().unwrap_or_default();
        match node["service"]["name"].as_str() {
            Some(name) => name.to_owned(),
            None if id.starts_with("external:") => id
                .rsplit_once(':')
                .filter(|(_, port)| port.parse::<u16>().is_ok())
                .map_or(id, |(host, _)| host)
                .to_owned(),
            None => id.to_owned(),
        }
    };
    let edges = map["edges"].as_array().into_iter().flatten();
    edges
        .map(|edge| (end(&edge["caller"]), edge["kind"].as_str().unwrap_or_default().to_owned(), end(&edge["callee"])))
        .collect()
}
