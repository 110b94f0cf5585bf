//! `system.disk.*` from `/proc/diskstats`.

use std::path::Path;

use procfs_core::{DiskStat, DiskStats, FromRead};

use super::{Place, directed};
use crate::instrument as i;
use crate::otlp::{Recorder, text};

/// diskstats counts 512-byte sectors whatever the device's own sector size is.
const SECTOR_BYTES: u64 = 512;

/// Records whole devices that were ever used. Partitions would count everything twice.
pub(super) fn record(place: &Place, to: &mut Recorder) -> anyhow::Result<()> {
    let stats = DiskStats::from_file(place.proc.join("diskstats"))?;
    let block = place.root.join("sys/block");
    for disk in stats.0.iter().filter(|disk| wanted(disk, &block)) {
        device(disk, to);
    }
    Ok(())
}

fn wanted(disk: &DiskStat, block: &Path) -> bool {
    let virtual_device = ["loop", "ram", "zram"].iter().any(|prefix| disk.name.starts_with(prefix));
    // `!` stands for `/` in sysfs (cciss!c0d0).
    let whole = !block.exists() || block.join(disk.name.replace('/', "!")).exists();
    !virtual_device && whole && disk.reads + disk.writes > 0
}

fn device(disk: &DiskStat, to: &mut Recorder) {
    let name = disk.name.as_str();
    let directions = [
        ("read", disk.sectors_read, disk.reads, disk.merged, disk.time_reading),
        ("write", disk.sectors_written, disk.writes, disk.writes_merged, disk.time_writing),
    ];
    for (direction, sectors, operations, merged, millis) in directions {
        let attributes = || directed("system.device", name, "disk.io.direction", direction);
        to.record(&i::DISK_IO, sectors.saturating_mul(SECTOR_BYTES), attributes());
        to.record(&i::DISK_OPERATIONS, operations, attributes());
        to.record(&i::DISK_MERGED, merged, attributes());
        to.record(&i::DISK_OPERATION_TIME, millis as f64 / 1e3, attributes());
    }
    to.record(&i::DISK_IO_TIME, disk.time_in_progress as f64 / 1e3, [text("system.device", name)]);
}
