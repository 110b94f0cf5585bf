//! Metrics of spans, and what can be asked of them.

use crate::api::convert;
use crate::api::endpoint::{Ask, Endpoint};
use crate::api::failure::Failure;
use crate::api::params::{FROM, Parameter, TO};
use crate::api::query::{self, Asked};
use orrery_api as api;
use orrery_api::{Nanos, paths};
use orrery_query::plan;
use orrery_query::traceql::{Arithmetic, Body, Metric, MetricFunction, Metrics, Scope, Table, Type};

/// Numbers in an answer at most.
const MOST_NUMBERS: usize = 2_000_000;
/// Steps where nobody says how long they are, about.
const STEPS: i64 = 60;
const LIMIT: Parameter =
    Parameter::new("limit", "500", "At most this many series, those with the greatest sums, 1 to 10000. Default: 500.");

/// `GET /traces/series`.
pub(crate) const SERIES: Endpoint = Endpoint::json(
    paths::TRACE_SERIES,
    "TraceSeriesList",
    "Metrics of spans over time, or how two groups of spans differ",
    &[
        FROM,
        TO,
        Q_OF_METRICS,
        Parameter::new("step", "30s", "Length of a step, the first one from `from` on. Default: for about 60 steps."),
        LIMIT,
    ],
)
.about(
    "`q` is TraceQL that ends in a function of metrics: `{ … } | rate() by (resource.service.name)`, `| histogram_over_time(\
     span:duration)`, `| compare({ status = error })` … A span counts in the step in which it starts.",
);

const Q_OF_METRICS: Parameter = Parameter::new(
    query::Q.name,
    "{ kind = server } | quantile_over_time(span:duration, 0.95) by (resource.service.name)",
    "TraceQL metrics.",
)
.required();

pub(crate) fn series(ask: &Ask<'_>) -> Result<api::TraceSeriesList, Failure> {
    let params = &ask.params;
    let range = params.range()?;
    let asked = Asked::metrics(params)?;
    let step_nanos = params.duration("step")?.unwrap_or_else(|| step(range.nanos()));
    let limit = params.number(LIMIT.name, 1..=10_000, 500)? as usize;
    let plan = plan::TraceSeries { range, query: asked.query.clone(), step_nanos };
    let answer = ask.store().trace_series(&plan, ask.control).map_err(|error| asked.failure(error))?;
    let mut list = api::TraceSeriesList {
        range: convert::range(range),
        query: asked.query.to_string(),
        step_nanos: Nanos(step_nanos),
        unit: unit_of(&asked).to_owned(),
        scanned: convert::scanned(answer.scanned),
        partial: convert::partial(answer.partial),
        ..Default::default()
    };
    match answer.value {
        Metrics::Compared(compared) => list.comparison = Some(convert::comparison(compared)),
        Metrics::Table(table) => {
            let (table, left_out) = largest(table, limit);
            list.partial = list.partial.or(left_out);
            list.series = table.series.into_iter().map(convert::trace_series).collect();
        }
    }
    Ok(list)
}

/// The series with the greatest sums, in the order they were in, and what was left out.
fn largest(mut table: Table, limit: usize) -> (Table, Option<String>) {
    let uncounted =
        (table.uncounted > 0).then(|| format!("{} spans count nowhere: there are too many series", table.uncounted));
    let steps = table.series.first().map_or(1, |series| series.values.len().max(1));
    let (all, most) = (table.series.len(), limit.min((MOST_NUMBERS / steps).max(1)));
    if all <= most {
        return (table, uncounted);
    }
    let mut numbered: Vec<_> = table.series.into_iter().enumerate().collect();
    numbered.sort_by_cached_key(|(_, series)| {
        let sum: f64 = series.values.iter().flatten().sum();
        std::cmp::Reverse(sum.max(0.0).to_bits())
    });
    numbered.truncate(most);
    numbered.sort_by_key(|(number, _)| *number);
    table.series = numbered.into_iter().map(|(_, series)| series).collect();
    (table, Some(format!("the largest {most} of {all} series")))
}

/// A length of which about [`STEPS`] make the range, as people would choose it.
fn step(range_nanos: i64) -> i64 {
    const SECOND: i64 = 1_000_000_000;
    const NICE: [i64; 16] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200];
    let least = range_nanos / STEPS;
    let day = 86_400 * SECOND;
    NICE.into_iter().map(|seconds| seconds * SECOND).find(|step| *step >= least).unwrap_or((least / day + 1) * day)
}

