//! Every metric the agent emits, declared once: name, instrument, unit, description.
//!
//! Source: OpenTelemetry semantic conventions 1.44 where they have a name; a test compares this table with them.
//! Names outside the conventions are those users know from the collector's `hostmetrics` and `httpcheck`
//! receivers, and `orrery.agent.*` for the agent's own.

/// How a metric's values are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Cumulative, never falls within one start time.
    Counter,
    /// A sum over its attributes that may fall (bytes in use).
    UpDownCounter,
    /// A momentary value that must not be summed.
    Gauge,
}

/// One metric's identity.
#[derive(Debug)]
pub(crate) struct Instrument {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) unit: &'static str,
    pub(crate) description: &'static str,
}

macro_rules! instruments {
    ($($ident:ident: $kind:ident $name:literal $unit:literal $description:literal;)*) => {
        $(pub(crate) const $ident: Instrument =
            Instrument { name: $name, kind: Kind::$kind, unit: $unit, description: $description };)*
        #[cfg(test)]
        pub(crate) const ALL: &[&Instrument] = &[$(&$ident),*];
    };
}

instruments! {
    CPU_TIME: Counter "system.cpu.time" "s" "Seconds all logical CPUs spent in each mode.";
    CPU_UTILIZATION: Gauge "system.cpu.utilization" "1" "Share of CPU time spent in each mode since the previous collection.";
    CPU_LOGICAL_COUNT: UpDownCounter "system.cpu.logical.count" "{cpu}" "Logical CPUs online.";
    LOAD_1M: Gauge "system.cpu.load_average.1m" "{thread}" "Runnable and uninterruptible threads, one-minute average.";
    LOAD_5M: Gauge "system.cpu.load_average.5m" "{thread}" "Runnable and uninterruptible threads, five-minute average.";
    LOAD_15M: Gauge "system.cpu.load_average.15m" "{thread}" "Runnable and uninterruptible threads, fifteen-minute average.";
    UPTIME: Gauge "system.uptime" "s" "Time since the host booted.";

    MEMORY_USAGE: UpDownCounter "system.memory.usage" "By" "Memory by state; the states add up to the limit.";
    MEMORY_UTILIZATION: Gauge "system.memory.utilization" "1" "Memory by state as a share of the limit.";
    MEMORY_LIMIT: UpDownCounter "system.memory.limit" "By" "Memory the kernel manages.";
    MEMORY_AVAILABLE: UpDownCounter "system.memory.linux.available" "By" "Kernel's estimate of memory available without swapping.";
    MEMORY_SHARED: UpDownCounter "system.memory.linux.shared" "By" "Shared memory, mostly tmpfs.";
    PAGING_USAGE: UpDownCounter "system.paging.usage" "By" "Swap by state.";
    PAGING_UTILIZATION: Gauge "system.paging.utilization" "1" "Swap by state as a share of all swap.";
    PAGING_FAULTS: Counter "system.paging.faults" "{fault}" "Page faults.";
    PAGING_OPERATIONS: Counter "system.paging.operations" "{operation}" "Pages swapped in and out.";

    DISK_IO: Counter "system.disk.io" "By" "Bytes read from and written to the device.";
    DISK_OPERATIONS: Counter "system.disk.operations" "{operation}" "Reads and writes completed.";
    DISK_MERGED: Counter "system.disk.merged" "{operation}" "Reads and writes merged into others.";
    DISK_IO_TIME: Counter "system.disk.io_time" "s" "Time the device was busy.";
    DISK_OPERATION_TIME: Counter "system.disk.operation_time" "s" "Time operations took, added up.";

    FILESYSTEM_USAGE: UpDownCounter "system.filesystem.usage" "By" "Filesystem space by state; the states add up to the limit.";
    FILESYSTEM_UTILIZATION: Gauge "system.filesystem.utilization" "1" "Used share of the space users may fill, as `df` prints it.";
    FILESYSTEM_LIMIT: UpDownCounter "system.filesystem.limit" "By" "Size of the filesystem.";
    FILESYSTEM_INODES: UpDownCounter "system.filesystem.inodes.usage" "{inode}" "Inodes by state.";

    NETWORK_IO: Counter "system.network.io" "By" "Bytes sent and received.";
    NETWORK_PACKETS: Counter "system.network.packet.count" "{packet}" "Packets sent and received.";
    NETWORK_DROPPED: Counter "system.network.packet.dropped" "{packet}" "Packets dropped although nothing was wrong with them.";
    NETWORK_ERRORS: Counter "system.network.errors" "{error}" "Packets that failed.";

    PROCESS_COUNT: UpDownCounter "system.process.count" "{process}" "Processes by state.";
    PROCESS_CREATED: Counter "system.process.created" "{process}" "Processes and threads created.";

    PROCESS_CPU_TIME: Counter "process.cpu.time" "s" "CPU seconds of the process by mode.";
    PROCESS_CPU_UTILIZATION: Gauge "process.cpu.utilization" "1" "Share of all CPUs the process used since the previous collection.";
    PROCESS_MEMORY_USAGE: UpDownCounter "process.memory.usage" "By" "Resident memory.";
    PROCESS_MEMORY_VIRTUAL: UpDownCounter "process.memory.virtual" "By" "Virtual memory.";
    PROCESS_THREADS: UpDownCounter "process.thread.count" "{thread}" "Threads.";
    PROCESS_FDS: UpDownCounter "process.unix.file_descriptor.count" "{file_descriptor}" "Open file descriptors.";
    PROCESS_DISK_IO: Counter "process.disk.io" "By" "Bytes the process caused to be read from and written to disk.";
    PROCESS_UPTIME: Gauge "process.uptime" "s" "Time since the process started.";

    CONTAINER_CPU_TIME: Counter "container.cpu.time" "s" "CPU seconds of the container by mode.";
    CONTAINER_CPU_USAGE: Gauge "container.cpu.usage" "{cpu}" "CPUs the container kept busy since the previous collection.";
    CONTAINER_MEMORY_USAGE: UpDownCounter "container.memory.usage" "By" "Memory charged to the container, page cache included.";
    CONTAINER_MEMORY_WORKING_SET: UpDownCounter "container.memory.working_set" "By" "Memory that cannot be reclaimed at once: usage without inactive page cache.";
    CONTAINER_MEMORY_RSS: UpDownCounter "container.memory.rss" "By" "Anonymous memory.";
    CONTAINER_MEMORY_AVAILABLE: UpDownCounter "container.memory.available" "By" "Limit minus working set.";
    CONTAINER_NETWORK_IO: Counter "container.network.io" "By" "Bytes sent and received.";
    CONTAINER_DISK_IO: Counter "container.disk.io" "By" "Bytes read and written.";
    CONTAINER_UPTIME: Gauge "container.uptime" "s" "Time since the container started.";

    CHECK_STATUS: Gauge "httpcheck.status" "1" "1 for the class of the answer's status, 0 for the others.";
    CHECK_DURATION: Gauge "httpcheck.duration" "ms" "Time from the request's start to the answer's last byte.";
    CHECK_ERROR: Gauge "httpcheck.error" "{error}" "1 when there was no answer, with the reason.";

    AGENT_EXPORTED: Counter "orrery.agent.exported" "{item}" "Data points and log records the server accepted.";
    AGENT_DROPPED: Counter "orrery.agent.dropped" "{item}" "Data points and log records lost, by reason.";
    AGENT_RETRIES: Counter "orrery.agent.retries" "{request}" "Requests sent again after a failure.";
    AGENT_QUEUE_SIZE: UpDownCounter "orrery.agent.queue.size" "By" "Compressed bytes waiting to be sent.";
    AGENT_COLLECT_ERRORS: Counter "orrery.agent.collect.errors" "{error}" "Collections that failed, by source.";
    AGENT_LOG_LOST: Counter "orrery.agent.log.lost" "By" "Log bytes known to have gone before they were read, by reason.";
    AGENT_LOG_TRUNCATED: Counter "orrery.agent.log.truncated" "{record}" "Log records cut at the size cap.";
    AGENT_LOG_FILES: UpDownCounter "orrery.agent.log.files" "{file}" "Log files being followed.";
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::*;
    use crate::host::Host;
    use crate::otlp::{data_points, now_unix_nano};

    const CONVENTIONS: &str = include_str!("../tests/fixtures/semconv_metrics.tsv");
    const ATTRIBUTES: &str = include_str!("../tests/fixtures/semconv_attributes.txt");
    /// Names users know from the collector's receivers, where the conventions have none.
    const COLLECTOR_NAMES: [&str; 4] = [
        "system.cpu.load_average.1m",
        "system.cpu.load_average.5m",
        "system.cpu.load_average.15m",
        "system.filesystem.inodes.usage",
    ];

    #[test]
    fn names_instruments_and_units_are_the_conventions() {
        let rows = CONVENTIONS.lines().filter(|line| !line.starts_with('#'));
        let known: BTreeMap<&str, (&str, &str)> = rows
            .map(|row| {
                let mut fields = row.split('\t');
                let mut field = || fields.next().expect("three fields");
                (field(), (field(), field()))
            })
            .collect();
        assert!(known.len() > 50, "the fixture is there");
        let ours = ["orrery.agent.", "httpcheck."];
        let conventional =
            |name: &str| !ours.iter().any(|prefix| name.starts_with(prefix)) && !COLLECTOR_NAMES.contains(&name);
        for instrument in ALL.iter().filter(|instrument| conventional(instrument.name)) {
            let kind = match instrument.kind {
                Kind::Counter => "counter",
                Kind::UpDownCounter => "updowncounter",
                Kind::Gauge => "gauge",
            };
            assert_eq!(known.get(instrument.name), Some(&(kind, instrument.unit)), "{}", instrument.name);
        }
    }

    #[test]
    fn no_name_is_declared_twice() {
        let names: BTreeSet<_> = ALL.iter().map(|instrument| instrument.name).collect();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn attributes_of_host_metrics_are_the_conventions() {
        let known: BTreeSet<&str> = ATTRIBUTES.lines().collect();
        let mut host = Host::open(Path::new("/"), 5).unwrap();
        host.collect(now_unix_nano());
        for metric in host.collect(now_unix_nano()) {
            for attribute in data_points(&metric).iter().flat_map(|point| &point.attributes) {
                assert!(known.contains(attribute.key.as_str()), "{}: {}", metric.name, attribute.key);
            }
        }
        for attribute in crate::resource::attributes(Path::new("/"), "id") {
            assert!(known.contains(attribute.key.as_str()), "{}", attribute.key);
        }
    }
}
