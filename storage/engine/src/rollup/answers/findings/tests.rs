//! A shop of which something breaks, told step by step: what is found.

use super::*;
use crate::rollup::rows::{EdgeKey, ErrorKey, InstanceKey, NodeRef, OperationKey};
use expect_test::{Expect, expect};
use std::fmt::Write;

const STEP: i64 = 10_000_000_000;

/// Calls of one step: how many, how many of them fail, and how long they take.
#[derive(Clone, Copy)]
struct Load(f64, f64, i64);

#[derive(Default)]
struct World {
    rows: RollupRows,
    at: i64,
}

impl World {
    fn serve_as(&mut self, version: &str, service: &str, load: Load) {
        let names = &mut self.rows.names;
        let [service, version, instance] =
            [service, version, &format!("{service}-{version}")].map(|text| names.intern(text));
        let key = InstanceKey { time: self.at * STEP, service, version, instance, part: Part::Entry };
        let row = self.rows.instance(key).unwrap();
        (row.first_unix_nano, row.last_unix_nano) = (row.first_unix_nano.min(self.at * STEP), (self.at + 1) * STEP);
        record(&mut row.cells, load);
        let operation = self.rows.names.intern("GET /");
        let key = OperationKey { time: self.at * STEP, service, operation, kind: SpanKind::Server as u8, root: false };
        record(self.rows.operation(key).unwrap(), load);
    }

    fn serve(&mut self, service: &str, load: Load) {
        self.serve_as("1.0", service, load);
    }

    fn edge(&mut self, kind: EdgeKind, [caller, callee]: [(NodeKind, &str); 2]) -> &mut EdgeRow {
        let [caller, callee] = [caller, callee].map(|(kind, id)| NodeRef { kind, id: self.rows.names.intern(id) });
        let key = EdgeKey { time: self.at * STEP, caller, callee, kind, group: Default::default() };
        self.rows.edge(key).unwrap()
    }

    /// `by_callee`: failures by the callee's own account; `network`: milliseconds between the two.
    fn call(&mut self, caller: &str, callee: &str, load: Load, by_callee: f64, network: i64) {
        let row = self.edge(EdgeKind::Call, [(NodeKind::Service, caller), (NodeKind::Service, callee)]);
        record(&mut row.caller, Load(load.0, load.1, load.2 + network));
        record(&mut row.callee, Load(load.0, by_callee, load.2));
        record(&mut row.network, Load(load.0, 0.0, network));
    }

    /// To what sends no telemetry; `blamed` of the failures are its fault.
    fn ask(&mut self, caller: &str, (kind, callee): (NodeKind, &str), load: Load, blamed: f64) {
        let of = if kind == NodeKind::Database { EdgeKind::Database } else { EdgeKind::Call };
        let row = self.edge(of, [(NodeKind::Service, caller), (kind, callee)]);
        record(&mut row.caller, load);
        row.blamed += blamed;
    }

    fn said(
        &mut self,
        service: &str,
        (kind, operation): (SpanKind, &str),
        error_type: &str,
        message: &str,
        count: u64,
    ) {
        let names = &mut self.rows.names;
        let [service, error_type, message, operation] =
            [service, error_type, message, operation].map(|text| names.intern(text));
        let time = self.at * STEP;
        let key = ErrorKey { time, service, error_type, message, operation };
        self.rows.error(key).unwrap().merge(&ErrorRow { count, last_unix_nano: time, trace_id: 7, span_id: 8 });
        let key = OperationKey { time, service, operation, kind: kind as u8, root: false };
        record(self.rows.operation(key).unwrap(), Load(count as f64, count as f64, 5));
    }
}

fn record(cells: &mut Cells, Load(count, errors, millis): Load) {
    cells.record(millis * MS, false, count - errors);
    if errors > 0.0 {
        cells.record(millis * MS, true, errors);
    }
}

