//! What of a topology is on the map: kinds left out, the surroundings of one node, and groups drawn as one.

use orrery_api::{Edge, EdgeKind, Health, Nanos, Node, NodeKind, Quantiles, Red, ServiceRef, Topology};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

/// More nodes than this cannot be read at once: groups begin collapsed.
pub const READABLE: usize = 60;

const GROUP: &str = "group:";

/// Which groups are open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Open {
    /// All while the map can be read, else none but the one around which it is drawn.
    #[default]
    Auto,
    /// All.
    All,
    /// These.
    Only(BTreeSet<String>),
}

impl Open {
    /// Reads an address: nothing, `*`, or names in order.
    pub fn parse(text: Option<&str>) -> Open {
        match text {
            None => Open::Auto,
            Some("*") => Open::All,
            Some(names) => {
                Open::Only(names.split(',').filter(|name| !matches!(*name, "" | "-")).map(str::to_owned).collect())
            }
        }
    }

    /// Writes an address.
    pub fn address(&self) -> Option<String> {
        match self {
            Open::Auto => None,
            Open::All => Some("*".to_owned()),
            Open::Only(names) if names.is_empty() => Some("-".to_owned()),
            Open::Only(names) => Some(names.iter().cloned().collect::<Vec<_>>().join(",")),
        }
    }
}

/// What the reader chose to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Kinds left out.
    pub hidden: BTreeSet<NodeKind>,
    /// Id of a node or group, and calls around it.
    pub near: Option<(String, usize)>,
    /// Only these services, and what sends no telemetry but is called by them or calls them.
    pub only: Option<BTreeSet<String>>,
    /// Open groups.
    pub open: Open,
}

/// A namespace of an environment, with what only its services use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// `shop`, or `shop@production` where there are several environments.
    pub name: String,
    /// Ids of its nodes, those shown.
    pub members: Vec<String>,
    /// Its nodes are drawn one by one.
    pub is_open: bool,
    /// The worst of its nodes'.
    pub health: Health,
}

/// What is on the map.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    /// Closed groups are nodes of it, with the work of their members; their edges are merged. Of merged durations the
    /// longest is given.
    pub topology: Topology,
    /// All groups, by name.
    pub groups: Vec<Group>,
    /// Nodes before anything was left out.
    pub total: usize,
    /// What was chosen.
    pub choice: Choice,
    /// Id and name of every node shown, drawn by itself or in a group.
    names: Vec<(String, String)>,
    /// Which group each node belongs to.
    group_of: HashMap<String, usize>,
}

/// Id of the node that a closed group is.
pub fn group_id(name: &str) -> String {
    format!("{GROUP}{name}")
}

/// The group that a node is.
pub fn group_name(id: &str) -> Option<&str> {
    id.strip_prefix(GROUP)
}

impl Scene {
    /// Everything, one by one.
    pub fn plain(topology: Topology) -> Scene {
        let names = topology.nodes.iter().map(|node| (node.id.clone(), node.name.clone())).collect();
        Scene { total: topology.nodes.len(), names, topology, ..Scene::default() }
    }

    /// What the reader chose of a topology.
    pub fn of(topology: &Topology, choice: &Choice) -> Scene {
        let groups = Groups::of(topology);
        let shown = shown(topology, choice, &groups);
        let near = choice.near.as_ref().map(|(id, _)| id.as_str());
        let mut scene = Scene {
            total: topology.nodes.len(),
            choice: choice.clone(),
            names: names(topology, &shown),
            groups: groups.shown(topology, &shown),
            ..Scene::default()
        };
        for (at, group) in scene.groups.iter().enumerate() {
            scene.group_of.extend(group.members.iter().map(|id| (id.clone(), at)));
        }
        let at_home = near.and_then(|id| scene.group(id)).map(|group| group.name.clone());
        for group in &mut scene.groups {
            group.is_open = match &choice.open {
                Open::Auto => shown.len() <= READABLE || Some(&group.name) == at_home.as_ref(),
                Open::All => true,
                Open::Only(names) => names.contains(&group.name),
            };
        }
        scene.topology = scene.drawn(topology, &shown);
        scene
    }

    /// Nodes shown, drawn by themselves or in a group.
    pub fn shown(&self) -> usize {
        self.names.len()
    }

