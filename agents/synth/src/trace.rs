//! One trace: a tree of work over services.

use crate::shape::Shape;
use crate::span::{Work, attributes, carried, name, text};
use crate::world::World;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

/// A span being planned.
struct Plan {
    parent: Option<usize>,
    service: usize,
    process: usize,
    work: Work,
    start: u64,
    end: u64,
}

/// The spans of a trace, each with the process that sends it, in the order SDKs finish them: children first.
pub(crate) fn spans(shape: &Shape, world: &World, start: u64, rng: &mut Xoshiro256PlusPlus) -> Vec<(usize, Span)> {
    let plans = plan(shape, world, start, rng);
    let trace_id: [u8; 16] = rng.random();
    let carried = carried(shape, rng);
    // Odd, so never zero; spread by an odd factor, so distinct.
    let base = rng.random::<u64>() | 1;
    let ids: Vec<[u8; 8]> = (1..=plans.len() as u64).map(|n| base.wrapping_mul(2 * n + 1).to_be_bytes()).collect();
    let span = |(at, plan): (usize, &Plan)| {
        let failed = rng.random_bool(shape.errors);
        let link = plan.parent.filter(|_| plan.work == Work::Consume);
        let span = Span {
            trace_id: trace_id.to_vec(),
            span_id: ids[at].to_vec(),
            parent_span_id: plan.parent.map(|parent| ids[parent].to_vec()).unwrap_or_default(),
            flags: 0x101,
            name: name(plan.work, plan.service, world, rng),
            kind: plan.work.kind(),
            start_time_unix_nano: plan.start,
            end_time_unix_nano: plan.end,
            attributes: attributes(shape, world, (plan.work, plan.service), failed, &carried, rng),
            events: if failed { vec![exception(plan.end)] } else { Vec::new() },
            links: link
                .map(|to| Link { trace_id: trace_id.to_vec(), span_id: ids[to].to_vec(), ..Default::default() })
                .into_iter()
                .collect(),
            status: failed.then(|| Status { code: 2, message: "upstream unavailable".to_owned() }),
            ..Default::default()
        };
        (plan.process, span)
    };
    let mut all: Vec<_> = plans.iter().enumerate().map(span).collect();
    all.reverse();
    all
}

/// How many spans: logarithmically normal.
fn size(shape: &Shape, rng: &mut Xoshiro256PlusPlus) -> usize {
    let (a, b): (f64, f64) = (rng.random_range(f64::EPSILON..1.0), rng.random());
    let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
    let spans = shape.median_spans * (shape.spread * normal).exp();
    (spans.round() as usize).clamp(1, shape.max_spans)
}

fn plan(shape: &Shape, world: &World, start: u64, rng: &mut Xoshiro256PlusPlus) -> Vec<Plan> {
    let size = size(shape, rng);
    let endpoint = world.pick(rng);
    let service = world.endpoints[endpoint].service;
    let duration = 2_000_000 + rng.random_range(0u64..40_000_000) + 200_000 * size as u64;
    let root = Plan {
        parent: None,
        service,
        process: world.process(service, rng),
        work: Work::Serve(endpoint),
        start,
        end: start + duration,
    };
    let mut plans = vec![root];
    // Spans that do further work: servers and consumers.
    let mut workers = vec![0];
    while plans.len() < size {
        let parent = workers[rng.random_range(0..workers.len())];
        let service = plans[parent].service;
        let room = size - plans.len();
        let below = if room >= 2 { world.pick_below(service, rng) } else { None };
        match (rng.random_range(0..20), below) {
            (0..9, Some(endpoint)) => {
                let call = push(&mut plans, parent, service, Work::Call(endpoint), rng);
                let callee = world.endpoints[endpoint].service;
                let server = push(&mut plans, call, callee, Work::Serve(endpoint), rng);
                plans[server].process = world.process(callee, rng);
                workers.push(server);
            }
            (9, Some(endpoint)) => {
                let publish = push(&mut plans, parent, service, Work::Publish, rng);
                let consumer = world.endpoints[endpoint].service;
                let consume = push(&mut plans, publish, consumer, Work::Consume, rng);
                plans[consume].process = world.process(consumer, rng);
                workers.push(consume);
            }
            (10..15, _) => _ = push(&mut plans, parent, service, Work::Compute, rng),
            _ => _ = push(&mut plans, parent, service, Work::Query, rng),
        }
    }
    plans
}

/// Adds a span somewhere inside its parent's time.
fn push(plans: &mut Vec<Plan>, parent: usize, service: usize, work: Work, rng: &mut Xoshiro256PlusPlus) -> usize {
    let above = &plans[parent];
    let whole = above.end - above.start;
    let start = above.start + (whole as f64 * rng.random_range(0.02..0.5)) as u64;
    let end = start + ((above.end - start) as f64 * rng.random_range(0.1..0.9)) as u64;
    let process = above.process;
    plans.push(Plan { parent: Some(parent), service, process, work, start, end });
    plans.len() - 1
}

fn exception(time: u64) -> Event {
    let frames =
        (0..12).map(|n| format!("    at synth::handler::layer_{n} (src/handler/layer_{n}.rs:{})", 10 + n * 17));
    let stack: Vec<String> =
        std::iter::once("UpstreamUnavailable: no healthy upstream".to_owned()).chain(frames).collect();
    Event {
        time_unix_nano: time,
        name: "exception".to_owned(),
        attributes: vec![
            text("exception.type", "UpstreamUnavailable"),
            text("exception.message", "no healthy upstream"),
            text("exception.stacktrace", stack.join("\n")),
        ],
        ..Default::default()
    }
}
