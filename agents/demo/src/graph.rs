//! The shop's true call graph: every connection writes itself down where it is made, so the graph
//! is what was wired and cannot drift from it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

/// What kind of thing an [`Edge`] leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EdgeKind {
    /// HTTP to another service of the shop.
    Call,
    /// A database or key-value store.
    Database,
    /// A destination on the bus; `caller` is the service.
    Publish,
    /// The other way: `caller` is the destination, `callee` the service that consumes it.
    Consume,
    /// HTTP to somebody else's server.
    External,
}

/// One edge, pointing the way the work flows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Edge {
    /// A `service.name`; for `consume` a destination.
    pub caller: String,
    /// A `service.name`; for `database` the server (`system@address:port`, `system@namespace` when it
    /// is embedded); for `publish` a destination; for `external` a host.
    pub callee: String,
    /// What the edge leads to.
    pub kind: EdgeKind,
    /// `db.system.name` or `messaging.system`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// `db.namespace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// `server.address`, where there is a server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_address: Option<String>,
    /// `server.port` of a database or broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_port: Option<u16>,
    /// `messaging.consumer.group.name`, for `consume`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer_group: Option<String>,
}

impl Edge {
    /// An edge with nothing but its ends.
    pub(crate) fn new(caller: &str, callee: &str, kind: EdgeKind) -> Self {
        Self {
            caller: caller.into(),
            callee: callee.into(),
            kind,
            system: None,
            namespace: None,
            server_address: None,
            server_port: None,
            consumer_group: None,
        }
    }
}

/// Where edges are written down; clones share the record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wiring(Arc<Mutex<BTreeSet<Edge>>>);

impl Wiring {
    pub(crate) fn add(&self, edges: impl IntoIterator<Item = Edge>) {
        self.0.lock().expect("no panic while wiring").extend(edges);
    }

    /// Sorted, without duplicates.
    pub(crate) fn edges(&self) -> Vec<Edge> {
        self.0.lock().expect("no panic while wiring").iter().cloned().collect()
    }
}
