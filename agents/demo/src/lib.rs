//! A shop of small services to watch Orrery at work: real servers, real sockets, real faults.
//!
//! Every service is an axum server on a port of its own with **its own OpenTelemetry SDK**, shipping
//! traces, logs and metrics over OTLP/gRPC. Nothing is simulated telemetry: what the map shows is what
//! happened.
//!
//! ```text
//!  web ─────┐                   ┌─▶ auth ──────────▶ (sessions)
//!  mobile ──┼─▶ api-gateway ────┼─▶ catalog 1.4.0, 1.5.0 ─▶ (catalog)
//!  chatbot ─┘                   │        └─▶ inventory ───▶ (inventory)
//!                               ├─▶ cart ──▶ catalog, (carts)
//!                               ├─▶ orders ─▶ cart, inventory, payments, (orders)
//!                               │     │                 └─▶ api.payfast.example, (payments)
//!                               │     └─▶ [orders.placed] ─▶ inventory, shipping, notifications
//!                               ├─▶ shipping ─▶ (shipping)
//!                               └─▶ notifications ─▶ (notifications)
//! ```
//!
//! In another program: [`start`] with a [`Config`] gives a [`Shop`]; [`Shop::stop`] drains it. Nothing
//! global is installed.
//!
//! # On its own
//! `orrery-demo all` runs everything in one process; `orrery-demo --help` and `orrery-demo all --help`
//! list the flags, each also an `ORRERY_DEMO_*` variable.
//!
//! # As containers
//! `orrery-demo service <name>` runs one member per process. What compose has to know:
//!
//! | service | command | needs |
//! |---|---|---|
//! | control | `control` | listens on `--control`, in a container `0.0.0.0:7090`; holds the schedule |
//! | `web`, `mobile`, `chatbot` | `service web` … | `api-gateway`; `--rate` is that of all three together |
//! | `api-gateway` | `service api-gateway` | auth, catalog, cart, orders, shipping, notifications; the same `--rate` as the clients (its limit follows) |
//! | `auth` | `service auth` | redis |
//! | `catalog` | `service catalog --release 1.4.0 --replica 1 --canary false` | postgres, inventory |
//! | `catalog-next` | `service catalog --release 1.5.0 --replica 2` | as catalog |
//! | `cart` | `service cart` | redis, catalog |
//! | `orders` | `service orders` | postgres, nats, cart, inventory, payments |
//! | `payments` | `service payments` | postgres, payfast |
//! | `inventory`, `shipping`, `notifications` | `service shipping` … | postgres, nats |
//! | payfast | `service payfast` | the network alias `api.payfast.example` |
//!
//! Every server listens on `--listen` (default `0.0.0.0:8080` for `service`) and answers `GET /healthz`;
//! `orrery-demo check http://127.0.0.1:8080/healthz` is a health check that needs no curl in the image.
//! Peers default to `http://<name>:8080`, payfast to `http://api.payfast.example:8080`, so that compose
//! names suffice; only the gateway and `cart` need `ORRERY_DEMO_CATALOG=http://catalog:8080,http://catalog-next:8080`
//! to balance over both versions. The variables are `ORRERY_DEMO_API_GATEWAY`, `ORRERY_DEMO_AUTH`,
//! `ORRERY_DEMO_CATALOG`, `ORRERY_DEMO_CART`, `ORRERY_DEMO_ORDERS`, `ORRERY_DEMO_PAYMENTS`,
//! `ORRERY_DEMO_INVENTORY`, `ORRERY_DEMO_SHIPPING`, `ORRERY_DEMO_NOTIFICATIONS`, `ORRERY_DEMO_PAYFAST`.
//! Common ones: `ORRERY_DEMO_OTLP`, `ORRERY_DEMO_RATE`, `ORRERY_DEMO_TOKEN_TTL`, `ORRERY_DEMO_POSTGRES`
//! (a role that may create databases), `ORRERY_DEMO_REDIS`, `ORRERY_DEMO_NATS` (JetStream: `nats-server -js`),
//! and for the services `ORRERY_DEMO_CONTROL_URL=http://control:7090`.

mod board;
mod bus;
mod clients;
mod config;
mod control;
mod database;
mod failure;
mod fault;
mod graph;
mod instance;
mod keyvalue;
mod member;
mod peer;
mod role;
mod serve;
mod services;
mod shop;
mod telemetry;
mod unit;
mod work;

pub use board::FaultReport;
pub use config::{Config, ConfigError, FaultPlan, Stores};
pub use fault::{Fault, FaultKind, Origin};
pub use graph::{Edge, EdgeKind};
pub use member::Member;
pub use role::{Role, run_control, run_role};
pub use shop::{Shop, start};