    /// Nodes whose name contains a text, whatever its case, by name; those that begin with it first.
    pub fn find(&self, text: &str) -> Vec<&str> {
        let text = text.trim().to_lowercase();
        if text.is_empty() {
            return Vec::new();
        }
        let place = |name: &str| name.to_lowercase().find(&text);
        let mut found: Vec<(bool, &str, &str)> =
            self.names.iter().filter_map(|(id, name)| Some((place(name)? > 0, name.as_str(), id.as_str()))).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, _, id)| id).collect()
    }

    /// The node that a node is drawn as: itself, or its closed group.
    pub fn drawn_as(&self, id: &str) -> String {
        match self.group(id).filter(|group| !group.is_open) {
            Some(group) => group_id(&group.name),
            None => id.to_owned(),
        }
    }

    /// The group of a node, or that a node is.
    pub fn group(&self, id: &str) -> Option<&Group> {
        match group_name(id) {
            Some(name) => self.groups.iter().find(|group| group.name == name),
            None => self.group_of.get(id).map(|at| &self.groups[*at]),
        }
    }

    /// The groups then open, if the group of a node opens; `None` if nothing has to.
    pub fn opened(&self, id: &str) -> Option<Open> {
        self.group(id).filter(|group| !group.is_open)?;
        self.toggled(id)
    }

    /// Opens or closes the group of a node, or that a node is; the groups then open.
    pub fn toggled(&self, id: &str) -> Option<Open> {
        let name = &self.group(id)?.name;
        let mut open: BTreeSet<String> =
            self.groups.iter().filter(|group| group.is_open).map(|group| group.name.clone()).collect();
        if !open.remove(name) {
            open.insert(name.clone());
        }
        Some(Open::Only(open))
    }

    fn drawn(&self, topology: &Topology, shown: &HashSet<&str>) -> Topology {
        let mut nodes: Vec<Node> = Vec::new();
        let mut groups: HashMap<String, Node> = HashMap::new();
        for node in topology.nodes.iter().filter(|node| shown.contains(node.id.as_str())) {
            let id = self.drawn_as(&node.id);
            match group_name(&id) {
                None => nodes.push(node.clone()),
                Some(name) => {
                    let name = name.to_owned();
                    let group =
                        groups.entry(id).or_insert_with_key(|id| Node { id: id.clone(), name, ..Node::default() });
                    group.health = group.health.max(node.health);
                    group.last_seen_unix_nano = group.last_seen_unix_nano.max(node.last_seen_unix_nano);
                    if node.service.is_some() {
                        add(&mut group.red, &node.red);
                    }
                }
            }
        }
        nodes.extend(groups.into_values());
        nodes.sort_by(|a, b| a.id.cmp(&b.id));
        let mut edges: BTreeMap<(String, String, EdgeKind), Edge> = BTreeMap::new();
        for edge in &topology.edges {
            if !shown.contains(edge.caller.as_str()) || !shown.contains(edge.callee.as_str()) {
                continue;
            }
            let (caller, callee) = (self.drawn_as(&edge.caller), self.drawn_as(&edge.callee));
            if caller == callee {
                continue;
            }
            match edges.entry((caller, callee, edge.kind)) {
                std::collections::btree_map::Entry::Occupied(mut merged) => merge(merged.get_mut(), edge),
                std::collections::btree_map::Entry::Vacant(place) => {
                    let (caller, callee, _) = place.key().clone();
                    place.insert(Edge { caller, callee, ..edge.clone() });
                }
            }
        }
        Topology {
            range: topology.range,
            nodes,
            edges: edges.into_values().collect(),
            environments: topology.environments.clone(),
            partial: topology.partial.clone(),
        }
    }
}

fn names(topology: &Topology, shown: &HashSet<&str>) -> Vec<(String, String)> {
    let nodes = topology.nodes.iter().filter(|node| shown.contains(node.id.as_str()));
    nodes.map(|node| (node.id.clone(), node.name.clone())).collect()
}

