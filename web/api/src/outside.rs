//! Links to outside tools: templates that what one looks at fills in.

use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Bytes of a filled-in address, at most.
const MAX_URL: usize = 8_000;
/// Placeholders with a meaning of their own; the rest are `{attribute:KEY}`.
const KNOWN: [&str; 11] = [
    "trace_id",
    "span_id",
    "name",
    "service.name",
    "service.namespace",
    "environment",
    "start_ms",
    "end_ms",
    "start_s",
    "end_s",
    "start_unix_nano",
];
const ATTRIBUTE: &str = "attribute:";

/// Where a link is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LinkOn {
    /// At a span.
    Span,
    /// At a trace.
    Trace,
    /// At a log record.
    Log,
    /// At a service.
    Service,
}

/// A link to an outside tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LinkTemplate {
    /// What it is called.
    pub name: String,
    /// Where it leads: `https://…` with `{trace_id}`, `{span_id}`, `{name}`, `{service.name}`, `{service.namespace}`,
    /// `{environment}`, `{start_ms}`, `{end_ms}`, `{start_s}`, `{end_s}`, `{start_unix_nano}` and `{attribute:KEY}` after
    /// the host; values are percent-encoded. It is shown where all of them have values.
    pub url: String,
    /// LinkOn only at these; at all without any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<LinkOn>,
}

/// `GET /link-templates`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LinkTemplateList {
    /// In the order they were configured.
    pub templates: Vec<LinkTemplate>,
}

/// A part of an address.
enum Part<'a> {
    Text(&'a str),
    Value(&'a str),
}

impl LinkTemplate {
    /// Whether it can be used.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn check(&self) -> Result<(), String> {
        let LinkTemplate { name, url, .. } = self;
        if name.trim().is_empty() {
            return Err(format!("the link to {url} has no name"));
        }
        let scheme = ["https://", "http://"].into_iter().find(|scheme| url.starts_with(scheme));
        let Some(rest) = scheme.and_then(|scheme| url.strip_prefix(scheme)) else {
            return Err(format!("link `{name}`: {url} begins with neither https:// nor http://"));
        };
        if url.chars().any(|char| char.is_control() || char.is_whitespace() || "\"<>\\^`|".contains(char)) {
            return Err(format!("link `{name}`: {url} has characters that no address has; percent-encode them"));
        }
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if host.is_empty() || host.contains(['{', '}', '@']) {
            return Err(format!(
                "link `{name}`: the host must be written out: telemetry may not choose where a link leads"
            ));
        }
        for part in
            parts(url).ok_or_else(|| format!("link `{name}`: a `{{` of {url} is not closed, or a `}}` not opened"))?
        {
            let Part::Value(value) = part else { continue };
            let is_attribute = value.strip_prefix(ATTRIBUTE).is_some_and(|key| !key.is_empty());
            if !is_attribute && !KNOWN.contains(&value) {
                return Err(format!(
                    "link `{name}`: there is no {{{value}}}; known are {} and attribute:KEY",
                    KNOWN.join(", ")
                ));
            }
        }
        Ok(())
    }

    /// The address with values filled in, percent-encoded; `None` where one is missing, or it is not shown here.
    pub fn fill(&self, shown: LinkOn, value: impl Fn(&str) -> Option<String>) -> Option<String> {
        if self.check().is_err() || !(self.on.is_empty() || self.on.contains(&shown)) {
            return None;
        }
        let mut url = String::new();
        let mut filled = false;
        for part in parts(&self.url)? {
            match part {
                Part::Text(text) => url.push_str(text),
                Part::Value(name) => {
                    // A browser takes `..` for the folder above, however it is encoded.
                    let value = value(name).filter(|value| !matches!(value.as_str(), "" | "." | ".."))?;
                    encode(&value, &mut url);
                    filled = true;
                }
            }
        }
        (filled && url.len() <= MAX_URL).then_some(url)
    }
}

fn parts(url: &str) -> Option<Vec<Part<'_>>> {
    let (mut parts, mut rest) = (Vec::new(), url);
    while let Some(open) = rest.find(['{', '}']) {
        if rest.as_bytes()[open] == b'}' {
            return None;
        }
        let (before, after) = (&rest[..open], &rest[open + 1..]);
        let close = after.find(['{', '}']).filter(|close| after.as_bytes()[*close] == b'}')?;
        parts.extend([Part::Text(before), Part::Value(&after[..close])]);
        rest = &after[close + 1..];
    }
    parts.push(Part::Text(rest));
    Some(parts)
}

