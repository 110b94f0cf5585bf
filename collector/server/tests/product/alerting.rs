//! What people write about alerts: over the API, as files, over a kill -9; and that secrets never come out again.

use crate::server::{Server, command, data_dir};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;

const RULES: &str = "/api/v1/alerting/rules";
const CHANNELS: &str = "/api/v1/alerting/channels";
const ROUTES: &str = "/api/v1/alerting/routes";
const SILENCES: &str = "/api/v1/alerting/silences";
const FILE: &str = "/api/v1/alerting";

/// What a server answers to a change: status and JSON.
async fn change(server: &Server, method: Method, path: &str, body: Value) -> (u16, Value) {
    let request = reqwest::Client::new().request(method, format!("{}{path}", server.http));
    let answer = request.json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

async fn make(server: &Server, path: &str, body: Value) -> Value {
    let (status, made) = change(server, Method::POST, path, body).await;
    assert_eq!(status, 201, "{made}");
    made
}

fn rule(name: &str) -> Value {
    json!({
        "name": name,
        "measure": { "signal": "requests", "figure": "error_ratio", "by": "service", "least_requests": 0 },
        "window": "5m",
        "every": "10s",
        "level": [{ "severity": "critical", "when": { "above": 0.05 } }],
        "for": "1m",
    })
}

fn mail(name: &str, password: Option<&str>) -> Value {
    let mut to = json!({
        "kind": "email", "host": "smtp.example.com", "user": "orrery", "from": "orrery@example.com", "to": ["a@example.com"],
    });
    if let Some(password) = password {
        to["password"] = json!(password);
    }
    json!({ "name": name, "to": to })
}

/// Names of what people made, of a list in an answer.
fn names(list: &Value, pointer: &str) -> Vec<String> {
    let name = |it: &Value| it.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    list.as_array().unwrap().iter().filter_map(name).collect()
}

/// Names of rules but those that Orrery comes with.
async fn rules(server: &Server) -> Vec<String> {
    let list = server.ok(RULES).await;
    let own = list["rules"].as_array().unwrap().iter().filter(|it| it["origin"] != "built_in").cloned();
    names(&Value::Array(own.collect()), "/rule/name")
}

fn orrery(arguments: &[&str], files: &[&Path]) -> Output {
    command().arg("alerts").args(arguments).args(files).output().unwrap()
}

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn documents_are_made_changed_and_deleted() {
    let server = Server::start();
    let made = make(&server, RULES, rule("결제 실패 / 50%")).await;
    assert_eq!(
        (&made["rule"]["for"], &made["origin"], &made["state"]),
        (&json!("1m"), &json!("user"), &json!("normal"))
    );
    make(&server, RULES, rule("b")).await;
    let (status, problem) = change(&server, Method::POST, RULES, rule("b")).await;
    assert_eq!((status, &problem["type"]), (409, &json!("orrery:conflict")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("rule is called `b`"), "{problem}");

    // Under its name, however that is spelled; and to another.
    let path = format!("{RULES}/%EA%B2%B0%EC%A0%9C%20%EC%8B%A4%ED%8C%A8%20/%2050%25");
    let (status, changed) = change(&server, Method::PUT, &path, rule("a")).await;
    assert_eq!((status, &changed["rule"]["name"]), (200, &json!("a")), "{changed}");
    assert_eq!(rules(&server).await, ["a", "b"]);
    let (status, _) = change(&server, Method::PUT, &format!("{RULES}/a"), rule("b")).await;
    assert_eq!(status, 409);
    let (status, deleted) = change(&server, Method::DELETE, &format!("{RULES}/a"), Value::Null).await;
    assert_eq!((status, &deleted["rule"]["name"]), (200, &json!("a")));
    for method in [Method::PUT, Method::DELETE] {
        let (status, problem) = change(&server, method, &format!("{RULES}/a"), rule("a")).await;
        assert_eq!((status, &problem["type"]), (404, &json!("orrery:not-found")));
    }

    let slo = json!({
        "name": "works", "indicator": { "kind": "availability", "service": "cart" }, "objective": 0.99,
    });
    make(&server, "/api/v1/alerting/slos", slo.clone()).await;
    assert_eq!(
        rules(&server).await,
        ["b", "works: budget burns", "works: budget burns fast", "works: budget burns very fast"]
    );
    let (status, _) = change(&server, Method::DELETE, "/api/v1/alerting/slos/works", Value::Null).await;
    assert_eq!((status, rules(&server).await), (200, vec!["b".to_owned()]));
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let server = Server::start();
    let with = |pointer: &str, value: Value| {
        let mut rule = rule("a");
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        rule.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(key.to_owned(), value);
        rule
    };
    let silence = |pointer: &str, value: Value| {
        let mut silence = json!({ "match": ["service=cart"], "from_unix_nano": "1", "to_unix_nano": "2" });
        silence[pointer] = value;
        silence
    };
    let traces = json!({ "signal": "traces", "q": "{ status = error }" });
    for (path, body, field) in [
        (RULES, with("/name", json!("")), "name"),
        (RULES, with("/window", json!("15s")), "window"),
        (RULES, with("/window", json!("soon")), "window"),
        (RULES, with("/measure", traces), "measure.q"),
        (RULES, with("/level/0/recover", json!(1)), "level[0].recover"),
        (RULES, with("/colour", json!("red")), "colour"),
        (RULES, json!([]), "body"),
        (CHANNELS, mail("m", None), "to.password"),
        (CHANNELS, json!({ "name": "w", "to": { "kind": "webhook", "url": "ftp://x" } }), "to.url"),
        (SILENCES, silence("match", json!([])), "match"),
        (SILENCES, silence("match", json!(["service"])), "match[0]"),
        (SILENCES, silence("id", json!("x")), "id"),
    ] {
        let (status, problem) = change(&server, Method::POST, path, body.clone()).await;
        assert_eq!((status, problem["field"].as_str()), (400, Some(field)), "{body}: {problem}");
    }
    let routes = json!({ "routes": [{ "name": "all", "channels": ["nobody"] }] });
    let (status, problem) = change(&server, Method::PUT, ROUTES, routes).await;
    assert_eq!((status, problem["field"].as_str()), (400, Some("routes[0].channels[0]")), "{problem}");
    let file = json!({ "rule": [rule("a"), with("/window", json!("15s"))] });
    let (status, problem) = change(&server, Method::PUT, FILE, file).await;
    assert_eq!((status, problem["field"].as_str()), (400, Some("rule[1].window")), "{problem}");
    assert_eq!(rules(&server).await, [""; 0], "nothing was kept");
}

#[tokio::test]
async fn secrets_never_come_out_again() {
    let (_dir, data) = data_dir();
    let mut server = Server::start_in(&data);
    const SECRET: &str = "sesame-7f3a";
    let to = |kind: Value| json!({ "name": kind["kind"], "to": kind });
    let all = [
        json!({ "kind": "webhook", "url": "https://example.com/hook", "secret": SECRET }),
        mail("email", Some(SECRET))["to"].clone(),
        json!({ "kind": "slack", "url": format!("https://hooks.example.com/{SECRET}") }),
        json!({ "kind": "teams", "url": format!("https://teams.example.com/{SECRET}") }),
        json!({ "kind": "pagerduty", "routing_key": SECRET }),
        json!({ "kind": "opsgenie", "api_key": SECRET }),
        json!({ "kind": "telegram", "token": SECRET, "chat_id": "-100" }),
        json!({ "kind": "ntfy", "topic": "t", "token": SECRET }),
    ];
    let mut answers = String::new();
    for kind in &all {
        let made = make(&server, CHANNELS, to(kind.clone())).await;
        assert_eq!(made["has_secret"], true, "{made}");
        answers.push_str(&made.to_string());
    }
    // What is absent stays, what is empty goes.
    let without = |channel: &str| {
        let kind = all.iter().find(|kind| kind["kind"] == channel).unwrap();
        let mut kind = kind.clone();
        for secret in ["secret", "password", "routing_key", "api_key", "token"] {
            kind.as_object_mut().unwrap().remove(secret);
        }
        kind
    };
    for channel in ["webhook", "email", "pagerduty", "telegram", "ntfy"] {
        let path = format!("{CHANNELS}/{channel}");
        let (status, changed) = change(&server, Method::PUT, &path, to(without(channel))).await;
        assert_eq!((status, &changed["has_secret"]), (200, &json!(true)), "{changed}");
        answers.push_str(&changed.to_string());
    }
    let mut elsewhere = to(without("email"));
    elsewhere["to"]["host"] = json!("smtp.evil.example");
    let (status, problem) = change(&server, Method::PUT, &format!("{CHANNELS}/email"), elsewhere).await;
    assert_eq!((status, problem["field"].as_str()), (400, Some("to.password")), "it would go to another server");
    answers.push_str(&problem.to_string());
    let mut emptied = to(without("webhook"));
    emptied["to"]["secret"] = json!("");
    let (_, changed) = change(&server, Method::PUT, &format!("{CHANNELS}/webhook"), emptied).await;
    assert_eq!(changed["has_secret"], false);
    // A file that does not name them leaves them alone.
    let file = server.ok(FILE).await;
    let (status, applied) = change(&server, Method::PUT, FILE, file.clone()).await;
    assert_eq!(status, 200, "{applied}");
    let broken = json!({ "name": "slack", "to": { "kind": "slack", "url": format!("hooks.example.com/{SECRET}") } });
    let (status, problem) = change(&server, Method::PUT, &format!("{CHANNELS}/slack"), broken).await;
    assert_eq!((status, problem["field"].as_str()), (400, Some("to.url")));
    let (_, deleted) = change(&server, Method::DELETE, &format!("{CHANNELS}/teams"), Value::Null).await;
    for said in [file, applied, problem, deleted, server.ok(CHANNELS).await, server.ok("/api/v1/self").await] {
        answers.push_str(&said.to_string());
    }
    let exported = said(&orrery(&["export", "--server", &server.http], &[])).1;
    assert!(exported.contains("kind = \"slack\""), "{exported}");
    answers.push_str(&exported);
    assert!(!answers.contains("sesame"), "{answers}");

    server.terminate();
    let server = Server::start_in(&data);
    let list = server.ok(CHANNELS).await;
    let has: Vec<bool> = list["channels"].as_array().unwrap().iter().map(|it| it["has_secret"] == true).collect();
    assert_eq!(
        names(&list["channels"], "/channel/name"),
        ["email", "ntfy", "opsgenie", "pagerduty", "slack", "telegram", "webhook"]
    );
    assert_eq!(has, [true, true, true, true, true, true, false], "{list:#}");
}

#[tokio::test]
async fn routes_follow_their_channels() {
    let server = Server::start();
    make(&server, CHANNELS, mail("mail", Some("x"))).await;
    let route =
        |name: &str, channel: &str| json!({ "name": name, "channels": [channel], "match": ["severity=critical"] });
    let inhibitions =
        json!([{ "source": ["severity=critical"], "target": ["severity=warning"], "equal": ["service"] }]);
    let wanted = json!({ "routes": [route("z", "mail"), route("a", "mail")], "inhibitions": inhibitions });
    let (status, list) = change(&server, Method::PUT, ROUTES, wanted).await;
    assert_eq!((status, names(&list["routes"], "/name")), (200, vec!["z".to_owned(), "a".to_owned()]), "in order");
    assert_eq!(list["routes"][0]["match"], json!(["severity=\"critical\""]));
    assert_eq!(list["inhibitions"].as_array().unwrap().len(), 1);
    let (status, problem) = change(&server, Method::DELETE, &format!("{CHANNELS}/mail"), Value::Null).await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("`z`"), "{problem}");
    let (status, _) = change(&server, Method::PUT, &format!("{CHANNELS}/mail"), mail("post", None)).await;
    assert_eq!(status, 200);
    let list = server.ok(ROUTES).await;
    assert_eq!(list["routes"][1]["channels"], json!(["post"]));
    let (_, list) = change(&server, Method::PUT, ROUTES, json!({ "routes": [route("a", "post")] })).await;
    assert_eq!((names(&list["routes"], "/name"), list.get("inhibitions")), (vec!["a".to_owned()], None));
}

#[tokio::test]
async fn silences_begin_and_end() {
    let server = Server::start();
    let now = i64::try_from(orrery_synth::send::now_unix_nano()).unwrap();
    let hours = |hours: i64| (now + hours * 3_600_000_000_000).to_string();
    let silence = |service: &str, from: i64, to: i64| json!({ "match": [format!("service={service}")], "from_unix_nano": hours(from), "to_unix_nano": hours(to) });
    let (status, preview) =
        change(&server, Method::POST, "/api/v1/alerting/silence-preview", silence("cart", -1, 1)).await;
    assert_eq!((status, &preview["is_active"], &preview["alerts"]), (200, &json!(true), &json!([])));
    assert_eq!(server.ok(SILENCES).await["silences"], json!([]), "nothing was kept");
    let over = make(&server, SILENCES, silence("over", -2, -1)).await;
    let holds = make(&server, SILENCES, silence("holds", -1, 1)).await;
    let later = make(&server, SILENCES, silence("later", 1, 2)).await;
    let again = make(&server, SILENCES, silence("holds", -1, 1)).await;
    let id = |status: &Value| status["silence"]["id"].as_str().unwrap().to_owned();
    assert_ne!(id(&holds), id(&again), "the same is said twice");
    assert_eq!(
        (&over["is_over"], &holds["is_active"], &later["is_active"]),
        (&json!(true), &json!(true), &json!(false))
    );
    let list = server.ok(SILENCES).await;
    assert_eq!(names(&list["silences"], "/silence/id")[2..], [id(&later), id(&over)]);

    let path = |status: &Value| format!("{SILENCES}/{}", id(status));
    let (status, changed) = change(&server, Method::PUT, &path(&later), silence("later", -1, 3)).await;
    assert_eq!((status, &changed["is_active"]), (200, &json!(true)));
    let (status, ended) = change(&server, Method::DELETE, &path(&holds), Value::Null).await;
    assert_eq!((status, &ended["is_active"], &ended["is_over"]), (200, &json!(false), &json!(true)), "{ended}");
    assert!(names(&server.ok(SILENCES).await["silences"], "/silence/id").contains(&id(&holds)), "it is still told");
    let (status, _) = change(&server, Method::DELETE, &path(&over), Value::Null).await;
    let left = names(&server.ok(SILENCES).await["silences"], "/silence/id");
    assert!(status == 200 && !left.contains(&id(&over)), "{left:?}");
}

#[tokio::test]
async fn a_heartbeat_needs_somebody_who_waits() {
    let server = Server::start();
    let beat = "/api/v1/alerting/heartbeats/backup";
    let post = async || {
        let answer = reqwest::Client::new().post(format!("{}{beat}", server.http)).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, problem) = post().await;
    assert_eq!(status, 404);
    assert!(problem["detail"].as_str().unwrap().contains("No rule waits"), "{problem}");
    let mut waits = rule("backup runs");
    waits["measure"] = json!({ "signal": "heartbeat", "name": "backup" });
    make(&server, RULES, waits).await;
    let (status, received) = post().await;
    assert_eq!((status, &received["name"]), (200, &json!("backup")), "{received}");
    assert_eq!(server.get(beat).await.0, 405);
}

#[tokio::test]
async fn what_was_kept_survives_a_kill() {
    let (_dir, data) = data_dir();
    let mut kept = Vec::new();
    for round in 0..4 {
        let mut server = Server::start_in(&data);
        assert_eq!(rules(&server).await, kept, "round {round}");
        if round > 0 {
            let list = server.ok(CHANNELS).await;
            assert_eq!(list["channels"][0]["has_secret"], true, "{list}");
            assert_eq!(server.ok(ROUTES).await["routes"][0]["name"], "all");
        }
        for number in 0..3 {
            let name = format!("rule {round} {number}");
            make(&server, RULES, rule(&name)).await;
            kept.push(name);
        }
        if round == 0 {
            make(&server, CHANNELS, mail("mail", Some("x"))).await;
            let routes = json!({ "routes": [{ "name": "all", "channels": ["mail"] }] });
            assert_eq!(change(&server, Method::PUT, ROUTES, routes).await.0, 200);
        }
        server.kill();
    }
    let output = command().arg("doctor").arg("--data-dir").arg(&data).output().unwrap();
    let (code, said, _) = said(&output);
    assert!(code == 0 && said.contains(", 1 channel, 1 route"), "{said}");
}

const SHOP: &str = r#"
[[rule]]
name = "checkout fails"
window = "5m"
for = "1m"
measure = { signal = "requests", figure = "error_ratio", service = "checkout" }
[[rule.level]]
severity = "critical"
when = { above = 0.05 }

[[rule]]
name = "backup runs"
measure = { signal = "heartbeat", name = "backup" }
level = [{ severity = "warning", when = { above = 90000 } }]

[[channel]]
name = "hook"
to = { kind = "webhook", url = "https://example.com/hook" }

[[route]]
name = "all"
channels = ["hook"]

[[silence]]
match = ["service=test"]
from_unix_nano = 1763600000000000000
to_unix_nano = 1763700000000000000
"#;

#[tokio::test]
async fn files_are_checked_applied_and_exported() {
    let (dir, data) = data_dir();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let shop = write("shop.toml", SHOP);
    let (code, out, _) = said(&orrery(&["check"], &[&shop]));
    assert!(code == 0 && out.contains("5 documents in 1 files are right"), "{out}");
    let wrong = write("wrong.toml", &SHOP.replace("severity = \"warning\"", "then = 1, severity = \"warning\""));
    let (code, _, err) = said(&orrery(&["check"], &[&wrong, &shop]));
    assert!(code == 1 && err.contains("wrong.toml:14: unknown field `then`"), "{err}");
    let wrong = write("wrong.toml", &SHOP.replace("window = \"5m\"", "window = \"25s\""));
    let (code, _, err) = said(&orrery(&["check"], &[&wrong]));
    assert!(code == 1 && err.contains("wrong.toml:4: rule[0].window: `25s` is no multiple of 10 s"), "{err}");

    let mut server = Server::start_in(&data);
    make(&server, RULES, rule("theirs")).await;
    make(&server, RULES, rule("checkout fails")).await;
    let apply = |more: &[&str], file: &Path| {
        let arguments = [&["apply", "--server", server.http.as_str()][..], more].concat();
        said(&orrery(&arguments, &[file]))
    };
    let (code, out, err) = apply(&["--dry-run"], &shop);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("changed  rule checkout fails") && out.contains("made     channel hook"), "{out}");
    assert!(out.ends_with("5 would change; nothing was changed, 0 as they were\n"), "{out}");
    assert_eq!(rules(&server).await, ["checkout fails", "theirs"]);
    let (code, out, err) = apply(&[], &shop);
    assert!(code == 0 && out.ends_with("5 changed, 0 as they were\n"), "{out}{err}");
    assert_eq!(rules(&server).await, ["backup runs", "checkout fails", "theirs"]);
    let (_, out, _) = apply(&[], &shop);
    assert_eq!(out, "0 changed, 5 as they were\n");

    // What is exported, applied to another server, is the same there.
    let (code, exported, _) = said(&orrery(&["export", "--server", &server.http], &[]));
    assert_eq!(code, 0);
    let path = write("exported.toml", &exported);
    let other = Server::start();
    let (code, _, err) = said(&orrery(&["apply", "--server", &other.http], &[&path]));
    assert_eq!(code, 0, "{err}");
    assert_eq!(said(&orrery(&["export", "--server", &other.http], &[])).1, exported);

    // What is no longer in the file goes, what somebody made stays.
    let less = write("shop.toml", SHOP.split("[[channel]]").next().unwrap());
    let (code, out, err) = apply(&[], &less);
    assert!(code == 0 && out.contains("removed  channel hook") && out.contains("removed  route all"), "{out}{err}");
    assert_eq!(rules(&server).await, ["backup runs", "checkout fails", "theirs"]);
    assert_eq!(server.ok(SILENCES).await["silences"], json!([]));
    // All or nothing.
    let dangling = write("dangling.toml", "[[route]]\nname = \"all\"\nchannels = [\"nobody\"]\n");
    let (code, _, err) = apply(&[], &dangling);
    assert!(code == 1 && err.contains("route[0].channels[0]") && err.contains("no such channel"), "{err}");
    assert_eq!(rules(&server).await, ["backup runs", "checkout fails", "theirs"]);
    server.terminate();
    let (code, _, err) = said(&orrery(&["export", "--server", &server.http], &[]));
    assert!(code == 1 && err.contains("no answer from"), "{err}");
}

