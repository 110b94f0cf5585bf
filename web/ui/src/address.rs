//! Where we are: a path and its parameters. The whole state of a page is here, so that a link carries it.

use std::fmt::Write;

/// Query parameters in their order; names are unique.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query string, with or without its `?`. A name given twice keeps its last value.
    pub fn parse(query: &str) -> Params {
        let mut params = Params::default();
        for pair in query.trim_start_matches('?').split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            params.set(&decode(name), Some(decode(value)));
        }
        params
    }

    /// A value; `None` when absent or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Sets a value, or takes it away.
    pub fn set(&mut self, name: &str, value: Option<String>) {
        let place = self.0.iter().position(|(key, _)| key == name);
        match (place, value.filter(|value| !value.is_empty())) {
            (Some(place), Some(value)) => self.0[place].1 = value,
            (None, Some(value)) => self.0.push((name.to_owned(), value)),
            (Some(place), None) => drop(self.0.remove(place)),
            (None, None) => {}
        }
    }

    /// Only the named ones.
    pub fn only(&self, names: &[&str]) -> Params {
        Params(self.0.iter().filter(|(key, _)| names.contains(&key.as_str())).cloned().collect())
    }

    /// With its `?`, or empty.
    pub fn query(&self) -> String {
        let mut out = String::new();
        for (name, value) in &self.0 {
            let _ = write!(out, "{}{}={}", if out.is_empty() { '?' } else { '&' }, encode(name), encode(value));
        }
        out
    }
}

/// A place in the dashboard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Decoded per segment only where a page asks for it.
    pub path: String,
    /// Parameters.
    pub params: Params,
}

impl Place {
    /// Reads `/path?query`.
    pub fn parse(address: &str) -> Place {
        let address = address.split('#').next().unwrap_or_default();
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        Place { path: path.to_owned(), params: Params::parse(query) }
    }

    /// As a link.
    pub fn href(&self) -> String {
        format!("{}{}", self.path, self.params.query())
    }

    /// Path segments, decoded.
    pub fn segments(&self) -> Vec<String> {
        self.path.split('/').filter(|segment| !segment.is_empty()).map(decode).collect()
    }
}

/// Percent-encodes everything a query value or path segment may not hold; `/`, `:`, `@` and `,` stay readable in queries.
pub fn encode(text: &str) -> String {
    encode_but(text, b"-_.~/:@,!=*")
}

/// Percent-encodes a path segment.
pub fn encode_segment(text: &str) -> String {
    encode_but(text, b"-_.~:@,!=*")
}

fn encode_but(text: &str, safe: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || safe.contains(&byte) {
            out.push(byte as char);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Undoes percent-encoding; `+` is a space. What is malformed stays as it is.
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |place: usize| bytes.get(place).and_then(|byte| (*byte as char).to_digit(16));
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (b'+', ..) => {
                out.push(b' ');
                at += 1;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_its_own_link() {
        let mut place = Place { path: "/services/shop%2Fcart@prod".into(), ..Place::default() };
        place.params.set("q", Some("a b&c=d+결제".into()));
        place.params.set("range", Some("30m".into()));
        let again = Place::parse(&place.href());
        assert_eq!(again, place);
        assert_eq!(again.segments(), ["services", "shop/cart@prod"]);
        assert_eq!(again.params.get("q"), Some("a b&c=d+결제"));
    }

    #[test]
    fn setting_nothing_takes_away() {
        let mut params = Params::parse("?a=1&b=2&a=3");
        assert_eq!(params.query(), "?a=3&b=2");
        params.set("a", None);
        params.set("b", Some(String::new()));
        assert_eq!(params.query(), "");
        assert_eq!(decode("100%"), "100%");
    }
}
