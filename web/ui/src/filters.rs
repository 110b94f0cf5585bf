//! Filters of log records: words of the filter bar, parameters of the address, which are those of the API.
//!
//! One word is one filter: `service:cart`, `severity:warn`, `trace_id:…`, `http.route=/cart`, `http.route!=/health`;
//! anything else is text.

use crate::address::Params;

/// Parts an address joins several attributes with.
const AND: &str = " && ";

/// Parameters of the address, in the order of their chips.
pub const NAMES: [&str; 5] = ["service", "severity", "trace_id", "attr", "text"];

/// One filter: the parameter of the address it lives in, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Parameter of the address.
    pub name: &'static str,
    /// Value, or one of the attributes.
    pub value: String,
}

/// Filters of an address, as chips.
pub fn filters(params: &Params) -> Vec<Filter> {
    let mut filters = Vec::new();
    for name in NAMES {
        let Some(value) = params.get(name) else { continue };
        match name {
            "attr" => filters.extend(value.split(AND).map(|value| Filter { name: "attr", value: value.to_owned() })),
            name => filters.push(Filter { name, value: value.to_owned() }),
        }
    }
    filters
}

/// Filters as parameters of the API.
pub fn query(params: &Params) -> Vec<(&'static str, String)> {
    filters(params).into_iter().map(|filter| (filter.name, filter.value)).collect()
}

/// Reads what was typed. Words that are no filter become text.
pub fn parse(typed: &str) -> Vec<Filter> {
    let mut filters = Vec::new();
    let mut text = Vec::new();
    for word in words(typed) {
        match filter(&word) {
            Some(filter) => filters.push(filter),
            None => text.push(word),
        }
    }
    if !text.is_empty() {
        filters.push(Filter { name: "text", value: text.join(" ") });
    }
    filters
}

fn filter(word: &str) -> Option<Filter> {
    let at = word.find([':', '=']).filter(|at| *at > 0 && *at + 1 < word.len())?;
    let (key, value) = (word[..at].trim_end_matches('!'), &word[at + 1..]);
    let negated = word[..at].ends_with('!');
    let named = match key {
        "service" | "service.name" => Some("service"),
        "severity" | "level" => Some("severity"),
        "trace" | "trace_id" => Some("trace_id"),
        _ => None,
    };
    match named {
        Some(name) if !negated => Some(Filter { name, value: value.to_owned() }),
        _ if word[at..].starts_with('=') => Some(Filter { name: "attr", value: word.to_owned() }),
        _ => None,
    }
}

/// The change of the address that adds a filter: another attribute, or another value of the parameter.
pub fn added(params: &Params, filter: &Filter) -> (&'static str, Option<String>) {
    let value = match (filter.name, params.get("attr")) {
        ("attr", Some(old)) if old.split(AND).any(|one| one == filter.value) => old.to_owned(),
        ("attr", Some(old)) => format!("{old}{AND}{}", filter.value),
        _ => filter.value.clone(),
    };
    (filter.name, Some(value))
}

/// The change of the address that takes a filter away.
pub fn removed(params: &Params, filter: &Filter) -> (&'static str, Option<String>) {
    let rest = |old: &str| old.split(AND).filter(|one| *one != filter.value).collect::<Vec<_>>().join(AND);
    (filter.name, if filter.name == "attr" { params.get("attr").map(rest) } else { None })
}

/// Splits at spaces outside of double quotes, which are taken away.
fn words(typed: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quoted) = (String::new(), false);
    for c in typed.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// The trace id that a text is: 32 hexadecimal digits, also as a UUID, in a `traceparent`, or as `1-…` with its time apart.
pub fn trace_id(text: &str) -> Option<String> {
    let text = text.trim().trim_matches(['"', '\'', '`']);
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
        return None;
    }
    let parts: Vec<&str> = text.split('-').collect();
    let is_whole = |id: &String| id.len() == 32;
    let whole = parts.iter().find(|part| part.len() == 32).map(|part| (*part).to_owned());
    let id =
        whole.or_else(|| Some(parts.concat()).filter(is_whole)).or_else(|| Some(parts[1..].concat()).filter(is_whole));
    id.map(|id| id.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(typed: &str) -> String {
        parse(typed).iter().map(|filter| format!("{}[{}]", filter.name, filter.value)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_are_filters() {
        assert_eq!(parsed("service:cart level:error"), "service[cart] severity[error]");
        assert_eq!(parsed("http.route=\"/a b:c\" x!=1"), "attr[http.route=/a b:c] attr[x!=1]");
        assert_eq!(parsed("card declined level:warn for"), "severity[warn] text[card declined for]");
        assert_eq!(parsed("http://x service:"), "text[http://x service:]");
    }

    #[test]
    fn attributes_share_a_parameter() {
        let mut params = Params::default();
        for value in ["a=1", "b=2 c", "a=1"] {
            let (name, value) = added(&params, &Filter { name: "attr", value: value.into() });
            params.set(name, value);
        }
        assert_eq!(params.get("attr"), Some("a=1 && b=2 c"));
        let chips = filters(&params);
        assert_eq!(chips.len(), 2);
        assert_eq!(query(&params), [("attr", "a=1".to_owned()), ("attr", "b=2 c".to_owned())]);
        let (name, value) = removed(&params, &chips[0]);
        params.set(name, value);
        assert_eq!(params.get("attr"), Some("b=2 c"));
    }

    #[test]
    fn trace_ids_are_recognised() {
        assert_eq!(trace_id(" 4BF92F3577B34DA6A3CE929D0E0E4736 ").as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        let id = Some("4bf92f3577b34da6a3ce929d0e0e4736");
        for spelt in [
            "\"4bf92f3577b34da6a3ce929d0e0e4736\"",
            "4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "1-4bf92f35-77b34da6a3ce929d0e0e4736",
        ] {
            assert_eq!(trace_id(spelt).as_deref(), id, "{spelt}");
        }
        assert_eq!(trace_id("4bf9"), None);
        assert_eq!(trace_id("{ trace:id = 4bf92f3577b34da6a3ce929d0e0e4736 }"), None);
    }
}
