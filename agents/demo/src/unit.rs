//! Keeps one replica of a service running, down or on another version, as the faults demand.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::logs::Severity;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::fault::{FaultKind, Faults};
use crate::graph::Wiring;
use crate::instance::{Directory, Instance};
use crate::member::Member;
use crate::serve::{Door, observed, serve};
use crate::services::{Backends, make};
use crate::telemetry::Identity;

const RETRY: Duration = Duration::from_secs(1);

/// What all units of a process share.
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) backends: Backends,
    pub(crate) directory: Arc<Directory>,
    pub(crate) faults: Faults,
    pub(crate) wiring: Wiring,
}

impl World {
    /// A new life for a replica.
    pub(crate) fn instance(&self, member: Member, version: &str, replica: usize) -> anyhow::Result<Arc<Instance>> {
        let identity = Identity::fresh(member, version, replica);
        Instance::start(identity, &self.config.otlp, self.faults.clone(), self.wiring.clone(), self.directory.clone())
    }
}

/// Which replica.
pub(crate) struct Unit {
    pub(crate) member: Member,
    pub(crate) version: String,
    /// Counted from 1.
    pub(crate) replica: usize,
    /// The one replica a bad deploy is rolled out to.
    pub(crate) canary: bool,
}

impl Unit {
    /// The version that should run now; none if the service is down.
    fn wanted(&self, faults: &Faults) -> Option<String> {
        if faults.hits(FaultKind::CrashRestart, self.member) {
            return None;
        }
        let bad = self.canary && faults.hits(FaultKind::BadDeploy, self.member);
        Some(if bad { self.member.bad_version() } else { self.version.clone() })
    }
}

/// A unit and its current life.
pub(crate) struct Keeper {
    world: Arc<World>,
    unit: Unit,
    door: Door,
    life: Option<Life>,
}

/// Between a start and a stop.
struct Life {
    instance: Arc<Instance>,
    tasks: JoinSet<()>,
}

impl Keeper {
    /// Starts the service.
    ///
    /// # Errors
    /// Its store or a peer cannot be had; the message names the setting.
    pub(crate) async fn start(world: Arc<World>, unit: Unit, door: Door) -> anyhow::Result<Self> {
        let mut keeper = Self { world, unit, door, life: None };
        let version = keeper.unit.version.clone();
        keeper.begin(&version).await?;
        Ok(keeper)
    }

    /// Follows the faults until told to stop; then flushes.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut faults = self.world.faults.clone();
        loop {
            let wanted = self.unit.wanted(&faults);
            let settled = self.settle(wanted).await;
            tokio::select! {
                () = stop.cancelled() => break,
                () = faults.changed() => {}
                () = tokio::time::sleep(RETRY), if !settled => {}
            }
        }
        self.end().await;
    }

    /// Whether what runs is what is wanted.
    async fn settle(&mut self, wanted: Option<String>) -> bool {
        let running = self.life.as_ref().map(|life| life.instance.identity.version.clone());
        if running == wanted {
            return true;
        }
        self.end().await;
        match wanted {
            Some(version) => self.begin(&version).await.is_ok(),
            None => true,
        }
    }

    async fn begin(&mut self, version: &str) -> anyhow::Result<()> {
        let Unit { member, replica, .. } = self.unit;
        let instance = self.world.instance(member, version, replica)?;
        let service = make(&instance, &self.world.backends, &self.world.config).await?;
        let listener = self.door.open()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, observed(service.routes, &instance)));
        for follower in service.followers {
            tasks.spawn(follower);
        }
        instance.say(Severity::Info, format!("{member} {version} listening on {}", self.door.address), []);
        self.life = Some(Life { instance, tasks });
        Ok(())
    }

    async fn end(&mut self) {
        let Some(mut life) = self.life.take() else { return };
        life.tasks.shutdown().await;
        // Without the reservation the port is merely unprotected while we are down.
        let _ = self.door.hold();
        life.instance.telemetry.stop().await;
    }
}
