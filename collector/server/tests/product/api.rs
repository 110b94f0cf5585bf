//! Every endpoint, on telemetry that came over every transport.

use crate::otlp;
use crate::server::Server;
use serde_json::Value;

/// Ten checkouts, two of them failed, over gRPC, HTTP/protobuf and HTTP/JSON; logs; metrics. Returns when all is queryable.
pub(crate) async fn seeded() -> Server {
    let server = Server::start();
    for number in 1..=10 {
        let request = otlp::checkout(number, number % 5 == 0);
        if number % 2 == 0 {
            otlp::traces_over_grpc(&server, request).await;
        } else {
            otlp::over_http(&server, "traces", &request).await;
        }
    }
    let json = otlp::json_span(0xb0b, 0xb0b, "GET /cart").to_string();
    assert_eq!(otlp::post(&server, "traces", "application/json", json.into_bytes()).await.unwrap(), 200);
    otlp::logs_over_grpc(
        &server,
        otlp::logs("shop-payment", &[(9, "charged"), (17, "charge failed: Card Declined")], Some(otlp::trace_of(5))),
    )
    .await;
    otlp::over_http(&server, "logs", &otlp::logs("shop-checkout", &[(13, "checkout finished")], None)).await;
    otlp::metrics_over_grpc(&server, otlp::metrics("shop-web", 10)).await;
    otlp::over_http(&server, "metrics", &otlp::metrics("shop-web", 70)).await;
    server
        .until("/api/v1/self", |own| {
            let queryable = |signal: &str| own["signals"][signal]["queryable"].as_u64();
            (queryable("traces"), queryable("logs"), queryable("metrics")) == (Some(91), Some(3), Some(8))
        })
        .await;
    server
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().unwrap_or_else(|| panic!("{key} in {value:#}"))
}

fn named<'a>(list: &'a [Value], name: &str) -> &'a Value {
    list.iter().find(|item| item["name"] == name).unwrap_or_else(|| panic!("{name} in {list:#?}"))
}

#[tokio::test]
async fn every_endpoint_answers() {
    let server = seeded().await;
    services(&server).await;
    map(&server).await;
    changes_and_impact(&server).await;
    traces(&server).await;
    asking(&server).await;
    crate::flame::where_time_goes(&server).await;
    span_metrics(&server).await;
    completion(&server).await;
    one_trace(&server).await;
    logs(&server).await;
    metrics(&server).await;
    own(&server).await;
    wrong_questions(&server).await;
    examples(&server).await;
    headers(&server).await;
}

async fn services(server: &Server) {
    let answer = server
        .until("/api/v1/services", |answer| answer["services"].as_array().is_some_and(|all| all.len() >= 5))
        .await;
    let checkout = named(list(&answer, "services"), "shop-checkout");
    assert_eq!(checkout["id"], "shop/shop-checkout@test");
    assert_eq!((checkout["red"]["count"].as_f64(), checkout["red"]["errors"].as_f64()), (Some(10.0), Some(2.0)));
    assert_eq!(checkout["health"], "failing");
    assert_eq!(checkout["versions"], serde_json::json!(["1.2.3"]));
    // Ten calls within the last seconds, asked over a quarter of an hour: the rate is over the time the server has data for.
    assert!(checkout["red"]["rate"].as_f64().unwrap() > 0.05, "{checkout}");

    for id in ["shop%2Fshop-payment%40test", "shop/shop-payment@test"] {
        let detail = server.ok(&format!("/api/v1/services/{id}")).await;
        assert_eq!(detail["node"]["name"], "shop-payment");
        assert_eq!(detail["operations"][0]["name"], "oteldemo.Payment/Charge");
        assert_eq!(detail["errors"][0]["count"], 2, "{detail:#}");
        assert_eq!(list(&detail, "callers").len(), 1);
    }
    let (status, problem) = server.get("/api/v1/services/nobody").await;
    assert_eq!((status, problem["type"].as_str()), (404, Some("orrery:not-found")));
}