/// Twelve quiet steps of a shop, then three in which something else happens.
fn check(ill: impl Fn(&mut World), expected: Expect) {
    let mut world = World::default();
    for at in 0..15 {
        world.at = at;
        if at < 12 { quiet(&mut world) } else { ill(&mut world) }
    }
    let steps = Steps { rows: &world.rows, nanos: STEP };
    let board = Board::new(steps, TimeRange { from: 6 * STEP, to: 15 * STEP }, None);
    let found: Vec<Finding> =
        board.suspects().iter().filter_map(|suspect| board.told(suspect, &of(&world.rows, suspect.teller()))).collect();
    let mut out = String::new();
    for found in joined(found) {
        let times = [found.since_unix_nano, found.until_unix_nano]
            .map(|time| time.map_or("…".to_owned(), |nanos| (nanos / STEP).to_string()));
        write!(out, "{:?} {} [{}] {}–{}", found.kind, found.node, found.callers.join(" "), times[0], times[1]).unwrap();
        write!(out, " {}/{}", found.bad, found.calls).unwrap();
        let error = found.error.map(|error| {
            format!(" {}: {}{}", error.error_type, error.message, if error.is_new { " (new)" } else { "" })
        });
        let blamed = found.blamed.map(|blamed| format!(" in {:?} {}", blamed.slice, blamed.name));
        let issuer = found.issuer.map(|issuer| format!(" of {issuer}"));
        let operation = found.operation.map(|operation| format!(" at {operation}"));
        let felt = (!found.affected.is_empty()).then(|| format!(" felt by {}", found.affected.join(" ")));
        [error, operation, blamed, issuer, felt].into_iter().flatten().for_each(|part| out.push_str(&part));
        out.push('\n');
    }
    expected.assert_eq(&out);
}

/// What the store gathers of one service.
fn of(rows: &RollupRows, id: &str) -> RollupRows {
    let mut own = rows.clone();
    let service = own.names.intern(id);
    own.operations =
        own.operations.iter().filter(|(key, _)| key.service == service).cloned().collect::<Vec<_>>().into();
    own.errors = own.errors.iter().filter(|(key, _)| key.service == service).cloned().collect::<Vec<_>>().into();
    own
}

const DATABASE: (NodeKind, &str) = (NodeKind::Database, "database:postgresql/db:5432");

fn quiet(world: &mut World) {
    shop(world, Load(40.0, 0.0, 20), Load(20.0, 0.0, 10));
}

/// web → gateway → cart → database; the gateway also asks auth.
fn shop(world: &mut World, gateway: Load, cart: Load) {
    world.serve("gateway", gateway);
    world.call("web", "gateway", gateway, gateway.1, 1);
    world.serve("cart", cart);
    world.call("gateway", "cart", cart, cart.1, 1);
    world.serve("auth", Load(10.0, 0.0, 3));
    world.call("gateway", "auth", Load(10.0, 0.0, 3), 0.0, 1);
    world.ask("cart", DATABASE, Load(20.0, 0.0, 2), 0.0);
    world.ask("web", (NodeKind::External, "external:metrics.example"), Load(5.0, 0.0, 2), 0.0);
}

#[test]
fn when_all_is_well_nothing_is_found() {
    check(quiet, expect![[""]]);
}

