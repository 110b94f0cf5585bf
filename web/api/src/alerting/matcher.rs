//! Which alerts something is about, in Prometheus' spelling: `service="cart"`, `severity!="info"`, `service=~"pay.*"`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// One condition on a label. A label that an alert does not have is the empty text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Matcher {
    /// Of the label.
    pub name: String,
    /// How.
    pub operator: MatchOperator,
    /// To what: text, or a regular expression that must match as a whole.
    pub value: String,
}

/// How a [`Matcher`] compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MatchOperator {
    /// `=`
    #[default]
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Like,
    /// `!~`
    Unlike,
}

impl MatchOperator {
    /// As written.
    pub fn sign(self) -> &'static str {
        match self {
            MatchOperator::Equal => "=",
            MatchOperator::NotEqual => "!=",
            MatchOperator::Like => "=~",
            MatchOperator::Unlike => "!~",
        }
    }
}

/// Why a text is no matcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoMatcher(pub String);

impl fmt::Display for NoMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no condition on a label; write it like service=\"cart\" or severity=~\"critical|warning\"",
            self.0
        )
    }
}

impl Matcher {
    /// The label has this value.
    pub fn equal(name: &str, value: &str) -> Matcher {
        Matcher { name: name.to_owned(), operator: MatchOperator::Equal, value: value.to_owned() }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(f, "{}{}\"{value}\"", self.name, self.operator.sign())
    }
}

impl FromStr for Matcher {
    type Err = NoMatcher;

    fn from_str(text: &str) -> Result<Matcher, NoMatcher> {
        let wrong = || NoMatcher(text.to_owned());
        let text = text.trim();
        let at = text.find(['=', '!']).ok_or_else(wrong)?;
        let (name, rest) = text.split_at(at);
        let name = name.trim_end();
        let is_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.' | '-' | '/');
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(wrong());
        }
        // Longer signs first.
        let signs = [MatchOperator::Like, MatchOperator::Unlike, MatchOperator::NotEqual, MatchOperator::Equal];
        let (operator, value) = signs
            .into_iter()
            .find_map(|operator| rest.strip_prefix(operator.sign()).map(|value| (operator, value.trim())))
            .ok_or_else(wrong)?;
        let value = match value.strip_prefix('"') {
            Some(quoted) => unquoted(quoted).ok_or_else(wrong)?,
            None if value.contains(['"', ',']) => return Err(wrong()),
            None => value.to_owned(),
        };
        Ok(Matcher { name: name.to_owned(), operator, value })
    }
}

/// What is between the quotes; nothing may follow them.
fn unquoted(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut letters = text.chars();
    loop {
        match letters.next()? {
            '"' => return letters.next().is_none().then_some(value),
            '\\' => value.push(match letters.next()? {
                'n' => '\n',
                other => other,
            }),
            letter => value.push(letter),
        }
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Matcher {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("A condition on a label, as Prometheus writes them."))
            .examples(["service=\"cart\"", "severity=~\"critical|warning\""])
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Matcher {}

impl Serialize for Matcher {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Matcher, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for text in [r#"service="cart""#, r#"severity!="info""#, r#"service=~"pay.*|cart""#, r#"a!~"x\"y\\z\n""#] {
            let matcher: Matcher = text.parse().unwrap();
            assert_eq!(matcher.to_string(), text);
        }
        assert_eq!("service = cart".parse(), Ok(Matcher::equal("service", "cart")));
        for wrong in ["", "service", "=cart", r#"a="b"#, r#"a="b"c"#, "a b=c", "a=b,c=d"] {
            assert!(wrong.parse::<Matcher>().is_err(), "{wrong}");
        }
    }
}
