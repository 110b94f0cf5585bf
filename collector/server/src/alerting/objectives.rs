//! How objectives stand.

use super::source::{StoreSource, Tally, burn};
use orrery_alert::Grid;
use orrery_api::alerting::{BudgetPoint, Slo, SloStatus};
use orrery_api::{Nanos, Range};

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// Points of an answer, at most.
const POINTS: usize = 200;
/// Steps in which it is seen whether something was measured, at least.
const LEAST_STEPS: i64 = 200;
/// Lengths a step may have: those of rollups.
const STEPS: [i64; 4] = [HOUR, 10 * MINUTE, MINUTE, 10 * SECOND];

/// How an objective stands; its alerts are not looked at.
pub(crate) fn status(source: &StoreSource, slo: &Slo, now: i64) -> SloStatus {
    let period = slo.period.nanos().max(HOUR);
    let step = STEPS.into_iter().find(|step| period / step >= LEAST_STEPS).unwrap_or(10 * SECOND);
    // The step that is not over yet counts as far as it is.
    let last = now.div_euclid(10 * SECOND) * 10 * SECOND;
    let to = (last + step - 1).div_euclid(step) * step;
    let grid = Grid::between(to - period, to, step);
    let range = Range { from: Nanos(to - period), to: Nanos(now) };
    let empty = SloStatus { slo: slo.clone(), range, ..SloStatus::default() };
    let asked = source.tallies(&slo.indicator, step, grid).and_then(|steps| {
        let hour = source.tallies(&slo.indicator, HOUR, Grid { first: last, step: 10 * SECOND, count: 1 })?;
        Ok((steps, hour))
    });
    match asked {
        Ok(((steps, partial, _), (hour, _, _))) => {
            let hour = hour.first().copied().flatten();
            let told = told(slo, grid, &steps, hour, now);
            SloStatus { slo: slo.clone(), range, partial, ..told }
        }
        Err(error) => SloStatus { partial: Some(error.to_string()), ..empty },
    }
}

/// What follows from what was measured in each step.
fn told(slo: &Slo, grid: Grid, steps: &[Option<Tally>], hour: Option<Tally>, now: i64) -> SloStatus {
    let sum = |steps: &[Option<Tally>]| {
        let measured = steps.iter().flatten();
        measured.fold(Tally::default(), |sum, step| Tally { total: sum.total + step.total, bad: sum.bad + step.bad })
    };
    let all = sum(steps);
    let measured = steps.iter().flatten().count();
    let coverage = if steps.is_empty() { 0.0 } else { measured as f64 / steps.len() as f64 };
    let burn = hour.map(|hour| burn(slo, hour));
    if all.total <= 0.0 {
        return SloStatus { coverage, burn, ..SloStatus::default() };
    }
    let budget = all.total * (1.0 - slo.objective);
    let left = |bad: f64| if budget > 0.0 { 1.0 - bad / budget } else { 0.0 };
    let mut points = Vec::with_capacity(POINTS);
    let (mut bad, mut crossed) = (0.0, None);
    let together = steps.len().div_ceil(POINTS).max(1);
    for (number, some) in steps.chunks(together).enumerate() {
        let part = sum(some);
        bad += part.bad;
        let time = grid.at((number * together + some.len()).saturating_sub(1)).min(now);
        if left(bad) <= 0.0 {
            crossed.get_or_insert(time);
        }
        let bad_ratio = (part.total > 0.0).then(|| part.bad / part.total);
        points.push(BudgetPoint { time_unix_nano: Nanos(time), left: left(bad), bad_ratio });
    }
    SloStatus {
        total: all.total,
        bad: all.bad,
        good_ratio: Some(1.0 - all.bad / all.total),
        budget_left: Some(left(all.bad)),
        coverage,
        burn,
        exhausted_unix_nano: crossed.or_else(|| exhausted(budget - all.bad, burn, hour, now)).map(Nanos),
        points,
        ..SloStatus::default()
    }
}

/// When what is left of a budget is used up at the pace of the last hour. At the allowed pace, or slower, never: as much
/// as is used leaves the period behind.
fn exhausted(left: f64, burn: Option<f64>, hour: Option<Tally>, now: i64) -> Option<i64> {
    let pace = hour?.bad / HOUR as f64;
    let nanos = left / pace;
    (burn? > 1.0 && nanos.is_finite() && nanos < 400.0 * 24.0 * HOUR as f64).then(|| now.saturating_add(nanos as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(total: f64, bad: f64) -> Option<Tally> {
        Some(Tally { total, bad })
    }

    fn slo(objective: f64) -> Slo {
        Slo { objective, ..Slo::default() }
    }

    #[test]
    fn a_budget_is_used_by_what_is_bad() {
        let grid = Grid { first: HOUR, step: HOUR, count: 4 };
        let steps = [tally(100.0, 0.0), tally(100.0, 10.0), None, tally(200.0, 10.0)];
        let now = 4 * HOUR;
        let told = told(&slo(0.9), grid, &steps, tally(200.0, 40.0), now);
        assert_eq!((told.total, told.bad, told.coverage), (400.0, 20.0, 0.75));
        assert_eq!(told.good_ratio, Some(0.95));
        assert!((told.budget_left.unwrap() - 0.5).abs() < 1e-9);
        assert!((told.burn.unwrap() - 2.0).abs() < 1e-9);
        let left: Vec<_> = told.points.iter().map(|point| ((point.left * 100.0).round(), point.bad_ratio)).collect();
        assert_eq!(left, [(100.0, Some(0.0)), (75.0, Some(0.1)), (75.0, None), (50.0, Some(0.05))]);
        let seconds = (told.exhausted_unix_nano.unwrap().0 - now) / SECOND;
        assert!((1_799..=1_801).contains(&seconds), "twenty more bad ones, at forty an hour: {seconds}");
    }

    #[test]
    fn unmeasured_time_is_neither_good_nor_bad() {
        let grid = Grid { first: HOUR, step: HOUR, count: 2 };
        let nothing = told(&slo(0.9), grid, &[None, None], None, 2 * HOUR);
        assert_eq!((nothing.good_ratio, nothing.budget_left, nothing.coverage, nothing.burn), (None, None, 0.0, None));
        let slow = told(&slo(0.9), grid, &[tally(100.0, 1.0), None], tally(100.0, 1.0), 2 * HOUR);
        assert_eq!(slow.exhausted_unix_nano, None, "slower than allowed");
        let over = told(&slo(0.9), grid, &[tally(100.0, 50.0), tally(100.0, 0.0)], tally(100.0, 0.0), 2 * HOUR);
        assert_eq!(over.exhausted_unix_nano, Some(Nanos(HOUR)), "it was, an hour ago");
        assert!(over.budget_left.unwrap() < 0.0);
    }

    #[test]
    fn a_long_period_has_few_points() {
        let grid = Grid { first: HOUR, step: HOUR, count: 672 };
        let told = told(&slo(0.99), grid, &[tally(10.0, 0.0); 672], None, 700 * HOUR);
        assert_eq!(told.points.len(), 168);
        assert_eq!(told.points[167].time_unix_nano, Nanos(672 * HOUR));
    }
}
