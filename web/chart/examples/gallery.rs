//! Writes every picture of this crate to one HTML page per theme, to be looked at.
//!
//! `cargo run --release -p orrery-chart --example gallery -- /tmp/gallery`

use std::{fmt::Write as _, fs, path::Path};

use orrery_chart::{
    Annotation, ChartSpec, Histogram, Ink, Level, Plot, Series, Shape, Sparkline, SparklineShape, Surface, SvgSurface,
    Threshold, Token, Unit, ValueScale, draw_brush, draw_cursor,
    map::{
        EdgeView, Flow, Focus, Hit, Map, NODE_HEIGHT, NODE_WIDTH, NodeView, Status, Traffic, Viewport, draw_map,
        draw_traffic, kind_svg, status_svg,
    },
    tokens,
    topology::{EdgeSpec, Graph, Kind, Layout, NodeSpec, layout},
    waterfall::{Minimap, SpanInput, SpanKind, Style, View, Waterfall, draw_minimap, draw_waterfall},
};

const SECOND: i64 = 1_000_000_000;
/// 2026-11-20 14:00 UTC.
const START: i64 = 1_795_183_200 * SECOND;
const STEP: i64 = 10 * SECOND;

fn main() -> std::io::Result<()> {
    let out = std::env::args().nth(1).unwrap_or_else(|| "target/gallery".into());
    let out = Path::new(&out);
    fs::create_dir_all(out)?;
    for theme in ["dark", "light"] {
        fs::write(out.join(format!("charts-{theme}.html")), page(theme, &charts()))?;
        fs::write(out.join(format!("map-{theme}.html")), page(theme, &maps()))?;
        fs::write(out.join(format!("trace-{theme}.html")), page(theme, &traces()))?;
        fs::write(out.join(format!("large-{theme}.html")), page(theme, &large_maps()))?;
    }
    println!("{}", out.display());
    Ok(())
}

fn page(theme: &str, body: &str) -> String {
    format!(
        "<!doctype html><html data-theme={theme}><meta charset=utf-8><style>{}\
         body{{margin:16px;background:var(--bg-0);color:var(--text-1);font:13px/20px Pretendard,Inter,sans-serif}}\
         .g{{display:grid;grid-template-columns:1fr 1fr;gap:12px}}\
         .p{{background:var(--bg-1);border:1px solid var(--line-1);border-radius:6px;padding:10px 12px;overflow:hidden}}\
         h3{{font:600 13px/20px inherit;margin:0 0 6px}} .wide{{grid-column:1/3}}\
         .map{{background:var(--bg-0)}}</style><div class=g>{body}</div></html>",
        tokens::css()
    )
}

fn panel(title: &str, class: &str, svg: &str) -> String {
    format!("<div class='p {class}'><h3>{title}</h3>{svg}</div>")
}

/// A smooth made-up signal with some grain, the same on every run.
fn wave(i: i64, period: f64, phase: f64) -> f64 {
    let t = i as f64 / period + phase;
    let grain = ((i * 7919 + (phase * 100.0) as i64 * 104_729) % 101) as f64 / 101.0;
    0.5 + 0.3 * t.sin() + 0.12 * (t * 2.7).sin() + 0.12 * grain
}

fn points(n: i64, f: impl Fn(i64) -> Option<f64>) -> Vec<(i64, Option<f64>)> {
    (0..n).map(|i| (START + i * STEP, f(i))).collect()
}

fn base(title: &str, unit: Unit) -> ChartSpec {
    ChartSpec {
        title: title.into(),
        from: START,
        to: START + 180 * STEP,
        unit,
        step: Some(STEP),
        utc_offset_minutes: 540,
        ..ChartSpec::default()
    }
}

fn latency() -> ChartSpec {
    let fault = |i: i64| if (96..128).contains(&i) { 2.4 } else { 1.0 };
    let gap = |i: i64, v: f64| if (60..70).contains(&i) { None } else { Some(v) };
    ChartSpec {
        series: vec![
            Series::line("p99", 1, points(181, |i| gap(i, 318e6 * fault(i) * (0.7 + wave(i, 9.0, 0.3))))),
            Series::line("p95", 0, points(181, |i| gap(i, 140e6 * fault(i) * (0.7 + wave(i, 11.0, 0.9))))),
            Series::line("p50", 2, points(181, |i| gap(i, 41e6 * (0.7 + wave(i, 14.0, 2.0))))),
        ],
        thresholds: vec![Threshold { value: 600e6, label: "objective 600 ms".into(), ink: Token::Warn.into() }],
        annotations: vec![
            Annotation {
                at: START + 90 * STEP,
                until: None,
                label: "deploy payment 1.8.0".into(),
                ink: Token::Accent.into(),
            },
            Annotation {
                at: START + 96 * STEP,
                until: Some(START + 128 * STEP),
                label: String::new(),
                ink: Token::Err.into(),
            },
        ],
        end_labels: true,
        ..base("Latency", Unit::Nanos)
    }
}

