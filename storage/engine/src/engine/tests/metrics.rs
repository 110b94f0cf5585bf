//! Metrics, hosts and completion, from memory and from segments.

use super::*;
use orrery_query::answer::{Finding, FindingKind, MetricSeries};
use orrery_query::plan::Aggregation;

fn point(name: &str, time: i64, value: &str, attributes: serde_json::Value, metric: items::MetricItem) -> Item {
    Item {
        resource: pairs(json!({"service.name": "agent", "host.name": "h1", "os.type": "linux"})),
        name: name.into(),
        time: T0 + time * SECOND,
        attributes: pairs(attributes),
        value: Some(raw(value)),
        metric: Some(metric),
        ..Item::default()
    }
}

fn counter() -> items::MetricItem {
    items::MetricItem { kind: 2, temporality: 2, monotonic: true, start: T0, unit: "By".into(), distribution: None }
}

fn gauge(unit: &str) -> items::MetricItem {
    items::MetricItem { kind: 1, unit: unit.into(), ..Default::default() }
}

fn plan_of(name: &str, group_by: &[&str], aggregation: Option<Aggregation>) -> plan::Metric {
    plan::Metric {
        name: name.into(),
        range: TimeRange::new(T0, T0 + 60 * SECOND).unwrap(),
        step_nanos: 10 * SECOND,
        service: None,
        attributes: Vec::new(),
        group_by: group_by.iter().map(|key| (*key).to_owned()).collect(),
        aggregation,
        limit: 10,
    }
}

fn series(rig: &Rig, plan: &plan::Metric) -> Vec<MetricSeries> {
    rig.engine().metric(plan, &control()).unwrap().value
}

fn shop() -> Vec<Item> {
    let mut items = Vec::new();
    for second in (0..60).step_by(10) {
        for (device, rate) in [("eth0", 100), ("eth1", 10)] {
            let value = (second * rate).to_string();
            items.push(point(
                "system.network.io",
                second,
                &value,
                json!({"network.interface.name": device}),
                counter(),
            ));
        }
        for (mode, share) in [("user", "0.25"), ("system", "0.25"), ("idle", "0.5")] {
            items.push(point("system.cpu.utilization", second, share, json!({"cpu.mode": mode}), gauge("1")));
        }
        for (state, bytes) in [("used", "300"), ("free", "700")] {
            items.push(point("system.memory.usage", second, bytes, json!({"system.memory.state": state}), gauge("By")));
        }
        for (mount, share) in [("/", "0.5"), ("/data", "0.75")] {
            let attributes = json!({"system.filesystem.mountpoint": mount});
            items.push(point("system.filesystem.utilization", second, share, attributes, gauge("1")));
        }
        items.push(point("system.cpu.load_average.1m", second, "1.5", json!({}), gauge("{thread}")));
        let at = second as u64 / 10 + 1;
        let counts = [10 * at, 10 * at, 0];
        let metric = items::MetricItem {
            kind: 3,
            unit: "s".into(),
            distribution: Some(items::histogram(&[1.0, 2.0], &counts)),
            ..counter()
        };
        items.push(point("http.server.request.duration", second, "null", json!({"http.method": "GET"}), metric));
    }
    items
}

