//! The services traces run through.

use crate::shape::Shape;
use crate::span::{int, text};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

/// Words service names are made of.
const DOMAINS: [&str; 20] = [
    "cart", "catalog", "orders", "payments", "stock", "shipping", "search", "accounts", "pricing", "reviews", "mail",
    "fraud", "ledger", "media", "quotes", "routing", "billing", "coupons", "returns", "feeds",
];
const ROLES: [&str; 10] = ["api", "core", "worker", "store", "gateway", "sync", "index", "rules", "cache", "report"];

/// A route of a service.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) service: usize,
    pub(crate) method: &'static str,
    pub(crate) route: String,
}

/// Services and their routes. Calls only go to services of a higher number: the graph has no cycle.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) services: Vec<String>,
    pub(crate) processes_per_service: usize,
    pub(crate) endpoints: Vec<Endpoint>,
    /// Cumulated shares of traffic, by endpoint.
    shares: Vec<f64>,
    extra_resource: usize,
}

impl World {
    pub(crate) fn new(shape: &Shape, rng: &mut Xoshiro256PlusPlus) -> World {
        let name = |at: usize| match (at / DOMAINS.len()) % ROLES.len() {
            0 => DOMAINS[at % DOMAINS.len()].to_owned(),
            role => format!("{}-{}", DOMAINS[at % DOMAINS.len()], ROLES[role]),
        };
        let endpoint = |at: usize| Endpoint {
            service: at % shape.services,
            method: ["GET", "POST", "GET", "PUT", "GET", "DELETE"][at % 6],
            route: format!(
                "/{}/{{id}}/{}",
                DOMAINS[rng.random_range(0..DOMAINS.len())],
                ["", "items", "status", "lines"][at % 4]
            ),
        };
        let mut sum = 0.0;
        let shares = (1..=shape.endpoints).map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        });
        World {
            shares: shares.collect(),
            services: (0..shape.services).map(name).collect(),
            processes_per_service: shape.processes_per_service,
            endpoints: (0..shape.endpoints).map(endpoint).collect(),
            extra_resource: shape.resource_attributes,
        }
    }

    /// An endpoint, the first most often.
    pub(crate) fn pick(&self, rng: &mut Xoshiro256PlusPlus) -> usize {
        let at = rng.random::<f64>() * self.shares.last().copied().unwrap_or(1.0);
        self.shares.partition_point(|share| *share < at).min(self.endpoints.len() - 1)
    }

    /// An endpoint of a service that `service` may call.
    pub(crate) fn pick_below(&self, service: usize, rng: &mut Xoshiro256PlusPlus) -> Option<usize> {
        let tries = (0..4).map(|_| self.pick(rng)).find(|&at| self.endpoints[at].service > service);
        tries.or_else(|| (0..self.endpoints.len()).find(|&at| self.endpoints[at].service == service + 1))
    }

    /// A process of a service, by number over all services.
    pub(crate) fn process(&self, service: usize, rng: &mut Xoshiro256PlusPlus) -> usize {
        service * self.processes_per_service + rng.random_range(0..self.processes_per_service)
    }

    /// Attributes of a process's resource.
    pub(crate) fn resource(&self, process: usize) -> Vec<KeyValue> {
        let (service, pod) = (process / self.processes_per_service, process % self.processes_per_service);
        let name = &self.services[service];
        let mut all = vec![
            text("service.name", name.clone()),
            text("service.namespace", "synth"),
            text("service.version", format!("1.{}.{}", service % 7, pod % 2)),
            text("service.instance.id", format!("{name}-{pod}")),
            text("deployment.environment.name", "bench"),
            text("host.name", format!("node-{}", process % 40)),
        ];
        let extra = [
            text("telemetry.sdk.name", "opentelemetry"),
            text("telemetry.sdk.language", ["rust", "java", "go", "python"][service % 4]),
            text("telemetry.sdk.version", "1.45.1"),
            int("process.pid", 100 + process as i64),
            text("k8s.namespace.name", "synth"),
            text("k8s.pod.name", format!("{name}-{process:05x}-{pod}")),
            text("k8s.deployment.name", name.clone()),
            text("k8s.node.name", format!("node-{}", process % 40)),
            text("k8s.cluster.name", "bench-1"),
            text("container.image.name", format!("registry.example/synth/{name}")),
            text("container.id", format!("{:064x}", process as u128 * 0x9e37_79b9_7f4a_7c15)),
            text("os.type", "linux"),
            text("os.description", "Debian GNU/Linux 13"),
            text("cloud.provider", "aws"),
            text("cloud.region", ["eu-west-1", "us-east-1"][process % 2]),
            text("cloud.availability_zone", ["eu-west-1a", "us-east-1b"][process % 2]),
        ];
        all.extend(extra.into_iter().take(self.extra_resource));
        all
    }
}
