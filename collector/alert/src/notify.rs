//! Who is told what, and when: routes, groups, and what mutes.

mod mute;

#[cfg(test)]
mod tests;

pub use mute::{CallGraph, Class, mutes};

use crate::matching::{Matchers, silence_holds};
use orrery_api::alerting::{
    Acknowledgement, AlertEventKind, AlertSeverity, AlertState, Inhibition, Muted, MutedBy, Route, Silence,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const MINUTE: i64 = 60_000_000_000;
/// An alert that fired so often within an hour comes and goes: people are told once, and then when it has been calm.
pub const FLAPPING_TIMES: usize = 4;
/// Within which it did.
pub const FLAPPING_WITHIN: i64 = 60 * MINUTE;
/// So long after its cause a symptom may last before people are told of it.
const AFTERMATH: i64 = 2 * MINUTE;
/// So long nothing may change before it counts as calm.
const CALM: i64 = 10 * MINUTE;

/// What the notifier knows of one alert at a moment.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Id of the alert.
    pub id: String,
    /// Name of the rule.
    pub rule: String,
    /// What routes, silences and inhibitions go by: the alert's labels, `rule` and `severity`.
    pub labels: BTreeMap<String, String>,
    /// What it is.
    pub state: AlertState,
    /// How bad.
    pub severity: AlertSeverity,
    /// Since when it is that.
    pub since: i64,
    /// When it began to be bad.
    pub began: i64,
    /// Id of the node it is about.
    pub node: Option<String>,
    /// Id of the other end of a call.
    pub caller: Option<String>,
    /// What kind of trouble it is.
    pub class: Class,
    /// How often it fired within the last hour.
    pub fired: usize,
    /// Who has taken it on.
    pub acknowledged: Option<Acknowledgement>,
}

impl Subject {
    /// Whether it is told about, be it only because it comes and goes.
    fn is_told(&self, at: i64) -> bool {
        self.state.is_told() || self.is_flapping() && at - self.since < CALM
    }

    /// Whether it comes and goes.
    pub fn is_flapping(&self) -> bool {
        self.fired >= FLAPPING_TIMES
    }
}

/// Whom to tell what: the documents, ready to be asked.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    routes: Vec<(Route, Matchers)>,
    silences: Vec<(Silence, Matchers)>,
    inhibitions: Vec<(Inhibition, Matchers, Matchers)>,
}

impl Policy {
    /// # Errors
    /// A regular expression in a matcher is none: says which.
    pub fn new(routes: Vec<Route>, silences: Vec<Silence>, inhibitions: Vec<Inhibition>) -> Result<Policy, String> {
        let route =
            |route: Route| Ok((Matchers::new(&route.matchers)?, route)).map(|(matchers, route)| (route, matchers));
        let silence = |silence: Silence| {
            Ok((Matchers::new(&silence.matchers)?, silence)).map(|(matchers, silence)| (silence, matchers))
        };
        let inhibition = |it: Inhibition| {
            let (source, target) = (Matchers::new(&it.source)?, Matchers::new(&it.target)?);
            Ok((it, source, target))
        };
        Ok(Policy {
            routes: routes.into_iter().map(route).collect::<Result<_, String>>()?,
            silences: silences.into_iter().map(silence).collect::<Result<_, String>>()?,
            inhibitions: inhibitions.into_iter().map(inhibition).collect::<Result<_, String>>()?,
        })
    }

    /// Routes of an alert: the first that matches, and those after it as long as they say to go on.
    pub fn routes(&self, labels: &BTreeMap<String, String>) -> Vec<&Route> {
        let mut found = Vec::new();
        for (route, matchers) in &self.routes {
            if matchers.hold(labels) {
                found.push(route);
                if !route.continues {
                    break;
                }
            }
        }
        found
    }

    /// The silence that holds longest, and until when.
    fn silence(&self, labels: &BTreeMap<String, String>, at: i64) -> Option<(&Silence, i64)> {
        let matching = self.silences.iter().filter(|(_, matchers)| matchers.hold(labels));
        let holding = matching.filter_map(|(silence, _)| Some((silence, silence_holds(silence, at)?)));
        holding.max_by_key(|(_, until)| *until)
    }
}

/// How an alert was told about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ToldAs {
    state: AlertState,
    severity: AlertSeverity,
}

