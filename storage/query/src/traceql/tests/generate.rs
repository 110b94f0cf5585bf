//! Queries at random.

use super::super::ast::*;
use super::super::{Condition, Field, FieldName, Intrinsic, Literal, Operator, Scope};
use orrery_model::{SpanKind, StatusCode};
use proptest::prelude::*;

fn place() -> Place {
    Place::default()
}

/// Names with and without need for quotes; few, so that traces have them.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(vec!["a", "b", "http.method", "http.request.method", "service.name"]).prop_map(str::to_owned),
        1 => "[ -~µ]{1,6}",
        1 => prop::sample::select(vec!["span.x", "5x", "a\"b", "a\\b", "resource.y"]).prop_map(str::to_owned),
    ]
}

fn scope() -> impl Strategy<Value = Option<Scope>> {
    prop_oneof![3 => Just(Some(Scope::Span)), 1 => prop::option::of(prop::sample::select(Scope::ALL.to_vec()))]
}

pub(super) fn field() -> impl Strategy<Value = Field> {
    let attribute = (scope(), name()).prop_map(|(scope, name)| Field::attribute(scope, name));
    let of_parent = (prop::option::of(prop::sample::select(vec![Scope::Span, Scope::Resource])), name())
        .prop_map(|(scope, name)| Field { of_parent: true, name: FieldName::Attribute(scope, name) });
    let intrinsics = Intrinsic::all().filter(|intrinsic| *intrinsic != Intrinsic::Parent).collect::<Vec<_>>();
    prop_oneof![
        5 => attribute,
        1 => of_parent,
        3 => prop::sample::select(intrinsics).prop_map(Field::intrinsic),
    ]
}

pub(super) fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        4 => prop::sample::select(vec!["x", "y", "GET", "", "0000000000000001"]).prop_map(|text| Literal::Text(text.to_owned())),
        1 => ".{0,6}".prop_map(Literal::Text),
        4 => (-3_i64..5).prop_map(Literal::Int),
        1 => prop::sample::select(vec![i64::MIN, i64::MAX, 17]).prop_map(Literal::Int),
        1 => prop::sample::select(vec![0.5, -2.0, 1e300, -0.0]).prop_map(Literal::Float),
        1 => any::<bool>().prop_map(Literal::Bool),
        2 => prop::sample::select(vec![0, 1, 1_500_000_000, -5, 86_400_000_000_000]).prop_map(Literal::Duration),
        1 => prop::sample::select(vec![StatusCode::Error, StatusCode::Ok, StatusCode::Unset]).prop_map(Literal::Status),
        1 => prop::sample::select(vec![SpanKind::Server, SpanKind::Client, SpanKind::Internal]).prop_map(Literal::Kind),
    ]
}

fn comparison() -> impl Strategy<Value = Comparison> {
    use Comparison::{AtLeast, AtMost, Equal, Greater, Less, NotEqual};
    prop::sample::select(vec![Equal, NotEqual, Less, AtMost, Greater, AtLeast])
}

fn arithmetic() -> impl Strategy<Value = Arithmetic> {
    use Arithmetic::{Add, Divide, Modulo, Multiply, Power, Subtract};
    prop::sample::select(vec![Add, Subtract, Multiply, Divide, Modulo, Power])
}

pub(super) fn condition() -> impl Strategy<Value = Condition> {
    let operator = prop_oneof![
        4 => (comparison(), literal()).prop_map(|(comparison, literal)| Operator::Compare(comparison, literal)),
        1 => Just(Operator::Exists),
        1 => Just(Operator::Missing),
    ];
    (field(), operator).prop_map(|(field, operator)| Condition { field, operator })
}

fn expression_of(kind: ExpressionKind) -> Expression {
    Expression { kind, place: place() }
}

/// Any tree, whether its types fit or not.
pub(super) fn expression() -> impl Strategy<Value = Expression> {
    let leaf = prop_oneof![
        literal().prop_map(|literal| expression_of(ExpressionKind::Literal(literal))),
        field().prop_map(|field| expression_of(ExpressionKind::Field(field))),
    ];
    leaf.prop_recursive(5, 24, 2, |inner| {
        let two = (inner.clone(), inner.clone()).prop_map(|(left, right)| (Box::new(left), Box::new(right)));
        prop_oneof![
            4 => (two.clone(), prop::sample::select(vec![Logic::And, Logic::Or]))
                .prop_map(|((left, right), logic)| ExpressionKind::Logic(left, logic, right)),
            4 => (two.clone(), comparison())
                .prop_map(|((left, right), comparison)| ExpressionKind::Compare(left, comparison, right)),
            1 => (inner.clone(), prop::sample::select(vec!["x", "G.*", "a|b"]), any::<bool>()).prop_map(|(left, pattern, not)| {
                let comparison = if not { Comparison::NotMatches } else { Comparison::Matches };
                let pattern = expression_of(ExpressionKind::Literal(Literal::Text(pattern.to_owned())));
                ExpressionKind::Compare(Box::new(left), comparison, Box::new(pattern))
            }),
            2 => (two, arithmetic()).prop_map(|((left, right), operator)| ExpressionKind::Arithmetic(left, operator, right)),
            2 => inner.clone().prop_map(|inner| ExpressionKind::Not(Box::new(inner))),
            1 => inner.clone().prop_map(negative),
            1 => inner.clone().prop_map(|inner| ExpressionKind::Exists(Box::new(inner))),
            1 => inner.prop_map(|inner| ExpressionKind::Missing(Box::new(inner))),
        ]
        .prop_map(expression_of)
    })
}

