//! Joins the parts into a running server, and takes it down again.

use crate::alerting::arrival::Arrival;
use crate::alerting::aside::Aside;
use crate::alerting::{self, Live, delivery, documents, engine};
use crate::api::state::{About, Api, Limits, Metadata, Parts};
use crate::http;
use crate::http::guard::Hosts;
use crate::live::Bus;
use crate::settings::{Listen, Settings};
use crate::sink::StoreSink;
use anyhow::{Result, anyhow};
use orrery_meta::{Meta, Opened};
use orrery_notify::Sender;
use orrery_query::Store;
use orrery_receive::{Decoder, Receiver};
use orrery_storage::OpenError;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Requests in flight get this long when the server stops.
const DRAIN_MILLIS: u64 = 2000;
/// Closing the store gets this long. What is not sealed by then is in the write-ahead log and comes back from there.
const CLOSE: Duration = Duration::from_millis(2500);
/// A start waits so long for what the last run left in the log to be queryable.
const OPEN_WITHIN: Duration = Duration::from_secs(3);
/// A query that finds no place waits this long for one.
const QUERY_WAIT: Duration = Duration::from_secs(2);

/// `orrery serve`.
pub(crate) async fn serve(settings: Settings) -> Result<()> {
    let server = Server::start(&settings, TakenPort::IsAnError).await?;
    println!("{}", server.banner());
    Stop::listen()?.wait().await;
    server.drain().await;
    Ok(())
}

/// What to do when a port that nobody chose is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakenPort {
    IsAnError,
    TakeAnother,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) http: SocketAddr,
    pub(crate) otlp_http: SocketAddr,
    pub(crate) otlp_grpc: SocketAddr,
    data_dir: PathBuf,
    retention: String,
    stopping: CancellationToken,
    listeners: JoinSet<()>,
    store: Arc<dyn Store>,
    metadata: Arc<Metadata>,
    /// The thread that judges rules.
    alerts: Option<JoinHandle<()>>,
}

impl Server {
    /// Takes the ports, opens the store, starts to serve.
    ///
    /// # Errors
    /// One line for a person that names the fix: a port is taken, the data directory is locked, damaged or not writable.
    pub(crate) async fn start(settings: &Settings, taken: TakenPort) -> Result<Server> {
        let http = bind(&settings.http, taken).await?;
        let otlp_http = bind(&settings.otlp_http, taken).await?;
        let otlp_grpc = bind(&settings.otlp_grpc, taken).await?;
        let store = open(settings).await?;
        // The store has locked the directory.
        let dir = settings.data_dir.clone();
        let metadata = tokio::task::spawn_blocking(move || metadata(Meta::open(&dir))).await?;
        let mut server = Server {
            http: http.local_addr()?,
            otlp_http: otlp_http.local_addr()?,
            otlp_grpc: otlp_grpc.local_addr()?,
            data_dir: std::path::absolute(&settings.data_dir).unwrap_or_else(|_| settings.data_dir.clone()),
            retention: settings.retention.to_string(),
            stopping: CancellationToken::new(),
            listeners: JoinSet::new(),
            store,
            metadata: Arc::new(metadata),
            alerts: None,
        };
        let sender = Sender::new(settings.notify.clone())?;
        server.listen(settings, http, otlp_http, otlp_grpc, sender)?;
        Ok(server)
    }

