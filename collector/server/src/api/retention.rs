//! `GET /retention`: what retention would remove now.

use crate::api::endpoint::{Ask, Endpoint};
use crate::api::failure::Failure;
use crate::api::params::Parameter;
use orrery_api as api;
use orrery_api::{Nanos, paths};
use orrery_query::retention::{Amount, RetentionPlan, Rule, RuleError, SignalPlan};

const RULE: Parameter = Parameter::new(
    "rule",
    "traces after 3d where service = 'cart' and not error",
    "As if these rules were set, instead of those that are; may be repeated.",
)
.repeated();

/// `GET /retention`.
pub(crate) const RETENTION: Endpoint =
    Endpoint::json(paths::RETENTION, "RetentionPlan", "What is kept, and what retention would remove now", &[RULE])
        .about("Nothing is removed by asking. Rules are counted in the stored rows.");

pub(crate) fn retention(ask: &Ask<'_>) -> Result<api::RetentionPlan, Failure> {
    let parse = |text: &str| text.parse().map_err(|error: RuleError| Failure::invalid(RULE.name, error.to_string()));
    let rules = ask.params.all(RULE.name).map(parse).collect::<Result<Vec<Rule>, _>>()?;
    Ok(plan(ask.store().retention((!rules.is_empty()).then_some(rules), ask.control)?))
}

/// The plan as the API's type.
pub(crate) fn plan(plan: RetentionPlan) -> api::RetentionPlan {
    api::RetentionPlan {
        signals: plan.signals.iter().map(|(name, signal)| (name.to_string(), self::signal(signal))).collect(),
        rules: plan
            .rules
            .into_iter()
            .map(|(rule, going)| api::RuleRetention { rule: rule.to_string(), amount: amount(going) })
            .collect(),
    }
}

fn signal(plan: &SignalPlan) -> api::SignalRetention {
    let nanos = |age: std::time::Duration| Nanos(i64::try_from(age.as_nanos()).unwrap_or(i64::MAX));
    api::SignalRetention {
        max_age_nanos: plan.limit.max_age.map(nanos),
        max_bytes: plan.limit.max_bytes,
        stored: amount(plan.stored),
        age: amount(plan.age),
        size: amount(plan.size),
        rules: amount(plan.rules),
    }
}

fn amount(amount: Amount) -> api::StoredAmount {
    api::StoredAmount { segments: amount.segments, rows: amount.rows, bytes: amount.bytes }
}