fn charts() -> String {
    let (w, h) = (660.0, 200.0);
    let mut html = String::new();
    let latency = latency();
    html += &panel("Latency percentiles", "", &latency.to_svg(w, h));
    html += &panel("The same, logarithmic", "", &ChartSpec { scale: ValueScale::Log, ..latency.clone() }.to_svg(w, h));
    let requests = ChartSpec {
        series: vec![
            Series::line("errors", 0, points(180, |i| Some(if (96..128).contains(&i) { 90.0 } else { 0.4 })))
                .shape(Shape::Bars)
                .ink(Token::Err),
            Series::line("ok", 0, points(180, |i| Some(1_240.0 * (0.5 + wave(i, 16.0, 1.0))))).shape(Shape::Bars),
        ],
        ..base("Requests", Unit::Requests)
    };
    html += &panel("Requests and errors", "", &requests.to_svg(w, h));
    let memory = ChartSpec {
        series: vec![
            Series::line("rss", 2, points(181, |i| Some(3.1e9 * (0.6 + wave(i, 30.0, 0.0) * 0.5)))).shape(Shape::Area),
        ],
        ..base("Memory", Unit::Bytes)
    };
    html += &panel("Memory", "", &memory.to_svg(w, h));
    let many = ChartSpec {
        series: (0..9)
            .map(|k| {
                Series::line(
                    format!("series {}", k + 1),
                    k,
                    points(181, |i| Some(20.0 * (k as f64 * 0.6 + wave(i, 10.0 + k as f64, k as f64)))),
                )
            })
            .collect(),
        ..base("Many series", Unit::PerSecond)
    };
    html += &panel("Nine series: colours, then dashes, then other", "", &many.to_svg(w, h));
    html += &panel("Cursor and brush over the same plot", "", &with_overlay(&latency, w, h));
    html += &panel("Log records by level", "", &logs().spec().to_svg(w, 110.0));
    html += &panel(
        "Nothing but zeros, and nothing at all",
        "",
        &(ChartSpec {
            series: vec![Series::line("errors", 0, points(181, |_| Some(0.0)))],
            ..base("Errors", Unit::Ratio)
        }
        .to_svg(w / 2.0, 110.0)
            + &base("Empty", Unit::Requests).to_svg(w / 2.0 - 8.0, 110.0)),
    );
    let traces = |k: i64, failed: bool| {
        let value = move |i: i64| {
            (i % 5 == k)
                .then(|| 10f64.powf(6.5 + 2.2 * wave(i * 7 + k, 3.0, k as f64)) * if failed { 4.0 } else { 1.0 })
        };
        points(180, value)
    };
    let scatter = ChartSpec {
        series: vec![
            Series::line("ok", 0, [traces(0, false), traces(1, false), traces(2, false)].concat()).shape(Shape::Dots),
            Series::line("failed", 0, traces(3, true)).shape(Shape::Dots).ink(Token::Err),
        ],
        scale: ValueScale::Log,
        ..base("Traces by duration", Unit::Nanos)
    };
    html += &panel("Traces by duration", "", &scatter.to_svg(w, 160.0));
    html += &panel("Sparklines", "", &sparklines());
    html += &panel("Series, heat and error scales", "", &swatches());
    html
}

fn with_overlay(spec: &ChartSpec, w: f64, h: f64) -> String {
    let mut s = SvgSurface::new(w, h);
    let plot = Plot::new(spec, &s);
    plot.draw(spec, &mut s);
    draw_brush(&plot, START + 20 * STEP, START + 50 * STEP, &mut s);
    draw_cursor(&plot, spec, START + 110 * STEP, &mut s);
    s.finish("overlay", "")
}

