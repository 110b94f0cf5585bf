//! What is said on the map about nodes and edges: changes, or how far a failure reaches.

use super::scene::{Scene, group_name};
use crate::words::{Phrase, say, t, tf};
use orrery_api::{Change, ChangeKind, Impact, TopologyDiff};
use orrery_chart::Unit;
use orrery_chart::map::{Mark, Tone};
use std::collections::HashMap;

/// Remarks by node, and by caller and callee.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    nodes: HashMap<String, Mark>,
    edges: HashMap<(String, String), Mark>,
    /// The map is about them: what has none fades.
    pub only: bool,
}

impl Marks {
    /// The most important change of everything that changed.
    pub fn of_changes(diff: &TopologyDiff) -> Marks {
        let mut marks = Marks { only: !diff.changes.is_empty(), ..Marks::default() };
        for change in &diff.changes {
            let mark = Mark { tone: tone(change.what), text: brief(change) };
            match &change.caller {
                None => marks.node(&change.node, mark),
                Some(caller) => marks.edge(caller, &change.node, mark),
            }
        }
        marks
    }

    /// Who is affected, who held, and where failures begin.
    pub fn of_impact(impact: &Impact) -> Marks {
        let mut marks = Marks { only: true, ..Marks::default() };
        let share = |share: f64| Unit::Ratio.format(share).to_string();
        let told = |tone, phrase, value: f64| Mark { tone, text: tf(phrase, &[("share", &share(value))]) };
        for affected in &impact.affected {
            marks.node(&affected.node, told(Tone::Failing, say::MARK_AFFECTED, affected.share));
        }
        for held in &impact.held {
            marks.node(&held.node, told(Tone::Better, say::MARK_HELD, held.handled / held.failed_calls.max(1.0)));
            marks.edge(
                &held.node,
                &held.callee,
                told(Tone::Better, say::MARK_HELD, held.handled / held.failed_calls.max(1.0)),
            );
        }
        for origin in &impact.origins {
            let mark = told(Tone::Slower, say::MARK_BEGINS, origin.share);
            match &origin.caller {
                None => marks.node(&origin.node, mark),
                Some(caller) => marks.edge(caller, &origin.node, mark),
            }
        }
        marks
    }

    /// How many alerts fire about nodes, and whether one of them is critical.
    pub fn of_alerts<'a>(firing: impl IntoIterator<Item = (&'a str, usize, bool)>) -> Marks {
        let mut marks = Marks::default();
        for (node, count, is_critical) in firing {
            let (tone, sign) = if is_critical { (Tone::Failing, "◆") } else { (Tone::Slower, "▲") };
            let said = tf(say::N_ALERTS, &[("n", &count.to_string())]);
            marks.node(node, Mark { tone, text: format!("{sign} {said}") });
        }
        marks
    }

    /// What is said about a node of a scene; about a closed group, how much there is to say.
    pub fn of_node(&self, scene: &Scene, id: &str) -> Option<Mark> {
        if group_name(id).is_none() {
            return self.nodes.get(id).cloned();
        }
        let members = &scene.group(id)?.members;
        let tones: Vec<Tone> = members.iter().filter_map(|id| self.nodes.get(id)).map(|mark| mark.tone).collect();
        let worst = *tones.iter().max()?;
        let counts = [("n", tones.len().to_string()), ("all", members.len().to_string())];
        let text = tf(say::MARKED_MEMBERS, &[(counts[0].0, &counts[0].1), (counts[1].0, &counts[1].1)]);
        Some(Mark { tone: worst, text: format!("{} {text}", worst.sign()) })
    }

    /// Edges of a scene with something said about them.
    pub fn of_edges(&self, scene: &Scene) -> HashMap<(String, String), Mark> {
        let mut found: HashMap<(String, String), Mark> = HashMap::new();
        for ((caller, callee), mark) in &self.edges {
            let ends = (scene.drawn_as(caller), scene.drawn_as(callee));
            let is_worse = found.get(&ends).is_none_or(|other| (mark.tone, &mark.text) > (other.tone, &other.text));
            if is_worse {
                found.insert(ends, mark.clone());
            }
        }
        found
    }

    fn node(&mut self, id: &str, mark: Mark) {
        self.nodes.entry(id.to_owned()).or_insert(mark);
    }

    fn edge(&mut self, caller: &str, callee: &str, mark: Mark) {
        self.edges.entry((caller.to_owned(), callee.to_owned())).or_insert(mark);
    }
}

/// How a change is shown.
pub fn tone(what: ChangeKind) -> Tone {
    match what {
        ChangeKind::MoreErrors => Tone::Failing,
        ChangeKind::Slower => Tone::Slower,
        ChangeKind::New | ChangeKind::NewExternal => Tone::Added,
        ChangeKind::Gone => Tone::Gone,
        ChangeKind::Faster | ChangeKind::FewerErrors => Tone::Better,
        ChangeKind::Busier | ChangeKind::Quieter => Tone::Other,
    }
}

