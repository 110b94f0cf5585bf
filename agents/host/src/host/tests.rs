//! Reads this machine, and a small fixture of another.

use std::fs;

use opentelemetry_proto::tonic::metrics::v1::{Metric, number_data_point::Value};

use super::*;
use crate::otlp::{data_points, now_unix_nano};

fn value(metrics: &[Metric], name: &str, attributes: &[(&str, &str)]) -> Option<f64> {
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    let metric = metrics.iter().find(|metric| metric.name == name)?;
    let point = data_points(metric).iter().find(|point| {
        attributes.iter().all(|(key, wanted)| {
            point.attributes.iter().any(|attribute| {
                let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
                attribute.key == *key && matches!(value, Some(Any::StringValue(text)) if text == wanted)
            })
        })
    })?;
    Some(match point.value? {
        Value::AsInt(value) => value as f64,
        Value::AsDouble(value) => value,
    })
}

fn sum(metrics: &[Metric], name: &str) -> f64 {
    let metric = metrics.iter().find(|metric| metric.name == name).expect(name);
    data_points(metric)
        .iter()
        .map(|point| match point.value {
            Some(Value::AsInt(value)) => value as f64,
            Some(Value::AsDouble(value)) => value,
            None => 0.0,
        })
        .sum()
}

#[test]
fn this_machine_reads_plausibly() {
    let mut host = Host::open(Path::new("/"), 5).unwrap();
    let first = host.collect(now_unix_nano());
    let until = std::time::Instant::now() + std::time::Duration::from_millis(60);
    while std::time::Instant::now() < until {
        std::hint::spin_loop();
    }
    let second = host.collect(now_unix_nano());
    assert!(host.failures().is_empty(), "{:?}", host.failures());

    for name in ["system.cpu.time", "system.network.io", "system.process.created", "system.paging.faults"] {
        assert!(sum(&second, name) >= sum(&first, name), "{name} fell");
    }
    assert!((sum(&second, "system.cpu.utilization") - 1.0).abs() < 1e-6);
    assert!((sum(&second, "system.memory.utilization") - 1.0).abs() < 1e-6);
    assert!(sum(&second, "system.process.count") > 1.0);
    assert!(value(&second, "system.uptime", &[]).unwrap() > 0.0);
    let root = [("system.filesystem.mountpoint", "/"), ("system.filesystem.state", "used")];
    assert!(value(&second, "system.filesystem.usage", &root).is_some());
    let own = second.iter().find(|metric| metric.name == "process.cpu.utilization").unwrap();
    assert!(data_points(own).len() <= 11, "bounded by top-N");
}

#[test]
fn sums_start_before_they_end_and_gauges_have_no_start() {
    let now = now_unix_nano();
    for metric in Host::open(Path::new("/"), 3).unwrap().collect(now) {
        let gauge = matches!(metric.data, Some(opentelemetry_proto::tonic::metrics::v1::metric::Data::Gauge(_)));
        for point in data_points(&metric) {
            assert_eq!(point.time_unix_nano, now);
            assert_eq!(point.start_time_unix_nano == 0, gauge, "{}", metric.name);
            assert!(point.start_time_unix_nano <= now, "{}", metric.name);
        }
    }
}

/// A host of known numbers: 2 CPUs, 100 ticks a second wherever tests run.
fn fixture() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, content: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    write(
        "proc/stat",
        "cpu  1000 20 300 5000 40 6 7 8 100 0\ncpu0 500 10 150 2500 20 3 4 4 50 0\n\
         cpu1 500 10 150 2500 20 3 3 4 50 0\nintr 1 2\nctxt 99\nbtime 1700000000\nprocesses 4321\n\
         procs_running 1\nprocs_blocked 0\nsoftirq 1\n",
    );
    write("proc/loadavg", "0.50 0.25 0.10 2/345 6789\n");
    write("proc/uptime", "12345.67 20000.00\n");
    write("proc/meminfo", include_str!("../../tests/fixtures/meminfo"));
    write("proc/vmstat", "pgfault 1000\npgmajfault 10\npswpin 3\npswpout 4\n");
    write(
        "proc/diskstats",
        "   8       0 sda 100 5 2048 30 200 6 4096 70 0 90 100\n   8       1 sda1 100 5 2048 30 200 6 4096 70 0 90 100\n   \
         7       0 loop0 9 0 9 0 0 0 0 0 0 0 0\n 259       0 nvme0n1 0 0 0 0 0 0 0 0 0 0 0\n",
    );
    write("sys/block/sda/size", "1");
    write("sys/block/nvme0n1/size", "1");
    write(
        "proc/1/mountinfo",
        "27 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n28 27 8:1 /x /mnt/bind rw - ext4 /dev/sda1 rw\n29 27 0:5 / /proc rw - proc proc rw\n",
    );
    write(
        "proc/net/dev",
        "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n  eth0: 1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0\n veth9: 5 5 0 0 0 0 0 0 5 5 0 0 0 0 0 0\n  idle: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
    );
    write(
        "proc/42/stat",
        "42 (my (odd) name) R 1 42 42 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 7 0 6000 8192000 300 18446744073709551615 \
         0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
    );
    root
}