/// Everything but letters, digits and `-_.~`: so that a value stays one value, wherever it stands.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(byte as char);
        } else {
            _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(url: &str) -> LinkTemplate {
        LinkTemplate { name: "x".into(), url: url.into(), on: Vec::new() }
    }

    fn filled(url: &str, values: &[(&str, &str)]) -> Option<String> {
        template(url).fill(LinkOn::Span, |name| {
            values.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn values_are_filled_in_where_all_are_there() {
        let url = "https://grafana.example/explore?t={trace_id}&c={attribute:customer.id}#s={start_ms}";
        let values = [("trace_id", "4bf9"), ("attribute:customer.id", "42"), ("start_ms", "17")];
        assert_eq!(filled(url, &values).unwrap(), "https://grafana.example/explore?t=4bf9&c=42#s=17");
        assert_eq!(filled(url, &values[..2]), None);
        assert_eq!(filled("https://a.example/{name}", &[("name", "")]), None);
        assert_eq!(filled("https://a.example/always", &[]), None, "what nothing fills in belongs nowhere");
        let on = LinkTemplate { on: vec![LinkOn::Log], ..template("https://a.example/{name}") };
        assert_eq!(on.fill(LinkOn::Span, |_| Some("x".into())), None);
        assert!(on.fill(LinkOn::Log, |_| Some("x".into())).is_some());
    }

    #[test]
    fn a_value_stays_one_value() {
        let url = "https://a.example/p/{name}?q={name}";
        for (value, encoded) in [
            ("a b&c=d#e?f", "a%20b%26c%3Dd%23e%3Ff"),
            ("../../admin", "..%2F..%2Fadmin"),
            ("\"><script>alert(1)</script>", "%22%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E"),
            ("javascript:alert(1)", "javascript%3Aalert%281%29"),
            ("@evil.example", "%40evil.example"),
            ("a\r\nb\u{0}", "a%0D%0Ab%00"),
            ("%2e%2e", "%252e%252e"),
            ("{trace_id}", "%7Btrace_id%7D"),
            ("결제", "%EA%B2%B0%EC%A0%9C"),
        ] {
            let expected = format!("https://a.example/p/{encoded}?q={encoded}");
            assert_eq!(filled(url, &[("name", value)]).as_deref(), Some(expected.as_str()), "{value}");
        }
        assert_eq!(filled(url, &[("name", "..")]), None);
        assert_eq!(filled(url, &[("name", ".")]), None);
        assert_eq!(filled(url, &[("name", &"x".repeat(5_000))]), None);
    }

    #[test]
    fn what_may_lead_elsewhere_is_refused() {
        for (url, says) in [
            ("javascript:alert({trace_id})", "https://"),
            ("data:text/html,{name}", "https://"),
            ("//a.example/{trace_id}", "https://"),
            ("HTTPS://a.example/{trace_id}", "https://"),
            ("https://{attribute:host}/x", "host"),
            ("https://a.example{name}/x", "host"),
            ("https://user@a.example/{name}", "host"),
            ("https:///{trace_id}", "host"),
            ("https://a.example/{trace_id", "not closed"),
            ("https://a.example/}{trace_id}", "not closed"),
            ("https://a.example/{trace_id{x}}", "not closed"),
            ("https://a.example/{traceid}", "no {traceid}"),
            ("https://a.example/{attribute:}", "no {attribute:}"),
            ("https://a.example/a b", "percent-encode"),
            ("https://a.example/\\evil", "percent-encode"),
        ] {
            let error = template(url).check().unwrap_err();
            assert!(error.contains(says), "{url}: {error}");
            assert_eq!(template(url).fill(LinkOn::Span, |_| Some("x".into())), None, "{url}");
        }
        assert!(LinkTemplate { name: " ".into(), ..template("https://a.example/{name}") }.check().is_err());
        assert!(template("http://a.example:3000?x={attribute:a b}").check().is_err(), "a blank is no part of it");
    }
}
