//! Query parameters: declared once per endpoint, checked here, documented from the same declaration.

use crate::api::failure::Failure;
use crate::api::moment;
use orrery_model::{ServiceKey, Severity, TraceId};
use orrery_query::TimeRange;
use orrery_query::plan::{AttributeFilter, ServiceMatch};

/// What a parameter is.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "what only the OpenAPI document says, a test writes"))]
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does, what it accepts, its default.
    pub(crate) about: &'static str,
    /// One valid value.
    pub(crate) example: &'static str,
    /// Whether it must be given.
    pub(crate) required: bool,
    /// Whether it may be given several times.
    pub(crate) repeated: bool,
}

impl Parameter {
    pub(crate) const fn new(name: &'static str, example: &'static str, about: &'static str) -> Parameter {
        Parameter { name, about, example, required: false, repeated: false }
    }

    pub(crate) const fn required(mut self) -> Parameter {
        self.required = true;
        self
    }

    pub(crate) const fn repeated(mut self) -> Parameter {
        self.repeated = true;
        self
    }
}

pub(crate) const FROM: Parameter = Parameter::new(
    "from",
    "now-15m",
    "First instant inside: Unix nanoseconds, RFC 3339, or relative like `now-15m`. Default: 15 minutes before `to`.",
);
pub(crate) const TO: Parameter = Parameter::new("to", "now", "First instant after, written like `from`. Default: now.");
pub(crate) const COMPARE_FROM: Parameter = Parameter::new(
    "compare_from",
    "now-30m",
    "First instant of the range compared with, written like `from`. Default: as long before `compare_to` as `from` is before `to`.",
);
pub(crate) const COMPARE_TO: Parameter =
    Parameter::new("compare_to", "now-15m", "First instant after the range compared with. Default: `from`.");
pub(crate) const ENVIRONMENT: Parameter =
    Parameter::new("environment", "production", "Only this `deployment.environment.name`.");
pub(crate) const SERVICE: Parameter =
    Parameter::new("service", "cart", "Only this service: its name, or its id `namespace/name@environment`.");
pub(crate) const CURSOR: Parameter =
    Parameter::new("cursor", "", "`next_cursor` of the previous page, with all other parameters unchanged.");
pub(crate) const TRACE_ID: Parameter =
    Parameter::new("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736", "Only of this trace.");
pub(crate) const ATTR: Parameter = Parameter::new(
    "attr",
    "http.route=/cart",
    "`key=value`, or `key!=value` to exclude; may be repeated, all must hold. An attribute of the item or its resource, compared as text.",
)
.repeated();

/// The checked query string of one request.
#[derive(Debug)]
pub(crate) struct Params {
    pairs: Vec<(&'static str, String)>,
    now: i64,
}

const DEFAULT_RANGE_NANOS: i64 = 15 * 60 * 1_000_000_000;

impl Params {
    /// Splits a query string and refuses what the endpoint does not know, what is given twice, and what is missing.
    /// Empty values count as absent. `now` is the request's clock, Unix nanoseconds.
    pub(crate) fn parse(query: &str, known: &[Parameter], now: i64) -> Result<Params, Failure> {
        let mut pairs: Vec<(&'static str, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
            let Some(parameter) = known.iter().find(|parameter| parameter.name == name) else {
                return Err(unknown(&name, known));
            };
            if !parameter.repeated && pairs.iter().any(|(seen, _)| *seen == name) {
                return Err(Failure::invalid(&name, format!("`{name}` is given twice; give it once")));
            }
            if !value.is_empty() {
                pairs.push((parameter.name, value));
            }
        }
        let params = Params { pairs, now };
        match known.iter().find(|parameter| parameter.required && params.text(parameter.name).is_none()) {
            Some(missing) => Err(Failure::invalid(
                missing.name,
                format!("`{}` is required, for example `{}={}`", missing.name, missing.name, missing.example),
            )),
            None => Ok(params),
        }
    }

    /// The request's clock, Unix nanoseconds.
    pub(crate) fn now(&self) -> i64 {
        self.now
    }

    /// A value as it came.
    pub(crate) fn text(&self, name: &'static str) -> Option<&str> {
        self.all(name).next()
    }