/// A number with a minus is written as a literal.
fn negative(inner: Expression) -> ExpressionKind {
    match &inner.kind {
        ExpressionKind::Literal(literal) if literal.negative().is_some() => inner.kind,
        _ => ExpressionKind::Negative(Box::new(inner)),
    }
}

/// Conditions that often hold: comparisons of a field, joined and negated.
pub(super) fn plausible() -> impl Strategy<Value = Expression> {
    let leaf = prop_oneof![
        8 => condition().prop_map(|condition| {
            let field = Box::new(expression_of(ExpressionKind::Field(condition.field)));
            expression_of(match condition.operator {
                Operator::Compare(comparison, literal) => {
                    ExpressionKind::Compare(field, comparison, Box::new(expression_of(ExpressionKind::Literal(literal))))
                }
                Operator::Exists => ExpressionKind::Exists(field),
                Operator::Missing => ExpressionKind::Missing(field),
            })
        }),
        1 => field().prop_map(|field| expression_of(ExpressionKind::Field(field))),
        1 => expression(),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            3 => (inner.clone(), inner.clone(), prop::sample::select(vec![Logic::And, Logic::Or])).prop_map(|(left, right, logic)| {
                ExpressionKind::Logic(Box::new(left), logic, Box::new(right))
            }),
            1 => inner.prop_map(|inner| ExpressionKind::Not(Box::new(inner))),
        ]
        .prop_map(expression_of)
    })
}

/// A search whose conditions often hold.
pub(super) fn search() -> impl Strategy<Value = Query> {
    pipeline(plausible().boxed(), duration_value())
        .prop_map(|pipeline| Query { body: Body::Search(pipeline), hints: Vec::new() })
}

/// A rate of spans by conditions that often hold and seldom need other spans.
pub(super) fn rate() -> impl Strategy<Value = Query> {
    let filters = prop::collection::vec(filter_of(plausible()).prop_map(Spanset::Filter), 1..4);
    filters.prop_map(|filters| {
        let joined = filters
            .into_iter()
            .reduce(|left, right| Spanset::Combined(Box::new(left), SpansetOperator::Or, Box::new(right)));
        let pipeline = Pipeline { stages: joined.into_iter().map(Stage::Spansets).collect() };
        let metric = Metric::Spans { pipeline, function: MetricFunction::Rate, by: Vec::new(), place: place() };
        Query { body: Body::Metrics(metric), hints: Vec::new() }
    })
}

fn filter_of(condition: impl Strategy<Value = Expression>) -> impl Strategy<Value = Filter> {
    prop::option::weighted(0.9, condition).prop_map(|condition| Filter { condition, place: place() })
}

fn spanset_operator() -> impl Strategy<Value = SpansetOperator> {
    use Relation::{Ancestor, Child, Descendant, Parent, Sibling};
    let structural = (
        prop::sample::select(vec![Child, Descendant, Parent, Ancestor, Sibling]),
        prop::sample::select(vec![Relate::Right, Relate::Not, Relate::Both]),
    );
    prop_oneof![
        Just(SpansetOperator::And),
        Just(SpansetOperator::Or),
        structural.prop_map(|(relation, sides)| SpansetOperator::Structural(Structural { relation, sides })),
    ]
}

fn scalar(of: BoxedStrategy<Expression>) -> impl Strategy<Value = Scalar> {
    let aggregate = prop::sample::select(vec![Aggregate::Min, Aggregate::Max, Aggregate::Avg, Aggregate::Sum]);
    let leaf = prop_oneof![
        2 => Just(Scalar::Aggregate(Aggregate::Count, None, place())),
        2 => (aggregate, of).prop_map(|(aggregate, of)| Scalar::Aggregate(aggregate, Some(of), place())),
    ];
    leaf.prop_recursive(2, 4, 2, |inner| {
        let number = (-2_i64..4).prop_map(|value| Scalar::Literal(Literal::Int(value.abs()), place()));
        (inner, arithmetic(), number)
            .prop_map(|(left, operator, right)| Scalar::Arithmetic(Box::new(left), operator, Box::new(right)))
    })
}

