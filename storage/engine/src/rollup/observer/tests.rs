//! Scenarios: spans in, edges out, in every order of arrival.
//!
//! A span is a line `id parent service kind start+duration flags…`, times in milliseconds, `-` for no parent. An id
//! may name its trace (`2/a`), a service its environment (`web@prod`). Flags: `error`, `ok`, `key=value` attributes, `link=1/p`, `th=8`, `local` (the parent
//! is in the same process), `exception=Type:message`.

use super::*;
use crate::rollup::rows::{EdgeKey, EdgeRow};
use expect_test::{Expect, expect};
use orrery_model::{SpanId, SpanKind, TraceId, Value};
use std::collections::BTreeMap;
use std::fmt::Write;

pub(crate) const MS: i64 = 1_000_000;
pub(crate) const START: i64 = 1_700_000_000_000 * MS;

fn span_id(text: &str) -> (TraceId, SpanId) {
    let (trace, span) = text.split_once('/').unwrap_or(("1", text));
    let mut bytes = [0; 16];
    bytes[15] = trace.parse().expect("trace numbers are small");
    let mut id = [0; 8];
    id[..span.len()].copy_from_slice(span.as_bytes());
    (TraceId(bytes), SpanId(u64::from_be_bytes(id)))
}

/// A batch of one span.
fn parse(line: &str) -> SpanBatch {
    let mut words = line.split_whitespace();
    let mut word = || words.next().expect("id parent service kind time");
    let (id, parent, service, kind, time) = (word(), word(), word(), word(), word());
    let mut batch = SpanBatch::default();
    let context = &mut batch.context;
    let (name, environment) = service.split_once('@').unwrap_or((service, ""));
    let said = [
        ("service.name", name),
        ("deployment.environment", environment),
        ("service.version", "1"),
        ("service.instance.id", "i"),
    ];
    for (key, text) in said {
        let (key, value) = (context.strings.intern(key), context.strings.intern(text));
        context.resource_attributes.push(key, Value::String(value));
    }
    context.end_resource(Default::default(), 0);
    context.end_scope(Default::default());
    let (trace, span) = span_id(id);
    let kinds = [SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer];
    let kind = kinds.into_iter().find(|known| known.as_str() == kind).expect("a span kind");
    let (start, duration) = time.split_once('+').expect("start+duration");
    let millis = |text: &str| text.parse::<i64>().expect("milliseconds") * MS;
    let (mut status, mut flags, mut state, mut links, mut event) = (0, 0, String::new(), Vec::new(), None);
    for flag in words {
        match flag.split_once('=') {
            None if flag == "error" => status = 2,
            None if flag == "ok" => status = 1,
            None if flag == "local" => flags = 0x100,
            Some(("th", digits)) => state = format!("ot=th:{digits}"),
            Some(("link", to)) => links.push(span_id(to)),
            Some(("exception", text)) => event = text.split_once(':'),
            Some((key, text)) => {
                let value = match text.parse::<i64>() {
                    Ok(number) => Value::Int(number),
                    Err(_) => Value::String(batch.context.strings.intern(text)),
                };
                batch.attributes.push(batch.context.strings.intern(key), value);
            }
            None => panic!("unknown flag {flag}"),
        }
    }
    batch.attributes.end_row();
    let strings = &mut batch.context.strings;
    batch.trace_id.push(trace);
    batch.span_id.push(span);
    batch.parent_span_id.push(if parent == "-" { SpanId::NONE } else { span_id(parent).1 });
    batch.trace_state.push(strings.intern(&state));
    batch.flags.push(flags);
    batch.name.push(strings.intern(&format!("{service} {}", kind.as_str())));
    batch.kind.push(kind as u8);
    batch.start_time_unix_nano.push(START + millis(start));
    batch.duration_nanos.push(millis(duration));
    batch.status_code.push(status);
    batch.status_message.push(strings.intern(""));
    batch.resource.push(0);
    batch.scope.push(0);
    batch.dropped_attributes_count.push(0);
    batch.dropped_events_count.push(0);
    batch.dropped_links_count.push(0);
    if let Some((error_type, message)) = event {
        batch.events.time_unix_nano.push(START);
        batch.events.name.push(strings.intern("exception"));
        for (key, text) in [("exception.type", error_type), ("exception.message", message)] {
            let (key, value) = (strings.intern(key), strings.intern(text));
            batch.events.attributes.push(key, Value::String(value));
        }
        batch.events.attributes.end_row();
        batch.events.dropped_attributes_count.push(0);
    }
    batch.event_ends.push(batch.events.name.len() as u32);
    for (trace, span) in links {
        batch.links.trace_id.push(trace);
        batch.links.span_id.push(span);
        batch.links.trace_state.push(Default::default());
        batch.links.flags.push(0);
        batch.links.attributes.end_row();
        batch.links.dropped_attributes_count.push(0);
    }
    batch.link_ends.push(batch.links.span_id.len() as u32);
    batch
}

