use super::*;
use expect_test::{Expect, expect};

fn translated(yaml: &str) -> Translated {
    let mut translated = Translated::default();
    translated.add("rules.yml", yaml).unwrap();
    translated
}

/// What an expression becomes: measure, window and condition in one line, notes; or why not.
fn check(expr: &str, expect: Expect) {
    let yaml = format!("groups: [{{ rules: [{{ alert: a, expr: {} }}] }}]", serde_json::to_string(expr).unwrap());
    let translated = translated(&yaml);
    let said = &translated.said[0].what;
    let text = match translated.file.rules.first() {
        None => said.as_ref().unwrap_err().clone(),
        Some(rule) => {
            let guards = |sign: &str, guards: &[Guard]| -> String {
                guards.iter().map(|guard| format!("\n{sign} {}", serde_json::to_string(guard).unwrap())).collect()
            };
            format!(
                "{} {} {}{}{}{}",
                serde_json::to_string(&rule.measure).unwrap(),
                rule.window,
                serde_json::to_string(&rule.levels[0].when).unwrap(),
                guards("and", &rule.only_if),
                guards("unless", &rule.unless),
                said.as_ref().unwrap().iter().map(|note| format!("\n({note})")).collect::<String>()
            )
        }
    };
    expect.assert_eq(&text);
}

