//! From spans to somebody's phone: the real server, a real receiver, and kills in between.

use crate::server::{Server, data_dir, serve};
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const SECOND: i64 = 1_000_000_000;
/// From trouble to a message, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64
}

/// Where webhooks arrive.
#[derive(Clone, Default)]
struct Receiver {
    got: Arc<Mutex<Vec<Got>>>,
    /// Answers that are refusals before the first that is not.
    refuses: Arc<AtomicU64>,
}

#[derive(Clone, Debug)]
struct Got {
    key: String,
    signature: String,
    body: Vec<u8>,
    message: Value,
}

impl Receiver {
    async fn start() -> (Receiver, String) {
        let receiver = Receiver::default();
        let router = Router::new().route("/hook", post(Receiver::take)).with_state(receiver.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (receiver, url)
    }

    async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: axum::body::Bytes) -> StatusCode {
        let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        let message = serde_json::from_slice(&body).unwrap();
        let got =
            Got { key: header("idempotency-key"), signature: header("orrery-signature"), body: body.to_vec(), message };
        receiver.got.lock().unwrap().push(got);
        let left = receiver.refuses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left.is_ok() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT }
    }

    fn all(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// The first message that is wanted.
    async fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Got {
        let began = Instant::now();
        loop {
            if let Some(got) = self.all().into_iter().find(|got| wanted(&got.message)) {
                return got;
            }
            let said: Vec<_> = self.all().iter().map(|got| got.message["title"].clone()).collect();
            assert!(began.elapsed() < PATIENCE, "no message {what}; there are {said:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Sends five requests a second of a service, failing while it is told to, until everything is acknowledged.
struct Traffic {
    fails: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    sending: tokio::task::JoinHandle<u64>,
}

impl Traffic {
    fn start(otlp_http: &Arc<Mutex<String>>, service: &str) -> Traffic {
        let (fails, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (failing, stopping, at, service) =
            (Arc::clone(&fails), Arc::clone(&stop), Arc::clone(otlp_http), service.to_owned());
        let sending = tokio::spawn(async move {
            // A server that is killed may never answer.
            let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
            let mut sent = 0;
            while !stopping.load(Ordering::Relaxed) {
                let body = spans(&service, sent, failing.load(Ordering::Relaxed));
                sent += 1;
                // As an SDK does: again, until it is acknowledged.
                loop {
                    let url = format!("{}/v1/traces", at.lock().unwrap());
                    let answer = client.post(url).json(&body).send().await;
                    if answer.is_ok_and(|answer| answer.status().is_success()) || stopping.load(Ordering::Relaxed) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            sent
        });
        Traffic { fails, stop, sending }
    }

    fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::Relaxed);
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.sending.await.unwrap();
    }
}

fn spans(service: &str, number: u64, fails: bool) -> Value {
    let start = now();
    let seed = blake3::hash(format!("{service} {number}").as_bytes()).to_hex();
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    json!({"resourceSpans": [{
        "resource": {"attributes": [attribute("service.name", service), attribute("service.version", "1.0.0")]},
        "scopeSpans": [{"spans": [{
            "traceId": &seed[..32],
            "spanId": &seed[32..48],
            "name": "POST /pay",
            "kind": 2,
            "startTimeUnixNano": start.to_string(),
            "endTimeUnixNano": (start + SECOND / 50).to_string(),
            "attributes": [attribute("payment.method", if fails { "card" } else { "voucher" })],
            "status": if fails { json!({"code": 2, "message": "declined"}) } else { json!({}) },
        }]}]
    }]})
}

fn rule(name: &str, service: &str) -> Value {
    json!({
        "name": name,
        "description": "Look at the payment provider.",
        "measure": {"signal": "requests", "figure": "error_ratio", "service": service, "least_requests": 3},
        "window": "20s",
        "every": "10s",
        "for": "10s",
        "level": [{"severity": "critical", "when": {"above": 0.5}, "recover": 0.2}],
        "no_data": {"then": "ok", "after": "1m"},
        "max_wait": "20s",
    })
}

async fn send(server: &Server, method: reqwest::Method, path: &str, body: &Value) -> Value {
    let client = reqwest::Client::new();
    let answer = client.request(method, format!("{}{path}", server.http)).json(body).send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).unwrap()
}

async fn made(server: &Server, path: &str, body: &Value) -> Value {
    send(server, reqwest::Method::POST, path, body).await
}

/// Those that Orrery comes with say other things at the same time.
async fn only_own_rules(server: &Server) {
    let client = reqwest::Client::new();
    let rules = server
        .until("/api/v1/alerting/rules", |rules| rules["rules"].as_array().is_some_and(|all| !all.is_empty()))
        .await;
    for rule in rules["rules"].as_array().unwrap() {
        let name = rule["rule"]["name"].as_str().unwrap().replace(' ', "%20");
        let answer = client.delete(format!("{}/api/v1/alerting/rules/{name}", server.http)).send().await.unwrap();
        assert!(answer.status().is_success(), "{name}: {}", answer.status());
    }
}

fn on_free_ports(dir: &std::path::Path) -> std::process::Command {
    let mut command = serve(dir);
    command.args(["--notify-private-host", "127.0.0.1"]);
    command
}

/// What happened, without what depends on when somebody was told.
fn moments(events: &Value) -> Vec<(String, String, i64)> {
    let number = |value: &Value| value.as_str().unwrap().parse::<i64>().unwrap();
    let of = |event: &Value| {
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        (text("alert"), text("what"), number(&event["at_unix_nano"]) / SECOND)
    };
    let mut all: Vec<_> = events["events"].as_array().unwrap().iter().map(of).collect();
    all.sort();
    all
}

/// How the rule of a name stands.
fn status(list: &Value, name: &str) -> Value {
    let all = list["rules"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|status| status["rule"]["name"] == name).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_judged_and_one_without_an_end_keeps_nobody_waiting() {
    const RULES: &str = "/api/v1/alerting/rules";
    let (_dir, data) = data_dir();
    let mut command = on_free_ports(&data);
    command.args(["--query-timeout", "4s"]);
    let server = Server::run(command);
    only_own_rules(&server).await;
    let at = Arc::new(Mutex::new(server.otlp_http.clone()));
    let traffic = Traffic::start(&at, "payments");
    traffic.fail(true);
    let statement = |name: &str, statement: &str| {
        let mut rule = rule(name, "payments");
        rule["measure"] = json!({"signal": "sql", "statement": statement});
        rule["error"] = json!({"then": "alert"});
        rule["level"][0]["when"] = json!({"above": 3});
        rule["level"][0]["recover"] = Value::Null;
        rule
    };
    let failures = "SELECT service_name AS service, count(*) AS value FROM spans WHERE status = 'error' \
                    AND start_time_unix_nano >= $from AND start_time_unix_nano < $to GROUP BY ALL";
    let endless =
        "WITH RECURSIVE t(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM t) SELECT max(value) AS value FROM t";
    for rule in [
        statement("a endless", endless),
        statement("b endless", endless),
        statement("c wrong", "SELECT wrong AS value FROM spans"),
        statement("d failures", failures),
        rule("e requests", "payments"),
    ] {
        made(&server, RULES, &rule).await;
    }
    let fires = |list: &Value, name: &str| status(list, name)["state"] == "firing";
    let list = server
        .until_within(PATIENCE, RULES, |list| {
            fires(list, "d failures")
                && fires(list, "e requests")
                && ["a endless", "c wrong"].iter().all(|name| status(list, name)["state"] == "error")
        })
        .await;
    let error = |name: &str| status(&list, name)["error"].as_str().unwrap_or_default().to_owned();
    assert!(error("a endless").contains("took too long"), "{list:#}");
    assert!(error("c wrong").contains("wrong"), "the statement's own problem is told: {list:#}");
    assert_eq!(error("d failures"), "");
    let alerts = server.ok("/api/v1/alerting/alerts?rule=d%20failures").await;
    assert_eq!(alerts["alerts"][0]["labels"]["service"], "payments", "{alerts:#}");

    // Others are judged in their turn all the while.
    let own = server.ok("/api/v1/self").await;
    let judged = |list: &Value, name: &str| {
        status(list, name)["judged_unix_nano"].as_str().and_then(|at| at.parse::<i64>().ok()).unwrap_or(0)
    };
    for _ in 0..60 {
        let list = server.ok(RULES).await;
        let late = now() - judged(&list, "e requests");
        assert!(late < 20 * SECOND, "judged {late} ns ago: {list:#}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let after = server.ok("/api/v1/self").await;
    assert_eq!(after["alerting"]["skipped"], 0);
    assert!(after["alerting"]["judged"].as_u64() > own["alerting"]["judged"].as_u64(), "{after:#}");
    assert!(after["alerting"]["start_delay"]["p50_millis"].as_f64() < Some(2_000.0), "{after:#}");
    traffic.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_is_told_once_with_evidence_and_again_when_it_is_over() {
    let (_dir, data) = data_dir();
    let server = Server::run(on_free_ports(&data));
    let (receiver, url) = Receiver::start().await;
    only_own_rules(&server).await;
    let channel = json!({"name": "phone", "to": {"kind": "webhook", "url": url, "secret": "s3cret"}});
    made(&server, "/api/v1/alerting/channels", &channel).await;
    made(&server, "/api/v1/alerting/rules", &rule("Payments fail", "payments")).await;

    // The channel refuses once: the message comes again, under the same key.
    receiver.refuses.store(1, Ordering::Relaxed);
    let began = now();
    let at = Arc::new(Mutex::new(server.otlp_http.clone()));
    let (traffic, calm) = (Traffic::start(&at, "payments"), Traffic::start(&at, "cart"));
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert_eq!(receiver.all().len(), 0, "nothing is wrong yet");
    traffic.fail(true);
    let broken = Instant::now();
    let firing = receiver.until("that it fires", |message| message["status"] == "firing").await;
    let told_after = broken.elapsed();
    assert!(told_after < Duration::from_secs(60), "{told_after:?}");
    server.until("/api/v1/alerting/deliveries", |list| list["deliveries"][0]["state"] == "delivered").await;
    let keys: BTreeSet<String> = receiver.all().into_iter().map(|got| got.key).collect();
    assert_eq!((receiver.all().len(), keys.len()), (2, 1), "refused once, the same message again");

    let message = &firing.message;
    let alert = &message["alerts"][0];
    assert_eq!((&alert["labels"]["service"], &alert["severity"]), (&json!("payments"), &json!("critical")));
    assert_eq!(alert["node"], "payments");
    assert!(message["title"].as_str().unwrap().starts_with("Payments fail: "), "{message}");
    assert_eq!(message["description"], "Look at the payment provider.");
    let picture = base64::engine::general_purpose::STANDARD.decode(message["chart_png"].as_str().unwrap()).unwrap();
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 2_000, "{} bytes", picture.len());
    let evidence = &message["evidence"];
    assert_eq!(evidence["traces"].as_array().unwrap().len(), 2, "{evidence}");
    let differs = evidence["differs"].as_array().unwrap();
    let method = differs.iter().find(|it| it["key"] == "span.payment.method").unwrap_or_else(|| panic!("{evidence}"));
    assert_eq!((&method["value"], &method["bad"], &method["others"]), (&json!("card"), &json!(1.0), &json!(0.0)));
    let trace = evidence["traces"][0].as_str().unwrap();
    assert_eq!(server.ok(&format!("/api/v1/traces/{trace}")).await["spans"][0]["status_code"], "error");
    // Signed: `t=…,v1=…` over `t.body`.
    let parts: BTreeMap<&str, &str> = firing.signature.split(',').filter_map(|part| part.split_once('=')).collect();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"s3cret").unwrap();
    mac.update(parts["t"].as_bytes());
    mac.update(b".");
    mac.update(&firing.body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(parts["v1"], hex);

    let list = server.ok("/api/v1/alerting/alerts").await;
    assert_eq!(list["alerts"][0]["state"], "firing", "{list}");
    let id = list["alerts"][0]["id"].as_str().unwrap().to_owned();
    let detail = server.ok(&format!("/api/v1/alerting/alerts/{id}?from=now-5m")).await;
    assert!(detail["points"].as_array().unwrap().iter().any(|point| point["value"].as_f64() > Some(0.5)), "{detail}");
    let prometheus = server.ok("/api/v1/alerts").await;
    assert_eq!(prometheus["data"]["alerts"][0]["labels"]["alertname"], "Payments fail", "{prometheus}");

    traffic.fail(false);
    let resolved = receiver.until("that it is over", |message| message["status"] == "resolved").await;
    assert_eq!(resolved.message["alerts"][0]["id"], json!(id));
    assert_eq!(resolved.message["group"], firing.message["group"], "one matter");
    server.until("/api/v1/alerting/deliveries", |list| list["deliveries"][0]["state"] == "delivered").await;
    assert_eq!(receiver.all().len(), 3, "the first was refused once, and none came again without need");
    assert_ne!(resolved.key, firing.key);

    // The time machine says the same about that time, to the second.
    let until = now();
    let path = format!("?from={began}&to={until}");
    let events = server.ok(&format!("/api/v1/alerting/events{path}")).await;
    let whats: Vec<_> = events["events"].as_array().unwrap().iter().map(|event| event["what"].clone()).collect();
    assert_eq!(whats, ["pending", "firing", "notified", "resolved", "notified"], "{events:#}");
    let asked = json!({"rules": [rule("Payments fail", "payments")]});
    let replay = made(&server, &format!("/api/v1/alerting/replay{path}"), &asked).await;
    assert_eq!(moments(&replay["drafts"][0]), moments(&events));
    assert_eq!((&replay["drafts"][0]["fired"], &replay["drafts"][0]["notified"]), (&json!(1), &json!(1)));
    traffic.end().await;
    calm.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_silenced_or_taken_on_is_not_told() {
    let (_dir, data) = data_dir();
    let server = Server::run(on_free_ports(&data));
    let (receiver, url) = Receiver::start().await;
    only_own_rules(&server).await;
    made(&server, "/api/v1/alerting/channels", &json!({"name": "phone", "to": {"kind": "webhook", "url": url}})).await;
    for service in ["payments", "cart"] {
        made(&server, "/api/v1/alerting/rules", &rule(&format!("{service} fails"), service)).await;
    }
    let silence = json!({
        "match": ["service=\"cart\""],
        "from_unix_nano": now().to_string(),
        "to_unix_nano": (now() + 3_600 * SECOND).to_string(),
        "comment": "being moved",
    });
    made(&server, "/api/v1/alerting/silences", &silence).await;
    let at = Arc::new(Mutex::new(server.otlp_http.clone()));
    let traffic = ["payments", "cart"].map(|service| Traffic::start(&at, service));
    traffic.iter().for_each(|traffic| traffic.fail(true));
    receiver.until("about payments", |message| message["alerts"][0]["labels"]["service"] == "payments").await;
    let both = |list: &Value| {
        list["alerts"].as_array().is_some_and(|all| all.iter().filter(|it| it["state"] == "firing").count() == 2)
    };
    let list = server.until_within(PATIENCE, "/api/v1/alerting/alerts", both).await;
    let of = |service: &str| {
        list["alerts"].as_array().unwrap().iter().find(|it| it["labels"]["service"] == service).unwrap().clone()
    };
    assert_eq!(of("cart")["muted"]["by"], "silence", "{list}");
    assert!(of("cart")["muted"]["why"].as_str().unwrap().contains("being moved"));

    let id = of("payments")["id"].as_str().unwrap().to_owned();
    let taken = json!({"by": "kim", "comment": "on it"});
    send(&server, reqwest::Method::PUT, &format!("/api/v1/alerting/acknowledge/{id}"), &taken).await;
    let is_taken = |list: &Value| {
        let all = list["alerts"].as_array().into_iter().flatten();
        all.filter(|it| it["id"] == json!(id))
            .any(|it| it["muted"]["by"] == "acknowledged" && it["acknowledged"]["by"] == "kim")
    };
    server.until("/api/v1/alerting/alerts", is_taken).await;
    traffic.iter().for_each(|traffic| traffic.fail(false));
    receiver.until("that payments are well", |message| message["status"] == "resolved").await;
    assert!(receiver.all().iter().all(|got| got.message["alerts"][0]["labels"]["service"] == "payments"));
    for traffic in traffic {
        traffic.end().await;
    }
}

/// Kills, at moments that a seed chooses; more by `ORRERY_ALERT_KILLS`.
#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_and_double_nothing() {
    let kills: u64 = std::env::var("ORRERY_ALERT_KILLS").map_or(12, |text| text.parse().unwrap());
    let seed: u64 = std::env::var("ORRERY_SEED").map_or_else(|_| now() as u64, |text| text.parse().unwrap());
    println!("ORRERY_SEED={seed} ORRERY_ALERT_KILLS={kills}");
    let (_dir, data) = data_dir();
    let mut server = Server::run(on_free_ports(&data));
    let (receiver, url) = Receiver::start().await;
    only_own_rules(&server).await;
    made(&server, "/api/v1/alerting/channels", &json!({"name": "phone", "to": {"kind": "webhook", "url": url}})).await;
    let services = ["a", "b", "c", "d"];
    let route = json!({"routes": [{"name": "all", "channels": ["phone"], "group_by": ["service"], "group_wait": "0s",
        "group_interval": "10s", "repeat_interval": "4h"}]});
    send(&server, reqwest::Method::PUT, "/api/v1/alerting/routes", &route).await;
    for service in services {
        let mut quick = rule(&format!("{service} fails"), service);
        (quick["window"], quick["for"]) = (json!("10s"), json!("0s"));
        made(&server, "/api/v1/alerting/rules", &quick).await;
    }
    let began = now();
    let at = Arc::new(Mutex::new(server.otlp_http.clone()));
    let traffic = services.map(|service| Traffic::start(&at, service));
    for round in 0..kills {
        let chance = |what: u64| {
            u64::from_le_bytes(
                blake3::hash(format!("{seed} {round} {what}").as_bytes()).as_bytes()[..8].try_into().unwrap(),
            )
        };
        // Each service fails for some rounds, and is well for some.
        for (number, traffic) in traffic.iter().enumerate() {
            traffic.fail((round / 6 + number as u64) % 2 == 1);
        }
        tokio::time::sleep(Duration::from_millis(200 + chance(0) % 4_000)).await;
        server.kill();
        server = Server::run(on_free_ports(&data));
        *at.lock().unwrap() = server.otlp_http.clone();
    }
    // All is well in the end, and what there was to say is said.
    let is_firing =
        |list: &Value| list["alerts"].as_array().is_some_and(|all| all.iter().any(|it| it["state"] == "firing"));
    server.until_within(PATIENCE, "/api/v1/alerting/alerts", is_firing).await;
    traffic.iter().for_each(|traffic| traffic.fail(false));
    server
        .until_within(PATIENCE, "/api/v1/alerting/alerts", |list| list["alerts"].as_array().is_some_and(Vec::is_empty))
        .await;
    let quiet = |list: &Value| {
        let all = list["deliveries"].as_array().into_iter().flatten();
        all.filter(|it| it["state"] != "delivered").count() == 0
    };
    server.until_within(PATIENCE, "/api/v1/alerting/deliveries?limit=1000", quiet).await;

    let events = server.ok(&format!("/api/v1/alerting/events?from={began}&to={}", now())).await;
    let mut firing: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut notified: BTreeMap<String, usize> = BTreeMap::new();
    for event in events["events"].as_array().unwrap() {
        let (alert, what) = (event["alert"].as_str().unwrap(), event["what"].as_str().unwrap());
        match what {
            "firing" | "resolved" => firing.entry(alert.to_owned()).or_default().push(what.to_owned()),
            "notified" => *notified.entry(alert.to_owned()).or_default() += 1,
            _ => {}
        }
    }
    for (alert, walk) in &firing {
        let expected = ["firing", "resolved"].iter().cycle().take(walk.len());
        assert!(walk.iter().eq(expected), "{alert}: {walk:?}");
    }
    // Every message arrived, none under two keys; the same key twice only where the server died before it knew.
    let mut by_key: BTreeMap<String, Value> = BTreeMap::new();
    for got in receiver.all() {
        let said = json!([got.message["status"], got.message["group"], got.message["alerts"][0]["id"]]);
        assert_eq!(by_key.entry(got.key.clone()).or_insert_with(|| said.clone()), &said, "{}", got.key);
    }
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for message in by_key.values() {
        *told.entry(message[2].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(told, notified, "each time that somebody was told there is one message");
    let fired: usize = firing.values().map(|walk| walk.len().div_ceil(2)).sum();
    println!("{kills} kills: fired {fired} times, {} messages, {} deliveries", by_key.len(), receiver.all().len());
    assert!(fired > 0 && by_key.len() >= 2, "nothing fired");
    for traffic in traffic {
        traffic.end().await;
    }
}
