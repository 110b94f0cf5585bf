use super::*;
use crate::{surface::Surface, svg::SvgSurface, tokens::Token};
use expect_test::{Expect, expect};
use proptest::prelude::*;

const MS: i64 = 1_000_000;

fn span(id: u64, parent: u64, start: i64, end: i64) -> SpanInput {
    SpanInput { id, parent, start: start * MS, duration: (end - start) * MS, name: id as u32, ..SpanInput::default() }
}

fn waterfall(spans: Vec<SpanInput>) -> Waterfall {
    let names = (0..=spans.iter().map(|s| s.name).max().unwrap_or(0)).map(|i| format!("op-{i}")).collect();
    Waterfall::new(spans, names, vec!["shop".into(), "bank".into()])
}

fn outline(w: &Waterfall) -> String {
    let row = |r: &Row| {
        let fold = if r.folded > 0 { format!(" ×{}", r.folded) } else { String::new() };
        format!("{}{}{fold}", "  ".repeat(r.depth as usize), w.span(r.span).id)
    };
    w.rows().iter().map(row).collect::<Vec<_>>().join("\n")
}

fn check_path(spans: Vec<SpanInput>, want: Expect) {
    let w = waterfall(spans);
    let mut path: Vec<_> = w.critical_path().to_vec();
    path.sort_by_key(|s| s.from);
    let text: Vec<String> =
        path.iter().map(|s| format!("{}:{}-{}", w.span(s.span).id, s.from / MS, s.to / MS)).collect();
    want.assert_eq(&text.join(" "));
}

