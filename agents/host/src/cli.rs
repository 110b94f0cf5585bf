//! The command line: flags over environment over file over defaults.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{ArgAction, Parser, ValueEnum};
use orrery_agent::{Check, Config, LogSource, LogStart};

/// Ships this machine's metrics, logs, containers and HTTP checks to an OpenTelemetry collector.
#[derive(Debug, Parser)]
#[command(name = "orrery-agent", version, disable_help_flag = true, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// TOML file with any of these settings, and a few more
    #[arg(long, value_name = "FILE", env = "ORRERY_AGENT_CONFIG", hide_env = true)]
    config: Option<PathBuf>,

    /// OTLP/HTTP server to send to [default: http://127.0.0.1:4318]
    #[arg(long, value_name = "URL", env = "ORRERY_AGENT_OTLP", hide_env = true)]
    otlp: Option<String>,

    /// Sent with every request, such as authorization="Bearer ..."; repeatable
    #[arg(long = "header", value_name = "NAME=VALUE", env = "ORRERY_AGENT_HEADERS", hide_env = true, value_delimiter = ',', value_parser = pair)]
    headers: Vec<(String, String)>,

    /// Time between two collections [default: 10s]
    #[arg(long, value_name = "TIME", env = "ORRERY_AGENT_INTERVAL", hide_env = true, value_parser = humantime::parse_duration)]
    interval: Option<Duration>,

    /// Where log offsets are kept [default: /var/lib/orrery-agent, or ~/.local/state/orrery-agent]
    #[arg(long, value_name = "DIR", env = "ORRERY_AGENT_STATE_DIR", hide_env = true)]
    state_dir: Option<PathBuf>,

    /// Follow log files, optionally as a service's: nginx=/var/log/nginx/*.log; repeatable
    #[arg(
        long = "log",
        value_name = "[SERVICE=]GLOB",
        env = "ORRERY_AGENT_LOGS",
        hide_env = true,
        value_delimiter = ',',
        help_heading = "Logs"
    )]
    logs: Vec<String>,

    /// Where to begin in files that are there at first [default: end]
    #[arg(long, value_name = "WHERE", env = "ORRERY_AGENT_LOG_START", hide_env = true, help_heading = "Logs")]
    log_start: Option<Start>,

    /// First line of a record; other lines continue it. For all --log globs
    #[arg(
        long,
        value_name = "REGEX",
        env = "ORRERY_AGENT_LOG_MULTILINE_START",
        hide_env = true,
        help_heading = "Logs"
    )]
    log_multiline_start: Option<String>,

    /// Request a URL once per interval; repeatable
    #[arg(long = "check", value_name = "NAME=URL", env = "ORRERY_AGENT_CHECKS", hide_env = true, value_delimiter = ',', value_parser = pair, help_heading = "Metrics")]
    checks: Vec<(String, String)>,

    /// Processes reported by CPU, and as many by memory [default: 10]
    #[arg(long, value_name = "N", env = "ORRERY_AGENT_TOP_PROCESSES", hide_env = true, help_heading = "Metrics")]
    top_processes: Option<usize>,

    /// Docker's API socket; "" for no containers [default: /var/run/docker.sock]
    #[arg(long, value_name = "PATH", env = "ORRERY_AGENT_DOCKER_SOCKET", hide_env = true, value_parser = any_path, help_heading = "Metrics")]
    docker_socket: Option<PathBuf>,

    /// Root of the host to read, when it is mounted into the agent's container [default: /]
    #[arg(long, value_name = "DIR", env = "ORRERY_AGENT_HOST_ROOT", hide_env = true, help_heading = "Metrics")]
    host_root: Option<PathBuf>,

    /// Collect once, print it, and exit
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    pub(crate) once: Option<Format>,

    /// Print help
    #[arg(short, long, action = ArgAction::HelpShort)]
    help: Option<bool>,
}

