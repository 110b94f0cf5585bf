//! Evidence: what is wrong where it begins, the worst edge, what differs, examples, the last deployment, what is as usual.
//! Each part may be missing; what takes too long is left out.

use super::{MINUTE, SECOND};
use crate::api::convert;
use orrery_alert::notify::Class;
use orrery_alert::text;
use orrery_api as api;
use orrery_api::Nanos;
use orrery_api::alerting::{Alert, Deploy, Difference, Evidence, HotEdge, Usual, UsualKind, ValueUnit};
use orrery_model::ServiceKey;
use orrery_query::answer::{Edge, EdgeKind, Red, ServiceDetail};
use orrery_query::traceql::{Metrics, parse};
use orrery_query::{Control, Store, TimeRange, plan};

const HOUR: i64 = 60 * MINUTE;
/// Parts of each kind, at most.
const MOST: usize = 3;
const TRACES: u32 = 2;
/// By how much a value's share must differ to be worth telling.
const TELLING: f64 = 0.15;
/// What is within these factors of what it was is as usual.
const AS_USUAL: std::ops::RangeInclusive<f64> = 0.7..=1.4;

/// What is known about an alert's case.
pub(crate) fn evidence(store: &dyn Store, control: &Control, alert: &Alert, class: Class, now: i64) -> Evidence {
    let began = alert.began_unix_nano.unwrap_or(alert.since_unix_nano).0;
    let until = if alert.state.is_told() { now } else { alert.since_unix_nano.0.min(now) };
    let Some(during) = TimeRange::new((began - MINUTE).max(until - HOUR), until.max(began) + SECOND) else {
        return Evidence::default();
    };
    let case = Investigation { store, control, alert, class, during };
    let findings = case.findings();
    let sentences = findings.iter().map(sentence).collect();
    let mut found = Evidence { findings: sentences, found: findings, ..Evidence::default() };
    if let Some(node) = alert.node.as_deref() {
        // What is asked of a service tells most; a client is asked nothing.
        for kinds in [" && (kind = server || kind = consumer)", ""] {
            let Some(spans) = case.spans(node, kinds) else { break };
            found.traces = case.traces(&spans);
            if !found.traces.is_empty() {
                found.differs = case.differs(&spans);
                break;
            }
        }
        let now = case.node(node, during);
        let before = TimeRange::new(during.from - HOUR, during.from).and_then(|range| case.node(node, range));
        found.hottest = now.as_ref().and_then(|now| case.hottest_edge(now));
        found.hottest_edge = found.hottest.as_ref().map(hot);
        if let (Some(now), Some(before)) = (&now, &before) {
            found.usual = case.usual(node, now, before);
            found.normal = found.usual.iter().map(as_usual).collect();
        }
        let begins = found.found.iter().map(|finding| finding.node.as_str());
        let deploys = begins.chain([node]).filter_map(|node| case.last_deploy(node, during.to));
        found.last_deploy = deploys.max_by_key(|deploy| deploy.at_unix_nano);
    }
    found
}

struct Investigation<'a> {
    store: &'a dyn Store,
    control: &'a Control,
    alert: &'a Alert,
    class: Class,
    during: TimeRange,
}

