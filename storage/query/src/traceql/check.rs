//! Whether a query makes sense: types, and what cannot be combined.

use super::ast::{
    Body, Comparison, Expression, ExpressionKind, Filter, Hint, Metric, MetricFunction, Pipeline, Place, Query, Scalar,
    Spanset, Stage,
};
use super::field::{Field, FieldName, Intrinsic, Type};
use super::literal::{KINDS, Literal, STATUSES, duration};
use super::problem::{Problem, meant};

/// Settings of `with ( )` with the types they take.
const HINTS: [(&str, &[Type]); 7] = [
    ("most_recent", &[Type::Bool]),
    ("exemplars", &[Type::Bool, Type::Int]),
    ("extrapolate", &[Type::Bool]),
    ("sample", &[Type::Bool, Type::Int, Type::Float]),
    ("span_sample", &[Type::Int, Type::Float]),
    ("trace_sample", &[Type::Int, Type::Float]),
    ("spanonly_fetch", &[Type::Bool]),
];

/// Checks a query.
///
/// # Errors
/// The first thing in it that can never be right.
pub(crate) fn check(query: &Query) -> Result<(), Problem> {
    match &query.body {
        Body::Search(of) => pipeline(of)?,
        Body::Metrics(of) => metric(of)?,
    }
    query.hints.iter().try_for_each(hint)
}

fn hint(hint: &Hint) -> Result<(), Problem> {
    let names = HINTS.map(|(name, _)| name);
    let Some((_, types)) = HINTS.iter().find(|(name, _)| *name == hint.name) else {
        let known = match meant(&hint.name, names) {
            Some(name) => format!("did you mean {name}?"),
            None => format!("there are {}", names.join(", ")),
        };
        return fail(hint.place, format!("there is no setting `{}`", hint.name), known);
    };
    match types.contains(&hint.value.value_type()) {
        true => Ok(()),
        false => fail(
            hint.place,
            format!("`{}` is not {}", hint.name, hint.value.value_type().as_str()),
            "write true or a number",
        ),
    }
}

fn fail<T>(place: Place, message: impl Into<String>, hint: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::new(place, message, hint))
}

fn pipeline(pipeline: &Pipeline) -> Result<(), Problem> {
    pipeline.stages.iter().try_for_each(|stage| match stage {
        Stage::Spansets(of) => spanset(of),
        Stage::Keep { left, right, .. } => scalar(left).and_then(|()| scalar(right)),
        Stage::By(of) => {
            value(of)?;
            reads_span(of, "spansets are split by what differs between spans", "for example by(resource.service.name)")
        }
        Stage::Coalesce | Stage::Select(_) => Ok(()),
    })
}

fn spanset(of: &Spanset) -> Result<(), Problem> {
    match of {
        Spanset::Filter(of) => filter(of),
        Spanset::Combined(left, _, right) => spanset(left).and_then(|()| spanset(right)),
        Spanset::Pipeline(of) => pipeline(of),
    }
}

fn filter(filter: &Filter) -> Result<(), Problem> {
    filter.condition.as_ref().map_or(Ok(()), condition)
}

fn scalar(of: &Scalar) -> Result<(), Problem> {
    match of {
        Scalar::Literal(literal, place) => match literal.value_type().is_numeric() {
            true => Ok(()),
            false => {
                fail(*place, format!("{} is no number", literal.value_type().as_str()), "write a number or a duration")
            }
        },
        Scalar::Aggregate(_, None, _) => Ok(()),
        Scalar::Aggregate(_, Some(of), _) => {
            let found = value(of)?;
            if found != Type::Any && !found.is_numeric() {
                return fail(
                    of.place,
                    format!("{} cannot be added up or compared", found.as_str()),
                    "take a number, for example span:duration",
                );
            }
            reads_span(of, "this is the same for every span", "name a field, for example span:duration")
        }
        Scalar::Arithmetic(left, _, right) => scalar(left).and_then(|()| scalar(right)),
    }
}

