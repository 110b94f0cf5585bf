//! Peers that are slow, many, or change their minds: the server closes on them, bounds them, and serves the others.

use crate::server::{Server, data_dir, serve};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use orrery_synth::hostile;
use orrery_synth::wire::{Connection, Outcome, Transport};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const HEAD: &[u8] =
    b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 1000\r\n\r\n";

/// A server whose timeouts are a tenth of the usual and less, and whose caps are low.
fn server() -> (TempDir, Server) {
    let (dir, data) = data_dir();
    let config = dir.path().join("orrery.toml");
    let text = "[receive.connections]\nmax_total = 400\nmax_per_address = 300\nheader_timeout_millis = 700\n\
        body_progress_timeout_millis = 700\nbody_timeout_millis = 3000\nidle_timeout_millis = 2000\nkeepalive_millis = 700";
    std::fs::write(&config, text).unwrap();
    let mut command = serve(&data);
    command.arg("--config").arg(config);
    (dir, Server::run(command))
}

fn address(url: &str) -> String {
    url.trim_start_matches("http://").to_owned()
}

/// One request after the other over both transports until told to stop; each must be acknowledged.
async fn good_clients(server: &Server, stop: Arc<AtomicBool>) -> u64 {
    let mut http = Connection::new(&server.otlp_http, Transport::Http).unwrap();
    let mut grpc = Connection::new(&server.otlp_grpc, Transport::Grpc).unwrap();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) || number == 0 {
        for (connection, transport) in [(&mut http, Transport::Http), (&mut grpc, Transport::Grpc)] {
            let answer = connection.call(&hostile::good(number, transport).0).await.expect("an answer");
            assert_eq!(answer.outcome().unwrap(), Outcome::Acked(0));
            number += 1;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    number
}

/// Runs `peers` beside good clients; `peers` must come to an end.
async fn beside_good_clients(server: &Server, peers: impl Future<Output = ()>) {
    let stop = Arc::new(AtomicBool::new(false));
    let hostile = async {
        tokio::time::timeout(Duration::from_secs(60), peers).await.expect("the server ends it");
        stop.store(true, Ordering::Relaxed);
    };
    let (served, ()) = tokio::join!(good_clients(server, Arc::clone(&stop)), hostile);
    println!("{served} good requests meanwhile");
}

/// Until the server closes the connection; what it said before.
async fn until_closed(mut stream: TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    _ = stream.read_to_end(&mut said).await;
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_senders_are_closed_and_others_served() {
    let (_dir, mut server) = server();
    let slow = |url: &str, first: &'static [u8], drip: bool| {
        let address = address(url);
        async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(first).await.unwrap();
            if !drip {
                return until_closed(stream).await;
            }
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Vec::new()
        }
    };
    let firsts: [(&[u8], bool); 6] = [
        (b"", false),
        (b"POST /v1/traces HTTP/1.1\r\nhost:", false),
        (b"POST /v1/traces HTTP/1.1\r\nx: ", true),
        (HEAD, false),
        (HEAD, true),
        (b"PRI * HTTP", false),
    ];
    let peers = async {
        let all = (0..240).map(|at| {
            let (first, drip) = firsts[at % firsts.len()];
            slow(if at % 4 == 3 { &server.otlp_grpc } else { &server.otlp_http }, first, drip)
        });
        futures_util::future::join_all(all).await;
    };
    beside_good_clients(&server, peers).await;
    assert!(server.is_running());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_connections_is_bounded() {
    let (_dir, mut server) = server();
    let address = address(&server.otlp_http);
    // The good clients' connections come first.
    let peers = async {
        let mut closed = 0;
        let mut held = Vec::new();
        for _ in 0..1000 {
            held.push(TcpStream::connect(&address).await.unwrap());
        }
        for mut stream in held {
            // The receiver turns away what is over its cap at once, the rest when no request comes.
            closed += u64::from(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)));
        }
        assert_eq!(closed, 1000);
    };
    beside_good_clients(&server, peers).await;
    let files = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
    assert!(files < 600, "{files} files are open");
    assert!(server.is_running());
}

/// Streams opened and reset at once, and a thousand that want an answer, on one connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_are_reset_cost_a_connection_at_most() {
    let (_dir, mut server) = server();
    let url = server.otlp_grpc.clone();
    let request = |number: u64| {
        let (call, _) = hostile::good(number, Transport::Grpc);
        let mut request =
            http::Request::post(format!("{url}{}", call.path)).body(Full::<Bytes>::new(call.body)).unwrap();
        *request.headers_mut() = call.headers;
        request
    };
    let connect = async || {
        let stream = TcpStream::connect(address(&url)).await.unwrap();
        let (client, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        client
    };
    let answered = AtomicU64::new(0);
    let peers = async {
        for _ in 0..5 {
            let mut client = connect().await;
            for number in 0..2000 {
                let answer = tokio::spawn(client.send_request(request(1 << 20 | number)));
                tokio::task::yield_now().await;
                answer.abort();
                if client.ready().await.is_err() {
                    break;
                }
            }
        }
        let client = connect().await;
        let calls = (0..1000).map(|number| {
            let (mut client, request) = (client.clone(), request(1 << 30 | number));
            async move { client.send_request(request).await.expect("an answer") }
        });
        answered.store(futures_util::future::join_all(calls).await.len() as u64, Ordering::Relaxed);
    };
    beside_good_clients(&server, peers).await;
    assert_eq!(answered.load(Ordering::Relaxed), 1000);
    assert!(server.is_running());
}

#[tokio::test]
async fn a_tiny_deadline_and_a_message_too_large_are_answered_by_the_contract() {
    let (_dir, server) = server();
    let mut connection = Connection::new(&server.otlp_grpc, Transport::Grpc).unwrap();
    for deadline in ["1n", "0n", "1u", "99999999H", "nonsense", ""] {
        let (mut call, _) = hostile::good(1, Transport::Grpc);
        call.headers.insert("grpc-timeout", deadline.parse().unwrap());
        assert_eq!(connection.call(&call).await.unwrap().outcome().unwrap(), Outcome::Acked(0), "{deadline}");
    }
    for transport in [Transport::Http, Transport::Grpc] {
        let url = if transport == Transport::Grpc { &server.otlp_grpc } else { &server.otlp_http };
        let (mut call, _) = hostile::good(2, transport);
        call.body = vec![0; 65 << 20].into();
        let mut connection = Connection::new(url, transport).unwrap();
        let outcome = connection.call(&call).await.unwrap().outcome().unwrap();
        assert_eq!(outcome, Outcome::Refused(413, None), "{transport:?}");
    }
}
