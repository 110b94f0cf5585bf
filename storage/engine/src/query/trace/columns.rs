//! A trace as columns: what pictures of it need of every span. Nothing is allocated per span but its place in each.

use super::super::hot::HotSpan;
use super::super::session::Session;
use super::super::source::Source;
use super::sources;
use crate::columns::read::Reader;
use crate::context::ContextTable;
use crate::engine::Inner;
use crate::segment::read::Wanted;
use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use hashbrown::HashMap;
use orrery_model::{ServiceKey, SpanBatch, SpanId, Strings};
use orrery_query::answer::{Answer, TraceColumns};
use orrery_query::{Control, QueryError, plan};

pub(crate) fn run(
    inner: &Inner,
    plan: &plan::TraceColumns,
    control: &Control,
) -> Result<Answer<TraceColumns>, QueryError> {
    let mut session = Session::new(inner, "trace columns", control)?;
    let max = plan.max_spans as usize;
    let mut gathered = Gathered::default();
    for source in sources(&mut session, plan.trace_id)? {
        if let Some(hot) = session.hot_spans(&source) {
            let numbers = gathered.number(hot.context());
            hot.of_traces(&session, &[plan.trace_id], |_, span| {
                if gathered.len() <= max {
                    gathered.push_hot(&span, &numbers);
                }
            })?;
        } else if !gathered.has_pin(&source, max) && session.open(&source, &[])? {
            let left = (max + 1).saturating_sub(gathered.len());
            let numbers = gathered.number(&source.context::<SpanBatch>());
            let traces = [plan.trace_id].into();
            let wanted = Wanted { columns: COLUMNS, lists: &["events", "links"], ..Wanted::of(&traces, left) };
            for columns in session.of_traces(&source, &wanted)? {
                gathered.push_sealed(&columns, &numbers).map_err(|error| session.fault(error))?;
            }
        }
        if gathered.len() > max {
            gathered.truncate(max);
            session.incomplete(format!("the trace has more than {max} spans, of which {max} are here"));
            break;
        }
        session.check()?;
    }
    Ok(session.answer(gathered.finish()))
}

const COLUMNS: &[&str] = &[
    "span_id",
    "parent_span_id",
    "start_time_unix_nano",
    "duration_nanos",
    "name",
    "kind",
    "status_code",
    "resource_id",
    "scope_id",
];

/// What the resources and scopes of a source are called here.
struct Numbers {
    services: Vec<u32>,
    scopes: Vec<u32>,
}

/// Spans in the order they were found.
#[derive(Default)]
struct Gathered {
    columns: TraceColumns,
    /// Ids of the parents; 0 for none.
    parents: Vec<u64>,
    /// Unix nanoseconds.
    starts: Vec<i64>,
    names: Strings,
    services: HashMap<ServiceKey, u32>,
    scopes: HashMap<(String, String), u32>,
}

impl Gathered {
    fn len(&self) -> usize {
        self.starts.len()
    }

    fn number(&mut self, context: &ContextTable) -> Numbers {
        let columns = &mut self.columns;
        let services = context.resources().iter().map(|resource| {
            *self.services.entry(resource.service()).or_insert_with_key(|service| {
                columns.services.push(service.clone());
                columns.services.len() as u32 - 1
            })
        });
        let services = services.collect();
        let scopes = context.scopes().iter().map(|scope| {
            *self.scopes.entry((scope.name.clone(), scope.version.clone())).or_insert_with_key(|scope| {
                columns.scopes.push(scope.clone());
                columns.scopes.len() as u32 - 1
            })
        });
        Numbers { services, scopes: scopes.collect() }
    }

    fn push_hot(&mut self, span: &HotSpan<'_>, numbers: &Numbers) {
        let (batch, row) = (span.batch, span.row);
        let columns = &mut self.columns;
        columns.span_id.push(batch.span_id[row]);
        self.parents.push(batch.parent_span_id[row].0);
        self.starts.push(batch.start_time_unix_nano[row]);
        columns.duration_nanos.push(batch.duration_nanos[row]);
        columns.name.push(self.names.intern(batch.context.strings.get(batch.name[row])).0);
        columns.service.push(numbers.services[span.resource as usize]);
        columns.scope.push(numbers.scopes[span.scope as usize]);
        columns.kind.push(batch.kind[row]);
        columns.status_code.push(batch.status_code[row]);
        columns.flags.push(flags(!batch.event_range(row).is_empty(), !batch.link_range(row).is_empty()));
    }

