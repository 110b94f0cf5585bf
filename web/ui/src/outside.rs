//! What links to outside tools are filled in with: what one looks at.

use orrery_api::{Attributes, ServiceRef};
use serde_json::Value;

/// What one looks at, as far as it has these.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subject {
    /// 32 hexadecimal digits.
    pub trace_id: Option<String>,
    /// 16 hexadecimal digits.
    pub span_id: Option<String>,
    /// Of a span, or of the root of a trace.
    pub name: Option<String>,
    /// Whose it is.
    pub service: Option<ServiceRef>,
    /// Its beginning and end, Unix nanoseconds.
    pub time: (i64, i64),
    /// Its own, then those of its resource.
    pub attributes: Vec<Attributes>,
}

impl Subject {
    /// What a placeholder stands for.
    pub fn value(&self, placeholder: &str) -> Option<String> {
        let service = |part: fn(&ServiceRef) -> &String| self.service.as_ref().map(part).cloned();
        let (from, to) = self.time;
        match placeholder {
            "trace_id" => self.trace_id.clone(),
            "span_id" => self.span_id.clone(),
            "name" => self.name.clone(),
            "service.name" => service(|service| &service.name),
            "service.namespace" => service(|service| &service.namespace),
            "environment" => service(|service| &service.environment),
            "start_ms" => Some((from / 1_000_000).to_string()),
            "end_ms" => Some((to / 1_000_000).to_string()),
            "start_s" => Some((from / 1_000_000_000).to_string()),
            "end_s" => Some((to / 1_000_000_000).to_string()),
            "start_unix_nano" => Some(from.to_string()),
            other => {
                let key = other.strip_prefix("attribute:")?;
                self.attributes.iter().find_map(|attributes| attributes.get(key)).and_then(plain)
            }
        }
    }
}

/// A value that is one: text, a number, yes or no.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Object(fields) => match fields.iter().next()? {
            (kind, Value::String(text)) if fields.len() == 1 && kind == "intValue" => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orrery_api::outside::{LinkOn, LinkTemplate};
    use serde_json::json;

    #[test]
    fn a_template_is_filled_in_with_what_one_looks_at() {
        let attributes =
            |pairs: &[(&str, Value)]| pairs.iter().map(|(key, value)| ((*key).into(), value.clone())).collect();
        let subject = Subject {
            trace_id: Some("4bf9".into()),
            service: Some(ServiceRef { name: "cart & co".into(), ..ServiceRef::default() }),
            time: (1_700_000_000_123_456_789, 1_700_000_001_000_000_000),
            attributes: vec![
                attributes(&[
                    ("user", json!("a/b")),
                    ("big", json!({"intValue": "9007199254740993"})),
                    ("list", json!([1])),
                ]),
                attributes(&[("user", json!("of the resource")), ("host.name", json!("h1"))]),
            ],
            ..Subject::default()
        };
        let fill = |url: &str| {
            let template = LinkTemplate { name: "x".into(), url: format!("https://a.example/{url}"), on: Vec::new() };
            template
                .fill(LinkOn::Span, |name| subject.value(name))
                .map(|url| url["https://a.example/".len()..].to_owned())
        };
        assert_eq!(
            fill("{service.name}/{attribute:user}?f={start_ms}&t={end_s}").unwrap(),
            "cart%20%26%20co/a%2Fb?f=1700000000123&t=1700000001"
        );
        assert_eq!(fill("{attribute:big}-{attribute:host.name}").unwrap(), "9007199254740993-h1");
        for missing in ["{span_id}", "{service.namespace}", "{attribute:list}", "{attribute:none}"] {
            assert_eq!(fill(missing), None, "{missing}");
        }
    }
}
