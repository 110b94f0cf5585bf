//! The map does not notice a restart: the observer is reminded of the spans it knew.

use super::*;

fn call(server: Option<u64>, time: i64) -> Item {
    let (service, span, parent, kind) = match server {
        None => ("web", 1, 0, 3),
        Some(span) => ("shop", span, 1, 2),
    };
    Item {
        resource: pairs(json!({"service.name": service})),
        attributes: pairs(json!({"http.request.method": "GET", "server.address": "shop.example", "server.port": 80})),
        trace: "1".into(),
        span,
        parent,
        time,
        name: "GET".into(),
        kind,
        duration: 5_000_000,
        ..Item::default()
    }
}

/// Callers and callees by name, with the number of calls.
fn edges(rig: &Rig) -> Vec<(String, String, f64)> {
    let plan = plan::Topology { range: TimeRange::ALL, environment: None };
    let topology = rig.engine().topology(&plan, &control()).unwrap().value;
    let mut edges: Vec<_> = topology.edges.into_iter().map(|edge| (edge.caller, edge.callee, edge.red.count)).collect();
    edges.sort_by(|a, b| a.partial_cmp(b).unwrap());
    edges
}

#[test]
fn a_span_finds_its_parent_from_before_a_restart() {
    let mut rig = Rig::new();
    let now = now();
    rig.put(Signal::Traces, &[call(None, now)]);
    rig.seal();
    rig.reopen();
    rig.put(Signal::Traces, &[call(Some(2), now)]);
    assert_eq!(edges(&rig), [("web".into(), "shop".into(), 1.0)]);
    rig.seal();
    rig.reopen();
    assert_eq!(edges(&rig), [("web".into(), "shop".into(), 1.0)]);
}

#[test]
fn what_waited_when_its_slice_was_sealed_is_counted_once() {
    let mut rig = Rig::new();
    // In a second the wait for a server span will be over.
    rig.put(Signal::Traces, &[call(None, now() - 9 * SECOND)]);
    rig.seal();
    rig.reopen();
    wait("an edge", || !edges(&rig).is_empty());
    let expected = [("web".to_owned(), "external:shop.example".to_owned(), 1.0)];
    assert_eq!(edges(&rig), expected);
    rig.reopen();
    wait("an edge again", || !edges(&rig).is_empty());
    rig.seal();
    rig.reopen();
    assert_eq!(edges(&rig), expected, "nothing waits any more");
    // The parent's server span arrives after all, two restarts later.
    rig.put(Signal::Traces, &[call(Some(2), now())]);
    assert_eq!(edges(&rig), [("web".into(), "shop".into(), 1.0)]);
}
