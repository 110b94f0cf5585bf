//! Alerts as the API tells them.

use super::{RuleFigures, Snapshot};
use orrery_alert::live::{Evaluator, Stats};
use orrery_alert::notify::CallGraph;
use orrery_alert::replay::looks_down;
use orrery_alert::{RuleState, Tracked, text};
use orrery_api::Nanos;
use orrery_api::alerting::{Acknowledgement, Alert, AlertState, Rule};
use std::cmp::Reverse;
use std::sync::Arc;

/// How everything stands.
pub(crate) fn snapshot(evaluator: &Evaluator, graph: &Arc<CallGraph>) -> Snapshot {
    let known = evaluator.alerts().filter(|(_, _, tracked, ..)| !tracked.is_idle());
    let mut alerts: Vec<Alert> = known
        .map(|(id, rule, tracked, muted, acknowledged, coverage)| Alert {
            muted: muted.cloned(),
            acknowledged: acknowledged.cloned(),
            coverage,
            ..alert(id, rule, tracked)
        })
        .collect();
    alerts.sort_by_key(order);
    let rules =
        evaluator.rules().map(|(rule, state, stats)| (rule.name.clone(), figures(rule, state, stats))).collect();
    Snapshot { alerts, rules, figures: evaluator.figures().clone(), graph: Arc::clone(graph), ..Snapshot::default() }
}

/// Firing first, then the worst, then the newest.
pub(crate) fn order(alert: &Alert) -> impl Ord + use<> {
    let key = (Reverse(alert.state), Reverse(alert.severity), Reverse(alert.since_unix_nano));
    (key, alert.rule.clone(), alert.id.clone())
}

/// An alert, without what only the evaluator as a whole knows.
pub(crate) fn alert(id: &str, rule: &Rule, tracked: &Tracked) -> Alert {
    let instance = &tracked.instance;
    Alert {
        id: id.to_owned(),
        rule: rule.name.clone(),
        labels: tracked.labels.clone(),
        state: instance.state,
        severity: instance.severity,
        since_unix_nano: Nanos(instance.since),
        began_unix_nano: instance.began.map(Nanos),
        value: instance.value,
        threshold: instance.threshold,
        unit: text::unit(&rule.measure),
        summary: summary(rule, tracked),
        says: Some(text::saying(&rule.measure, looks_down(rule))),
        node: tracked.node.clone(),
        caller: tracked.caller.clone(),
        muted: None,
        acknowledged: None::<Acknowledgement>,
        judged_unix_nano: Nanos(instance.judged),
        coverage: 1.0,
    }
}

fn summary(rule: &Rule, tracked: &Tracked) -> String {
    let instance = &tracked.instance;
    match instance.state {
        AlertState::Error => "the rule's question fails".to_owned(),
        AlertState::Normal => text::over(&rule.measure, &tracked.labels, instance.value),
        _ if looks_down(rule) => {
            text::summary_of_less(&rule.measure, &tracked.labels, instance.value, instance.threshold)
        }
        _ => text::summary(&rule.measure, &tracked.labels, instance.value, instance.threshold),
    }
}

fn figures(rule: &Rule, state: &RuleState, stats: &Stats) -> RuleFigures {
    let (firing, pending) = Evaluator::counts(state);
    RuleFigures {
        rule: rule.clone(),
        state: state.alerts.values().map(|alert| alert.instance.state).max().unwrap_or_default(),
        firing,
        pending,
        instances: state.alerts.len() as u32,
        judged_unix_nano: state.judged,
        took_micros: stats.took_micros,
        delay_nanos: stats.delay,
        cost: stats.cost,
        coverage: stats.coverage,
        error: stats.error.clone().or_else(|| stats.partial.clone()),
    }
}
