//! What kind of service a service is: by what it does, and by what it is called.
//!
//! In this order:
//! - **Client**: begins work but is asked for none (no server or consumer span in the range), unless that work is
//!   mostly internal root spans and its name does not sound like a client: that is a **Job**.
//! - **Gateway**: its name says so; or it calls at least three services, no database or queue, and passes on at least
//!   eight of ten requests it is asked.
//! - **Auth**: its name says so.
//! - **Service** otherwise.

use super::Activity;
use crate::rollup::rows::{Part, RollupRows};
use orrery_model::ServiceKey;
use orrery_query::answer::{EdgeKind, NodeKind};
use std::collections::{BTreeMap, BTreeSet};

/// Parts of names that say what a service is, between `-`, `_`, `.` and the ends.
const CLIENT_WORDS: [&str; 12] = [
    "client",
    "web",
    "mobile",
    "browser",
    "frontend",
    "ui",
    "app",
    "ios",
    "android",
    "chatbot",
    "loadgenerator",
    "spa",
];
const GATEWAY_WORDS: [&str; 8] = ["gateway", "apigateway", "gw", "ingress", "proxy", "edge", "router", "bff"];
const AUTH_WORDS: [&str; 10] =
    ["auth", "oauth", "oauth2", "oidc", "sso", "iam", "identity", "keycloak", "login", "authn"];

/// What a service does to others.
#[derive(Debug, Default)]
pub(super) struct Behaviour {
    services_called: BTreeSet<String>,
    calls_to_services: f64,
    uses_stores: bool,
}

/// What every service does to others, by its id.
pub(super) fn behaviours(rows: &RollupRows) -> BTreeMap<String, Behaviour> {
    let mut all: BTreeMap<String, Behaviour> = BTreeMap::new();
    for (key, row) in
        rows.edges.iter().filter(|(key, _)| key.caller.kind == NodeKind::Service && key.caller != key.callee)
    {
        let behaviour = all.entry(rows.names.get(key.caller.id).to_owned()).or_default();
        match (key.kind, key.callee.kind) {
            (EdgeKind::Call, NodeKind::Service) => {
                behaviour.services_called.insert(rows.names.get(key.callee.id).to_owned());
                behaviour.calls_to_services += super::calls(row);
            }
            (EdgeKind::Database | EdgeKind::Publish, _) => behaviour.uses_stores = true,
            _ => {}
        }
    }
    all
}

/// What a service is.
pub(super) fn kind(service: &ServiceKey, activity: &Activity, behaviour: Option<&Behaviour>) -> NodeKind {
    let name = service.name.to_lowercase();
    let says = |words: &[&str]| name.split(['-', '_', '.', ' ']).any(|word| words.contains(&word));
    let count = |part| activity.parts.get(&part).map_or(0.0, |cells| cells.count());
    let (asked, begun, jobs) = (count(Part::Entry), count(Part::Begin), count(Part::Job));
    if asked == 0.0 && begun + jobs > 0.0 {
        return if jobs > begun && !says(&CLIENT_WORDS) { NodeKind::Job } else { NodeKind::Client };
    }
    let passes_on = behaviour.is_some_and(|own| {
        own.services_called.len() >= 3 && !own.uses_stores && asked > 0.0 && own.calls_to_services >= 0.8 * asked
    });
    match () {
        () if says(&GATEWAY_WORDS) => NodeKind::Gateway,
        () if says(&AUTH_WORDS) => NodeKind::Auth,
        () if passes_on => NodeKind::Gateway,
        () => NodeKind::Service,
    }
}