fn metric(of: &Metric) -> Result<(), Problem> {
    match of {
        Metric::Spans { pipeline: of, function, by, place } => {
            pipeline(of)?;
            let compares = matches!(function, MetricFunction::Compare { .. });
            if compares && !by.is_empty() {
                return fail(*place, "compare() is not grouped", "it looks at every attribute by itself");
            }
            match function {
                MetricFunction::Rate | MetricFunction::CountOverTime => Ok(()),
                MetricFunction::OverTime(_, field)
                | MetricFunction::QuantileOverTime(field, _)
                | MetricFunction::HistogramOverTime(field) => numeric(field, *place),
                MetricFunction::Compare { filter: of, .. } => filter(of),
            }
        }
        Metric::Number(..) => Ok(()),
        Metric::Arithmetic(left, _, right) => {
            alone(left)?;
            alone(right)?;
            metric(left)?;
            metric(right)
        }
        Metric::Then(of, _) => alone(of).and_then(|()| metric(of)),
    }
}

/// Refuses `compare()` where series are wanted.
fn alone(of: &Metric) -> Result<(), Problem> {
    match of {
        Metric::Spans { function: MetricFunction::Compare { .. }, place, .. } => {
            fail(*place, "compare() gives no series", "let it stand alone and last")
        }
        _ => Ok(()),
    }
}

fn numeric(field: &Field, place: Place) -> Result<(), Problem> {
    match field.value_type() {
        Type::Any => Ok(()),
        found if found.is_numeric() => Ok(()),
        found => fail(place, format!("{field} is {}", found.as_str()), "take a number, for example span:duration"),
    }
}

fn reads_span(of: &Expression, message: &str, hint: &str) -> Result<(), Problem> {
    let mut reads = false;
    of.walk(&mut |inner| reads |= matches!(inner.kind, ExpressionKind::Field(_)));
    if reads { Ok(()) } else { fail(of.place, message, hint) }
}

/// Checks something that has to be true or false.
fn condition(of: &Expression) -> Result<(), Problem> {
    let found = value(of)?;
    let is_attribute = matches!(&of.kind, ExpressionKind::Field(Field { name: FieldName::Attribute(..), .. }));
    match found {
        Type::Bool => Ok(()),
        Type::Any if is_attribute => Ok(()),
        _ => fail(of.place, format!("{} is no condition", found.as_str()), "compare it, for example with = or >"),
    }
}

/// The type of an expression, whose parts fit together.
fn value(of: &Expression) -> Result<Type, Problem> {
    match &of.kind {
        ExpressionKind::Literal(literal) => Ok(literal.value_type()),
        ExpressionKind::Field(field) if field.as_intrinsic() == Some(Intrinsic::Parent) => fail(
            of.place,
            "a parent is only there or not",
            "write parent = nil or parent != nil, or compare span:parentID or parent.…",
        ),
        ExpressionKind::Field(field) => Ok(field.value_type()),
        ExpressionKind::Logic(left, _, right) => {
            condition(left)?;
            condition(right)?;
            Ok(Type::Bool)
        }
        ExpressionKind::Compare(left, comparison, right) => compare(of.place, left, *comparison, right),
        ExpressionKind::Arithmetic(left, _, right) => {
            let (left, right) = (number(left)?, number(right)?);
            Ok(match (left, right) {
                (Type::Any, _) | (_, Type::Any) => Type::Any,
                (Type::Int, Type::Int) => Type::Int,
                (Type::Duration, _) | (_, Type::Duration) => Type::Duration,
                _ => Type::Float,
            })
        }
        ExpressionKind::Not(inner) => condition(inner).map(|()| Type::Bool),
        ExpressionKind::Negative(inner) => number(inner),
        ExpressionKind::Exists(inner) => value_or_parent(inner).map(|_| Type::Bool),
        ExpressionKind::Missing(inner) => {
            value_or_parent(inner)?;
            match &inner.kind {
                ExpressionKind::Field(field) if field.as_intrinsic().is_some_and(is_always_there) => {
                    fail(of.place, format!("{field} is never nil"), "compare it with \"\", or with a value")
                }
                _ => Ok(Type::Bool),
            }
        }
    }
}

