//! The command line.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::{Args, Parser, Subcommand};
use orrery_demo::{Config, FaultPlan, Member, Role, Stores};

/// A shop of small services to watch Orrery at work.
///
/// Real servers talk over real sockets, each with its own OpenTelemetry SDK; load comes from three
/// clients, and now and then something breaks and heals. Every flag is also an environment variable.
#[derive(Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  orrery-demo all                                   the whole shop, shipping to 127.0.0.1:4317
  orrery-demo all --rate 100 --no-faults            more traffic, nothing breaks by itself
  orrery-demo all --redis redis://127.0.0.1         carts and sessions in a real Redis
  orrery-demo service cart --redis redis://redis    one member, as in docker compose
  curl http://127.0.0.1:7090/faults                 what is broken now, was and will be
  curl -X POST http://127.0.0.1:7090/faults -d '{\"kind\":\"latency\",\"target\":\"catalog\"}'
  curl -X DELETE http://127.0.0.1:7090/faults       heal everything";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the whole shop in this process, every service on a port of its own.
    All(All),
    /// Run one member in this process, to meet the others over the network.
    Service(Box<One>),
    /// Run only the fault control, for members that run as processes of their own.
    Control(ControlOnly),
    /// Exit 0 if a URL answers 2xx: a health check for containers.
    Check {
        /// For example http://127.0.0.1:8080/healthz
        url: String,
    },
}

#[derive(Args)]
pub(crate) struct All {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    stores: StoreFlags,
    #[command(flatten)]
    faults: FaultFlags,
    /// Interface the services listen on, each on a free port.
    #[arg(long, env = "ORRERY_DEMO_HOST", default_value_t = IpAddr::from(Ipv4Addr::LOCALHOST), value_name = "IP")]
    host: IpAddr,
}

#[derive(Args)]
pub(crate) struct ControlOnly {
    #[command(flatten)]
    faults: FaultFlags,
}

#[derive(Args)]
pub(crate) struct One {
    /// Which member.
    #[arg(value_name = "NAME")]
    pub(crate) name: Member,
    /// Where it listens (clients do not); port 0 picks a free one and prints it.
    #[arg(long, env = "ORRERY_DEMO_LISTEN", default_value = "0.0.0.0:8080", value_name = "IP:PORT")]
    listen: SocketAddr,
    /// Its service.version [default: the first released one].
    #[arg(long, env = "ORRERY_DEMO_RELEASE", value_name = "VERSION")]
    release: Option<String>,
    /// Tells replicas apart in service.instance.id.
    #[arg(long, env = "ORRERY_DEMO_REPLICA", default_value_t = 1, value_name = "N")]
    replica: usize,
    /// Whether a bad deploy of this service hits this replica.
    #[arg(long, env = "ORRERY_DEMO_CANARY", default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    canary: bool,
    /// The fault control, asked every second; without it nothing is injected here.
    #[arg(long, env = "ORRERY_DEMO_CONTROL_URL", value_name = "URL")]
    control_url: Option<String>,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    stores: StoreFlags,
    #[command(flatten)]
    peers: Peers,
}

#[derive(Args)]
struct Common {
    /// OTLP/gRPC endpoint for all telemetry.
    #[arg(long, env = "ORRERY_DEMO_OTLP", default_value = "http://127.0.0.1:4317", value_name = "URL")]
    otlp: String,
    /// Mean requests per second at the gateway, all clients together.
    #[arg(long, env = "ORRERY_DEMO_RATE", default_value_t = 36.0, value_name = "PER_SECOND")]
    rate: f64,
    /// Life of an access token.
    #[arg(long, env = "ORRERY_DEMO_TOKEN_TTL", default_value_t = 60, value_name = "SECONDS")]
    token_ttl: u64,
}

#[derive(Args)]
#[command(next_help_heading = "Stores (without a flag: embedded, and labelled so)")]
struct StoreFlags {
    /// PostgreSQL; the role may create databases, each service gets shop_<service>.
    #[arg(long, env = "ORRERY_DEMO_POSTGRES", value_name = "URL", hide_env_values = true)]
    postgres: Option<String>,
    /// Redis; carts in database 0, sessions in 1.
    #[arg(long, env = "ORRERY_DEMO_REDIS", value_name = "URL", hide_env_values = true)]
    redis: Option<String>,
    /// NATS with JetStream (nats-server -js).
    #[arg(long, env = "ORRERY_DEMO_NATS", value_name = "URL", hide_env_values = true)]
    nats: Option<String>,
}

#[derive(Args)]
#[command(next_help_heading = "Faults")]
struct FaultFlags {
    /// Where the fault control listens; port 0 picks a free one and prints it.
    #[arg(long, env = "ORRERY_DEMO_CONTROL", default_value = "127.0.0.1:7090", value_name = "IP:PORT")]
    control: SocketAddr,
    /// No schedule: only what is injected through the control.
    #[arg(long, env = "ORRERY_DEMO_NO_FAULTS")]
    no_faults: bool,
    /// From start to the first scheduled fault.
    #[arg(long, env = "ORRERY_DEMO_FIRST_FAULT_AFTER", default_value_t = 40, value_name = "SECONDS")]
    first_fault_after: u64,
    /// How long each scheduled fault lasts.
    #[arg(long, env = "ORRERY_DEMO_FAULT_LASTS", default_value_t = 45, value_name = "SECONDS")]
    fault_lasts: u64,
    /// Quiet between two scheduled faults.
    #[arg(long, env = "ORRERY_DEMO_QUIET_LASTS", default_value_t = 45, value_name = "SECONDS")]
    quiet_lasts: u64,
}

