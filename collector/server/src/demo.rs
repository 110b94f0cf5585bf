//! `orrery demo`: the server, a shop of small services and this machine's agent, all shipping OTLP to it over sockets.

use crate::app::{Server, Stop, TakenPort};
use crate::settings::Settings;
use anyhow::{Context, Result};
use orrery_demo::Shop;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Shop and agent get this long to send their last telemetry.
const FAREWELL: Duration = Duration::from_millis(2500);
const CONTROL_PORT: u16 = 7090;

/// Runs until a signal.
pub(crate) async fn run(settings: Settings) -> Result<()> {
    let server = Server::start(&settings, TakenPort::TakeAnother).await?;
    let stop = Stop::listen()?;
    let shop = start_shop(server.otlp_grpc).await?;
    let stopping = CancellationToken::new();
    let agent = start_agent(server.otlp_http, &settings.data_dir, stopping.clone());
    println!("{}{}", server.banner(), about(shop.control()));
    stop.wait().await;
    stopping.cancel();
    let farewell = async { tokio::join!(shop.stop(), agent) };
    if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
        tracing::warn!("shop and agent were cut off");
    }
    server.drain().await;
    Ok(())
}

async fn start_shop(otlp: SocketAddr) -> Result<Shop> {
    let control = free(CONTROL_PORT).await;
    let config = orrery_demo::Config { otlp: format!("http://{otlp}"), control, ..orrery_demo::Config::default() };
    orrery_demo::start(config).await.context("the demo shop did not start")
}

/// This port on loopback, or any if it is taken.
async fn free(port: u16) -> SocketAddr {
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match TcpListener::bind(wanted).await {
        Ok(_) => wanted,
        Err(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}

/// The agent of this machine. The tour goes on without it.
fn start_agent(otlp: SocketAddr, data_dir: &Path, stopping: CancellationToken) -> JoinHandle<()> {
    let config = orrery_agent::Config {
        otlp: format!("http://{otlp}"),
        state_dir: data_dir.join("agent"),
        interval: Duration::from_secs(5),
        ..orrery_agent::Config::default()
    };
    tokio::spawn(async move {
        if let Err(error) = orrery_agent::run(config, Box::pin(stopping.cancelled_owned())).await {
            tracing::warn!(error = format!("{error:#}"), "the agent does not run; host metrics are missing");
        }
    })
}

fn about(control: SocketAddr) -> String {
    format!(
        "
  Demo shop   web, mobile and chatbot clients, a gateway, eight services, their databases, a bus
  Faults      one comes and goes every 90 s: http://{control}/faults says which; to cause one:
              curl -X POST http://{control}/faults -H 'content-type: application/json' -d '{{\"kind\":\"latency\"}}'
  Agent       this machine's processors, memory, disks and network

  Open the dashboard; the map fills within seconds. Ctrl-C ends the tour.
"
    )
}