/// Ids of what is shown of a topology.
fn shown<'a>(topology: &'a Topology, choice: &Choice, groups: &Groups) -> HashSet<&'a str> {
    let hides = |node: &&Node| {
        let is_middle = choice.near.as_ref().is_some_and(|(id, _)| *id == node.id);
        !is_middle && choice.hidden.contains(&node.kind)
    };
    let mut kept: HashSet<&str> =
        topology.nodes.iter().filter(|node| !hides(node)).map(|node| node.id.as_str()).collect();
    if let Some(only) = &choice.only {
        let ends = topology.edges.iter().flat_map(|edge| [(&edge.caller, &edge.callee), (&edge.callee, &edge.caller)]);
        let beside: HashSet<&str> =
            ends.filter(|(end, _)| only.contains(*end)).map(|(_, other)| other.as_str()).collect();
        let services: HashSet<&str> = services(topology).map(|(id, _)| id).collect();
        kept.retain(|id| if services.contains(id) { only.contains(*id) } else { beside.contains(id) });
    }
    let Some((middle, hops)) = &choice.near else { return kept };
    let mut neighbours: HashMap<&str, Vec<&str>> = HashMap::new();
    for edge in &topology.edges {
        for (a, b) in [(&edge.caller, &edge.callee), (&edge.callee, &edge.caller)] {
            if kept.contains(a.as_str()) && kept.contains(b.as_str()) {
                neighbours.entry(a).or_default().push(b);
            }
        }
    }
    let is_middle = |id: &str| id == middle || group_name(middle).is_some_and(|name| groups.name_of(id) == Some(name));
    let mut near: HashSet<&str> = kept.iter().copied().filter(|id| is_middle(id)).collect();
    let mut queue: VecDeque<(&str, usize)> = near.iter().map(|id| (*id, 0)).collect();
    while let Some((id, away)) = queue.pop_front() {
        for &other in neighbours.get(id).into_iter().flatten().filter(|_| away < *hops) {
            if near.insert(other) {
                queue.push_back((other, away + 1));
            }
        }
    }
    near
}

/// Which node belongs to which group.
#[derive(Default)]
struct Groups(HashMap<String, String>);

impl Groups {
    fn of(topology: &Topology) -> Groups {
        let environments: BTreeSet<&str> =
            services(topology).map(|(_, service)| service.environment.as_str()).collect();
        let several = environments.len() > 1;
        let name = |service: &ServiceRef| match several && !service.environment.is_empty() {
            true => format!("{}@{}", service.namespace, service.environment),
            false => service.namespace.clone(),
        };
        let mut groups: HashMap<String, String> = services(topology)
            .filter(|(_, service)| !service.namespace.is_empty())
            .map(|(id, service)| (id.to_owned(), name(service)))
            .collect();
        groups.extend(owned(topology, &groups));
        let mut sizes: HashMap<String, usize> = HashMap::new();
        groups.values().for_each(|name| *sizes.entry(name.clone()).or_default() += 1);
        // One node is no group.
        groups.retain(|_, name| sizes[name] > 1);
        Groups(groups)
    }

    fn name_of(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }

    fn shown(&self, topology: &Topology, shown: &HashSet<&str>) -> Vec<Group> {
        let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
        for node in topology.nodes.iter().filter(|node| shown.contains(node.id.as_str())) {
            let Some(name) = self.name_of(&node.id) else { continue };
            let group = groups.entry(name).or_insert_with(|| Group { name: name.to_owned(), ..Group::default() });
            group.members.push(node.id.clone());
            group.health = group.health.max(node.health);
        }
        groups.into_values().collect()
    }
}

fn services(topology: &Topology) -> impl Iterator<Item = (&str, &ServiceRef)> {
    topology.nodes.iter().filter_map(|node| Some((node.id.as_str(), node.service.as_ref()?)))
}

/// Databases, queues and outside systems that only one group uses.
fn owned(topology: &Topology, groups: &HashMap<String, String>) -> Vec<(String, String)> {
    let mut users: HashMap<&str, BTreeSet<Option<&str>>> = HashMap::new();
    for edge in &topology.edges {
        users.entry(&edge.caller).or_default().insert(groups.get(&edge.callee).map(String::as_str));
        users.entry(&edge.callee).or_default().insert(groups.get(&edge.caller).map(String::as_str));
    }
    let is_people = |kind: NodeKind| matches!(kind, NodeKind::User | NodeKind::UnknownCaller);
    let owner = |node: &Node| {
        let users = users.get(node.id.as_str()).filter(|users| users.len() == 1)?;
        let owner = (*users.first()?)?;
        Some((node.id.clone(), owner.to_owned()))
    };
    topology.nodes.iter().filter(|node| node.service.is_none() && !is_people(node.kind)).filter_map(owner).collect()
}

fn add(sum: &mut Red, red: &Red) {
    sum.count += red.count;
    sum.errors += red.errors;
    sum.rate += red.rate;
    sum.p50_nanos = sum.p50_nanos.max(red.p50_nanos);
    sum.p95_nanos = sum.p95_nanos.max(red.p95_nanos);
    sum.p99_nanos = sum.p99_nanos.max(red.p99_nanos);
}

