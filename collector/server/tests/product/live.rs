//! Live data: the WebSocket and server-sent events.

use crate::otlp;
use crate::server::Server;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const PATIENCE: Duration = Duration::from_secs(20);

async fn connect(server: &Server) -> Socket {
    let url = format!("{}/api/v1/live", server.http.replace("http://", "ws://"));
    connect_async(url).await.expect("a WebSocket").0
}

async fn ask(socket: &mut Socket, request: Value) {
    socket.send(Message::text(request.to_string())).await.expect("sent");
}

/// The next event of this kind.
async fn event(socket: &mut Socket, kind: &str) -> Value {
    let wait = async {
        loop {
            let message = socket.next().await.expect("open").expect("a message");
            if let Message::Text(text) = message {
                let event: Value = serde_json::from_str(&text).expect("JSON");
                if event["event"] == kind {
                    return event;
                }
            }
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("no {kind} event"))
}

#[tokio::test]
async fn a_tab_sees_the_map_health_and_logs_change() {
    let server = Server::start();
    let mut socket = connect(&server).await;
    ask(&mut socket, json!({ "subscribe": "health" })).await;
    assert_eq!(event(&mut socket, "health").await["live_clients"], 1);
    ask(&mut socket, json!({ "subscribe": "topology", "window_seconds": 900 })).await;
    assert_eq!(event(&mut socket, "topology").await["nodes"], json!([]));
    otlp::traces_over_grpc(&server, otlp::checkout(1, false)).await;
    let map = event(&mut socket, "topology").await;
    assert!(map["nodes"].as_array().is_some_and(|nodes| !nodes.is_empty()), "{map}");

    ask(&mut socket, json!({ "subscribe": "logs", "severity": "warn" })).await;
    // The subscription is in place once a later request has been answered.
    ask(&mut socket, json!({ "subscribe": "nonsense" })).await;
    event(&mut socket, "error").await;
    otlp::logs_over_grpc(&server, otlp::logs("cart", &[(9, "quiet"), (13, "loud")], None)).await;
    let logs = event(&mut socket, "logs").await;
    assert_eq!((logs["logs"].as_array().map(Vec::len), logs["logs"][0]["body"].as_str()), (Some(1), Some("loud")));
    assert_eq!(logs["skipped"], 0);

    ask(&mut socket, json!({ "subscribe": "topology", "window_seconds": 0 })).await;
    assert!(
        event(&mut socket, "error").await["detail"].as_str().is_some_and(|detail| detail.contains("window_seconds"))
    );
}

#[tokio::test]
async fn a_flood_is_bounded_and_the_rest_is_counted() {
    let server = Server::start();
    let mut socket = connect(&server).await;
    ask(&mut socket, json!({ "subscribe": "logs" })).await;
    ask(&mut socket, json!({ "subscribe": "nonsense" })).await;
    event(&mut socket, "error").await;
    let many = vec![(9, "flood"); 5000];
    otlp::over_http(&server, "logs", &otlp::logs("cart", &many, None)).await;
    let (mut shown, mut skipped) = (0, 0);
    while shown + skipped < 5000 {
        let logs = event(&mut socket, "logs").await;
        let batch = logs["logs"].as_array().map_or(0, Vec::len) as u64;
        assert!(batch <= 500);
        shown += batch;
        skipped += logs["skipped"].as_u64().unwrap_or(0);
    }
    assert_eq!(shown + skipped, 5000, "nothing vanishes uncounted");
    assert!(shown >= 500);
}

#[tokio::test]
async fn foreign_pages_get_no_live_data() {
    let server = Server::start();
    let mut request = format!("{}/api/v1/live", server.http.replace("http://", "ws://")).into_client_request().unwrap();
    request.headers_mut().insert("origin", "http://evil.example".parse().unwrap());
    match connect_async(request).await {
        Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), 403),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_tail_that_reconnects_misses_nothing() {
    let server = Server::start();
    let url = format!("{}/api/v1/logs/tail?service=cart", server.http);
    let mut tail = reqwest::get(&url).await.unwrap();
    assert_eq!(tail.headers()["content-type"], "text/event-stream");
    otlp::logs_over_grpc(&server, otlp::logs("cart", &[(9, "one")], None)).await;
    let first = read_until(&mut tail, "one").await;
    let id = first.lines().rev().find_map(|line| line.strip_prefix("id: ")).expect("an event id").to_owned();
    drop(tail);
    // Whether the server has noticed yet that the client has gone must not matter.
    tokio::time::sleep(Duration::from_millis(500)).await;
    otlp::logs_over_grpc(&server, otlp::logs("cart", &[(9, "two")], None)).await;
    otlp::logs_over_grpc(&server, otlp::logs("other", &[(9, "not wanted")], None)).await;
    let request = reqwest::Client::new().get(&url).header("last-event-id", id);
    let mut tail = request.send().await.unwrap();
    let again = read_until(&mut tail, "two").await;
    assert!(!again.contains("\"one\"") && !again.contains("not wanted"), "{again}");
}

async fn read_until(tail: &mut reqwest::Response, wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(&format!("\"{wanted}\"")) {
        let chunk = timeout(PATIENCE, tail.chunk()).await.expect("in time").expect("open").expect("more");
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    text
}