#[tokio::test]
async fn rules_of_prometheus_come_over_and_go_back() {
    let (dir, data) = data_dir();
    let yaml = "groups:\n- name: shop\n  rules:\n  - alert: Slow\n    expr: histogram_quantile(0.95, sum by (le) (rate(d_bucket[5m]))) > 0.5\n    \
                for: 2m\n    labels: { severity: page, team: shop }\n    annotations: { summary: It is slow }\n  \
                - alert: Ratio\n    expr: a / b > 1\n";
    let path = dir.path().join("rules.yml");
    std::fs::write(&path, yaml).unwrap();
    let (code, toml, report) = said(&orrery(&["import-prometheus"], &[&path]));
    assert!(code == 0 && report.contains("1 of 2 rules were translated"), "{report}");
    assert!(report.contains("Ratio: not translated: a ratio"), "{report}");
    let file = dir.path().join("imported.toml");
    std::fs::write(&file, toml).unwrap();
    let server = Server::start_in(&data);
    let (code, _, err) = said(&orrery(&["apply", "--server", &server.http], &[&file]));
    assert_eq!(code, 0, "{err}");

    let mirrored = server.ok("/api/v1/rules?type=alert&rule_name[]=Slow").await;
    let group = &mirrored["data"]["groups"][0];
    let rule = &group["rules"][0];
    assert_eq!((&mirrored["status"], group["rules"].as_array().map(Vec::len)), (&json!("success"), Some(1)));
    assert_eq!((&rule["type"], &rule["name"], &rule["duration"]), (&json!("alerting"), &json!("Slow"), &json!(120)));
    assert_eq!(rule["labels"], json!({ "severity": "critical", "team": "shop" }));
    assert_eq!(rule["annotations"]["description"], "It is slow");
    assert!(["inactive", "pending"].contains(&rule["state"].as_str().unwrap()), "{rule}");
    let none = server.ok("/api/v1/rules?type=record").await;
    assert_eq!(none["data"]["groups"], json!([]));
    assert_eq!(server.ok("/api/v1/alerts").await, json!({ "status": "success", "data": { "alerts": [] } }));
}