async fn map(server: &Server) {
    let map =
        server.until("/api/v1/topology", |map| map["edges"].as_array().is_some_and(|edges| edges.len() >= 7)).await;
    let nodes = list(&map, "nodes");
    let name = |id: &Value| {
        nodes.iter().find(|node| node["id"] == *id).map_or("?", |node| node["name"].as_str().unwrap_or("?")).to_owned()
    };
    let mut edges: Vec<String> = list(&map, "edges")
        .iter()
        .map(|edge| {
            format!("{} -{}-> {}", name(&edge["caller"]), edge["kind"].as_str().unwrap_or("?"), name(&edge["callee"]))
        })
        .collect();
    edges.sort();
    for expected in [
        "shop-web -call-> shop-checkout",
        "shop-checkout -call-> shop-payment",
        "shop-checkout -call-> api.rates.example",
        "shop-checkout -publish-> orders",
        "orders -consume-> shop-worker",
    ] {
        assert!(edges.iter().any(|edge| edge == expected), "{expected} in {edges:#?}");
    }
    assert!(edges.iter().any(|edge| edge.starts_with("shop-checkout -database->")), "{edges:#?}");
    assert_eq!(map["environments"], serde_json::json!(["test"]));
    let other = server.ok("/api/v1/topology?environment=production").await;
    assert!(list(&other, "nodes").is_empty(), "{other:#}");
    assert_eq!(other["environments"], serde_json::json!(["test"]), "a filter is no dead end");
    // A time before there was anything.
    let past = server.ok("/api/v1/topology?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z").await;
    assert!(list(&past, "nodes").is_empty());
}

async fn changes_and_impact(server: &Server) {
    let impact = server.ok("/api/v1/topology/impact?node=shop/shop-payment%40test").await;
    assert_eq!(
        (impact["failures"].as_f64(), impact["origins"][0]["node"].as_str()),
        (Some(2.0), Some("shop/shop-payment@test"))
    );
    let checkout = list(&impact, "affected").iter().find(|found| found["node"] == "shop/shop-checkout@test").unwrap();
    assert_eq!(
        (checkout["failures"].as_f64(), checkout["share"].as_f64(), checkout["hops"].as_u64()),
        (Some(2.0), Some(0.2), Some(1))
    );
    let (status, problem) = server.get("/api/v1/topology/impact?node=nobody").await;
    assert_eq!((status, problem["type"].as_str()), (404, Some("orrery:not-found")));
    let (status, problem) = server.get("/api/v1/topology/impact").await;
    assert_eq!((status, problem["field"].as_str()), (400, Some("node")));

    let map = server.ok("/api/v1/topology").await;
    let itself = server.ok("/api/v1/topology/diff?compare_from=now-15m&compare_to=now").await;
    assert_eq!(list(&itself, "nodes").len(), list(&map, "nodes").len());
    assert!(list(&itself, "changes").is_empty() && itself["partial"].is_null(), "{itself:#}");
    let sides = &list(&itself, "edges")[0];
    assert_eq!(sides["before"]["red"]["count"], sides["now"]["red"]["count"]);
    let before = server.ok("/api/v1/topology/diff").await;
    assert!(
        list(&before, "changes").is_empty()
            && before["partial"].as_str().is_some_and(|why| why.contains("compared with"))
    );
    let (status, problem) = server.get("/api/v1/topology/diff?compare_from=now&compare_to=now-1h").await;
    assert_eq!((status, problem["field"].as_str()), (400, Some("compare_from")));
}

