//! Conditions and values of one span.

use super::super::ast::{Arithmetic, Comparison, Expression, ExpressionKind, Logic};
use super::super::lex::Token;
use super::super::literal::Literal;
use super::{Parser, Problem, arithmetic, comparison, strength};

enum Operator {
    Logic(Logic),
    Compare(Comparison),
    Arithmetic(Arithmetic),
}

impl Operator {
    fn strength(&self) -> u8 {
        match self {
            Operator::Logic(_) => 1,
            Operator::Compare(_) => 2,
            Operator::Arithmetic(operator) => strength(*operator),
        }
    }
}

/// What an operand may be: `nil` only beside `=` and `!=`.
enum Operand {
    Nil,
    Expression(Expression),
}

impl Parser {
    pub(super) fn expression(&mut self) -> Result<Expression, Problem> {
        self.binding(1)
    }

    /// An expression whose operators bind at least so strongly.
    fn binding(&mut self, least: u8) -> Result<Expression, Problem> {
        match self.operand_binding(least)? {
            Operand::Expression(expression) => Ok(expression),
            Operand::Nil => {
                self.at -= 1;
                self.fail("nil stands alone", "compare it: span.x = nil, or span.x != nil")
            }
        }
    }

    fn operand_binding(&mut self, least: u8) -> Result<Operand, Problem> {
        let mut left = self.prefix()?;
        while let Some(operator) = self.peek_operator() {
            if operator.strength() < least {
                break;
            }
            self.operator()?;
            let sign_at = self.at;
            self.at += 1;
            // A power is worked out from the right, everything else from the left.
            let power = matches!(operator, Operator::Arithmetic(Arithmetic::Power));
            let next = operator.strength() + u8::from(!power);
            let right = self.deeper(|parser| parser.operand_binding(next))?;
            left = Operand::Expression(self.join(left, operator, right, sign_at)?);
        }
        Ok(left)
    }

    fn join(&mut self, left: Operand, operator: Operator, right: Operand, at: usize) -> Result<Expression, Problem> {
        let (left, right) = match (left, right) {
            (Operand::Expression(left), Operand::Expression(right)) => (left, right),
            (Operand::Expression(of), Operand::Nil) | (Operand::Nil, Operand::Expression(of)) => {
                let place = of.place.to(self.last_place());
                let kind = match operator {
                    Operator::Compare(Comparison::Equal) => ExpressionKind::Missing(Box::new(of)),
                    Operator::Compare(Comparison::NotEqual) => ExpressionKind::Exists(Box::new(of)),
                    _ => return self.fail_at(at, "nil is only there or not", "compare it with `=` or `!=`"),
                };
                return Ok(Expression { kind, place });
            }
            (Operand::Nil, Operand::Nil) => {
                return self.fail_at(at, "nil is compared with itself", "name a field: span.x = nil");
            }
        };
        let place = left.place.to(right.place);
        let (left, right) = (Box::new(left), Box::new(right));
        let kind = match operator {
            Operator::Logic(logic) => ExpressionKind::Logic(left, logic, right),
            Operator::Compare(comparison) => ExpressionKind::Compare(left, comparison, right),
            Operator::Arithmetic(operator) => ExpressionKind::Arithmetic(left, operator, right),
        };
        Ok(Expression { kind, place })
    }

    fn fail_at<T>(&mut self, at: usize, message: &str, hint: &str) -> Result<T, Problem> {
        self.at = at;
        self.fail(message, hint)
    }

    fn peek_operator(&self) -> Option<Operator> {
        let sign = self.peek_sign()?;
        match sign {
            "&&" => Some(Operator::Logic(Logic::And)),
            "||" => Some(Operator::Logic(Logic::Or)),
            _ => comparison(sign).map(Operator::Compare).or_else(|| arithmetic(sign).map(Operator::Arithmetic)),
        }
    }

    fn prefix(&mut self) -> Result<Operand, Problem> {
        let start = self.place();
        if self.take_sign("-") {
            let of = self.deeper(|parser| parser.binding(4))?;
            let place = start.to(of.place);
            let kind = match &of.kind {
                ExpressionKind::Literal(literal) => literal.negative().map(ExpressionKind::Literal),
                _ => None,
            };
            let kind = kind.unwrap_or_else(|| ExpressionKind::Negative(Box::new(of)));
            return Ok(Operand::Expression(Expression { kind, place }));
        }
        if self.take_sign("!") {
            let of = self.deeper(|parser| parser.binding(5))?;
            let place = start.to(of.place);
            return Ok(Operand::Expression(Expression { kind: ExpressionKind::Not(Box::new(of)), place }));
        }
        if self.take_sign("(") {
            let mut inner = self.deeper(Parser::expression)?;
            self.close_expression(")")?;
            inner.place = start.to(self.last_place());
            return Ok(Operand::Expression(inner));
        }
        if self.take_word("nil") {
            return Ok(Operand::Nil);
        }
        if let Some(field) = self.take_field() {
            return Ok(Operand::Expression(Expression { kind: ExpressionKind::Field(field), place: start }));
        }
        if let Some(Token::Word(word)) = self.peek()
            && Literal::of_word(word).is_none()
        {
            return self.unexpected_word();
        }
        match self.peek_sign() {
            Some("}") => {
                self.fail("a condition or value is missing before `}`", "for example span.http.route = \"/cart\"")
            }
            Some("{") => self.fail("braces do not stand within braces", "join spansets outside: { … } && { … }"),
            Some(sign) => {
                self.fail(format!("a value is missing before `{sign}`"), "for example 5, 250ms, \"text\" or span.x")
            }
            None => {
                let kind = ExpressionKind::Literal(self.literal()?);
                Ok(Operand::Expression(Expression { kind, place: start }))
            }
        }
    }

    /// The sign that ends a condition, or what should stand here instead.
    pub(super) fn close_expression(&mut self, sign: &'static str) -> Result<(), Problem> {
        if self.take_sign(sign) {
            return Ok(());
        }
        match self.peek() {
            None => self.fail(format!("`{sign}` is missing"), format!("add `{sign}`")),
            Some(Token::Word(_)) => self.unexpected_word(),
            Some(Token::Sign(
                found @ (">>" | "<<" | "~" | "!>" | "!<" | "!>>" | "!<<" | "&>" | "&<" | "&~" | "&>>" | "&<<"),
            )) => self.fail(
                format!("`{found}` stands between spansets"),
                format!("close the braces first: {{ … }} {found} {{ … }}"),
            ),
            Some(Token::Sign("|")) => {
                self.fail("the braces are not closed", "add `}` before `|`; for \"or\" write `||`")
            }
            Some(Token::Sign(_)) => self.fail(format!("`{sign}` is missing"), format!("add `{sign}`")),
            Some(_) => self.fail("an operator is missing", "compare with = != < <= > >= =~ !~, join with && or ||"),
        }
    }
}