pub(crate) fn spans(text: &str) -> Vec<SpanBatch> {
    text.lines().filter(|line| !line.trim().is_empty()).map(parse).collect()
}

/// Edges of the rows, summed over time, one line each.
fn edges(rows: &RollupRows) -> String {
    let mut all: BTreeMap<String, EdgeRow> = BTreeMap::new();
    for (EdgeKey { caller, callee, kind, group, .. }, row) in rows.edges.iter() {
        let name = |sym| rows.names.get(sym);
        let group = if group.is_empty() { String::new() } else { format!(" [{}]", name(*group)) };
        let kind = format!("{kind:?}").to_lowercase();
        let edge = format!("{} -> {} {kind}{group}", name(caller.id), name(callee.id));
        crate::rollup::rows::Additive::merge(all.entry(edge).or_default(), row);
    }
    let mut out = String::new();
    for (edge, row) in all {
        let ms = |cells: &crate::rollup::latency::Cells| (cells.sum_nanos() / 1e6).round();
        if row.caller.count() == 0.0 && row.lag.is_empty() && row.lag_negative == 0.0 {
            continue;
        }
        write!(out, "{edge}: {} in {} ms", row.caller.count(), ms(&row.caller)).unwrap();
        if row.caller.errors() + row.callee_errors() > 0.0 {
            write!(out, ", errors {} callee {}", row.caller.errors(), row.callee_errors()).unwrap();
        }
        if row.callee.count() > 0.0 {
            write!(out, ", callee {} in {} ms", row.callee.count(), ms(&row.callee)).unwrap();
        }
        if row.network.count() > 0.0 {
            write!(out, ", network {} in {} ms", row.network.count(), ms(&row.network)).unwrap();
        }
        if row.lag.count() > 0.0 {
            write!(out, ", lag {} in {} ms", row.lag.count(), ms(&row.lag)).unwrap();
        }
        for (what, count) in [("network", row.network_negative), ("lag", row.lag_negative)] {
            if count > 0.0 {
                write!(out, ", negative {what} {count}").unwrap();
            }
        }
        out.push('\n');
    }
    out
}

/// The edges after spans have arrived, one every `gap`, and all waits are over.
fn arrive<'a>(batches: impl Iterator<Item = &'a SpanBatch>, gap: i64) -> RollupRows {
    let (mut observer, mut rows) = (Observer::new(ObserverConfig::default()), RollupRows::default());
    let mut now = START;
    for batch in batches {
        observer.observe(batch, now, &mut rows);
        now += gap;
    }
    observer.expire(now + ObserverConfig::default().wait_nanos, &mut rows);
    rows
}

/// The rows of spans that arrived together, after all waits.
pub(crate) fn observed(text: &str) -> RollupRows {
    arrive(spans(text).iter(), 0)
}

/// Every order of up to six spans, else many: deterministic.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count > 6 {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let shuffled = |_| {
            let mut order: Vec<usize> = (0..count).collect();
            (1..count).rev().for_each(|at| order.swap(at, random(at + 1)));
            order
        };
        return (0..300).map(shuffled).collect();
    }
    let mut all = vec![Vec::new()];
    for _ in 0..count {
        let extend = |order: Vec<usize>| {
            let fresh: Vec<usize> = (0..count).filter(|next| !order.contains(next)).collect();
            fresh.into_iter().map(move |next| [order.clone(), vec![next]].concat())
        };
        all = all.into_iter().flat_map(extend).collect();
    }
    all
}

/// The edges, the same in every order of arrival, whether spans come together or so far apart that every wait ends.
fn check(text: &str, expected: Expect) {
    let batches = spans(text);
    let found = edges(&arrive(batches.iter(), 0));
    expected.assert_eq(&found);
    for order in orders(batches.len()) {
        let window = ObserverConfig::default().window_nanos;
        for gap in [0, 3_000 * MS, 12_000 * MS].into_iter().filter(|gap| gap * (order.len() as i64) < window) {
            let rows = arrive(order.iter().map(|&at| &batches[at]), gap);
            assert_eq!(edges(&rows), found, "in order {order:?} with gaps of {} ms", gap / MS);
        }
    }
}