const AFTER_HELP: &str = "\
Examples:
  orrery-agent
      Sends host metrics (and Docker's, if it runs) to an Orrery on this machine.
  orrery-agent --otlp https://orrery.example.com:4318 --log 'nginx=/var/log/nginx/*.log'
      Sends to another machine, and follows nginx's logs.
  orrery-agent --once --check shop=http://127.0.0.1:8080/healthz
      Shows what would be sent.

Every flag is also a variable: --state-dir is ORRERY_AGENT_STATE_DIR; repeatable ones are plural and
take commas (ORRERY_AGENT_LOGS, _CHECKS, _HEADERS). Flags win over variables, variables over the file.
RUST_LOG=debug says more.";

/// How `--once` prints.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// `--log-start`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Start {
    Beginning,
    End,
}

impl Cli {
    /// The settings that result.
    ///
    /// # Errors
    /// The file cannot be read or is wrong; the message names file and field.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        let mut config = match &self.config {
            None => Config::default(),
            Some(path) => {
                let content = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
                Config::from_toml(&content).with_context(|| format!("{}", path.display()))?
            }
        };
        self.apply(&mut config);
        Ok(config)
    }

    fn apply(&self, config: &mut Config) {
        set(&mut config.otlp, self.otlp.as_ref());
        set(&mut config.interval, self.interval.as_ref());
        set(&mut config.state_dir, self.state_dir.as_ref());
        set(&mut config.top_processes, self.top_processes.as_ref());
        set(&mut config.docker_socket, self.docker_socket.as_ref());
        set(&mut config.host_root, self.host_root.as_ref());
        config.headers.extend(self.headers.iter().cloned());
        if let Some(start) = self.log_start {
            config.log_start = match start {
                Start::Beginning => LogStart::Beginning,
                Start::End => LogStart::End,
            };
        }
        if !self.logs.is_empty() {
            config.log = self.logs.iter().map(|log| log_source(log)).collect();
        }
        if let Some(pattern) = &self.log_multiline_start {
            config.log.iter_mut().for_each(|source| source.multiline_start = Some(pattern.clone()));
        }
        if !self.checks.is_empty() {
            config.check = self.checks.iter().cloned().map(|(name, url)| Check { name, url }).collect();
        }
    }
}

fn set<T: Clone>(setting: &mut T, flag: Option<&T>) {
    if let Some(value) = flag {
        setting.clone_from(value);
    }
}

/// Unlike clap's own parser, takes an empty path too.
fn any_path(text: &str) -> Result<PathBuf, std::convert::Infallible> {
    Ok(PathBuf::from(text))
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// A service name has no slash, so what stands before `=` is one only then.
fn log_source(text: &str) -> LogSource {
    let (service, glob) = match text.split_once('=') {
        Some((service, glob)) if !service.is_empty() && !service.contains('/') => (Some(service.to_owned()), glob),
        _ => (None, text),
    };
    LogSource { glob: glob.to_owned(), service, multiline_start: None }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn config(arguments: &[&str]) -> Config {
        Cli::try_parse_from([&["orrery-agent"], arguments].concat()).unwrap().config().unwrap()
    }

    #[test]
    fn the_command_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_win_over_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "otlp = \"http://a:1\"\ninterval = \"30s\"\n[[log]]\nglob = \"/a\"\n").unwrap();
        let path = file.path().to_str().unwrap();
        let config = config(&["--config", path, "--otlp", "http://b:2", "--log", "web=/b/*.log", "--log", "/c=d"]);
        assert_eq!((config.otlp.as_str(), config.interval), ("http://b:2", Duration::from_secs(30)));
        let logs: Vec<_> = config.log.iter().map(|log| (log.service.as_deref(), log.glob.as_str())).collect();
        assert_eq!(logs, [(Some("web"), "/b/*.log"), (None, "/c=d")]);
    }

    #[test]
    fn an_unknown_key_names_file_and_field() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "otpl = \"http://a:1\"\n").unwrap();
        let cli = Cli::try_parse_from(["orrery-agent", "--config", file.path().to_str().unwrap()]).unwrap();
        let error = format!("{:#}", cli.config().unwrap_err());
        assert!(error.contains("otpl") && error.contains(file.path().to_str().unwrap()), "{error}");
    }

    #[test]
    fn pairs_are_checked() {
        assert!(Cli::try_parse_from(["orrery-agent", "--check", "nourl"]).is_err());
        assert_eq!(config(&["--check", "a=http://x/?b=c"]).check[0].url, "http://x/?b=c");
    }
}