#[derive(Args)]
#[command(next_help_heading = "Where the others are (several replicas: separate with commas)")]
struct Peers {
    /// The gateway, for the clients.
    #[arg(
        long,
        env = "ORRERY_DEMO_API_GATEWAY",
        default_value = "http://api-gateway:8080",
        value_name = "URL",
        value_delimiter = ','
    )]
    api_gateway: Vec<String>,
    /// Auth.
    #[arg(
        long,
        env = "ORRERY_DEMO_AUTH",
        default_value = "http://auth:8080",
        value_name = "URL",
        value_delimiter = ','
    )]
    auth: Vec<String>,
    /// Catalog.
    #[arg(
        long,
        env = "ORRERY_DEMO_CATALOG",
        default_value = "http://catalog:8080",
        value_name = "URL",
        value_delimiter = ','
    )]
    catalog: Vec<String>,
    /// Cart.
    #[arg(
        long,
        env = "ORRERY_DEMO_CART",
        default_value = "http://cart:8080",
        value_name = "URL",
        value_delimiter = ','
    )]
    cart: Vec<String>,
    /// Orders.
    #[arg(
        long,
        env = "ORRERY_DEMO_ORDERS",
        default_value = "http://orders:8080",
        value_name = "URL",
        value_delimiter = ','
    )]
    orders: Vec<String>,
    /// Payments.
    #[arg(
        long,
        env = "ORRERY_DEMO_PAYMENTS",
        default_value = "http://payments:8080",
        value_name = "URL",
        value_delimiter = ','
    )]
    payments: Vec<String>,
    /// Inventory.
    #[arg(
        long,
        env = "ORRERY_DEMO_INVENTORY",
        default_value = "http://inventory:8080",
        value_name = "URL",
        value_delimiter = ','
    )]
    inventory: Vec<String>,
    /// Shipping.
    #[arg(
        long,
        env = "ORRERY_DEMO_SHIPPING",
        default_value = "http://shipping:8080",
        value_name = "URL",
        value_delimiter = ','
    )]
    shipping: Vec<String>,
    /// Notifications.
    #[arg(
        long,
        env = "ORRERY_DEMO_NOTIFICATIONS",
        default_value = "http://notifications:8080",
        value_name = "URL",
        value_delimiter = ','
    )]
    notifications: Vec<String>,
    /// The payment provider; the host becomes server.address.
    #[arg(
        long,
        env = "ORRERY_DEMO_PAYFAST",
        default_value = "http://api.payfast.example:8080",
        value_name = "URL",
        value_delimiter = ','
    )]
    payfast: Vec<String>,
}

impl All {
    pub(crate) fn config(self) -> Config {
        let (control, faults) = self.faults.read();
        Config { host: self.host, control, faults, ..self.common.with(self.stores) }
    }
}

impl ControlOnly {
    pub(crate) fn config(self) -> Config {
        let (control, faults) = self.faults.read();
        Config { control, faults, ..Config::default() }
    }
}

impl One {
    pub(crate) fn read(self) -> (Config, Role) {
        let role = Role {
            member: self.name,
            listen: self.listen,
            version: self.release,
            replica: self.replica,
            canary: self.canary,
            peers: self.peers.read(),
            control: self.control_url,
        };
        (self.common.with(self.stores), role)
    }
}

impl Common {
    fn with(self, stores: StoreFlags) -> Config {
        let stores = Stores { postgres: stores.postgres, redis: stores.redis, nats: stores.nats };
        Config { otlp: self.otlp, rate: self.rate, token_ttl_seconds: self.token_ttl, stores, ..Config::default() }
    }
}

impl FaultFlags {
    fn read(self) -> (SocketAddr, FaultPlan) {
        let plan = FaultPlan {
            enabled: !self.no_faults,
            first_after_seconds: self.first_fault_after,
            lasting_seconds: self.fault_lasts,
            quiet_seconds: self.quiet_lasts,
        };
        (self.control, plan)
    }
}

impl Peers {
    fn read(self) -> BTreeMap<Member, Vec<String>> {
        BTreeMap::from([
            (Member::ApiGateway, self.api_gateway),
            (Member::Auth, self.auth),
            (Member::Catalog, self.catalog),
            (Member::Cart, self.cart),
            (Member::Orders, self.orders),
            (Member::Payments, self.payments),
            (Member::Inventory, self.inventory),
            (Member::Shipping, self.shipping),
            (Member::Notifications, self.notifications),
            (Member::Payfast, self.payfast),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_of_the_flags_are_those_of_the_library() {
        let Command::All(all) = Cli::parse_from(["orrery-demo", "all"]).command else { panic!("all") };
        assert_eq!(all.config(), Config::default());
    }

    #[test]
    fn replicas_are_separated_by_commas() {
        let line = ["orrery-demo", "service", "cart", "--catalog", "http://a:1,http://b:2"];
        let Command::Service(one) = Cli::parse_from(line).command else { panic!("service") };
        assert_eq!(one.read().1.peers[&Member::Catalog], ["http://a:1", "http://b:2"]);
    }
}
