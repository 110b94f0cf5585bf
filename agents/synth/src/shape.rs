//! Workloads.

use crate::wire::Signal;

/// What else is special about a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Spans, as processes send them.
    Traces,
    /// Every fourth request belongs to a trace of 10 000, 100 000 or 1 000 000 spans, which arrives over a long time.
    Monsters,
    /// 5 % of requests come 1 to 60 minutes late, 0.5 % twice; clocks differ by up to 2 s; one span in a hundred is missing.
    Late,
    /// Log records: 250 bytes, 8 attributes, 30 % with a trace id.
    Logs,
    /// Data points of 50 000 series: counters, gauges, histograms.
    Metrics,
}

impl Kind {
    /// What its requests carry.
    pub fn signal(self) -> Signal {
        match self {
            Kind::Logs => Signal::Logs,
            Kind::Metrics => Signal::Metrics,
            _ => Signal::Traces,
        }
    }
}

/// What traffic looks like. Take a constant, or change one's fields.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Short name.
    pub name: &'static str,
    /// What else is special.
    pub kind: Kind,
    /// Number of services.
    pub services: usize,
    /// Processes per service; each sends its own requests.
    pub processes_per_service: usize,
    /// Endpoints over all services, called by Zipf's law.
    pub endpoints: usize,
    /// Median number of spans per trace.
    pub median_spans: f64,
    /// Spread of the number of spans: sigma of its logarithm.
    pub spread: f64,
    /// Most spans of a trace.
    pub max_spans: usize,
    /// Semantic-convention attributes of HTTP, database and messaging spans; else a bare handful.
    pub is_rich: bool,
    /// Further attributes per span from a pool of keys.
    pub extra_attributes: usize,
    /// Keys in that pool; one in ten is rare.
    pub extra_keys: usize,
    /// Attributes per span whose value never occurs again.
    pub unique_ids: usize,
    /// Attributes of a resource beyond those that identify it.
    pub resource_attributes: usize,
    /// Share of spans with a 4 KB query text.
    pub long_queries: f64,
    /// Share of spans that fail, with a stack trace.
    pub errors: f64,
}

impl Shape {
    /// 30 services, 200 endpoints, 17.5 attributes and 835 bytes per span, 1.2 % errors with stack, 7 spans per trace
    /// in the median, 137 at the 99th percentile, 5 000 at most: the headline.
    pub const T1: Shape = Shape {
        name: "t1",
        kind: Kind::Traces,
        services: 30,
        processes_per_service: 2,
        endpoints: 200,
        median_spans: 7.0,
        spread: 1.28,
        max_spans: 5000,
        is_rich: true,
        extra_attributes: 0,
        extra_keys: 0,
        unique_ids: 0,
        resource_attributes: 6,
        long_queries: 0.0,
        errors: 0.012,
    };

    /// 200 services, 2 000 processes, 25 attributes of 400 keys and all types, 20 resource attributes, one long query
    /// in a hundred: schema growth.
    pub const T2: Shape = Shape {
        name: "t2",
        services: 200,
        processes_per_service: 10,
        endpoints: 2000,
        extra_attributes: 8,
        extra_keys: 400,
        resource_attributes: 16,
        long_queries: 0.01,
        ..Shape::T1
    };

    /// T1 with three unique ids per span: the worst case for compression.
    pub const T3: Shape = Shape { name: "t3", unique_ids: 3, ..Shape::T1 };

    /// Two spans per trace, a handful of attributes: what small demos send. Never the headline.
    pub const T4: Shape = Shape {
        name: "t4",
        services: 2,
        processes_per_service: 1,
        endpoints: 2,
        median_spans: 2.0,
        spread: 0.0,
        is_rich: false,
        resource_attributes: 0,
        errors: 0.0,
        ..Shape::T1
    };

    /// T1 with monsters: see [`Kind::Monsters`].
    pub const T5: Shape = Shape { name: "t5", kind: Kind::Monsters, ..Shape::T1 };

    /// T1 late and odd: see [`Kind::Late`].
    pub const T6: Shape = Shape { name: "t6", kind: Kind::Late, ..Shape::T1 };

    /// Log records: see [`Kind::Logs`].
    pub const L1: Shape = Shape { name: "l1", kind: Kind::Logs, ..Shape::T1 };

    /// Data points: see [`Kind::Metrics`].
    pub const M1: Shape = Shape { name: "m1", kind: Kind::Metrics, ..Shape::T1 };

    /// All of them.
    pub const ALL: [Shape; 8] =
        [Shape::T1, Shape::T2, Shape::T3, Shape::T4, Shape::T5, Shape::T6, Shape::L1, Shape::M1];

    /// The shape of a name, in either case.
    pub fn named(name: &str) -> Option<Shape> {
        Shape::ALL.into_iter().find(|shape| shape.name.eq_ignore_ascii_case(name))
    }
}