/// Alerts that are told about together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Name of the route.
    pub route: String,
    /// What its alerts have in common.
    pub labels: BTreeMap<String, String>,
    /// When it came to be.
    began: i64,
    /// When it was told about last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent: Option<i64>,
    /// How often it was told about.
    sequence: u64,
    /// What is known of its alerts to those who were told.
    told: BTreeMap<String, ToldAs>,
    /// Since when there is news of alerts that is not told yet.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    news: BTreeMap<String, i64>,
}

/// That people are to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Of the group and how often it was told about: the same each time.
    pub id: String,
    /// Which group: the same as long as it is one matter.
    pub group: String,
    /// What its alerts have in common.
    pub labels: BTreeMap<String, String>,
    /// Names of the channels.
    pub channels: Vec<String>,
    /// When it is due.
    pub at: i64,
    /// Ids of alerts that are bad.
    pub active: Vec<String>,
    /// Ids of alerts that are over.
    pub resolved: Vec<String>,
    /// Nothing changed: it only is said again.
    pub is_repeat: bool,
}

/// Something that happened to an alert on the way to people.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Id of the alert.
    pub alert: String,
    /// [`AlertEventKind::Notified`] or [`AlertEventKind::Muted`].
    pub what: AlertEventKind,
    /// When.
    pub at: i64,
    /// Which channels, or why not.
    pub detail: String,
}

/// What was told, so that nothing is forgotten or told twice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notifier {
    /// By key.
    pub groups: BTreeMap<String, Group>,
    /// Alerts that were muted when they were last looked at, by what and why.
    pub muted: BTreeMap<String, (MutedBy, String)>,
}

/// What one step of the notifier came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// To be sent.
    pub notices: Vec<Notice>,
    /// To be written down.
    pub events: Vec<Event>,
}

