use super::*;
use crate::{
    svg::SvgSurface,
    topology::{EdgeSpec, Graph, NodeSpec, layout},
};
use expect_test::expect;

pub(super) fn shop() -> (Layout, Vec<NodeView>, Vec<EdgeView>) {
    let named = [
        ("web", Kind::Client, Status::Ok),
        ("checkout", Kind::Service, Status::Err),
        ("db", Kind::Database, Status::Unknown),
    ];
    let nodes = named.iter().map(|(id, kind, _)| NodeSpec {
        id: (*id).into(),
        kind: *kind,
        width: NODE_WIDTH,
        height: NODE_HEIGHT,
    });
    let graph = Graph { nodes: nodes.collect(), edges: vec![EdgeSpec { from: 0, to: 1 }, EdgeSpec { from: 1, to: 2 }] };
    let flow = Flow { rate: 20.0, error_ratio: 0.1, p95_nanos: Some(41e6), ..Flow::default() };
    let views = named.iter().map(|(id, kind, status)| NodeView {
        label: (*id).into(),
        kind: *kind,
        status: *status,
        flow: (*status != Status::Unknown).then_some(flow),
        ..NodeView::default()
    });
    let edges = vec![
        EdgeView { flow, ..EdgeView::default() },
        EdgeView { flow: Flow { rate: 1.0, ..Flow::default() }, is_async: true, mark: None },
    ];
    (layout(&graph, None), views.collect(), edges)
}

