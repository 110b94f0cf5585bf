//! Alerts nobody need be told about: silenced, taken on, explained by another one.

use super::{Policy, Subject};
use orrery_api::Nanos;
use orrery_api::alerting::{AlertSeverity, AlertState, CallFigure, Figure, Measure, Muted, MutedBy};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// So much later than its symptoms a cause may be seen; what was there long before, it does not explain.
const LATER: i64 = 120_000_000_000;

/// Who has fired for no longer than this waits for whom it is needless beside, if that one is about to fire.
const ABOUT_TO: i64 = 60_000_000_000;

/// What kind of trouble an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Requests or calls fail.
    Failing,
    /// They take long.
    Late,
    /// Calls fail or take long between the two: the callee knows nothing of it.
    Between,
    /// Nothing is heard.
    Gone,
    /// Messages wait for who consumes them.
    Waiting,
    /// Anything else: neither explains nor is explained.
    Other,
}

impl Class {
    /// Of what a rule measures.
    pub fn of(measure: &Measure) -> Class {
        match measure {
            Measure::Requests { figure: Figure::Errors | Figure::ErrorRatio, .. } => Class::Failing,
            Measure::Requests { figure: Figure::Rate, .. } => Class::Other,
            Measure::Requests { .. } => Class::Late,
            Measure::Calls { figure, .. } => match figure {
                CallFigure::Errors | CallFigure::ErrorRatio => Class::Failing,
                CallFigure::UnansweredRatio | CallFigure::NetworkP95 => Class::Between,
                CallFigure::Mean | CallFigure::P50 | CallFigure::P95 | CallFigure::P99 => Class::Late,
                CallFigure::LagP95 => Class::Waiting,
                CallFigure::Rate => Class::Other,
            },
            // Who is refused is refused for what it sent itself.
            Measure::Errors { types, .. } if !types.is_empty() && types.iter().all(|name| name.starts_with('4')) => {
                Class::Between
            }
            Measure::Errors { .. } | Measure::NewErrors { .. } => Class::Failing,
            Measure::Silent { .. } => Class::Gone,
            _ => Class::Other,
        }
    }

    fn explains(self, symptom: Class) -> bool {
        match symptom {
            // Who is silent may only be asked nothing any more: what fails is then no consequence.
            Class::Failing | Class::Late => matches!(self, Class::Failing | Class::Late | Class::Between),
            Class::Between => matches!(self, Class::Between | Class::Gone),
            Class::Gone => self == Class::Gone,
            // Who takes long over each, or has to try again, falls behind.
            Class::Waiting => matches!(self, Class::Failing | Class::Late),
            Class::Other => false,
        }
    }
}

/// Who calls whom, databases included; messages are no calls.
#[derive(Clone, Debug, Default)]
pub struct CallGraph {
    callees: BTreeMap<String, BTreeSet<String>>,
}

impl CallGraph {
    /// Of pairs of caller and callee, by node id.
    pub fn new(edges: impl IntoIterator<Item = (String, String)>) -> CallGraph {
        let mut callees: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (caller, callee) in edges {
            if caller != callee {
                callees.entry(caller).or_default().insert(callee);
            }
        }
        CallGraph { callees }
    }

    /// All nodes that a node calls, directly or not; without itself, unless it is called in a circle.
    fn reached(&self, from: &str) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut next = VecDeque::from([from]);
        while let Some(node) = next.pop_front() {
            for callee in self.callees.get(node).into_iter().flatten() {
                if reached.insert(callee.as_str()) {
                    next.push_back(callee);
                }
            }
        }
        reached
    }
}

/// Alerts about the same trouble of the same node: what explains one, explains all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind<'a> {
    node: Option<&'a str>,
    caller: Option<&'a str>,
    class: u8,
    severity: AlertSeverity,
    began: i64,
    /// Of trouble between two: when it was bad for long enough.
    since: Option<i64>,
}

impl Kind<'_> {
    fn of(alert: &Subject) -> Kind<'_> {
        Kind {
            node: alert.node.as_deref(),
            caller: alert.caller.as_deref(),
            class: alert.class as u8,
            severity: alert.severity,
            began: alert.began,
            since: (alert.class == Class::Between && alert.state.is_told()).then_some(alert.since),
        }
    }
}

/// What explains alerts of a kind: one alert of each kind that does.
type Explained<'a> = BTreeMap<Kind<'a>, Vec<&'a Subject>>;

/// Which alerts nobody need be told about, and why.
pub fn mutes(policy: &Policy, graph: &CallGraph, alerts: &[Subject], at: i64) -> BTreeMap<String, Muted> {
    let ill: Vec<&Subject> = alerts.iter().filter(|alert| alert.state != AlertState::Normal).collect();
    let mut reach: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for node in ill.iter().filter_map(|alert| alert.node.as_deref()) {
        reach.entry(node).or_insert_with(|| graph.reached(node));
    }
    let mut kinds: BTreeMap<Kind<'_>, &Subject> = BTreeMap::new();
    for alert in &ill {
        let first = kinds.entry(Kind::of(alert)).or_insert(alert);
        if alert.id < first.id {
            *first = alert;
        }
    }
    let causes =
        |symptom: &Subject| kinds.values().copied().filter(|cause| is_explained(symptom, cause, &reach)).collect();
    let explained: Explained<'_> = kinds.iter().map(|(kind, symptom)| (*kind, causes(symptom))).collect();
    let mut all = BTreeMap::new();
    for alert in &ill {
        let muted = silenced(policy, alert, at)
            .or_else(|| taken_on(alert))
            .or_else(|| by_cause(alert, &explained))
            .or_else(|| inhibited(policy, alert, &ill, at))
            .or_else(|| unheard(policy, alert));
        if let Some(muted) = muted {
            all.insert(alert.id.clone(), muted);
        }
    }
    all
}