#[test]
fn errors_are_told_of_where_they_begin() {
    check(
        |world| {
            shop(world, Load(40.0, 10.0, 20), Load(20.0, 10.0, 10));
            world.said("cart", (SpanKind::Server, "GET /"), "Deadlock", "row # is locked", 10);
            world.said("gateway", (SpanKind::Client, "GET /cart"), "502", "", 10);
            world.said("gateway", (SpanKind::Server, "GET /"), "502", "cart failed", 10);
        },
        expect![[r#"
            Errors cart [] 12–… 30/60 Deadlock: row # is locked (new) at GET / felt by gateway
        "#]],
    );
}

#[test]
fn whoever_answers_a_failure_is_reached() {
    check(
        |world| {
            shop(world, Load(40.0, 10.0, 20), Load(20.0, 10.0, 10));
            // Calls that the caller has told of, and the callee has not yet.
            world.call("gateway", "cart", Load(10.0, 8.0, 10), 0.0, 1);
            world.said("cart", (SpanKind::Server, "GET /"), "Deadlock", "row # is locked", 10);
            world.said("gateway", (SpanKind::Client, "GET /cart"), "500", "", 18);
        },
        expect![[r#"
            Errors cart [] 12–… 30/60 Deadlock: row # is locked (new) at GET / felt by gateway
        "#]],
    );
}

#[test]
fn a_version_that_alone_fails_is_named() {
    check(
        |world| {
            shop(world, Load(40.0, 8.0, 20), Load(10.0, 0.0, 10));
            world.serve_as("1.1", "cart", Load(10.0, 8.0, 10));
            world.call("gateway", "cart", Load(10.0, 8.0, 10), 8.0, 1);
        },
        expect![[r#"
            Errors cart [] 12–… 24/60 at GET / in Version 1.1 felt by gateway
        "#]],
    );
}

#[test]
fn a_slow_service_is_not_its_callers_fault() {
    check(
        |world| shop(world, Load(40.0, 0.0, 420), Load(20.0, 0.0, 810)),
        expect![[r#"
            Slow cart [] 12–… 60/60 at GET / felt by gateway
        "#]],
    );
}

#[test]
fn a_slow_database_is_told_with_its_statement() {
    check(
        |world| {
            shop(world, Load(40.0, 0.0, 200), Load(20.0, 0.0, 370));
            world.ask("cart", DATABASE, Load(20.0, 0.0, 360), 0.0);
            let service = world.rows.names.intern("cart");
            let operation = world.rows.names.intern("SELECT carts");
            let key =
                OperationKey { time: world.at * STEP, service, operation, kind: SpanKind::Client as u8, root: false };
            record(world.rows.operation(key).unwrap(), Load(20.0, 0.0, 360));
        },
        expect![[r#"
            SlowCalls database:postgresql/db:5432 [cart] 12–… 60/120 at SELECT carts felt by cart gateway
        "#]],
    );
}

#[test]
fn a_slow_network_lies_between_two() {
    check(
        |world| {
            shop(world, Load(40.0, 0.0, 150), Load(0.0, 0.0, 10));
            world.serve("cart", Load(20.0, 0.0, 10));
            world.call("gateway", "cart", Load(20.0, 0.0, 10), 0.0, 250);
        },
        expect![[r#"
            Network cart [gateway] 12–… 60/60 felt by gateway
        "#]],
    );
}

#[test]
fn what_is_refused_is_told_by_status() {
    let refused = |status: &'static str, message: &'static str| {
        move |world: &mut World| {
            shop(world, Load(40.0, 0.0, 20), Load(20.0, 0.0, 10));
            world.call("web", "gateway", Load(30.0, 25.0, 2), 0.0, 1);
            world.said("web", (SpanKind::Client, "GET /cart"), status, message, 25);
            world.said("web", (SpanKind::Internal, "open cart"), "refused", "no luck", 25);
        }
    };
    check(
        refused("401", "token_expired"),
        expect![[r#"
            Rejected gateway [web] 12–… 75/210 401: token_expired (new) of auth
        "#]],
    );
    check(
        refused("429", "rate_limited"),
        expect![[r#"
            RateLimited gateway [web] 12–… 75/210 429: rate_limited (new)
        "#]],
    );
    check(refused("409", "empty_cart"), expect![[""]]);
}

#[test]
fn who_is_down_cannot_be_reached() {
    check(
        |world| {
            world.serve("gateway", Load(40.0, 20.0, 20));
            world.call("web", "gateway", Load(40.0, 20.0, 20), 20.0, 1);
            world.serve("auth", Load(10.0, 0.0, 3));
            world.call("gateway", "auth", Load(10.0, 0.0, 3), 0.0, 1);
            world.ask("gateway", (NodeKind::External, "external:cart"), Load(20.0, 20.0, 1), 20.0);
            world.said("gateway", (SpanKind::Client, "GET /cart"), "connection_refused", "", 20);
        },
        expect![[r#"
            Unreachable cart [gateway] 12–… 60/60 connection_refused:  (new) felt by gateway
        "#]],
    );
}

#[test]
fn a_failure_that_is_passed_on_does_not_say_that_nobody_answers() {
    // Payments fail, the gateway says so with 503; meanwhile tokens expire.
    check(
        |world| {
            world.serve("cart", Load(20.0, 20.0, 10));
            world.call("gateway", "cart", Load(20.0, 20.0, 10), 20.0, 1);
            world.serve("gateway", Load(40.0, 20.0, 20));
            world.call("web", "gateway", Load(50.0, 30.0, 20), 20.0, 1);
            world.said("web", (SpanKind::Client, "POST /pay"), "503", "", 20);
            world.said("web", (SpanKind::Client, "GET /cart"), "401", "token_expired", 10);
            world.said("cart", (SpanKind::Server, "GET /"), "Deadlock", "", 20);
        },
        expect![[r#"
            Errors cart [] 12–… 60/60 Deadlock:  (new) at GET / felt by gateway
            Rejected gateway [web] 12–… 30/150 401: token_expired (new) of auth
        "#]],
    );
    // The gateway counts them, of which callers only some pairs tell.
    check(
        |world| {
            world.serve("cart", Load(20.0, 20.0, 10));
            world.call("gateway", "cart", Load(20.0, 20.0, 10), 20.0, 1);
            world.serve("gateway", Load(40.0, 20.0, 20));
            world.call("web", "gateway", Load(40.0, 20.0, 20), 4.0, 1);
            world.said("web", (SpanKind::Client, "POST /pay"), "502", "", 20);
        },
        expect![[r#"
            Errors cart [] 12–… 60/60 at GET / felt by gateway
        "#]],
    );
    // What the gateway knows nothing of is another matter.
    check(
        |world| {
            shop(world, Load(40.0, 0.0, 20), Load(20.0, 0.0, 10));
            world.call("web", "gateway", Load(20.0, 20.0, 1), 0.0, 1);
            world.said("web", (SpanKind::Client, "POST /pay"), "503", "", 20);
        },
        expect![[r#"
            Unreachable gateway [web] 12–… 60/180 503:  (new)
        "#]],
    );
}

#[test]
fn what_has_failed_all_along_is_told_after_what_has_just_begun() {
    let mut world = World::default();
    for at in 0..15 {
        world.at = at;
        if at < 12 {
            quiet(&mut world);
        } else {
            shop(&mut world, Load(40.0, 10.0, 20), Load(20.0, 10.0, 10));
        }
        // More calls than all others, and always the same share.
        world.serve("stock", Load(180.0, 0.0, 5));
        world.call("feed", "stock", Load(200.0, 20.0, 5), 0.0, 1);
        world.said("feed", (SpanKind::Client, "GET /items"), "timeout", "", 20);
    }
    let board = Board::new(Steps { rows: &world.rows, nanos: STEP }, TimeRange { from: 6 * STEP, to: 15 * STEP }, None);
    let told = |suspect: &Suspect<'_>| board.told(suspect, &of(&world.rows, suspect.teller()));
    let found = joined(board.suspects().iter().filter_map(told).collect());
    let said: Vec<_> = found.iter().map(|found| (found.kind, &*found.node, found.since_unix_nano)).collect();
    assert_eq!(said, [(FindingKind::Errors, "cart", Some(12 * STEP)), (FindingKind::Steady, "stock", None)]);
    assert_eq!((&*found[1].callers, found[1].size), (&["feed".to_owned()][..], Change { usual: None, now: 0.1 }));
}

#[test]
fn a_consumer_falls_behind() {
    let queue = (NodeKind::Queue, "queue:nats/orders");
    let mut world = World::default();
    for at in 0..15 {
        world.at = at;
        quiet(&mut world);
        world.edge(EdgeKind::Publish, [(NodeKind::Service, "cart"), queue]).caller.record(MS, false, 10.0);
        let taken = if at < 12 { Load(10.0, 0.0, 5) } else { Load(4.0, 0.0, 3000) };
        let wait = if at < 12 { 2 } else { 4_000 * (at - 11) };
        let row = world.edge(EdgeKind::Consume, [queue, (NodeKind::Service, "mail")]);
        record(&mut row.caller, taken);
        record(&mut row.lag, Load(taken.0, 0.0, wait));
        world.serve("mail", Load(taken.0, 0.0, if at < 12 { 5 } else { 3000 }));
    }
    let board = Board::new(Steps { rows: &world.rows, nanos: STEP }, TimeRange { from: 6 * STEP, to: 15 * STEP }, None);
    let kinds: Vec<_> = board
        .suspects()
        .iter()
        .filter_map(|suspect| board.told(suspect, &RollupRows::default()))
        .map(|found| (found.kind, found.node, found.callers))
        .collect();
    assert_eq!(kinds[0], (FindingKind::Lag, "mail".to_owned(), vec!["queue:nats/orders".to_owned()]));
    assert_eq!(kinds[1].0, FindingKind::Slow, "it needs three seconds for each: {kinds:?}");
    assert_eq!(kinds.len(), 2, "{kinds:?}");
}

#[test]
fn who_falls_silent_is_missed() {
    let mut world = World::default();
    for at in 0..30 {
        world.at = at;
        quiet(&mut world);
        if at < 20 {
            world.serve("mail", Load(8.0, 0.0, 5));
        }
    }
    let board =
        Board::new(Steps { rows: &world.rows, nanos: STEP }, TimeRange { from: 15 * STEP, to: 30 * STEP }, None);
    let found: Vec<_> =
        board.suspects().iter().filter_map(|suspect| board.told(suspect, &RollupRows::default())).collect();
    let told: Vec<_> = found.iter().map(|found| (found.kind, found.node.as_str(), found.since_unix_nano)).collect();
    assert_eq!(told, [(FindingKind::Silent, "mail", Some(20 * STEP))]);
}

#[test]
fn another_environment_is_another_matter() {
    let mut world = World::default();
    for at in 0..15 {
        world.at = at;
        world.serve("cart@test", Load(20.0, if at < 12 { 0.0 } else { 10.0 }, 5));
        world.serve("cart@prod", Load(20.0, 0.0, 5));
    }
    let found = |environment| {
        let steps = Steps { rows: &world.rows, nanos: STEP };
        Board::new(steps, TimeRange { from: 0, to: 15 * STEP }, environment).suspects().len()
    };
    assert_eq!((found(None), found(Some("test")), found(Some("prod"))), (1, 1, 0));
}
