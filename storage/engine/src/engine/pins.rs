//! Pins: traces that are kept whatever retention does. Their spans are copied into a segment of their own, in a folder of
//! its own, which the manifest names beside the others. Only questions for that trace read it, so that nothing counts
//! twice while the spans are among the others as well.

use super::{Inner, now};
use crate::columns::{Arrival, Part};
use crate::context::ContextTable;
use crate::error::{Fault, chain};
use crate::manifest::Pin;
use crate::query;
use crate::segment::{Segment, write};
use orrery_model::{ServiceKey, SpanBatch, StatusCode, TraceId};
use orrery_query::answer::{Answer, PinnedTrace};
use orrery_query::{Control, QueryError, plan};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Pins at most. The manifest, which names them, is written with every seal.
pub(super) const MOST: usize = 1_000;

impl Inner {
    /// Copies what there is of a trace, instead of what was copied before; `None` where there is nothing of it. Durable
    /// when this returns.
    pub(super) fn pin(&self, plan: &plan::Pin, control: &Control) -> Result<Answer<Option<PinnedTrace>>, QueryError> {
        let refused = |reason: String| QueryError::Invalid { field: "trace_id", reason };
        let trace = plan.trace_id;
        let Some(_pinning) = self.pinning.try_lock_until(control.deadline()) else { return Err(QueryError::Busy) };
        control.check()?;
        let (others, id) = self.manifest.with(|manifest| {
            let others = manifest.pins.iter().filter(|pin| pin.trace_id != trace).count();
            (others, manifest.next_pin)
        });
        if others >= MOST {
            return Err(refused(format!("{MOST} traces are pinned, which is all there can be; unpin one first")));
        }
        if self.disk_low.load(Ordering::Acquire) {
            return Err(refused("the disk has less room than is to be left free; make room first".to_owned()));
        }
        let copied = query::trace::copy::run(self, plan, control)?;
        let batches = copied.value;
        if batches.is_empty() {
            return Ok(Answer { value: None, partial: copied.partial, scanned: copied.scanned });
        }
        if let Some(why) = &copied.partial {
            return Err(refused(format!("the trace cannot be kept whole: {}", why.0)));
        }
        let pin = self.write_pin(trace, id, batches);
        let pin = pin.map_err(|fault| QueryError::Engine { name: "pin", source: Box::new(fault) })?;
        Ok(Answer { value: Some(answer(&pin)), partial: None, scanned: copied.scanned })
    }

    fn write_pin(&self, trace: TraceId, id: u64, batches: Vec<SpanBatch>) -> Result<Pin, Fault> {
        let root = Root::of(&batches);
        let mut context = ContextTable::default();
        let part = |batch: SpanBatch| {
            let (resources, scopes) = context.number_used(&batch.context, &batch.resource, &batch.scope);
            let arrival = Arrival::Rows(vec![0; batch.len()]);
            Part { resources: resources.into(), scopes: scopes.into(), arrival, batch: Arc::new(batch) }
        };
        let parts: Vec<Part<SpanBatch>> = batches.into_iter().map(part).collect();
        let segment = write::write(&self.dir.pins(), id, 0, &parts, &context)?;
        let segment = segment.ok_or_else(|| Fault::Other("a trace without spans".into()))?;
        let pin = Pin {
            trace_id: trace,
            pinned_unix_nano: now(),
            root_service: root.service.to_string(),
            root_name: root.name,
            duration_nanos: root.end.saturating_sub(segment.first_unix_nano),
            errors: root.errors,
            segment,
        };
        self.manifest.commit(|manifest| {
            manifest.next_pin = id + 1;
            manifest.pins.retain(|other| other.trace_id != trace);
            manifest.pins.push(pin.clone());
        })?;
        let mut before = None;
        self.current.change(|snapshot| before = snapshot.pins.insert(trace, self.pinned.pinned(&pin)));
        self.retire(before.as_slice());
        Ok(pin)
    }

    /// Lets a trace go; false if it was not pinned. Its spans stay where retention has left them.
    pub(super) fn unpin(&self, trace: TraceId) -> Result<bool, Fault> {
        let _pinning = self.pinning.lock();
        Ok(self.drop_pin(trace)?.inspect(|segment| self.retire(std::slice::from_ref(segment))).is_some())
    }

    fn drop_pin(&self, trace: TraceId) -> Result<Option<Arc<Segment>>, Fault> {
        if !self.manifest.with(|manifest| manifest.pins.iter().any(|pin| pin.trace_id == trace)) {
            return Ok(None);
        }
        self.manifest.commit(|manifest| manifest.pins.retain(|pin| pin.trace_id != trace))?;
        let mut gone = None;
        self.current.change(|snapshot| gone = snapshot.pins.remove(&trace));
        Ok(gone)
    }

    /// Every pin, newest first.
    pub(super) fn pins(&self) -> Vec<PinnedTrace> {
        let mut pins: Vec<PinnedTrace> = self.manifest.with(|manifest| manifest.pins.iter().map(answer).collect());
        pins.sort_by_key(|pin| (std::cmp::Reverse(pin.pinned_unix_nano), pin.trace_id));
        pins
    }

    /// Takes a damaged pin out of use.
    pub(super) fn quarantine_pin(&self, trace: TraceId, segment: &Arc<Segment>, fault: &Fault) {
        // One that was pinned anew meanwhile is another.
        let is_current = |known: &Arc<Segment>| known.entry.id == segment.entry.id;
        if !self.current.get().pins.get(&trace).is_some_and(is_current) {
            return;
        }
        match self.drop_pin(trace) {
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(error) => return tracing::error!(error = chain(&error), "a damaged pin stays in the manifest"),
        }
        for path in segment.files().into_iter().filter(|path| path.exists()) {
            _ = self.dir.set_aside(path, &chain(fault));
        }
        self.warn(
            "damaged pin",
            format!(
                "the kept spans of trace {trace} were damaged and set aside in quarantine; it is pinned no more: {}",
                chain(fault)
            ),
        );
    }
}

/// What a list says of a trace.
#[derive(Default)]
struct Root {
    service: ServiceKey,
    name: String,
    end: i64,
    errors: u64,
}

impl Root {
    fn of(batches: &[SpanBatch]) -> Root {
        let mut root = Root::default();
        // Those without a parent before the others, then the earliest.
        let mut first = None;
        let mut seen = std::collections::HashSet::new();
        for batch in batches {
            for row in 0..batch.len() {
                let start = batch.start_time_unix_nano[row];
                if !seen.insert((start, batch.span_id[row])) {
                    continue;
                }
                root.end = root.end.max(start.saturating_add(batch.duration_nanos[row]));
                root.errors += u64::from(StatusCode::from_number(batch.status_code[row]) == StatusCode::Error);
                let place = (!batch.parent_span_id[row].is_none(), start);
                if first.is_none_or(|first| place < first) {
                    first = Some(place);
                    root.service = batch.context.service(batch.resource[row]);
                    root.name = batch.context.strings.get(batch.name[row]).to_owned();
                }
            }
        }
        root
    }
}

fn answer(pin: &Pin) -> PinnedTrace {
    PinnedTrace {
        trace_id: pin.trace_id,
        pinned_unix_nano: pin.pinned_unix_nano,
        root_service: ServiceKey::parse(&pin.root_service),
        root_name: pin.root_name.clone(),
        start_time_unix_nano: pin.segment.first_unix_nano,
        duration_nanos: pin.duration_nanos,
        span_count: pin.segment.rows,
        error_count: pin.errors,
        bytes: pin.segment.bytes + pin.segment.index_bytes,
    }
}