fn check(rig: &Rig) {
    let rates = series(rig, &plan_of("system.network.io", &["network.interface.name"], None));
    assert_eq!(rates.len(), 2);
    assert_eq!(rates[0].group, [("network.interface.name".to_owned(), "eth0".to_owned())]);
    assert_eq!(rates[0].unit, "By/s");
    assert!(rates[0].points.iter().all(|(_, rate)| (rate - 100.0).abs() < 1e-9), "{:?}", rates[0].points);
    assert_eq!(rates[0].points.len(), 5);
    let total = series(rig, &plan_of("system.network.io", &[], None));
    assert!((total[0].points[0].1 - 110.0).abs() < 1e-9);
    let only = plan::Metric {
        attributes: vec![equals("network.interface.name", "eth1")],
        ..plan_of("system.network.io", &["host.name"], None)
    };
    assert_eq!(series(rig, &only)[0].group[0].1, "h1");
    assert!((series(rig, &only)[0].points[0].1 - 10.0).abs() < 1e-9);
    let p50 = series(
        rig,
        &plan_of("http.server.request.duration", &["http.request.method"], Some(Aggregation::Quantile(500))),
    );
    assert_eq!(p50[0].group[0].1, "GET");
    assert!(p50[0].points.iter().all(|(_, value)| (value - 1.0).abs() < 1e-9), "{:?}", p50[0].points);
    let calls = series(rig, &plan_of("http.server.request.duration", &[], Some(Aggregation::Rate)));
    assert!((calls[0].points[1].1 - 2.0).abs() < 1e-9, "{:?}", calls[0].points);
    let max = series(rig, &plan_of("system.filesystem.utilization", &[], Some(Aggregation::Max)));
    assert_eq!(max[0].points[0].1, 0.75);

    let names = plan::MetricNames { range: TimeRange::ALL, service: None };
    let names = rig.engine().metric_names(&names, &control()).unwrap().value;
    let duration = names.iter().find(|name| name.name == "http.server.request.duration").unwrap();
    assert_eq!((duration.kind.as_str(), duration.unit.as_str()), ("histogram", "s"));
    assert_eq!(
        (&duration.services[..], &duration.attribute_keys[..]),
        (&["agent".to_owned()][..], &["http.method".to_owned()][..])
    );
    assert_eq!(names.len(), 6);

    let hosts = plan::Hosts { range: TimeRange::new(T0, T0 + 60 * SECOND).unwrap(), points: 6 };
    let hosts = rig.engine().hosts(&hosts, &control()).unwrap().value;
    assert_eq!(hosts.len(), 1);
    let host = &hosts[0];
    assert_eq!((host.name.as_str(), host.resource["os.type"].as_str()), ("h1", Some("linux")));
    assert_eq!(host.last_seen_unix_nano, T0 + 50 * SECOND);
    assert_eq!(host.cpu_utilization, Some(0.5));
    assert_eq!(host.memory_utilization, Some(0.3));
    assert_eq!(host.memory_total_bytes, Some(1000.0));
    assert_eq!(host.filesystem_utilization, Some(0.75));
    assert_eq!(host.load_1m, Some(1.5));
    assert!((host.network_bytes_per_second.unwrap() - 110.0).abs() < 1e-9);
    assert_eq!(host.disk_bytes_per_second, None);
    assert_eq!(host.cpu_series.len(), 6);
}

#[test]
fn metrics_and_hosts_are_the_same_in_memory_and_in_segments() {
    let rig = Rig::new();
    let items = shop();
    rig.put(Signal::Metrics, &items[..items.len() / 2]);
    rig.put(Signal::Metrics, &items[items.len() / 2..]);
    check(&rig);
    rig.seal();
    check(&rig);
    // A request that was sent again changes nothing.
    rig.put(Signal::Metrics, &items[..items.len() / 2]);
    check(&rig);
}

