//! What changed lately: the end of a range against what came before.

use orrery_api::{RedPoint, ServiceSummary};

/// Share of the range that counts as "lately".
const LATELY: f64 = 0.25;
/// Calls on both sides below which nothing is claimed.
const ENOUGH_CALLS: f64 = 20.0;

/// A change worth a look.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Id of the service.
    pub service: String,
    /// Its name.
    pub name: String,
    /// What changed.
    pub what: What,
    /// For the better.
    pub good: bool,
    weight: f64,
}

/// What can change.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A version that was not alone before: the newest one.
    Version(String),
    /// Failed share, before and lately.
    Errors(f64, f64),
    /// 95th percentile in nanoseconds, before and lately.
    Latency(f64, f64),
    /// Calls per second, before and lately.
    Rate(f64, f64),
}

/// Most important first; at most `most`.
pub fn changes(services: &[ServiceSummary], most: usize) -> Vec<Change> {
    let mut all: Vec<Change> = services.iter().flat_map(of_service).collect();
    all.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| a.name.cmp(&b.name)));
    all.truncate(most);
    all
}

fn of_service(line: &ServiceSummary) -> Vec<Change> {
    let change = |what, good, weight| Change {
        service: line.service.id.clone(),
        name: line.service.name.clone(),
        what,
        good,
        weight,
    };
    let mut found = Vec::new();
    if let [newest, _, ..] = &line.versions[..] {
        found.push(change(What::Version(newest.clone()), true, 3.0));
    }
    let split = ((line.series.len() as f64) * (1.0 - LATELY)) as usize;
    let (before, lately) = (Side::of(&line.series[..split]), Side::of(&line.series[split..]));
    if before.calls < ENOUGH_CALLS || lately.calls < ENOUGH_CALLS {
        return found;
    }
    let errors = lately.errors - before.errors;
    if errors.abs() >= 0.01 {
        found.push(change(What::Errors(before.errors, lately.errors), errors < 0.0, 5.0 + errors.abs() * 100.0));
    }
    let slower = lately.p95 / before.p95.max(1.0);
    if !(0.5..=1.6).contains(&slower) && (lately.p95 - before.p95).abs() >= 5e6 {
        found.push(change(What::Latency(before.p95, lately.p95), slower < 1.0, 2.0 + slower.ln().abs()));
    }
    let busier = lately.rate / before.rate.max(1e-9);
    if !(0.5..=2.0).contains(&busier) {
        found.push(change(What::Rate(before.rate, lately.rate), true, busier.ln().abs()));
    }
    found
}

/// Means of a part of the range; latency weighted by calls.
struct Side {
    calls: f64,
    errors: f64,
    rate: f64,
    p95: f64,
}

impl Side {
    fn of(points: &[RedPoint]) -> Side {
        let sum = |value: &dyn Fn(&RedPoint) -> f64| points.iter().map(value).sum::<f64>();
        let calls = sum(&|point| point.red.count);
        let weighted = sum(&|point| point.red.p95_nanos.map_or(0.0, |nanos| nanos.0 as f64 * point.red.count));
        let seconds = match points {
            [first, .., last] => (last.time_unix_nano.0 - first.time_unix_nano.0 + last.step_nanos.0) as f64 / 1e9,
            [only] => only.step_nanos.seconds(),
            [] => 1.0,
        };
        Side {
            calls,
            errors: sum(&|point| point.red.errors) / calls.max(1e-9),
            rate: calls / seconds.max(1e-9),
            p95: weighted / calls.max(1e-9),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orrery_api::{Nanos, Red, ServiceRef};

    fn service(points: impl Iterator<Item = (f64, f64, i64)>, versions: &[&str]) -> ServiceSummary {
        let point = |(at, (count, errors, p95)): (usize, (f64, f64, i64))| RedPoint {
            time_unix_nano: Nanos(at as i64 * 10_000_000_000),
            step_nanos: Nanos(10_000_000_000),
            red: Red { count, errors, p95_nanos: Some(Nanos(p95)), ..Red::default() },
        };
        ServiceSummary {
            service: ServiceRef { id: "pay".into(), name: "pay".into(), ..ServiceRef::default() },
            series: points.enumerate().map(point).collect(),
            versions: versions.iter().map(|version| (*version).to_owned()).collect(),
            ..ServiceSummary::default()
        }
    }

    #[test]
    fn steady_services_have_not_changed() {
        let steady = service((0..40).map(|_| (50.0, 0.0, 20_000_000)), &["1"]);
        assert_eq!(changes(&[steady], 9), []);
    }

    #[test]
    fn errors_come_before_versions_and_latency() {
        let broken = service(
            (0..40).map(|at| if at < 30 { (50.0, 0.0, 20_000_000) } else { (50.0, 5.0, 90_000_000) }),
            &["2", "1"],
        );
        let found: Vec<What> = changes(&[broken], 9).into_iter().map(|change| change.what).collect();
        assert_eq!(found, [What::Errors(0.0, 0.1), What::Latency(2e7, 9e7), What::Version("2".into())]);
    }

    #[test]
    fn few_calls_prove_nothing() {
        let quiet = service((0..40).map(|at| if at < 30 { (1.0, 0.0, 1) } else { (1.0, 1.0, 90_000_000) }), &[]);
        assert_eq!(changes(&[quiet], 9), []);
    }
}
