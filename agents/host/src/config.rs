//! What the agent is to do. Read from a TOML file by [`Config::from_toml`], or filled in by a program.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// Everything that can be set, with its default. Unknown keys in a file are refused.
///
/// Durations in a file read like `"10s"` or `"500ms"`.
///
/// ```
/// let config = orrery_agent::Config::from_toml(r#"
///     otlp = "http://collector:4318"
///     interval = "30s"
///
///     [[log]]
///     glob = "/var/log/nginx/*.log"
///     service = "nginx"
///
///     [[check]]
///     name = "shop"
///     url = "http://127.0.0.1:8080/healthz"
/// "#)?;
/// assert_eq!(config.log[0].service.as_deref(), Some("nginx"));
/// # anyhow::Ok(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Base URL of an OTLP/HTTP server; `/v1/metrics` and `/v1/logs` are appended. Default `http://127.0.0.1:4318`.
    pub otlp: String,
    /// Headers sent with every request, such as `authorization`. Default none.
    pub headers: BTreeMap<String, String>,
    /// Time one request may take before it is sent again. Default 10 s.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// Time between two collections of metrics. At least 1 s, default 10 s.
    #[serde(with = "duration")]
    pub interval: Duration,
    /// Where log offsets and the instance id are kept; one agent per directory. Default: see [`default_state_dir`].
    pub state_dir: PathBuf,
    /// The host's root directory, for an agent in a container with the host mounted. Default `/`.
    pub host_root: PathBuf,
    /// Whether to collect host metrics. Default true.
    pub host_metrics: bool,
    /// How many processes to report by CPU, and as many by memory. 0 reports none. Default 10, at most 100.
    pub top_processes: usize,
    /// Docker's API socket; no container metrics if it does not exist. Empty turns them off.
    /// Default `/var/run/docker.sock`.
    pub docker_socket: PathBuf,
    /// Compressed bytes of metrics kept while the server is away; the oldest go first. Default 32 MiB.
    pub queue_bytes: usize,
    /// Log files to follow. Default none.
    pub log: Vec<LogSource>,
    /// Where to begin in files that exist when a glob is used for the first time. Default [`LogStart::End`].
    pub log_start: LogStart,
    /// Bytes of one log record kept; the rest is cut and the record marked. Default 64 KiB.
    pub log_record_bytes: usize,
    /// Most log files followed at a time, each an open file. Default 256.
    pub log_files: usize,
    /// Addresses to request once per interval. Default none.
    pub check: Vec<Check>,
}

/// Files that match one glob.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSource {
    /// Such as `/var/log/nginx/*.log`; `**` crosses directories.
    pub glob: String,
    /// `service.name` of the records. Default: the agent's own.
    #[serde(default)]
    pub service: Option<String>,
    /// A regular expression that a record's first line matches; other lines continue the record. Default: each line
    /// is a record.
    #[serde(default)]
    pub multiline_start: Option<String>,
}

/// Where to begin in a file never seen before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogStart {
    /// With what is already in it.
    Beginning,
    /// With what will be written.
    #[default]
    End,
}

/// An address to request, and what to call it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The `httpcheck.name` attribute.
    pub name: String,
    /// An `http://` or `https://` URL; requested with GET.
    pub url: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            otlp: "http://127.0.0.1:4318".to_owned(),
            headers: BTreeMap::new(),
            timeout: Duration::from_secs(10),
            interval: Duration::from_secs(10),
            state_dir: default_state_dir(),
            host_root: PathBuf::from("/"),
            host_metrics: true,
            top_processes: 10,
            docker_socket: PathBuf::from("/var/run/docker.sock"),
            queue_bytes: 32 << 20,
            log: Vec::new(),
            log_start: LogStart::default(),
            log_record_bytes: 64 << 10,
            log_files: 256,
            check: Vec::new(),
        }
    }
}

impl Config {
    /// Reads TOML.
    ///
    /// # Errors
    /// Names the line and the field that is unknown or has a wrong value.
    pub fn from_toml(content: &str) -> anyhow::Result<Self> {
        Ok(toml::from_str(content)?)
    }

