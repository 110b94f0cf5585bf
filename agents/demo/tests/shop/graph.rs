//! The graph the shop declares against the graph its spans draw.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use orrery_demo::{Edge, EdgeKind};

use crate::sink::{Seen, Sink};
use crate::{eventually, open};

/// What the drawing in the crate documentation shows.
pub(crate) const EDGES: usize = 27;

type Drawn = (String, String, EdgeKind);

/// Every edge the spans draw, with how often.
pub(crate) fn drawn(spans: &[Seen]) -> BTreeMap<Drawn, usize> {
    let by_id: HashMap<_, _> = spans.iter().map(|seen| ((&seen.span.trace_id, &seen.span.span_id), seen)).collect();
    let mut edges = BTreeMap::new();
    for seen in spans {
        let me = seen.service().to_owned();
        let edge = match seen.span.kind() {
            SpanKind::Server => by_id
                .get(&(&seen.span.trace_id, &seen.span.parent_span_id))
                .map(|parent| (parent.service().to_owned(), me, EdgeKind::Call)),
            SpanKind::Client if seen.attributes.contains_key("db.system.name") => {
                Some((me, store(seen), EdgeKind::Database))
            }
            SpanKind::Client if seen.get("service.peer.name").is_empty() => {
                Some((me, seen.get("server.address").to_owned(), EdgeKind::External))
            }
            SpanKind::Producer => Some((me, seen.get("messaging.destination.name").to_owned(), EdgeKind::Publish)),
            SpanKind::Consumer => Some((seen.get("messaging.destination.name").to_owned(), me, EdgeKind::Consume)),
            _ => None,
        };
        if let Some(edge) = edge {
            *edges.entry(edge).or_default() += 1;
        }
    }
    edges
}

fn store(seen: &Seen) -> String {
    let system = seen.get("db.system.name");
    match seen.get("server.address") {
        "" => format!("{system}@{}", seen.get("db.namespace")),
        address => format!("{system}@{address}:{}", seen.get("server.port")),
    }
}

pub(crate) fn declared(edges: &[Edge]) -> BTreeSet<Drawn> {
    edges.iter().map(|edge| (edge.caller.clone(), edge.callee.clone(), edge.kind)).collect()
}

