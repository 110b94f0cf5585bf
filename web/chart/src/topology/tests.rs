use super::*;
use proptest::prelude::*;

fn node(id: impl Into<String>, kind: Kind) -> NodeSpec {
    NodeSpec { id: id.into(), kind, width: 168.0, height: 46.0 }
}

fn graph(kinds: &[(&str, Kind)], edges: &[(usize, usize)]) -> Graph {
    Graph {
        nodes: kinds.iter().map(|(id, kind)| node(*id, *kind)).collect(),
        edges: edges.iter().map(|(from, to)| EdgeSpec { from: *from, to: *to }).collect(),
    }
}

/// Tiers with skips and a few cycles, from a fixed multiplicative sequence.
pub(crate) fn synthetic(n: usize) -> Graph {
    let mut state = 12_345u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let kind = |i: usize| {
        if i < n / 20 {
            Kind::Client
        } else if i > n * 3 / 4 {
            Kind::Database
        } else {
            Kind::Service
        }
    };
    let nodes = (0..n).map(|i| node(format!("n{i:04}"), kind(i))).collect();
    let mut edges = Vec::new();
    for to in 1..n {
        let from = (to / 3 + next(to / 4 + 1)).min(to - 1);
        edges.push(EdgeSpec { from, to });
    }
    for _ in 0..n / 2 {
        let from = next(n * 3 / 4);
        edges.push(EdgeSpec { from, to: (from + 1 + next(n / 3)).min(n - 1) });
    }
    for _ in 0..n / 40 {
        edges.push(EdgeSpec { from: n / 2 + next(n / 5), to: n / 10 + next(n / 5) });
    }
    Graph { nodes, edges }
}

fn check_apart(layout: &Layout) {
    for (i, a) in layout.nodes.iter().enumerate() {
        for b in &layout.nodes[..i] {
            assert!(!a.overlaps(b), "{a:?} overlaps {b:?}");
        }
    }
}

#[test]
fn callers_stand_left_and_stores_right() {
    use Kind::*;
    let g = graph(
        &[
            ("web", Client),
            ("gw", Gateway),
            ("orders", Service),
            ("db", Database),
            ("bus", Queue),
            ("mail", Service),
            ("cron", Job),
        ],
        &[(0, 1), (1, 2), (2, 3), (2, 4), (4, 5), (6, 5)],
    );
    let map = layout(&g, None);
    let x = |i: usize| map.nodes[i].x;
    assert!(x(0) < x(1) && x(1) < x(2) && x(2) < x(3) && x(2) < x(4) && x(4) < x(5));
    assert_eq!(map.nodes[6].layer, map.nodes[5].layer.map(|l| l - 1), "a job stands next to what it calls");
    check_apart(&map);
}

#[test]
fn cycles_selfcalls_and_strangers_are_drawn() {
    let g = graph(
        &[("a", Kind::Service), ("b", Kind::Service), ("c", Kind::Service), ("lone", Kind::Service)],
        &[(0, 1), (1, 2), (2, 0), (1, 1), (0, 99), (1, 0)],
    );
    let map = layout(&g, None);
    check_apart(&map);
    assert_eq!(map.nodes[3].layer, None);
    assert!(map.nodes[3].y > map.nodes[0].y + map.nodes[0].height);
    let drawn: Vec<bool> = map.edges.iter().map(|e| e.length() > 0.0).collect();
    assert_eq!(drawn, [true, true, true, true, false, true]);
    // A turned edge still runs from its caller to its callee.
    assert_eq!(map.edges[2].start.0, map.nodes[2].x);
    assert_eq!(map.edges[2].end().0, map.nodes[0].x + map.nodes[0].width);
}

#[test]
fn order_of_input_does_not_matter() {
    let g = synthetic(40);
    let n = g.nodes.len();
    let turned = Graph {
        nodes: g.nodes.iter().rev().cloned().collect(),
        edges: g.edges.iter().rev().map(|e| EdgeSpec { from: n - 1 - e.from, to: n - 1 - e.to }).collect(),
    };
    let (a, b) = (layout(&g, None), layout(&turned, None));
    for placed in &a.nodes {
        let other = &b.nodes[b.find(&placed.id).unwrap()];
        assert_eq!((placed.x, placed.y), (other.x, other.y), "{}", placed.id);
    }
}

#[test]
fn a_refresh_moves_nothing() {
    let g = synthetic(200);
    let first = layout(&g, None);
    let second = layout(&g, Some(&first));
    assert_eq!(first.nodes, second.nodes);
    assert_eq!(first.edges, second.edges);
}

#[test]
fn a_few_new_services_move_few_others_little() {
    let mut g = synthetic(200);
    let before = layout(&g, None);
    g.nodes.push(node("new-1", Kind::Service));
    g.nodes.push(node("new-2", Kind::Database));
    for (from, to) in [(30, 200), (200, 201), (55, 201), (90, 120)] {
        g.edges.push(EdgeSpec { from, to });
    }
    g.edges.remove(17);
    let after = layout(&g, Some(&before));
    check_apart(&after);
    let moved: Vec<f64> =
        before.nodes.iter().zip(&after.nodes).map(|(a, b)| (a.x - b.x).hypot(a.y - b.y)).filter(|d| *d > 0.5).collect();
    let mean = moved.iter().sum::<f64>() / 200.0;
    println!("moved {} of 200, mean over all {mean:.1} px", moved.len());
    assert!(moved.len() < 100 && mean < 40.0, "moved {} of 200, mean {mean:.1} px", moved.len());
}

#[test]
fn a_thousand_services_are_laid_out_apart() {
    let g = synthetic(1_000);
    let started = std::time::Instant::now();
    let map = layout(&g, None);
    println!("1000 nodes, {} edges: {:?}", g.edges.len(), started.elapsed());
    check_apart(&map);
}

