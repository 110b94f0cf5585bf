//! Rules of every kind that is cheap to write and common: by service, over one to five minutes, every ten to sixty seconds.

use serde_json::{Value, json};

const WINDOWS: [&str; 3] = ["1m", "2m", "5m"];
const EVERY: [&str; 4] = ["10s", "20s", "30s", "60s"];
const METRICS: [(&str, &str); 4] =
    [("queue.length", "average"), ("queue.length", "max"), ("jobs", "rate"), ("memory.used", "average")];

/// What a file with everything says: `rules` rules, of which `firing` fire for a service that fails, told to `hook` one by
/// one.
pub(super) fn file(rules: usize, firing: usize, hook: &str) -> Value {
    let rules: Vec<Value> = (0..rules).map(|number| rule(number, is_touchy(number, rules, firing))).collect();
    let route = json!({
        "name": "all",
        "channels": ["hook"],
        "group_by": ["rule", "service", "service.name", "caller", "callee"],
        "group_wait": "0s",
        "group_interval": "10s",
        "repeat_interval": "4h",
    });
    json!({
        "rule": rules,
        "channel": [{ "name": "hook", "to": { "kind": "webhook", "url": hook } }],
        "route": [route],
    })
}

/// Evenly spread over all.
fn is_touchy(number: usize, rules: usize, firing: usize) -> bool {
    (number + 1) * firing / rules.max(1) > number * firing / rules.max(1)
}

fn rule(number: usize, is_touchy: bool) -> Value {
    let (window, every) = (WINDOWS[number % WINDOWS.len()], EVERY[number / 3 % EVERY.len()]);
    // Each has a threshold of its own: nothing can be shared but what is read.
    let beyond = number as f64 / 1e6;
    let (measure, touchy, deaf) = match number / 7 % 6 {
        0 => (json!({ "signal": "requests", "figure": "error_ratio" }), 0.01, 2.0),
        1 => (json!({ "signal": "requests", "figure": "p95" }), 0.2, 60.0),
        2 => (json!({ "signal": "requests", "figure": "rate" }), 1e5, 1e6),
        3 => (json!({ "signal": "calls", "figure": "error_ratio" }), 0.01, 2.0),
        4 => {
            let severity = ["error", "warn", "info"][number % 3];
            let usual = if severity == "info" { 1e6 } else { 3.0 };
            (json!({ "signal": "logs", "severity": severity }), usual, 1e7)
        }
        _ => {
            let (name, aggregation) = METRICS[number % METRICS.len()];
            let usual = if name == "queue.length" { 40.0 } else { 1e12 };
            let group_by = ["service.name"];
            (json!({ "signal": "metric", "name": name, "aggregation": aggregation, "group_by": group_by }), usual, 1e13)
        }
    };
    let above = if is_touchy { touchy } else { deaf } + beyond;
    json!({
        "name": format!("rule {number}"),
        "measure": measure,
        "window": window,
        "every": every,
        "level": [{ "severity": "warning", "when": { "above": above } }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_fire_as_are_to_and_none_is_like_another() {
        let file = file(1_000, 80, "http://127.0.0.1:1/hook");
        let rules = file["rule"].as_array().unwrap();
        let above: std::collections::BTreeSet<String> = rules.iter().map(ToString::to_string).collect();
        assert_eq!((rules.len(), above.len()), (1_000, 1_000));
        assert_eq!((0..1_000).filter(|number| is_touchy(*number, 1_000, 80)).count(), 80);
    }
}
