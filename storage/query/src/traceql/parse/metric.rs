//! Time series, and what is made of whole series.

use super::super::arithmetic::Number;
use super::super::ast::{Aggregate, Arithmetic, Comparison, Metric, MetricFunction, SecondStage};
use super::super::lex::Token;
use super::super::literal::Literal;
use super::{Parser, Problem, arithmetic, comparison, strength};

const FUNCTIONS: [&str; 9] = [
    "rate",
    "count_over_time",
    "min_over_time",
    "max_over_time",
    "avg_over_time",
    "sum_over_time",
    "quantile_over_time",
    "histogram_over_time",
    "compare",
];

/// Values per attribute that `compare` gives unless told, and at most.
const TOP: (u32, i64) = (10, 1000);

impl Parser {
    /// Whether any function of metrics is called anywhere.
    pub(super) fn asks_for_metrics(&self) -> bool {
        (0..self.tokens.len()).any(|after| self.is_metric_function(after))
    }

    /// Whether the token so far after the next is a function of metrics.
    pub(super) fn is_metric_function(&self, after: usize) -> bool {
        matches!(self.peek_after(after), Some(Token::Word(word)) if FUNCTIONS.contains(&word.as_str()))
            && self.peek_after(after + 1) == Some(&Token::Sign("("))
    }

    pub(super) fn is_second_stage(&self) -> bool {
        self.is_word("topk") || self.is_word("bottomk")
    }

    pub(super) fn metrics(&mut self) -> Result<Metric, Problem> {
        let is_metric = |token: &Token| matches!(token, Token::Word(word) if FUNCTIONS.contains(&word.as_str()));
        // `{ … } | rate()`, unless the function stands in parentheses that more is made of.
        let in_parentheses = self.peek_sign() == Some("(") && self.encloses(is_metric);
        let of_number =
            matches!(self.peek(), Some(Token::Int(_) | Token::Float(_) | Token::Duration(_) | Token::Sign("-")))
                || (self.peek_sign() == Some("(")
                    && !self.encloses(|token| matches!(token, Token::Sign("{") | Token::Word(_))));
        let joined = in_parentheses || (of_number && self.continues_as_metric());
        if !joined {
            let metric = self.spans()?;
            return self.second_stages(metric);
        }
        let metric = self.sum(3)?;
        if let Metric::Number(_, place) = metric {
            return Err(Problem::new(
                place,
                "a number alone is no series",
                "multiply it with one: 100 * ({ } | rate())",
            ));
        }
        self.second_stages(metric)
    }

    /// Whether the number that comes next is joined to something by arithmetic, not compared with an aggregate.
    fn continues_as_metric(&self) -> bool {
        let rest = &self.tokens[self.at..];
        let brace = rest.iter().position(|(token, _)| *token == Token::Sign("{")).unwrap_or(rest.len());
        !rest[..brace]
            .iter()
            .any(|(token, _)| matches!(token, Token::Sign(sign) if comparison(sign).is_some() || *sign == "|"))
    }

    fn sum(&mut self, least: u8) -> Result<Metric, Problem> {
        let mut left = self.metric_operand()?;
        while let Some(operator) = self.peek_sign().and_then(arithmetic) {
            if matches!(operator, Arithmetic::Power | Arithmetic::Modulo) {
                return self.fail("series are not raised or divided with remainder", "use + - * or /");
            }
            if strength(operator) < least {
                break;
            }
            self.operator()?;
            self.at += 1;
            let right = self.deeper(|parser| parser.sum(strength(operator) + 1))?;
            left = self.join_series(left, operator, right)?;
        }
        Ok(left)
    }

    fn join_series(&mut self, left: Metric, operator: Arithmetic, right: Metric) -> Result<Metric, Problem> {
        if let (Metric::Number(left, start), Metric::Number(right, end)) = (&left, &right) {
            let place = start.to(*end);
            let number = |literal| Number::of(literal);
            let folded = number(left).zip(number(right)).and_then(|(left, right)| left.apply(operator, right));
            return match folded {
                Some(number) => Ok(Metric::Number(number.literal(), place)),
                None => Err(Problem::new(place, "this divides by zero", "write it with a point, or another number")),
            };
        }
        Ok(Metric::Arithmetic(Box::new(left), operator, Box::new(right)))
    }