fn silenced(policy: &Policy, alert: &Subject, at: i64) -> Option<Muted> {
    let (silence, until) = policy.silence(&alert.labels, at)?;
    let why = if silence.comment.is_empty() { "silenced".to_owned() } else { format!("silenced: {}", silence.comment) };
    Some(Muted { by: MutedBy::Silence, id: silence.id.clone(), until_unix_nano: Some(Nanos(until)), why })
}

fn taken_on(alert: &Subject) -> Option<Muted> {
    // Of an earlier time that it fired.
    let taken = alert.acknowledged.as_ref().filter(|taken| taken.at_unix_nano.0 >= alert.began)?;
    let who = if taken.by.is_empty() { "somebody" } else { &taken.by };
    let why = format!("{who} has taken it on");
    Some(Muted { by: MutedBy::Acknowledged, id: String::new(), until_unix_nano: None, why })
}

/// Whether the cause lies where the symptom's calls lead, and is as bad; or, of silence, where its calls come from.
fn is_explained(symptom: &Subject, cause: &Subject, reach: &BTreeMap<&str, BTreeSet<&str>>) -> bool {
    let is_later = cause.began > symptom.began + LATER;
    // Who makes several calls is later by more than each of them.
    let is_lesser = cause.severity < symptom.severity && !(cause.class == Class::Late && symptom.class == Class::Late);
    if symptom.id == cause.id || is_later || is_lesser || !cause.class.explains(symptom.class) {
        return false;
    }
    let (Some(ill), Some(node)) = (symptom.node.as_deref(), cause.node.as_deref()) else { return false };
    let reaches = |from: &str, to: &str| reach.get(from).is_some_and(|reached| reached.contains(to));
    // Calls to somebody fail because that one fails, or take long because of what is between the two.
    if ill == node && symptom.class == Class::Between && cause.class == Class::Between {
        // Several have the same trouble with it: who had it first tells of it.
        let had_it_first = (cause.since, &cause.id) < (symptom.since, &symptom.id);
        return symptom.caller.is_some() && cause.caller.is_some() && cause.state.is_told() && had_it_first;
    }
    if ill == node {
        let is_between = cause.class == Class::Between && symptom.class != Class::Between;
        return symptom.caller.is_some() && (cause.caller.is_none() || is_between && cause.caller == symptom.caller);
    }
    match symptom.class {
        Class::Between => return false,
        // Whoever calls it asks for nothing any more.
        Class::Gone => return reaches(node, ill) && (!reaches(ill, node) || is_first(cause, symptom)),
        _ => {}
    }
    let is_on_the_way = match cause.caller.as_deref() {
        Some(caller) => caller == ill || reaches(ill, caller),
        None => reaches(ill, node),
    };
    // In a circle whoever began explains the others.
    is_on_the_way && (!reaches(node, ill) || is_first(cause, symptom))
}

fn is_first(one: &Subject, other: &Subject) -> bool {
    (one.began, &one.id) < (other.began, &other.id)
}

fn by_cause(alert: &Subject, explained: &Explained<'_>) -> Option<Muted> {
    let causes = explained.get(&Kind::of(alert))?;
    // The one that nothing explains is where it begins.
    let is_unexplained = |cause: &&&Subject| explained.get(&Kind::of(cause)).is_none_or(Vec::is_empty);
    let cause = causes.iter().find(is_unexplained).or(causes.first())?;
    let node = cause.node.as_deref().unwrap_or_default();
    let why = format!("explained by “{}” at {node}", cause.rule);
    let by = if alert.class == Class::Gone { MutedBy::Caller } else { MutedBy::Callee };
    Some(Muted { by, id: cause.id.clone(), until_unix_nano: None, why })
}

fn inhibited(policy: &Policy, alert: &Subject, ill: &[&Subject], at: i64) -> Option<Muted> {
    let has_just_begun = at - alert.since < ABOUT_TO;
    let source = policy.inhibitions.iter().find_map(|(inhibition, source, target)| {
        let is_equal =
            |other: &Subject| inhibition.equal.iter().all(|name| other.labels.get(name) == alert.labels.get(name));
        let mutes = |other: &&&Subject| {
            let is_told = other.state.is_told() || other.state == AlertState::Pending && has_just_begun;
            other.id != alert.id && is_told && source.hold(&other.labels) && is_equal(other)
        };
        // What is source and target at once would mute itself.
        let is_target = target.hold(&alert.labels) && !source.hold(&alert.labels);
        if is_target { ill.iter().find(mutes) } else { None }
    })?;
    let why = format!("needless beside “{}”", source.rule);
    Some(Muted { by: MutedBy::Inhibited, id: source.id.clone(), until_unix_nano: None, why })
}

fn unheard(policy: &Policy, alert: &Subject) -> Option<Muted> {
    let is_heard = policy.routes(&alert.labels).iter().any(|route| !route.channels.is_empty());
    let why = "no route leads to a channel".to_owned();
    (!is_heard).then(|| Muted { by: MutedBy::NoRoute, id: String::new(), until_unix_nano: None, why })
}
