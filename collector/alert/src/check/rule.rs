//! Rules and objectives.

use super::{Checked, Wrong, label_names, labels, measure, name, period, steps, text, value, wrong};
use orrery_api::alerting::{
    Absence, Condition, Guard, Indicator, Least, Level, MAX_LEVELS, Measure, Period, Rule, Slo,
};

/// Guards of a rule, at most.
const MAX_GUARDS: usize = 4;
/// Judgements that `least` looks at, at most.
const MAX_LEAST: u32 = 60;
const TEN_SECONDS: Period = Period::seconds(10);
const NONE: Period = Period::seconds(0);
const WEEK: Period = Period::days(7);
const MONTH: Period = Period::days(30);

/// Whether a rule is right.
///
/// # Errors
/// The first field that is not.
pub fn rule(rule: &Rule) -> Result<(), Wrong> {
    name("name", &rule.name)?;
    text("description", &rule.description)?;
    measure::measure(&rule.measure, rule.window).map_err(|wrong| wrong.within("measure"))?;
    times(rule)?;
    levels(&rule.levels)?;
    guards(rule)?;
    if let Some(least) = rule.least {
        self::least(rule, least)?;
    }
    absence("no_data", rule.no_data)?;
    absence("error", rule.error)?;
    labels(&rule.labels)
}

fn times(rule: &Rule) -> Checked {
    steps("window", rule.window, TEN_SECONDS, WEEK)?;
    steps("every", rule.every, TEN_SECONDS, Period::days(1))?;
    if has_window(&rule.measure) && rule.every > rule.window {
        let (every, window) = (rule.every, rule.window);
        let detail = format!(
            "every {every} a window of {window} is judged, so that some time is never looked at: at most `{window}`, or a \
             longer `window`"
        );
        return wrong("every", detail);
    }
    period("for", rule.for_, NONE, MONTH)?;
    period("keep_firing_for", rule.keep_firing_for, NONE, MONTH)?;
    period("max_wait", rule.max_wait, NONE, Period::hours(1))
}

/// Whether a value is about a window at all.
fn has_window(measure: &Measure) -> bool {
    !matches!(measure, Measure::Silent { .. } | Measure::Hosts { .. } | Measure::Heartbeat { .. })
}

fn levels(levels: &[Level]) -> Checked {
    if levels.is_empty() || levels.len() > MAX_LEVELS {
        return wrong("level", format!("1 to {MAX_LEVELS} levels are wanted, one per severity"));
    }
    for (at, level) in levels.iter().enumerate() {
        self::level(level).map_err(|wrong| wrong.within(&format!("level[{at}]")))?;
        let same = levels[..at].iter().find(|other| other.severity == level.severity);
        if same.is_some() {
            let detail = format!("there is a level of severity {} already: one per severity", level.severity.name());
            return wrong(&format!("level[{at}].severity"), detail);
        }
        for milder in levels.iter().filter(|other| other.severity < level.severity) {
            stricter(at, level, milder)?;
        }
    }
    Ok(())
}

/// A worse level that is reached earlier would hide the milder one.
fn stricter(at: usize, worse: &Level, milder: &Level) -> Checked {
    let (bound, limit, is_met) = match (worse.when, milder.when) {
        (Condition::Above(worse), Condition::Above(milder)) => ("above", milder, worse > milder),
        (Condition::Below(worse), Condition::Below(milder)) => ("below", milder, worse < milder),
        _ => return Ok(()),
    };
    if is_met {
        return Ok(());
    }
    let (severity, other) = (worse.severity.name(), milder.severity.name());
    let side = if bound == "above" { "more" } else { "less" };
    wrong(&format!("level[{at}].when.{bound}"), format!("{severity} has to begin beyond {other}: {side} than {limit}"))
}

fn level(level: &Level) -> Checked {
    condition(&level.when).map_err(|wrong| wrong.within("when"))?;
    if let Some(for_) = level.for_ {
        period("for", for_, NONE, MONTH)?;
    }
    let Some(recover) = level.recover else { return Ok(()) };
    match level.when {
        _ if !recover.is_finite() => wrong("recover", "a number is wanted"),
        Condition::Above(limit) if recover > limit => {
            wrong("recover", format!("it is bad above {limit}, so it is over below that: at most {limit}"))
        }
        Condition::Below(limit) if recover < limit => {
            wrong("recover", format!("it is bad below {limit}, so it is over above that: at least {limit}"))
        }
        Condition::Changed { .. } | Condition::Unusual { .. } if !(0.0..=1.0).contains(&recover) => {
            wrong("recover", "here it is a share of the way back: 0 to 1")
        }
        _ => Ok(()),
    }
}

