//! Metrics and hosts.

use crate::api::convert;
use crate::api::endpoint::{Ask, Endpoint};
use crate::api::failure::Failure;
use crate::api::params::{ATTR, FROM, Parameter, SERVICE, TO};
use orrery_api as api;
use orrery_api::{Nanos, paths};
use orrery_query::answer;
use orrery_query::plan::{self, Aggregation};

/// `GET /metrics/names`.
pub(crate) const NAMES: Endpoint =
    Endpoint::json(paths::METRIC_NAMES, "MetricNameList", "Metrics seen in the range, by name", &[FROM, TO, SERVICE]);

pub(crate) fn names(ask: &Ask<'_>) -> Result<api::MetricNameList, Failure> {
    let range = ask.params.range()?;
    let answer = ask.store().metric_names(&plan::MetricNames { range, service: ask.params.service() }, ask.control)?;
    Ok(api::MetricNameList {
        range: convert::range(range),
        metrics: answer.value.into_iter().map(name).collect(),
        partial: convert::partial(answer.partial),
    })
}

fn name(metric: answer::MetricName) -> api::MetricName {
    api::MetricName {
        name: metric.name,
        description: metric.description,
        unit: metric.unit,
        kind: metric.kind,
        is_monotonic: metric.is_monotonic,
        services: metric.services,
        attribute_keys: metric.attribute_keys,
    }
}

/// `GET /metrics/range`.
pub(crate) const RANGE: Endpoint = Endpoint::json(
    paths::METRIC_RANGE,
    "MetricSeriesList",
    "One metric over time",
    &[
        FROM,
        TO,
        Parameter::new("name", "system.cpu.utilization", "Metric name.").required(),
        Parameter::new(
            "step",
            "30s",
            "Length of a step. Default: a 120th of the range, at least 10 s. Widened so that there are at most 1000.",
        ),
        SERVICE,
        ATTR,
        Parameter::new("group_by", "host.name", "One series per value of this attribute; may be repeated.").repeated(),
        Parameter::new(
            "aggregation",
            "avg",
            "`avg`, `sum`, `min`, `max`, `rate`, or a quantile such as `p95` or `p99.9`. Default: what fits the metric's kind.",
        ),
        Parameter::new("limit", "20", "At most this many series, largest first, 1 to 200. Default: 20."),
    ],
);

const LEAST_STEP_NANOS: i64 = 10_000_000_000;
/// Most steps in a range: no screen shows more.
const STEPS: i64 = 1000;

pub(crate) fn range(ask: &Ask<'_>) -> Result<api::MetricSeriesList, Failure> {
    let params = &ask.params;
    let range = params.range()?;
    let step_nanos = params.duration("step")?.unwrap_or((range.nanos() / 120).max(LEAST_STEP_NANOS));
    if step_nanos <= 0 {
        return Err(Failure::invalid("step", "a step is longer than 0, for example 30s"));
    }
    let step_nanos = step_nanos.max(range.nanos() / STEPS);
    let plan = plan::Metric {
        name: params.owned("name").unwrap_or_default(),
        range,
        step_nanos,
        service: params.service(),
        attributes: params.attributes()?,
        group_by: params.all("group_by").map(str::to_owned).collect(),
        aggregation: params.parsed("aggregation", aggregation)?,
        limit: params.number("limit", 1..=200, 20)?,
    };
    let answer = ask.store().metric(&plan, ask.control)?;
    Ok(api::MetricSeriesList {
        range: convert::range(range),
        name: plan.name,
        unit: answer.value.first().map(|series| series.unit.clone()).unwrap_or_default(),
        step_nanos: Nanos(step_nanos),
        series: answer.value.into_iter().map(series).collect(),
        partial: convert::partial(answer.partial),
    })
}

fn series(series: answer::MetricSeries) -> api::MetricSeries {
    api::MetricSeries {
        group: series.group.into_iter().collect(),
        points: series
            .points
            .into_iter()
            .map(|(time, value)| api::MetricPoint { time_unix_nano: Nanos(time), value })
            .collect(),
    }
}

fn aggregation(text: &str) -> Result<Aggregation, String> {
    Ok(match text {
        "avg" => Aggregation::Average,
        "sum" => Aggregation::Sum,
        "min" => Aggregation::Min,
        "max" => Aggregation::Max,
        "rate" => Aggregation::Rate,
        other => Aggregation::Quantile(
            other
                .strip_prefix('p')
                .and_then(|percent| percent.parse::<f64>().ok())
                .filter(|percent| (0.0..=100.0).contains(percent))
                .map(|percent| (percent * 10.0).round() as u16)
                .ok_or_else(|| {
                    format!("`{other}` is no aggregation; avg, sum, min, max, rate, or a quantile such as p95")
                })?,
        ),
    })
}

/// `GET /hosts`.
pub(crate) const HOSTS: Endpoint = Endpoint::json(
    paths::HOSTS,
    "HostList",
    "Hosts that reported in the range",
    &[FROM, TO, Parameter::new("points", "30", "Points wanted in each series, 0 to 300. Default: 30.")],
);

pub(crate) fn hosts(ask: &Ask<'_>) -> Result<api::HostList, Failure> {
    let range = ask.params.range()?;
    let answer =
        ask.store().hosts(&plan::Hosts { range, points: ask.params.number("points", 0..=300, 30)? }, ask.control)?;
    Ok(api::HostList {
        range: convert::range(range),
        hosts: answer.value.into_iter().map(convert::host).collect(),
        partial: convert::partial(answer.partial),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_thousandths() {
        assert_eq!(aggregation("p95"), Ok(Aggregation::Quantile(950)));
        assert_eq!(aggregation("p99.9"), Ok(Aggregation::Quantile(999)));
        assert_eq!(aggregation("rate"), Ok(Aggregation::Rate));
        for wrong in ["p", "p101", "95", "average", "p-1"] {
            assert!(aggregation(wrong).is_err(), "{wrong}");
        }
    }
}