/// A key no label can be mistaken in.
fn key(route: &str, labels: &BTreeMap<String, String>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(route.as_bytes());
    for part in labels.iter().flat_map(|(name, value)| [name, value]) {
        hasher.update(&[0]).update(part.as_bytes());
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

impl Notifier {
    /// Goes on to a moment. `alerts` are all that are not normal, and those that were lately; `muted` says which of them
    /// nobody is told about.
    pub fn step(&mut self, policy: &Policy, alerts: &[Subject], muted: &BTreeMap<String, Muted>, at: i64) -> Told {
        let mut told = Told::default();
        let were_muted = self.note_muted(alerts, muted, at, &mut told.events);
        let by_id: BTreeMap<&str, &Subject> = alerts.iter().map(|alert| (alert.id.as_str(), alert)).collect();
        let mut active: BTreeMap<String, Vec<&Subject>> = BTreeMap::new();
        let mut ways: BTreeMap<String, &Route> = BTreeMap::new();
        for alert in alerts.iter().filter(|alert| alert.is_told(at) && !muted.contains_key(&alert.id)) {
            for route in policy.routes(&alert.labels).into_iter().filter(|route| !route.channels.is_empty()) {
                let of_group = |name: &String| (name.clone(), alert.labels.get(name).cloned().unwrap_or_default());
                let labels: BTreeMap<_, _> = route.group_by.iter().map(of_group).collect();
                let key = key(&route.name, &labels);
                ways.insert(key.clone(), route);
                active.entry(key.clone()).or_default().push(alert);
                let since = match were_muted.get(&alert.id) {
                    // What followed from something that is over soon is over as well.
                    Some((MutedBy::Callee | MutedBy::Inhibited, _)) => at + AFTERMATH,
                    Some(_) => at,
                    None => alert.since,
                };
                let new = || Group { route: route.name.clone(), labels, began: since, ..Group::default() };
                self.groups.entry(key).or_insert_with(new).note(alert, since, at);
            }
        }
        for (route, _) in &policy.routes {
            for (key, _) in self.groups.iter().filter(|(_, group)| group.route == route.name) {
                ways.entry(key.clone()).or_insert(route);
            }
        }
        self.groups.retain(|key, group| {
            let active = active.get(key).map_or(&[][..], Vec::as_slice);
            // Its route is gone: nobody is left to be told.
            let Some(route) = ways.get(key) else { return false };
            group.go_on(key, route, active, &by_id, at, &mut told);
            !active.is_empty() || !group.told.is_empty()
        });
        told
    }

    /// The clock was set back to this: what was told, was told by then.
    pub fn rewind(&mut self, to: i64) {
        for group in self.groups.values_mut() {
            group.sent = group.sent.map(|sent| sent.min(to));
            group.news.values_mut().for_each(|since| *since = (*since).min(to));
        }
    }

    /// Answers what was muted before.
    fn note_muted(
        &mut self,
        alerts: &[Subject],
        muted: &BTreeMap<String, Muted>,
        at: i64,
        events: &mut Vec<Event>,
    ) -> BTreeMap<String, (MutedBy, String)> {
        let told = |alert: &&Subject| alert.is_told(at);
        let now: BTreeMap<&str, &Muted> =
            alerts.iter().filter(told).filter_map(|alert| Some((alert.id.as_str(), muted.get(&alert.id)?))).collect();
        for (id, muted) in &now {
            if self.muted.get(*id).is_none_or(|(_, why)| *why != muted.why) {
                let event =
                    Event { alert: (*id).to_owned(), what: AlertEventKind::Muted, at, detail: muted.why.clone() };
                events.push(event);
            }
        }
        let now = now.into_iter().map(|(id, muted)| (id.to_owned(), (muted.by, muted.why.clone()))).collect();
        std::mem::replace(&mut self.muted, now)
    }
}

impl Group {
    /// An alert that people should be told about: is that news, and since when?
    fn note(&mut self, alert: &Subject, since: i64, at: i64) {
        let since = match self.told.get(&alert.id) {
            // Who comes and goes, and is gone just now, is no news.
            None if !alert.state.is_told() => return,
            None => since,
            Some(told) if alert.severity > told.severity => at,
            Some(told) if alert.state != told.state && alert.state.is_told() => at,
            Some(_) => return,
        };
        let since = *self.news.entry(alert.id.clone()).or_insert(since);
        if self.sent.is_none() {
            self.began = self.began.min(since);
        }
    }

    fn go_on(
        &mut self,
        key: &str,
        route: &Route,
        active: &[&Subject],
        alerts: &BTreeMap<&str, &Subject>,
        at: i64,
        out: &mut Told,
    ) {
        self.news.retain(|id, _| active.iter().any(|alert| alert.id == *id));
        let is_due = |alert: &&&Subject| self.news.get(&alert.id).is_none_or(|since| *since <= at);
        let active: Vec<&Subject> = active.iter().filter(is_due).copied().collect();
        let is_over = |id: &&String| alerts.get(id.as_str()).is_none_or(|alert| !alert.is_told(at));
        let resolved: BTreeSet<String> = self.told.keys().filter(is_over).cloned().collect();
        let over = resolved.iter().map(|id| alerts.get(id.as_str()).map_or(at, |alert| alert.since));
        let changed = self.news.values().copied().chain(over).min();
        let (due, is_repeat) = match (self.sent, changed) {
            (None, None) => return,
            // Of those that are there: whoever joins some that wait for longer, because they were muted, does not wait as long.
            (None, Some(changed)) => (changed + route.group_wait.nanos(), false),
            (Some(sent), Some(changed)) => {
                // What has become worse is not held back for long.
                let is_worse =
                    active.iter().any(|it| self.told.get(&it.id).is_some_and(|told| it.severity > told.severity));
                let interval = if is_worse { route.group_wait.min(route.group_interval) } else { route.group_interval };
                ((sent + interval.nanos()).max(changed), false)
            }
            (Some(_), None) if active.is_empty() => return,
            (Some(sent), None) => (sent + route.repeat_interval.nanos(), true),
        };
        if at < due {
            return;
        }
        // Told late, because it was muted or the server was down, it is told now.
        let due = if at - due > 2 * MINUTE { at } else { due };
        self.sequence += 1;
        self.sent = Some(due);
        self.news.retain(|_, since| *since > at);
        for id in &resolved {
            self.told.remove(id);
        }
        for alert in &active {
            self.told.insert(alert.id.clone(), ToldAs { state: alert.state, severity: alert.severity });
        }
        let channels = route.channels.clone();
        let detail = channels.join(", ");
        let all = active.iter().map(|alert| &alert.id).chain(&resolved);
        out.events.extend(all.map(|alert| Event {
            alert: alert.clone(),
            what: AlertEventKind::Notified,
            at: due,
            detail: detail.clone(),
        }));
        out.notices.push(Notice {
            id: format!("{key}-{}-{}", self.began / 1_000_000_000, self.sequence),
            group: format!("{key}-{}", self.began / 1_000_000_000),
            labels: self.labels.clone(),
            channels,
            at: due,
            active: active.iter().map(|alert| alert.id.clone()).collect(),
            resolved: resolved.into_iter().collect(),
            is_repeat,
        });
    }
}
