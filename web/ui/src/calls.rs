//! A trace as a map: its services, and which called which.

use orrery_api::{Edge, EdgeKind, Health, Nanos, Node, NodeKind, Red, ServiceRef, Topology};
use orrery_chart::waterfall::{SpanKind, Waterfall};
use std::collections::BTreeMap;

#[derive(Default)]
struct Calls {
    durations: Vec<i64>,
    errors: u32,
}

impl Calls {
    fn add(&mut self, duration: i64, error: bool) {
        self.durations.push(duration);
        self.errors += u32::from(error);
    }

    fn red(mut self) -> Red {
        self.durations.sort_unstable();
        let last = self.durations.len().saturating_sub(1);
        let quantile = |share: f64| self.durations.get((last as f64 * share).round() as usize).copied().map(Nanos);
        let count = self.durations.len() as f64;
        Red {
            count,
            errors: f64::from(self.errors),
            rate: 0.0,
            p50_nanos: quantile(0.5),
            p95_nanos: quantile(0.95),
            p99_nanos: quantile(0.99),
        }
    }
}

/// The services of a trace as nodes; an edge for each pair of which one's span has a parent in the other. One
/// trace has counts, not rates.
pub fn topology(waterfall: &Waterfall, services: &[ServiceRef]) -> Topology {
    let (_, to) = waterfall.range();
    let mut nodes: Vec<Calls> = services.iter().map(|_| Calls::default()).collect();
    let mut edges: BTreeMap<(u32, u32, bool), Calls> = BTreeMap::new();
    for at in 0..waterfall.len() as u32 {
        let span = waterfall.span(at);
        let parent = waterfall.parent(at).map(|parent| waterfall.span(parent));
        if parent.is_some_and(|parent| parent.service == span.service) {
            continue;
        }
        if let Some(node) = nodes.get_mut(span.service as usize) {
            node.add(span.duration, span.error);
        }
        if let Some(parent) = parent {
            let message = span.kind == SpanKind::Consumer;
            edges.entry((parent.service, span.service, message)).or_default().add(span.duration, span.error);
        }
    }
    let id = |service: u32| services.get(service as usize).map(|service| service.id.clone()).unwrap_or_default();
    let node = |(service, calls): (&ServiceRef, Calls)| {
        let red = calls.red();
        Node {
            id: service.id.clone(),
            kind: NodeKind::Service,
            name: service.name.clone(),
            service: Some(service.clone()),
            system: None,
            health: Health::of(&red),
            red,
            last_seen_unix_nano: Nanos(to),
        }
    };
    let edge = |((caller, callee, message), calls): ((u32, u32, bool), Calls)| {
        let red = calls.red();
        Edge {
            caller: id(caller),
            callee: id(callee),
            kind: if message { EdgeKind::Consume } else { EdgeKind::Call },
            health: Health::of(&red),
            red,
            ..Edge::default()
        }
    };
    Topology {
        nodes: services.iter().zip(nodes).map(node).collect(),
        edges: edges.into_iter().map(edge).collect(),
        ..Topology::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orrery_chart::waterfall::SpanInput;

    #[test]
    fn calls_between_services_are_edges() {
        let span =
            |id, parent, service, error| SpanInput { id, parent, service, error, duration: 10, ..SpanInput::default() };
        let spans = vec![span(1, 0, 0, false), span(2, 1, 0, false), span(3, 2, 1, false), span(4, 2, 1, true)];
        let service = |name: &str| ServiceRef { id: name.into(), name: name.into(), ..ServiceRef::default() };
        let map = topology(&Waterfall::new(spans, vec!["op".into()], vec![]), &[service("shop"), service("bank")]);
        let counts: Vec<f64> = map.nodes.iter().map(|node| node.red.count).collect();
        assert_eq!(counts, [1.0, 2.0], "work within a service is no call");
        let edge = &map.edges[0];
        assert_eq!(
            (edge.caller.as_str(), edge.callee.as_str(), edge.red.count, edge.red.errors),
            ("shop", "bank", 2.0, 1.0)
        );
        assert_eq!(map.edges.len(), 1);
    }
}