    fn listen(
        &mut self,
        settings: &Settings,
        http: TcpListener,
        otlp_http: TcpListener,
        otlp_grpc: TcpListener,
        sender: Sender,
    ) -> Result<()> {
        let bus = Arc::new(Bus::default());
        let writes = Arc::new(AtomicBool::new(true));
        let arrival = Arc::new(alerting::arrival(&self.metadata, now()));
        let sink = StoreSink {
            store: Arc::clone(&self.store),
            bus: Arc::clone(&bus),
            writes: Arc::clone(&writes),
            arrival: Arc::clone(&arrival),
            clock: now,
        };
        let mut config = settings.receive.clone();
        config.connections.drain_timeout_millis = DRAIN_MILLIS;
        let receiver = Receiver::new(Arc::new(sink), config);
        let (over_http, stopping) = (receiver.clone(), self.stopping.clone());
        self.listeners
            .spawn(async move { _ = over_http.serve_http(otlp_http, Box::pin(stopping.cancelled_owned())).await });
        let stopping = self.stopping.clone();
        self.listeners
            .spawn(async move { _ = receiver.serve_grpc(otlp_grpc, Box::pin(stopping.cancelled_owned())).await });

        let live = Arc::new(Live::default());
        self.judge(settings, Arc::clone(&live), arrival, sender.clone())?;
        let api = Arc::new(Api::new(Parts {
            store: Arc::clone(&self.store),
            bus,
            limits: Limits {
                query_timeout: settings.query_timeout,
                query_concurrency: settings.query_concurrency as usize,
                query_wait: QUERY_WAIT,
                max_trace_spans: settings.max_trace_spans,
            },
            about: self.about(settings),
            stopping: self.stopping.clone(),
            writes,
            metadata: Arc::clone(&self.metadata),
            alerting: Arc::clone(&live),
            sender: sender.clone(),
            clock: now,
        }));
        let router = http::router(api, Hosts::new(self.http.ip(), &settings.allowed_hosts));
        self.listeners.spawn(http::serve(http, router, self.stopping.clone(), DRAIN_MILLIS));
        Ok(())
    }

    /// Judges rules, and tells people.
    fn judge(&mut self, settings: &Settings, live: Arc<Live>, arrivals: Arc<Arrival>, sender: Sender) -> Result<()> {
        let source = alerting::source(&self.store, &self.metadata, settings.query_timeout, &self.stopping);
        let parts = engine::Parts {
            store: Arc::clone(&self.store),
            metadata: Arc::clone(&self.metadata),
            source: Aside::new(source, &self.stopping),
            arrivals,
            live: Arc::clone(&live),
            clock: now,
            stopping: self.stopping.clone(),
        };
        let thread = std::thread::Builder::new().name("alerts".to_owned());
        self.alerts = Some(thread.spawn(move || engine::run(parts))?);
        self.listeners.spawn(delivery::run(delivery::Parts {
            store: Arc::clone(&self.store),
            metadata: Arc::clone(&self.metadata),
            query_timeout: settings.query_timeout,
            live,
            cases: Arc::default(),
            sender,
            url: self.public_url(settings),
            clock: now,
            stopping: self.stopping.clone(),
        }));
        Ok(())
    }

    fn public_url(&self, settings: &Settings) -> String {
        settings.public_url.clone().unwrap_or_else(|| self.url())
    }

    fn about(&self, settings: &Settings) -> About {
        let endpoints = [("http", self.http), ("otlp_http", self.otlp_http), ("otlp_grpc", self.otlp_grpc)];
        About {
            started_unix_nano: now(),
            retention: self.retention.clone(),
            endpoints: endpoints.into_iter().map(|(name, address)| (name.to_owned(), address.to_string())).collect(),
            links: settings.links.clone(),
            url: self.public_url(settings),
        }
    }

    /// Where a browser on this machine finds the dashboard.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", reachable(self.http))
    }

    /// What the server listens on, in words for a person.
    pub(crate) fn banner(&self) -> String {
        let everyone = [self.http, self.otlp_http, self.otlp_grpc].iter().any(|address| !address.ip().is_loopback());
        let kept =
            if self.retention == "off" { "kept for ever".to_owned() } else { format!("kept {}", self.retention) };
        format!(
            "Orrery {} is running\n\n  Dashboard   {}\n  OTLP/gRPC   http://{}\n  OTLP/HTTP   http://{}\n  Data        {} ({kept})\n{}",
            env!("CARGO_PKG_VERSION"),
            self.url(),
            reachable(self.otlp_grpc),
            reachable(self.otlp_http),
            self.data_dir.display(),
            if everyone {
                "\n  Reachable from other machines, and there is no login: whoever can connect can read everything.\n"
            } else {
                ""
            },
        )
    }

    /// Stops accepting, finishes what is in flight, makes everything safe. Under five seconds.
    pub(crate) async fn drain(mut self) {
        tracing::info!("stopping");
        self.stopping.cancel();
        while self.listeners.join_next().await.is_some() {}
        let (store, alerts) = (self.store, self.alerts);
        let closing = tokio::task::spawn_blocking(move || {
            // A step that is under way is kept.
            if let Some(alerts) = alerts {
                _ = alerts.join();
            }
            store.close();
        });
        if tokio::time::timeout(CLOSE, closing).await.is_err() {
            tracing::warn!(
                "the store takes long to close; what is not sealed yet will be read from its log at the next start"
            );
        }
        tracing::info!("stopped");
    }
}