impl Investigation<'_> {
    /// What the overview would say is wrong, without what was over before.
    fn findings(&self) -> Vec<api::Finding> {
        let range = TimeRange { from: self.during.to - 15 * MINUTE, ..self.during };
        let asked = plan::Findings { range, environment: None, limit: 2 * MOST as u32 };
        let Ok(answer) = self.store.findings(&asked, self.control) else { return Vec::new() };
        let is_of_it = |finding: &api::Finding| finding.until_unix_nano.is_none_or(|until| until.0 > self.during.from);
        answer.value.into_iter().map(convert::finding).filter(is_of_it).take(MOST).collect()
    }

    fn is_about_time(&self) -> bool {
        self.alert.unit == ValueUnit::Seconds
    }

    fn node(&self, id: &str, range: TimeRange) -> Option<ServiceDetail> {
        let asked = plan::Service { range, id: id.to_owned(), points: 0 };
        self.store.service(&asked, self.control).ok()?.value
    }

    /// The edge of the node, or the one the alert is about, on which most goes wrong.
    fn hottest_edge(&self, node: &ServiceDetail) -> Option<HotEdge> {
        let seconds = (self.during.to - self.during.from) as f64 / 1e9;
        let is_late = self.is_about_time();
        let heat = |edge: &&Edge| {
            if is_late { edge.red.p95_nanos.unwrap_or(0) as f64 } else { edge.red.errors }
        };
        let edges = node.callers.iter().chain(&node.callees);
        let edges = edges.filter(|edge| matches!(edge.kind, EdgeKind::Call | EdgeKind::Database));
        let hottest = edges.max_by(|a, b| heat(a).total_cmp(&heat(b))).filter(|edge| heat(edge) > 0.0)?;
        let Red { count, errors, p95_nanos, .. } = hottest.red;
        Some(HotEdge {
            caller: hottest.caller.clone(),
            callee: hottest.callee.clone(),
            rate: count / seconds.max(1.0),
            failed: (!is_late).then(|| errors / count.max(1.0)),
            p95: is_late.then(|| p95_nanos.unwrap_or(0) as f64 / 1e9),
        })
    }

    /// The newest version, if it began within a day.
    fn last_deploy(&self, node: &str, until: i64) -> Option<Deploy> {
        let range = TimeRange::new(until - 24 * HOUR, until)?;
        let versions = self.node(node, range)?.versions;
        // One alone may have been there for ever.
        let newest = versions.iter().filter(|_| versions.len() > 1).max_by_key(|slice| slice.first_seen_unix_nano)?;
        Some(Deploy {
            node: node.to_owned(),
            version: newest.name.clone(),
            at_unix_nano: Nanos(newest.first_seen_unix_nano),
        })
    }

    /// What was looked at and is as usual.
    fn usual(&self, node: &str, now: &ServiceDetail, before: &ServiceDetail) -> Vec<Usual> {
        let seconds = |range: TimeRange| ((range.to - range.from) as f64 / 1e9).max(1.0);
        let is_usual = |now: f64, before: f64| before > 0.0 && AS_USUAL.contains(&(now / before));
        let (red, was) = (now.node.red, before.node.red);
        let mut usual = Vec::new();
        let of = |what, value| Usual { what, node: node.to_owned(), value: Some(value), callees: Vec::new() };
        let rates = (red.count / seconds(self.during), was.count / HOUR as f64 * 1e9);
        if is_usual(rates.0, rates.1) {
            usual.push(of(UsualKind::Traffic, rates.0));
        }
        if let (Some(p95), Some(was)) = (red.p95_nanos, was.p95_nanos)
            && is_usual(p95 as f64, was as f64)
        {
            usual.push(of(UsualKind::Duration, p95 as f64 / 1e9));
        }
        let share = |red: &Red| red.errors / red.count.max(1.0);
        if red.count > 0.0 && share(&red) <= share(&was).max(0.01) {
            usual.push(of(UsualKind::Errors, share(&red)));
        }
        let fine = |edge: &&Edge| {
            let old = before.callees.iter().find(|old| old.callee == edge.callee && old.kind == edge.kind);
            let is_quick = match (edge.red.p95_nanos, old.and_then(|old| old.red.p95_nanos)) {
                (Some(now), Some(was)) => now as f64 <= was as f64 * AS_USUAL.end(),
                _ => true,
            };
            share(&edge.red) <= old.map_or(0.01, |old| share(&old.red)).max(0.01) && is_quick
        };
        let callees: Vec<String> = now.callees.iter().filter(fine).map(|edge| edge.callee.clone()).take(5).collect();
        if !callees.is_empty() {
            usual.push(Usual { what: UsualKind::Callees, node: node.to_owned(), value: None, callees });
        }
        usual
    }

    /// A filter for spans of the node, and one for those of them that are bad.
    fn spans(&self, node: &str, kinds: &'static str) -> Option<Spans> {
        // Spans are sent by services only: of others, their callers' are looked at.
        let (service, kind) = match (is_service(node), self.alert.caller.as_deref()) {
            (true, None) => (node, kinds),
            (true, Some(caller)) if is_service(caller) => (caller, " && kind = client"),
            (true, _) => (node, kinds),
            (false, Some(caller)) if is_service(caller) => (caller, " && kind = client"),
            _ => return None,
        };
        let key = ServiceKey::parse(service);
        let mut of = format!("resource.service.name = {}", quoted(&key.name));
        for (name, value) in [("service.namespace", &key.namespace), ("deployment.environment.name", &key.environment)]
        {
            if !value.is_empty() {
                of.push_str(&format!(" && resource.{name} = {}", quoted(value)));
            }
        }
        let bad = match self.class {
            Class::Late | Class::Between if self.is_about_time() => {
                let limit = self.alert.threshold.filter(|limit| *limit > 0.0).unwrap_or(1.0);
                format!("span:duration > {}us", (limit * 1e6).round())
            }
            Class::Failing | Class::Between => "span:status = error".to_owned(),
            // How long a message waited no span of its consumer says: all of them are examples of what it does meanwhile.
            Class::Waiting => return Some(Spans { of: format!("{of}{kind}"), bad: None }),
            Class::Late | Class::Gone | Class::Other => return None,
        };
        Some(Spans { of: format!("{of}{kind}"), bad: Some(bad) })
    }

    fn differs(&self, spans: &Spans) -> Vec<Difference> {
        let Some(bad) = &spans.bad else { return Vec::new() };
        let q = format!("{{ {} }} | compare({{ {bad} }}, {MOST})", spans.of);
        let Ok(query) = parse(&q) else { return Vec::new() };
        let step_nanos = self.during.to - self.during.from;
        let asked = plan::TraceSeries { range: self.during, query, step_nanos };
        let Ok(answer) = self.store.trace_series(&asked, self.control) else { return Vec::new() };
        let Metrics::Compared(compared) = answer.value else { return Vec::new() };
        let (bad, others) = (compared.spans.selection.max(1.0), compared.spans.baseline.max(1.0));
        let mut all: Vec<Difference> = Vec::new();
        for field in &compared.fields {
            let key = field.field.to_string();
            // That bad spans are bad, everybody knows; and a port says where a connection happened to begin.
            if matches!(key.as_str(), "span:status" | "span:statusMessage") || key.ends_with(".port") {
                continue;
            }
            for value in &field.values {
                all.push(Difference {
                    key: key.clone(),
                    value: value.value.to_string().trim_matches('"').to_owned(),
                    bad: value.spans.selection / bad,
                    others: value.spans.baseline / others,
                });
            }
        }
        all.retain(|it| it.bad - it.others > TELLING);
        all.sort_by(|a, b| (b.bad - b.others).total_cmp(&(a.bad - a.others)).then_with(|| a.key.cmp(&b.key)));
        // One per attribute.
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|it| seen.insert(it.key.clone()));
        all.truncate(MOST);
        all
    }

    fn traces(&self, spans: &Spans) -> Vec<String> {
        let bad = spans.bad.as_ref().map(|bad| format!(" && {bad}")).unwrap_or_default();
        let Ok(query) = parse(&format!("{{ {}{bad} }}", spans.of)) else { return Vec::new() };
        let asked = plan::Traces { query, limit: TRACES, spans: 0, ..plan::Traces::all(self.during) };
        let Ok(answer) = self.store.traces(&asked, self.control) else { return Vec::new() };
        answer.value.traces.into_iter().map(|trace| trace.trace_id.to_string()).collect()
    }
}