fn logs() -> Histogram {
    let mut counts = Vec::new();
    for i in 0..90 {
        let at = START + i * 2 * STEP;
        counts.push((at, Level::Info, (400.0 * wave(i, 8.0, 0.2)) as u64));
        counts.push((at, Level::Debug, (120.0 * wave(i, 5.0, 1.2)) as u64));
        counts.push((at, Level::Warn, if i % 9 == 0 { 12 } else { 2 }));
        counts.push((at, Level::Error, if (48..64).contains(&i) { 60 } else { u64::from(i % 20 == 0) }));
    }
    Histogram {
        title: "Logs".into(),
        from: START,
        to: START + 180 * STEP,
        step: 2 * STEP,
        utc_offset_minutes: 540,
        counts,
    }
}

fn sparklines() -> String {
    let values: Vec<Option<f64>> = (0..40).map(|i| (i != 17).then(|| wave(i, 4.0, 0.5))).collect();
    let mut html = String::new();
    for (shape, ink) in [
        (SparklineShape::Area, Token::Series1),
        (SparklineShape::Line, Token::Series2),
        (SparklineShape::Bars, Token::Err),
    ] {
        let sparkline = Sparkline { shape, ink: ink.into(), ..Sparkline::new(values.clone()) };
        let _ = write!(html, "{} &nbsp; ", sparkline.to_svg(120.0, 28.0, ""));
    }
    html
}

fn swatches() -> String {
    let mut s = SvgSurface::new(640.0, 66.0);
    let rows: [Vec<Ink>; 3] = [
        (0..9).map(|i| Token::series(i).into()).collect(),
        (0..7).map(|i| Token::heat(i as f64 / 6.9).into()).collect(),
        [0.0, 0.0005, 0.005, 0.03, 0.5].map(|r| Token::errors(r).into()).to_vec(),
    ];
    for (y, row) in rows.iter().enumerate() {
        for (x, ink) in row.iter().enumerate() {
            use orrery_chart::Draw as _;
            s.fill_rect(x as f64 * 44.0, y as f64 * 22.0, 40.0, 18.0, *ink);
        }
    }
    s.finish("", "")
}

struct Shop {
    graph: Graph,
    layout: Layout,
    nodes: Vec<NodeView>,
    edges: Vec<EdgeView>,
}

impl Shop {
    fn map(&self) -> Map<'_> {
        Map { layout: &self.layout, nodes: &self.nodes, edges: &self.edges }
    }
}

fn shop() -> Shop {
    use Kind::*;
    let named: [(&str, Kind); 27] = [
        ("web", Client),
        ("mobile", Client),
        ("chatbot", Client),
        ("api-gateway", Gateway),
        ("auth", Auth),
        ("catalog", Service),
        ("cart", Service),
        ("orders", Service),
        ("payments", Service),
        ("inventory", Service),
        ("shipping", Service),
        ("notifications", Service),
        ("orders.events", Queue),
        ("auth-db", Database),
        ("catalog-db", Database),
        ("cart-cache", Database),
        ("orders-db", Database),
        ("payments-db", Database),
        ("inventory-db", Database),
        ("shipping-db", Database),
        ("api.bank-of-example.com", External),
        ("nightly-report", Job),
        ("assistant-model", Model),
        ("resize-image", Function),
        ("user", User),
        ("unknown", UnknownCaller),
        ("결제 정산 서비스-payment-settlement", Service),
    ];
    let edges = [
        (0, 3, 320.0, 0.004, 61e6),
        (1, 3, 210.0, 0.003, 72e6),
        (2, 3, 12.0, 0.0, 180e6),
        (3, 4, 540.0, 0.0, 3e6),
        (3, 5, 310.0, 0.0, 18e6),
        (3, 6, 96.0, 0.0, 11e6),
        (3, 7, 41.0, 0.061, 640e6),
        (7, 8, 40.0, 0.062, 590e6),
        (7, 9, 41.0, 0.0, 9e6),
        (7, 12, 38.0, 0.0, 2e6),
        (12, 10, 38.0, 0.0, 40e6),
        (12, 11, 38.0, 0.012, 25e6),
        (4, 13, 540.0, 0.0, 1e6),
        (5, 14, 620.0, 0.0, 4e6),
        (6, 15, 190.0, 0.0, 0.4e6),
        (7, 16, 82.0, 0.0, 3e6),
        (8, 17, 40.0, 0.0, 2e6),
        (9, 18, 80.0, 0.0, 2e6),
        (10, 19, 38.0, 0.0, 3e6),
        (8, 20, 40.0, 0.058, 480e6),
        (21, 16, 0.02, 0.0, 2.4e9),
        (2, 22, 12.0, 0.0, 1.8e9),
        (5, 23, 3.0, 0.0, 90e6),
        (24, 0, 9.0, 0.0, 100e6),
        (25, 5, 0.4, 0.0, 20e6),
        (6, 5, 60.0, 0.0005, 14e6),
        (26, 7, 1.0, 0.0, 14e6),
    ];
    let status = |name: &str| match name {
        "orders" | "payments" | "api.bank-of-example.com" => Status::Err,
        "notifications" => Status::Warn,
        "unknown" | "nightly-report" => Status::Unknown,
        _ => Status::Ok,
    };
    let graph = Graph {
        nodes: named.iter().map(|(id, kind)| spec(id, *kind)).collect(),
        edges: edges.iter().map(|e| EdgeSpec { from: e.0, to: e.1 }).collect(),
    };
    let nodes = named
        .iter()
        .enumerate()
        .map(|(i, (name, kind))| {
            let calls: Vec<_> = edges.iter().filter(|e| e.1 == i).collect();
            let rate: f64 = calls.iter().map(|e| e.2).sum();
            let flow = Flow {
                is_count: false,
                rate,
                error_ratio: calls.iter().map(|e| e.3).fold(0.0, f64::max),
                p95_nanos: calls.iter().map(|e| e.4).reduce(f64::max),
            };
            let status = status(name);
            NodeView {
                label: (*name).into(),
                kind: *kind,
                status,
                flow: (status != Status::Unknown).then_some(flow),
                ..NodeView::default()
            }
        })
        .collect();
    let views = edges
        .iter()
        .map(|e| EdgeView {
            flow: Flow { rate: e.2, error_ratio: e.3, p95_nanos: Some(e.4), ..Flow::default() },
            is_async: named[e.0].1 == Queue || named[e.1].1 == Queue,
            mark: None,
        })
        .collect();
    Shop { layout: layout(&graph, None), graph, nodes, edges: views }
}

