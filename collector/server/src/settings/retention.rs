//! How long telemetry is kept, as people write it.
//!
//! In the file either `retention = "30d"`, or a table:
//!
//! ```toml
//! [retention]
//! max_age = "30d"
//! traces  = { max_age = "7d", max_bytes = "20GiB" }
//! rules   = ["traces after 3d where service = 'checkout' and not error"]
//! ```

use super::positive;
use anyhow::{Context, Result, anyhow};
use orrery_model::Signal;
use orrery_query::retention::{Limit, Rule};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Retention {
    /// All signals; `None` for ever.
    pub(crate) max_age: Option<Duration>,
    /// Single signals.
    pub(crate) limits: BTreeMap<Signal, Limit>,
    /// Single rows.
    pub(crate) rules: Vec<Rule>,
    text: String,
}

/// In few words: `30d`, or `30d, traces 7d and 20GiB, 1 rule`.
impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// As the file has it; the flags have the same parts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub(crate) max_age: Option<String>,
    #[serde(default)]
    traces: LimitTable,
    #[serde(default)]
    logs: LimitTable,
    #[serde(default)]
    metrics: LimitTable,
    pub(crate) rules: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitTable {
    max_age: Option<String>,
    max_bytes: Option<String>,
}

impl Table {
    fn limit_mut(&mut self, signal: Signal) -> &mut LimitTable {
        match signal {
            Signal::Traces => &mut self.traces,
            Signal::Logs => &mut self.logs,
            Signal::Metrics => &mut self.metrics,
        }
    }

    /// Takes in a flag such as `traces=20GiB`.
    pub(crate) fn set_max_bytes(&mut self, text: &str) -> Result<()> {
        let parts = text.split_once('=');
        let (signal, bytes) = parts
            .and_then(|(signal, bytes)| Some((crate::api::export::signal(signal).ok()?, bytes)))
            .with_context(|| format!("retention_max_bytes {text}: write it like traces=20GiB"))?;
        self.limit_mut(signal).max_bytes = Some(bytes.to_owned());
        Ok(())
    }

    /// Checks everything.
    ///
    /// # Errors
    /// The key, what is wrong, and what would be right.
    pub(crate) fn parse(mut self) -> Result<Retention> {
        let general = self.max_age.take().unwrap_or_else(|| "30d".to_owned());
        let mut retention = Retention { max_age: age("retention", &general)?, text: general, ..Retention::default() };
        for signal in Signal::ALL {
            let LimitTable { max_age, max_bytes } = std::mem::take(self.limit_mut(signal));
            let key = |name| format!("retention.{signal}.{name}");
            let limit = Limit {
                max_age: max_age.as_deref().map(|text| positive(&key("max_age"), text)).transpose()?,
                max_bytes: max_bytes.as_deref().map(|text| bytes(&key("max_bytes"), text)).transpose()?,
            };
            if limit != Limit::default() {
                let parts: Vec<String> = max_age.into_iter().chain(max_bytes).collect();
                retention.text += &format!(", {signal} {}", parts.join(" and "));
                retention.limits.insert(signal, limit);
            }
        }
        for text in self.rules.unwrap_or_default() {
            let rule = text.parse().map_err(|error| anyhow!("retention.rules: `{text}`: {error}"))?;
            retention.rules.push(rule);
        }
        match retention.rules.len() {
            0 => {}
            1 => retention.text += ", 1 rule",
            many => retention.text += &format!(", {many} rules"),
        }
        Ok(retention)
    }
}

fn age(key: &str, text: &str) -> Result<Option<Duration>> {
    match text {
        "off" => Ok(None),
        text => {
            positive(key, text).map(Some).context("retention is a time such as 12h or 30d, or `off` to keep everything")
        }
    }
}

/// Reads a size: `512MiB`, `20GiB`, `1.5TB`, or a number of bytes.
///
/// # Errors
/// The key and what would be right.
pub(crate) fn bytes(key: &str, text: &str) -> Result<u64> {
    const UNITS: [(&str, f64); 10] = [
        ("", 1.0),
        ("B", 1.0),
        ("kB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("TB", 1e12),
        ("KiB", 1024.0),
        ("MiB", 1_048_576.0),
        ("GiB", 1_073_741_824.0),
        ("TiB", 1_099_511_627_776.0),
    ];
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let scale = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim())).map(|(_, scale)| scale);
    let size = scale.and_then(|scale| Some(number.parse::<f64>().ok()? * scale));
    size.map(|size| size as u64).with_context(|| format!("{key} = {text}: no size; write it like 512MiB or 20GiB"))
}

/// A time alone, or a table.
pub(super) fn either<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Table>, D::Error> {
    struct Either;
    impl<'de> Visitor<'de> for Either {
        type Value = Option<Table>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("retention as a time such as \"30d\", or a table")
        }

        fn visit_str<E>(self, text: &str) -> Result<Option<Table>, E> {
            Ok(Some(Table { max_age: Some(text.to_owned()), ..Table::default() }))
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<Table>, A::Error> {
            Table::deserialize(MapAccessDeserializer::new(map)).map(Some)
        }
    }
    from.deserialize_any(Either)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<Retention> {
        toml::from_str::<Table>(text)?.parse()
    }

    #[test]
    fn retention_is_a_time_or_off() {
        assert_eq!(table("max_age = \"30d\"").unwrap().max_age, Some(Duration::from_secs(30 * 86400)));
        assert_eq!(table("max_age = \"off\"").unwrap().max_age, None);
        for wrong in ["30", "0d", "never", ""] {
            assert!(table(&format!("max_age = \"{wrong}\"")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn signals_and_rules_have_bounds_of_their_own() {
        let retention = table(
            "traces = { max_age = \"7d\", max_bytes = \"1.5GiB\" }\nlogs.max_bytes = \"1000\"\n\
             rules = [\"traces after 3d where service = x and not error\"]",
        )
        .unwrap();
        let week = Some(Duration::from_secs(7 * 86400));
        assert_eq!(retention.limits[&Signal::Traces], Limit { max_age: week, max_bytes: Some(3 << 29) });
        assert_eq!(retention.limits[&Signal::Logs].max_bytes, Some(1000));
        assert_eq!(retention.rules[0].to_string(), "traces after 3d where service = 'x' and not error");
        assert_eq!(retention.to_string(), "30d, traces 7d and 1.5GiB, logs 1000, 1 rule");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_key_and_place() {
        for (text, says) in [
            ("traces.max_bytes = \"lots\"", "retention.traces.max_bytes = lots: no size; write it like 512MiB"),
            ("logs.max_age = \"0d\"", "retention.logs.max_age"),
            ("rules = [\"traces after 3d where eror\"]", "`traces after 3d where eror`: character 27: `=`"),
            ("trace.max_age = \"3d\"", "unknown field `trace`"),
        ] {
            let error = format!("{:#}", table(text).unwrap_err());
            assert!(error.contains(says), "{text}: {error}");
        }
        assert!(Table::default().set_max_bytes("spans=3GiB").unwrap_err().to_string().contains("traces=20GiB"));
    }
}
