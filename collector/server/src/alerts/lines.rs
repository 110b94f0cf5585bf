//! Where a field is in a file.

use toml::de::{DeTable, DeValue};

/// The line of a byte, from 1.
pub(super) fn line(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

/// The line of a field such as `rule[1].level[0].recover`; of what is around it, if it is not there.
pub(super) fn of(text: &str, field: &str) -> usize {
    let Ok(table) = DeTable::parse(text) else { return 1 };
    let mut found = 0;
    let mut within = Within::Table(table.get_ref());
    // Names may have dots: the longest that is there counts.
    let mut rest = field;
    while !rest.is_empty() {
        let Some((at, next, left)) = within.step(rest) else { break };
        found = at;
        rest = left;
        match next {
            Some(inner) => within = inner,
            None => break,
        }
    }
    line(text, found)
}

enum Within<'a> {
    Table(&'a DeTable<'a>),
    List(&'a [toml::Spanned<DeValue<'a>>]),
}

impl<'a> Within<'a> {
    /// One step of a path: where that is, what is in there, and the rest of the path.
    fn step<'b>(&self, path: &'b str) -> Option<(usize, Option<Within<'a>>, &'b str)> {
        let (at, value, rest) = match self {
            Within::List(list) => {
                let (number, rest) = path.strip_prefix('[')?.split_once(']')?;
                let value = list.get(number.parse::<usize>().ok()?)?;
                (value.span().start, value.get_ref(), rest)
            }
            Within::Table(table) => {
                let fits = |name: &str| {
                    let rest = path.strip_prefix(name)?;
                    (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
                };
                let known = table.iter().filter_map(|(key, value)| Some((key, value, fits(key.get_ref())?)));
                let (key, value, rest) = known.max_by_key(|(key, ..)| key.get_ref().len())?;
                (key.span().start, value.get_ref(), rest)
            }
        };
        let inner = match value {
            DeValue::Table(table) => Some(Within::Table(table)),
            DeValue::Array(list) => Some(Within::List(list)),
            _ => None,
        };
        Some((at, inner, rest.strip_prefix('.').unwrap_or(rest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_where_they_are_written() {
        let text = "\
[[rule]]
name = \"a\"

[[rule]]
name = \"b\"
labels = { \"a.b\" = \"x\" }
[rule.measure]
signal = \"logs\"
attr = [
  \"a=b\",
  \"c\",
]
[[rule.level]]
severity = \"critical\"
when = { above = 1 }
[[rule.level]]
severity = \"critical\"
recover = 2
";
        for (field, line) in [
            ("rule[0].name", 2),
            ("rule[1].name", 5),
            ("rule[1].labels.a.b", 6),
            ("rule[1].measure.attr[1]", 11),
            ("rule[1].level[0].when.above", 15),
            ("rule[1].level[1].recover", 18),
            // What is missing is looked for in what is around it.
            ("rule[1].measure.service", 7),
            ("slo[0]", 1),
        ] {
            assert_eq!(of(text, field), line, "{field}");
        }
    }
}
