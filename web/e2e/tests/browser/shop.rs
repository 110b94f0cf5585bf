//! Traces of which everything is known: 250 checkouts, one a second until now.

use crate::product::Product;
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Traces, and how many of them fail.
pub(crate) const TRACES: u64 = 250;
pub(crate) const FAILED: u64 = TRACES / 10;

/// Id of a trace. The one begun last, `TRACES - 1`, takes longest.
pub(crate) fn trace_id(at: u64) -> String {
    format!("{:032x}", at + 1)
}

/// Sends them and waits until all can be found.
pub(crate) async fn send(product: &Product) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
    let begin = |at: u64| now - (TRACES - at) * 1_000_000_000;
    let roots: Vec<Value> = (0..TRACES).map(|at| root(at, begin(at))).collect();
    let charges: Vec<Value> = (0..TRACES).map(|at| charge(at, begin(at))).collect();
    let body = json!({ "resourceSpans": [of_service("frontend", roots), of_service("cart", charges)] });
    let answer = reqwest::Client::new().post(format!("{}/v1/traces", product.otlp)).json(&body).send().await?;
    ensure!(answer.status().is_success(), "the receiver says {}", answer.status());
    let deadline = Instant::now() + Duration::from_secs(90);
    while product.get("/api/v1/self").await?["signals"]["traces"]["queryable"].as_u64() < Some(2 * TRACES) {
        ensure!(Instant::now() < deadline, "not queryable within 90 s");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

fn of_service(name: &str, spans: Vec<Value>) -> Value {
    json!({ "resource": { "attributes": [text("service.name", name)] }, "scopeSpans": [{ "scope": { "name": "shop" }, "spans": spans }] })
}

fn root(at: u64, begin: u64) -> Value {
    span(at, 1, "", "GET /checkout", 2, begin, (at + 1) * 1_000_000, &[text("http.route", "/checkout")])
}

fn charge(at: u64, begin: u64) -> Value {
    let failed = at.is_multiple_of(10);
    let attributes = [
        text("customer.tier", if at.is_multiple_of(4) { "gold" } else { "silver" }),
        json!({ "key": "cart.items", "value": { "intValue": (at % 7).to_string() } }),
    ];
    let mut span =
        span(at, 2, &format!("{:016x}", at * 10 + 1), "charge card", 3, begin + 1_000, (at + 1) * 500_000, &attributes);
    if failed {
        span["status"] = json!({ "code": 2, "message": "card declined" });
    }
    span
}

#[allow(clippy::too_many_arguments, reason = "a span has as many parts")]
fn span(
    at: u64,
    number: u64,
    parent: &str,
    name: &str,
    kind: u32,
    begin: u64,
    nanos: u64,
    attributes: &[Value],
) -> Value {
    json!({
        "traceId": trace_id(at), "spanId": format!("{:016x}", at * 10 + number), "parentSpanId": parent, "name": name, "kind": kind,
        "startTimeUnixNano": begin.to_string(), "endTimeUnixNano": (begin + nanos).to_string(), "attributes": attributes,
    })
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}
