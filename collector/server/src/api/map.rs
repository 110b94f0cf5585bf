//! What changed on the map between two ranges, and how far a failure reaches on it.

use crate::api::endpoint::{Ask, Endpoint};
use crate::api::failure::Failure;
use crate::api::params::{COMPARE_FROM, COMPARE_TO, ENVIRONMENT, FROM, Parameter, TO};
use crate::api::services;
use orrery_api as api;
use orrery_api::paths;

/// `GET /topology/diff`.
pub(crate) const DIFF: Endpoint = Endpoint::json(
    paths::TOPOLOGY_DIFF,
    "TopologyDiff",
    "The map of a range beside that of another: what is new, gone, slower, fails more",
    &[FROM, TO, COMPARE_FROM, COMPARE_TO, ENVIRONMENT],
)
.about(
    "Every node and edge with both sides, and what stands out, by rank. `more_errors`: at least 50 calls on both sides, the failed share rose by at least 1 percentage point, by half, and by more than three standard errors. `slower`: at least 50 calls on both sides, p95 rose by half and by 5 ms. `new` (`new_external` for a host or model without telemetry) and `gone`: nothing on the other side although at its rate 5 calls were to be expected there. `busier` and `quieter`: at least 50 calls on one side, calls per second doubled or halved. `faster`, `fewer_errors`: the other way round. A change that goes with the same change of what is called names it in `explained_by`.",
);

pub(crate) fn diff(ask: &Ask<'_>) -> Result<api::TopologyDiff, Failure> {
    let range = ask.params.range()?;
    let ranges = api::Pair { before: ask.params.compared_range(range)?, now: range };
    let map = |range| services::map(ask, range, ask.params.owned(ENVIRONMENT.name));
    let maps = api::Pair { before: map(ranges.before)?, now: map(ranges.now)? };
    let rates = ask.rates();
    let seconds = api::Pair { before: rates.seconds(ranges.before), now: rates.seconds(ranges.now) };
    Ok(api::TopologyDiff::of(maps, seconds))
}

const NODE: Parameter = Parameter::new("node", "shop/payment@production", "Id of the node, as in the map.").required();

/// `GET /topology/impact`.
pub(crate) const IMPACT: Endpoint = Endpoint::json(
    paths::TOPOLOGY_IMPACT,
    "Impact",
    "How far a node's failures reach: who is affected, who held, where they begin",
    &[NODE, FROM, TO, ENVIRONMENT],
)
.about(
    "Estimated from the edges of the range, not from single requests. A service's failures are laid to the failed calls it made, each call's share being its share of all failed calls; what is left began in the service itself. A failed call is the callee's fault as far as the callee failed by its own account; the rest began between the two. Failed calls beyond the caller's own failures were handled: retried, or done without.",
);

pub(crate) fn impact(ask: &Ask<'_>) -> Result<api::Impact, Failure> {
    let node = ask.params.text(NODE.name).unwrap_or_default();
    let map = services::map(ask, ask.params.range()?, ask.params.owned(ENVIRONMENT.name))?;
    api::Impact::of(&map, node).ok_or_else(|| {
        Failure::NotFound(format!(
            "There is no node `{node}` on the map of this time range. GET {} lists its nodes; a wider range may help.",
            paths::TOPOLOGY
        ))
    })
}