/// Ctrl-C and SIGTERM.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    /// Catches the signals from now on.
    pub(crate) fn listen() -> Result<Stop> {
        Ok(Stop { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Resolves at the first signal. A second one ends the process at once.
    pub(crate) async fn wait(mut self) {
        self.next().await;
        tokio::spawn(async move {
            self.next().await;
            eprintln!("orrery: stopped at once; the next start reads the write-ahead log");
            std::process::exit(130);
        });
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What the engine is told.
pub(crate) fn storage(settings: &Settings) -> orrery_storage::Config {
    let mut config = orrery_storage::Config::new(&settings.data_dir);
    config.retention = settings.retention.max_age;
    config.limits = settings.retention.limits.clone();
    config.rules = settings.retention.rules.clone();
    config.disk_reserve_bytes = settings.disk_reserve_bytes;
    config.query_concurrency = settings.query_concurrency;
    config
}

async fn open(settings: &Settings) -> Result<Arc<dyn Store>> {
    // The log is read again with the limits it was written with, unless they were changed in between.
    let config = orrery_storage::Config { open_within: Some(OPEN_WITHIN), ..storage(settings) };
    let decoder = Arc::new(Decoder::new(settings.receive.limits.clone()));
    let engine = tokio::task::spawn_blocking(move || orrery_storage::Engine::open(config, decoder)).await?;
    Ok(Arc::new(engine.map_err(unopened)?))
}

/// A server without saved views is better than none.
fn metadata(opened: Result<Opened, orrery_meta::OpenError>) -> Metadata {
    match opened {
        Ok(Opened { meta, set_aside }) => {
            set_aside.iter().for_each(|what| tracing::error!(what, "metadata was damaged"));
            let warning = set_aside.map(|what| format!("{what}.")).or_else(|| documents::unreadable(&meta));
            Metadata { meta: Ok(meta), warning }
        }
        Err(error) => {
            let why = format!("Saved views, short links and alert rules are not available: {error}.");
            tracing::error!(error = format!("{:#}", anyhow!(error)), "metadata was not opened");
            Metadata { meta: Err(why.clone()), warning: Some(why) }
        }
    }
}

/// The engine's messages say what to do; only for a failure of its own do the causes matter.
pub(crate) fn unopened(error: OpenError) -> anyhow::Error {
    match error {
        OpenError::Engine(_) => anyhow!(error),
        known => anyhow!("{known} (--data-dir)"),
    }
}

async fn bind(listen: &Listen, taken: TakenPort) -> Result<TcpListener> {
    match TcpListener::bind(listen.address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse && listen.is_default && taken == TakenPort::TakeAnother => {
            let listener = TcpListener::bind((listen.address.ip(), 0)).await?;
            println!(
                "Port {} is taken, so {} is {} this time.",
                listen.address.port(),
                listen.flag,
                listener.local_addr()?
            );
            Ok(listener)
        }
        Err(error) => Err(unbound(listen, error)),
    }
}

fn unbound(listen: &Listen, error: std::io::Error) -> anyhow::Error {
    let Listen { address, flag, .. } = listen;
    let ip = address.ip();
    match error.kind() {
        ErrorKind::AddrInUse => anyhow!(
            "{address} is taken by another program: stop that one, or choose another port with {flag} {} (port 0 takes any free one)",
            SocketAddr::new(ip, address.port().wrapping_add(1).max(1024))
        ),
        ErrorKind::PermissionDenied => {
            anyhow!("this user may not listen on {address}: choose a port from 1024 up with {flag}")
        }
        ErrorKind::AddrNotAvailable => {
            anyhow!("this machine has no address {ip}: choose one it has, or 0.0.0.0 for all, with {flag}")
        }
        _ => anyhow!(error).context(format!("cannot listen on {address} ({flag})")),
    }
}

/// The address under which this machine reaches itself.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other.ip(),
    };
    SocketAddr::new(ip, address.port())
}

/// The wall clock, Unix nanoseconds.
pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