async fn traces(server: &Server) {
    let count = async |query: &str| list(&server.ok(&format!("/api/v1/traces?{query}")).await, "traces").len();
    assert_eq!(count("").await, 21, "ten checkouts, ten of the worker, one over JSON");
    assert_eq!(count("service=shop-payment").await, 10);
    assert_eq!(count("service=shop/shop-payment%40test&status=error").await, 2);
    assert_eq!(count("service=shop-payment&status=ok").await, 8);
    assert_eq!(count("operation=GET%20/cart").await, 1);
    assert_eq!(count("min_duration=90ms&max_duration=105ms&service=shop-checkout").await, 10);
    assert_eq!(count("min_duration=5s").await, 0);
    assert_eq!(count("attr=http.route=/orders").await, 10);
    assert_eq!(count("attr=http.route=/orders&attr=service.version=9").await, 0);
    assert_eq!(count("attr=session.id=42").await, 1);
    assert_eq!(count("attr=rpc.system.name=grpc&service=shop-checkout").await, 10, "old and new names are one field");

    // Pages: newest first, without gap or repetition.
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.ok(&format!("/api/v1/traces?limit=4&from=now-10m&to=now&cursor={cursor}")).await;
        seen.extend(
            list(&page, "traces")
                .iter()
                .map(|trace| (trace["start_time_unix_nano"].clone(), trace["trace_id"].clone())),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = form_urlencoded::byte_serialize(next.as_bytes()).collect(),
            None => break,
        }
        assert!(seen.len() <= 21, "pages repeat");
    }
    assert_eq!(seen.len(), 21);
    let distinct: std::collections::HashSet<String> = seen.iter().map(|(_, id)| id.to_string()).collect();
    assert_eq!(distinct.len(), 21);

    let values = server.ok("/api/v1/values?key=http.route&prefix=/o").await;
    assert_eq!(values["values"][0]["value"], "/orders", "{values}");
    let values = server.ok("/api/v1/values?key=service.name&signal=logs").await;
    assert_eq!(list(&values, "values").len(), 2, "{values}");
}

/// A parameter's value in an address.
fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

async fn asking(server: &Server) {
    let ask = async |q: &str, more: &str| server.ok(&format!("/api/v1/traces?q={}{more}", escaped(q))).await;
    let failed = ask("{ .service.name = \"shop-payment\" && status = error }", "").await;
    assert_eq!(failed["query"], "{ .service.name = \"shop-payment\" && span:status = error }");
    assert_eq!((list(&failed, "traces").len(), &failed["sort"]), (2, &"time".into()));
    assert!(failed["scanned"]["rows"].as_u64().unwrap() >= 91, "{failed}");
    let trace = &failed["traces"][0];
    assert_eq!((trace["matched_span_count"].as_u64(), trace["span_count"].as_u64()), (Some(1), Some(8)));
    assert_eq!(trace["spansets"][0]["spans"][0]["span_id"], trace["matched_span_id"]);

    let q = "{ name = \"POST /checkout\" } >> { .db.system = \"postgresql\" } | select(span.db.name, duration)";
    let selects = ask(q, "&limit=1").await;
    let span = &selects["traces"][0]["spansets"][0]["spans"][0];
    assert_eq!(span["service"]["name"], "shop-checkout");
    let selected = serde_json::json!([
        { "name": "span.db.name", "value": "shop" },
        { "name": "span:duration", "value": { "durationNanos": "5000000" } },
    ]);
    assert_eq!(span["selected"], selected);
    assert_eq!(list(&ask(q, "").await, "traces").len(), 10);

    let grouped = ask("{ } | by(resource.service.name) | count() > 1", "&limit=1").await;
    let spansets = list(&grouped["traces"][0], "spansets");
    assert!(spansets.len() > 1 && spansets[0]["values"][1]["name"] == "count()", "{grouped:#}");
    let grouped = ask("{ } | by(resource.service.name) | count() > 1", "&limit=1&status=ok").await;
    assert_eq!(list(&grouped["traces"][0], "spansets").len(), 1, "{grouped:#}");
    assert_eq!(grouped["query"], "{ span:status != error } | { } | by(resource.service.name) | count() > 1");

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ask("{ }", &format!("&sort=duration&limit=6&from=now-10m&to=now&cursor={cursor}")).await;
        let duration = |trace: &Value| trace["duration_nanos"].as_str().unwrap().parse::<i64>().unwrap();
        seen.extend(list(&page, "traces").iter().map(|trace| (duration(trace), trace["trace_id"].to_string())));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = escaped(next),
            None => break,
        }
        assert!(seen.len() <= 21, "pages repeat");
    }
    assert!(seen.len() == 21 && seen.is_sorted_by(|a, b| a > b), "{seen:?}");

    for (path, offset, length, hint) in [
        ("/api/v1/traces?q=", "{ name = \"한\" && duration > \"5ms\" }", 27, "write 5ms, without quotes"),
        ("/api/v1/traces?q=", "{ name =~ \"(\" }", 10, "put a backslash"),
        ("/api/v1/traces?q=", "{ } | rate()", 0, "remove what follows"),
        ("/api/v1/traces/series?q=", "{ status = error }", 0, "append for example | rate()"),
        ("/api/v1/traces/values?key=", "service.name", 0, "say span.service.name"),
    ]
    .map(|(path, q, offset, hint)| (format!("{path}{}", escaped(q)), offset, q.len(), hint))
    {
        let (status, problem) = server.get(&path).await;
        assert_eq!((status, &problem["type"]), (400, &"orrery:invalid-query".into()), "{problem}");
        assert_eq!(problem["place"]["offset"], offset, "{problem}");
        assert!(problem["place"]["length"].as_u64().is_some_and(|part| part as usize <= length), "{problem}");
        assert!(problem["hint"].as_str().unwrap().starts_with(hint), "{problem}");
    }
}