    fn metric_operand(&mut self) -> Result<Metric, Problem> {
        let start = self.place();
        match self.peek() {
            Some(Token::Sign("-")) => {
                self.at += 1;
                let of = self.deeper(Parser::metric_operand)?;
                match &of {
                    Metric::Number(literal, _) => match literal.negative() {
                        Some(literal) => Ok(Metric::Number(literal, start.to(self.last_place()))),
                        None => self.fail("this is no number", ""),
                    },
                    _ => Err(Problem::new(start, "series have no sign", "write -1 * (…)")),
                }
            }
            Some(Token::Int(_) | Token::Float(_) | Token::Duration(_)) => {
                let literal = self.literal()?;
                if matches!(literal, Literal::Duration(_)) {
                    return Err(Problem::new(
                        start,
                        "a duration is no factor",
                        "write a number; durations in series are in seconds",
                    ));
                }
                Ok(Metric::Number(literal, start))
            }
            Some(Token::Sign("(")) => {
                self.at += 1;
                let inner = self.deeper(|parser| {
                    let metric = if parser.peek_sign() == Some("{") || parser.has_function_outside() {
                        parser.spans()?
                    } else {
                        parser.sum(3)?
                    };
                    parser.second_stages(metric)
                })?;
                self.sign(")")?;
                Ok(inner)
            }
            _ => self.fail("series are joined in parentheses", "write ({ … } | rate()) / ({ … } | rate())"),
        }
    }

    /// Whether, in the parentheses just opened, a function of metrics is called that is in no other parentheses.
    fn has_function_outside(&self) -> bool {
        let mut depth = 0;
        for after in 0..self.tokens.len() - self.at {
            match self.peek_after(after) {
                Some(Token::Sign("(")) => depth += 1,
                Some(Token::Sign(")")) if depth == 0 => return false,
                Some(Token::Sign(")")) => depth -= 1,
                _ if depth == 0 && self.is_metric_function(after) => return true,
                _ => {}
            }
        }
        false
    }

    fn spans(&mut self) -> Result<Metric, Problem> {
        if self.is_metric_function(0) {
            return self.fail("no spans were chosen", "say which: { … } | rate(), or { } | rate() for all");
        }
        let pipeline = self.pipeline()?;
        if !self.take_sign("|") {
            return self.fail("a function of metrics is missing", "for example | rate()");
        }
        let start = self.place();
        let function = self.function()?;
        let by = if self.take_word("by") { self.fields()? } else { Vec::new() };
        Ok(Metric::Spans { pipeline, function, by, place: start.to(self.last_place()) })
    }

    fn function(&mut self) -> Result<MetricFunction, Problem> {
        let Some(Token::Word(word)) = self.peek().cloned() else { return self.fail("a function is missing", "") };
        self.at += 1;
        self.sign("(")?;
        let over = |aggregate| move |parser: &mut Parser| Ok(MetricFunction::OverTime(aggregate, parser.field()?));
        let function = match word.as_str() {
            "rate" => MetricFunction::Rate,
            "count_over_time" => MetricFunction::CountOverTime,
            "min_over_time" => over(Aggregate::Min)(self)?,
            "max_over_time" => over(Aggregate::Max)(self)?,
            "avg_over_time" => over(Aggregate::Avg)(self)?,
            "sum_over_time" => over(Aggregate::Sum)(self)?,
            "quantile_over_time" => self.quantiles()?,
            "histogram_over_time" => MetricFunction::HistogramOverTime(self.field()?),
            _ => self.compare()?,
        };
        if self.peek_sign() != Some(")") && matches!(function, MetricFunction::Rate | MetricFunction::CountOverTime) {
            return self.fail(format!("{word}() takes nothing"), format!("write {word}() by (…)"));
        }
        self.sign(")")?;
        Ok(function)
    }

