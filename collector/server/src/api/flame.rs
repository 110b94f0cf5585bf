//! Where traces spend their time.

use crate::api::convert;
use crate::api::endpoint::{Ask, Endpoint};
use crate::api::failure::Failure;
use crate::api::params::{COMPARE_FROM, COMPARE_TO, FROM, Parameter, SERVICE, TO};
use crate::api::query::{self, Asked};
use orrery_api as api;
use orrery_api::{Nanos, paths};
use orrery_model::ServiceKey;
use orrery_query::answer::{self, FlameTraces};
use orrery_query::plan;
use std::collections::HashMap;

const BEGIN: Parameter = Parameter::new(
    "begin",
    "match",
    "Where paths begin: `root`, at the roots of the traces that match; `match`, at the outermost spans that match. Default: `root`.",
);
const TRACES: Parameter =
    Parameter::new("traces", "1000", "Traces of each range that are added up at most, 1 to 10000. Default: 1000.");
const PATHS: Parameter =
    Parameter::new("paths", "1000", "Paths told apart at most, those with most time, 1 to 10000. Default: 1000.");

/// `GET /traces/flame`.
pub(crate) const FLAME: Endpoint = Endpoint::json(
    paths::TRACE_FLAME,
    "TraceFlame",
    "Where the traces that match spend their time: their trees merged by path, of one range or beside another",
    &[
        FROM,
        TO,
        COMPARE_FROM,
        COMPARE_TO,
        query::Q,
        SERVICE,
        query::OPERATION,
        query::STATUS,
        query::MIN_DURATION,
        query::MAX_DURATION,
        query::ATTR_OF_SPANS,
        BEGIN,
        TRACES,
        PATHS,
    ],
)
.about(
    "A path is the services, names and kinds of a span and of all above it. Spans of a path are added up: how many, how many failed, the time in which none of their children ran, and that of everything below. Compared is only with `compare_from` or `compare_to`. Of more traces than `traces` a part is taken by their ids: the same for the same question, spread over the range. Traces are found as by `/traces`; of each, spans up to an hour before and after the range count.",
);

pub(crate) fn flame(ask: &Ask<'_>) -> Result<api::TraceFlame, Failure> {
    let params = &ask.params;
    let range = params.range()?;
    let compares = params.text(COMPARE_FROM.name).or(params.text(COMPARE_TO.name)).is_some();
    let compared = if compares { Some(params.compared_range(range)?) } else { None };
    let asked = Asked::search(params)?;
    let begin = params.parsed(BEGIN.name, begin)?.unwrap_or_default();
    let plan = plan::TraceFlame {
        range,
        compared,
        query: asked.query.clone(),
        from: match begin {
            api::FlameFrom::Root => plan::FlameFrom::Root,
            api::FlameFrom::Match => plan::FlameFrom::Match,
        },
        traces: params.number(TRACES.name, 1..=10_000, 1_000)?,
        paths: params.number(PATHS.name, 1..=10_000, 1_000)?,
    };
    let answer = ask.store().trace_flame(&plan, ask.control).map_err(|error| asked.failure(error))?;
    let (services, nodes) = listed(answer.value.nodes, compared.is_some());
    Ok(api::TraceFlame {
        range: convert::range(range),
        compared_with: compared.map(convert::range),
        query: asked.query.to_string(),
        begin,
        now: traces(answer.value.now),
        before: answer.value.before.map(traces),
        services,
        nodes,
        scanned: convert::scanned(answer.scanned),
        partial: convert::partial(answer.partial),
    })
}

fn begin(text: &str) -> Result<api::FlameFrom, String> {
    match text {
        "root" => Ok(api::FlameFrom::Root),
        "match" => Ok(api::FlameFrom::Match),
        other => Err(format!("`{other}` is no beginning; `root` or `match`")),
    }
}

fn traces(FlameTraces { traces, weight, candidates }: FlameTraces) -> api::FlameTraces {
    api::FlameTraces { traces, weight, candidates }
}

fn time(time: answer::FlameTime) -> api::FlameTime {
    api::FlameTime {
        count: time.count,
        errors: time.errors,
        self_nanos: Nanos(time.self_nanos.round() as i64),
        total_nanos: Nanos(time.total_nanos.round() as i64),
    }
}

fn listed(nodes: Vec<answer::FlameNode>, compares: bool) -> (Vec<api::ServiceRef>, Vec<api::FlameNode>) {
    let (mut services, mut numbers) = (Vec::new(), HashMap::<ServiceKey, u32>::new());
    let mut node = |node: answer::FlameNode| {
        let service = node.what.as_ref().map(|step| {
            *numbers.entry(step.service.clone()).or_insert_with_key(|service| {
                services.push(convert::service(service));
                services.len() as u32 - 1
            })
        });
        let (name, kind) = node.what.map(|step| (step.name, step.kind.as_str().to_owned())).unwrap_or_default();
        let before = compares.then(|| time(node.before));
        api::FlameNode { parent: node.parent, service, name, kind, paths: node.paths, now: time(node.now), before }
    };
    let nodes = nodes.into_iter().map(&mut node).collect();
    (services, nodes)
}
