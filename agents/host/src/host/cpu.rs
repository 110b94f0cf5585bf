//! `system.cpu.*` from `/proc/stat`.

use procfs_core::{CpuTime, FromReadSI, KernelStats};

use super::Place;
use crate::instrument as i;
use crate::otlp::{Recorder, text};

const MODES: [&str; 7] = ["user", "nice", "system", "idle", "iowait", "interrupt", "steal"];

/// Ticks of all CPUs by mode, in the order of [`MODES`].
type Ticks = [u64; MODES.len()];

/// The previous reading.
#[derive(Debug, Default)]
pub(super) struct Cpu {
    previous: Option<Ticks>,
}

impl Cpu {
    /// Records times, and utilization from the second call on.
    pub(super) fn record(&mut self, place: &Place, to: &mut Recorder) -> anyhow::Result<()> {
        let stats = KernelStats::from_file(place.proc.join("stat"), &place.system)?;
        to.record(&i::PROCESS_CREATED, stats.processes, []);
        let ticks = never_falling(modes(&stats.total), self.previous);
        for (mode, ticks) in MODES.iter().zip(ticks) {
            to.record(&i::CPU_TIME, place.ticks_to_seconds(ticks), [text("cpu.mode", *mode)]);
        }
        if let Some(shares) = self.previous.and_then(|previous| shares(previous, ticks)) {
            for (mode, share) in MODES.iter().zip(shares) {
                to.record(&i::CPU_UTILIZATION, share, [text("cpu.mode", *mode)]);
            }
        }
        to.record(&i::CPU_LOGICAL_COUNT, stats.cpu_time.len(), []);
        self.previous = Some(ticks);
        Ok(())
    }
}

/// Disjoint modes: the kernel counts guests' time in `user` and `nice` already.
fn modes(cpu: &CpuTime) -> Ticks {
    let or_zero = |value: Option<u64>| value.unwrap_or_default();
    [
        cpu.user,
        cpu.nice,
        cpu.system,
        cpu.idle,
        or_zero(cpu.iowait),
        or_zero(cpu.irq) + or_zero(cpu.softirq),
        or_zero(cpu.steal),
    ]
}

/// proc(5): iowait may decrease, and unplugged CPUs leave the sum; a counter that falls would read as a reset.
fn never_falling(ticks: Ticks, previous: Option<Ticks>) -> Ticks {
    let previous = previous.unwrap_or_default();
    std::array::from_fn(|mode| ticks[mode].max(previous[mode]))
}

/// Each mode's share of the time that passed; `None` if none did.
fn shares(previous: Ticks, ticks: Ticks) -> Option<[f64; MODES.len()]> {
    let passed: Ticks = std::array::from_fn(|mode| ticks[mode].saturating_sub(previous[mode]));
    let total: u64 = passed.iter().sum();
    (total > 0).then(|| passed.map(|ticks| ticks as f64 / total as f64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_of_no_time_are_absent() {
        assert_eq!(shares([1; 7], [1; 7]), None);
    }

    proptest! {
        #[test]
        fn counters_never_fall_and_shares_add_up(readings in prop::collection::vec(prop::array::uniform7(0_u64..1 << 40), 2..20)) {
            let mut previous: Option<Ticks> = None;
            for reading in readings {
                let ticks = never_falling(reading, previous);
                if let Some(before) = previous {
                    prop_assert!(ticks.iter().zip(before).all(|(now, before)| *now >= before));
                    if let Some(shares) = shares(before, ticks) {
                        prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
                        prop_assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
                    }
                }
                previous = Some(ticks);
            }
        }
    }
}
