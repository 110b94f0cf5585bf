//! Stages, spansets, and numbers of spansets.

use super::super::ast::Arithmetic;
use super::super::ast::{
    Aggregate, Comparison, Filter, Pipeline, Relate, Relation, Scalar, Spanset, SpansetOperator, Stage, Structural,
};
use super::super::field::Intrinsic;
use super::super::lex::Token;
use super::super::problem::meant;
use super::{Parser, Problem, WORDS, arithmetic, comparison, strength};

impl Parser {
    pub(super) fn pipeline(&mut self) -> Result<Pipeline, Problem> {
        let mut stages = vec![self.stage()?];
        while self.peek_sign() == Some("|") && !self.is_metric_function(1) {
            self.operator()?;
            self.at += 1;
            if self.peek().is_none() {
                return self
                    .fail("a stage is missing after `|`", "for example count() > 2, by(name), select(name) or rate()");
            }
            if self.is_second_stage() {
                return self
                    .fail("there are no series to choose from", "make some first: | rate() by (name) | topk(5)");
            }
            stages.push(self.stage()?);
        }
        Ok(Pipeline { stages })
    }

    fn stage(&mut self) -> Result<Stage, Problem> {
        if self.take_word("by") {
            self.sign("(")?;
            let expression = self.expression()?;
            if self.peek_sign() == Some(",") {
                return self.fail("spansets are split by one value", "write two stages: | by(a) | by(b)");
            }
            self.close_expression(")")?;
            return Ok(Stage::By(expression));
        }
        if self.take_word("coalesce") {
            self.sign("(")?;
            self.sign(")")?;
            return Ok(Stage::Coalesce);
        }
        if self.take_word("select") {
            return Ok(Stage::Select(self.fields()?));
        }
        if self.begins_spansets() {
            let spansets = self.spansets(1)?;
            return match self.peek_sign() {
                Some(sign) if comparison(sign).is_some() => self.fail(
                    "a spanset is no number",
                    "compare its spans: { … } | count() > 2, or | avg(span:duration) > 1s",
                ),
                _ => Ok(Stage::Spansets(spansets)),
            };
        }
        self.keep()
    }

    fn begins_spansets(&self) -> bool {
        let of_spansets = |token: &Token| {
            matches!(token, Token::Sign("{" | "|") | Token::Sign("=" | "!=" | "<" | "<=" | ">" | ">="))
                || matches!(token, Token::Word(word) if ["by", "select", "coalesce"].contains(&word.as_str()))
        };
        match self.peek_sign() {
            Some("{") => true,
            Some("(") => self.encloses(of_spansets),
            _ => false,
        }
    }

    /// `{ … } >> { … } && { … }`; structural operators bind more strongly than `&&` and `||`.
    fn spansets(&mut self, least: u8) -> Result<Spanset, Problem> {
        let mut left = self.spanset()?;
        while let Some(operator) = self.peek_sign().and_then(spanset_operator) {
            let strength = if matches!(operator, SpansetOperator::Structural(_)) { 2 } else { 1 };
            let compares = !matches!(self.peek_after(1), Some(Token::Sign("{" | "(")));
            if strength < least || (compares && self.peek_sign().and_then(comparison).is_some()) {
                break;
            }
            self.operator()?;
            self.at += 1;
            if !matches!(self.peek_sign(), Some("{" | "(")) {
                return self.fail("another spanset is missing", "for example { status = error }");
            }
            let right = self.deeper(|parser| parser.spansets(strength + 1))?;
            left = Spanset::Combined(Box::new(left), operator, Box::new(right));
        }
        Ok(left)
    }

    fn spanset(&mut self) -> Result<Spanset, Problem> {
        if self.peek_sign() == Some("{") {
            return Ok(Spanset::Filter(self.filter()?));
        }
        self.sign("(")?;
        let pipeline = self.deeper(Parser::pipeline)?;
        if self.peek_sign() == Some("|") {
            return self.fail("series are no spansets", "metrics come last, outside of parentheses");
        }
        self.close_expression(")")?;
        // Parentheses around spansets alone only say what belongs together.
        let mut stages = pipeline.stages;
        match stages.pop() {
            Some(Stage::Spansets(spansets)) if stages.is_empty() => Ok(spansets),
            last => {
                stages.extend(last);
                Ok(Spanset::Pipeline(Pipeline { stages }))
            }
        }
    }

    pub(super) fn filter(&mut self) -> Result<Filter, Problem> {
        let start = self.place();
        self.sign("{")?;
        if self.take_sign("}") {
            return Ok(Filter { condition: None, place: start.to(self.last_place()) });
        }
        let condition = self.expression()?;
        self.close_expression("}")?;
        Ok(Filter { condition: Some(condition), place: start.to(self.last_place()) })
    }