#[test]
fn a_map_in_svg() {
    let (layout, nodes, edges) = shop();
    let map = Map { layout: &layout, nodes: &nodes, edges: &edges };
    let mut svg = SvgSurface::new(800.0, 90.0);
    let v = Viewport::fit(&layout, svg.size(), 16.0);
    draw_map(&mut svg, &map, &v, &Focus::default());
    expect![[r#"
        <svg xmlns="http://www.w3.org/2000/svg" width="800" height="90" viewBox="0 0 800 90" role="img" class="chart" font-family="var(--font-ui,Pretendard Variable,Pretendard,Inter,system-ui,sans-serif)" font-variant-numeric="tabular-nums" stroke-linejoin="round">
        <title>map</title>
        <path d="M487.4 45L487.4 45C533.4 45 533.4 45 572.3 45" fill="none" stroke="var(--errors-0)" stroke-width="1.6" stroke-dasharray="6 3"/>
        <path d="M579.4 45L572.3 48.6L572.3 41.4Z" fill="var(--errors-0)"/>
        <path d="M220.6 45L220.6 45C266.6 45 266.6 45 303.3 45" fill="none" stroke="var(--errors-4)" stroke-width="3.3"/>
        <path d="M312.6 45L303.3 50L303.3 40Z" fill="var(--errors-4)"/>
        <path d="M71.1 19.7L195.3 19.7C209.3 19.7 220.6 31 220.6 45L220.6 45C220.6 59 209.3 70.3 195.3 70.3L71.1 70.3C57.1 70.3 45.8 59 45.8 45L45.8 45C45.8 31 57.1 19.7 71.1 19.7Z" fill="var(--bg-0)"/>
        <path d="M71.1 19.7L195.3 19.7C209.3 19.7 220.6 31 220.6 45L220.6 45C220.6 59 209.3 70.3 195.3 70.3L71.1 70.3C57.1 70.3 45.8 59 45.8 45L45.8 45C45.8 31 57.1 19.7 71.1 19.7Z" fill="var(--bg-1)"/>
        <path d="M71.1 19.7L195.3 19.7C209.3 19.7 220.6 31 220.6 45L220.6 45C220.6 59 209.3 70.3 195.3 70.3L71.1 70.3C57.1 70.3 45.8 59 45.8 45L45.8 45C45.8 31 57.1 19.7 71.1 19.7Z" fill="none" stroke="var(--line-2)" stroke-width="1"/>
        <path d="M61.2 38.5L74.1 38.5C75.1 38.5 75.8 39.3 75.8 40.3L75.8 47.2C75.8 48.1 75.1 48.9 74.1 48.9L61.2 48.9C60.2 48.9 59.5 48.1 59.5 47.2L59.5 40.3C59.5 39.3 60.2 38.5 61.2 38.5Z" fill="none" stroke="var(--text-2)" stroke-width="1.5"/>
        <path d="M63.8 52.3L71.5 52.3" fill="none" stroke="var(--text-2)" stroke-width="1.5"/>
        <path d="M67.7 48.9L67.7 52.3" fill="none" stroke="var(--text-2)" stroke-width="1.5"/>
        <path d="M203.1 36.4C203.1 38.5 201.4 40.2 199.3 40.2C197.2 40.2 195.5 38.5 195.5 36.4C195.5 34.3 197.2 32.6 199.3 32.6C201.4 32.6 203.1 34.3 203.1 36.4Z" fill="var(--ok)"/>
        <text x="84.9" y="41.4" font-size="13.9" font-weight="600" fill="var(--text-1)">web</text>
        <text x="84.9" y="58.9" font-size="11.6" font-weight="500" fill="var(--text-2)">20 /s</text>
        <text x="124.4" y="58.9" font-size="11.6" font-weight="500" fill="var(--ok)">10 %</text>
        <text x="163.9" y="58.9" font-size="11.6" font-weight="500" fill="var(--text-2)">41 ms</text>
        <path d="M319.5 19.7L480.5 19.7C484.3 19.7 487.4 22.8 487.4 26.6L487.4 63.4C487.4 67.2 484.3 70.3 480.5 70.3L319.5 70.3C315.7 70.3 312.6 67.2 312.6 63.4L312.6 26.6C312.6 22.8 315.7 19.7 319.5 19.7Z" fill="var(--bg-0)"/>
        <path d="M319.5 19.7L480.5 19.7C484.3 19.7 487.4 22.8 487.4 26.6L487.4 63.4C487.4 67.2 484.3 70.3 480.5 70.3L319.5 70.3C315.7 70.3 312.6 67.2 312.6 63.4L312.6 26.6C312.6 22.8 315.7 19.7 319.5 19.7Z" fill="var(--bg-1)"/>
        <path d="M319.5 19.7L480.5 19.7C484.3 19.7 487.4 22.8 487.4 26.6L487.4 63.4C487.4 67.2 484.3 70.3 480.5 70.3L319.5 70.3C315.7 70.3 312.6 67.2 312.6 63.4L312.6 26.6C312.6 22.8 315.7 19.7 319.5 19.7Z" fill="var(--err)" fill-opacity="0.10"/>
        <path d="M319.5 19.7L480.5 19.7C484.3 19.7 487.4 22.8 487.4 26.6L487.4 63.4C487.4 67.2 484.3 70.3 480.5 70.3L319.5 70.3C315.7 70.3 312.6 67.2 312.6 63.4L312.6 26.6C312.6 22.8 315.7 19.7 319.5 19.7Z" fill="none" stroke="var(--err)" stroke-width="1.3"/>
        <path d="M331 36.5L338.4 40.8L338.4 49.2L331 53.5L323.6 49.2L323.6 40.8Z" fill="none" stroke="var(--text-2)" stroke-width="1.5"/>
        <path d="M323.6 40.8L331 45L338.4 40.8" fill="none" stroke="var(--text-2)" stroke-width="1.5"/>
        <path d="M331 45L331 53.5" fill="none" stroke="var(--text-2)" stroke-width="1.5"/>
        <path d="M474.2 31.1L479.4 36.4L474.2 41.6L468.9 36.4Z" fill="var(--err)"/>
        <text x="348.2" y="41.4" font-size="13.9" font-weight="600" fill="var(--text-1)">checkout</text>
        <text x="348.2" y="58.9" font-size="11.6" font-weight="500" fill="var(--text-2)">20 /s</text>
        <text x="391.6" y="58.9" font-size="11.6" font-weight="500" fill="var(--err)">10 %</text>
        <text x="434.9" y="58.9" font-size="11.6" font-weight="500" fill="var(--text-2)">41 ms</text>
        <path d="M579.4 24.9C589.9 18 743.7 18 754.2 24.9L754.2 65.1C743.7 72 589.9 72 579.4 65.1Z" fill="var(--bg-0)"/>
        <path d="M579.4 24.9C589.9 18 743.7 18 754.2 24.9L754.2 65.1C743.7 72 589.9 72 579.4 65.1Z" fill="var(--bg-1)"/>
        <path d="M579.4 24.9C589.9 18 743.7 18 754.2 24.9L754.2 65.1C743.7 72 589.9 72 579.4 65.1Z" fill="none" stroke="var(--line-2)" stroke-width="1"/>
        <path d="M579.4 24.9C589.9 31.8 743.7 31.8 754.2 24.9" fill="none" stroke="var(--line-2)" stroke-width="1" stroke-opacity="0.80"/>
        <path d="M604.5 39.7C604.5 41.2 601.5 42.4 597.8 42.4C594.1 42.4 591.1 41.2 591.1 39.7C591.1 38.1 594.1 36.9 597.8 36.9C601.5 36.9 604.5 38.1 604.5 39.7Z" fill="none" stroke="var(--text-2)" stroke-width="1.5"/>
        <path d="M591.1 45.2C591.8 48.8 603.8 48.8 604.5 45.2" fill="none" stroke="var(--text-2)" stroke-width="1.5"/>
        <path d="M591.1 50.7C591.8 54.3 603.8 54.3 604.5 50.7" fill="none" stroke="var(--text-2)" stroke-width="1.5"/>
        <path d="M591.1 39.7L591.1 50.7" fill="none" stroke="var(--text-2)" stroke-width="1.5"/>
        <path d="M604.5 39.7L604.5 50.7" fill="none" stroke="var(--text-2)" stroke-width="1.5"/>
        <path d="M744.5 39.8C744.5 41.8 742.9 43.3 741 43.3C739 43.3 737.4 41.8 737.4 39.8C737.4 37.9 739 36.3 741 36.3C742.9 36.3 744.5 37.9 744.5 39.8Z" fill="none" stroke="var(--unknown)" stroke-width="1.8"/>
        <text x="615.1" y="44.8" font-size="13.9" font-weight="600" fill="var(--text-1)">db</text>
        <text x="615.1" y="61.8" font-size="11.6" font-weight="500" fill="var(--text-3)">no data</text>
        <path d="M252.9 37.1L280.3 37.1C282 37.1 283.3 38.4 283.3 40.1L283.3 49.9C283.3 51.6 282 52.9 280.3 52.9L252.9 52.9C251.2 52.9 249.9 51.6 249.9 49.9L249.9 40.1C249.9 38.4 251.2 37.1 252.9 37.1Z" fill="var(--bg-0)" fill-opacity="0.86"/>
        <text x="266.6" y="49" text-anchor="middle" font-size="11" font-weight="500" fill="var(--err)">10 %</text>
        <path d="M522.7 37.1L544.1 37.1C545.7 37.1 547.1 38.4 547.1 40.1L547.1 49.9C547.1 51.6 545.7 52.9 544.1 52.9L522.7 52.9C521.1 52.9 519.7 51.6 519.7 49.9L519.7 40.1C519.7 38.4 521.1 37.1 522.7 37.1Z" fill="var(--bg-0)" fill-opacity="0.86"/>
        <text x="533.4" y="49" text-anchor="middle" font-size="11" font-weight="500" fill="var(--text-2)">1 /s</text>
        </svg>
    "#]].assert_eq(&svg.finish("map", ""));
}

#[test]
fn points_find_nodes_then_edges() {
    let (layout, ..) = shop();
    let v = Viewport::fit(&layout, (800.0, 400.0), 20.0);
    assert_eq!(v.hit(&layout, v.to_screen(layout.nodes[1].center())), Some(Hit::Node(1)));
    let on_edge = layout.edges[1].at(30.0).0;
    assert_eq!(v.hit(&layout, v.to_screen(on_edge)), Some(Hit::Edge(1)));
    assert_eq!(v.hit(&layout, (5.0, 5.0)), None);
    // A node drawn 2 px high still takes a finger.
    let far = Viewport { zoom: 0.08, ..v };
    let (x, y) = far.to_screen(layout.nodes[0].center());
    assert_eq!(far.hit(&layout, (x, y + 11.0)), Some(Hit::Node(0)));
}

#[test]
fn a_map_that_fills_the_screen_leaves_none_of_it_empty() {
    let (layout, ..) = shop();
    let (left, top, right, bottom) = layout.bounds;
    let (size, margin) = ((200.0, 1_000.0), 20.0);
    let near = Viewport { x: 0.0, y: 0.0, zoom: 0.75 };
    for node in &layout.nodes {
        let v = near.centered_on(node, size).within(&layout, size, margin);
        let ((x, y), (right, bottom)) = (v.to_screen((left, top)), v.to_screen((right, bottom)));
        assert!(x <= margin + 1e-9 && right >= size.0 - margin - 1e-9, "{}: {x} to {right}", node.id);
        assert!((y - (size.1 - bottom)).abs() < 1e-9, "less high than the screen, it stands in the middle");
    }
}

#[test]
fn zooming_keeps_the_point_under_the_pointer() {
    let v = Viewport { x: 10.0, y: -40.0, zoom: 0.7 };
    let p = (300.0, 200.0);
    let world = v.to_world(p);
    let after = v.zoom_at(p, 1.7).to_screen(world);
    assert!((after.0 - p.0).abs() < 1e-9 && (after.1 - p.1).abs() < 1e-9);
    assert_eq!(v.zoom_at(p, 1e9).zoom, Viewport::ZOOMS.1);
    let panned = v.pan(20.0, 5.0).to_screen(world);
    assert!((panned.0 - 320.0).abs() < 1e-9 && (panned.1 - 205.0).abs() < 1e-9);
}

#[test]
fn selection_fades_what_is_unrelated() {
    let (layout, nodes, edges) = shop();
    let map = Map { layout: &layout, nodes: &nodes, edges: &edges };
    let focus = Focus { selected: Some(Hit::Node(0)), ..Focus::default() };
    let strengths = map.strengths(&focus);
    assert_eq!((strengths.nodes, strengths.edges), (vec![1.0, 1.0, FADED], vec![1.0, FADED]));
}

#[test]
fn marks_say_what_changed_in_words_and_the_rest_fades() {
    let (layout, mut nodes, mut edges) = shop();
    nodes[1].mark = Some(Mark { tone: Tone::Failing, text: "↑ errors 10 %".into() });
    edges[1].mark = Some(Mark { tone: Tone::Gone, text: "− gone".into() });
    let map = Map { layout: &layout, nodes: &nodes, edges: &edges };
    let focus = Focus { marks_only: true, selected: Some(Hit::Node(2)), ..Focus::default() };
    let strengths = map.strengths(&focus);
    assert_eq!((strengths.nodes, strengths.edges), (vec![FADED, 1.0, 1.0], vec![FADED, 1.0]));
    let drawn = |zoom: f64| {
        let mut svg = SvgSurface::new(800.0, 400.0);
        draw_map(&mut svg, &map, &Viewport { zoom, ..Viewport::default() }, &focus);
        svg.finish("map", "")
    };
    let near = drawn(1.0);
    assert!(near.contains(">↑ errors 10 %<") && near.contains(">− gone<"), "{near}");
    assert!(near.contains("stroke-dasharray=\"1 3\""), "what is gone is dotted");
    let far = drawn(0.2);
    assert!(far.contains(">↑<") && far.contains(">checkout<") && !far.contains("10 %<"), "{far}");
}

#[test]
fn a_group_tells_how_many_it_stands_for() {
    let (layout, mut nodes, edges) = shop();
    nodes[1] = NodeView { kind: Kind::Group, members: 1_204, ..nodes[1].clone() };
    let map = Map { layout: &layout, nodes: &nodes, edges: &edges };
    let mut svg = SvgSurface::new(800.0, 400.0);
    draw_map(&mut svg, &map, &Viewport::default(), &Focus::default());
    let v = Viewport::default();
    let right = layout.nodes[1].x + layout.nodes[1].width;
    let at = |x: f64| v.to_screen((x, layout.nodes[1].center().1));
    assert_eq!(map.opener(Hit::Node(1), &v, at(right - 12.0)), Some(1), "a click on its plus opens it");
    assert_eq!(map.opener(Hit::Node(1), &v, at(right - 60.0)), None);
    assert_eq!(map.opener(Hit::Node(0), &v, at(right - 12.0)), None);
    let svg = svg.finish("map", "");
    assert!(svg.contains(">1,204<"), "{svg}");
}

/// Takes everything and keeps nothing, so that what a frame costs us is measured and not what a canvas does.
struct Nowhere;

impl Surface for Nowhere {
    fn size(&self) -> (f64, f64) {
        (1_200.0, 640.0)
    }
    fn begin(&mut self) {}
    fn move_to(&mut self, _: f64, _: f64) {}
    fn line_to(&mut self, _: f64, _: f64) {}
    fn curve_to(&mut self, _: f64, _: f64, _: f64, _: f64, _: f64, _: f64) {}
    fn close(&mut self) {}
    fn stroke(&mut self, _: &crate::surface::Stroke) {}
    fn fill(&mut self, _: crate::tokens::Ink) {}
    fn text(&mut self, _: &str, _: f64, _: f64, _: &crate::surface::TextStyle) {}
    fn measure(&self, text: &str, style: &crate::surface::TextStyle) -> f64 {
        text.len() as f64 * style.size * 0.5
    }
    fn push_clip(&mut self, _: f64, _: f64, _: f64, _: f64) {}
    fn pop_clip(&mut self) {}
}

/// What layout, a frame while panning and a hit cost at sizes people have.
#[test]
fn figures_of_big_maps() {
    for size in [20, 200, 1_000] {
        let graph = crate::topology::tests::synthetic(size);
        let clock = std::time::Instant::now();
        let map_layout = layout(&graph, None);
        let laid_out = clock.elapsed();
        let clock = std::time::Instant::now();
        assert_eq!(layout(&graph, Some(&map_layout)).nodes, map_layout.nodes);
        let again = clock.elapsed();
        let nodes: Vec<NodeView> = graph
            .nodes
            .iter()
            .map(|n| NodeView {
                label: n.id.clone(),
                kind: n.kind,
                status: Status::Ok,
                flow: Some(Flow { rate: 3.0, ..Flow::default() }),
                ..NodeView::default()
            })
            .collect();
        let edges =
            vec![EdgeView { flow: Flow { rate: 3.0, ..Flow::default() }, ..EdgeView::default() }; graph.edges.len()];
        let map = Map { layout: &map_layout, nodes: &nodes, edges: &edges };
        let focus = Focus { selected: Some(Hit::Node(size / 2)), ..Focus::default() };
        let fit = Viewport::fit(&map_layout, Nowhere.size(), 28.0);
        let clock = std::time::Instant::now();
        let frames = 50;
        for frame in 0..frames {
            draw_map(&mut Nowhere, &map, &fit.pan(f64::from(frame), 1.0), &focus);
        }
        let drawn = clock.elapsed() / frames;
        let clock = std::time::Instant::now();
        for at in 0..frames {
            fit.hit(&map_layout, (f64::from(at) * 20.0, 300.0));
        }
        println!(
            "{size} nodes, {} edges: layout {laid_out:?}, after a refresh {again:?}, frame {drawn:?}, hit {:?}",
            graph.edges.len(),
            clock.elapsed() / frames
        );
    }
}