    fn quantiles(&mut self) -> Result<MetricFunction, Problem> {
        let field = self.field()?;
        let mut quantiles = Vec::new();
        while self.take_sign(",") {
            let place = self.place();
            let quantile = match self.literal()? {
                Literal::Int(value) => value as f64,
                Literal::Float(value) => value,
                _ => f64::NAN,
            };
            if !(0.0..=1.0).contains(&quantile) {
                return Err(Problem::new(
                    place,
                    "a quantile lies between 0 and 1",
                    "write 0.99 for the 99th percentile",
                ));
            }
            self.operator()?;
            quantiles.push(quantile);
        }
        if quantiles.is_empty() {
            return self.fail("a quantile is missing", "for example quantile_over_time(span:duration, 0.99)");
        }
        Ok(MetricFunction::QuantileOverTime(field, quantiles))
    }

    fn compare(&mut self) -> Result<MetricFunction, Problem> {
        let filter = self.filter()?;
        let mut numbers = Vec::new();
        while self.take_sign(",") {
            let place = self.place();
            match self.literal()? {
                Literal::Int(value) => numbers.push((value, place)),
                _ => return Err(Problem::new(place, "this is no whole number", "compare({ … }, values, from, to)")),
            }
        }
        if let [(top, place), ..] = numbers[..]
            && !(1..=TOP.1).contains(&top)
        {
            return Err(Problem::new(place, "values per attribute are out of bounds", format!("from 1 to {}", TOP.1)));
        }
        let top = numbers.first().map_or(TOP.0, |(top, _)| *top as u32);
        let window = match numbers[..] {
            [] | [_] => None,
            [_, (from, _), (to, _)] if 0 < from && from < to => Some((from, to)),
            [_, (_, start), (_, end)] => {
                return Err(Problem::new(
                    start.to(end),
                    "this is no stretch of time",
                    "from before to, Unix nanoseconds",
                ));
            }
            _ => return self.fail("both ends of the stretch of time are needed", "compare({ … }, values, from, to)"),
        };
        Ok(MetricFunction::Compare { filter, top, window })
    }

    fn second_stages(&mut self, mut metric: Metric) -> Result<Metric, Problem> {
        loop {
            let stage = match self.peek_sign() {
                Some("|") => {
                    self.at += 1;
                    if !self.is_second_stage() {
                        return self.fail(
                            "only topk(n), bottomk(n) and comparisons follow metrics",
                            "choose spans before them",
                        );
                    }
                    self.choose()?
                }
                Some(sign) => match comparison(sign) {
                    Some(Comparison::Matches | Comparison::NotMatches) => {
                        return self
                            .fail("numbers are not matched with regular expressions", "compare with = != < <= > >=");
                    }
                    Some(comparison) => {
                        self.at += 1;
                        let place = self.place();
                        let Metric::Number(literal, _) = self.threshold()? else {
                            return Err(Problem::new(
                                place,
                                "series are compared with numbers",
                                "for example > 10 or > 250ms",
                            ));
                        };
                        SecondStage::Keep(comparison, literal)
                    }
                    None => return Ok(metric),
                },
                None => return Ok(metric),
            };
            self.operator()?;
            metric = Metric::Then(Box::new(metric), stage);
        }
    }

    /// What data points are compared with: a number worked out now, or a duration.
    fn threshold(&mut self) -> Result<Metric, Problem> {
        let start = self.place();
        let after = usize::from(self.peek_sign() == Some("-"));
        match self.peek_after(after) {
            Some(Token::Duration(_)) => Ok(Metric::Number(self.literal()?, start)),
            _ => self.sum(3),
        }
    }

    fn choose(&mut self) -> Result<SecondStage, Problem> {
        let top = self.is_word("topk");
        self.at += 1;
        self.sign("(")?;
        let place = self.place();
        let count = match self.literal()? {
            Literal::Int(value) => u32::try_from(value).ok().filter(|count| *count > 0),
            _ => None,
        };
        let Some(count) = count else {
            return Err(Problem::new(place, "this is no number of series", "write a whole number from 1"));
        };
        self.sign(")")?;
        Ok(if top { SecondStage::Top(count) } else { SecondStage::Bottom(count) })
    }
}
