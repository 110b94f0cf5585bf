//! The API's map as the chart crate's map.

pub mod marks;
pub mod pins;
pub mod scene;

use marks::Marks;
use orrery_api::{Edge, EdgeKind, Health, Node, NodeKind, Red, Topology};
use orrery_chart::map::{EdgeView, Flow, Hit, NODE_HEIGHT, NODE_WIDTH, NodeView, Status};
use orrery_chart::topology::{EdgeSpec, Graph, Kind, NodeSpec};
use scene::{Scene, group_name};
use std::collections::HashMap;

/// A node or edge, as an address names it: `node:<id>` or `edge:<caller> > <callee>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// A node's id.
    Node(String),
    /// Ids of caller and callee.
    Edge(String, String),
}

impl Selection {
    /// Reads an address.
    pub fn parse(text: &str) -> Option<Selection> {
        if let Some(id) = text.strip_prefix("node:") {
            return Some(Selection::Node(id.to_owned()));
        }
        let (caller, callee) = text.strip_prefix("edge:")?.split_once(" > ")?;
        Some(Selection::Edge(caller.to_owned(), callee.to_owned()))
    }

    /// Writes an address.
    pub fn address(&self) -> String {
        match self {
            Selection::Node(id) => format!("node:{id}"),
            Selection::Edge(caller, callee) => format!("edge:{caller} > {callee}"),
        }
    }

    /// What was hit.
    pub fn of(hit: Hit, topology: &Topology) -> Option<Selection> {
        match hit {
            Hit::Node(at) => topology.nodes.get(at).map(|node| Selection::Node(node.id.clone())),
            Hit::Edge(at) => {
                topology.edges.get(at).map(|edge| Selection::Edge(edge.caller.clone(), edge.callee.clone()))
            }
        }
    }

    /// Where it is drawn.
    pub fn hit(&self, scene: &Scene) -> Option<Hit> {
        let topology = &scene.topology;
        match self {
            Selection::Node(id) => {
                let id = scene.drawn_as(id);
                topology.nodes.iter().position(|node| node.id == id).map(Hit::Node)
            }
            Selection::Edge(caller, callee) => {
                let ends = (scene.drawn_as(caller), scene.drawn_as(callee));
                let is_it = |edge: &Edge| edge.caller == ends.0 && edge.callee == ends.1;
                topology.edges.iter().position(is_it).map(Hit::Edge)
            }
        }
    }
}

/// What to lay out: nodes and edges in the order of the topology.
pub fn graph(topology: &Topology) -> Graph {
    let places: HashMap<&str, usize> =
        topology.nodes.iter().enumerate().map(|(at, node)| (node.id.as_str(), at)).collect();
    let place = |id: &str| places.get(id).copied().unwrap_or(usize::MAX);
    Graph {
        nodes: topology
            .nodes
            .iter()
            .map(|node| NodeSpec { id: node.id.clone(), kind: kind_of(node), width: NODE_WIDTH, height: NODE_HEIGHT })
            .collect(),
        edges: topology
            .edges
            .iter()
            .map(|edge| EdgeSpec { from: place(&edge.caller), to: place(&edge.callee) })
            .collect(),
    }
}

/// What is written on the nodes.
pub fn node_views(scene: &Scene, marks: &Marks) -> Vec<NodeView> {
    let view = |node: &Node| NodeView {
        label: node.name.clone(),
        kind: kind_of(node),
        status: status(node.health),
        flow: (node.red.count > 0.0).then(|| flow(&node.red)),
        members: group_name(&node.id).and_then(|_| scene.group(&node.id)).map_or(0, |group| group.members.len()),
        pinned: false,
        mark: marks.of_node(scene, &node.id),
    };
    scene.topology.nodes.iter().map(view).collect()
}

/// What is shown on the edges.
pub fn edge_views(scene: &Scene, marks: &Marks) -> Vec<EdgeView> {
    let mut marks = marks.of_edges(scene);
    let view = |edge: &Edge| EdgeView {
        flow: flow(&edge.red),
        is_async: matches!(edge.kind, EdgeKind::Publish | EdgeKind::Consume),
        mark: marks.remove(&(edge.caller.clone(), edge.callee.clone())),
    };
    scene.topology.edges.iter().map(view).collect()
}

fn kind_of(node: &Node) -> Kind {
    if group_name(&node.id).is_some() { Kind::Group } else { kind(node.kind) }
}

/// Calls without a rate are those of one trace: they are counted.
pub fn flow(red: &Red) -> Flow {
    let is_count = red.rate == 0.0;
    Flow {
        rate: if is_count { red.count } else { red.rate },
        is_count,
        error_ratio: red.error_ratio(),
        p95_nanos: red.p95_nanos.map(|nanos| nanos.0 as f64),
    }
}

fn status(health: Health) -> Status {
    match health {
        Health::Unknown => Status::Unknown,
        Health::Ok => Status::Ok,
        Health::Degraded => Status::Warn,
        Health::Failing => Status::Err,
    }
}

fn kind(kind: NodeKind) -> Kind {
    match kind {
        NodeKind::Client => Kind::Client,
        NodeKind::Gateway => Kind::Gateway,
        NodeKind::Auth => Kind::Auth,
        NodeKind::Service => Kind::Service,
        NodeKind::Job => Kind::Job,
        NodeKind::Database => Kind::Database,
        NodeKind::Queue => Kind::Queue,
        NodeKind::External => Kind::External,
        NodeKind::Model => Kind::Model,
        NodeKind::Function => Kind::Function,
        NodeKind::User => Kind::User,
        NodeKind::UnknownCaller => Kind::UnknownCaller,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_survive_the_address() {
        for selection in [
            Selection::Node("database:postgresql/db:5432".into()),
            Selection::Edge("shop/web@prod".into(), "queue:nats/orders".into()),
        ] {
            assert_eq!(Selection::parse(&selection.address()), Some(selection));
        }
        assert_eq!(Selection::parse("edge:lonely"), None);
    }
}
