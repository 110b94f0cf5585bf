//! Rules that objectives make.

use orrery_api::alerting::{Absence, AlertSeverity, Condition, Level, Measure, Period, Rule, Slo, WhenAbsent};

/// How fast a budget burns, over which two windows, and how bad that is.
///
/// Source: Site Reliability Workbook, chapter 5: 2 % of a 30-day budget in an hour, 5 % in six hours, 10 % in three days. The
/// shorter window lets an alert end soon after the trouble.
const BURNS: [(&str, f64, Period, Period, AlertSeverity); 3] = [
    ("burns very fast", 14.4, Period::hours(1), Period::minutes(5), AlertSeverity::Critical),
    ("burns fast", 6.0, Period::hours(6), Period::minutes(30), AlertSeverity::Critical),
    ("burns", 1.0, Period::days(3), Period::hours(6), AlertSeverity::Warning),
];

/// The rules that watch the error budget of an objective; none if it says so.
pub fn rules(slo: &Slo) -> Vec<Rule> {
    if !slo.alerts {
        return Vec::new();
    }
    BURNS
        .into_iter()
        .map(|(how, times, window, short, severity)| Rule {
            name: format!("{}: budget {how}", slo.name),
            description: format!(
                "At {times} times the allowed pace, measured over {window} and {short}, the error budget of {} is used up \
                 {}.{}{}",
                slo.period,
                if times > 1.0 { "long before its end" } else { "before its end" },
                if slo.description.is_empty() { "" } else { " " },
                slo.description
            ),
            enabled: true,
            measure: Measure::Burn { slo: slo.name.clone(), short },
            window,
            // A long window changes slowly.
            every: Period::seconds(if window.0 > 21_600 { 300 } else { 60 }),
            levels: vec![Level { severity, when: Condition::Above(times), ..Level::default() }],
            no_data: Absence { then: WhenAbsent::Ok, after: Period::minutes(10) },
            labels: slo.labels.clone(),
            max_wait: Period::seconds(20),
            ..Rule::default()
        })
        .collect()
}