fn spec(id: &str, kind: Kind) -> NodeSpec {
    NodeSpec { id: id.into(), kind, width: NODE_WIDTH, height: NODE_HEIGHT }
}

fn maps() -> String {
    let shop = shop();
    let mut traffic = Traffic::default();
    for _ in 0..400 {
        traffic.advance(&shop.map(), 0.05);
    }
    let (w, h) = (1180.0, 560.0);
    let mut html = draw(&shop, w, h, &Focus::default(), Some(&traffic), "wide");
    let orders = shop.layout.find("orders").map(Hit::Node);
    html += &draw(&shop, w, h, &Focus { selected: orders, ..Focus::default() }, Some(&traffic), "wide");
    let hovered = Focus { hovered: Some(Hit::Edge(7)), ..Focus::default() };
    html += &draw(&shop, 1376.0, 640.0, &hovered, None, "wide");
    html += &close_up(&shop, &traffic);
    html += &draw(&shop, 660.0, 300.0, &Focus::default(), None, "");
    html += &draw(&grow(&shop), 660.0, 300.0, &Focus::default(), None, "");
    html += &panel("Legend", "wide", &legend());
    html
}

/// The shop after a refresh that brought two services.
fn grow(shop: &Shop) -> Shop {
    let mut graph = shop.graph.clone();
    graph.nodes.extend([spec("fraud-check", Kind::Service), spec("fraud-db", Kind::Database)]);
    let n = graph.nodes.len();
    graph.edges.extend([EdgeSpec { from: 8, to: n - 2 }, EdgeSpec { from: n - 2, to: n - 1 }]);
    let (mut nodes, mut edges) = (shop.nodes.clone(), shop.edges.clone());
    let flow = Flow { rate: 40.0, error_ratio: 0.0, p95_nanos: Some(8e6), ..Flow::default() };
    for (label, kind) in [("fraud-check", Kind::Service), ("fraud-db", Kind::Database)] {
        nodes.push(NodeView { label: label.into(), kind, status: Status::Ok, flow: Some(flow), ..NodeView::default() });
        edges.push(EdgeView { flow, ..EdgeView::default() });
    }
    Shop { layout: layout(&graph, Some(&shop.layout)), graph, nodes, edges }
}