/// A pipeline of spansets whose conditions are `conditions`, whose values are `values`.
pub(super) fn pipeline(
    conditions: BoxedStrategy<Expression>,
    values: BoxedStrategy<Expression>,
) -> BoxedStrategy<Pipeline> {
    let leaf = filter_of(conditions).prop_map(Spanset::Filter);
    let spanset = leaf.prop_recursive(3, 6, 2, move |inner| {
        let keep = keep(values.clone());
        prop_oneof![
            5 => (inner.clone(), spanset_operator(), inner.clone())
                .prop_map(|(left, operator, right)| Spanset::Combined(Box::new(left), operator, Box::new(right))),
            1 => (inner, keep)
                .prop_map(|(first, then)| Spanset::Pipeline(Pipeline { stages: vec![Stage::Spansets(first), then] })),
        ]
    });
    let by = field().prop_map(|field| Stage::By(expression_of(ExpressionKind::Field(field))));
    let stage = prop_oneof![
        4 => spanset.clone().prop_map(Stage::Spansets),
        1 => by,
        1 => Just(Stage::Coalesce),
        1 => prop::collection::vec(field(), 1..3).prop_map(Stage::Select),
        1 => keep(duration_value()),
    ];
    (spanset, prop::collection::vec(stage, 0..3))
        .prop_map(|(first, mut rest)| {
            rest.insert(0, Stage::Spansets(first));
            Pipeline { stages: rest }
        })
        .boxed()
}

fn duration_value() -> BoxedStrategy<Expression> {
    Just(expression_of(ExpressionKind::Field(Field::intrinsic(Intrinsic::Duration)))).boxed()
}

fn keep(values: BoxedStrategy<Expression>) -> impl Strategy<Value = Stage> {
    (scalar(values), comparison(), literal_number()).prop_map(|(left, comparison, right)| Stage::Keep {
        left,
        comparison,
        right,
        place: place(),
    })
}

fn literal_number() -> impl Strategy<Value = Scalar> {
    prop_oneof![(-3_i64..5).prop_map(Literal::Int), prop::sample::select(vec![0, 3]).prop_map(Literal::Duration),]
        .prop_map(|literal| Scalar::Literal(literal, place()))
}

fn function() -> impl Strategy<Value = MetricFunction> {
    let aggregate = prop::sample::select(vec![Aggregate::Min, Aggregate::Max, Aggregate::Avg, Aggregate::Sum]);
    prop_oneof![
        Just(MetricFunction::Rate),
        Just(MetricFunction::CountOverTime),
        (aggregate, field()).prop_map(|(aggregate, field)| MetricFunction::OverTime(aggregate, field)),
        (field(), prop::collection::vec(0.0..=1.0_f64, 1..3))
            .prop_map(|(field, quantiles)| MetricFunction::QuantileOverTime(field, quantiles)),
        field().prop_map(MetricFunction::HistogramOverTime),
        (filter_of(expression()), 1_u32..20, prop::option::of((1_i64..5, 5_i64..9)))
            .prop_map(|(filter, top, window)| MetricFunction::Compare { filter, top, window }),
    ]
}

fn metric() -> impl Strategy<Value = Metric> {
    let spans =
        (pipeline(expression().boxed(), expression().boxed()), function(), prop::collection::vec(field(), 0..3))
            .prop_map(|(pipeline, function, by)| Metric::Spans { pipeline, function, by, place: place() });
    spans.prop_recursive(3, 4, 2, |inner| {
        let number = prop_oneof![(-9_i64..9).prop_map(Literal::Int), (-2.0..2.0_f64).prop_map(Literal::Float)];
        let number = number.prop_map(|literal| Metric::Number(literal, place()));
        let operator =
            prop::sample::select(vec![Arithmetic::Add, Arithmetic::Subtract, Arithmetic::Multiply, Arithmetic::Divide]);
        let stage = prop_oneof![
            (1_u32..9).prop_map(SecondStage::Top),
            (1_u32..9).prop_map(SecondStage::Bottom),
            (comparison(), (-9_i64..9).prop_map(Literal::Int))
                .prop_map(|(comparison, literal)| SecondStage::Keep(comparison, literal)),
        ];
        prop_oneof![
            (inner.clone(), operator.clone(), inner.clone()).prop_map(|(left, operator, right)| Metric::Arithmetic(
                Box::new(left),
                operator,
                Box::new(right)
            )),
            (number.clone(), operator.clone(), inner.clone()).prop_map(|(left, operator, right)| Metric::Arithmetic(
                Box::new(left),
                operator,
                Box::new(right)
            )),
            (inner.clone(), operator, number).prop_map(|(left, operator, right)| Metric::Arithmetic(
                Box::new(left),
                operator,
                Box::new(right)
            )),
            (inner, stage).prop_map(|(of, stage)| Metric::Then(Box::new(of), stage)),
        ]
    })
}

/// Any tree that can be written, whether its types fit or not.
pub(super) fn query() -> impl Strategy<Value = Query> {
    let search = pipeline(expression().boxed(), expression().boxed()).prop_map(Body::Search);
    let hint = ("[a-z_]{1,8}".prop_filter("a name", |name| Literal::of_word(name).is_none()), literal())
        .prop_map(|(name, value)| Hint { name, value, place: place() });
    let body = prop_oneof![2 => search, 1 => metric().prop_map(Body::Metrics)];
    (body, prop::collection::vec(hint, 0..2)).prop_map(|(body, hints)| Query { body, hints })
}