/// Waits until the spans draw every declared edge; panics if they draw another.
pub(crate) async fn check_graph(sink: &Sink, edges: impl Fn() -> Vec<Edge>) {
    let declared = declared(&edges());
    assert_eq!(declared.len(), EDGES, "{declared:#?}");
    let mut missing = BTreeSet::new();
    let complete = eventually("every declared edge", 90, || {
        let drawn: BTreeSet<_> = drawn(&sink.spans()).into_keys().collect();
        missing = declared.difference(&drawn).cloned().collect();
        assert_eq!(drawn.difference(&declared).collect::<Vec<_>>(), Vec::<&Drawn>::new(), "drawn but not declared");
        missing.is_empty().then_some(())
    });
    complete.await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_draw_exactly_the_declared_graph() {
    let sink = Sink::start().await;
    let shop = open(&sink, 40.0).await;
    check_graph(&sink, || shop.graph()).await;
    let graph: serde_json::Value =
        reqwest::get(format!("http://{}/graph", shop.control())).await.unwrap().json().await.unwrap();
    assert_eq!(serde_json::from_value::<Vec<Edge>>(graph["edges"].clone()).unwrap(), shop.graph());
    shop.stop().await;

    // Everything is flushed now.
    let spans = sink.spans();
    check_identities(&spans);
    check_links(&spans);
    check_traces(&spans);
    check_metrics(&sink);
    check_logs(&sink, &spans);
}

fn check_identities(spans: &[Seen]) {
    let mut instances: BTreeMap<&str, BTreeSet<(&str, &str)>> = BTreeMap::new();
    for seen in spans {
        let resource = |key: &str| seen.resource[key].as_str();
        assert_eq!((resource("service.namespace"), resource("deployment.environment.name")), ("shop", "demo"));
        assert!(!resource("host.name").is_empty() && !resource("telemetry.sdk.version").is_empty());
        instances
            .entry(seen.service())
            .or_default()
            .insert((resource("service.version"), resource("service.instance.id")));
    }
    let versions: Vec<_> = instances["catalog"].iter().map(|(version, _)| *version).collect();
    assert_eq!(versions, ["1.4.0", "1.5.0"]);
    assert_eq!(instances.len(), 12, "{instances:?}");
    assert!(instances.iter().all(|(service, lives)| lives.len() == if *service == "catalog" { 2 } else { 1 }));
}

/// Every message is processed in a trace of its own that links to its producer.
pub(crate) fn check_links(spans: &[Seen]) {
    let producers: HashMap<_, _> = spans
        .iter()
        .filter(|seen| seen.span.kind() == SpanKind::Producer)
        .map(|seen| ((seen.span.trace_id.clone(), seen.span.span_id.clone()), seen))
        .collect();
    let consumers: Vec<_> = spans.iter().filter(|seen| seen.span.kind() == SpanKind::Consumer).collect();
    assert!(consumers.len() >= 3);
    for consumer in consumers {
        let link = &consumer.span.links[0];
        let producer = &producers[&(link.trace_id.clone(), link.span_id.clone())];
        assert_eq!(producer.service(), "orders");
        assert_ne!(producer.span.trace_id, consumer.span.trace_id);
        assert!(consumer.span.parent_span_id.is_empty());
        assert_eq!(producer.get("messaging.message.id"), consumer.get("messaging.message.id"));
        assert_eq!(consumer.get("messaging.consumer.group.name"), consumer.service());
        assert_eq!(
            (consumer.get("messaging.operation.type"), producer.get("messaging.operation.type")),
            ("process", "send")
        );
    }
}

fn check_traces(spans: &[Seen]) {
    let ids: BTreeSet<_> = spans.iter().map(|seen| &seen.span.span_id).collect();
    assert_eq!(ids.len(), spans.len(), "span ids are unique");
    let orphans =
        spans.iter().filter(|seen| !seen.span.parent_span_id.is_empty() && !ids.contains(&seen.span.parent_span_id));
    assert_eq!(orphans.map(|seen| (seen.service(), &seen.span.name)).collect::<Vec<_>>(), []);
    for seen in spans.iter().filter(|seen| seen.span.parent_span_id.is_empty()) {
        let root = (seen.service(), seen.span.kind());
        let client = ["web", "mobile", "chatbot"].contains(&root.0);
        assert!(client && root.1 == SpanKind::Internal || root.1 == SpanKind::Consumer, "{root:?} {}", seen.span.name);
    }
    for server in spans.iter().filter(|seen| seen.span.kind() == SpanKind::Server) {
        assert!(
            ["http.request.method", "http.route", "url.path", "server.address"]
                .iter()
                .all(|key| !server.get(key).is_empty())
        );
        assert_eq!(server.get("server.address"), server.service());
    }
}

fn check_metrics(sink: &Sink) {
    for (metric, unit, service) in [
        ("http.server.request.duration", "s", "api-gateway"),
        ("http.client.request.duration", "s", "web"),
        ("db.client.operation.duration", "s", "catalog"),
        ("messaging.process.duration", "s", "shipping"),
        ("messaging.client.sent.messages", "{message}", "orders"),
        ("shop.queue.depth", "{message}", "inventory"),
        ("shop.cart.size", "{item}", "cart"),
        ("shop.orders.placed", "{order}", "orders"),
    ] {
        let points = sink.points(metric);
        assert!(
            points.iter().any(|point| point.service == service && point.unit == unit && point.time > 0),
            "{metric}: {points:?}"
        );
    }
}

fn check_logs(sink: &Sink, spans: &[Seen]) {
    let traces: BTreeSet<_> = spans.iter().map(|seen| &seen.span.trace_id).collect();
    let logs = sink.logs();
    let placed =
        logs.iter().find(|said| said.resource["service.name"] == "orders" && said.body.contains("placed by")).unwrap();
    assert!(
        placed.severity == 9 && traces.contains(&placed.trace_id) && placed.attributes.contains_key("shop.order.id")
    );
    assert!(logs.iter().any(|said| said.body.contains("listening on") && said.trace_id.is_empty()));
}
