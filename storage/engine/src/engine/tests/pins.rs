//! A pinned trace outlives retention, crashes and itself, and counts once.

use super::crash::segment_files;
use super::round_trip::rich;
use super::*;
use crate::failpoint;
use orrery_query::QueryError;
use orrery_query::answer::{PinnedTrace, TraceColumns};

impl Rig {
    fn pin(&self, id: &str) -> Result<Option<PinnedTrace>, QueryError> {
        let plan = plan::Pin { trace_id: items::trace_id(id), max_spans: 1000 };
        Ok(self.engine().pin(&plan, &control())?.value)
    }

    fn whole(&self, id: &str) -> (Vec<SpanRow>, TraceColumns) {
        let plan = plan::TraceColumns { trace_id: items::trace_id(id), max_spans: 1000 };
        let columns = self.engine().trace_columns(&plan, &control()).unwrap();
        assert_eq!(columns.partial, None);
        (self.trace(id), columns.value)
    }

    fn has_pin_files(&self, count: usize) {
        let dir = self.dir.path().join("pins");
        wait("files of pins are gone", || std::fs::read_dir(&dir).unwrap().count() == count);
    }

    /// Everything goes but what came an hour ago or later.
    fn expire(&mut self) {
        self.put(Signal::Traces, &[span(77, 1, super::super::now())]);
        self.seal();
        self.reopen_with(|config| config.retention = Some(Duration::from_secs(3600)));
        wait("expired", || self.engine().health().segments == 1);
    }
}

#[test]
fn a_pinned_trace_is_there_after_its_segment_has_gone() {
    let mut rig = Rig::new();
    let items = rich();
    // Half of it sealed, half in memory.
    rig.put(Signal::Traces, &items[..30]);
    rig.seal();
    rig.put(Signal::Traces, &items[30..]);
    let before = rig.whole("1");
    assert!(before.0.len() > 1);
    let pinned = rig.pin("1").unwrap().unwrap();
    assert_eq!((pinned.span_count as usize, pinned.bytes > 0), (before.0.len(), true));
    assert_eq!(pinned.error_count as usize, before.0.iter().filter(|row| row.status_code == StatusCode::Error).count());
    let root = before.0.iter().find(|row| row.parent_span_id.is_none()).unwrap_or(&before.0[0]);
    assert_eq!((&pinned.root_name, &pinned.root_service), (&root.name, &root.service));
    assert_eq!(pinned.start_time_unix_nano, before.0[0].start_time_unix_nano);
    // Where it was and where it is kept, it is one.
    assert_eq!(rig.whole("1"), before);
    let found = rig.search(&all_traces());
    assert_eq!(found.iter().map(|trace| trace.span_count).sum::<u64>(), 60);
    rig.seal();
    assert_eq!(rig.whole("1"), before);
    rig.expire();
    assert_eq!(rig.whole("1"), before);
    assert!(rig.trace("2").is_empty(), "the others have gone");
    let left: Vec<u64> = rig.search(&all_traces()).iter().map(|trace| trace.span_count).collect();
    assert_eq!(left, [1], "a search knows what retention has left");
    assert_eq!(rig.engine().pins().0, std::slice::from_ref(&pinned));
    let health = rig.engine().health();
    let sealed: u64 = rig
        .engine()
        .inner
        .manifest
        .with(|manifest| manifest.segments.iter().map(|entry| entry.bytes + entry.index_bytes).sum());
    assert!(health.sealed_bytes >= sealed + pinned.bytes, "it is counted where bytes are");
    // Said again, from what is kept.
    let again = rig.pin("1").unwrap().unwrap();
    assert_eq!((again.span_count, rig.whole("1")), (pinned.span_count, before.clone()));
    rig.reopen();
    assert_eq!(rig.whole("1"), before);
    rig.has_pin_files(2);
    assert!(rig.engine().unpin(items::trace_id("1")).unwrap());
    assert!(!rig.engine().unpin(items::trace_id("1")).unwrap());
    assert_eq!((rig.trace("1").len(), rig.engine().pins().0.len()), (0, 0));
    rig.has_pin_files(0);
}

#[test]
fn what_comes_later_is_kept_when_it_is_said_again() {
    let mut rig = Rig::new();
    rig.put(Signal::Traces, &[span(1, 1, T0)]);
    assert_eq!(rig.pin("1").unwrap().unwrap().span_count, 1);
    rig.put(Signal::Traces, &[span(1, 2, T0 + 5)]);
    assert_eq!((rig.trace("1").len(), rig.engine().pins().0[0].span_count), (2, 1));
    assert_eq!(rig.pin("1").unwrap().unwrap().span_count, 2);
    rig.seal();
    rig.expire();
    assert_eq!(rig.trace("1").len(), 2);
    assert_eq!(rig.pin("999").unwrap(), None);
    let plan = plan::Pin { trace_id: items::trace_id("1"), max_spans: 1 };
    let refused = rig.engine().pin(&plan, &control()).unwrap_err();
    assert!(refused.to_string().contains("more than 1 spans"), "{refused}");
    assert_eq!(rig.engine().pins().0.len(), 1, "what was kept stays");
}

#[test]
fn a_crash_while_pinning_leaves_all_or_nothing() {
    for (step, kept) in [
        ("segment written", false),
        ("segment renamed", false),
        ("manifest written", false),
        ("manifest durable", true),
    ] {
        let mut rig = Rig::new();
        rig.put(Signal::Traces, &[span(1, 1, T0)]);
        rig.seal();
        let pinned = failpoint::failing(step, || rig.pin("1"));
        assert_eq!(pinned.is_ok(), kept, "{step}");
        rig.reopen();
        assert_eq!(rig.engine().pins().0.len(), usize::from(kept), "{step}");
        rig.has_pin_files(if kept { 2 } else { 0 });
        rig.pin("1").unwrap().unwrap();
        rig.expire();
        assert_eq!(rig.trace("1").len(), 1, "{step}");
    }
}

#[test]
fn a_damaged_pin_is_set_aside_and_said() {
    let mut rig = Rig::new();
    rig.put(Signal::Traces, &[span(1, 1, T0)]);
    rig.seal();
    rig.pin("1").unwrap();
    rig.expire();
    rig.engine = None;
    let file = rig.dir.path().join("pins/traces-0000000000.parquet");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let found = crate::doctor::examine(rig.dir.path()).unwrap().findings;
    assert!(
        found.iter().any(|finding| finding.what.contains("pins/traces-0000000000.parquet is damaged")),
        "{found:?}"
    );
    rig.reopen();
    wait("set aside", || rig.trace("1").is_empty() && rig.engine().pins().0.is_empty());
    assert!(rig.engine().health().warnings.iter().any(|text| text.contains("pinned no more")));
    assert_eq!(
        (rig.trace("77").len(), segment_files(&rig, "parquet").len()),
        (1, 1),
        "the segment of that number stays"
    );
}