/// A change in a few words with a sign, for a map.
fn brief(change: &Change) -> String {
    let now = quantity(change.what, change.now);
    let with = |phrase: Phrase| tf(phrase, &[("now", &now)]);
    match change.what {
        ChangeKind::New => t(say::MARK_NEW).to_owned(),
        ChangeKind::NewExternal => t(say::MARK_NEW_EXTERNAL).to_owned(),
        ChangeKind::Gone => t(say::MARK_GONE).to_owned(),
        ChangeKind::MoreErrors => with(say::MARK_MORE_ERRORS),
        ChangeKind::FewerErrors => with(say::MARK_FEWER_ERRORS),
        ChangeKind::Slower => with(say::MARK_SLOWER),
        ChangeKind::Faster => with(say::MARK_FASTER),
        ChangeKind::Busier => with(say::MARK_BUSIER),
        ChangeKind::Quieter => with(say::MARK_QUIETER),
    }
}

/// A change in words, with both sides.
pub fn told(change: &Change) -> String {
    let sides = [("before", quantity(change.what, change.before)), ("now", quantity(change.what, change.now))];
    let with = |phrase: Phrase| tf(phrase, &[(sides[0].0, &sides[0].1), (sides[1].0, &sides[1].1)]);
    match change.what {
        ChangeKind::New => tf(say::TOLD_NEW, &[("now", &sides[1].1)]),
        ChangeKind::NewExternal => tf(say::TOLD_NEW_EXTERNAL, &[("now", &sides[1].1)]),
        ChangeKind::Gone => tf(say::TOLD_GONE, &[("before", &sides[0].1)]),
        ChangeKind::MoreErrors | ChangeKind::FewerErrors => with(say::CHANGED_ERRORS),
        ChangeKind::Slower | ChangeKind::Faster => with(say::CHANGED_LATENCY),
        ChangeKind::Busier | ChangeKind::Quieter => with(say::CHANGED_RATE),
    }
}

fn quantity(what: ChangeKind, value: Option<f64>) -> String {
    let unit = match what {
        ChangeKind::MoreErrors | ChangeKind::FewerErrors => Unit::Ratio,
        ChangeKind::Slower | ChangeKind::Faster => Unit::Nanos,
        ChangeKind::New | ChangeKind::NewExternal | ChangeKind::Gone | ChangeKind::Busier | ChangeKind::Quieter => {
            Unit::PerSecond
        }
    };
    unit.format(value.unwrap_or(f64::NAN)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atlas::scene::{Choice, Open};
    use orrery_api::{Node, ServiceRef, Topology};

    fn change(what: ChangeKind, node: &str, caller: Option<&str>) -> Change {
        Change {
            what,
            node: node.into(),
            caller: caller.map(str::to_owned),
            kind: None,
            before: Some(0.001),
            now: Some(0.061),
            explained_by: None,
        }
    }

    #[test]
    fn alerts_are_marked_by_the_worst_of_a_node() {
        let marks = Marks::of_alerts([("a", 2, true), ("b", 1, false)]);
        assert_eq!(marks.nodes["a"], Mark { tone: Tone::Failing, text: "◆ 2 firing".to_owned() });
        assert_eq!(marks.nodes["b"].tone, Tone::Slower);
        assert!(!marks.only, "nothing fades because of an alert");
    }

    #[test]
    fn the_first_change_of_a_node_is_on_the_map_and_groups_count() {
        let node = |name: &str| Node {
            id: format!("shop/{name}"),
            service: Some(ServiceRef { namespace: "shop".into(), name: name.into(), ..ServiceRef::default() }),
            ..Node::default()
        };
        let map = Topology { nodes: vec![node("a"), node("b"), node("c")], ..Topology::default() };
        let diff = TopologyDiff {
            changes: vec![
                change(ChangeKind::MoreErrors, "shop/a", None),
                change(ChangeKind::Slower, "shop/b", None),
                change(ChangeKind::Busier, "shop/a", None),
                change(ChangeKind::MoreErrors, "shop/a", Some("shop/b")),
            ],
            ..TopologyDiff::default()
        };
        let marks = Marks::of_changes(&diff);
        let open = Scene::of(&map, &Choice::default());
        assert_eq!(
            marks.of_node(&open, "shop/a").unwrap(),
            Mark { tone: Tone::Failing, text: "↑ errors 6.10\u{2009}%".to_owned() }
        );
        assert_eq!(marks.of_node(&open, "shop/c"), None);
        assert_eq!(marks.of_edges(&open).len(), 1);
        let closed = Scene::of(&map, &Choice { open: Open::parse(Some("-")), ..Choice::default() });
        let mark = marks.of_node(&closed, "group:shop").unwrap();
        assert_eq!((mark.tone, mark.text.as_str()), (Tone::Failing, "↑ 2 of 3"));
        assert!(told(&diff.changes[0]).ends_with("→ 6.10\u{2009}%"));
    }
}
