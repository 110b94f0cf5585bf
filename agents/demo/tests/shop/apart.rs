//! One process per member, as compose runs them: found by address, faults by the control.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use orrery_demo::{Edge, Member};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::eventually;
use crate::graph::{EDGES, check_graph, check_links};
use crate::sink::Sink;
use crate::stores::{Process, Servers, free_port, servers};

const PROGRAM: &str = env!("CARGO_BIN_EXE_orrery-demo");

/// Every replica that listens: catalog twice.
fn ports() -> BTreeMap<Member, Vec<u16>> {
    let listening = Member::ALL.into_iter().filter(|member| !member.is_client());
    listening.map(|member| (member, member.versions().iter().map(|_| free_port()).collect())).collect()
}

fn spawn(sink: &Sink, servers: &Servers, ports: &BTreeMap<Member, Vec<u16>>, control: u16) -> Vec<(Member, Process)> {
    let mut shop = Command::new(PROGRAM);
    shop.args(["control", "--no-faults", "--control", &format!("127.0.0.1:{control}")]).stdout(Stdio::null());
    let mut started = vec![(Member::Payfast, Process(shop.spawn().unwrap()))];
    for member in Member::ALL {
        for (index, version) in member.versions().iter().enumerate() {
            let mut one = Command::new(PROGRAM);
            one.args(["service", member.name(), "--release", version, "--replica", &(index + 1).to_string()])
                .stdout(Stdio::null());
            one.args([
                "--otlp",
                &sink.endpoint(),
                "--rate",
                "40",
                "--control-url",
                &format!("http://127.0.0.1:{control}"),
            ]);
            one.env("ORRERY_DEMO_POSTGRES", servers.stores.postgres.as_ref().unwrap());
            one.env("ORRERY_DEMO_REDIS", servers.stores.redis.as_ref().unwrap());
            one.env("ORRERY_DEMO_NATS", servers.stores.nats.as_ref().unwrap());
            if let Some(ports) = ports.get(&member) {
                one.args(["--listen", &format!("127.0.0.1:{}", ports[index])]);
            }
            for (peer, ports) in ports {
                let urls: Vec<_> = ports.iter().map(|port| format!("http://localhost:{port}")).collect();
                one.env(format!("ORRERY_DEMO_{}", peer.name().to_uppercase().replace('-', "_")), urls.join(","));
            }
            started.push((member, Process(one.spawn().unwrap())));
        }
    }
    started
}

/// What the members have told the control, once all have.
async fn whole_graph(control: &str) -> Vec<Edge> {
    let started = Instant::now();
    loop {
        let body: Value = reqwest::get(format!("{control}/graph")).await.unwrap().json().await.unwrap();
        let graph: Vec<Edge> = serde_json::from_value(body["edges"].clone()).unwrap();
        if graph.len() == EDGES {
            return graph;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{graph:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_in_processes_of_their_own_make_the_same_shop() {
    let Some(servers) = servers().await else { return };
    let sink = Sink::start().await;
    let (ports, control) = (ports(), free_port());
    let mut processes = spawn(&sink, &servers, &ports, control);
    let base = format!("http://127.0.0.1:{control}");
    eventually("the control answers", 30, || TcpStream::connect(("127.0.0.1", control)).ok()).await;
    let graph = whole_graph(&base).await;
    check_graph(&sink, || graph.clone()).await;

    let cart = ports[&Member::Cart][0];
    let checked = Command::new(PROGRAM).args(["check", &format!("http://127.0.0.1:{cart}/healthz")]).status().unwrap();
    assert!(checked.success());
    let order = json!({ "kind": "crash-restart", "target": "cart", "duration_seconds": 5 });
    let sent = reqwest::Client::new().post(format!("{base}/faults")).json(&order).send().await.unwrap();
    assert_eq!(sent.status(), 201);
    eventually("cart is down", 10, || TcpStream::connect(("127.0.0.1", cart)).is_err().then_some(())).await;
    eventually("cart is back", 20, || TcpStream::connect(("127.0.0.1", cart)).ok()).await;

    let asked = Instant::now();
    for (_, process) in &processes {
        kill_process(Pid::from_child(&process.0), Signal::TERM).unwrap();
    }
    for (member, process) in &mut processes {
        let status = process.0.wait().unwrap();
        assert!(status.success(), "{member}: {status}");
    }
    assert!(asked.elapsed() < Duration::from_secs(6), "{:?}", asked.elapsed());
    check_links(&sink.spans());
}

#[test]
fn a_follower_without_a_real_bus_says_what_to_do() {
    let output = Command::new(PROGRAM).args(["service", "shipping"]).env_remove("ORRERY_DEMO_NATS").output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && message.contains("--nats"), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
}
