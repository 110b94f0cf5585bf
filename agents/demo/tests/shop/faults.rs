//! Each fault changes what it says, and heals.

use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use orrery_demo::{Config, Fault, FaultKind, FaultReport, Member, Shop};
use serde_json::{Value, json};

use crate::sink::{Seen, Sink};
use crate::{config, eventually, open};

/// Fast enough for every journey to happen within seconds.
const RATE: f64 = 60.0;
const PATIENCE: u64 = 60;

struct Lab {
    sink: Sink,
    shop: Shop,
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64
}

impl Lab {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.shop.control())
    }

    async fn report(&self) -> FaultReport {
        reqwest::get(self.url("/faults")).await.unwrap().json().await.unwrap()
    }

    async fn inject(&self, kind: FaultKind, target: Member) -> Fault {
        let body = json!({ "kind": kind, "target": target, "duration_seconds": 600 });
        let response = reqwest::Client::new().post(self.url("/faults")).json(&body).send().await.unwrap();
        assert_eq!(response.status(), 201);
        let fault: Fault = response.json().await.unwrap();
        assert_eq!(self.report().await.active, std::slice::from_ref(&fault), "the truth");
        fault
    }

    async fn heal(&self, fault: &Fault) {
        let response = reqwest::Client::new().delete(self.url(&format!("/faults/{}", fault.id))).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let report = self.report().await;
        assert_eq!(report.active, []);
        assert_eq!((&report.history[0].id, report.history[0].kind), (&fault.id, fault.kind));
        assert!(report.history[0].end_time_unix_nano <= now());
    }

    /// Waits for `count` spans that began after `time` and that `pick` picks.
    async fn some(&self, what: &str, time: i64, count: usize, pick: impl Fn(&Seen) -> bool + Copy) -> Vec<Seen> {
        eventually(what, PATIENCE, || {
            let spans = self.sink.since(time, pick);
            (spans.len() >= count).then_some(spans)
        })
        .await
    }

    /// Injects, waits for `sick` spans, heals, then waits for `well` ones.
    async fn check(
        &self,
        kind: FaultKind,
        target: Member,
        sick: impl Fn(&Seen) -> bool + Copy,
        well: impl Fn(&Seen) -> bool + Copy,
    ) {
        let fault = self.inject(kind, target).await;
        self.some(&format!("{kind:?} shows"), fault.start_time_unix_nano, 5, sick).await;
        self.heal(&fault).await;
        self.some(&format!("{kind:?} is healed"), now(), 5, well).await;
    }
}

fn server(seen: &Seen, service: Member) -> bool {
    seen.service() == service.name() && seen.span.kind() == SpanKind::Server
}

fn status(seen: &Seen) -> &str {
    seen.get("http.response.status_code")
}

