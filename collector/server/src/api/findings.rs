//! What is wrong.

use crate::api::convert;
use crate::api::endpoint::{Ask, Endpoint};
use crate::api::failure::Failure;
use crate::api::params::{ENVIRONMENT, FROM, Parameter, TO};
use orrery_api as api;
use orrery_api::paths;
use orrery_query::plan;

const LIMIT: Parameter = Parameter::new("limit", "20", "At most this many, 1 to 100. Default: 20.");

/// `GET /findings`.
pub(crate) const LIST: Endpoint = Endpoint::json(
    paths::FINDINGS,
    "FindingList",
    "What is wrong in the range: where it begins, since when, because of what; hosts in trouble last",
    &[FROM, TO, ENVIRONMENT, LIMIT],
)
.about(
    "Worked out from rollups, in steps of time, against what is usual: the steps of the range, and of the time before it (as long, at least ten minutes), that were not unusual themselves. `errors`: a service's failures that are left when its failed calls are laid to whom it called; of what sends no telemetry, what its callers could not help. `unreachable`: calls failed although the callee did not. `rejected`: with 401 or 403. `rate_limited`: with 429. `slow`: requests take longer than twice the usual 95th percentile, and the service's calls are not the reason; `slow_calls` to what sends no telemetry; `network`: client minus server time. `lag`: between publishing and consuming. `not_consumed`, `silent`: nothing for a minute of what was to be expected. `steady`: a twentieth of the calls, or more, has failed all along without the callee's knowing; a call that was answered with a 5xx which the callee counts as a failure of its own is not told of again. `disk_full` (from 95 %), `memory_full` (97 %), `cpu_busy` (95 % for two minutes), `host_silent` (nothing for three minutes): hosts in trouble at the end of the range, by the metrics of their agents. Other 4xx are the caller's own business. A single bad call is no finding: five of them, and more than chance makes.",
);

pub(crate) fn list(ask: &Ask<'_>) -> Result<api::FindingList, Failure> {
    let range = ask.params.range()?;
    let plan = plan::Findings {
        range,
        environment: ask.params.owned(ENVIRONMENT.name),
        limit: ask.params.number(LIMIT.name, 1..=100, 20)?,
    };
    let answer = ask.store().findings(&plan, ask.control)?;
    Ok(api::FindingList {
        range: convert::range(range),
        findings: answer.value.into_iter().map(convert::finding).collect(),
        partial: convert::partial(answer.partial),
    })
}
