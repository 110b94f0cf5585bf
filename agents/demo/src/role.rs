//! One member of the shop as a process of its own, the way compose runs it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::board::{Board, now};
use crate::config::{Config, url};
use crate::control::{Control, Sync, routes};
use crate::fault::{Fault, Faults};
use crate::graph::Wiring;
use crate::instance::Directory;
use crate::member::Member;
use crate::serve::{Door, serve};
use crate::services::{Backends, payfast};
use crate::shop::send;
use crate::unit::{Keeper, Unit, World};

const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// What a member that runs alone has to be told.
#[derive(Clone, Debug)]
pub struct Role {
    /// Who it is.
    pub member: Member,
    /// Where it listens; clients do not.
    pub listen: SocketAddr,
    /// Its `service.version`; none takes the member's first released one.
    pub version: Option<String>,
    /// Tells replicas apart in `service.instance.id`; from 1.
    pub replica: usize,
    /// Whether a bad deploy of this member hits this replica.
    pub canary: bool,
    /// Base URLs of the others. Members it does not call may be missing.
    pub peers: BTreeMap<Member, Vec<String>>,
    /// Base URL of the control, which is asked every second what is injected; none has no faults.
    pub control: Option<String>,
}

/// Runs one member until `shutdown` resolves, then drains it. `ready` gets the address it listens on.
///
/// # Errors
/// As [`start`](crate::start).
pub fn run_role(
    config: Config,
    role: Role,
    ready: Box<dyn FnOnce(SocketAddr) + Send>,
    shutdown: BoxFuture<'static, ()>,
) -> BoxFuture<'static, anyhow::Result<()>> {
    Box::pin(play(config, role, ready, shutdown))
}

async fn play(
    config: Config,
    role: Role,
    ready: Box<dyn FnOnce(SocketAddr) + Send>,
    shutdown: BoxFuture<'static, ()>,
) -> anyhow::Result<()> {
    config.validate()?;
    check(&config, &role)?;
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let (faults_to, faults) = watch::channel(Arc::from([]));
    let world = Arc::new(World {
        backends: Backends::new(config.stores.clone()),
        config,
        directory: Arc::new(Directory { bases: role.peers.clone().into_iter().collect(), everyone_at: None }),
        faults: Faults(faults),
        wiring: Wiring::default(),
    });
    let (member, control) = (role.member, role.control.clone());
    let address = begin(&world, role, &stop, &mut tasks).await.with_context(|| format!("{member} does not start"))?;
    ready(address);
    let wiring = world.wiring.clone();
    tokio::select! {
        () = shutdown => {}
        // Also keeps the sender, without which nothing changes any more.
        () = follow(control, wiring, faults_to) => {}
    }
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    Ok(())
}

/// Runs the control alone, for members that run as processes of their own.
///
/// # Errors
/// The address is taken, or a setting is bad.
pub fn run_control(
    config: Config,
    ready: Box<dyn FnOnce(SocketAddr) + Send>,
    shutdown: BoxFuture<'static, ()>,
) -> BoxFuture<'static, anyhow::Result<()>> {
    Box::pin(keep_control(config, ready, shutdown))
}

async fn keep_control(
    config: Config,
    ready: Box<dyn FnOnce(SocketAddr) + Send>,
    shutdown: BoxFuture<'static, ()>,
) -> anyhow::Result<()> {
    config.validate()?;
    let listener = TcpListener::bind(config.control).await;
    let listener = listener
        .with_context(|| format!("control: cannot listen on {}; choose another address, or port 0", config.control))?;
    let address = listener.local_addr()?;
    let board = Arc::new(Board::new(config.faults, now()));
    let control = Control { board: board.clone(), wiring: Wiring::default() };
    ready(address);
    tokio::select! {
        () = shutdown => {}
        () = board.keep() => {}
        () = serve(listener, routes(control)) => {}
    }
    Ok(())
}

fn check(config: &Config, role: &Role) -> anyhow::Result<()> {
    let on_the_bus = role.member == Member::Orders || role.member.is_follower();
    anyhow::ensure!(
        !on_the_bus || config.stores.nats.is_some(),
        "nats: {} meets others on the event bus, and a queue inside one process cannot; give --nats nats://host:4222",
        role.member
    );
    let urls = role.peers.values().flatten().chain(&role.control);
    for peer in urls {
        url("peer", peer, &["http"], "write it like http://catalog:8080")?;
    }
    Ok(())
}

async fn begin(
    world: &Arc<World>,
    role: Role,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<SocketAddr> {
    let member = role.member;
    if member.is_client() {
        tasks.spawn(send(world.clone(), member, stop.clone())?);
        return Ok(role.listen);
    }
    let mut door = Door::reserve(role.listen)
        .with_context(|| format!("listen: cannot listen on {}; choose another address, or port 0", role.listen))?;
    let address = door.address;
    if member == Member::Payfast {
        let (stop, listener) = (stop.clone(), door.open()?);
        tasks.spawn(async move { stop.run_until_cancelled(serve(listener, payfast())).await.unwrap_or_default() });
        return Ok(address);
    }
    let version = role.version.unwrap_or_else(|| member.versions()[0].into());
    let unit = Unit { member, version, replica: role.replica, canary: role.canary };
    let keeper = Keeper::start(world.clone(), unit, door).await?;
    tasks.spawn(keeper.run(stop.clone()));
    Ok(address)
}

/// Tells the control what is wired and learns what is injected; never returns.
async fn follow(control: Option<String>, wiring: Wiring, faults: watch::Sender<Arc<[Fault]>>) {
    let (Some(control), Ok(http)) = (control, reqwest::Client::builder().no_proxy().timeout(SYNC_INTERVAL * 2).build())
    else {
        return std::future::pending().await;
    };
    let url = format!("{}/sync", control.trim_end_matches('/'));
    loop {
        // A control that is away leaves us with what we know, as long as that lasts.
        let heard = ask(&http, &url, &wiring).await;
        let known: Vec<Fault> = heard.unwrap_or_else(|_| {
            faults.borrow().iter().filter(|fault| fault.end_time_unix_nano > now()).cloned().collect()
        });
        faults.send_if_modified(|current| {
            let changed = **current != *known;
            *current = known.into();
            changed
        });
        tokio::time::sleep(SYNC_INTERVAL).await;
    }
}

async fn ask(http: &reqwest::Client, url: &str, wiring: &Wiring) -> reqwest::Result<Vec<Fault>> {
    http.post(url).json(&Sync { edges: wiring.edges() }).send().await?.error_for_status()?.json().await
}
