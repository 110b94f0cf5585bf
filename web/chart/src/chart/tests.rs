use super::*;
use crate::surface::Surface;
use expect_test::expect;
use proptest::prelude::*;

const S: i64 = 1_000_000_000;

fn spec(points: Vec<Point>) -> ChartSpec {
    ChartSpec {
        title: "Latency".into(),
        to: 60 * S,
        unit: Unit::Millis,
        series: vec![Series::line("p95", 0, points)],
        ..ChartSpec::default()
    }
}

#[test]
fn a_gap_breaks_the_line_and_a_lone_value_is_a_dot() {
    let svg =
        spec(vec![(0, Some(10.0)), (10 * S, Some(20.0)), (20 * S, None), (30 * S, Some(40.0))]).to_svg(240.0, 90.0);
    expect![[r#"
        <svg xmlns="http://www.w3.org/2000/svg" width="240" height="90" viewBox="0 0 240 90" role="img" class="chart" font-family="var(--font-ui,Pretendard Variable,Pretendard,Inter,system-ui,sans-serif)" font-variant-numeric="tabular-nums" stroke-linejoin="round">
        <title>Latency</title>
        <desc>p95: last 40 ms, highest 40 ms.</desc>
        <path d="M42 70.5L230 70.5" fill="none" stroke="var(--line-2)" stroke-width="1"/>
        <text x="34" y="74.5" text-anchor="end" font-size="11" font-weight="500" fill="var(--text-3)">0</text>
        <path d="M42 8.5L230 8.5" fill="none" stroke="var(--line-1)" stroke-width="1"/>
        <text x="34" y="12.5" text-anchor="end" font-size="11" font-weight="500" fill="var(--text-3)">50 ms</text>
        <path d="M42 70.5L230 70.5" fill="none" stroke="var(--line-2)" stroke-width="1"/>
        <path d="M42.5 70.5L42.5 74.5" fill="none" stroke="var(--line-2)" stroke-width="1"/>
        <text x="42.5" y="86.5" text-anchor="middle" font-size="11" font-weight="500" fill="var(--text-2)">01-01</text>
        <path d="M230.5 70.5L230.5 74.5" fill="none" stroke="var(--line-2)" stroke-width="1"/>
        <path d="M42 57.6L73.4 45.3" fill="none" stroke="var(--series-1)" stroke-width="1.5"/>
        <path d="M137.8 20.4C137.8 21.3 137 22.1 136 22.1C135 22.1 134.3 21.3 134.3 20.4C134.3 19.4 135 18.6 136 18.6C137 18.6 137.8 19.4 137.8 20.4Z" fill="var(--series-1)"/>
        </svg>
    "#]].assert_eq(&svg);
}

#[test]
fn bars_stack_and_small_counts_stay_visible() {
    let counts = vec![(0, Level::Info, 1000), (0, Level::Error, 1), (30 * S, Level::Info, 500)];
    let spec = Histogram { title: "Logs".into(), to: 60 * S, step: 30 * S, counts, ..Histogram::default() }.spec();
    let bars = series::stack(&spec);
    assert_eq!(bars.iter().map(|b| (b.base, b.top)).collect::<Vec<_>>(), [(0.0, 1.0), (1.0, 1001.0), (0.0, 500.0)]);
    expect![[r#"
        <svg xmlns="http://www.w3.org/2000/svg" width="200" height="80" viewBox="0 0 200 80" role="img" class="chart" font-family="var(--font-ui,Pretendard Variable,Pretendard,Inter,system-ui,sans-serif)" font-variant-numeric="tabular-nums" stroke-linejoin="round">
        <title>Logs</title>
        <desc>error: last 1, highest 1. info: last 500, highest 1 k.</desc>
        <path d="M26 60.5L190 60.5" fill="none" stroke="var(--line-2)" stroke-width="1"/>
        <text x="18" y="64.5" text-anchor="end" font-size="11" font-weight="500" fill="var(--text-3)">0</text>
        <path d="M26 8.5L190 8.5" fill="none" stroke="var(--line-1)" stroke-width="1"/>
        <text x="18" y="12.5" text-anchor="end" font-size="11" font-weight="500" fill="var(--text-3)">2 k</text>
        <path d="M26 60.5L190 60.5" fill="none" stroke="var(--line-2)" stroke-width="1"/>
        <path d="M26.5 60.5L26.5 64.5" fill="none" stroke="var(--line-2)" stroke-width="1"/>
        <text x="26.5" y="76.5" text-anchor="middle" font-size="11" font-weight="500" fill="var(--text-2)">01-01</text>
        <path d="M190.5 60.5L190.5 64.5" fill="none" stroke="var(--line-2)" stroke-width="1"/>
        <path d="M26 59L107 59L107 60L26 60Z" fill="var(--err)" fill-opacity="0.85"/>
        <path d="M26 34L107 34L107 60L26 60Z" fill="var(--series-1)" fill-opacity="0.75"/>
        <path d="M108 47L189 47L189 60L108 60Z" fill="var(--series-1)" fill-opacity="0.75"/>
        </svg>
    "#]].assert_eq(&spec.to_svg(200.0, 80.0));
}

#[test]
fn sparklines_have_no_text() {
    let mut sparkline = Sparkline::new(vec![Some(1.0), Some(3.0), None, Some(2.0)]);
    expect![[r#"
        <svg xmlns="http://www.w3.org/2000/svg" width="40" height="12" viewBox="0 0 40 12" role="img" class="chart" font-family="var(--font-ui,Pretendard Variable,Pretendard,Inter,system-ui,sans-serif)" font-variant-numeric="tabular-nums" stroke-linejoin="round">
        <path d="M1.5 8L13.9 2L13.9 11L1.5 11Z" fill="var(--series-1)" fill-opacity="0.16"/>
        <path d="M1.5 8L13.9 2" fill="none" stroke="var(--series-1)" stroke-width="1.3"/>
        <path d="M39.8 5C39.8 5.7 39.2 6.3 38.5 6.3C37.8 6.3 37.3 5.7 37.3 5C37.3 4.3 37.8 3.8 38.5 3.8C39.2 3.8 39.8 4.3 39.8 5Z" fill="var(--series-1)"/>
        </svg>
    "#]].assert_eq(&sparkline.to_svg(40.0, 12.0, ""));
    sparkline.shape = SparklineShape::Bars;
    expect![[r#"
        <svg xmlns="http://www.w3.org/2000/svg" width="40" height="12" viewBox="0 0 40 12" role="img" class="chart" font-family="var(--font-ui,Pretendard Variable,Pretendard,Inter,system-ui,sans-serif)" font-variant-numeric="tabular-nums" stroke-linejoin="round">
        <path d="M0 8L9 8L9 11L0 11Z" fill="var(--series-1)"/>
        <path d="M10 2L19 2L19 11L10 11Z" fill="var(--series-1)"/>
        <path d="M30 5L39 5L39 11L30 11Z" fill="var(--series-1)"/>
        </svg>
    "#]].assert_eq(&sparkline.to_svg(40.0, 12.0, ""));
}

#[test]
fn values_far_apart_are_not_joined() {
    let mut spec = spec(vec![(0, Some(1.0)), (10 * S, Some(1.0)), (40 * S, Some(1.0))]);
    assert_eq!(series::runs(&spec.series[0], &spec).len(), 1);
    spec.step = Some(10 * S);
    assert_eq!(series::runs(&spec.series[0], &spec).len(), 2);
}

#[test]
fn lines_are_cut_at_the_edges_not_bent() {
    let mut spec = spec(vec![(-10 * S, Some(0.0)), (10 * S, Some(20.0)), (100 * S, Some(20.0))]);
    spec.to = 20 * S;
    assert_eq!(series::runs(&spec.series[0], &spec), [vec![(0, 10.0), (10 * S, 20.0), (20 * S, 20.0)]]);
}

#[test]
fn the_cursor_reads_values_but_not_across_gaps() {
    let mut spec = spec(vec![(0, Some(10.0)), (10 * S, Some(20.0)), (20 * S, None), (50 * S, Some(40.0))]);
    spec.step = Some(10 * S);
    let plot = Plot::new(&spec, &SvgSurface::new(400.0, 200.0));
    let read = |at| plot.nearest(&spec, at).first().map(|n| n.value);
    assert_eq!(read(9 * S), Some(20.0));
    assert_eq!(read(30 * S), None);
    assert_eq!(read(47 * S), Some(40.0));
}

#[test]
fn a_log_axis_leaves_zeros_out() {
    let mut spec = spec(vec![(0, Some(0.0)), (10 * S, Some(5.0)), (20 * S, Some(900.0))]);
    spec.scale = ValueScale::Log;
    let plot = Plot::new(&spec, &SvgSurface::new(400.0, 200.0));
    assert_eq!(plot.value_range(), (1.0, 1000.0));
    let middle = plot.value_at((plot.area.top + plot.area.bottom) / 2.0);
    assert!((middle - 1000f64.sqrt()).abs() < 1e-6, "{middle}");
}

#[test]
fn dots_stand_alone_and_are_found_by_place() {
    let mut spec = spec(vec![(10 * S, Some(5.0)), (10 * S, Some(50.0)), (50 * S, Some(0.0)), (90 * S, Some(9.0))]);
    spec.series[0].shape = Shape::Dots;
    spec.scale = ValueScale::Log;
    let plot = Plot::new(&spec, &SvgSurface::new(400.0, 200.0));
    assert_eq!(plot.dot_at(&spec, plot.x(10 * S) + 3.0, plot.y(50.0) - 2.0), Some((0, 1)));
    assert_eq!(plot.dot_at(&spec, plot.x(40 * S), plot.y(9.0)), None);
    assert_eq!(spec.to_svg(400.0, 200.0).matches("fill=\"var(--series-1)\"").count(), 2, "neither zero nor outside");
}

/// A backend of another kind: remembers the colours of what is drawn on it.
#[derive(Default)]
struct Colours(Vec<(u8, u8, u8)>);

impl plotters_backend::DrawingBackend for Colours {
    type ErrorType = std::convert::Infallible;
    fn get_size(&self) -> (u32, u32) {
        (400, 200)
    }
    fn ensure_prepared(&mut self) -> Result<(), plotters_backend::DrawingErrorKind<Self::ErrorType>> {
        Ok(())
    }
    fn present(&mut self) -> Result<(), plotters_backend::DrawingErrorKind<Self::ErrorType>> {
        Ok(())
    }
    fn draw_pixel(
        &mut self,
        _: (i32, i32),
        color: plotters_backend::BackendColor,
    ) -> Result<(), plotters_backend::DrawingErrorKind<Self::ErrorType>> {
        self.0.push(color.rgb);
        Ok(())
    }
    fn draw_text<T: plotters_backend::BackendTextStyle>(
        &mut self,
        _: &str,
        _: &T,
        _: (i32, i32),
    ) -> Result<(), plotters_backend::DrawingErrorKind<Self::ErrorType>> {
        Ok(())
    }
}

#[test]
fn other_backends_get_the_colours_of_a_theme() {
    use crate::{backend::Pen, tokens::Theme};
    let spec = spec(vec![(0, Some(1.0)), (60 * S, Some(2.0))]);
    let plot = Plot::new(&spec, &SvgSurface::new(400.0, 200.0));
    for theme in [Theme::Dark, Theme::Light] {
        let colours = std::rc::Rc::new(std::cell::RefCell::new(Colours::default()));
        plot.draw_on(&spec, &plotters::drawing::DrawingArea::from(&colours), Pen::themed(theme, 1.0)).unwrap();
        let series = Token::Series1.rgb(theme);
        assert!(colours.borrow().0.contains(&(series.0, series.1, series.2)));
    }
}

#[test]
fn nothing_to_show_is_still_a_chart() {
    for (w, h) in [(0.0, 0.0), (3.0, 3.0), (400.0, 200.0)] {
        let svg = ChartSpec::default().to_svg(w, h);
        assert!(svg.ends_with("</svg>\n"));
    }
}

#[test]
fn long_lines_are_thinned_but_keep_their_peaks() {
    let run: Vec<_> = (0..100_000).map(|i| (i, if i == 77_777 { 9.0 } else { (i % 7) as f64 / 7.0 })).collect();
    let thin = series::thin(run, 500);
    assert!(thin.len() <= 2_004, "{}", thin.len());
    assert!(thin.contains(&(77_777, 9.0)));
    assert!(thin.windows(2).all(|w| w[0].0 < w[1].0));
}

proptest! {
    #[test]
    fn pixels_and_times_are_inverse(x in 60.0..380.0f64, span in 1_000_000_000..i64::MAX / 4) {
        let spec = ChartSpec { to: span, ..spec(vec![]) };
        let surface = SvgSurface::new(400.0, 200.0);
        let plot = Plot::new(&spec, &surface);
        prop_assert!((plot.x(plot.time_at(x)) - x).abs() < 0.01);
        prop_assert_eq!(surface.size(), (400.0, 200.0));
    }

    #[test]
    fn any_data_draws(points in prop::collection::vec((any::<i64>(), prop::option::of(any::<f64>())), 0..30), from in any::<i64>(), to in any::<i64>()) {
        let mut points = points;
        points.sort_by_key(|p| p.0);
        for scale in [ValueScale::FromZero, ValueScale::Fit, ValueScale::Log] {
            let spec = ChartSpec { from, to, scale, ..spec(points.clone()) };
            prop_assert!(!spec.to_svg(300.0, 120.0).contains("NaN"));
        }
    }
}

#[test]
fn a_moment_says_its_name_where_no_other_line_crosses_it() {
    let named = |times: &[i64]| {
        let note = |at: &i64| Annotation { at: at * S, until: None, label: "told".into(), ink: Token::Accent.into() };
        let spec = ChartSpec { annotations: times.iter().map(note).collect(), ..spec(vec![(0, Some(1.0))]) };
        spec.to_svg(240.0, 90.0).matches(">told<").count()
    };
    assert_eq!([named(&[10]), named(&[59]), named(&[10, 50])], [1, 1, 2]);
    assert_eq!(named(&[20, 21]), 2, "to the left and to the right");
    assert_eq!(named(&[0, 1]), 1, "no room at the edge");
    assert_eq!(named(&[20, 21, 22]), 2, "none in the middle");
}
