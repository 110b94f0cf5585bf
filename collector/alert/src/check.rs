//! Whether documents are right: what is wrong names its field and the fix.
//!
//! Fields are named as they are written, with numbers for those that repeat: `level[1].recover`, `measure.q`.

mod channel;
mod file;
mod measure;
mod rule;
mod tell;

pub use channel::{channel, missing_secret};
pub use file::file;
pub use rule::{rule, slo};
pub use tell::{inhibition, route, silence};

use orrery_api::alerting::{Matcher, Period};
use std::collections::BTreeMap;

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct Wrong {
    /// Which field.
    pub field: String,
    /// What is wrong and what would be right: a clause.
    pub detail: String,
}

impl Wrong {
    /// What is wrong with a field.
    pub fn new(field: impl Into<String>, detail: impl Into<String>) -> Wrong {
        Wrong { field: field.into(), detail: detail.into() }
    }

    /// Of what is itself a field of something.
    #[must_use]
    pub fn within(self, outer: &str) -> Wrong {
        let field = if self.field.is_empty() { outer.to_owned() } else { format!("{outer}.{}", self.field) };
        Wrong { field, ..self }
    }
}

type Checked = Result<(), Wrong>;

fn wrong(field: &str, detail: impl Into<String>) -> Checked {
    Err(Wrong::new(field, detail))
}

/// Characters of a name, at most.
const MAX_NAME: usize = orrery_api::alerting::MAX_RULE_NAME;
/// Characters of what people explain, at most.
const MAX_TEXT: usize = 4_000;
/// Characters of what is looked for, at most.
const MAX_VALUE: usize = 1_000;
/// Labels of a document, and conditions on labels, at most.
const MAX_LABELS: usize = 20;
/// Of labels that are put on by us.
const RESERVED: [&str; 2] = ["rule", "severity"];

fn name(field: &str, text: &str) -> Checked {
    if text.trim().is_empty() || text.chars().count() > MAX_NAME {
        return wrong(field, format!("a name has 1 to {MAX_NAME} characters"));
    }
    if text != text.trim() {
        return wrong(field, "a name neither begins nor ends with a blank");
    }
    if text.chars().any(char::is_control) {
        return wrong(field, "a name is one line of text, without control characters");
    }
    Ok(())
}

/// A line that says which: not empty.
fn value(field: &str, text: &str) -> Checked {
    if text.trim().is_empty() || text.chars().count() > MAX_VALUE || text.chars().any(char::is_control) {
        return wrong(field, format!("one line of 1 to {MAX_VALUE} characters is wanted; leave the field out for all"));
    }
    Ok(())
}

fn optional_value(field: &str, text: Option<&String>) -> Checked {
    text.map_or(Ok(()), |text| value(field, text))
}

/// Several lines, or none.
fn text(field: &str, text: &str) -> Checked {
    let is_odd = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t');
    if text.chars().count() > MAX_TEXT {
        return wrong(field, format!("at most {MAX_TEXT} characters"));
    }
    if text.chars().any(is_odd) {
        return wrong(field, "text has no control characters");
    }
    Ok(())
}

/// Whether a label may be called so; the same letters as in a condition.
fn label_name(field: &str, text: &str) -> Checked {
    let is_fit = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.' | '-' | '/');
    if text.is_empty() || text.chars().count() > MAX_NAME || !text.chars().all(is_fit) {
        return wrong(field, format!("`{text}` is no name of a label: letters, digits, `_`, `.`, `-` and `/`"));
    }
    Ok(())
}

fn label_names(field: &str, names: &[String]) -> Checked {
    if names.len() > MAX_LABELS {
        return wrong(field, format!("at most {MAX_LABELS} labels"));
    }
    for (at, name) in names.iter().enumerate() {
        label_name(&format!("{field}[{at}]"), name)?;
        if names[..at].contains(name) {
            return wrong(&format!("{field}[{at}]"), format!("`{name}` is there twice"));
        }
    }
    Ok(())
}

fn labels(labels: &BTreeMap<String, String>) -> Checked {
    if labels.len() > MAX_LABELS {
        return wrong("labels", format!("at most {MAX_LABELS} labels"));
    }
    for (name, text) in labels {
        let field = format!("labels.{name}");
        label_name(&field, name)?;
        if RESERVED.contains(&name.as_str()) {
            return wrong(&field, format!("the label `{name}` is put on by Orrery: take another name"));
        }
        value(&field, text)?;
    }
    Ok(())
}

fn matchers(field: &str, all: &[Matcher]) -> Checked {
    if all.len() > MAX_LABELS {
        return wrong(field, format!("at most {MAX_LABELS} conditions"));
    }
    for (at, matcher) in all.iter().enumerate() {
        let field = format!("{field}[{at}]");
        label_name(&field, &matcher.name)?;
        if matcher.value.chars().count() > MAX_VALUE {
            return wrong(&field, format!("at most {MAX_VALUE} characters are compared with"));
        }
        if let Err(why) = crate::matching::Matchers::new(std::slice::from_ref(matcher)) {
            return wrong(&field, format!("no regular expression: {}", why.replace('\n', " ")));
        }
    }
    Ok(())
}

/// Whether a length of time lies within bounds.
fn period(field: &str, period: Period, least: Period, most: Period) -> Checked {
    if period < least || period > most {
        return wrong(field, format!("`{period}` is not within {least} and {most}"));
    }
    Ok(())
}

/// Whether it is also a multiple of ten seconds.
fn steps(field: &str, of: Period, least: Period, most: Period) -> Checked {
    if !of.0.is_multiple_of(orrery_api::alerting::STEP_SECONDS) {
        let next = Period::seconds(of.0.next_multiple_of(orrery_api::alerting::STEP_SECONDS));
        return wrong(field, format!("`{of}` is no multiple of 10 s; `{next}` is"));
    }
    period(field, of, least, most)
}

#[cfg(test)]
mod tests;
