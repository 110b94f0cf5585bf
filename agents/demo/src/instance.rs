//! A running member: its identity and SDK, what it may call, and the faults it must obey.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::logs::{AnyValue, Severity};

use crate::failure::{Failure, Injected};
use crate::fault::{FaultKind, Faults, delay_of, strikes};
use crate::graph::Wiring;
use crate::member::Member;
use crate::telemetry::{Identity, Telemetry};
use crate::work::log;

/// Where members are reached: base URLs such as `http://catalog:40123`, several for several instances.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    pub(crate) bases: HashMap<Member, Vec<String>>,
    /// Where all host names lead when the whole shop is one process; none leaves it to DNS.
    pub(crate) everyone_at: Option<IpAddr>,
}

impl Directory {
    fn client(&self) -> anyhow::Result<reqwest::Client> {
        let mut client = reqwest::Client::builder()
            .no_proxy()
            .pool_idle_timeout(Duration::from_secs(20))
            .connect_timeout(Duration::from_secs(1));
        if let Some(address) = self.everyone_at {
            for member in Member::ALL {
                client = client.resolve(member.host(), SocketAddr::new(address, 0)); // port 0: the URL's
            }
        }
        client.build().context("HTTP client")
    }
}

/// One life of one replica of a member.
pub(crate) struct Instance {
    pub(crate) identity: Identity,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) faults: Faults,
    pub(crate) wiring: Wiring,
    pub(crate) directory: Arc<Directory>,
    pub(crate) http: reqwest::Client,
}

impl Instance {
    pub(crate) fn start(
        identity: Identity,
        otlp: &str,
        faults: Faults,
        wiring: Wiring,
        directory: Arc<Directory>,
    ) -> anyhow::Result<Arc<Self>> {
        let telemetry = Telemetry::start(&identity, otlp)?;
        let http = directory.client()?;
        Ok(Arc::new(Self { identity, telemetry, faults, wiring, directory, http }))
    }

    pub(crate) fn member(&self) -> Member {
        self.identity.member
    }

    /// A log record outside any request.
    pub(crate) fn say(
        &self,
        severity: Severity,
        body: String,
        attributes: impl IntoIterator<Item = (&'static str, AnyValue)>,
    ) {
        log(&self.telemetry, None, severity, None, body, attributes);
    }

    /// What the active faults do to a request this instance serves.
    pub(crate) async fn suffer(&self) -> Result<(), Failure> {
        let me = self.member();
        self.faults.delay(FaultKind::Latency, me).await;
        if self.faults.hits(FaultKind::Errors, me) && strikes(FaultKind::Errors) {
            return Err(Failure::broke(
                "DeadlockError",
                format!("{me} could not finish the request"),
                Injected::Deadlock,
            ));
        }
        if self.identity.version == me.bad_version() {
            tokio::time::sleep(delay_of(FaultKind::BadDeploy)).await;
            if strikes(FaultKind::BadDeploy) {
                return Err(Failure::broke(
                    "IndexOutOfBounds",
                    format!("{me} panicked while handling the request"),
                    Injected::OutOfBounds,
                ));
            }
        }
        Ok(())
    }
}