    fn push_sealed(&mut self, from: &RecordBatch, numbers: &Numbers) -> Result<(), ArrowError> {
        let read = Reader::new(from);
        let columns = &mut self.columns;
        columns.span_id.extend(read.span_ids("span_id")?);
        self.parents.extend(read.u64("parent_span_id")?);
        self.starts.extend(read.i64("start_time_unix_nano")?);
        columns.duration_nanos.extend(read.i64("duration_nanos")?);
        columns.name.extend(read.text("name", &mut self.names)?.into_iter().map(|name| name.0));
        columns.service.extend(read.u32("resource_id")?.into_iter().map(|id| numbers.services[id as usize]));
        columns.scope.extend(read.u32("scope_id")?.into_iter().map(|id| numbers.scopes[id as usize]));
        columns.kind.extend(read.u8("kind")?);
        columns.status_code.extend(read.u8("status_code")?);
        let (events, links) = (read.has_members("events")?, read.has_members("links")?);
        columns.flags.extend(events.into_iter().zip(links).map(|(events, links)| flags(events, links)));
        Ok(())
    }

    /// Whether it is a pin that need not be read: there are as many spans as it has, and with it there would be too many
    /// before those that are here twice are known.
    fn has_pin(&self, source: &Source, max: usize) -> bool {
        let rows = source.rows::<SpanBatch>() as usize;
        source.is_pin() && self.len() >= rows && self.len() + rows > max
    }

    /// Forgets spans beyond so many: the starts say how many there are.
    fn truncate(&mut self, len: usize) {
        self.starts.truncate(len);
    }

    /// In order, each span once, parents found.
    fn finish(self) -> TraceColumns {
        let Gathered { columns: from, parents, starts, names, .. } = self;
        // Spans of one sender are in order already: a sort that sees runs has little to do.
        let ids = &from.span_id;
        let mut order: Vec<(i64, SpanId, u32)> =
            starts.iter().zip(ids).enumerate().map(|(at, (start, id))| (*start, *id, at as u32)).collect();
        order.sort();
        order.dedup_by_key(|(start, id, _)| (*start, *id));
        let mut places: HashMap<u64, u32> = HashMap::with_capacity(order.len());
        for (place, (_, id, _)) in order.iter().enumerate() {
            places.entry(id.0).or_insert(place as u32);
        }
        let first = order.first().map_or(0, |(start, ..)| *start);
        let place = |parent: u64| match parent {
            0 => TraceColumns::NO_PARENT,
            id => places.get(&id).copied().unwrap_or(TraceColumns::NO_PARENT),
        };
        let parent: Vec<u32> = order.iter().map(|(_, _, at)| place(parents[*at as usize])).collect();
        let missing = |(here, (_, _, at)): (&u32, &(i64, SpanId, u32))| {
            let is_missing = *here == TraceColumns::NO_PARENT && parents[*at as usize] != 0;
            from.flags[*at as usize] | if is_missing { TraceColumns::PARENT_MISSING } else { 0 }
        };
        let (mut service, mut name, mut scope) =
            (picked(&from.service, &order), picked(&from.name, &order), picked(&from.scope, &order));
        TraceColumns {
            services: used(&mut service, from.services),
            names: used(&mut name, names.iter().map(str::to_owned).collect()),
            scopes: used(&mut scope, from.scopes),
            service,
            name,
            scope,
            start_time_unix_nano: first,
            span_id: order.iter().map(|(_, id, _)| *id).collect(),
            start_nanos: order.iter().map(|(start, ..)| start.wrapping_sub(first) as u64).collect(),
            flags: parent.iter().zip(&order).map(missing).collect(),
            parent,
            duration_nanos: picked(&from.duration_nanos, &order),
            kind: picked(&from.kind, &order),
            status_code: picked(&from.status_code, &order),
        }
    }
}

fn picked<T: Copy>(column: &[T], order: &[(i64, SpanId, u32)]) -> Vec<T> {
    order.iter().map(|(_, _, at)| column[*at as usize]).collect()
}

/// The words that a column uses, in the order of their appearance; its numbers become theirs.
fn used<T>(column: &mut [u32], words: Vec<T>) -> Vec<T> {
    let mut words: Vec<Option<T>> = words.into_iter().map(Some).collect();
    let mut numbers = vec![0; words.len()];
    let mut used = Vec::new();
    for number in column {
        if let Some(word) = words[*number as usize].take() {
            numbers[*number as usize] = used.len() as u32;
            used.push(word);
        }
        *number = numbers[*number as usize];
    }
    used
}

fn flags(has_events: bool, has_links: bool) -> u8 {
    let mut flags = 0;
    if has_events {
        flags |= TraceColumns::HAS_EVENTS;
    }
    if has_links {
        flags |= TraceColumns::HAS_LINKS;
    }
    flags
}