fn draw(shop: &Shop, w: f64, h: f64, focus: &Focus, traffic: Option<&Traffic>, class: &str) -> String {
    let mut s = SvgSurface::new(w, h);
    let v = Viewport::fit(&shop.layout, s.size(), 20.0);
    let labels = draw_map(&mut s, &shop.map(), &v, focus);
    if let Some(traffic) = traffic {
        draw_traffic(&mut s, &shop.map(), traffic, &v, focus, &labels);
    }
    panel("Service map", &format!("map {class}"), &s.finish("Service map", ""))
}

/// Part of the map at zoom 1.2, with the keyboard on a node.
fn close_up(shop: &Shop, traffic: &Traffic) -> String {
    let mut s = SvgSurface::new(1376.0, 420.0);
    let node = shop.layout.find("payments").unwrap_or_default();
    let focus = Focus { selected: Some(Hit::Node(node)), has_keyboard: true, ..Focus::default() };
    let v = Viewport { zoom: 1.2, ..Viewport::default() }.centered_on(&shop.layout.nodes[node], s.size());
    let labels = draw_map(&mut s, &shop.map(), &v, &Focus::default());
    draw_traffic(&mut s, &shop.map(), traffic, &v, &Focus::default(), &labels);
    let mut lit = SvgSurface::new(1376.0, 420.0);
    draw_map(&mut lit, &shop.map(), &v, &focus);
    panel("Close up", "map wide", &(s.finish("", "") + &lit.finish("", "")))
}

fn legend() -> String {
    use Kind::*;
    let mut html = String::new();
    for kind in [User, UnknownCaller, Client, Job, Gateway, Service, Auth, Function, Queue, Database, External, Model] {
        let _ = write!(html, "{} {kind:?} &nbsp; ", kind_svg(kind, 18.0, ""));
    }
    for status in [Status::Ok, Status::Warn, Status::Err, Status::Unknown] {
        let _ = write!(html, "{} {status:?} &nbsp; ", status_svg(status, 14.0, ""));
    }
    html
}

fn large_maps() -> String {
    let mut html = String::new();
    for n in [60, 200] {
        let shop = large(n);
        html += &draw(&shop, 1376.0, 760.0, &Focus::default(), None, "wide");
    }
    html
}

fn large(n: usize) -> Shop {
    let kind = |i: usize| match i {
        i if i < 3 => Kind::Client,
        3 => Kind::Gateway,
        i if i > n * 3 / 4 => Kind::Database,
        _ => Kind::Service,
    };
    let name = |i: usize| format!("{}-{i}", if i > n * 3 / 4 { "store" } else { "service" });
    let mut edges: Vec<EdgeSpec> = (0..3).map(|from| EdgeSpec { from, to: 3 }).collect();
    for to in 4..n {
        edges.push(EdgeSpec { from: (3 + (to - 4) / 3).min(to - 1), to });
        if to % 4 == 0 {
            edges.push(EdgeSpec { from: (to * 7 % (n / 2)).max(3), to });
        }
    }
    edges.retain(|e| e.from != e.to);
    let graph = Graph { nodes: (0..n).map(|i| spec(&name(i), kind(i))).collect(), edges };
    let flow = |i: usize| Flow {
        is_count: false,
        rate: (i * 37 % 400) as f64,
        error_ratio: if i.is_multiple_of(17) { 0.07 } else { 0.0 },
        p95_nanos: Some((i * 13 % 300) as f64 * 1e6),
    };
    let nodes = (0..n).map(|i| NodeView {
        label: name(i),
        kind: kind(i),
        status: if i % 17 == 0 { Status::Err } else { Status::Ok },
        flow: Some(flow(i)),
        ..NodeView::default()
    });
    let edges = graph.edges.iter().map(|e| EdgeView { flow: flow(e.to), ..EdgeView::default() }).collect();
    Shop { nodes: nodes.collect(), edges, layout: layout(&graph, None), graph }
}

const TRACE_SERVICES: [&str; 7] =
    ["web", "api-gateway", "orders", "payments", "inventory", "orders-db", "api.bank-of-example.com"];