#[test]
fn a_fixture_reads_to_the_digit() {
    let root = fixture();
    let mut host = Host::open(root.path(), 5).unwrap();
    assert_eq!(rustix::param::clock_ticks_per_second(), 100, "the fixture's ticks");
    let metrics = host.collect(1_700_001_000 * NANOS_PER_SECOND);
    assert!(host.failures().is_empty(), "{:?}", host.failures());
    let check = |name: &str, attributes: &[(&str, &str)], expected: Option<f64>| {
        assert_eq!(value(&metrics, name, attributes), expected, "{name} {attributes:?}");
    };
    check("system.cpu.time", &[("cpu.mode", "user")], Some(10.0));
    check("system.cpu.time", &[("cpu.mode", "interrupt")], Some(0.13));
    check("system.cpu.logical.count", &[], Some(2.0));
    check("system.cpu.utilization", &[("cpu.mode", "user")], None);
    check("system.cpu.load_average.1m", &[], Some(0.5));
    check("system.uptime", &[], Some(12345.67));
    check("system.process.created", &[], Some(4321.0));
    check("system.memory.limit", &[], Some(8_000_000.0 * 1024.0));
    check("system.memory.usage", &[("system.memory.state", "cached")], Some(2_500_000.0 * 1024.0));
    check("system.memory.usage", &[("system.memory.state", "used")], Some(3_500_000.0 * 1024.0));
    check("system.paging.usage", &[("system.paging.state", "used")], Some(250_000.0 * 1024.0));
    check("system.paging.utilization", &[("system.paging.state", "used")], Some(0.25));
    check("system.paging.faults", &[("system.paging.fault.type", "minor")], Some(990.0));
    check("system.paging.operations", &[("system.paging.direction", "out")], Some(4.0));
    check("system.disk.io", &[("disk.io.direction", "read"), ("system.device", "sda")], Some(1_048_576.0));
    check("system.disk.operation_time", &[("disk.io.direction", "write"), ("system.device", "sda")], Some(0.07));
    check("system.disk.io_time", &[("system.device", "sda")], Some(0.09));
    for absent in ["sda1", "loop0", "nvme0n1"] {
        check("system.disk.io", &[("system.device", absent)], None);
    }
    check(
        "system.network.io",
        &[("network.interface.name", "eth0"), ("network.io.direction", "transmit")],
        Some(2000.0),
    );
    check("system.network.packet.dropped", &[("network.io.direction", "receive")], Some(2.0));
    check("system.network.errors", &[("network.io.direction", "transmit")], Some(3.0));
    for absent in ["veth9", "idle"] {
        check("system.network.io", &[("network.interface.name", absent)], None);
    }
    check("system.process.count", &[("process.state", "running")], Some(1.0));
    check("process.cpu.time", &[("process.executable.name", "my (odd) name"), ("cpu.mode", "user")], Some(2.5));
    check("process.memory.usage", &[], Some(300.0 * rustix::param::page_size() as f64));
    check("process.uptime", &[], Some(940.0));
    check("system.filesystem.limit", &[("system.filesystem.mountpoint", "/mnt/bind")], None);
}

#[test]
fn a_missing_part_costs_that_part_only() {
    let root = fixture();
    fs::remove_file(root.path().join("proc/diskstats")).unwrap();
    fs::write(root.path().join("proc/meminfo"), "garbage\n").unwrap();
    let mut host = Host::open(root.path(), 5).unwrap();
    let metrics = host.collect(now_unix_nano());
    assert_eq!(host.failures().keys().copied().collect::<Vec<_>>(), ["disk", "memory"]);
    assert!(value(&metrics, "system.uptime", &[]).is_some());
}

#[test]
fn nothing_mounted_is_an_error_with_the_path() {
    let root = tempfile::tempdir().unwrap();
    let error = format!("{:#}", Host::open(root.path(), 5).unwrap_err());
    assert!(error.contains("proc/stat"), "{error}");
}
