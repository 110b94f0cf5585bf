//! Names of what sends no telemetry itself: databases, queues, hosts, models, functions.
//!
//! First hit of: the name the caller gives its peer; for databases `server.address:port`; `server.address`; the host
//! of the URL; the network peer; the database's name; the system. Case, default ports and a trailing dot do not matter.

use super::facts::{Field, Fields};
use orrery_query::answer::NodeKind;

/// What a span calls by its own account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Database, queue, external, model or function.
    pub(super) kind: NodeKind,
    /// Node id, `kind:identity`.
    pub(super) id: String,
}

impl Target {
    fn new(kind: NodeKind, identity: String) -> Target {
        Target { kind, id: format!("{}:{identity}", prefix(kind)) }
    }
}

/// Whether nothing but the span itself is needed to know its target: no service hides behind such an address.
pub(super) fn is_certain(kind: NodeKind) -> bool {
    matches!(kind, NodeKind::Database | NodeKind::Queue | NodeKind::Model | NodeKind::Function)
}

/// First part of the id of a node that is no service.
pub(super) fn prefix(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Database => "database",
        NodeKind::Queue => "queue",
        NodeKind::Model => "model",
        NodeKind::Function => "function",
        NodeKind::User => "user",
        NodeKind::UnknownCaller => "unknown_caller",
        NodeKind::External => "external",
        NodeKind::Client | NodeKind::Gateway | NodeKind::Auth | NodeKind::Service | NodeKind::Job => "service",
    }
}

/// What a client span calls, should it be no service of ours.
pub(super) fn callee(fields: &Fields) -> Option<Target> {
    if let Some(system) = fields.text(Field::DbSystem) {
        return Some(database(&current_db_system(&system), fields));
    }
    if fields.has(Field::ModelProvider) || fields.has(Field::ModelName) {
        let parts = [fields.text(Field::ModelProvider), fields.text(Field::ModelName)];
        return Some(Target::new(NodeKind::Model, join(parts.iter().flatten().map(|part| part.to_lowercase()))));
    }
    if let Some(name) = fields.text(Field::FunctionName) {
        let parts = [fields.text(Field::FunctionProvider), Some(name)];
        return Some(Target::new(NodeKind::Function, join(parts.into_iter().flatten().map(String::from))));
    }
    let host = peer(fields).or_else(|| address(fields).map(|address| address.without(&[80, 443])));
    host.map(|host| Target::new(NodeKind::External, host))
}

/// The queue or topic of a messaging span; `None` if it names neither a system nor a destination.
pub(super) fn queue(fields: &Fields) -> Option<Target> {
    let system = fields.text(Field::MessagingSystem)?.to_lowercase();
    let temporary = fields.is_true(Field::DestinationTemporary) || fields.is_true(Field::DestinationAnonymous);
    let destination = match fields.text(Field::DestinationTemplate) {
        Some(template) => Some(template.into_owned()),
        None if temporary => Some("(temporary)".to_owned()),
        None => fields.text(Field::Destination).map(String::from),
    };
    Some(Target::new(NodeKind::Queue, join([Some(system), destination].into_iter().flatten())))
}

fn database(system: &str, fields: &Fields) -> Target {
    let place = peer(fields)
        .or_else(|| address(fields).map(|address| address.or_port(default_port(system)).to_string()))
        .or_else(|| fields.text(Field::DbNamespace).map(String::from));
    Target::new(NodeKind::Database, join([Some(system.to_owned()), place].into_iter().flatten()))
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join("/")
}

fn peer(fields: &Fields) -> Option<String> {
    fields.text(Field::PeerService).map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty())
}

/// A host and perhaps a port.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    host: String,
    port: Option<u16>,
}

impl Address {
    /// From `host`, `host:port`, `[v6]:port` or a bare IPv6 address; `None` for nonsense.
    fn parse(text: &str) -> Option<Address> {
        let text = text.trim();
        let (host, port) = match (text.strip_prefix('['), text.rsplit_once(':')) {
            (Some(bracketed), _) => {
                let (host, rest) = bracketed.split_once(']')?;
                (host, rest.strip_prefix(':').and_then(|port| port.parse().ok()))
            }
            (None, Some((host, port))) if !host.contains(':') => (host, port.parse().ok()),
            _ => (text, None),
        };
        let host = host.trim_end_matches('.').to_lowercase();
        (!host.is_empty()).then_some(Address { host, port })
    }

    fn or_port(self, port: Option<u16>) -> Address {
        Address { port: self.port.or(port), ..self }
    }

