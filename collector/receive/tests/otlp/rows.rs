//! What a batch holds, as text that a person can read when two differ.

use orrery_model::batch::Context;
use orrery_model::{Attributes, Batch, LogBatch, MetricBatch, SpanBatch, Strings, Value};
use std::fmt::Write;

/// One text per row.
pub(crate) fn rows(batch: &Batch) -> Vec<String> {
    match batch {
        Batch::Traces(batch) => (0..batch.len()).map(|row| span_row(batch, row)).collect(),
        Batch::Logs(batch) => (0..batch.len()).map(|row| log_row(batch, row)).collect(),
        Batch::Metrics(batch) => (0..batch.len()).map(|row| point_row(batch, row)).collect(),
    }
}

pub(crate) fn value_text(value: Value, strings: &Strings) -> String {
    let mut out = String::new();
    value.to_json(strings, &mut out);
    out
}

fn attributes_text(attributes: &Attributes, row: usize, strings: &Strings) -> String {
    let pairs = attributes.row(row).map(|(key, value)| format!("{}={}", strings.get(key), value_text(value, strings)));
    pairs.collect::<Vec<_>>().join(" ")
}

fn origin_text(context: &Context, resource: u32, scope: u32) -> String {
    let (r, s) = (&context.resources[resource as usize], &context.scopes[scope as usize]);
    let get = |sym| context.strings.get(sym);
    format!(
        "resource[{} {} service={}] {} scope[{} {} {} {}] {}",
        get(r.schema_url),
        r.dropped_attributes_count,
        get(r.service_name),
        attributes_text(&context.resource_attributes, resource as usize, &context.strings),
        get(s.name),
        get(s.version),
        get(s.schema_url),
        s.dropped_attributes_count,
        attributes_text(&context.scope_attributes, scope as usize, &context.strings),
    )
}

fn span_row(batch: &SpanBatch, row: usize) -> String {
    let strings = &batch.context.strings;
    let get = |sym| strings.get(sym);
    let mut out = format!(
        "{} span {} {} {} state={} flags={} {:?} kind={} {}+{} status={} {} attributes[{} dropped {}]",
        origin_text(&batch.context, batch.resource[row], batch.scope[row]),
        batch.trace_id[row],
        batch.span_id[row],
        batch.parent_span_id[row],
        get(batch.trace_state[row]),
        batch.flags[row],
        get(batch.name[row]),
        batch.kind[row],
        batch.start_time_unix_nano[row],
        batch.duration_nanos[row],
        batch.status_code[row],
        get(batch.status_message[row]),
        attributes_text(&batch.attributes, row, strings),
        batch.dropped_attributes_count[row],
    );
    for event in batch.event_range(row) {
        let events = &batch.events;
        let attributes = attributes_text(&events.attributes, event, strings);
        let dropped = events.dropped_attributes_count[event];
        _ = write!(out, " event {} {} [{attributes} {dropped}]", events.time_unix_nano[event], get(events.name[event]));
    }
    for link in batch.link_range(row) {
        let links = &batch.links;
        let attributes = attributes_text(&links.attributes, link, strings);
        _ = write!(
            out,
            " link {} {} {} {} [{attributes} {}]",
            links.trace_id[link],
            links.span_id[link],
            get(links.trace_state[link]),
            links.flags[link],
            links.dropped_attributes_count[link]
        );
    }
    _ = write!(out, " dropped events {} links {}", batch.dropped_events_count[row], batch.dropped_links_count[row]);
    out
}

fn log_row(batch: &LogBatch, row: usize) -> String {
    let strings = &batch.context.strings;
    format!(
        "{} log {} observed {} severity {} {} event={} body={} {} {} flags={} attributes[{} dropped {}]",
        origin_text(&batch.context, batch.resource[row], batch.scope[row]),
        batch.time_unix_nano[row],
        batch.observed_time_unix_nano[row],
        batch.severity_number[row],
        strings.get(batch.severity_text[row]),
        strings.get(batch.event_name[row]),
        value_text(batch.body[row], strings),
        batch.trace_id[row],
        batch.span_id[row],
        batch.flags[row],
        attributes_text(&batch.attributes, row, strings),
        batch.dropped_attributes_count[row],
    )
}

fn point_row(batch: &MetricBatch, row: usize) -> String {
    let strings = &batch.context.strings;
    let metric = &batch.metrics[batch.metric[row] as usize];
    let distribution = batch.distribution(row).map(|distribution| {
        let (count, sum) = (distribution.count, distribution.sum);
        format!("{count} {sum:?} {:?} {:?} {:?}", distribution.min, distribution.max, distribution.buckets)
    });
    let exemplars: Vec<String> = batch
        .exemplars(row)
        .iter()
        .map(|exemplar| {
            let (time, value) = (exemplar.time_unix_nano, exemplar.value);
            format!("{time} {value:?} {} {}", exemplar.trace_id, exemplar.span_id)
        })
        .collect();
    format!(
        "{} metric {} {} {} {:?} {:?} {} point {}..{} flags={} value={} {distribution:?} [{}] {exemplars:?}",
        origin_text(&batch.context, batch.resource[row], batch.scope[row]),
        strings.get(metric.name),
        strings.get(metric.description),
        strings.get(metric.unit),
        metric.kind,
        metric.temporality,
        metric.is_monotonic,
        batch.start_time_unix_nano[row],
        batch.time_unix_nano[row],
        batch.flags[row],
        value_text(batch.value[row], strings),
        attributes_text(&batch.attributes, row, strings),
    )
}
