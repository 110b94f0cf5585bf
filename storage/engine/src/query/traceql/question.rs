//! A query made ready for the engine.

use orrery_query::QueryError;
use orrery_query::traceql::{
    Body, Compiled, Field, Leaf, Literal, Pipeline, Prefilter, Probe, Problem, Query, Reads, SpanCondition, Spanset,
    Stage, Test, reads,
};

/// A query, what leads to its traces, and what both read.
pub(super) struct Question {
    /// The whole query.
    pub(super) compiled: Compiled,
    pub(super) reads: Reads,
    /// Says of single spans whether they lead to a trace; where they are judged one by one, whether they match.
    pub(super) leads: Compiled,
    pub(super) leads_read: Reads,
    /// What can be asked of columns before: never false of a span that leads to a trace.
    pub(super) condition: Asked,
}

impl Question {
    /// Of a query that searches for traces.
    pub(super) fn of_search(query: &Query) -> Result<Question, QueryError> {
        if let Body::Metrics(_) = query.body {
            let whole = 0..query.to_string().len();
            let (message, hint) = ("this gives series, not traces", "remove what follows the spans, or ask for series");
            return Err(Problem { range: whole, message: message.into(), hint: hint.into() }.into());
        }
        Question::new(query)
    }

    pub(super) fn new(query: &Query) -> Result<Question, QueryError> {
        let compiled = Compiled::new(query)?;
        let (prefilter, reads_all) = (Prefilter::of(query), reads(query));
        let (condition, leads) = if reads_all.whole_traces {
            let condition = prefilter.of_some_span();
            let filter = Stage::Spansets(Spanset::Filter(condition.to_filter()));
            (condition, Query { body: Body::Search(Pipeline { stages: vec![filter] }), hints: Vec::new() })
        } else {
            (prefilter.of_span(), query.clone().without_select())
        };
        Ok(Question {
            compiled,
            reads: reads_all,
            leads_read: reads(&leads),
            leads: Compiled::new(&leads)?,
            condition: Asked::new(&condition)?,
        })
    }
}

/// A [`SpanCondition`] with its tests made ready.
pub(super) enum Asked {
    Maybe,
    Never,
    Leaf(AskedLeaf),
    All(Vec<Asked>),
    Any(Vec<Asked>),
}

/// A [`Leaf`] made ready.
pub(super) struct AskedLeaf {
    pub(super) field: Field,
    pub(super) probe: Probe,
    pub(super) negated: bool,
    /// The value it has to equal.
    pub(super) equals: Option<Literal>,
}

impl Asked {
    pub(super) fn new(condition: &SpanCondition) -> Result<Asked, Problem> {
        let all = |parts: &[SpanCondition]| parts.iter().map(Asked::new).collect::<Result<Vec<Asked>, Problem>>();
        Ok(match condition {
            SpanCondition::Maybe => Asked::Maybe,
            SpanCondition::Never => Asked::Never,
            SpanCondition::Leaf(leaf) if leaf.is_of_whole_trace() => Asked::Maybe,
            SpanCondition::Leaf(leaf) => Asked::Leaf(AskedLeaf::new(leaf)?),
            SpanCondition::All(parts) => Asked::All(all(parts)?),
            SpanCondition::Any(parts) => Asked::Any(all(parts)?),
        })
    }

    /// Whether it may hold, where `may` says so of a leaf.
    pub(super) fn may(&self, may: &impl Fn(&AskedLeaf) -> bool) -> bool {
        match self {
            Asked::Maybe => true,
            Asked::Never => false,
            Asked::Leaf(leaf) => may(leaf),
            Asked::All(parts) => parts.iter().all(|part| part.may(may)),
            Asked::Any(parts) => parts.iter().any(|part| part.may(may)),
        }
    }
}

impl AskedLeaf {
    fn new(leaf: &Leaf) -> Result<AskedLeaf, Problem> {
        let equals = match &leaf.test {
            Test::Compare(orrery_query::traceql::Comparison::Equal, literal) if !leaf.negated => Some(literal.clone()),
            _ => None,
        };
        Ok(AskedLeaf { field: leaf.field.clone(), probe: Probe::new(&leaf.test)?, negated: leaf.negated, equals })
    }
}
