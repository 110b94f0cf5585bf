//! The whole shop in one process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::board::{Board, FaultReport, now};
use crate::clients::Client;
use crate::config::Config;
use crate::control::{Control, routes};
use crate::graph::{Edge, Wiring};
use crate::instance::Directory;
use crate::member::Member;
use crate::serve::{Door, serve};
use crate::services::{Backends, payfast};
use crate::unit::{Keeper, Unit, World};

/// A running shop. Dropping it stops everything at once and loses what is not yet exported;
/// [`stop`](Shop::stop) does it properly.
pub struct Shop {
    control: Control,
    control_address: SocketAddr,
    addresses: BTreeMap<Member, Vec<SocketAddr>>,
    stop_clients: CancellationToken,
    clients: JoinSet<()>,
    stop_services: CancellationToken,
    services: JoinSet<()>,
    _background: JoinSet<()>,
}

/// Starts the shop: every service on a port of its own, then the clients.
///
/// Needs a multi-threaded tokio runtime, and touches nothing global: no tracing subscriber, no
/// OpenTelemetry provider, no signal handler.
///
/// # Errors
/// [`ConfigError`](crate::ConfigError) for a bad setting; otherwise a port or a store cannot be had, and
/// the message names the setting.
pub fn start(config: Config) -> BoxFuture<'static, anyhow::Result<Shop>> {
    Box::pin(open_shop(config))
}

async fn open_shop(config: Config) -> anyhow::Result<Shop> {
    config.validate()?;
    let listener = TcpListener::bind(config.control).await;
    let listener = listener
        .with_context(|| format!("control: cannot listen on {}; choose another address, or port 0", config.control))?;
    let control_address = listener.local_addr()?;
    let board = Arc::new(Board::new(config.faults.clone(), now()));
    let control = Control { board: board.clone(), wiring: Wiring::default() };
    let (doors, directory) = reserve(&config)?;
    let addresses =
        doors.iter().map(|(member, doors)| (*member, doors.iter().map(|door| door.address).collect())).collect();
    let world = Arc::new(World {
        backends: Backends::new(config.stores.clone()),
        config,
        directory: Arc::new(directory),
        faults: board.faults(),
        wiring: control.wiring.clone(),
    });

    let mut background = JoinSet::new();
    background.spawn(serve(listener, routes(control.clone())));
    background.spawn(async move { board.keep().await });
    let stop_services = CancellationToken::new();
    let services = open(&world, doors, &stop_services, &mut background).await?;
    let stop_clients = CancellationToken::new();
    let mut clients = JoinSet::new();
    for member in Member::ALL.into_iter().filter(|member| member.is_client()) {
        clients.spawn(send(world.clone(), member, stop_clients.clone())?);
    }
    Ok(Shop {
        control,
        control_address,
        addresses,
        stop_clients,
        clients,
        stop_services,
        services,
        _background: background,
    })
}

impl Shop {
    /// Where the control API listens.
    pub fn control(&self) -> SocketAddr {
        self.control_address
    }

    /// Where the gateway listens: the shop's front door.
    pub fn gateway(&self) -> SocketAddr {
        self.addresses[&Member::ApiGateway][0]
    }

    /// Where everybody listens who does.
    pub fn addresses(&self) -> &BTreeMap<Member, Vec<SocketAddr>> {
        &self.addresses
    }

    /// The true call graph, sorted: what the members were wired to. As `GET /graph`.
    pub fn graph(&self) -> Vec<Edge> {
        self.control.wiring.edges()
    }

    /// What is injected, was and will be. As `GET /faults`.
    pub fn faults(&self) -> FaultReport {
        self.control.board.report(now())
    }

    /// Sends the clients home, closes the services and flushes all telemetry; under three seconds, also
    /// when nobody takes the telemetry.
    pub async fn stop(mut self) {
        self.stop_clients.cancel();
        self.stop_services.cancel();
        while self.clients.join_next().await.is_some() {}
        while self.services.join_next().await.is_some() {}
    }
}

type Doors = BTreeMap<Member, Vec<Door>>;

/// Takes a port for everybody first, so that everybody can be told where the others are.
fn reserve(config: &Config) -> anyhow::Result<(Doors, Directory)> {
    let mut doors = Doors::new();
    let mut directory = Directory { everyone_at: Some(config.host), ..Directory::default() };
    for member in Member::ALL.into_iter().filter(|member| !member.is_client()) {
        for _ in member.versions() {
            let door = Door::reserve(SocketAddr::new(config.host, 0))
                .with_context(|| format!("host: no port on {}", config.host))?;
            directory.bases.entry(member).or_default().push(format!(
                "http://{}:{}",
                member.host(),
                door.address.port()
            ));
            doors.entry(member).or_default().push(door);
        }
    }
    Ok((doors, directory))
}

async fn open(
    world: &Arc<World>,
    doors: Doors,
    stop: &CancellationToken,
    background: &mut JoinSet<()>,
) -> anyhow::Result<JoinSet<()>> {
    let mut services = JoinSet::new();
    for (member, doors) in doors {
        for (index, mut door) in doors.into_iter().enumerate() {
            if member == Member::Payfast {
                background.spawn(serve(door.open()?, payfast()));
                continue;
            }
            let versions = member.versions();
            let unit = Unit {
                member,
                version: versions[index].into(),
                replica: index + 1,
                canary: index + 1 == versions.len(),
            };
            let keeper =
                Keeper::start(world.clone(), unit, door).await.with_context(|| format!("{member} does not start"))?;
            services.spawn(keeper.run(stop.clone()));
        }
    }
    Ok(services)
}

/// A client's life.
pub(crate) fn send(
    world: Arc<World>,
    member: Member,
    stop: CancellationToken,
) -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let instance = world.instance(member, member.versions()[0], 1)?;
    let client = Client::new(&instance, world.config.rate)?;
    Ok(async move {
        stop.run_until_cancelled(client.run()).await;
        instance.telemetry.stop().await;
    })
}