struct Spans {
    of: String,
    /// None where a span by itself does not tell.
    bad: Option<String>,
}

/// Whether a node sends spans: ids of others are `kind:identity`.
fn is_service(id: &str) -> bool {
    const OTHERS: [&str; 7] = ["database", "queue", "model", "function", "user", "unknown_caller", "external"];
    !id.split_once(':').is_some_and(|(kind, _)| OTHERS.contains(&kind))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// An edge in a sentence.
fn hot(edge: &HotEdge) -> String {
    let rate = text::value(edge.rate, ValueUnit::PerSecond);
    let what = match edge.p95 {
        Some(p95) => format!("1 in 20 of {rate} takes over {}", text::value(p95, ValueUnit::Seconds)),
        None => format!("{} of {rate} fail", text::value(edge.failed.unwrap_or(0.0), ValueUnit::Ratio)),
    };
    format!("{} → {}: {what}", edge.caller, edge.callee)
}

/// What is as usual in a few words.
fn as_usual(usual: &Usual) -> String {
    let (node, value) = (&usual.node, usual.value.unwrap_or(0.0));
    match usual.what {
        UsualKind::Traffic => format!("traffic of {node}: {}", text::value(value, ValueUnit::PerSecond)),
        UsualKind::Duration => format!("duration at {node}: 1 in 20 over {}", text::value(value, ValueUnit::Seconds)),
        UsualKind::Errors => format!("errors of {node}: {}", text::value(value, ValueUnit::Ratio)),
        UsualKind::Callees => format!("what it calls: {}", usual.callees.join(", ")),
    }
}

/// A finding in a sentence.
fn sentence(finding: &api::Finding) -> String {
    use api::FindingKind::*;
    let node = &finding.node;
    let size = |value: f64| {
        if finding.kind.is_about_time() {
            text::value(value / 1e9, ValueUnit::Seconds)
        } else {
            text::value(value, ValueUnit::Ratio)
        }
    };
    let now = size(finding.size.now);
    let usual = finding.size.usual.map(|usual| format!(" (usually {})", size(usual))).unwrap_or_default();
    let callers = finding.callers.first().map(|caller| format!(" from {caller}")).unwrap_or_default();
    let issuer = finding.issuer.as_ref().map(|issuer| format!(", issued by {issuer}")).unwrap_or_default();
    let said = match finding.kind {
        Errors => format!("{now} of the requests to {node} fail{usual}, and nothing it calls is the reason"),
        Unreachable => format!("{now} of the calls{callers} to {node} get no answer{usual}"),
        Rejected => format!("{node} refuses the tokens of {now} of the calls{callers}{issuer}{usual}"),
        RateLimited => format!("{node} limits the rate of {now} of the calls{callers}{usual}"),
        Slow => format!("1 in 20 requests to {node} takes over {now}{usual}, by itself"),
        SlowCalls => format!("1 in 20 calls{callers} to {node} takes over {now}{usual}"),
        Network => format!("1 in 20 calls{callers} to {node} spends over {now} between the two{usual}"),
        Lag => format!("1 in 20 messages waits over {now} for {node}{usual}"),
        NotConsumed => format!("{node} takes no messages any more"),
        Silent => format!("nothing is heard of {node} any more"),
        other => format!("{node}: {}", other.name().replace('_', " ")),
    };
    let blamed = finding.blamed.as_ref().map(|blamed| format!(", only in {} {}", blamed.slice, blamed.name));
    let error = finding.error.as_ref().map(|group| format!(": {}", group.error_type)).unwrap_or_default();
    format!("{said}{}{error}", blamed.unwrap_or_default())
}
