//! What this process uses, from `/proc`.

use std::time::Duration;

/// Reads the process's own use of memory and processors.
#[derive(Debug, Default)]
pub(crate) struct Process;

impl Process {
    /// Resident memory in bytes; 0 where `/proc` does not exist.
    pub(crate) fn rss_bytes(&self) -> u64 {
        let pages = std::fs::read_to_string("/proc/self/statm")
            .ok()
            .and_then(|statm| statm.split(' ').nth(1)?.parse::<u64>().ok());
        pages.unwrap_or(0) * rustix::param::page_size() as u64
    }

    /// Processor time used since start, user and system.
    pub(crate) fn cpu(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_uses_something() {
        assert!(Process.rss_bytes() > 100_000);
        assert!(Process.cpu() > Duration::ZERO);
    }
}