async fn span_metrics(server: &Server) {
    let ask = async |q: &str| server.ok(&format!("/api/v1/traces/series?from=now-1h&step=30m&q={}", escaped(q))).await;
    let counted = ask("{ status = error } | count_over_time() by (resource.service.name)").await;
    let series = list(&counted, "series");
    let payment = series.iter().find(|series| series["labels"][0]["value"] == "shop-payment").unwrap();
    let sum = |series: &Value| list(series, "values").iter().filter_map(Value::as_f64).sum::<f64>();
    assert_eq!((sum(payment), list(payment, "values").len(), &counted["unit"]), (2.0, 2, &"{span}".into()));
    let slow = ask("{ name = \"POST /checkout\" } | quantile_over_time(duration, .5) with (exemplars = true)").await;
    assert_eq!((&slow["unit"], &slow["series"][0]["labels"][0]["name"]), (&"s".into(), &"quantile".into()));
    let (value, exemplar) = (&slow["series"][0]["values"][1], &slow["series"][0]["exemplars"][0]);
    assert!((value.as_f64().unwrap() - 0.12).abs() < 0.002, "{slow}");
    assert_eq!(exemplar["trace_id"].as_str().map(str::len), Some(32));
    let buckets = ask("{ kind = server } | histogram_over_time(duration)").await;
    let all: f64 = list(&buckets, "series").iter().map(sum).sum();
    let servers = ask("{ kind = server } | count_over_time()").await;
    assert_eq!(all, sum(&servers["series"][0]), "{buckets}");
    let compared = ask("{ } | compare({ status = error })").await;
    let comparison = &compared["comparison"];
    assert_eq!(
        comparison["spans"]["selection"].as_f64().unwrap() + comparison["spans"]["baseline"].as_f64().unwrap(),
        91.0
    );
    let differences: Vec<f64> =
        list(comparison, "fields").iter().map(|field| field["difference"].as_f64().unwrap()).collect();
    assert!(differences[0] > 0.5 && differences.is_sorted_by(|a, b| a >= b), "{differences:?}");
    assert_eq!(server.get("/api/v1/traces/series?q=%7B%7D%7Crate()&step=1ns").await.1["field"], "step");
}

async fn completion(server: &Server) {
    let keys = server.ok("/api/v1/traces/keys?prefix=http.r").await;
    let route = list(&keys, "keys").iter().find(|key| key["key"] == "span.http.route").unwrap();
    assert_eq!((&route["scope"], &route["types"]), (&"span".into(), &serde_json::json!(["text"])));
    let resource = server.ok("/api/v1/traces/keys?scope=resource").await;
    assert!(list(&resource, "keys").iter().any(|key| key["key"] == "resource.service.name"), "{resource}");
    let values = server.ok("/api/v1/traces/values?key=span.http.route&prefix=/o").await;
    assert_eq!(values["values"], serde_json::json!([{ "value": "/orders", "span_count": 10 }]));
    let kinds = server.ok("/api/v1/traces/values?key=kind").await;
    assert_eq!((&kinds["key"], list(&kinds, "values").len()), (&"span:kind".into(), 4));
}

