//! The faults the shop can have: what each does, to whom, and how it is described.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::member::Member;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Every request to the target takes 400–900 ms longer inside the service.
    Latency,
    /// Half of the target's requests fail with 500 and an exception.
    Errors,
    /// The target's clock runs an hour behind: tokens are expired when they are issued.
    ExpiredTokens,
    /// The target client sends three times the shop's traffic; the gateway answers 429.
    RateLimitBurst,
    /// Every statement against the target's store takes 250–600 ms longer.
    SlowDatabase,
    /// The target follower needs 3 s for each message; the queue grows.
    BusBacklog,
    /// The target's server is down: connections are refused until it is started again.
    CrashRestart,
    /// One instance of the target runs a broken next version: slower, and 60 % of requests fail.
    BadDeploy,
    /// Requests to the target spend 150–300 ms on the network.
    NetworkDelay,
}

impl FaultKind {
    /// All kinds, in the order the schedule goes through them.
    pub const ALL: [FaultKind; 9] = [
        FaultKind::Latency,
        FaultKind::Errors,
        FaultKind::ExpiredTokens,
        FaultKind::RateLimitBurst,
        FaultKind::SlowDatabase,
        FaultKind::BusBacklog,
        FaultKind::CrashRestart,
        FaultKind::BadDeploy,
        FaultKind::NetworkDelay,
    ];

    /// Its spelling in the control API.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::Latency => "latency",
            FaultKind::Errors => "errors",
            FaultKind::ExpiredTokens => "expired-tokens",
            FaultKind::RateLimitBurst => "rate-limit-burst",
            FaultKind::SlowDatabase => "slow-database",
            FaultKind::BusBacklog => "bus-backlog",
            FaultKind::CrashRestart => "crash-restart",
            FaultKind::BadDeploy => "bad-deploy",
            FaultKind::NetworkDelay => "network-delay",
        }
    }

    /// The kind of that name, if there is one.
    pub fn named(name: &str) -> Option<FaultKind> {
        FaultKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whom this kind can hit.
    pub fn targets(self) -> Vec<Member> {
        let hits = |member: &Member| match self {
            FaultKind::ExpiredTokens => *member == Member::Auth,
            FaultKind::RateLimitBurst => member.is_client(),
            FaultKind::SlowDatabase => member.has_store(),
            FaultKind::BusBacklog => member.is_follower(),
            FaultKind::NetworkDelay => member.is_service() || *member == Member::Payfast,
            _ => member.is_service(),
        };
        Member::ALL.into_iter().filter(hits).collect()
    }

    /// Whom the schedule hits, round by round; the first is also the default of the control API. Only
    /// members that get enough traffic for the fault to show.
    pub fn usual_targets(self) -> &'static [Member] {
        match self {
            FaultKind::Latency => &[Member::Catalog, Member::Inventory, Member::Cart],
            FaultKind::Errors => &[Member::Payments, Member::Catalog, Member::Cart],
            FaultKind::ExpiredTokens => &[Member::Auth],
            FaultKind::RateLimitBurst => &[Member::Mobile, Member::Web],
            FaultKind::SlowDatabase => &[Member::Orders, Member::Inventory, Member::Catalog],
            FaultKind::BusBacklog => &[Member::Notifications, Member::Shipping],
            FaultKind::CrashRestart => &[Member::Cart, Member::Payments, Member::Inventory],
            FaultKind::BadDeploy => &[Member::Catalog, Member::Orders],
            FaultKind::NetworkDelay => &[Member::Payments, Member::Cart, Member::Payfast],
        }
    }

    /// What happens to `target`, in a sentence.
    pub fn describe(self, target: Member) -> String {
        match self {
            FaultKind::Latency => format!("every request to {target} takes 400–900 ms longer inside {target}"),
            FaultKind::Errors => format!("half of the requests to {target} fail with 500 and an exception"),
            FaultKind::ExpiredTokens => {
                format!("{target}'s clock is an hour behind: the tokens it issues have already expired")
            }
            FaultKind::RateLimitBurst => {
                format!("{target} sends three times the shop's usual traffic; api-gateway answers 429")
            }
            FaultKind::SlowDatabase => format!("every statement of {target} against its store takes 250–600 ms longer"),
            FaultKind::BusBacklog => format!("{target} needs 3 s for each message, so its queue grows"),
            FaultKind::CrashRestart => format!("{target} is down: connections are refused until it is started again"),
            FaultKind::BadDeploy => format!(
                "one instance of {target} runs {}, which is slower and fails 60 % of its requests",
                target.bad_version()
            ),
            FaultKind::NetworkDelay => format!("requests to {target} spend 150–300 ms on the network"),
        }
    }
}

