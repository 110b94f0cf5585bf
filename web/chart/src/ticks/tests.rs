use super::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;

/// 2026-11-20 14:03:07.5 UTC.
const T: i64 = 1_795_183_387_500_000_000;

fn labels(ticks: &[ValueTick]) -> String {
    ticks.iter().map(|t| t.label.replace('\u{2009}', " ")).collect::<Vec<_>>().join(" | ")
}

fn check_values(low: f64, high: f64, unit: Unit, want: Expect) {
    want.assert_eq(&labels(&value_ticks(low, high, 4, &unit).2));
}

fn check_times(span: i64, offset: i32, want: Expect) {
    let ticks = time_ticks(T - span, T, offset, 6);
    want.assert_eq(&ticks.iter().map(|t| t.label.as_str()).collect::<Vec<_>>().join(" "));
}

#[test]
fn value_axes_share_one_scale() {
    check_values(0.0, 1.3e9, Unit::Nanos, expect!["0 | 0.5 s | 1.0 s | 1.5 s"]);
    check_values(0.0, 318e6, Unit::Nanos, expect!["0 | 100 ms | 200 ms | 300 ms | 400 ms"]);
    check_values(0.0, 3.2e9, Unit::Bytes, expect!["0 | 1 GiB | 2 GiB | 3 GiB"]);
    check_values(0.0, 0.061, Unit::Ratio, expect!["0 | 2 % | 4 % | 6 % | 8 %"]);
    check_values(-2.0, 3.0, Unit::Number, expect!["−2 | 0 | 2 | 4"]);
    check_values(0.0, 0.0, Unit::Requests, expect!["0 | 0.5 req/s | 1.0 req/s"]);
    check_values(0.0, 420e9, Unit::Nanos, expect!["0 | 2 min | 4 min | 6 min | 8 min"]);
}

#[test]
fn log_axes_show_decades() {
    let show = |lo, hi| labels(&log_ticks(lo, hi, 6, &Unit::Nanos));
    expect!["1 ms | 10 ms | 100 ms | 1 s"].assert_eq(&show(1e6, 1e9));
    expect!["1 ms | 2 ms | 5 ms | 10 ms | 20 ms | 50 ms | 100 ms"].assert_eq(&show(1e6, 1e8));
}

#[test]
fn time_axes_use_round_local_times() {
    check_times(15 * MINUTE, 0, expect!["13:50 13:55 14:00"]);
    check_times(15 * MINUTE, 540, expect!["22:50 22:55 23:00"]);
    check_times(40 * SECOND, 0, expect!["14:02:30 14:02:40 14:02:50 14:03:00"]);
    check_times(2 * SECOND, 0, expect![".500 14:03:06 .500 14:03:07 .500"]);
    check_times(DAY, 330, expect!["11-20 06:00 12:00 18:00"]);
    check_times(40 * DAY, 0, expect!["10-15 10-22 10-29 11-05 11-12 11-19"]);
}

#[test]
fn civil_dates() {
    let date = |unix: i64, offset| LocalTime::new(unix * SECOND, offset).date();
    assert_eq!(date(0, 0), "1970-01-01");
    assert_eq!(date(0, -60), "1969-12-31");
    assert_eq!(date(951_782_400, 0), "2000-02-29");
    assert_eq!(LocalTime::new(T, 0).time_of_day(3), "14:03:07.500");
    assert_eq!(LocalTime::new(i64::MIN, 0).year, 1677);
}

proptest! {
    #[test]
    fn time_ticks_are_inside_ordered_and_few(from in any::<i64>(), span in 1..i64::MAX, offset in -840..840i32, max in 1usize..20) {
        let to = from.saturating_add(span);
        let ticks = time_ticks(from, to, offset, max);
        prop_assert!(ticks.len() <= max + 1);
        prop_assert!(ticks.iter().all(|t| t.at >= from && t.at <= to));
        prop_assert!(ticks.windows(2).all(|w| w[0].at < w[1].at));
    }

    #[test]
    fn value_ticks_cover_the_data_evenly(low in -1e12..1e12f64, span in 1e-6..1e12f64, max in 1usize..10) {
        let (lo, hi, ticks) = value_ticks(low, low + span, max, &Unit::Number);
        let slack = 1e-6 * (low.abs() + span);
        prop_assert!(lo <= low + slack && hi >= low + span - slack, "{lo}..{hi}");
        prop_assert!(ticks.len() <= max + 2 && ticks.len() >= 2);
        prop_assert!(ticks.windows(2).all(|w| w[0].value < w[1].value));
    }
}