fn merge(sum: &mut Edge, edge: &Edge) {
    add(&mut sum.red, &edge.red);
    sum.health = sum.health.max(edge.health);
    sum.callee_errors += edge.callee_errors;
    sum.inferred &= edge.inferred;
    sum.network = longest(sum.network, edge.network);
    sum.lag = longest(sum.lag, edge.lag);
    sum.callee_red = match (sum.callee_red, edge.callee_red) {
        (Some(mut sum), Some(red)) => {
            add(&mut sum, &red);
            Some(sum)
        }
        (sum, red) => sum.or(red),
    };
}

fn longest(a: Option<Quantiles>, b: Option<Quantiles>) -> Option<Quantiles> {
    let (Some(a), Some(b)) = (a, b) else { return a.or(b) };
    let max = |of: fn(&Quantiles) -> Nanos| of(&a).max(of(&b));
    Some(Quantiles {
        p50_nanos: max(|q| q.p50_nanos),
        p95_nanos: max(|q| q.p95_nanos),
        p99_nanos: max(|q| q.p99_nanos),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `shop/cart`, `DB` (capitals send no telemetry); edges as `a>b`, each with ten calls, one of them failed.
    fn map(nodes: &[&str], edges: &[&str]) -> Topology {
        let red = Red { count: 10.0, errors: 1.0, rate: 1.0, p95_nanos: Some(Nanos(5)), ..Red::default() };
        let node = |id: &&str| {
            let (namespace, rest) = id.split_once('/').unwrap_or(("", id));
            let (name, environment) = rest.split_once('@').unwrap_or((rest, ""));
            let service = ServiceRef {
                id: (*id).into(),
                namespace: namespace.into(),
                name: name.into(),
                environment: environment.into(),
            };
            let inferred = name.chars().all(char::is_uppercase);
            Node {
                id: (*id).into(),
                name: name.into(),
                kind: if inferred { NodeKind::Database } else { NodeKind::Service },
                service: (!inferred).then_some(service),
                health: if name == "bad" { Health::Failing } else { Health::Ok },
                red,
                ..Node::default()
            }
        };
        let edge = |pair: &&str| {
            let (caller, callee) = pair.split_once('>').unwrap();
            Edge { caller: caller.into(), callee: callee.into(), red, inferred: true, ..Edge::default() }
        };
        Topology {
            nodes: nodes.iter().map(node).collect(),
            edges: edges.iter().map(edge).collect(),
            ..Topology::default()
        }
    }

    fn ids(scene: &Scene) -> Vec<&str> {
        scene.topology.nodes.iter().map(|node| node.id.as_str()).collect()
    }

    fn edges(scene: &Scene) -> Vec<String> {
        scene.topology.edges.iter().map(|edge| format!("{}>{} {}", edge.caller, edge.callee, edge.red.count)).collect()
    }

    fn open(text: &str) -> Choice {
        Choice { open: Open::parse(Some(text)), ..Choice::default() }
    }

    fn shop() -> Topology {
        map(
            &["web", "shop/cart", "shop/bad", "pay/card", "pay/book", "CARTS", "LEDGER", "SHARED"],
            &[
                "web>shop/cart",
                "web>shop/bad",
                "shop/cart>shop/bad",
                "shop/cart>CARTS",
                "shop/cart>pay/card",
                "shop/bad>pay/card",
                "pay/card>pay/book",
                "pay/book>LEDGER",
                "pay/book>SHARED",
                "shop/bad>SHARED",
            ],
        )
    }

    #[test]
    fn closed_groups_are_one_node_with_merged_edges() {
        let scene = Scene::of(&shop(), &open("-"));
        assert_eq!(ids(&scene), ["SHARED", "group:pay", "group:shop", "web"]);
        assert_eq!(
            edges(&scene),
            ["group:pay>SHARED 10", "group:shop>SHARED 10", "group:shop>group:pay 20", "web>group:shop 20"]
        );
        let group = &scene.topology.nodes[2];
        assert_eq!(
            (group.health, group.red.count, group.red.errors),
            (Health::Failing, 20.0, 2.0),
            "its database's calls are its own"
        );
        assert_eq!(
            scene.groups.iter().map(|group| (group.name.as_str(), group.members.len())).collect::<Vec<_>>(),
            [("pay", 3), ("shop", 3)]
        );
        assert_eq!(
            (scene.drawn_as("CARTS"), scene.drawn_as("web"), scene.drawn_as("SHARED")),
            ("group:shop".into(), "web".into(), "SHARED".into())
        );
    }

    #[test]
    fn groups_open_and_close() {
        let scene = Scene::of(&shop(), &open("-"));
        let opened = scene.toggled("group:shop").unwrap();
        assert_eq!(opened.address().as_deref(), Some("shop"));
        let scene = Scene::of(&shop(), &Choice { open: opened, ..Choice::default() });
        assert_eq!(ids(&scene), ["CARTS", "SHARED", "group:pay", "shop/bad", "shop/cart", "web"]);
        assert!(edges(&scene).contains(&"shop/cart>group:pay 10".to_owned()));
        assert_eq!(scene.toggled("shop/cart").unwrap().address().as_deref(), Some("-"), "from inside, too");
        assert_eq!(scene.toggled("web"), None);
        for text in ["*", "-", "pay,shop"] {
            assert_eq!(Open::parse(Some(text)).address().as_deref(), Some(text));
        }
        assert_eq!(Open::parse(None).address(), None);
    }

    #[test]
    fn names_are_found_in_closed_groups_too() {
        let scene = Scene::of(&shop(), &open("-"));
        assert_eq!(scene.find("car"), ["CARTS", "pay/card", "shop/cart"]);
        assert_eq!(scene.find("D"), ["LEDGER", "SHARED", "shop/bad", "pay/card"]);
        assert_eq!(scene.find("book"), ["pay/book"]);
        assert_eq!(scene.find(" "), [""; 0]);
        assert_eq!(scene.opened("pay/book"), scene.toggled("group:pay"));
        assert_eq!(scene.opened("web"), None);
    }

    #[test]
    fn small_maps_begin_open_and_big_ones_closed() {
        assert_eq!(Scene::of(&shop(), &Choice::default()).topology, {
            let mut all = shop();
            all.nodes.sort_by(|a, b| a.id.cmp(&b.id));
            all.edges.sort_by(|a, b| (&a.caller, &a.callee).cmp(&(&b.caller, &b.callee)));
            all
        });
        let names: Vec<String> =
            (0..READABLE + 1).map(|n| format!("{}/s{n:02}", if n % 2 == 0 { "even" } else { "odd" })).collect();
        let big = map(&names.iter().map(String::as_str).collect::<Vec<_>>(), &["even/s00>odd/s01"]);
        assert_eq!(ids(&Scene::of(&big, &Choice::default())), ["group:even", "group:odd"]);
        assert_eq!(Scene::of(&big, &open("*")).topology.nodes.len(), READABLE + 1);
    }

    #[test]
    fn the_surroundings_of_a_node_end_after_some_calls() {
        let near = |id: &str, hops| {
            let choice = Choice { near: Some((id.to_owned(), hops)), ..Choice::default() };
            Scene::of(&shop(), &choice).topology.nodes.into_iter().map(|node| node.id).collect::<Vec<_>>()
        };
        assert_eq!(near("LEDGER", 1), ["LEDGER", "pay/book"]);
        assert_eq!(near("LEDGER", 2), ["LEDGER", "SHARED", "pay/book", "pay/card"]);
        assert_eq!(near("group:pay", 0), ["LEDGER", "pay/book", "pay/card"]);
        assert_eq!(near("nobody", 3), [""; 0]);
    }

    #[test]
    fn kinds_can_be_left_out_but_not_what_one_looks_at() {
        let choice = Choice { hidden: BTreeSet::from([NodeKind::Database]), ..Choice::default() };
        assert!(!ids(&Scene::of(&shop(), &choice)).contains(&"SHARED"));
        let near = Choice { near: Some(("SHARED".into(), 1)), ..choice };
        assert_eq!(ids(&Scene::of(&shop(), &near)), ["SHARED", "pay/book", "shop/bad"]);
    }

    #[test]
    fn only_some_services_and_what_is_beside_them() {
        let only = |ids: &[&str]| Choice { only: Some(ids.iter().map(|id| (*id).to_owned()).collect()), ..open("*") };
        assert_eq!(ids(&Scene::of(&shop(), &only(&["pay/book"]))), ["LEDGER", "SHARED", "pay/book"]);
        assert_eq!(ids(&Scene::of(&shop(), &only(&[]))), [""; 0]);
    }

    #[test]
    fn environments_are_groups_of_their_own() {
        let two = map(&["shop/a@prod", "shop/b@prod", "shop/a@test", "shop/b@test", "x/alone@test"], &[]);
        assert_eq!(ids(&Scene::of(&two, &open("-"))), ["group:shop@prod", "group:shop@test", "x/alone@test"]);
    }
}
