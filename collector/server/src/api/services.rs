//! Services and the map.

use crate::api::convert;
use crate::api::endpoint::{Ask, Endpoint};
use crate::api::failure::Failure;
use crate::api::params::{ENVIRONMENT, FROM, Parameter, TO};
use orrery_api as api;
use orrery_api::paths;
use orrery_model::SpanKind;
use orrery_query::answer::{Red, Standing};
use orrery_query::{TimeRange, plan};
use std::collections::BTreeSet;

const POINTS: Parameter = Parameter::new("points", "30", "Points wanted in each series, 0 to 300. Default: 30.");

/// `GET /services`.
pub(crate) const LIST: Endpoint = Endpoint::json(
    paths::SERVICES,
    "ServiceList",
    "Services seen in the range, busiest first",
    &[FROM, TO, ENVIRONMENT, POINTS],
);

pub(crate) fn list(ask: &Ask<'_>) -> Result<api::ServiceList, Failure> {
    let range = ask.params.range()?;
    let plan = plan::Services {
        range,
        environment: ask.params.owned(ENVIRONMENT.name),
        points: ask.params.number(POINTS.name, 0..=300, 30)?,
    };
    let answer = ask.store().services(&plan, ask.control)?;
    let rates = ask.rates();
    Ok(api::ServiceList {
        range: convert::range(range),
        services: answer.value.into_iter().map(|summary| rates.summary(summary, range)).collect(),
        partial: convert::partial(answer.partial),
    })
}

/// `GET /services/{id}`.
pub(crate) const DETAIL: Endpoint = Endpoint::json(
    paths::SERVICE,
    "ServiceDetail",
    "One service or inferred node: RED, operations, errors, callers and callees",
    &[FROM, TO, POINTS],
)
.in_path(&[Parameter::new(
    "id",
    "shop/cart@production",
    "Id as in the map, percent-encoded: `namespace/name@environment`, or `kind:identity` of an inferred node.",
)]);

pub(crate) fn detail(ask: &Ask<'_>) -> Result<api::ServiceDetail, Failure> {
    let range = ask.params.range()?;
    let plan =
        plan::Service { range, id: ask.part("id").to_owned(), points: ask.params.number(POINTS.name, 0..=300, 30)? };
    let answer = ask.store().service(&plan, ask.control)?;
    let Some(detail) = answer.value else {
        return Err(Failure::NotFound(format!(
            "No span of `{}` in this time range. GET {} lists what there is; a wider range may help.",
            ask.part("id"),
            paths::SERVICES
        )));
    };
    Ok(ask.rates().detail(detail, range, answer.partial))
}

/// `GET /standing`.
pub(crate) const STANDING: Endpoint = Endpoint::json(
    paths::STANDING,
    "Standing",
    "Where a duration stands among the calls of an operation",
    &[
        FROM,
        TO,
        Parameter::new("service", "shop/cart@production", "Id of the service, as in `/services`.").required(),
        Parameter::new("operation", "GET /cart", "Span name.").required(),
        Parameter::new("kind", "server", "Span kind. Default: `internal`."),
        Parameter::new("duration", "250ms", "The duration: `250ms`, `1.5s`, or nanoseconds.").required(),
    ],
)
.about(
    "From rollups: every call of the range, sampling weights included. Buckets are eight per power of two, so that `at_least` and `at_most` are certain and `about` is an estimate between them. Without calls nothing is known: 0 and 1.",
);

pub(crate) fn standing(ask: &Ask<'_>) -> Result<api::Standing, Failure> {
    let (params, range) = (&ask.params, ask.params.range()?);
    let plan = plan::Standing {
        range,
        service: params.owned("service").unwrap_or_default(),
        operation: params.owned("operation").unwrap_or_default(),
        kind: params.parsed("kind", kind)?.unwrap_or(SpanKind::Internal),
        duration_nanos: params.duration("duration")?.unwrap_or_default(),
    };
    let answer = ask.store().standing(&plan, ask.control)?;
    let unknown = Standing { red: Red::default(), at_least: 0.0, at_most: 1.0, about: 0.5 };
    let standing = answer.value.unwrap_or(unknown);
    Ok(api::Standing {
        range: convert::range(range),
        red: ask.rates().red(&standing.red, range),
        at_least: standing.at_least,
        at_most: standing.at_most,
        about: standing.about,
    })
}

fn kind(text: &str) -> Result<SpanKind, String> {
    let wrong = || format!("`{text}` is no span kind; `internal`, `server`, `client`, `producer` or `consumer`");
    (0..=5).map(SpanKind::from_number).find(|kind| kind.as_str() == text).ok_or_else(wrong)
}

/// `GET /topology`.
pub(crate) const TOPOLOGY: Endpoint = Endpoint::json(paths::TOPOLOGY, "Topology", "Who calls whom in the range", &[FROM, TO, ENVIRONMENT])
    .about("Nodes are instrumented services and what their spans reveal: databases, queues, external hosts, users. `rate` is calls per second over the part of the range for which data can exist.");

pub(crate) fn topology(ask: &Ask<'_>) -> Result<api::Topology, Failure> {
    map(ask, ask.params.range()?, ask.params.owned(ENVIRONMENT.name))
}

/// The map of a range; also what the live view sends.
pub(crate) fn map(ask: &Ask<'_>, range: TimeRange, environment: Option<String>) -> Result<api::Topology, Failure> {
    let answer = ask.store().topology(&plan::Topology { range, environment: environment.clone() }, ask.control)?;
    let environments = match environment {
        None => environments(answer.value.nodes.iter().filter_map(|node| node.service.as_ref())),
        // The filter hides the other environments, and a filter must not be a dead end.
        Some(_) => {
            let all = ask.store().services(&plan::Services { range, environment: None, points: 0 }, ask.control)?;
            environments(all.value.iter().map(|summary| &summary.service))
        }
    };
    let rates = ask.rates();
    Ok(api::Topology {
        range: convert::range(range),
        nodes: answer.value.nodes.into_iter().map(|node| rates.node(node, range)).collect(),
        edges: answer.value.edges.into_iter().map(|edge| rates.edge(edge, range)).collect(),
        environments,
        partial: convert::partial(answer.partial),
    })
}

fn environments<'a>(services: impl Iterator<Item = &'a orrery_model::ServiceKey>) -> Vec<String> {
    let names: BTreeSet<&str> =
        services.map(|service| service.environment.as_str()).filter(|name| !name.is_empty()).collect();
    names.into_iter().map(str::to_owned).collect()
}