#[test]
fn a_map_that_grew_call_by_call_is_not_much_worse_than_a_fresh_one() {
    for size in [30, 80] {
        let whole = synthetic(size);
        let mut grown: Option<Layout> = None;
        let mut leaps = 0;
        // Calls arrive in an order that has nothing to do with the map.
        let mut order: Vec<usize> = (0..whole.edges.len()).collect();
        order.sort_by_key(|i| i.wrapping_mul(2_654_435_761) % 1_000_003);
        let mut graph = Graph { nodes: whole.nodes.clone(), edges: Vec::new() };
        for i in order {
            graph.edges.push(whole.edges[i]);
            let next = layout(&graph, grown.as_ref());
            let moved = |a: &Placed, b: &Placed| (a.x - b.x).hypot(a.y - b.y) > 200.0;
            let far = grown.iter().flat_map(|g| g.nodes.iter().zip(&next.nodes)).filter(|(a, b)| moved(a, b)).count();
            leaps += usize::from(far > size / 3);
            grown = Some(next);
        }
        let length = |l: &Layout| l.edges.iter().map(Route::length).sum::<f64>();
        let (grown, fresh) = (length(&grown.unwrap_or_default()), length(&layout(&graph, None)));
        println!("{size} nodes: {leaps} leaps in {} steps, length {:.2} of fresh", graph.edges.len(), grown / fresh);
        assert!(grown < fresh * 1.5, "{grown} against {fresh}");
        assert!(leaps * 8 <= graph.edges.len(), "{leaps} leaps");
    }
}

#[test]
fn a_tween_starts_at_the_old_places_and_ends_at_the_new() {
    let mut g = synthetic(40);
    let old = layout(&g, None);
    g.edges.push(EdgeSpec { from: 1, to: 2 });
    let new = layout(&g, Some(&old));
    assert_eq!(new.tween(&old, 1.0).nodes, new.nodes);
    let start = new.tween(&old, 0.0);
    for (a, b) in start.nodes.iter().zip(&old.nodes) {
        assert!((a.x - b.x).abs() < 1e-9 && (a.y - b.y).abs() < 1e-9);
    }
}

#[test]
fn pinned_nodes_stay_and_what_is_beneath_gives_way() {
    let g = synthetic(80);
    let map = layout(&g, None);
    assert_eq!(map.pinned(&HashMap::new()), map);
    // On top of another node, and far outside.
    let (on, out) = ((map.nodes[30].x + 9.0, map.nodes[30].y + 7.0), (-900.0, 4_000.0));
    let pins = HashMap::from([(map.nodes[10].id.clone(), on), (map.nodes[11].id.clone(), out), ("gone".into(), on)]);
    let pinned = map.pinned(&pins);
    assert_eq!([10, 11].map(|n: usize| (pinned.nodes[n].x, pinned.nodes[n].y)), [on, out]);
    check_apart(&pinned);
    let moved = map.nodes.iter().zip(&pinned.nodes).filter(|(a, b)| a != b).count();
    assert!((3..8).contains(&moved), "{moved} moved");
    assert!(pinned.bounds.0 <= -900.0 && pinned.bounds.3 >= 4_000.0);
    for (route, ends) in pinned.edges.iter().zip(&pinned.ends).filter(|(_, ends)| ends.from == 11) {
        let node = &pinned.nodes[ends.from];
        let touches = [node.x, node.x + node.width].iter().any(|x| (route.start.0 - x).abs() < 1e-6);
        assert!(touches, "an edge of a pinned node begins elsewhere");
    }
    assert_eq!(layout(&g, Some(&map)).pinned(&pins), pinned, "a refresh keeps pins");
}

#[test]
fn arrow_keys_find_the_next_node() {
    let g = graph(&[("a", Kind::Client), ("b", Kind::Service), ("c", Kind::Service)], &[(0, 1), (0, 2)]);
    let map = layout(&g, None);
    assert_eq!(map.neighbour(1, (-1.0, 0.0)), Some(0));
    let (upper, lower) = if map.nodes[1].y < map.nodes[2].y { (1, 2) } else { (2, 1) };
    assert_eq!(map.neighbour(upper, (0.0, 1.0)), Some(lower));
    assert_eq!(map.neighbour(upper, (0.0, -1.0)), None);
}

fn any_graph() -> impl Strategy<Value = Graph> {
    (1usize..24).prop_flat_map(|n| {
        prop::collection::vec((0..n, 0..n), 0..50).prop_map(move |edges| Graph {
            nodes: (0..n)
                .map(|i| NodeSpec { height: 30.0 + (i % 4) as f64 * 14.0, ..node(format!("n{i}"), kind(i)) })
                .collect(),
            edges: edges.into_iter().map(|(from, to)| EdgeSpec { from, to }).collect(),
        })
    })
}

fn kind(i: usize) -> Kind {
    [Kind::Client, Kind::Service, Kind::Database, Kind::Queue, Kind::Gateway][i % 5]
}

proptest! {
    #[test]
    fn never_overlapping_always_flowing_and_repeatable(g in any_graph(), h in any_graph()) {
        let map = layout(&g, None);
        check_apart(&map);
        prop_assert_eq!(&map, &layout(&g, None));
        for (edge, route) in g.edges.iter().zip(&map.edges) {
            prop_assert!(route.length() > 0.0);
            if edge.from != edge.to {
                prop_assert!(map.nodes[edge.from].layer != map.nodes[edge.to].layer);
            }
        }
        // Any map may become any other.
        let next = layout(&h, Some(&map));
        check_apart(&next);
        prop_assert_eq!(&layout(&h, Some(&next)).nodes, &next.nodes);
    }
}