    /// Checks what types cannot.
    ///
    /// # Errors
    /// Names the field and what is expected of it.
    pub fn validate(&self) -> anyhow::Result<()> {
        anyhow::ensure!(self.interval >= Duration::from_secs(1), "interval: at least 1s, not {:?}", self.interval);
        anyhow::ensure!(!self.timeout.is_zero(), "timeout: must not be 0");
        anyhow::ensure!(self.top_processes <= 100, "top_processes: at most 100, not {}", self.top_processes);
        anyhow::ensure!(self.log_record_bytes >= 256, "log_record_bytes: at least 256, not {}", self.log_record_bytes);
        anyhow::ensure!(self.queue_bytes >= 64 << 10, "queue_bytes: at least 65536, not {}", self.queue_bytes);
        for source in &self.log {
            glob::Pattern::new(&source.glob).with_context(|| format!("log.glob: {:?}", source.glob))?;
            if let Some(pattern) = &source.multiline_start {
                regex::Regex::new(pattern).with_context(|| format!("log.multiline_start: {pattern:?}"))?;
            }
        }
        for check in &self.check {
            let uri: hyper::Uri = check.url.parse().with_context(|| format!("check.url: {:?}", check.url))?;
            anyhow::ensure!(
                matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some(),
                "check.url: {:?} must begin with http:// or https://",
                check.url
            );
        }
        Ok(())
    }
}

/// `/var/lib/orrery-agent` for root, else `orrery-agent` under `$XDG_STATE_HOME` or `~/.local/state`.
pub fn default_state_dir() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/orrery-agent");
    }
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let base = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).or_else(home);
    base.unwrap_or_else(std::env::temp_dir).join("orrery-agent")
}

/// Durations as people write them.
mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_duration(*duration))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_duration(&text)
            .map_err(|error| D::Error::custom(format!("{text:?} is not a duration like \"10s\": {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(content: &str, names: &[&str]) {
        let error = Config::from_toml(content).and_then(|config| config.validate()).unwrap_err();
        let error = format!("{error:#}");
        for name in names {
            assert!(error.contains(name), "{content} should name {name}: {error}");
        }
    }

    #[test]
    fn wrong_files_are_refused_by_field() {
        check_refused("intervall = \"5s\"", &["intervall", "interval"]);
        check_refused("interval = \"fast\"", &["interval", "fast", "10s"]);
        check_refused("interval = \"10ms\"", &["interval", "1s"]);
        check_refused("[[log]]\nglob = \"/x\"\nservise = \"y\"", &["servise", "service"]);
        check_refused("[[log]]\nservice = \"y\"", &["glob"]);
        check_refused("[[log]]\nglob = \"/x\"\nmultiline_start = \"(\"", &["multiline_start"]);
        check_refused("[[check]]\nname = \"a\"\nurl = \"shop:80/x\"", &["check.url"]);
        check_refused("top_processes = 1000", &["top_processes", "100"]);
        check_refused("log_start = \"middle\"", &["log_start", "beginning", "end"]);
    }

    #[test]
    fn the_default_survives_a_file() {
        let config = Config::default();
        config.validate().unwrap();
        assert_eq!(Config::from_toml(&toml::to_string(&config).unwrap()).unwrap(), config);
        assert_eq!(Config::from_toml("").unwrap(), config);
    }

    #[test]
    fn the_example_shows_the_defaults_and_every_key() {
        let example = include_str!("../orrery-agent.toml");
        let state_dir = PathBuf::from("/var/lib/orrery-agent");
        assert_eq!(Config::from_toml(example).unwrap(), Config { state_dir: state_dir.clone(), ..Config::default() });
        let all: String = example.lines().map(|line| line.trim_start_matches("# ").to_owned() + "\n").skip(2).collect();
        let uncommented = Config::from_toml(&all).unwrap();
        uncommented.validate().unwrap();
        assert_eq!((uncommented.log.len(), uncommented.check.len(), uncommented.headers.len()), (1, 1, 1));
        let keys = toml::Value::try_from(Config { state_dir, ..Config::default() }).unwrap();
        for key in keys.as_table().unwrap().keys() {
            assert!(example.contains(&format!("{key} =")) || example.contains(&format!("[{key}]")), "{key}");
        }
    }
}
