//! Rule files of Prometheus as documents of ours, and what became of every rule. What cannot be said exactly is said to be
//! so; what would mean something else is not translated.

mod expression;

use super::promql::seconds;
use anyhow::Result;
use expression::{Translation, translate};
use orrery_alert::check;
use orrery_api::alerting::{AlertSeverity, AlertingFile, Guard, Level, Period, Rule};
use serde::Deserialize;
use serde_yaml_ng::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Prometheus evaluates so often unless told otherwise.
const EVERY: u64 = 60;
const STEP: u64 = orrery_api::alerting::STEP_SECONDS as u64;
/// Our part of the labels.
const SEVERITY: &str = "severity";

/// What became of files.
#[derive(Debug, Default)]
pub(super) struct Translated {
    /// The rules that could be translated.
    pub(super) file: AlertingFile,
    said: Vec<Said>,
}

#[derive(Debug)]
struct Said {
    /// `FILE: rule`.
    place: String,
    /// What to know about it, or why it was not translated.
    what: Result<Vec<String>, String>,
}

/// A rule file, or the Kubernetes object that holds one.
#[derive(Deserialize)]
struct Outer {
    #[serde(default)]
    groups: Vec<Group>,
    spec: Option<Spec>,
}

#[derive(Deserialize)]
struct Spec {
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    interval: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, Value>,
    #[serde(default)]
    rules: Vec<Given>,
}

#[derive(Deserialize)]
struct Given {
    alert: Option<String>,
    record: Option<String>,
    expr: Value,
    #[serde(rename = "for")]
    for_: Option<String>,
    keep_firing_for: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, Value>,
    #[serde(default)]
    annotations: BTreeMap<String, Value>,
}

impl Translated {
    /// Translates the rules of one more file.
    ///
    /// # Errors
    /// It is no such file.
    pub(super) fn add(&mut self, file: &str, yaml: &str) -> Result<()> {
        let Outer { groups, spec } = serde_yaml_ng::from_str(yaml)?;
        for group in groups.into_iter().chain(spec.into_iter().flat_map(|spec| spec.groups)) {
            for given in &group.rules {
                let name =
                    given.alert.as_ref().or(given.record.as_ref()).map_or("a rule without a name", String::as_str);
                let place = format!("{file}: {name}");
                let what = rule(given, &group).map(|(rule, mut notes)| {
                    notes.extend(self.keep(rule));
                    notes
                });
                self.said.push(Said { place, what });
            }
        }
        Ok(())
    }

    /// Adds a rule: as another level of one that measures the same, or under a name that is free.
    fn keep(&mut self, mut rule: Rule) -> Option<String> {
        let rules = &mut self.file.rules;
        let base = rule.name.clone();
        if !rules.iter().any(|other| other.name == base) {
            rules.push(rule);
            return None;
        }
        let level = rule.levels[0].clone();
        let fits = |other: &Rule| {
            let mut together = Rule { levels: other.levels.clone(), for_: other.for_, ..rule.clone() };
            together.name.clone_from(&other.name);
            together.description.clone_from(&other.description);
            if together != *other {
                return None;
            }
            let mut level = level.clone();
            level.for_ = (rule.for_ != other.for_).then_some(rule.for_);
            together.levels.push(level);
            check::rule(&together).is_ok().then_some(together)
        };
        if let Some((other, together)) =
            rules.iter_mut().find_map(|other| fits(other).map(|together| (other, together)))
        {
            *other = together;
            return Some(format!("a level of the rule `{base}`, which is there with another severity"));
        }
        let number = (2..).find(|number| !rules.iter().any(|other| other.name == format!("{base} {number}")))?;
        rule.name = format!("{base} {number}");
        let said = format!("called `{}`: no two rules have the same name", rule.name);
        rules.push(rule);
        Some(said)
    }

