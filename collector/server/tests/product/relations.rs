//! What a trace has to do with others, with files, and with retention.

use crate::api::seeded;
use crate::otlp::{self, trace_of};
use crate::server::{Server, data_dir};
use serde_json::{Value, json};

async fn said(server: &Server, verb: &str, path: &str, body: Option<String>) -> (u16, Value) {
    let client = reqwest::Client::new();
    let request = client.request(verb.parse().unwrap(), format!("{}{path}", server.http));
    let request = match body {
        Some(body) => request.body(body),
        None => request,
    };
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

fn path(trace: u128, rest: &str) -> String {
    format!("/api/v1/traces/{trace:032x}{rest}")
}

fn strings<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().filter_map(|item| item[key].as_str()).collect()
}

#[tokio::test]
async fn a_trace_among_others() {
    let server = seeded().await;

    // Who links to it.
    let links = server.ok(&path(trace_of(5), "/links")).await;
    let link = &links["links"][0];
    assert_eq!((links["links"].as_array().unwrap().len(), &links["partial"]), (1, &Value::Null), "{links:#}");
    assert_eq!(link["trace_id"], format!("{:032x}", trace_of(5) ^ (1 << 100)));
    assert_eq!((&link["name"], &link["service"]["name"]), (&json!("process orders"), &json!("shop-worker")));
    assert_eq!(link["to_span_ids"], json!([format!("{:016x}", (5_u64 << 8) + 7)]));
    assert_eq!(server.ok(&path(0xdead, "/links")).await["links"], json!([]));

    // Where a duration stands.
    let standing = |duration: &str| {
        let of = "service=shop%2Fshop-web%40test&operation=POST%20%2Fcheckout&kind=server";
        format!("/api/v1/standing?from=now-1h&{of}&duration={duration}")
    };
    let slow = server.ok(&standing("1s")).await;
    assert_eq!((&slow["red"]["count"], &slow["at_least"], &slow["about"]), (&json!(10.0), &json!(1.0), &json!(1.0)));
    let fast = server.ok(&standing("1ms")).await;
    assert_eq!((&fast["at_most"], &fast["about"]), (&json!(0.0), &json!(0.0)));
    let own = server.ok(&standing("120ms")).await;
    assert!(own["at_least"].as_f64() <= own["about"].as_f64() && own["about"].as_f64() <= own["at_most"].as_f64());
    let unknown = server.ok("/api/v1/standing?service=x&operation=y&duration=1ms").await;
    assert_eq!((&unknown["red"]["count"], &unknown["at_most"]), (&json!(0.0), &json!(1.0)));
    let (status, wrong) = server.get("/api/v1/standing?service=x&operation=y&duration=1ms&kind=clown").await;
    assert_eq!((status, &wrong["field"]), (400, &json!("kind")));

    // Beside another.
    let diff = server.ok(&path(trace_of(5), "/diff?with=typical")).await;
    assert_eq!((&diff["before"]["error_count"], &diff["now"]["root_name"]), (&json!(0), &json!("POST /checkout")));
    assert_ne!(diff["before"]["trace_id"], diff["now"]["trace_id"]);
    let rows = diff["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 8, "{diff:#}");
    let of = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    assert_eq!(of("POST /checkout")["change"], "more_errors");
    assert_eq!(of("SELECT shop.cart")["change"], "same");
    assert_eq!(of("oteldemo.Payment/Charge")["now"]["errors"], 1);
    let other = server.ok(&path(trace_of(5), &format!("/diff?with={:032x}", 0xb0b))).await;
    let changes = strings(&other["rows"], "change");
    assert_eq!(changes.iter().filter(|change| **change == "gone").count(), 1, "{other:#}");
    assert_eq!(changes.iter().filter(|change| **change == "new").count(), 8);
    let (status, wrong) = server.get(&path(trace_of(5), "/diff?with=xyz")).await;
    assert_eq!((status, &wrong["field"]), (400, &json!("with")));
    assert_eq!(server.get(&path(trace_of(5), "/diff?with=0000000000000000000000000000dead")).await.0, 404);
    assert_eq!(server.get(&path(0xdead, "/diff?with=typical")).await.0, 404);
    let alone = server.get(&path(0xb0b, "/diff?with=typical")).await;
    assert_eq!(alone.0, 404, "there is no other of its kind");
    assert!(alone.1["detail"].as_str().unwrap().contains("Choose one by its id"), "{}", alone.1);
}

#[tokio::test]
async fn a_file_is_shown_as_it_would_be_if_it_were_stored() {
    let server = seeded().await;
    let stored = server.ok(&path(trace_of(5), "")).await;
    let before = server.ok("/api/v1/self").await["signals"]["traces"]["accepted"].clone();

    let file = server.ok(&path(trace_of(5), "/otlp")).await.to_string();
    let (status, shown) = said(&server, "POST", "/api/v1/traces/view", Some(file)).await;
    assert_eq!((status, &shown), (200, &stored));

    let file = server.ok(&path(trace_of(5), "/jaeger")).await.to_string();
    let (status, shown) = said(&server, "POST", "/api/v1/traces/view", Some(file)).await;
    assert_eq!((status, shown["trace_id"].clone()), (200, stored["trace_id"].clone()));
    let (shown, stored) = (shown["spans"].as_array().unwrap(), stored["spans"].as_array().unwrap());
    assert_eq!(shown.len(), stored.len());
    let micros = |span: &Value, field: &str| span[field].as_str().unwrap().parse::<i64>().unwrap() / 1000;
    for sent in stored {
        let got = shown.iter().find(|span| span["span_id"] == sent["span_id"]).unwrap();
        for field in ["parent_span_id", "name", "kind", "status_code", "status_message", "attributes", "scope_name"] {
            assert_eq!(sent[field], got[field], "{field} of {sent:#} and {got:#}");
        }
        for field in ["start_time_unix_nano", "duration_nanos"] {
            assert!((micros(sent, field) - micros(got, field)).abs() <= 1, "{field}");
        }
        assert_eq!(sent["events"][0]["attributes"], got["events"][0]["attributes"]);
    }

    let (status, wrong) = said(&server, "POST", "/api/v1/traces/view", Some("{".into())).await;
    assert_eq!((status, &wrong["field"]), (400, &json!("body")), "{wrong}");
    let (status, _) = said(&server, "POST", "/api/v1/traces/view", Some(" ".repeat(33 << 20))).await;
    assert_eq!(status, 400, "too large");
    assert_eq!(server.ok("/api/v1/self").await["signals"]["traces"]["accepted"], before, "nothing is stored");
}

#[tokio::test]
async fn a_pinned_trace_survives_a_kill() {
    let (_temp, dir) = data_dir();
    let mut server = Server::start_in(&dir);
    let span = otlp::json_span(0xb0b, 0xb0b, "GET /cart").to_string();
    otlp::post(&server, "traces", "application/json", span.into_bytes()).await.unwrap();
    server.until("/api/v1/self", |own| own["signals"]["traces"]["queryable"] == 1).await;

    let (status, pinned) = said(&server, "PUT", &path(0xb0b, "/pin"), None).await;
    assert_eq!((status, &pinned["span_count"], &pinned["root_name"]), (200, &json!(1), &json!("GET /cart")));
    assert_eq!(said(&server, "PUT", &path(0xdead, "/pin"), None).await.0, 404);
    assert_eq!(said(&server, "DELETE", &path(0xdead, "/pin"), None).await.0, 404);
    let list = server.ok("/api/v1/pins").await;
    assert_eq!((&list["pins"][0], &list["bytes"], &list["limit"]), (&pinned, &pinned["bytes"], &json!(1000)));
    let foreign = reqwest::Client::new()
        .put(format!("{}{}", server.http, path(0xb0b, "/pin")))
        .header("origin", "http://evil.example");
    assert_eq!(foreign.send().await.unwrap().status().as_u16(), 403);

    server.kill();
    let server = Server::start_in(&dir);
    assert_eq!(server.ok("/api/v1/pins").await, list);
    server.until(&path(0xb0b, ""), |trace| trace["spans"].as_array().is_some_and(|spans| spans.len() == 1)).await;
    let (status, left) = said(&server, "DELETE", &path(0xb0b, "/pin"), None).await;
    assert_eq!((status, &left["pins"]), (200, &json!([])));
    assert_eq!(server.ok("/api/v1/traces").await["traces"][0]["span_count"], 1, "its rows stay with the others");
}
