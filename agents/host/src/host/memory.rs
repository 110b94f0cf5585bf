//! `system.memory.*` and `system.paging.*` from `/proc/meminfo` and `/proc/vmstat`.

use procfs_core::{FromRead, Meminfo, VmStat};

use super::Place;
use crate::instrument as i;
use crate::otlp::{Recorder, text};

/// Records memory and swap.
pub(super) fn record(place: &Place, to: &mut Recorder) -> anyhow::Result<()> {
    let info = Meminfo::from_file(place.proc.join("meminfo"))?;
    memory(&info, to);
    swap(&info, to);
    faults(&VmStat::from_file(place.proc.join("vmstat"))?, to);
    Ok(())
}

/// The states are disjoint and add up to the limit. `cached` holds the reclaimable slab, as in free(1).
fn memory(info: &Meminfo, to: &mut Recorder) {
    let total = info.mem_total;
    let cached = info.cached + info.s_reclaimable.unwrap_or_default();
    let used = total.saturating_sub(info.mem_free + info.buffers + cached);
    let states = [("used", used), ("free", info.mem_free), ("buffers", info.buffers), ("cached", cached)];
    for (state, bytes) in states {
        to.record(&i::MEMORY_USAGE, bytes, [text("system.memory.state", state)]);
        if total > 0 {
            to.record(&i::MEMORY_UTILIZATION, bytes as f64 / total as f64, [text("system.memory.state", state)]);
        }
    }
    to.record(&i::MEMORY_LIMIT, total, []);
    if let Some(available) = info.mem_available {
        to.record(&i::MEMORY_AVAILABLE, available, []);
    }
    if let Some(shared) = info.shmem {
        to.record(&i::MEMORY_SHARED, shared, []);
    }
}

fn swap(info: &Meminfo, to: &mut Recorder) {
    let total = info.swap_total;
    let used = total.saturating_sub(info.swap_free);
    for (state, bytes) in [("used", used), ("free", info.swap_free)] {
        to.record(&i::PAGING_USAGE, bytes, [text("system.paging.state", state)]);
        if total > 0 {
            to.record(&i::PAGING_UTILIZATION, bytes as f64 / total as f64, [text("system.paging.state", state)]);
        }
    }
}

fn faults(stat: &VmStat, to: &mut Recorder) {
    let field = |name: &str| stat.0.get(name).copied();
    if let (Some(all), Some(major)) = (field("pgfault"), field("pgmajfault")) {
        for (kind, faults) in [("major", major), ("minor", all.saturating_sub(major))] {
            to.record(&i::PAGING_FAULTS, faults, [text("system.paging.fault.type", kind)]);
        }
    }
    for (direction, name) in [("in", "pswpin"), ("out", "pswpout")] {
        if let Some(pages) = field(name) {
            to.record(&i::PAGING_OPERATIONS, pages, [text("system.paging.direction", direction)]);
        }
    }
}