async fn one_trace(server: &Server) {
    let id = format!("{:032x}", otlp::trace_of(5));
    let trace = server.ok(&format!("/api/v1/traces/{}", id.to_uppercase())).await;
    let spans = list(&trace, "spans");
    assert_eq!(spans.len(), 8);
    assert_eq!((list(&trace, "services").len(), list(&trace, "resources").len()), (3, 3));
    let starts: Vec<i64> =
        spans.iter().map(|span| span["start_time_unix_nano"].as_str().unwrap().parse().unwrap()).collect();
    assert!(starts.is_sorted());
    let charge =
        spans.iter().find(|span| span["name"] == "oteldemo.Payment/Charge" && span["kind"] == "server").unwrap();
    assert_eq!(charge["status_code"], "error");
    assert_eq!(charge["status_message"], "card declined");
    assert_eq!(charge["events"][0]["attributes"]["exception.type"], "ValueError");
    assert_eq!(
        charge["attributes"]["amount"],
        serde_json::json!({ "intValue": "9007199254740993" }),
        "64 bits survive"
    );
    let worker = server.ok(&format!("/api/v1/traces/{:032x}", otlp::trace_of(5) ^ (1 << 100))).await;
    assert_eq!(worker["spans"][0]["links"][0]["trace_id"], id);
    columns(server, &id, spans).await;
    downloads(server, &id, spans).await;
    for missing in ["", "/columns", "/spans/00000000000000ff"] {
        assert_eq!(server.get(&format!("/api/v1/traces/{:032x}{missing}", 0xdead)).await.0, 404);
    }
    assert_eq!(server.get(&format!("/api/v1/traces/{id}/spans/xyz")).await.1["field"], "span_id");
    assert_eq!(server.get("/api/v1/traces/xyz/columns").await.1["field"], "trace_id");
    assert_eq!(server.get("/api/v1/traces/xyz").await.1["field"], "trace_id");
}