    /// What became of the rules, for people.
    pub(super) fn report(&self) -> String {
        let good = self.said.iter().filter(|said| said.what.is_ok()).count();
        let mut text = format!("{good} of {} rules were translated\n", self.said.len());
        for Said { place, what } in &self.said {
            match what {
                Ok(notes) => notes.iter().for_each(|note| _ = writeln!(text, "{place}: translated, but: {note}")),
                Err(why) => _ = writeln!(text, "{place}: not translated: {why}"),
            }
        }
        if good > 0 {
            text.push_str(
                "Names of metrics and labels are as in the file: what SDKs send without a scrape is called otherwise, such as \
                 http.server.request.duration\n",
            );
        }
        text
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        _ => String::new(),
    }
}

fn period(field: &str, text: Option<&String>) -> Result<Period, String> {
    let Some(text) = text else { return Ok(Period::default()) };
    let seconds = if text == "0" { Some(0) } else { seconds(text) };
    let seconds = seconds.and_then(|seconds| u32::try_from(seconds).ok());
    seconds.map(Period::seconds).ok_or_else(|| format!("{field}: `{text}` is no length of time"))
}

/// A rule, and what to know about it.
fn rule(given: &Given, group: &Group) -> Result<(Rule, Vec<String>), String> {
    let Some(name) = &given.alert else {
        return Err("a recording rule: Orrery keeps what alerts measure by itself".to_owned());
    };
    let Translation { main, only_if, unless, mut notes } = translate(&text(&given.expr))?;
    let every = period("interval", group.interval.as_ref())?.0;
    let every = u64::from(if every == 0 { EVERY as u32 } else { every }).next_multiple_of(STEP);
    let window = main.window_seconds.next_multiple_of(STEP);
    if every > window {
        notes.push(format!("judged every {window} s instead of {every} s, so that nothing is left out"));
    }
    let all = group.labels.iter().chain(&given.labels);
    let mut labels: BTreeMap<String, String> = all.map(|(name, value)| (name.clone(), text(value))).collect();
    let severity = severity(labels.remove(SEVERITY).as_deref(), &mut notes);
    labels.retain(|name, value| {
        let is_fit = !value.is_empty() && !value.contains("{{") && name != "rule";
        if !is_fit {
            notes.push(format!("its label `{name}` is left out"));
        }
        is_fit
    });
    let guard = |one: expression::Measured| Guard {
        measure: one.measure,
        window: Some(Period::seconds(one.window_seconds.next_multiple_of(STEP) as u32)),
        when: one.when,
        on: Vec::new(),
    };
    let rule = Rule {
        name: name.trim().to_owned(),
        description: description(&given.annotations, &mut notes),
        enabled: true,
        measure: main.measure,
        window: Period::seconds(u32::try_from(window).map_err(|_| "its window is too long")?),
        every: Period::seconds(every.min(window) as u32),
        levels: vec![Level { severity, when: main.when, ..Level::default() }],
        only_if: only_if.into_iter().map(guard).collect(),
        unless: unless.into_iter().map(guard).collect(),
        for_: period("for", given.for_.as_ref())?,
        keep_firing_for: period("keep_firing_for", given.keep_firing_for.as_ref())?,
        max_wait: Period::seconds(20),
        labels,
        ..Rule::default()
    };
    check::rule(&rule).map_err(|wrong| wrong.to_string())?;
    Ok((rule, notes))
}

fn severity(text: Option<&str>, notes: &mut Vec<String>) -> AlertSeverity {
    match text.map(str::to_ascii_lowercase).as_deref() {
        Some("critical" | "page" | "error" | "emergency" | "fatal" | "high") => AlertSeverity::Critical,
        Some("info" | "none" | "low" | "debug") => AlertSeverity::Info,
        Some("warning" | "warn" | "ticket" | "medium") | None => AlertSeverity::Warning,
        Some(other) => {
            notes.push(format!("its severity `{other}` is warning here"));
            AlertSeverity::Warning
        }
    }
}

fn description(annotations: &BTreeMap<String, Value>, notes: &mut Vec<String>) -> String {
    let wanted = ["summary", "description", "message", "runbook_url"];
    let texts = wanted.iter().filter_map(|name| annotations.get(*name)).map(text).filter(|text| !text.is_empty());
    let joined = texts.collect::<Vec<_>>().join("\n");
    if joined.contains("{{") {
        notes.push(
            "templates in its annotations are not filled in: messages say labels and values themselves".to_owned(),
        );
    }
    joined
}

#[cfg(test)]
mod tests;
