//! Answers from observed spans, as text.

use super::*;
use crate::rollup::observer::tests::{START, observed};
use expect_test::{Expect, expect};
use std::fmt::Write;

fn kind(kind: NodeKind) -> String {
    format!("{kind:?}").to_lowercase()
}

fn check_map(text: &str, environment: Option<&str>, expected: Expect) {
    let found = topology(&observed(text), environment);
    let mut out = String::new();
    for node in &found.nodes {
        let system = node.system.as_ref().map(|system| format!(" ({system})")).unwrap_or_default();
        writeln!(out, "{} {} \"{}\"{system} {}", kind(node.kind), node.id, node.name, node.red.count).unwrap();
    }
    for edge in &found.edges {
        let inferred = if edge.inferred { " by name" } else { "" };
        writeln!(out, "{} -> {} {}{inferred}", edge.caller, edge.callee, edge.red.count).unwrap();
        let known = |id: &String| found.nodes.iter().any(|node| node.id == *id);
        assert!(known(&edge.caller) && known(&edge.callee), "{edge:?}");
    }
    expected.assert_eq(&out);
}

#[test]
fn a_shop_with_everything() {
    check_map(
        "1/a - phone client 0+90 server.address=api-gateway
         1/b a api-gateway server 1+88
         1/c b api-gateway client 2+20 server.address=auth
         1/d c auth server 3+10
         1/e b api-gateway client 30+50 server.address=orders
         1/f e orders server 31+40
         1/g f orders client 32+5 db.system=postgresql server.address=pg db.namespace=shop
         1/h f orders producer 40+1 messaging.system=kafka messaging.destination.name=orders
         1/i f orders client 42+8 server.address=api.bank.example
         2/j - mail consumer 60+9 link=1/h messaging.system=kafka messaging.destination.name=orders
         3/k - cleaner internal 0+5
         3/l k cleaner client 1+3 db.system=redis server.address=redis
         4/m - orders server 0+3
         5/n lost orders server 0+3",
        None,
        expect![[r#"
            gateway api-gateway "api-gateway" 1
            auth auth "auth" 1
            job cleaner "cleaner" 1
            database database:postgresql/pg:5432 "pg" (postgresql) 1
            database database:redis/redis:6379 "redis" (redis) 1
            external external:api.bank.example "api.bank.example" 1
            service mail "mail" 1
            service orders "orders" 3
            client phone "phone" 1
            queue queue:kafka/orders "orders" (kafka) 1
            unknowncaller unknown_caller: "Unknown caller" 1
            user user: "Users" 1
            api-gateway -> auth 1
            api-gateway -> orders 1
            cleaner -> database:redis/redis:6379 1
            orders -> database:postgresql/pg:5432 1
            orders -> external:api.bank.example 1
            orders -> queue:kafka/orders 1
            phone -> api-gateway 1
            queue:kafka/orders -> mail 1
            unknown_caller: -> orders 1
            user: -> orders 1
        "#]],
    );
}

#[test]
fn a_host_named_like_a_known_service_is_that_service() {
    check_map(
        "1/a - web server 0+90
         1/b a web client 0+10 server.address=cart server.port=8080 error
         1/c a web client 0+10 server.address=stock.shop.svc.cluster.local
         1/d a web client 0+10 server.address=cart.example.com
         1/e a web client 0+10 server.address=web
         2/c - cart server 0+10
         3/s - stock server 0+10",
        None,
        expect![[r#"
            service cart "cart" 1
            external external:cart.example.com "cart.example.com" 1
            external external:web "web" 1
            service stock "stock" 1
            user user: "Users" 3
            service web "web" 1
            user: -> cart 1
            user: -> stock 1
            user: -> web 1
            web -> cart 1 by name
            web -> external:cart.example.com 1
            web -> external:web 1
            web -> stock 1 by name
        "#]],
    );
}

#[test]
fn an_environment_has_its_own_map() {
    let text = "1/a - web@prod server 0+90
         1/b a web@prod client 0+10 db.system=redis server.address=redis
         2/a - web@test server 0+90
         2/b a web@test client 0+10 db.system=redis server.address=redis
         2/c a web@test client 0+10 db.system=mysql server.address=my";
    check_map(
        text,
        Some("prod"),
        expect![[r#"
            database database:redis/redis:6379 "redis" (redis) 1
            user user: "Users" 1
            service web@prod "web" 1
            user: -> web@prod 1
            web@prod -> database:redis/redis:6379 1
        "#]],
    );
    check_map(
        text,
        None,
        expect![[r#"
            database database:mysql/my:3306 "my" (mysql) 1
            database database:redis/redis:6379 "redis" (redis) 2
            user user: "Users" 2
            service web@prod "web" 1
            service web@test "web" 1
            user: -> web@prod 1
            user: -> web@test 1
            web@prod -> database:redis/redis:6379 1
            web@test -> database:mysql/my:3306 1
            web@test -> database:redis/redis:6379 1
        "#]],
    );
}

#[test]
fn who_passes_most_requests_on_is_a_gateway() {
    let mut text = String::new();
    for n in 0..6 {
        let to = ["orders", "stock", "prices"][n % 3];
        write!(
            text,
            "{n}/a - front server 0+90\n{n}/b a front client 1+80 server.address={to}\n{n}/c b {to} server 2+70\n"
        )
        .unwrap();
    }
    let found = topology(&observed(&text), None);
    let kinds: Vec<_> = found.nodes.iter().map(|node| (node.id.as_str(), node.kind)).collect();
    assert_eq!(kinds[0], ("front", NodeKind::Gateway));
    assert!(kinds[1..].iter().all(|(id, kind)| (*kind == NodeKind::User) == (*id == "user:")), "{kinds:?}");
}

#[test]
fn services_come_busiest_first_with_their_series() {
    let rows = observed(
        "1/a - web server 0+100 error
         2/a - web server 12000+300
         2/b a web client 12000+300 server.address=x
         3/a - cart server 0+10
         4/a - cron internal 1000+10",
    );
    let found = services(&rows, Some(Steps { rows: &rows, nanos: 10_000_000_000 }), None);
    let names: Vec<_> =
        found.iter().map(|service| (service.service.name.as_str(), service.kind, service.red.count)).collect();
    assert_eq!(
        names,
        [("web", NodeKind::Service, 2.0), ("cart", NodeKind::Service, 1.0), ("cron", NodeKind::Job, 1.0)]
    );
    let web = &found[0];
    assert_eq!((web.red.errors, web.red.sum_nanos, web.instances), (1.0, 400e6, 1));
    assert_eq!(web.versions, ["1"]);
    assert_eq!(web.last_seen_unix_nano, START + 12_300_000_000);
    let points: Vec<_> = web.series.iter().map(|point| (point.time_unix_nano - START, point.red.count)).collect();
    assert_eq!(points, [(0, 1.0), (10_000_000_000, 1.0)]);
}

fn detail(rows: &RollupRows, id: &str) -> Option<ServiceDetail> {
    let steps = Steps { rows, nanos: 10_000_000_000 };
    service(rows, steps, Details { rows, history: steps, from: START }, id)
}

#[test]
fn an_error_that_was_not_there_before_is_new() {
    let rows = observed(
        "1/a - web server 0+1 error exception=Old:a
         2/a - web server 20000+1 error exception=Old:a
         3/a - web server 20000+1 error exception=Fresh:b",
    );
    let errors = detail(&rows, "web").unwrap().errors;
    let told: Vec<_> = errors
        .iter()
        .map(|error| (error.error_type.as_str(), error.count, error.is_new, error.first_seen_unix_nano - START))
        .collect();
    assert_eq!(told, [("Old", 2, false, 0), ("Fresh", 1, true, 20_000_000_000)]);
}

#[test]
fn a_service_in_detail() {
    let rows = observed(
        "1/a - web server 0+100
         1/b a web client 1+80 server.address=cart
         1/c b cart server 2+70 error exception=Full:no_room_17
         1/d c cart client 3+9 db.system=redis server.address=redis",
    );
    let found = detail(&rows, "cart").unwrap();
    assert_eq!((found.node.kind, found.node.red.count, found.node.red.errors), (NodeKind::Service, 1.0, 1.0));
    let operations: Vec<_> =
        found.operations.iter().map(|operation| (operation.name.as_str(), operation.kind)).collect();
    assert_eq!(operations, [("cart client", SpanKind::Client), ("cart server", SpanKind::Server)]);
    assert_eq!((found.errors[0].error_type.as_str(), found.errors[0].message.as_str()), ("Full", "#"));
    assert_eq!(
        (found.callers[0].caller.as_str(), found.callees[0].callee.as_str()),
        ("web", "database:redis/redis:6379")
    );
    assert_eq!(found.neighbours.len(), 2);
    assert_eq!((found.versions[0].name.as_str(), found.instances[0].name.as_str()), ("1", "i"));

    let error = &found.errors[0];
    assert_eq!((error.first_seen_unix_nano - START, error.is_new), (0, false), "it may have been there before");

    let redis = detail(&rows, "database:redis/redis:6379").unwrap();
    assert_eq!((redis.node.kind, redis.node.red.count, redis.series.len()), (NodeKind::Database, 1.0, 1));
    assert_eq!(redis.node.last_seen_unix_nano, START + 72_000_000);
    assert!(detail(&rows, "nobody").is_none());
}