    /// A value of its own.
    pub(crate) fn owned(&self, name: &'static str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// All values of a repeated parameter.
    pub(crate) fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(move |(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    /// `from` and `to`; the last 15 minutes by default.
    pub(crate) fn range(&self) -> Result<TimeRange, Failure> {
        self.range_of([FROM.name, TO.name], self.now, DEFAULT_RANGE_NANOS)
    }

    /// `compare_from` and `compare_to`; by default what lies just before a range, as long.
    pub(crate) fn compared_range(&self, range: TimeRange) -> Result<TimeRange, Failure> {
        self.range_of([COMPARE_FROM.name, COMPARE_TO.name], range.from, range.to.saturating_sub(range.from))
    }

    fn range_of(&self, [first, last]: [&'static str; 2], end: i64, length: i64) -> Result<TimeRange, Failure> {
        let instant = |name: &'static str| self.parsed(name, |text| moment::instant(text, self.now));
        let to = instant(last)?.unwrap_or(end);
        let from = instant(first)?.unwrap_or(to.saturating_sub(length));
        TimeRange::new(from, to)
            .ok_or_else(|| Failure::invalid(first, format!("`{first}` ({from}) must lie before `{last}` ({to})")))
    }

    /// A whole number within bounds.
    pub(crate) fn number(
        &self,
        name: &'static str,
        allowed: std::ops::RangeInclusive<u32>,
        default: u32,
    ) -> Result<u32, Failure> {
        let (low, high) = (*allowed.start(), *allowed.end());
        let parse = |text: &str| {
            text.parse()
                .ok()
                .filter(|value| allowed.contains(value))
                .ok_or_else(|| format!("`{text}` is no whole number from {low} to {high}"))
        };
        Ok(self.parsed(name, parse)?.unwrap_or(default))
    }

    /// A duration in nanoseconds.
    pub(crate) fn duration(&self, name: &'static str) -> Result<Option<i64>, Failure> {
        self.parsed(name, moment::duration_nanos)
    }

    /// `service` as name or id.
    pub(crate) fn service(&self) -> Option<ServiceMatch> {
        self.text(SERVICE.name).map(service_match)
    }

    /// All `attr` equalities.
    pub(crate) fn attributes(&self) -> Result<Vec<AttributeFilter>, Failure> {
        let filter = |text| attribute(text).map_err(|detail| Failure::invalid(ATTR.name, detail));
        self.all(ATTR.name).map(filter).collect()
    }

    /// `trace_id`.
    pub(crate) fn trace_id(&self) -> Result<Option<TraceId>, Failure> {
        self.parsed(TRACE_ID.name, trace_id)
    }

    /// `severity`: that level or worse.
    pub(crate) fn severity(&self) -> Result<Option<Severity>, Failure> {
        self.parsed("severity", severity)
    }

    /// A value through a parser that says what would be right.
    pub(crate) fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Failure> {
        self.text(name).map(parse).transpose().map_err(|detail| Failure::invalid(name, detail))
    }
}

/// A service by name, or by id when the text has the marks of one.
pub(crate) fn service_match(text: &str) -> ServiceMatch {
    if text.contains(['/', '@', '%']) {
        ServiceMatch::Key(ServiceKey::parse(text))
    } else {
        ServiceMatch::Name(text.to_owned())
    }
}

/// A level by its lower-case name.
pub(crate) fn severity(text: &str) -> Result<Severity, String> {
    Severity::ALL
        .into_iter()
        .find(|level| level.as_str().eq_ignore_ascii_case(text))
        .ok_or_else(|| format!("`{text}` is no level; one of {}", Severity::ALL.map(Severity::as_str).join(", ")))
}

/// A trace id in hexadecimal.
pub(crate) fn trace_id(text: &str) -> Result<TraceId, String> {
    text.parse().map_err(|error| format!("`{text}` is no trace id: {error}"))
}

/// One `attr` equality.
pub(crate) fn attribute(text: &str) -> Result<AttributeFilter, String> {
    let wrong = || format!("`{text}` is no filter; write key=value, or key!=value to exclude");
    let (key, value) = text.split_once('=').ok_or_else(wrong)?;
    let (key, negated) = key.strip_suffix('!').map_or((key, false), |key| (key, true));
    if key.is_empty() {
        return Err(wrong());
    }
    Ok(AttributeFilter { key: key.to_owned(), value: value.to_owned(), negated })
}

fn unknown(name: &str, known: &[Parameter]) -> Failure {
    let names = known.iter().map(|parameter| parameter.name);
    let detail = match (crate::nearest::nearest(name, names.clone()), known.is_empty()) {
        (_, true) => "this path takes no parameters".to_owned(),
        (Some(near), _) => format!("there is no parameter `{name}`; did you mean `{near}`?"),
        (None, _) => format!("there is no parameter `{name}`; known are {}", names.collect::<Vec<_>>().join(", ")),
    };
    Failure::invalid(name, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Parameter] = &[
        FROM,
        TO,
        COMPARE_FROM,
        COMPARE_TO,
        SERVICE,
        ATTR,
        Parameter::new("limit", "50", ""),
        Parameter::new("severity", "warn", ""),
    ];
    const NOW: i64 = 1_763_600_000_000_000_000;

    fn parse(query: &str) -> Params {
        Params::parse(query, KNOWN, NOW).unwrap()
    }

    fn check_refused(query: &str, field: &str, says: &str) {
        let failure = Params::parse(query, KNOWN, NOW).and_then(|params| {
            let range = params.range()?;
            params.compared_range(range)?;
            params.number("limit", 1..=1000, 50)?;
            params.severity()?;
            params.attributes()
        });
        let Err(Failure::Invalid { field: at, detail }) = failure else { panic!("{query}: {failure:?}") };
        assert_eq!(at, field, "{query}");
        assert!(detail.contains(says), "{query}: {detail}");
    }

    #[test]
    fn the_last_quarter_of_an_hour_by_default() {
        assert_eq!(parse("").range().unwrap(), TimeRange { from: NOW - DEFAULT_RANGE_NANOS, to: NOW });
        assert_eq!(parse("from=&to=").range().unwrap(), TimeRange { from: NOW - DEFAULT_RANGE_NANOS, to: NOW });
        assert_eq!(
            parse("from=now-1h&to=now-30m").range().unwrap(),
            TimeRange { from: NOW - 3_600_000_000_000, to: NOW - 1_800_000_000_000 }
        );
    }

    #[test]
    fn a_range_is_compared_with_what_came_before_it_by_default() {
        const HOUR: i64 = 3_600_000_000_000;
        let compared = |query: &str| {
            let params = parse(query);
            params.compared_range(params.range().unwrap()).unwrap()
        };
        assert_eq!(compared("from=now-1h"), TimeRange { from: NOW - 2 * HOUR, to: NOW - HOUR });
        assert_eq!(
            compared("from=now-1h&compare_to=now-24h"),
            TimeRange { from: NOW - 25 * HOUR, to: NOW - 24 * HOUR }
        );
        let both = "from=now-1h&compare_from=now-5h&compare_to=now-3h";
        assert_eq!(compared(both), TimeRange { from: NOW - 5 * HOUR, to: NOW - 3 * HOUR });
    }

    #[test]
    fn what_is_wrong_is_named_with_the_fix() {
        check_refused("form=now-1h", "form", "`from`");
        check_refused("from=now&to=now-1h", "from", "before");
        check_refused("compare_from=now-1h&compare_to=now-2h", "compare_from", "before `compare_to`");
        check_refused("from=soon", "from", "now-15m");
        check_refused("limit=0", "limit", "1 to 1000");
        check_refused("limit=5&limit=6", "limit", "twice");
        check_refused("severity=bad", "severity", "warn");
        check_refused("attr=novalue", "attr", "key=value");
        check_refused("zzz=1", "zzz", "known are");
    }

    #[test]
    fn attributes_may_contain_anything_after_the_first_equals_sign() {
        let filters = parse("attr=url.query%3Da%3Db&attr=env!%3Dprod&attr=empty%3D").attributes().unwrap();
        let filter =
            |key: &str, value: &str, negated| AttributeFilter { key: key.into(), value: value.into(), negated };
        assert_eq!(
            filters,
            [filter("url.query", "a=b", false), filter("env", "prod", true), filter("empty", "", false)]
        );
    }

    #[test]
    fn a_service_is_named_or_identified() {
        assert_eq!(parse("service=cart").service(), Some(ServiceMatch::Name("cart".into())));
        assert_eq!(
            parse("service=shop/cart%40prod").service(),
            Some(ServiceMatch::Key(ServiceKey {
                namespace: "shop".into(),
                name: "cart".into(),
                environment: "prod".into()
            }))
        );
    }
}
