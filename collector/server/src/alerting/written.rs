//! What people wrote, as evaluation uses it.

use super::documents::{Documents, Kept};
use orrery_alert::notify::Policy;
use orrery_alert::{builtin, check, objectives};
use orrery_api::alerting::{Acknowledgement, Channel, Inhibition, Period, Route, Rule, Silence, Slo};
use orrery_meta::{Kind, Meta, MetaError, Origin};
use std::collections::{BTreeMap, BTreeSet};

/// Under which it is remembered which rules of ours were offered once: who deletes one does not want it back.
const OFFERED: &str = "alerts.built_in_rules";

/// Everything people wrote.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    /// Theirs, and those that objectives make.
    pub(crate) rules: Vec<Rule>,
    pub(crate) channels: Vec<Channel>,
    routes: Vec<Route>,
    silences: Vec<Silence>,
    inhibitions: Vec<Inhibition>,
    pub(crate) acknowledged: BTreeMap<String, Acknowledgement>,
}

impl Written {
    /// Reads all of it. A document that this version cannot read is left out, and the log says so.
    pub(crate) fn read(meta: &Meta) -> Result<Written, MetaError> {
        let documents = Documents::read(meta)?;
        for what in &documents.unreadable {
            tracing::warn!(what, "was written by a newer Orrery and is not used");
        }
        let mut rules = all(documents.rules);
        rules.extend(all(documents.slos).iter().flat_map(objectives::rules));
        let read = |(alert, json): (String, String)| Some((alert, serde_json::from_str(&json).ok()?));
        Ok(Written {
            rules,
            channels: all(documents.channels),
            routes: all(documents.routes),
            silences: all(documents.silences),
            inhibitions: all(documents.inhibitions),
            acknowledged: meta.acknowledgements()?.into_iter().filter_map(read).collect(),
        })
    }

    /// Whom to tell.
    pub(crate) fn policy(&self) -> Policy {
        let is_used = |name: &String| self.channels.iter().any(|channel| channel.name == *name && channel.enabled);
        let with_used = |route: &Route| Route {
            channels: route.channels.iter().filter(|name| is_used(name)).cloned().collect(),
            ..route.clone()
        };
        let mut routes: Vec<Route> = self.routes.iter().map(with_used).collect();
        if routes.is_empty() {
            routes.push(everyone(&self.channels));
        }
        let mut inhibitions = builtin::inhibitions();
        inhibitions.extend(self.inhibitions.iter().cloned());
        Policy::new(routes, self.silences.clone(), inhibitions).unwrap_or_else(|error| {
            // Documents are checked before they are kept.
            tracing::error!(error, "routes and silences cannot be used");
            Policy::default()
        })
    }
}

/// Until somebody writes a route, every channel is told of every alert.
fn everyone(channels: &[Channel]) -> Route {
    let used = channels.iter().filter(|channel| channel.enabled).map(|channel| channel.name.clone());
    Route {
        name: "every channel".to_owned(),
        channels: used.collect(),
        group_by: vec!["rule".to_owned()],
        group_wait: Period::seconds(10),
        group_interval: Period::minutes(1),
        repeat_interval: Period::hours(4),
        ..Route::default()
    }
}

fn all<T>(kept: Vec<Kept<T>>) -> Vec<T> {
    kept.into_iter().map(|kept| kept.what).collect()
}

/// Offers the rules that Orrery comes with, each once.
pub(crate) fn offer_built_in(meta: &Meta, now: i64) -> Result<(), MetaError> {
    let offered = meta.mark(OFFERED)?.unwrap_or_default();
    let offered: BTreeSet<&str> = offered.lines().collect();
    let rules = builtin::rules();
    let new: Vec<&Rule> = rules.iter().filter(|rule| !offered.contains(rule.name.as_str())).collect();
    if new.is_empty() {
        return Ok(());
    }
    meta.edit(now, |editor| -> Result<(), MetaError> {
        for rule in &new {
            debug_assert!(check::rule(rule).is_ok(), "{}", rule.name);
            if editor.get(Kind::Rule, &rule.name)?.is_none() {
                editor.put(Kind::Rule, &rule.name, Origin::BuiltIn, 0, &super::engine::json(rule))?;
            }
        }
        Ok(())
    })?;
    let names: Vec<&str> = offered.iter().copied().chain(new.iter().map(|rule| rule.name.as_str())).collect();
    meta.set_mark(OFFERED, &names.join("\n"))
}

/// The objective of a name.
pub(crate) fn objective(meta: &Meta, name: &str) -> Option<Slo> {
    let document = meta.documents(Kind::Slo).ok()?.into_iter().find(|document| document.name == name)?;
    serde_json::from_str(&document.json).ok()
}