/// Who asked for a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The schedule.
    Schedule,
    /// `POST /faults`.
    Request,
}

/// A fault that is, was or will be injected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Unique while the shop runs; empty for one that is only planned.
    pub id: String,
    /// What.
    pub kind: FaultKind,
    /// To whom.
    pub target: Member,
    /// What it does, in a sentence.
    pub description: String,
    /// When it began or will begin.
    #[serde(with = "nanos")]
    pub start_time_unix_nano: i64,
    /// When it ended or will end by itself.
    #[serde(with = "nanos")]
    pub end_time_unix_nano: i64,
    /// Who asked for it.
    pub origin: Origin,
}

/// 64-bit integers travel as strings in JSON.
mod nanos {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(nanos: &i64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(nanos)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The faults active now, as every part of the shop sees them. What `GET /faults` reports is this value.
#[derive(Clone, Debug)]
pub(crate) struct Faults(pub(crate) watch::Receiver<Arc<[Fault]>>);

impl Faults {
    pub(crate) fn hits(&self, kind: FaultKind, target: Member) -> bool {
        self.0.borrow().iter().any(|fault| fault.kind == kind && fault.target == target)
    }

    /// Waits for the set to change; for ever if whoever changes it is gone.
    pub(crate) async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await
        }
    }

    /// Sleeps as the fault demands, if it hits.
    pub(crate) async fn delay(&self, kind: FaultKind, target: Member) {
        if self.hits(kind, target) {
            tokio::time::sleep(delay_of(kind)).await;
        }
    }
}

/// A random delay of the size the kind promises.
pub(crate) fn delay_of(kind: FaultKind) -> Duration {
    let (low, high) = match kind {
        FaultKind::Latency => (400, 900),
        FaultKind::SlowDatabase => (250, 600),
        FaultKind::BusBacklog => (3000, 3001),
        FaultKind::BadDeploy => (80, 250),
        FaultKind::NetworkDelay => (150, 300),
        _ => return Duration::ZERO,
    };
    Duration::from_millis(rand::rng().random_range(low..high))
}

/// True for the share of requests the kind promises to fail.
pub(crate) fn strikes(kind: FaultKind) -> bool {
    let share = match kind {
        FaultKind::Errors => 0.5,
        FaultKind::BadDeploy => 0.6,
        _ => return false,
    };
    rand::rng().random_bool(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_targets_are_allowed_targets() {
        for kind in FaultKind::ALL {
            assert!(!kind.usual_targets().is_empty());
            assert!(kind.usual_targets().iter().all(|target| kind.targets().contains(target)), "{kind:?}");
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }

    #[test]
    fn times_are_strings_in_json() {
        let fault = Fault {
            id: "f1".into(),
            kind: FaultKind::Latency,
            target: Member::Cart,
            description: String::new(),
            start_time_unix_nano: 1_700_000_000_000_000_001,
            end_time_unix_nano: i64::MAX,
            origin: Origin::Request,
        };
        let json = serde_json::to_value(&fault).unwrap();
        assert_eq!(json["start_time_unix_nano"], "1700000000000000001");
        assert_eq!(serde_json::from_value::<Fault>(json).unwrap(), fault);
    }
}