fn unit_of(asked: &Asked) -> &'static str {
    match &asked.query.body {
        Body::Metrics(metric) => unit(metric),
        Body::Search(_) => "",
    }
}

fn unit(metric: &Metric) -> &'static str {
    match metric {
        Metric::Number(..) => "",
        Metric::Then(of, _) => unit(of),
        Metric::Arithmetic(left, Arithmetic::Add | Arithmetic::Subtract, right) if unit(left) == unit(right) => {
            unit(left)
        }
        Metric::Arithmetic(..) => "",
        Metric::Spans { function, .. } => match function {
            MetricFunction::Rate => "1/s",
            MetricFunction::CountOverTime | MetricFunction::HistogramOverTime(_) | MetricFunction::Compare { .. } => {
                "{span}"
            }
            MetricFunction::OverTime(_, field) | MetricFunction::QuantileOverTime(field, _) => match field.value_type()
            {
                Type::Duration => "s",
                _ => "",
            },
        },
    }
}

const PREFIX: Parameter = Parameter::new("prefix", "http.", "Starts with this, ignoring case.");

/// `GET /traces/keys`.
pub(crate) const KEYS: Endpoint = Endpoint::json(
    paths::TRACE_KEYS,
    "TraceKeyList",
    "Attributes that spans have, most spans first: completion",
    &[
        FROM,
        TO,
        Parameter::new("scope", "resource", "Only `span`, `resource`, `event`, `link` or `instrumentation`."),
        PREFIX,
        Parameter::new("limit", "1000", "At most this many, 1 to 10000. Default: 1000."),
    ],
)
.about("Of whatever is stored together with spans of the range; no row is read for it.");

pub(crate) fn keys(ask: &Ask<'_>) -> Result<api::TraceKeyList, Failure> {
    let params = &ask.params;
    let range = params.range()?;
    let plan = plan::TraceKeys {
        range,
        scope: params.parsed("scope", scope)?,
        prefix: params.owned(PREFIX.name).unwrap_or_default(),
        limit: params.number("limit", 1..=10_000, 1000)?,
    };
    let answer = ask.store().trace_keys(&plan, ask.control)?;
    Ok(api::TraceKeyList {
        range: convert::range(range),
        keys: answer.value.into_iter().map(convert::trace_key).collect(),
        partial: convert::partial(answer.partial),
    })
}

fn scope(text: &str) -> Result<Scope, String> {
    let names = Scope::ALL.map(Scope::as_str);
    let known = Scope::ALL.into_iter().find(|scope| scope.as_str() == text);
    known.ok_or_else(|| format!("`{text}` is no scope; one of {}", names.join(", ")))
}

/// `GET /traces/values`.
pub(crate) const VALUES: Endpoint = Endpoint::json(
    paths::TRACE_VALUES,
    "TraceValueList",
    "Values of a field of spans, most frequent first: completion",
    &[
        FROM,
        TO,
        Parameter::new(
            "key",
            "span.http.route",
            "A field as TraceQL names it: `span.http.route`, `.http.route`, `span:name`.",
        )
        .required(),
        PREFIX,
        Parameter::new("limit", "20", "At most this many, 1 to 1000. Default: 20."),
    ],
)
.about("Counted are the newest four million spans of the range; `partial` says so if there are more.");

pub(crate) fn values(ask: &Ask<'_>) -> Result<api::TraceValueList, Failure> {
    let params = &ask.params;
    let range = params.range()?;
    let field = query::field("key", params.text("key").unwrap_or_default())?;
    let plan = plan::TraceValues {
        range,
        field: field.clone(),
        prefix: params.owned(PREFIX.name).unwrap_or_default(),
        limit: params.number("limit", 1..=1000, 20)?,
    };
    let answer = ask.store().trace_values(&plan, ask.control)?;
    let value = |value: orrery_query::answer::TraceValue| api::TraceValue {
        value: convert::literal(&value.value),
        span_count: value.spans,
    };
    Ok(api::TraceValueList {
        range: convert::range(range),
        key: field.to_string(),
        values: answer.value.into_iter().map(value).collect(),
        partial: convert::partial(answer.partial),
    })
}