fn condition(condition: &Condition) -> Checked {
    let number = |field: &str, number: f64, least: f64, says: &str| {
        if number.is_finite() && number >= least { Ok(()) } else { wrong(field, says) }
    };
    match *condition {
        Condition::Above(limit) => number("above", limit, f64::MIN, "a number is wanted"),
        Condition::Below(limit) => number("below", limit, f64::MIN, "a number is wanted"),
        Condition::Changed { times, by, .. } => {
            number("changed.times", times, 1.0 + f64::EPSILON, "a factor of more than 1: 2 is twice, or half")?;
            number("changed.by", by, 0.0, "0 or more")
        }
        Condition::Unusual { deviations, times, by, .. } => {
            number("unusual.deviations", deviations, 1.0, "1 or more; 3 and more make sense")?;
            number("unusual.times", times, 1.0, "1 or more")?;
            number("unusual.by", by, 0.0, "0 or more")
        }
    }
}

fn guards(rule: &Rule) -> Checked {
    if rule.only_if.len() + rule.unless.len() > MAX_GUARDS {
        return wrong("only_if", format!("`only_if` and `unless` have at most {MAX_GUARDS} conditions together"));
    }
    let named = [("only_if", &rule.only_if), ("unless", &rule.unless)];
    for (field, guards) in named {
        for (at, guard) in guards.iter().enumerate() {
            self::guard(guard, rule.window).map_err(|wrong| wrong.within(&format!("{field}[{at}]")))?;
        }
    }
    Ok(())
}

fn guard(guard: &Guard, window: Period) -> Checked {
    let window = guard.window.unwrap_or(window);
    measure::measure(&guard.measure, window).map_err(|wrong| wrong.within("measure"))?;
    steps("window", window, TEN_SECONDS, WEEK)?;
    condition(&guard.when).map_err(|wrong| wrong.within("when"))?;
    label_names("on", &guard.on)
}

fn least(rule: &Rule, Least { times, of }: Least) -> Checked {
    if of == 0 || of > MAX_LEAST {
        return wrong("least.of", format!("1 to {MAX_LEAST} judgements"));
    }
    if times == 0 || times > of {
        return wrong("least.times", format!("1 to {of}: so often of the last {of}"));
    }
    let of_level = rule.levels.iter().position(|level| level.for_.is_some_and(|for_| !for_.is_zero()));
    match of_level {
        _ if !rule.for_.is_zero() => wrong("least", "`least` is instead of `for`: leave one of them out"),
        Some(at) => wrong(&format!("level[{at}].for"), "`least` is instead of `for`: leave one of them out"),
        None => Ok(()),
    }
}

fn absence(field: &str, absence: Absence) -> Checked {
    period(&format!("{field}.after"), absence.after, NONE, MONTH)
}

/// Whether an objective is right.
///
/// # Errors
/// The first field that is not.
pub fn slo(slo: &Slo) -> Result<(), Wrong> {
    name("name", &slo.name)?;
    // Rules are named after it.
    let longest = super::MAX_NAME - ": budget burns very fast".len();
    if slo.name.chars().count() > longest {
        return wrong("name", format!("rules are named after it: at most {longest} characters"));
    }
    text("description", &slo.description)?;
    indicator(&slo.indicator).map_err(|wrong| wrong.within("indicator"))?;
    if !(slo.objective > 0.0 && slo.objective < 1.0) {
        return wrong("objective", "a share of more than 0 and less than 1: 0.999 is 99.9 %");
    }
    period("period", slo.period, Period::hours(1), Period::days(90))?;
    labels(&slo.labels)
}

fn indicator(indicator: &Indicator) -> Checked {
    let of = |service: &str, operation: &Option<String>, environment: &Option<String>| {
        if service.trim().is_empty() {
            return wrong("service", "a service is wanted: its name, or its id namespace/name@environment");
        }
        value("service", service)?;
        super::optional_value("operation", operation.as_ref())?;
        super::optional_value("environment", environment.as_ref())
    };
    match indicator {
        Indicator::Availability { service, operation, environment } => of(service, operation, environment),
        Indicator::Latency { service, operation, environment, under } => {
            of(service, operation, environment)?;
            if !(*under > 0.0 && *under <= 86_400.0) {
                return wrong("under", "seconds, more than 0 and at most 86400: 0.3 is 300 ms");
            }
            Ok(())
        }
        Indicator::Traces { all, good } => {
            measure::filter("all", all)?;
            measure::filter("good", good)
        }
    }
}