/// A checkout: (parent, service, name, kind, start ms, end ms, failed); parents by position from 1.
fn checkout() -> Waterfall {
    use SpanKind::*;
    let rows: [(u64, u32, &str, SpanKind, f64, f64, bool); 14] = [
        (0, 0, "POST /checkout", Client, 0.0, 1840.0, true),
        (1, 1, "POST /api/checkout", Server, 22.0, 1822.0, true),
        (2, 1, "verify token", Internal, 26.0, 41.0, false),
        (2, 1, "POST orders", Client, 44.0, 1815.0, true),
        (4, 2, "createOrder", Server, 52.0, 1806.0, true),
        (5, 2, "SELECT orders", Client, 60.0, 84.0, false),
        (5, 2, "reserve", Client, 90.0, 240.0, false),
        (7, 4, "POST /reserve", Server, 96.0, 233.0, false),
        (5, 2, "POST payments", Client, 610.0, 1420.0, true),
        (9, 3, "charge", Server, 622.0, 1409.0, true),
        (10, 3, "POST api.bank-of-example.com", Client, 650.0, 1380.0, true),
        (5, 2, "retry charge", Internal, 1424.0, 1700.0, false),
        (5, 2, "INSERT orders", Client, 1710.0, 1790.0, false),
        (5, 2, "publish OrderPlaced 주문 완료", Producer, 1792.0, 1799.0, false),
    ];
    let mut names: Vec<String> = rows.iter().map(|r| r.2.to_owned()).collect();
    let mut spans: Vec<SpanInput> = rows
        .iter()
        .enumerate()
        .map(|(i, r)| SpanInput {
            id: i as u64 + 1,
            parent: r.0,
            start: START + (r.4 * 1e6) as i64,
            duration: ((r.5 - r.4) * 1e6) as i64,
            service: r.1,
            name: i as u32,
            error: r.6,
            kind: r.3,
        })
        .collect();
    names.push("SELECT stock".into());
    for i in 0..212i64 {
        spans.push(SpanInput {
            id: 1_000 + i as u64,
            parent: 5,
            start: START + (250 * 1_000_000) + i * 1_600_000,
            duration: 900_000 + (i % 7) * 90_000,
            service: 2,
            name: names.len() as u32 - 1,
            error: i == 120,
            kind: Client,
        });
    }
    Waterfall::new(spans, names, TRACE_SERVICES.map(str::to_owned).to_vec())
}

fn traces() -> String {
    let waterfall = checkout();
    let style = Style {
        services: (0..TRACE_SERVICES.len()).map(|i| Token::series(i).into()).collect(),
        hovered: Some(6),
        selected: Some(9),
        critical_path: true,
        ..Style::default()
    };
    let mut html = trace(&waterfall, &style, 1376.0, 400.0, |v| v);
    html += &trace(&waterfall, &style, 660.0, 400.0, |v| v);
    html += &trace(&waterfall, &style, 660.0, 400.0, |v| v.zoom_at(&waterfall, v.x(START + 330_000_000), 6.0));
    let mut big = big_trace();
    big.collapse_to_fit(400);
    html += &trace(&big, &style, 1376.0, 500.0, |v| View { scroll: 40.0, ..v });
    html
}

fn trace(waterfall: &Waterfall, style: &Style, w: f64, h: f64, look: impl Fn(View) -> View) -> String {
    let mut s = SvgSurface::new(w, h);
    let view = look(View::whole(waterfall, s.size()));
    draw_waterfall(&mut s, waterfall, &view, style);
    let mut strip = SvgSurface::new(w, 48.0);
    draw_minimap(&mut strip, &Minimap::new(waterfall, w, 48.0), waterfall, &view);
    let class = if w > 700.0 { "wide" } else { "" };
    panel("Trace", class, &(strip.finish("minimap", "") + &s.finish("trace", "")))
}

/// Twenty thousand spans, every request calling three others.
fn big_trace() -> Waterfall {
    let spans = (0..20_000u64).map(|i| {
        let parent = if i == 0 { 0 } else { (i - 1) / 3 + 1 };
        let depth = ((i + 1) as f64).log(3.0).floor();
        let start = (i % 977) as i64 * 1_000_000 + depth as i64 * 20_000_000;
        let duration = if i == 0 { 1_400_000_000 } else { 400_000_000 / (depth as i64 + 1) };
        let (service, name) = ((i % 7) as u32, (i % 9) as u32);
        SpanInput {
            id: i + 1,
            parent,
            start,
            duration,
            service,
            name,
            error: i % 3001 == 3000,
            kind: SpanKind::Internal,
        }
    });
    let names = (0..9).map(|i| format!("operation-{i}")).collect();
    Waterfall::new(spans.collect(), names, TRACE_SERVICES.map(str::to_owned).to_vec())
}