fn value_or_parent(of: &Expression) -> Result<Type, Problem> {
    match &of.kind {
        ExpressionKind::Field(field) => Ok(field.value_type()),
        _ => value(of),
    }
}

fn is_always_there(intrinsic: Intrinsic) -> bool {
    use Intrinsic as I;
    let may_miss =
        [I::Parent, I::RootName, I::RootService, I::EventName, I::EventTimeSinceStart, I::LinkTraceId, I::LinkSpanId];
    !may_miss.contains(&intrinsic)
}

fn number(of: &Expression) -> Result<Type, Problem> {
    match value(of)? {
        found if found == Type::Any || found.is_numeric() => Ok(found),
        found => fail(of.place, format!("{} is no number", found.as_str()), "calculate with numbers and durations"),
    }
}

fn compare(place: Place, left: &Expression, comparison: Comparison, right: &Expression) -> Result<Type, Problem> {
    let (of_left, of_right) = (value(left)?, value(right)?);
    if matches!(comparison, Comparison::Matches | Comparison::NotMatches) {
        if !matches!(of_left, Type::Any | Type::Text) {
            return fail(
                left.place,
                format!("{} is not matched with a regular expression", of_left.as_str()),
                "compare with = != < <= > >=",
            );
        }
        return match right.kind {
            ExpressionKind::Literal(Literal::Text(_)) => Ok(Type::Bool),
            _ => fail(right.place, "this is no regular expression", "write it in quotes: =~ \"GET|POST\""),
        };
    }
    let fits = of_left == of_right
        || (of_left.is_numeric() && of_right.is_numeric())
        || [of_left, of_right].contains(&Type::Any);
    if !fits {
        let message = format!("{} is compared with {}", of_left.as_str(), of_right.as_str());
        return match literal_of(right) {
            Some(literal) => fail(right.place, message, instead(of_left, literal)),
            None => fail(right.place, message, "compare values of one type"),
        };
    }
    let ordered = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    let unordered =
        [of_left, of_right].into_iter().find(|found| matches!(found, Type::Bool | Type::Status | Type::Kind));
    if let (true, Some(found)) = (ordered, unordered) {
        return fail(place, format!("{} is not greater or less", found.as_str()), "compare with = or !=");
    }
    for (field, literal) in [(left, right), (right, left)] {
        id(field, literal)?;
    }
    Ok(Type::Bool)
}

fn literal_of(of: &Expression) -> Option<&Literal> {
    if let ExpressionKind::Literal(literal) = &of.kind { Some(literal) } else { None }
}

/// What to write instead of a literal, so that it is of another type.
fn instead(wanted: Type, literal: &Literal) -> String {
    let text = match literal {
        Literal::Text(text) => text.clone(),
        other => other.to_string(),
    };
    let one_of = |names: &[&str]| match meant(&text, names.iter().copied()) {
        Some(name) => format!("write {name}, without quotes"),
        None => format!("write one of {}", names.join(", ")),
    };
    match wanted {
        Type::Text => format!("write \"{text}\", in quotes"),
        Type::Duration if duration(&text).is_some() => format!("write {text}, without quotes"),
        Type::Duration => "write a duration, for example 250ms or 1.5s".to_owned(),
        Type::Int | Type::Float => "write a number, without quotes".to_owned(),
        Type::Status => one_of(&STATUSES.map(|(name, _)| name)),
        Type::Kind => one_of(&KINDS.map(|(name, _)| name)),
        Type::Bool | Type::Any => "write true or false".to_owned(),
    }
}

fn id(field: &Expression, literal: &Expression) -> Result<(), Problem> {
    let (ExpressionKind::Field(field), Some(Literal::Text(text))) = (&field.kind, literal_of(literal)) else {
        return Ok(());
    };
    match field.as_intrinsic().and_then(Intrinsic::id_digits) {
        Some(digits) if text.len() > digits || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) => fail(
            literal.place,
            format!("this is no {field}"),
            format!("write up to {digits} hexadecimal digits; zeros in front may be left out"),
        ),
        _ => Ok(()),
    }
}