#[test]
fn a_client_and_its_server_are_one_call() {
    check(
        "a - web server 0+100 http.response.status_code=200
         b a web client 10+80 server.address=cart server.port=8080
         c b cart server 20+50",
        expect![[r#"
            user: -> web call: 1 in 100 ms, callee 1 in 100 ms
            web -> cart call: 1 in 80 ms, callee 1 in 50 ms, network 1 in 30 ms
        "#]],
    );
}

#[test]
fn any_parent_in_another_service_is_a_caller() {
    check(
        "a - nginx server 0+100
         b a app server 10+80
         c b app internal 20+50
         d c db-proxy server 30+20 error
         e d worker internal 31+1",
        expect![[r#"
            app -> db-proxy call: 1 in 20 ms, errors 1 callee 1, callee 1 in 20 ms
            db-proxy -> worker call: 1 in 1 ms, callee 1 in 1 ms
            nginx -> app call: 1 in 80 ms, callee 1 in 80 ms
            user: -> nginx call: 1 in 100 ms, callee 1 in 100 ms
        "#]],
    );
}

#[test]
fn an_internal_span_between_belongs_to_the_call_above() {
    check(
        "a - web server 0+100
         b a web client 10+80 server.address=cart
         c b web internal 12+70
         d c web internal 13+68
         e d cart server 20+50",
        expect![[r#"
            user: -> web call: 1 in 100 ms, callee 1 in 100 ms
            web -> cart call: 1 in 80 ms, callee 1 in 50 ms, network 1 in 30 ms
        "#]],
    );
}

#[test]
fn a_call_with_its_own_server_span_leaves_the_internal_one_to_its_parent() {
    check(
        "a - web client 10+80 server.address=cart
         b a web internal 12+70
         c b prices server 20+50
         d a cart server 20+60",
        expect![[r#"
            web -> cart call: 1 in 80 ms, callee 1 in 60 ms, network 1 in 20 ms
            web -> prices call: 1 in 50 ms, callee 1 in 50 ms
        "#]],
    );
    check(
        "a - web client 10+80 server.address=cart
         b a web internal 12+70
         c b prices server 20+50
         d b cart server 20+60",
        expect![[r#"
            web -> cart call: 1 in 60 ms, callee 1 in 60 ms
            web -> prices call: 1 in 50 ms, callee 1 in 50 ms
        "#]],
    );
}

#[test]
fn attempts_count_each_and_the_last_decides() {
    check(
        "a - web client 0+300 server.address=cart
         b a cart server 10+90 error
         c a cart server 120+60",
        expect![[r#"
            web -> cart call: 2 in 300 ms, errors 1 callee 1, callee 2 in 150 ms, network 1 in 150 ms
        "#]],
    );
    check(
        "a - web client 0+100 server.address=cart error
         b a cart server 10+90
         c a stock server 10+80",
        expect![[r#"
            web -> cart call: 1 in 90 ms, callee 1 in 90 ms
            web -> stock call: 1 in 80 ms, errors 1 callee 0, callee 1 in 80 ms, negative network 1
        "#]],
    );
}

#[test]
fn a_stream_counts_every_span_it_caused() {
    let mut text = "a - web client 0+300 server.address=cart\n".to_owned();
    (0..20).for_each(|n| writeln!(text, "s{n} a cart server {n}+5").unwrap());
    check(
        &text,
        expect![[r#"
        web -> cart call: 20 in 100 ms, callee 20 in 100 ms
    "#]],
    );
}

#[test]
fn what_sends_nothing_is_named_by_its_callers() {
    check(
        "a - shop server 0+100
         b a shop client 1+5 db.system.name=postgresql server.address=pg.internal db.namespace=shop
         c a shop client 2+5 db.system=redis net.peer.name=Redis net.peer.port=6379 error
         d a shop client 3+5 http.url=https://api.bank.example/pay http.status_code=404 error
         e a shop client 3+6 url.full=https://API.bank.example:443/pay http.response.status_code=503 error
         f a shop client 3+6 gen_ai.system=openai gen_ai.request.model=gpt-4o",
        expect![[r#"
            shop -> database:postgresql/pg.internal:5432 database: 1 in 5 ms
            shop -> database:redis/redis:6379 database: 1 in 5 ms, errors 1 callee 1
            shop -> external:api.bank.example call: 2 in 11 ms, errors 2 callee 1
            shop -> model:openai/gpt-4o call: 1 in 6 ms
            user: -> shop call: 1 in 100 ms, callee 1 in 100 ms
        "#]],
    );
}

#[test]
fn a_client_without_any_name_calls_nobody() {
    check("b - shop client 1+5 http.request.method=GET", expect![[r#""#]]);
}

#[test]
fn a_wrapper_around_calls_counts_once() {
    check(
        "a - shop client 0+50 rpc.system=aws-api server.address=s3.example
         b a shop internal 1+48
         c b shop client 2+40 server.address=s3.example http.request.method=PUT",
        expect![[r#"
            shop -> external:s3.example call: 1 in 40 ms
        "#]],
    );
    check(
        "a - shop client 0+50 gen_ai.provider.name=openai
         c a shop client 2+40 server.address=api.openai.com http.request.method=POST",
        expect![[r#"
            shop -> model:openai call: 1 in 50 ms
        "#]],
    );
    check(
        "a - shop client 0+50 db.system=postgresql server.address=pg
         c a shop client 2+40 db.system=postgresql server.address=pg",
        expect![[r#"
            shop -> database:postgresql/pg:5432 database: 1 in 50 ms
        "#]],
    );
}

#[test]
fn an_instrumented_database_is_a_service() {
    check(
        "a - shop client 0+50 db.system.name=postgresql server.address=pg
         c a pg server 2+40",
        expect![[r#"
            shop -> pg database: 1 in 50 ms, callee 1 in 40 ms, network 1 in 10 ms
        "#]],
    );
}

#[test]
fn a_message_flows_through_its_queue() {
    check(
        "a - shop server 0+100
         b a shop producer 10+5 messaging.system=kafka messaging.destination.name=orders messaging.operation.type=send
         2/c - mail consumer 65+20 link=1/b messaging.system=kafka messaging.destination.name=orders messaging.consumer.group.name=mailers
         3/d - stats consumer 45+20 link=1/b messaging.system=kafka messaging.destination.name=orders messaging.kafka.consumer.group=stats
         e b audit consumer 25+20 messaging.system=kafka messaging.destination=orders error",
        expect![[r#"
            queue:kafka/orders -> audit consume: 1 in 20 ms, errors 1 callee 1, callee 1 in 20 ms, lag 1 in 10 ms
            queue:kafka/orders -> mail consume [mailers]: 1 in 20 ms, callee 1 in 20 ms, lag 1 in 50 ms
            queue:kafka/orders -> stats consume [stats]: 1 in 20 ms, callee 1 in 20 ms, lag 1 in 30 ms
            shop -> queue:kafka/orders publish: 1 in 5 ms
            user: -> shop call: 1 in 100 ms, callee 1 in 100 ms
        "#]],
    );
}

#[test]
fn a_batch_counts_its_messages() {
    check(
        "1/a - shop client 0+5 messaging.system=kafka messaging.destination.name=orders messaging.operation.type=send messaging.batch.message_count=3
         2/b - shop producer 0+5 messaging.system=kafka messaging.destination.name=orders messaging.operation=publish
         3/c - mail consumer 105+20 link=1/a link=2/b messaging.system=kafka messaging.destination.name=orders",
        expect![[r#"
            queue:kafka/orders -> mail consume: 2 in 40 ms, callee 2 in 40 ms, lag 2 in 200 ms
            shop -> queue:kafka/orders publish: 4 in 20 ms
        "#]],
    );
}

#[test]
fn creating_settling_and_empty_receives_move_nothing() {
    check(
        "a - shop producer 0+5 messaging.system=servicebus messaging.destination.name=q messaging.operation.type=create
         b - shop client 5+5 messaging.system=servicebus messaging.destination.name=q messaging.operation.type=send link=1/a
         c - mail client 30+5 messaging.system=servicebus messaging.destination.name=q messaging.operation.type=receive messaging.batch.message_count=0
         d - mail client 40+5 messaging.system=servicebus messaging.destination.name=q messaging.operation.type=settle
         e - mail consumer 25+5 link=1/a messaging.system=servicebus messaging.destination.name=q messaging.operation.type=process",
        expect![[r#"
            queue:servicebus/q -> mail consume: 1 in 5 ms, callee 1 in 5 ms, lag 1 in 20 ms
            shop -> queue:servicebus/q publish: 1 in 5 ms
        "#]],
    );
}

#[test]
fn a_message_received_and_processed_is_one() {
    check(
        "a - shop producer 0+5 messaging.system=kafka messaging.destination.name=orders
         2/b - mail consumer 10+50 messaging.system=kafka messaging.destination.name=orders messaging.operation=receive
         2/c b mail consumer 15+40 messaging.system=kafka messaging.destination.name=orders messaging.operation=process link=1/a",
        expect![[r#"
            queue:kafka/orders -> mail consume: 1 in 50 ms, callee 1 in 50 ms, lag 1 in 10 ms
            shop -> queue:kafka/orders publish: 1 in 5 ms
        "#]],
    );
}

#[test]
fn a_consumer_that_names_no_queue_learns_it_from_the_sender() {
    check(
        "a - shop producer 0+5 messaging.system=kafka messaging.destination.name=orders
         b a mail consumer 10+50",
        expect![[r#"
            queue:kafka/orders -> mail consume: 1 in 50 ms, callee 1 in 50 ms, lag 1 in 5 ms
            shop -> queue:kafka/orders publish: 1 in 5 ms
        "#]],
    );
    check(
        "a - shop producer 0+5 messaging.system=kafka messaging.destination.name=orders
         2/b - mail consumer 10+50 link=1/a",
        expect![[r#"
            queue:kafka/orders -> mail consume: 1 in 50 ms, callee 1 in 50 ms, lag 1 in 5 ms
            shop -> queue:kafka/orders publish: 1 in 5 ms
        "#]],
    );
    check(
        "a - shop producer 0+5
         b a mail consumer 10+50",
        expect![[r#"
            shop -> mail consume: 1 in 50 ms, callee 1 in 50 ms, lag 1 in 5 ms
        "#]],
    );
}

#[test]
fn a_message_consumed_before_it_was_sent_has_no_lag() {
    check(
        "a - shop producer 100+5 messaging.system=kafka messaging.destination.name=orders
         2/b - mail consumer 50+50 link=1/a messaging.system=kafka messaging.destination.name=orders",
        expect![[r#"
            queue:kafka/orders -> mail consume: 1 in 50 ms, callee 1 in 50 ms, negative lag 1
            shop -> queue:kafka/orders publish: 1 in 5 ms
        "#]],
    );
}

#[test]
fn callers_that_send_nothing_are_told_apart() {
    check(
        "a - web server 0+100
         2/b x web server 0+100
         3/c x web server 0+100 local
         4/d - job internal 0+100
         5/e x mail consumer 0+5 messaging.system=kafka messaging.destination.name=orders
         6/f x web client 0+5 db.system=redis",
        expect![[r#"
            queue:kafka/orders -> mail consume: 1 in 5 ms, callee 1 in 5 ms
            unknown_caller: -> web call: 1 in 100 ms, callee 1 in 100 ms
            user: -> web call: 1 in 100 ms, callee 1 in 100 ms
            web -> database:redis database: 1 in 5 ms
        "#]],
    );
}

#[test]
fn a_service_that_calls_itself_is_kept_apart_but_no_stranger() {
    check(
        "a - web server 0+100
         b a web client 10+80 server.address=localhost
         c b web server 20+60",
        expect![[r#"
            user: -> web call: 1 in 100 ms, callee 1 in 100 ms
            web -> web call: 1 in 80 ms, callee 1 in 60 ms, network 1 in 20 ms
        "#]],
    );
}

#[test]
fn errors_are_the_callers_or_the_callees() {
    check(
        "a - web client 0+100 server.address=cart error http.response.status_code=404
         b a cart server 10+80 http.response.status_code=404
         2/c - web client 0+100 server.address=cart error
         2/d c cart server 10+80 http.response.status_code=500
         3/e - web client 0+10 server.address=cart error
         3/f e cart server 5+80 ok",
        expect![[r#"
            web -> cart call: 3 in 210 ms, errors 3 callee 1, callee 3 in 240 ms, network 2 in 40 ms, negative network 1
        "#]],
    );
}

#[test]
fn sampled_spans_stand_for_more() {
    check(
        "a - web client 0+100 server.address=cart th=8
         b a cart server 10+80 error th=8
         2/c - web client 0+100 db.system=redis th=c",
        expect![[r#"
            web -> cart call: 2 in 200 ms, errors 0 callee 2, callee 2 in 160 ms, network 2 in 40 ms
            web -> database:redis database: 4 in 400 ms
        "#]],
    );
}

#[test]
fn trace_ids_are_part_of_a_spans_identity() {
    check(
        "1/a - web client 0+100 server.address=cart
         2/a - shop client 0+100 server.address=cart
         1/b a cart server 10+80
         2/b a cart server 10+80",
        expect![[r#"
            shop -> cart call: 1 in 100 ms, callee 1 in 80 ms, network 1 in 20 ms
            web -> cart call: 1 in 100 ms, callee 1 in 80 ms, network 1 in 20 ms
        "#]],
    );
}

#[test]
fn odd_traces_end() {
    check(
        "a a web server 0+100
         b c web internal 0+100
         c b web internal 0+100
         d e web client 0+100 server.address=x
         e d shop server 0+100",
        expect![[r#"
            shop -> web call: 1 in 100 ms, callee 1 in 100 ms
            user: -> web call: 1 in 100 ms, callee 1 in 100 ms
            web -> shop call: 1 in 100 ms, callee 1 in 100 ms, network 1 in 0 ms
        "#]],
    );
}

/// What the real Python SDK sends; see `opentelemetry-python`, attributes as recorded from version 1.45.
#[test]
fn a_shop_seen_through_the_python_sdk() {
    check(
        "1/root - shop-web server 0+60 http.request.method=POST http.route=/checkout server.address=shop.example http.response.status_code=502 error
         1/c1 root shop-web client 1+55 http.request.method=POST server.address=shop-checkout server.port=8080 url.full=http://shop-checkout:8080/orders http.response.status_code=500 error
         1/s1 c1 shop-checkout server 2+50 http.request.method=POST client.address=10.0.0.5 http.response.status_code=500 error
         1/db s1 shop-checkout client 3+5 db.system.name=postgresql db.namespace=shop server.address=pg.internal server.port=5432
         1/ext s1 shop-checkout client 9+3 http.request.method=GET server.address=api.rates.example server.port=443 http.response.status_code=200
         1/c2 s1 shop-checkout client 13+12 rpc.system=grpc rpc.service=oteldemo.Payment rpc.method=Charge server.address=shop-payment server.port=50051 rpc.grpc.status_code=13 error
         1/s2 c2 shop-payment server 14+10 rpc.system.name=grpc rpc.status_code=INTERNAL error exception=ValueError:declined
         1/prod s1 shop-checkout producer 30+1 messaging.system=kafka messaging.destination.name=orders messaging.operation.type=send server.address=kafka server.port=9092
         2/w - shop-worker consumer 61+5 link=1/prod messaging.system=kafka messaging.destination.name=orders messaging.operation.type=process messaging.consumer.group.name=workers messaging.batch.message_count=1
         2/wdb w shop-worker client 62+1 db.system=redis net.peer.name=redis net.peer.port=6379",
        expect![[r#"
            queue:kafka/orders -> shop-worker consume [workers]: 1 in 5 ms, callee 1 in 5 ms, lag 1 in 30 ms
            shop-checkout -> database:postgresql/pg.internal:5432 database: 1 in 5 ms
            shop-checkout -> external:api.rates.example call: 1 in 3 ms
            shop-checkout -> queue:kafka/orders publish: 1 in 1 ms
            shop-checkout -> shop-payment call: 1 in 12 ms, errors 1 callee 1, callee 1 in 10 ms, network 1 in 2 ms
            shop-web -> shop-checkout call: 1 in 55 ms, errors 1 callee 1, callee 1 in 50 ms, network 1 in 5 ms
            shop-worker -> database:redis/redis:6379 database: 1 in 1 ms
            user: -> shop-web call: 1 in 60 ms, errors 1 callee 1, callee 1 in 60 ms
        "#]],
    );
}

#[test]
fn a_silent_host_shows_after_the_wait_and_goes_when_its_span_comes() {
    let spans = spans(
        "b - web client 10+80 server.address=cart
         c b cart server 20+50",
    );
    let (mut observer, mut rows) = (Observer::default(), RollupRows::default());
    observer.observe(&spans[0], START, &mut rows);
    observer.expire(START + 9_999 * MS, &mut rows);
    assert_eq!(edges(&rows), "");
    observer.expire(START + 10_000 * MS, &mut rows);
    assert_eq!(edges(&rows), "web -> external:cart call: 1 in 80 ms\n");
    let mut next_slice = RollupRows::default();
    observer.observe(&spans[1], START + 60_000 * MS, &mut next_slice);
    assert_eq!(observer.counters().corrections, 1);
    rows.merge(&next_slice);
    assert_eq!(edges(&rows), "web -> cart call: 1 in 80 ms, callee 1 in 50 ms, network 1 in 30 ms\n");
}

#[test]
fn a_span_that_arrives_twice_counts_once() {
    let spans = spans("b - web server 10+80 error");
    let (mut observer, mut rows) = (Observer::default(), RollupRows::default());
    for at in 0..3 {
        observer.observe(&spans[0], START + at, &mut rows);
    }
    assert_eq!(edges(&rows), "user: -> web call: 1 in 80 ms, errors 1 callee 1, callee 1 in 80 ms\n");
    assert_eq!(rows.operations.iter().map(|(_, cells)| cells.count()).sum::<f64>(), 1.0);
    assert_eq!(rows.errors.iter().map(|(_, row)| row.count).sum::<u64>(), 1);
    assert_eq!((observer.counters().spans, observer.counters().duplicates), (3, 2));
}

#[test]
fn failures_that_look_alike_are_one_group_with_the_newest_example() {
    let mut rows = RollupRows::default();
    let mut observer = Observer::default();
    for span in spans(
        "a - pay server 0+5 error exception=ValueError:card_17_declined
         b - pay server 9+5 error exception=ValueError:card_18_declined
         c - pay server 3+5 error exception=ValueError:card_19_declined
         d - pay server 3+5 http.response.status_code=503
         e - pay client 3+5 error error.type=timeout
         f - pay server 3+5",
    ) {
        observer.observe(&span, START, &mut rows);
    }
    let name = |sym| rows.names.get(sym);
    let mut found: Vec<_> =
        rows.errors.iter().map(|(key, row)| (name(key.error_type), name(key.message), row.count)).collect();
    found.sort_unstable();
    assert_eq!(found, [("503", "", 1), ("ValueError", "#", 3), ("timeout", "", 1)]);
    let (_, group) = rows.errors.iter().find(|(_, row)| row.count == 3).unwrap();
    assert_eq!((group.trace_id(), group.span_id()), span_id("b"));
}

#[test]
fn every_span_counts_for_its_operation_and_its_instance() {
    let mut rows = RollupRows::default();
    let mut observer = Observer::default();
    for span in spans(
        "a - web server 0+100
         b a web internal 10+80 error
         c b web client 20+50 db.system=redis
         2/d - cron internal 0+7
         3/e - phone client 0+9 server.address=web",
    ) {
        observer.observe(&span, START, &mut rows);
    }
    let name = |sym| rows.names.get(sym);
    let operations: Vec<_> = rows
        .operations
        .iter()
        .map(|(key, cells)| (name(key.operation), key.root, cells.count(), cells.errors()))
        .collect();
    let expected = [
        ("web server", true, 1.0, 0.0),
        ("web internal", false, 1.0, 1.0),
        ("web client", false, 1.0, 0.0),
        ("cron internal", true, 1.0, 0.0),
        ("phone client", true, 1.0, 0.0),
    ];
    assert_eq!(operations, expected);
    let parts: Vec<_> =
        rows.instances.iter().map(|(key, row)| (name(key.service), key.part, row.cells.count())).collect();
    let expected =
        [("web", Part::Entry, 1.0), ("web", Part::Inner, 0.0), ("cron", Part::Job, 1.0), ("phone", Part::Begin, 1.0)];
    assert_eq!(parts, expected);
}

#[test]
fn too_many_names_become_other() {
    let config = ObserverConfig { max_targets_per_service: 2, ..ObserverConfig::default() };
    let (mut observer, mut rows) = (Observer::new(config), RollupRows::default());
    for n in 0..5 {
        let span = parse(&format!("s{n} - web client 0+1 server.address=bucket{n}.s3.example"));
        observer.observe(&span, START, &mut rows);
    }
    observer.expire(START + 10_000 * MS, &mut rows);
    let expected = "web -> external:(other) call: 3 in 3 ms\n\
        web -> external:bucket0.s3.example call: 1 in 1 ms\n\
        web -> external:bucket1.s3.example call: 1 in 1 ms\n";
    assert_eq!(edges(&rows), expected);
    assert_eq!(observer.counters().folded_names, 3);
}

/// Random traces of several services, with everything that can hang together.
pub(crate) fn forest(seed: u64, count: usize) -> Vec<String> {
    let mut state = seed;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let services = ["web", "cart", "pay"];
    let kinds = ["server", "client", "client", "internal", "internal", "producer", "consumer"];
    let flags = [
        "",
        "",
        "error",
        "server.address=x",
        "db.system=redis",
        "messaging.system=kafka messaging.destination=q",
        "gen_ai.system=m",
        "th=8",
    ];
    let mut spans = Vec::new();
    for n in 0..count {
        let parent = match random(8) {
            0 => "-".to_owned(),
            1 => "lost".to_owned(),
            _ => format!("s{}", random(count)),
        };
        let link = if random(4) == 0 { format!(" link=1/s{}", random(count)) } else { String::new() };
        let (service, kind) = (services[random(services.len())], kinds[random(kinds.len())]);
        let (start, duration, flags) = (random(100), random(50), flags[random(flags.len())]);
        spans.push(format!("s{n} {parent} {service} {kind} {start}+{duration} {flags}{link}"));
    }
    spans
}

#[test]
fn any_forest_gives_the_same_rows_in_any_order() {
    for seed in 0..80 {
        let text = forest(seed, 3 + seed as usize % 25);
        let batches: Vec<SpanBatch> = text.iter().map(|line| parse(line)).collect();
        let mut first = None;
        for (at, order) in orders(batches.len().max(7)).into_iter().take(40).enumerate() {
            let order = order.into_iter().filter(|&at| at < batches.len()).map(|at| &batches[at]);
            let found = edges(&arrive(order, [0, 1_000 * MS, 4_000 * MS][at % 3]));
            let first = first.get_or_insert_with(|| found.clone());
            assert_eq!(*first, found, "seed {seed}, order {at}:\n{}", text.join("\n"));
        }
    }
}

#[test]
fn memory_is_bounded_and_what_leaves_it_is_counted() {
    let config = ObserverConfig { max_spans: 50, max_links: 20, ..ObserverConfig::default() };
    let (mut observer, mut rows) = (Observer::new(config), RollupRows::default());
    let mut calls = 0;
    for seed in 0..60 {
        for line in forest(seed, 20) {
            let mut batch = parse(&line);
            batch.trace_id[0].0[0] = seed as u8;
            calls += usize::from(batch.kind[0] == SpanKind::Server as u8);
            observer.observe(&batch, START + seed as i64 * MS, &mut rows);
            assert!(observer.graph.len() <= 50);
        }
        observer.expire(START + seed as i64 * MS, &mut rows);
    }
    assert!(calls > 100);
    let counters = observer.counters();
    assert_eq!(counters.spans, 1200);
    assert_eq!(counters.evicted_spans, 1150);
    assert!(counters.evicted_links > 0);
    assert!(observer.bytes() < 200_000, "{}", observer.bytes());
    observer.expire(START + 100_000_000 * MS, &mut rows);
    assert_eq!(observer.graph.len(), 0);
    assert_eq!(observer.graph.slots_in_use(), 0, "placeholders went too");
    for (_, row) in rows.edges.iter() {
        let counts = row.caller.iter().chain(row.callee.iter()).map(|cell| cell.count);
        assert!(counts.into_iter().all(|count| count > -1e-6), "taken back twice");
    }
}

#[test]
fn names_nobody_refers_to_are_dropped_and_others_kept() {
    let spans = spans(
        "b - web client 10+80 server.address=cart
         p - web producer 10+80 messaging.system=kafka messaging.destination=q
         c b cart server 20+50
         2/e - cart consumer 95+50 messaging.system=kafka messaging.destination=q link=1/p",
    );
    let (mut observer, mut rows) = (Observer::default(), RollupRows::default());
    observer.observe(&parse("x - forgotten server 0+1"), START, &mut rows);
    let hour = 3_600_000 * MS;
    observer.observe(&spans[0], START + hour - 1, &mut rows);
    observer.observe(&spans[1], START + hour - 1, &mut rows);
    observer.expire(START + hour, &mut rows);
    assert!(observer.names.pool.find("forgotten").is_none() && observer.names.pool.find("web").is_some());
    let mut rows = RollupRows::default();
    observer.observe(&spans[2], START + hour, &mut rows);
    observer.observe(&spans[3], START + hour, &mut rows);
    let expected = "queue:kafka/q -> cart consume: 1 in 50 ms, callee 1 in 50 ms, lag 1 in 5 ms\n\
        web -> cart call: 1 in 80 ms, callee 1 in 50 ms, network 1 in 30 ms\n";
    assert_eq!(edges(&rows), expected);
}