    fn keep(&mut self) -> Result<Stage, Problem> {
        let start = self.place();
        let left = self.scalar(3)?;
        let comparison = match self.peek_sign().and_then(comparison) {
            Some(Comparison::Matches | Comparison::NotMatches) => {
                return self.fail("numbers are not matched with regular expressions", "compare with = != < <= > >=");
            }
            Some(comparison) => comparison,
            None => return self.fail("a number alone keeps nothing", "compare it, for example count() > 2"),
        };
        self.at += 1;
        let right = self.scalar(3)?;
        let place = start.to(self.last_place());
        if is_literal(&left) && is_literal(&right) {
            return Err(Problem::new(
                place,
                "this says nothing about spans",
                "compare an aggregate, for example count() > 2",
            ));
        }
        Ok(Stage::Keep { left, comparison, right, place })
    }

    fn scalar(&mut self, least: u8) -> Result<Scalar, Problem> {
        let mut left = self.scalar_operand()?;
        while let Some(operator) = self.peek_sign().and_then(arithmetic) {
            if strength(operator) < least {
                break;
            }
            self.operator()?;
            self.at += 1;
            let next = strength(operator) + u8::from(operator != Arithmetic::Power);
            let right = self.deeper(|parser| parser.scalar(next))?;
            left = Scalar::Arithmetic(Box::new(left), operator, Box::new(right));
        }
        Ok(left)
    }

    fn scalar_operand(&mut self) -> Result<Scalar, Problem> {
        let start = self.place();
        if self.take_sign("(") {
            let inner = self.deeper(|parser| parser.scalar(3))?;
            self.sign(")")?;
            return Ok(inner);
        }
        if let Some(Token::Word(word)) = self.peek() {
            let Some(aggregate) = aggregate(word) else { return self.no_stage(&word.clone()) };
            self.at += 1;
            self.sign("(")?;
            let of = match aggregate {
                Aggregate::Count => None,
                _ if self.peek_sign() == Some(")") => {
                    return self.fail("a field is missing", "for example avg(span:duration)");
                }
                _ => Some(self.expression()?),
            };
            if aggregate == Aggregate::Count && self.peek_sign() != Some(")") {
                return self.fail(
                    "count() counts spans, not values",
                    "write count(), and put conditions in the braces before it",
                );
            }
            self.close_expression(")")?;
            return Ok(Scalar::Aggregate(aggregate, of, start.to(self.last_place())));
        }
        if matches!(self.peek(), Some(Token::Attribute { .. })) {
            return self.fail("conditions on spans stand in braces", "write { … } around it");
        }
        let literal = self.literal()?;
        Ok(Scalar::Literal(literal, start.to(self.last_place())))
    }
}

impl Parser {
    /// Says what a word was probably meant to be where a stage should stand.
    fn no_stage<T>(&mut self, word: &str) -> Result<T, Problem> {
        let hint = "conditions on spans stand in braces, { … }; stages are count(), avg(…), by(…), select(…), rate() …";
        if Intrinsic::parse(word).is_some() {
            return self.fail("this is said of spans", hint);
        }
        match meant(word, WORDS) {
            Some(known) if known != word => {
                self.fail(format!("`{word}` is no stage"), format!("did you mean {known}?"))
            }
            _ => self.fail(format!("`{word}` is no stage"), hint),
        }
    }
}

fn is_literal(scalar: &Scalar) -> bool {
    match scalar {
        Scalar::Literal(..) => true,
        Scalar::Aggregate(..) => false,
        Scalar::Arithmetic(left, _, right) => is_literal(left) && is_literal(right),
    }
}

fn aggregate(word: &str) -> Option<Aggregate> {
    Some(match word {
        "count" => Aggregate::Count,
        "min" => Aggregate::Min,
        "max" => Aggregate::Max,
        "avg" => Aggregate::Avg,
        "sum" => Aggregate::Sum,
        _ => return None,
    })
}

fn spanset_operator(sign: &str) -> Option<SpansetOperator> {
    let (sides, relation) = match sign {
        "&&" => return Some(SpansetOperator::And),
        "||" => return Some(SpansetOperator::Or),
        "!~" => (Relate::Not, "~"),
        _ => match sign.split_at(1) {
            ("!", rest) => (Relate::Not, rest),
            ("&", rest) => (Relate::Both, rest),
            _ => (Relate::Right, sign),
        },
    };
    let relation = match relation {
        ">" => Relation::Child,
        ">>" => Relation::Descendant,
        "<" => Relation::Parent,
        "<<" => Relation::Ancestor,
        "~" => Relation::Sibling,
        _ => return None,
    };
    Some(SpansetOperator::Structural(Structural { relation, sides }))
}