    /// As text, without the port if it is one of these.
    fn without(self, ports: &[u16]) -> String {
        let port = self.port.filter(|port| !ports.contains(port));
        Address { port, ..self }.to_string()
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            Some(port) if self.host.contains(':') => write!(f, "[{}]:{port}", self.host),
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

fn address(fields: &Fields) -> Option<Address> {
    let port = |field| fields.number(field).and_then(|port| u16::try_from(port).ok()).filter(|&port| port > 0);
    let said = |field| fields.text(field).and_then(|text| Address::parse(&text));
    said(Field::ServerAddress)
        .map(|address| address.or_port(port(Field::ServerPort)))
        .or_else(|| fields.text(Field::UrlFull).and_then(|url| of_url(&url)))
        .or_else(|| said(Field::PeerAddress).map(|address| address.or_port(port(Field::PeerPort))))
}

fn of_url(url: &str) -> Option<Address> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    Address::parse(authority.rsplit_once('@').map_or(authority, |(_, host)| host))
}

/// `db.system` values that `db.system.name` spells differently. Source: semantic conventions 1.44, migration guide.
fn current_db_system(system: &str) -> String {
    let system = system.trim().to_lowercase();
    let renamed = match system.as_str() {
        "mssql" => "microsoft.sql_server",
        "oracle" => "oracle.db",
        "db2" => "ibm.db2",
        "dynamodb" => "aws.dynamodb",
        "redshift" => "aws.redshift",
        "cosmosdb" => "azure.cosmosdb",
        "spanner" => "gcp.spanner",
        "hanadb" => "sap.hana",
        "h2" => "h2database",
        "postgres" => "postgresql",
        _ => return system,
    };
    renamed.to_owned()
}

/// The port a database system listens on unless told otherwise.
pub(super) fn default_port(system: &str) -> Option<u16> {
    Some(match system {
        "postgresql" => 5432,
        "mysql" | "mariadb" => 3306,
        "redis" | "valkey" => 6379,
        "mongodb" => 27017,
        "microsoft.sql_server" => 1433,
        "oracle.db" => 1521,
        "cassandra" => 9042,
        "elasticsearch" | "opensearch" => 9200,
        "clickhouse" => 9000,
        "memcached" => 11211,
        "cockroachdb" => 26257,
        "neo4j" => 7687,
        "couchdb" => 5984,
        "influxdb" => 8086,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::facts::{Role, Spellings, target};
    use super::*;
    use orrery_model::{Strings, Value};

    fn id(role: Role, attributes: &[(&str, &str)]) -> String {
        let mut strings = Strings::default();
        let mut pairs = Vec::new();
        for (key, text) in attributes {
            let value = match (text.parse::<i64>(), *text) {
                (Ok(number), _) => Value::Int(number),
                (_, "true") => Value::Bool(true),
                _ => Value::String(strings.intern(text)),
            };
            pairs.push((strings.intern(key), value));
        }
        let spellings = Spellings::default();
        let mut fields = Fields::new(&strings, &spellings);
        fields.fill(pairs.into_iter());
        target(role, &fields).map_or_else(|| "none".to_owned(), |target| target.id)
    }

    #[test]
    fn databases() {
        let db = |attributes: &[_]| id(Role::Call, attributes);
        assert_eq!(
            db(&[("db.system.name", "postgresql"), ("server.address", "DB.internal."), ("db.namespace", "shop")]),
            "database:postgresql/db.internal:5432"
        );
        assert_eq!(
            db(&[("db.system", "redis"), ("net.peer.name", "redis"), ("net.peer.port", "6380")]),
            "database:redis/redis:6380"
        );
        assert_eq!(
            db(&[("db.system", "mssql"), ("peer.service", "Orders-DB"), ("server.address", "10.0.0.9")]),
            "database:microsoft.sql_server/orders-db"
        );
        assert_eq!(db(&[("db.system", "sqlite"), ("db.name", "shop.db")]), "database:sqlite/shop.db");
        assert_eq!(db(&[("db.system", "sqlite")]), "database:sqlite");
    }

    #[test]
    fn hosts() {
        let host = |attributes: &[_]| id(Role::Call, attributes);
        assert_eq!(host(&[("http.url", "https://u:p@API.bank.example:443/pay?x=1")]), "external:api.bank.example");
        assert_eq!(host(&[("server.address", "127.0.0.1:5055")]), "external:127.0.0.1:5055");
        assert_eq!(host(&[("server.address", "cart"), ("server.port", "8080")]), "external:cart:8080");
        assert_eq!(host(&[("net.peer.ip", "::1"), ("network.peer.port", "9000")]), "external:[::1]:9000");
        assert_eq!(host(&[("http.host", "a.example:80")]), "external:a.example");
        assert_eq!(host(&[("http.method", "GET")]), "none");
    }

    #[test]
    fn queues() {
        let queue = |attributes: &[_]| id(Role::Publish, attributes);
        assert_eq!(queue(&[("messaging.system", "kafka"), ("messaging.destination", "orders")]), "queue:kafka/orders");
        assert_eq!(
            queue(&[
                ("messaging.system", "nats"),
                ("messaging.destination.name", "orders.17"),
                ("messaging.destination.template", "orders.{id}")
            ]),
            "queue:nats/orders.{id}"
        );
        assert_eq!(
            queue(&[
                ("messaging.system", "rabbitmq"),
                ("messaging.destination.name", "amq.gen-x"),
                ("messaging.destination.temporary", "true")
            ]),
            "queue:rabbitmq/(temporary)"
        );
        assert_eq!(queue(&[]), "none");
    }

    #[test]
    fn models_and_functions() {
        assert_eq!(
            id(Role::Call, &[("gen_ai.system", "OpenAI"), ("gen_ai.request.model", "GPT-4o"), ("server.address", "x")]),
            "model:openai/gpt-4o"
        );
        assert_eq!(
            id(Role::Call, &[("faas.invoked_name", "resize"), ("faas.invoked_provider", "aws")]),
            "function:aws/resize"
        );
    }
}