/// The same trace as columns, and its spans one by one.
async fn columns(server: &Server, id: &str, spans: &[Value]) {
    let whole = format!("{}/api/v1/traces/{id}", server.http);
    let url = format!("{whole}/columns");
    let packed = |url: &str| reqwest::Client::new().get(url).header("accept-encoding", "br").send();
    assert_eq!(packed(&whole).await.unwrap().headers()["content-encoding"], "br");
    let answer = packed(&url).await.unwrap();
    assert_eq!(answer.headers()["content-type"], orrery_api::columns::MEDIA);
    assert!(!answer.headers().contains_key("content-encoding"), "packing ids takes longer than sending them");
    let bytes = reqwest::get(&url).await.unwrap().bytes().await.unwrap();
    let trace = orrery_api::TraceColumns::decode(&bytes).unwrap();
    assert_eq!((trace.len(), trace.services.len(), &trace.partial), (spans.len(), 3, &None));
    for (at, span) in spans.iter().enumerate() {
        let text = |name: &str| span[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(format!("{:016x}", trace.span_id[at]), text("span_id"));
        assert_eq!(trace.names[trace.name[at] as usize], text("name"));
        assert_eq!(trace.duration_nanos[at].to_string(), text("duration_nanos"));
        let parent = spans.iter().position(|other| other["span_id"] == span["parent_span_id"]);
        assert_eq!(trace.parent[at], parent.map_or(orrery_api::TraceColumns::NO_PARENT, |parent| parent as u32));
        let detail = server.ok(&format!("/api/v1/traces/{id}/spans/{}", text("span_id"))).await;
        assert_eq!(detail["span"]["attributes"], span["attributes"]);
        assert_eq!(detail["service"]["name"].as_str(), Some(trace.services[trace.service[at] as usize].name.as_str()));
    }
}

/// What is downloaded can be sent to another server, which then says the same.
async fn downloads(server: &Server, id: &str, spans: &[Value]) {
    let other = Server::start();
    let file = server.ok(&format!("/api/v1/traces/{id}/otlp")).await;
    let status = otlp::post(&other, "traces", "application/json", file.to_string().into_bytes()).await.unwrap();
    assert_eq!(status, 200);
    let path = format!("/api/v1/traces/{id}");
    let there = other.until(&path, |trace| trace["spans"].as_array().is_some_and(|all| all.len() == spans.len())).await;
    for (sent, received) in spans.iter().zip(list(&there, "spans")) {
        for field in [
            "span_id",
            "parent_span_id",
            "name",
            "kind",
            "attributes",
            "events",
            "links",
            "duration_nanos",
            "status_code",
        ] {
            assert_eq!(sent[field], received[field], "{field} of {sent:#}");
        }
    }
    let jaeger = &server.ok(&format!("/api/v1/traces/{id}/jaeger")).await["data"][0];
    assert_eq!((jaeger["traceID"].as_str(), list(jaeger, "spans").len()), (Some(id), spans.len()));
    for span in list(jaeger, "spans") {
        let process = &jaeger["processes"][span["processID"].as_str().unwrap()];
        assert!(process["serviceName"].as_str().is_some_and(|name| name.starts_with("shop-")), "{process}");
    }
    let failed = |span: &&Value| list(span, "tags").iter().any(|tag| tag["key"] == "error" && tag["value"] == true);
    assert!(list(jaeger, "spans").iter().any(|span| failed(&span)), "{jaeger:#}");
}

async fn logs(server: &Server) {
    let count = async |query: &str| list(&server.ok(&format!("/api/v1/logs?{query}")).await, "logs").len();
    assert_eq!(count("").await, 3);
    assert_eq!(count("severity=warn").await, 2);
    assert_eq!(count("text=card%20declined").await, 1);
    assert_eq!(count("service=shop-checkout").await, 1);
    assert_eq!(count(&format!("trace_id={:032x}", otlp::trace_of(5))).await, 2);
    assert_eq!(count("attr=order.id=o-1").await, 3);
    let first = &server.ok("/api/v1/logs?severity=error").await["logs"][0];
    assert_eq!((first["severity"].as_str(), first["severity_number"].as_u64()), (Some("error"), Some(17)));
    assert_eq!(first["service"]["id"], "shop/shop-payment@test");
    let histogram = server.ok("/api/v1/logs/histogram?buckets=10").await;
    let counted: u64 = list(&histogram, "buckets")
        .iter()
        .flat_map(|bucket| bucket["counts"].as_object().unwrap().values())
        .filter_map(Value::as_u64)
        .sum();
    assert_eq!(counted, 3, "{histogram}");
}

async fn metrics(server: &Server) {
    let names = server.ok("/api/v1/metrics/names").await;
    let orders = named(list(&names, "metrics"), "shop.orders");
    assert_eq!(
        (orders["kind"].as_str(), orders["unit"].as_str(), orders["is_monotonic"].as_bool()),
        (Some("sum"), Some("{order}"), Some(true))
    );
    let range = async |query: &str| server.ok(&format!("/api/v1/metrics/range?{query}")).await;
    let gauge = range("name=system.cpu.utilization&group_by=cpu.mode").await;
    let user = list(&gauge, "series").iter().find(|series| series["group"]["cpu.mode"] == "user");
    assert_eq!(user.map(|user| &user["points"][0]["value"]), Some(&serde_json::json!(0.25)), "{gauge}");
    assert_eq!(list(&range("name=nothing").await, "series").len(), 0);
    for query in [
        "name=shop.orders",
        "name=shop.orders&aggregation=sum",
        "name=http.server.request.duration&aggregation=p95",
        "name=system.cpu.utilization&aggregation=max&step=1m&service=shop-web",
    ] {
        let answer = range(query).await;
        assert!(answer["series"].is_array(), "{query}: {answer}");
    }
    let hosts = server.ok("/api/v1/hosts").await;
    let host = named(list(&hosts, "hosts"), "node-a");
    assert_eq!(host["cpu_utilization"], 0.25, "{host}");
}

async fn own(server: &Server) {
    let own = server.ok("/api/v1/self").await;
    let traces = &own["signals"]["traces"];
    assert_eq!(
        (traces["accepted"].as_u64(), traces["durable"].as_u64(), traces["queryable"].as_u64()),
        (Some(91), Some(91), Some(91)),
        "{own:#}"
    );
    assert!(own["rss_bytes"].as_u64().unwrap() > 1 << 20);
    assert!(own["cpu_seconds"].as_f64().unwrap() > 0.0);
    assert!(own["disk_bytes"].as_u64().unwrap() > 0 && own["disk_free_bytes"].as_u64().unwrap() > 0);
    assert_eq!(own["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(own["warnings"], serde_json::json!([]), "{own:#}");
    assert_eq!(server.get("/healthz").await.0, 200);
    assert_eq!(server.get("/readyz").await.0, 200);
}

async fn wrong_questions(server: &Server) {
    for (path, field) in [
        ("/api/v1/traces?servise=x", "servise"),
        ("/api/v1/traces?min_duration=fast", "min_duration"),
        ("/api/v1/traces?status=bad", "status"),
        ("/api/v1/traces?limit=0", "limit"),
        ("/api/v1/traces?from=now&to=now-1h", "from"),
        ("/api/v1/traces?from=1700000000", "from"),
        ("/api/v1/traces?attr=x", "attr"),
        ("/api/v1/traces?cursor=garbage", "cursor"),
        ("/api/v1/traces?sort=beauty", "sort"),
        ("/api/v1/traces?q=%7B", "q"),
        ("/api/v1/traces/series", "q"),
        ("/api/v1/traces/keys?scope=trace", "scope"),
        ("/api/v1/traces/values", "key"),
        ("/api/v1/logs?severity=loud", "severity"),
        ("/api/v1/logs?span_id=1", "span_id"),
        ("/api/v1/logs/tail?severity=loud", "severity"),
        ("/api/v1/metrics/range", "name"),
        ("/api/v1/metrics/range?name=x&aggregation=p101", "aggregation"),
        ("/api/v1/metrics/range?name=x&step=0s", "step"),
        ("/api/v1/values", "key"),
        ("/api/v1/self?x=1", "x"),
    ] {
        let (status, problem) = server.get(path).await;
        assert_eq!((status, problem["field"].as_str()), (400, Some(field)), "{path}: {problem}");
        assert!(!problem["detail"].as_str().unwrap().is_empty() && problem["status"] == 400);
        assert!(!problem["request_id"].as_str().unwrap().is_empty());
    }
    assert_eq!(server.get("/api/v1/nothing").await.0, 404);
    let post = reqwest::Client::new().post(format!("{}/api/v1/services", server.http)).send().await.unwrap();
    assert_eq!((post.status().as_u16(), post.headers()["allow"].to_str().unwrap()), (405, "GET,HEAD"));
}

/// Each example in the OpenAPI document is a question the server understands.
async fn examples(server: &Server) {
    let document = server.ok("/api/v1/openapi.json").await;
    for (path, item) in document["paths"].as_object().unwrap() {
        if path.ends_with("/live") || path.ends_with("/tail") || item["get"].is_null() {
            continue;
        }
        let (mut path, mut query) = (path.clone(), form_urlencoded::Serializer::new(String::new()));
        for parameter in item["get"]["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let example = &parameter["example"];
            let Some(example) = example.as_str().or_else(|| example[0].as_str()) else { continue };
            if parameter["in"] == "path" {
                path = path.replace(
                    &format!("{{{name}}}"),
                    &form_urlencoded::byte_serialize(example.as_bytes()).collect::<String>(),
                );
            } else {
                query.append_pair(name, example);
            }
        }
        let asked = format!("{path}?{}", query.finish());
        let (status, body) = server.get(&asked).await;
        assert!(matches!(status, 200 | 404), "{asked}: {status} {body}");
    }
}

async fn headers(server: &Server) {
    let client = reqwest::Client::new();
    let answer =
        client.get(format!("{}/api/v1/services", server.http)).header("accept-encoding", "gzip").send().await.unwrap();
    let header =
        |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    assert!(header("content-security-policy").contains("'wasm-unsafe-eval'"));
    assert!(header("content-security-policy").contains("frame-ancestors 'none'"));
    assert_eq!((header("x-content-type-options"), header("referrer-policy")), ("nosniff".into(), "no-referrer".into()));
    assert_eq!(header("content-encoding"), "gzip");
    assert!(!header("x-request-id").is_empty());
    let foreign =
        client.get(format!("{}/api/v1/services", server.http)).header("host", "evil.example").send().await.unwrap();
    assert_eq!(foreign.status().as_u16(), 403, "DNS rebinding");
    // Every path that is not the API's is the dashboard's page: its views are the browser's business.
    for path in ["/", "/services/shop", "/traces?from=now-1h"] {
        let page = client.get(format!("{}{path}", server.http)).send().await.unwrap();
        assert_eq!(
            (page.status().as_u16(), page.headers()["content-type"].to_str().unwrap()),
            (200, "text/html; charset=utf-8"),
            "{path}"
        );
    }
    assert_eq!(client.get(format!("{}/assets/none.js", server.http)).send().await.unwrap().status().as_u16(), 404);
}