fn statement(seen: &Seen, service: Member) -> bool {
    seen.service() == service.name() && seen.attributes.contains_key("db.system.name")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_changes_what_it_says_and_heals() {
    let sink = Sink::start().await;
    let shop = open(&sink, RATE).await;
    let lab = Lab { sink, shop };
    lab.some("traffic", 0, 50, |seen| server(seen, Member::ApiGateway)).await;

    latency(&lab).await;
    errors(&lab).await;
    expired_tokens(&lab).await;
    rate_limit_burst(&lab).await;
    slow_database(&lab).await;
    bus_backlog(&lab).await;
    crash_restart(&lab).await;
    bad_deploy(&lab).await;
    network_delay(&lab).await;
    lab.shop.stop().await;
}

async fn latency(lab: &Lab) {
    let me = |seen: &Seen| server(seen, Member::Catalog);
    lab.check(
        FaultKind::Latency,
        Member::Catalog,
        |seen| me(seen) && seen.millis() >= 400.0,
        |seen| me(seen) && seen.millis() < 300.0,
    )
    .await;
    let healed = now();
    let after = lab.some("later requests", healed, 20, me).await;
    assert!(after.iter().filter(|seen| seen.millis() >= 400.0).count() <= 2, "still slow");
}

async fn errors(lab: &Lab) {
    let me = |seen: &Seen| server(seen, Member::Payments);
    let broken = |seen: &Seen| me(seen) && status(seen) == "500" && seen.get("error.type") == "DeadlockError";
    lab.check(FaultKind::Errors, Member::Payments, broken, |seen| me(seen) && status(seen) == "200").await;
    let healed = now();
    let after = lab.some("later charges", healed, 8, me).await;
    assert!(!after.iter().any(|seen| status(seen) == "500"), "still failing");
    let trace = &lab.sink.since(0, broken)[0].span.trace_id;
    let exception =
        lab.sink.logs().into_iter().find(|said| said.event == "exception" && said.trace_id == *trace).unwrap();
    assert_eq!((exception.severity, exception.attributes["exception.type"].as_str()), (17, "DeadlockError"));
    assert!(
        exception.attributes.contains_key("exception.message")
            && exception.attributes.contains_key("exception.stacktrace")
    );
}

async fn expired_tokens(lab: &Lab) {
    let repeated = |seen: &Seen| seen.get("http.request.resend_count") == "1";
    lab.check(
        FaultKind::ExpiredTokens,
        Member::Auth,
        |seen| repeated(seen) && status(seen) == "401",
        |seen| server(seen, Member::ApiGateway) && seen.get("http.route") == "/api/cart" && status(seen) == "200",
    )
    .await;
}

async fn rate_limit_burst(lab: &Lab) {
    let limited = |seen: &Seen| server(seen, Member::ApiGateway) && status(seen) == "429";
    lab.check(
        FaultKind::RateLimitBurst,
        Member::Mobile,
        |seen| limited(seen) && seen.get("user_agent.original").starts_with("shop-mobile"),
        |seen| server(seen, Member::ApiGateway) && status(seen) == "200",
    )
    .await;
    // Others are not limited, and later nobody is.
    let innocent = |seen: &Seen| limited(seen) && !seen.get("user_agent.original").starts_with("shop-mobile");
    assert!(lab.sink.since(0, innocent).is_empty());
    tokio::time::sleep(Duration::from_secs(3)).await; // the bucket fills
    let later = now();
    lab.some("later requests", later, 50, |seen| server(seen, Member::ApiGateway)).await;
    assert!(lab.sink.since(later, limited).is_empty());
}

async fn slow_database(lab: &Lab) {
    let me = |seen: &Seen| statement(seen, Member::Orders);
    lab.check(
        FaultKind::SlowDatabase,
        Member::Orders,
        |seen| me(seen) && seen.millis() >= 250.0,
        |seen| me(seen) && seen.millis() < 200.0,
    )
    .await;
}

async fn bus_backlog(lab: &Lab) {
    let me = |seen: &Seen| seen.service() == "notifications" && seen.span.kind() == SpanKind::Consumer;
    let fault = lab.inject(FaultKind::BusBacklog, Member::Notifications).await;
    let depth = |after: i64| {
        let points = lab.sink.points("shop.queue.depth");
        points
            .into_iter()
            .filter(move |point| {
                point.attributes["messaging.consumer.group.name"] == "notifications" && point.time as i64 > after
            })
            .map(|point| point.value)
    };
    lab.some("slow processing", fault.start_time_unix_nano, 2, |seen| me(seen) && seen.millis() >= 3000.0).await;
    eventually("a growing queue", PATIENCE, || depth(fault.start_time_unix_nano).find(|waiting| *waiting >= 3.0)).await;
    lab.heal(&fault).await;
    let healed = now();
    lab.some("quick processing", healed, 3, |seen| me(seen) && seen.millis() < 2000.0).await;
    eventually("a drained queue", PATIENCE, || depth(healed).find(|waiting| *waiting <= 1.0)).await;
}

async fn crash_restart(lab: &Lab) {
    let cart = lab.shop.addresses()[&Member::Cart][0];
    let instance = |time| {
        lab.sink
            .since(time, |seen| server(seen, Member::Cart))
            .last()
            .map(|seen| seen.resource["service.instance.id"].clone())
    };
    let before = instance(0).unwrap();
    let fault = lab.inject(FaultKind::CrashRestart, Member::Cart).await;
    eventually("the server is gone", PATIENCE, || TcpStream::connect(cart).is_err().then_some(())).await;
    let refused =
        |seen: &Seen| seen.get("service.peer.name") == "cart" && seen.get("error.type") == "connection_refused";
    lab.some("refused connections", fault.start_time_unix_nano, 5, refused).await;
    lab.heal(&fault).await;
    let healed = now();
    lab.some("the server is back", healed, 5, |seen| server(seen, Member::Cart) && status(seen) == "200").await;
    assert_ne!(instance(healed).unwrap(), before, "a restart is a new instance");
    TcpStream::connect(cart).unwrap();
}

async fn bad_deploy(lab: &Lab) {
    let version =
        |seen: &Seen, version: &str| server(seen, Member::Catalog) && seen.resource["service.version"] == version;
    lab.check(
        FaultKind::BadDeploy,
        Member::Catalog,
        |seen| version(seen, "1.6.0") && status(seen) == "500",
        |seen| version(seen, "1.5.0") && status(seen) == "200",
    )
    .await;
    let healthy = lab.sink.since(0, |seen| version(seen, "1.4.0") && status(seen) == "500");
    assert!(healthy.is_empty(), "the other instance is not deployed");
    let later = now() + 2_000_000_000;
    lab.some("later requests", later, 10, |seen| server(seen, Member::Catalog)).await;
    assert!(lab.sink.since(later, |seen| version(seen, "1.6.0")).is_empty(), "rolled back");
}

async fn network_delay(lab: &Lab) {
    // The callers' spans grow, the callee's do not.
    let call = |seen: &Seen| seen.get("service.peer.name") == "payments" && status(seen) == "200";
    let fault = lab.inject(FaultKind::NetworkDelay, Member::Payments).await;
    let calls = lab.some("calls", fault.start_time_unix_nano, 5, call).await;
    for client in &calls {
        let pair = |seen: &Seen| seen.span.parent_span_id == client.span.span_id && seen.service() == "payments";
        let served = eventually("the matching server span", PATIENCE, || lab.sink.since(0, pair).pop()).await;
        assert!(client.millis() - served.millis() >= 150.0, "{} - {}", client.millis(), served.millis());
    }
    lab.heal(&fault).await;
    lab.some("quick calls", now(), 3, |seen| call(seen) && seen.millis() < 140.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_orders_are_refused_with_field_and_fix() {
    let sink = Sink::start().await;
    let shop = open(&sink, 0.0).await;
    let lab = Lab { sink, shop };
    let http = reqwest::Client::new();
    for (body, field) in [
        ("{}", "kind"),
        (r#"{"kind":"latency","target":"web"}"#, "target"),
        (r#"{"kind":"latency","duration_seconds":-1}"#, "duration_seconds"),
        ("x", "body"),
    ] {
        let response = http.post(lab.url("/faults")).body(body).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()),
            (400, "application/problem+json")
        );
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["field"], field);
        assert!(!problem["fix"].as_str().unwrap().is_empty());
    }
    let fault = lab.inject(FaultKind::Errors, Member::Cart).await;
    let again = http.post(lab.url("/faults")).body(r#"{"kind":"errors","target":"cart"}"#).send().await.unwrap();
    assert_eq!(again.status(), 409);
    let gone = http.delete(lab.url("/faults/f99")).send().await.unwrap();
    assert_eq!(gone.status(), 404);
    let all: Value = http.delete(lab.url("/faults")).send().await.unwrap().json().await.unwrap();
    assert_eq!(all["healed"][0]["id"], fault.id);
    lab.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shop_closes_in_time_when_nobody_takes_its_telemetry() {
    let sink = Sink::start().await;
    let shop = orrery_demo::start(Config { otlp: "http://127.0.0.1:9".into(), ..config(&sink, 40.0) }).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await; // something to flush
    let started = Instant::now();
    shop.stop().await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_and_a_bad_setting_say_what_to_do() {
    let sink = Sink::start().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = |config| async { format!("{:#}", orrery_demo::start(config).await.err().unwrap()) };
    let message = refused(Config { control: taken.local_addr().unwrap(), ..config(&sink, 1.0) }).await;
    assert!(message.contains("control") && message.contains("port 0"), "{message}");
    let message = refused(Config { rate: -1.0, ..config(&sink, 1.0) }).await;
    assert!(message.starts_with("rate:"), "{message}");
    let mut unreachable = config(&sink, 1.0);
    unreachable.stores.postgres = Some("postgres://postgres@127.0.0.1:9".into());
    let message = refused(unreachable).await;
    assert!(message.contains("stores.postgres"), "{message}");
}
