//! What the shop can be told.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// How to run the shop. `Default` is a working shop on loopback with embedded stores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// OTLP/gRPC endpoint everything is sent to. Default `http://127.0.0.1:4317`.
    pub otlp: String,
    /// Interface the services listen on, each on a free port. Default `127.0.0.1`.
    pub host: IpAddr,
    /// Address of the control API; port 0 picks a free one. Default `127.0.0.1:7090`.
    pub control: SocketAddr,
    /// Mean requests per second at the gateway, all clients together. Traffic swings around it by
    /// ±40 % over three minutes. 0 sends none. Default 36.
    pub rate: f64,
    /// Life of an access token in seconds. Default 60.
    pub token_ttl_seconds: u64,
    /// Real servers to use instead of the embedded stores.
    pub stores: Stores,
    /// The schedule of faults.
    pub faults: FaultPlan,
}

/// Real servers. A missing one is replaced by an embedded store that says so in its telemetry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stores {
    /// `postgres://user:password@host:port/database`; the user may create databases: each service
    /// gets its own, `shop_<service>`. Without it: SQLite in memory, one per service.
    pub postgres: Option<String>,
    /// `redis://host:port`; carts use database 0, sessions 1. Without it: a map in this process.
    pub redis: Option<String>,
    /// `nats://host:port` of a server with JetStream (`nats-server -js`). Without it: a queue in this
    /// process, which therefore cannot join services that run as separate processes.
    pub nats: Option<String>,
}

/// When faults come by themselves: one at a time, through all kinds, for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultPlan {
    /// Off leaves only what is injected through the control API. Default on.
    pub enabled: bool,
    /// Seconds from start to the first fault. Default 40.
    pub first_after_seconds: u64,
    /// Seconds each fault lasts. Default 45.
    pub lasting_seconds: u64,
    /// Quiet seconds between two faults. Default 45.
    pub quiet_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            otlp: "http://127.0.0.1:4317".into(),
            host: Ipv4Addr::LOCALHOST.into(),
            control: SocketAddr::from((Ipv4Addr::LOCALHOST, 7090)),
            rate: 36.0,
            token_ttl_seconds: 60,
            stores: Stores::default(),
            faults: FaultPlan::default(),
        }
    }
}

impl Default for FaultPlan {
    fn default() -> Self {
        Self { enabled: true, first_after_seconds: 40, lasting_seconds: 45, quiet_seconds: 45 }
    }
}

/// A setting the shop cannot run with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}; {fix}")]
pub struct ConfigError {
    /// The field, as in the configuration file.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
    /// What to write instead.
    pub fix: &'static str,
}

impl Config {
    /// Checks everything that can be checked without touching the network.
    ///
    /// # Errors
    /// The first [`ConfigError`], which names the field and the fix.
    pub fn validate(&self) -> Result<(), ConfigError> {
        url("otlp", &self.otlp, &["http"], "write it like http://127.0.0.1:4317")?;
        let stores = &self.stores;
        let known: [(_, &Option<String>, &[&str], _); 3] = [
            (
                "stores.postgres",
                &stores.postgres,
                &["postgres", "postgresql"],
                "write it like postgres://user:password@host:5432/postgres",
            ),
            ("stores.redis", &stores.redis, &["redis"], "write it like redis://host:6379"),
            ("stores.nats", &stores.nats, &["nats"], "write it like nats://host:4222"),
        ];
        for (field, value, schemes, fix) in known {
            if let Some(value) = value {
                url(field, value, schemes, fix)?;
            }
        }
        within("rate", self.rate, 0.0, 2000.0, "give requests per second from 0 to 2000")?;
        within("token_ttl_seconds", self.token_ttl_seconds as f64, 1.0, 86_400.0, "give seconds from 1 to 86400")?;
        within(
            "faults.lasting_seconds",
            self.faults.lasting_seconds as f64,
            1.0,
            3600.0,
            "give seconds from 1 to 3600",
        )?;
        within(
            "faults.quiet_seconds",
            self.faults.quiet_seconds as f64,
            0.0,
            86_400.0,
            "give seconds from 0 to 86400",
        )?;
        within(
            "faults.first_after_seconds",
            self.faults.first_after_seconds as f64,
            0.0,
            86_400.0,
            "give seconds from 0 to 86400",
        )
    }
}

fn within(field: &'static str, value: f64, low: f64, high: f64, fix: &'static str) -> Result<(), ConfigError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(ConfigError { field, problem: format!("{value} is out of range"), fix })
}

/// Accepts `scheme://host…` with one of the schemes.
pub(crate) fn url(field: &'static str, value: &str, schemes: &[&str], fix: &'static str) -> Result<(), ConfigError> {
    let problem = match value.parse::<reqwest::Url>() {
        Ok(url) if schemes.contains(&url.scheme()) && url.has_host() => return Ok(()),
        Ok(url) if !schemes.contains(&url.scheme()) => format!("scheme {:?} is not supported", url.scheme()),
        Ok(_) => "has no host".into(),
        Err(error) => format!("{value:?} is not a URL ({error})"),
    };
    Err(ConfigError { field, problem, fix })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(change: impl FnOnce(&mut Config), field: &str) {
        let mut config = Config::default();
        change(&mut config);
        let error = config.validate().unwrap_err();
        assert_eq!(error.field, field, "{error}");
        assert!(!error.fix.is_empty() && error.to_string().contains(field));
    }

    #[test]
    fn the_default_is_valid() {
        assert_eq!(Config::default().validate(), Ok(()));
    }

    #[test]
    fn every_bad_field_is_named() {
        check_refused(|c| c.otlp = "127.0.0.1:4317".into(), "otlp");
        check_refused(|c| c.otlp = "https://collector:4317".into(), "otlp");
        check_refused(|c| c.stores.postgres = Some("mysql://x".into()), "stores.postgres");
        check_refused(|c| c.stores.redis = Some("localhost".into()), "stores.redis");
        check_refused(|c| c.stores.nats = Some("".into()), "stores.nats");
        check_refused(|c| c.rate = -1.0, "rate");
        check_refused(|c| c.rate = f64::NAN, "rate");
        check_refused(|c| c.token_ttl_seconds = 0, "token_ttl_seconds");
        check_refused(|c| c.faults.lasting_seconds = 0, "faults.lasting_seconds");
        check_refused(|c| c.faults.quiet_seconds = 100_000, "faults.quiet_seconds");
    }

    #[test]
    fn unknown_keys_are_refused() {
        let error = serde_json::from_str::<Config>(r#"{"rat": 3}"#).unwrap_err();
        assert!(error.to_string().contains("rat"), "{error}");
    }
}