#[test]
fn children_follow_parents_by_start_and_strangers_are_roots() {
    let w = waterfall(vec![
        span(3, 1, 50, 60),
        span(1, 0, 0, 100),
        span(2, 1, 10, 40),
        span(9, 77, 5, 6),
        span(4, 2, 12, 20),
    ]);
    expect![[r#"
        1
          2
            4
          3
        9"#]]
    .assert_eq(&outline(&w));
    assert!(w.is_orphan(3) && !w.is_orphan(1));
    assert_eq!(w.descendants(1), 3);
}

#[test]
fn cycles_open_at_their_earliest_span() {
    let w = waterfall(vec![span(1, 2, 10, 20), span(2, 3, 5, 30), span(3, 1, 8, 9), span(4, 4, 0, 1)]);
    expect![[r#"
        4
        2
          1
            3"#]]
    .assert_eq(&outline(&w));
}

#[test]
fn equal_siblings_fold_and_open() {
    let mut spans = vec![span(1, 0, 0, 100)];
    spans.extend((0..7).map(|i| SpanInput { name: 0, ..span(10 + i, 1, i as i64, i as i64 + 1) }));
    spans.push(span(30, 1, 50, 60));
    let mut w = waterfall(spans);
    expect![[r#"
        1
          10 ×7
          30"#]]
    .assert_eq(&outline(&w));
    assert_eq!(w.row_of(5), Some(1), "a folded span is shown by its fold");
    w.toggle(1);
    assert_eq!(w.rows().len(), 9);
    w.refold(4);
    assert_eq!(w.rows().len(), 3);
    assert_eq!(w.reveal(5), Some(5));
}

#[test]
fn what_fits_is_open_and_errors_are_found() {
    let mut spans = vec![span(1, 0, 0, 1000)];
    for i in 0..30 {
        spans.push(span(100 + i, 1, i as i64 * 10, i as i64 * 10 + 9));
        for k in 0..4 {
            let id = 1000 + i * 10 + k;
            spans.push(SpanInput { error: id == 1153, ..span(id, 100 + i, i as i64 * 10, i as i64 * 10 + 5) });
        }
    }
    let mut w = waterfall(spans);
    w.collapse_to_fit(40);
    assert_eq!(w.rows().len(), 31 + 12 * 4, "the first level, and more along the critical path while there is room");
    let error = w.next_error(None).unwrap();
    assert_eq!(w.span(error).id, 1153);
    assert_eq!(w.next_error(Some(error)), Some(error));
    assert!(w.rows().iter().any(|r| r.span == error));
    assert_eq!(w.previous_error(None), Some(error));
    let found = w.search("OP-1153").unwrap();
    assert_eq!((found.count, w.next_found(&found, None)), (1, Some(error)));
    let by_id = w.search(&format!("{:016x}", 1153)).unwrap();
    assert_eq!((by_id.count, w.next_found(&by_id, None)), (1, Some(error)));
    assert_eq!(w.search("bank").unwrap().count, 0);
    assert_eq!(w.search(" "), None);
    w.collapse_from(0);
    assert_eq!((w.rows().len(), w.errors_in(0), w.errors()), (1, 1, 1));
}

#[test]
fn the_path_goes_to_the_last_to_finish() {
    check_path(vec![span(1, 0, 0, 100), span(2, 1, 10, 40), span(3, 1, 20, 90)], expect!["1:0-20 3:20-90 1:90-100"]);
    // Back to back, as clocks of a millisecond give them.
    check_path(vec![span(1, 0, 0, 100), span(2, 1, 0, 50), span(3, 1, 50, 100)], expect!["2:0-50 3:50-100"]);
    // A child that outlives its parent is clipped, not forgotten.
    check_path(vec![span(1, 0, 0, 100), span(2, 1, 60, 180)], expect!["1:0-60 2:60-100"]);
    // One that starts after its parent ended blocked nothing.
    check_path(vec![span(1, 0, 0, 100), span(2, 1, 120, 180)], expect!["1:0-100"]);
}

#[test]
fn overlaps_within_the_clocks_allowance_are_sequences() {
    let overlapping = |by: i64| vec![span(1, 0, 0, 1000), span(2, 1, 0, 500 + by), span(3, 1, 500, 1000)];
    check_path(overlapping(8), expect!["2:0-500 3:500-1000"]);
    check_path(overlapping(100), expect!["1:0-500 3:500-1000"]);
}

#[test]
fn messages_do_not_block_and_client_time_is_told_apart() {
    let kind = |kind, s| SpanInput { kind, ..s };
    let w = waterfall(vec![
        kind(SpanKind::Client, span(1, 0, 0, 100)),
        kind(SpanKind::Server, span(2, 1, 20, 80)),
        kind(SpanKind::Client, span(3, 2, 30, 50)),
        kind(SpanKind::Producer, span(4, 2, 60, 80)),
        kind(SpanKind::Consumer, span(5, 4, 65, 75)),
    ]);
    let mut path = w.critical_path().to_vec();
    path.sort_by_key(|s| s.from);
    let kinds: Vec<_> = path.iter().map(|s| (w.span(s.span).id, s.kind)).collect();
    use TimeKind::*;
    assert_eq!(kinds, [(1, Network), (2, Own), (3, Downstream), (2, Own), (4, Own), (1, Network)]);
}

#[test]
fn a_hundred_thousand_spans_stay_quick() {
    let spans: Vec<SpanInput> = (0..100_000u64)
        .map(|i| SpanInput {
            name: (i % 50) as u32,
            ..span(i + 1, if i == 0 { 0 } else { i / 3 + 1 }, i as i64 / 10, i as i64 / 8 + 40)
        })
        .collect();
    let spans: Vec<SpanInput> =
        spans.iter().map(|s| SpanInput { parent: if s.parent == s.id { 0 } else { s.parent }, ..*s }).collect();
    let started = std::time::Instant::now();
    let mut w = waterfall(spans);
    println!("build {:?}", started.elapsed());
    let started = std::time::Instant::now();
    w.toggle(5);
    println!("toggle {:?}", started.elapsed());
    let started = std::time::Instant::now();
    w.collapse_to_fit(400);
    println!("fit {:?}, {} rows", started.elapsed(), w.rows().len());
    w.expand_all();
    assert_eq!(w.rows().len(), 100_000);
    let started = std::time::Instant::now();
    let map = Minimap::new(&w, 1200.0, 60.0);
    println!("minimap {:?}", started.elapsed());
    let mut svg = SvgSurface::new(1200.0, 800.0);
    let view = View { scroll: 50_000.0 * ROW_HEIGHT, ..View::whole(&w, svg.size()) };
    let started = std::time::Instant::now();
    draw_waterfall(&mut svg, &w, &view, &Style { critical_path: true, ..Style::default() });
    println!("draw {:?}", started.elapsed());
    draw_minimap(&mut svg, &map, &w, &view);
    let (first, end) = view.visible_rows(&w);
    assert_eq!((first, end - first), (50_000, 37));
}

#[test]
fn points_find_rows_and_their_parts() {
    let w = waterfall(vec![span(1, 0, 0, 100), span(2, 1, 10, 40)]);
    let view = View::whole(&w, (800.0, 200.0));
    let at = |x, y| view.hit(&w, (x, y)).map(|h| (h.row, h.part));
    assert_eq!(at(10.0, 5.0), None);
    assert_eq!(at(12.0, RULER_HEIGHT + 3.0), Some((0, Part::Toggle)));
    assert_eq!(at(100.0, RULER_HEIGHT + 30.0), Some((1, Part::Name)));
    assert_eq!(at(500.0, RULER_HEIGHT + 30.0), Some((1, Part::Bar)));
    assert_eq!(at(500.0, RULER_HEIGHT + 60.0), None);
    let zoomed = view.zoom_at(&w, view.x(50 * MS), 4.0);
    assert_eq!(zoomed.to - zoomed.from, 25 * MS);
    assert!((zoomed.x(50 * MS) - view.x(50 * MS)).abs() < 0.01);
    assert_eq!(zoomed.zoom_at(&w, 0.0, 1e-9).from, 0);
    assert_eq!(zoomed.pan(&w, 1e9).from, 0);
}

#[test]
fn a_waterfall_in_svg() {
    let kind = |kind, service, s| SpanInput { kind, service, ..s };
    let w = waterfall(vec![
        kind(SpanKind::Client, 0, span(1, 0, 0, 100)),
        SpanInput { error: true, ..kind(SpanKind::Server, 1, span(2, 1, 20, 80)) },
    ]);
    let mut svg = SvgSurface::new(700.0, 72.0);
    let style = Style {
        services: vec![Token::Series1.into(), Token::Series2.into()],
        selected: Some(1),
        critical_path: true,
        ..Style::default()
    };
    let view = View::whole(&w, svg.size());
    draw_waterfall(&mut svg, &w, &view, &style);
    expect![[r#"
        <svg xmlns="http://www.w3.org/2000/svg" width="700" height="72" viewBox="0 0 700 72" role="img" class="chart" font-family="var(--font-ui,Pretendard Variable,Pretendard,Inter,system-ui,sans-serif)" font-variant-numeric="tabular-nums" stroke-linejoin="round">
        <title>trace</title>
        <path d="M238.5 26L238.5 72" fill="none" stroke="var(--line-1)" stroke-width="1"/>
        <path d="M437.5 26L437.5 72" fill="none" stroke="var(--line-1)" stroke-width="1"/>
        <path d="M636.5 26L636.5 72" fill="none" stroke="var(--line-1)" stroke-width="1"/>
        <svg x="0" y="26" width="700" height="46" viewBox="0 26 700 46">
        <path d="M7 31L17 31L17 43L7 43Z" fill="var(--bg-1)" fill-opacity="0.90"/>
        <path d="M8.5 35L12 39L15.5 35" fill="none" stroke="var(--text-3)" stroke-width="1.5"/>
        <path d="M22 31L25 31L25 43L22 43Z" fill="var(--series-1)"/>
        <text x="30" y="41.3" font-size="12" font-weight="600" fill="var(--text-1)">shop</text>
        <text x="66.5" y="41.3" font-size="12" font-weight="400" fill="var(--text-2)">op-1</text>
        <svg x="231" y="26" width="469" height="22" viewBox="231 26 469 22">
        <path d="M240 31L634 31C635.1 31 636 31.9 636 33L636 39C636 40.1 635.1 41 634 41L240 41C238.9 41 238 40.1 238 39L238 33C238 31.9 238.9 31 240 31Z" fill="var(--series-1)"/>
        <path d="M238 43.5L317.6 43.5" fill="none" stroke="var(--text-1)" stroke-width="2" stroke-dasharray="3 3"/>
        <path d="M556.4 43.5L636 43.5" fill="none" stroke="var(--text-1)" stroke-width="2" stroke-dasharray="3 3"/>
        <text x="642" y="40" font-size="11" font-weight="500" fill="var(--text-2)">100 ms</text>
        </svg>
        <path d="M0 48L700 48L700 70L0 70Z" fill="var(--accent-bg)"/>
        <path d="M12.5 48L12.5 70" fill="none" stroke="var(--line-1)" stroke-width="1"/>
        <path d="M36 53L39 53L39 65L36 65Z" fill="var(--series-2)"/>
        <path d="M220 54.4L224.6 59L220 63.6L215.4 59Z" fill="var(--bg-1)"/>
        <path d="M220 54.4L224.6 59L220 63.6L215.4 59Z" fill="var(--err)"/>
        <text x="44" y="63.3" font-size="12" font-weight="600" fill="var(--text-1)">bank</text>
        <text x="80.5" y="63.3" font-size="12" font-weight="400" fill="var(--text-2)">op-2</text>
        <svg x="231" y="48" width="469" height="22" viewBox="231 48 469 22">
        <path d="M238 58.5L317.6 58.5" fill="none" stroke="var(--line-i)" stroke-width="1" stroke-dasharray="1 3"/>
        <path d="M238 55.5L238 61.5" fill="none" stroke="var(--line-i)" stroke-width="1"/>
        <path d="M556.4 58.5L636 58.5" fill="none" stroke="var(--line-i)" stroke-width="1" stroke-dasharray="1 3"/>
        <path d="M636 55.5L636 61.5" fill="none" stroke="var(--line-i)" stroke-width="1"/>
        <path d="M319.6 53L554.4 53C555.5 53 556.4 53.9 556.4 55L556.4 61C556.4 62.1 555.5 63 554.4 63L319.6 63C318.5 63 317.6 62.1 317.6 61L317.6 55C317.6 53.9 318.5 53 319.6 53Z" fill="var(--series-2)"/>
        <path d="M556.4 53.4L561 58L556.4 62.6L551.8 58Z" fill="var(--bg-1)"/>
        <path d="M556.4 53.4L561 58L556.4 62.6L551.8 58Z" fill="var(--err)"/>
        <path d="M317.6 65.5L556.4 65.5" fill="none" stroke="var(--text-1)" stroke-width="2"/>
        <text x="566.4" y="62" font-size="11" font-weight="500" fill="var(--text-2)">60 ms</text>
        </svg>
        <path d="M230.5 26L230.5 72" fill="none" stroke="var(--line-2)" stroke-width="1"/>
        </svg>
        <path d="M0 0L700 0L700 26L0 26Z" fill="var(--bg-1)"/>
        <path d="M0 25.5L700 25.5" fill="none" stroke="var(--line-2)" stroke-width="1"/>
        <path d="M238.5 20.5L238.5 25.5" fill="none" stroke="var(--line-2)" stroke-width="1"/>
        <text x="242" y="16" font-size="11" font-weight="500" fill="var(--text-3)">0</text>
        <path d="M437.5 20.5L437.5 25.5" fill="none" stroke="var(--line-2)" stroke-width="1"/>
        <text x="441" y="16" font-size="11" font-weight="500" fill="var(--text-3)">50 ms</text>
        <path d="M636.5 20.5L636.5 25.5" fill="none" stroke="var(--line-2)" stroke-width="1"/>
        <text x="640" y="16" font-size="11" font-weight="500" fill="var(--text-3)">100 ms</text>
        </svg>
    "#]].assert_eq(&svg.finish("trace", ""));
}

#[test]
fn a_flame_graph_adds_up_what_is_alike() {
    let named = |name, s| SpanInput { name, ..s };
    let w = waterfall(vec![
        span(1, 0, 0, 100),
        named(2, span(2, 1, 10, 30)),
        named(2, span(3, 1, 20, 50)),
        named(3, span(4, 3, 25, 35)),
    ]);
    let flame = flame::Flame::new(&w);
    let told: Vec<_> = flame
        .blocks()
        .iter()
        .zip(0..)
        .map(|(b, at)| {
            (w.name(b.span), flame.placed().depth(at), b.count, b.self_nanos / MS, flame.placed().total(at) / MS)
        })
        .collect();
    // The two calls overlap: together they took 50 ms, of which 10 in what they called.
    assert_eq!(told, [("op-1", 0, 1, 60, 110), ("op-2", 1, 2, 40, 50), ("op-3", 2, 1, 10, 10)]);
    let view = crate::flame::FlameView { size: (1100.0, 60.0), ..Default::default() };
    let at = |x, y| view.hit(flame.placed(), (x, y)).map(|b| w.name(flame.blocks()[b as usize].span));
    assert_eq!(
        [at(1.0, 1.0), at(499.0, 21.0), at(501.0, 21.0), at(99.0, 41.0)],
        [Some("op-1"), Some("op-2"), None, Some("op-3")]
    );
    let focused = crate::flame::FlameView { focus: Some(2), ..view };
    assert_eq!(focused.hit(flame.placed(), (1099.0, 41.0)), Some(2));
}

fn any_spans() -> impl Strategy<Value = Vec<SpanInput>> {
    let kind = prop::sample::select(vec![
        SpanKind::Internal,
        SpanKind::Server,
        SpanKind::Client,
        SpanKind::Producer,
        SpanKind::Consumer,
    ]);
    let one = (0u64..40, 0u64..40, 0i64..200, 0i64..200, any::<bool>(), kind, 0u32..3);
    prop::collection::vec(one, 0..60).prop_map(|spans| {
        let spans = spans.into_iter().map(|(id, parent, start, length, error, kind, name)| SpanInput {
            kind,
            error,
            name,
            ..span(id, parent, start, start + length)
        });
        spans.collect()
    })
}

#[test]
fn what_is_odd_is_told() {
    let kind = |kind, s| SpanInput { kind, ..s };
    let w = waterfall(vec![
        span(1, 0, 0, 100),
        span(2, 1, 150, 160),
        kind(SpanKind::Consumer, span(3, 1, 150, 160)),
        span(4, 99, 20, 30),
        kind(SpanKind::Client, span(5, 1, 10, 90)),
        SpanInput { service: 1, ..kind(SpanKind::Server, span(6, 5, 0, 50)) },
    ]);
    let odd: Vec<u64> = (0..6).filter(|span| w.is_odd(*span)).map(|at| w.span(at).id).collect();
    assert_eq!(odd, [2, 4, 6]);
    assert_eq!((w.late_by(1), w.late_by(2), w.skew(5)), (Some(50 * MS), None, Some(-10 * MS)));
    assert_eq!(w.oddities(), Oddities { orphans: 1, late: 1, skewed: 1 });
}

#[test]
fn logs_stand_below_the_spans_that_wrote_them() {
    let mut spans = vec![SpanInput { error: true, ..span(1, 0, 0, 100) }, span(2, 1, 10, 40), span(3, 2, 20, 30)];
    spans.extend((0..6).map(|i| SpanInput { name: 0, ..span(10 + i, 1, 50 + i as i64, 60) }));
    let mut w = waterfall(spans);
    let line = |span, time: i64, text: &str| LogLine { span, time: time * MS, text: text.into(), ..LogLine::default() };
    w.set_logs(vec![
        line(Some(1), 30, "second"),
        line(Some(1), 20, "first"),
        line(None, 5, "of none"),
        line(Some(5), 55, "folded away"),
        line(Some(99), 6, "of a span that is not here"),
    ]);
    let shown: Vec<String> = w
        .rows()
        .iter()
        .map(|row| match row.log {
            Some(log) => format!("{}{}", "  ".repeat(row.depth as usize), w.logs()[log as usize].text),
            None => format!("{}{}", "  ".repeat(row.depth as usize), w.span(row.span).id),
        })
        .collect();
    let expected =
        ["1", "  of none", "  of a span that is not here", "  2", "    first", "    second", "    3", "  10"];
    assert_eq!(shown, expected);
    assert_eq!((w.row_of(0), w.row_of(1), w.row_of(2)), (Some(0), Some(3), Some(6)), "the span, not its log");
    assert_eq!((w.errors_in(0), w.errors_in(3)), (1, 0));
    assert!(!w.has_toggle(&w.rows()[1]));
    w.toggle(1);
    assert_eq!(w.rows().len(), 8, "a log record has nothing to open");
    w.toggle(3);
    assert_eq!(w.rows().len(), 7, "logs of a closed span stay, its children go");
    let mut svg = SvgSurface::new(600.0, 300.0);
    draw_waterfall(&mut svg, &w, &View::whole(&w, (600.0, 300.0)), &Style::default());
    let drawn = svg.finish("", "");
    assert!(drawn.contains("first") && drawn.contains("of none"), "{drawn}");
    w.set_logs(Vec::new());
    assert_eq!(w.rows().len(), 3);
}

proptest! {
    #[test]
    fn every_span_has_one_place(spans in any_spans()) {
        let given = spans.clone();
        let mut w = waterfall(spans);
        let mut order = w.tree_order().to_vec();
        order.sort_unstable();
        prop_assert_eq!(order, (0..w.len() as u32).collect::<Vec<_>>());
        let shown: u32 = w.rows().iter().map(|r| r.folded.max(1)).sum();
        prop_assert!(shown as usize <= w.len());
        for span in 0..w.len() as u32 {
            prop_assert_eq!(w.span(span), &given[span as usize], "spans are never changed");
            prop_assert!(w.row_of(span).is_some());
        }
        for span in 0..w.len() as u32 {
            let row = w.reveal(span).unwrap();
            prop_assert_eq!(w.rows()[row], Row { span, depth: w.rows()[row].depth, folded: 0, log: None });
        }
        w.collapse_from(0);
        w.expand_all();
        prop_assert_eq!(w.rows().len(), w.len());
    }

    #[test]
    fn the_path_is_disjoint_and_as_long_as_its_root(spans in any_spans()) {
        let w = waterfall(spans);
        let mut by_root = std::collections::HashMap::<u32, Vec<PathSegment>>::new();
        for segment in w.critical_path() {
            let mut root = segment.span;
            while let Some(parent) = w.parent(root) {
                root = parent;
            }
            by_root.entry(root).or_default().push(*segment);
        }
        for root in (0..w.len() as u32).filter(|s| w.parent(*s).is_none()) {
            let mut path = by_root.remove(&root).unwrap_or_default();
            path.sort_by_key(|s| s.from);
            prop_assert!(path.windows(2).all(|p| p[0].to == p[1].from));
            prop_assert_eq!(path.iter().map(|s| s.to - s.from).sum::<i64>(), w.span(root).duration);
        }
    }

    #[test]
    fn what_fits_is_told_without_all_rows(spans in any_spans(), most in 1..40_usize) {
        let mut w = waterfall(spans.clone());
        let deepest = w.rows().iter().map(|row| row.depth).max().unwrap_or(0);
        let fits = |level: &u32| w.rows().iter().filter(|row| row.depth <= *level).count() <= most;
        let fitting = (0..=deepest).take_while(fits).count() as u32;
        prop_assert_eq!(w.levels_within(most), (!fits(&deepest)).then_some(fitting));
        w.collapse_to_fit(most);
        let parents = tree::parents(&spans);
        let fitted = Waterfall::fitted(spans, parents, w.names.clone(), w.services.clone(), most);
        prop_assert_eq!(w.rows(), fitted.rows());
    }

    #[test]
    fn any_trace_draws(spans in any_spans(), width in 0.0..900.0f64, scroll in 0.0..500.0f64) {
        let mut w = waterfall(spans);
        w.collapse_to_fit(10);
        let mut svg = SvgSurface::new(width, 300.0);
        let view = View { scroll, ..View::whole(&w, svg.size()) };
        draw_waterfall(&mut svg, &w, &view, &Style { critical_path: true, ..Style::default() });
        draw_minimap(&mut svg, &Minimap::new(&w, width, 40.0), &w, &view);
        let flame = flame::Flame::new(&w);
        let view = crate::flame::FlameView { scroll: scroll / 10.0, size: (width, 300.0), focus: None };
        flame::draw_flame(&mut svg, &w, &flame, &view, (&[], Some(0), None));
        prop_assert!(flame.blocks().iter().map(|b| b.count as usize).sum::<usize>() == w.len());
        prop_assert!(!svg.finish("", "").contains("NaN"));
    }
}
