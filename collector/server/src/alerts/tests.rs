use super::*;
use serde_json::json;

/// Every kind of document, with every kind of field.
fn everything() -> AlertingFile {
    let measures = [
        json!({ "signal": "requests", "figure": "p95", "by": "operation", "service": "cart", "least_requests": 5 }),
        json!({ "signal": "calls", "figure": "network_p95", "callee": "db", "kind": "database" }),
        json!({ "signal": "traces", "q": "{ status = error } | rate() by (resource.service.name)" }),
        json!({ "signal": "logs", "severity": "error", "attr": ["a=b"] }),
        json!({ "signal": "heartbeat", "name": "backup" }),
    ];
    let rule = |(number, measure): (usize, &serde_json::Value)| {
        json!({
            "name": format!("rule {number}"), "description": "two\nlines", "measure": measure, "window": "5m", "enabled": false,
            "level": [
                { "severity": "warning", "when": { "above": 0.5 }, "recover": 0.25, "for": "1m" },
                { "severity": "critical", "when": { "unusual": { "deviations": 4, "season": "week" } } },
            ],
            "only_if": [{ "measure": measure, "when": { "changed": { "than": "last_day", "times": 2 } }, "on": ["service"] }],
            "least": null, "no_data": { "then": "alert", "after": "10m" }, "labels": { "team": "shop" },
        })
    };
    serde_json::from_value(json!({
        "rule": measures.iter().enumerate().map(rule).collect::<Vec<_>>(),
        "slo": [{ "name": "s", "indicator": { "kind": "latency", "service": "cart", "under": 0.3 }, "objective": 0.99 }],
        "channel": [
            { "name": "w", "to": { "kind": "webhook", "url": "https://example.com" }, "send_resolved": false },
            { "name": "m", "to": { "kind": "email", "host": "h", "from": "a@b", "to": ["c@d"], "tls": "none" } },
        ],
        "route": [{ "name": "all", "match": ["severity=~\"critical|warning\""], "channels": ["w"], "continue": true }],
        "inhibition": [{ "source": ["severity=critical"], "target": ["severity=warning"], "equal": ["service"] }],
        "silence": [{
            "id": "abc", "match": ["service=cart"], "from_unix_nano": "1763600000000000000", "to_unix_nano": "1763700000000000000",
            "weekly": { "days": ["sat"], "begin": "22:30", "lasts": "2h", "utc_offset_minutes": 540 }, "comment": "x",
        }],
    }))
    .unwrap()
}

#[test]
fn what_is_exported_can_be_applied() {
    let file = everything();
    assert_eq!(check::file(&file), []);
    let text = toml::to_string_pretty(&file).unwrap();
    assert_eq!(toml::from_str::<AlertingFile>(&text).unwrap(), file, "{text}");
}

fn text(name: &str, text: &str) -> Text {
    Text { name: name.to_owned(), text: text.to_owned() }
}

#[test]
fn one_name_in_two_files_is_said() {
    let heartbeat = "[[rule]]\nname = \"a\"\nmeasure = { signal = \"heartbeat\", name = \"b\" }\n\
                     level = [{ severity = \"warning\", when = { above = 3600 } }]\n";
    assert!(checked(&[text("a.toml", heartbeat)]).is_some());
    assert!(checked(&[text("a.toml", heartbeat), text("b.toml", heartbeat)]).is_none());
    let other = heartbeat.replacen("\"a\"", "\"c\"", 1);
    assert!(checked(&[text("a.toml", heartbeat), text("b.toml", &other)]).is_some());
}