#[test]
fn hosts_in_trouble_are_found() {
    let rig = Rig::new();
    let mut items = Vec::new();
    for second in (0..300).step_by(30) {
        for (mode, share) in [("user", "0.97"), ("idle", "0.03")] {
            items.push(point("system.cpu.utilization", second, share, json!({"cpu.mode": mode}), gauge("1")));
        }
        // Images are always full, and data has been for the last two minutes.
        let data = if second < 180 { "0.9" } else { "0.96" };
        for (mount, kind, share) in [("/snap/core", "squashfs", "1.0"), ("/data", "ext4", data), ("/", "ext4", "0.5")] {
            let attributes = json!({"system.filesystem.mountpoint": mount, "system.filesystem.type": kind});
            items.push(point("system.filesystem.utilization", second, share, attributes, gauge("1")));
        }
    }
    rig.put(Signal::Metrics, &items);
    let found = |seconds: i64| {
        let range = TimeRange::new(T0, T0 + seconds * SECOND).unwrap();
        let plan = plan::Findings { range, environment: None, limit: 20 };
        let found = rig.engine().findings(&plan, &control()).unwrap().value;
        let said = |found: Finding| {
            assert_eq!((found.node.as_str(), found.until_unix_nano), ("host:h1", None));
            // To within a step of half a minute.
            let since = found.since_unix_nano.map(|since| ((since - T0) / SECOND + 29) / 30 * 30);
            (found.kind, since, found.size.now, found.operation.unwrap_or_default())
        };
        found.into_iter().map(said).collect::<Vec<_>>()
    };
    let expected = [
        (FindingKind::DiskFull, Some(180), 0.96, "/data".to_owned()),
        (FindingKind::CpuBusy, None, 0.97, String::new()),
    ];
    assert_eq!(found(300), expected);
    rig.seal();
    assert_eq!(found(300), expected);
    // Later only something else reports.
    let resource = pairs(json!({"service.name": "agent", "host.name": "h2"}));
    let later = Item { resource, ..point("system.cpu.load_average.1m", 590, "0.1", json!({}), gauge("1")) };
    rig.put(Signal::Metrics, &[later]);
    assert_eq!(found(600), [(FindingKind::HostSilent, Some(270), 0.0, String::new())]);
}

#[test]
fn bad_metric_plans_are_told() {
    let rig = Rig::new();
    let plan = plan_of("x", &[], Some(Aggregation::Quantile(2000)));
    assert!(matches!(
        rig.engine().metric(&plan, &control()),
        Err(orrery_query::QueryError::Invalid { field: "aggregation", .. })
    ));
    let plan = plan::Metric { range: TimeRange { from: 5, to: 5 }, ..plan_of("x", &[], None) };
    assert!(matches!(rig.engine().metric(&plan, &control()), Err(orrery_query::QueryError::Range(_))));
}

#[test]
fn values_complete_fields_and_attributes() {
    let rig = Rig::new();
    let mut items: Vec<Item> = (0..30).map(|at| span(at + 1, 1, T0)).collect();
    for (at, item) in items.iter_mut().enumerate() {
        item.attributes = pairs(json!({"http.method": if at % 3 == 0 { "POST" } else { "GET" }, "code": 200 + at % 2}));
        if at == 7 {
            item.attributes = pairs(json!({"http.request.method": "get", "odd": [1]}));
            item.resource = pairs(json!({"host.name": "h1"}));
        }
    }
    rig.put(Signal::Traces, &items);
    let check = || {
        let values = |key: &str, prefix: &str| -> Vec<(String, u64)> {
            let plan = plan::Values {
                range: TimeRange::ALL,
                signal: Signal::Traces,
                key: key.into(),
                prefix: prefix.into(),
                limit: 10,
            };
            let values = rig.engine().values(&plan, &control()).unwrap().value;
            values.into_iter().map(|value| (value.value, value.count)).collect()
        };
        assert_eq!(values("http.request.method", ""), [("GET".into(), 19), ("POST".into(), 10), ("get".into(), 1)]);
        assert_eq!(values("http.method", "g"), [("GET".into(), 19), ("get".into(), 1)]);
        assert_eq!(values("code", "2"), [("200".into(), 15), ("201".into(), 14)]);
        assert_eq!(values("service.name", ""), [("cart".into(), 29), ("unknown_service".into(), 1)]);
        assert_eq!(values("host.name", ""), [("h1".into(), 30)]);
        assert_eq!(values("name", "get"), [("GET /cart".into(), 30)]);
        assert_eq!(values("odd", ""), [("[1]".into(), 1)]);
        assert_eq!(values("absent", ""), []);
    };
    check();
    rig.seal();
    check();
}