#[test]
fn what_can_be_said_is_translated() {
    check(
        "up{job=\"cart\"} == 0",
        expect![[r#"
            {"signal":"silent","service":"cart"} 2m {"above":60.0}
            (`up` is about scrapes; here a service is down that sent no span for a minute)"#]],
    );
    check(
        "queue_length > 100",
        expect![[r#"
            {"signal":"metric","name":"queue_length","aggregation":"max"} 2m {"above":100.0}
            (the greatest of all series is judged; `group_by` names attributes to keep apart)"#]],
    );
    check(
        "sum by (job, code) (rate(http_requests_total{code=\"500\", env != 'test'}[5m])) >= 0.5",
        expect![[r#"
            {"signal":"metric","name":"http_requests_total","aggregation":"rate","attr":["code=500","env!=test"],"group_by":["service.name","code"]} 5m {"above":0.5}
            (at exactly 0.5 it is not bad here)"#]],
    );
    check(
        "10 < sum(increase(errors_total[10m])) by (instance)",
        expect![[
            r#"{"signal":"metric","name":"errors_total","aggregation":"rate","group_by":["service.instance.id"]} 10m {"above":0.016666666666666666}"#
        ]],
    );
    check(
        "histogram_quantile(0.99, sum by (le, service) (rate(http_request_duration_seconds_bucket[5m]))) * 1000 > 500 # ms",
        expect![[
            r#"{"signal":"metric","name":"http_request_duration_seconds","aggregation":"p99","group_by":["service"]} 5m {"above":0.5}"#
        ]],
    );
    check(
        "avg_over_time(temperature{room=\"a\"}[1h]) < -5 and on_duty > 0 unless maintenance > 0",
        expect![[r#"
            {"signal":"metric","name":"temperature","aggregation":"average","attr":["room=a"]} 1h {"below":-5.0}
            and {"measure":{"signal":"metric","name":"on_duty","aggregation":"max"},"window":"2m","when":{"above":0.0}}
            unless {"measure":{"signal":"metric","name":"maintenance","aggregation":"max"},"window":"2m","when":{"above":0.0}}
            (the greatest of all series is judged; `group_by` names attributes to keep apart)
            (all series are judged together; `group_by` names attributes to keep apart)"#]],
    );
}

#[test]
fn what_cannot_be_said_is_told() {
    let untranslated = [
        ("sum(rate(a[5m])) / sum(rate(b[5m])) > 0.1", "a ratio or product of two metrics"),
        ("job:requests:rate5m > 1", "recording rule"),
        ("rate(a{code=~\"5..\"}[5m]) > 1", "regular expressions on labels are not translated: code=~\"5..\""),
        ("a > 1 or b > 1", "`or` is not translated"),
        ("a == 1", "`==` is not translated"),
        ("a > b", "two metrics are compared"),
        ("a offset 1d > 1", "`offset`"),
        ("max_over_time(rate(a[5m])[1h:]) > 1", "subquery"),
        ("predict_linear(a[1h], 3600) < 0", "predict_linear() is not translated"),
        ("absent(a)", "absent() of a metric"),
        ("a", "nothing is compared"),
        ("vector(1)", "nothing is compared"),
        ("a > 1 and on(job) b > 1", "`and on`"),
        ("sum without (x) (a) > 1", "`without`"),
        ("rate(a[5m] > 1", "`)` is wanted"),
        ("a{b=\"c} > 1", "not closed"),
        ("", "is not understood"),
    ];
    for (expr, why) in untranslated {
        let yaml = format!("groups: [{{ rules: [{{ alert: a, expr: {} }}] }}]", serde_json::to_string(expr).unwrap());
        let translated = translated(&yaml);
        let said = translated.said[0].what.as_ref().expect_err(expr);
        assert!(said.contains(why), "{expr}: {said}");
    }
    let deep = format!("{}a > 1", "(".repeat(5_000));
    assert!(translate(&deep).unwrap_err().contains("deeply"));
}

const FILE: &str = r#"
groups:
  - name: shop
    interval: 30s
    labels: { team: shop }
    rules:
      - record: job:requests:rate5m
        expr: sum by (job) (rate(requests_total[5m]))
      - alert: Busy
        expr: sum by (job) (rate(requests_total[5m])) > 100
        for: 10m
        keep_firing_for: 5m
        labels: { severity: warning, tier: 2 }
        annotations:
          summary: "{{ $labels.job }} is busy"
          runbook_url: https://wiki.example/busy
      - alert: Busy
        expr: sum by (job) (rate(requests_total[5m])) > 500
        for: 1m
        keep_firing_for: 5m
        labels: { severity: page, tier: 2 }
      - alert: Busy
        expr: sum by (job) (rate(other_total[5m])) > 500
        labels: { severity: urgent }
"#;

#[test]
fn a_file_becomes_rules_and_a_report() {
    let translated = translated(FILE);
    expect![[r#"
        3 of 4 rules were translated
        rules.yml: job:requests:rate5m: not translated: a recording rule: Orrery keeps what alerts measure by itself
        rules.yml: Busy: translated, but: templates in its annotations are not filled in: messages say labels and values themselves
        rules.yml: Busy: translated, but: a level of the rule `Busy`, which is there with another severity
        rules.yml: Busy: translated, but: its severity `urgent` is warning here
        rules.yml: Busy: translated, but: called `Busy 2`: no two rules have the same name
        Names of metrics and labels are as in the file: what SDKs send without a scrape is called otherwise, such as http.server.request.duration
    "#]]
    .assert_eq(&translated.report());
    let rule = &translated.file.rules[0];
    assert_eq!(
        (rule.for_, rule.every, rule.keep_firing_for),
        (Period::minutes(10), Period::seconds(30), Period::minutes(5))
    );
    assert_eq!(rule.levels.iter().map(|level| level.severity.name()).collect::<Vec<_>>(), ["warning", "critical"]);
    assert_eq!(rule.labels, BTreeMap::from([("team".into(), "shop".into()), ("tier".into(), "2".into())]));
    assert!(rule.description.ends_with("https://wiki.example/busy"));
    // What is written is read again.
    let text = toml::to_string_pretty(&translated.file).unwrap();
    assert_eq!(toml::from_str::<AlertingFile>(&text).unwrap(), translated.file, "{text}");
}

#[test]
fn kubernetes_wraps_them() {
    let yaml = "kind: PrometheusRule\nspec: { groups: [{ name: g, rules: [{ alert: a, expr: x > 1 }] }] }";
    assert_eq!(translated(yaml).file.rules.len(), 1);
    assert!(Translated::default().add("x", "groups: 7").is_err());
}
