//! The command line. Every flag is also an environment variable and a key of the configuration file.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

const ABOUT: &str = "Orrery: service map, traces, logs, metrics and health of your services, in one binary";

const EXAMPLES: &str = "\
Examples:
  orrery demo                                  see it at work: a small shop that ships its telemetry here
  orrery serve                                 start; then point OTLP at 127.0.0.1:4317 (gRPC) or :4318 (HTTP)
  orrery serve --data-dir /var/lib/orrery --retention 14d
  orrery serve --http 0.0.0.0:7070 --otlp-grpc 0.0.0.0:4317 --otlp-http 0.0.0.0:4318
  orrery serve --config /etc/orrery.toml       see `orrery serve --help` for the keys

Your services need only the standard variable:
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318";

const SERVE_EXAMPLES: &str = "\
A setting is taken from its flag, else its environment variable, else the file, else its default.
The file has the same names with underscores:

  data_dir  = \"/var/lib/orrery\"
  http      = \"0.0.0.0:7070\"
  retention = \"14d\"

  [receive.limits]                  # sizes and counts of requests and items
  max_value_bytes = 65536
  [receive.connections]             # sockets and times
  header_timeout_millis = 10000

Port 0 picks a free port and prints it. Ctrl-C or SIGTERM finishes what is in flight and exits;
a second Ctrl-C exits at once.";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "orrery", version, about = ABOUT, after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Receive, keep and show telemetry
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Options),
    /// The same with a demo shop that ships its telemetry to it: the five-minute tour
    #[command(after_help = SERVE_EXAMPLES)]
    Demo(Options),
    /// Exit with 0 if the server on this machine is ready, else with 1: a health check for containers
    Ready(ReadyOptions),
}

/// Which server to ask.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReadyOptions {
    /// Where its dashboard and API listen
    #[arg(long, env = "ORRERY_HTTP", value_name = "ADDRESS", default_value = "127.0.0.1:7070")]
    pub(crate) http: String,
}

/// Settings as flags and environment variables; all optional here, so that the file can fill the gaps.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// Where telemetry is kept [default: ./orrery-data; demo: ./orrery-data-demo]
    #[arg(long, env = "ORRERY_DATA_DIR", value_name = "DIR", help_heading = "Storage")]
    pub(crate) data_dir: Option<PathBuf>,

    /// How long telemetry is kept, such as 12h, 30d, or `off` for ever [default: 30d]
    #[arg(long, env = "ORRERY_RETENTION", value_name = "TIME", help_heading = "Storage")]
    pub(crate) retention: Option<String>,

    /// Dashboard and API [default: 127.0.0.1:7070]
    #[arg(long, env = "ORRERY_HTTP", value_name = "ADDRESS", help_heading = "Listen on")]
    pub(crate) http: Option<String>,

    /// OTLP over HTTP, protobuf and JSON [default: 127.0.0.1:4318]
    #[arg(long, env = "ORRERY_OTLP_HTTP", value_name = "ADDRESS", help_heading = "Listen on")]
    pub(crate) otlp_http: Option<String>,

    /// OTLP over gRPC [default: 127.0.0.1:4317]
    #[arg(long, env = "ORRERY_OTLP_GRPC", value_name = "ADDRESS", help_heading = "Listen on")]
    pub(crate) otlp_grpc: Option<String>,

    /// Name under which browsers may reach the dashboard; may be repeated. Local names always may [default: only those, on loopback]
    #[arg(
        long = "allowed-host",
        env = "ORRERY_ALLOWED_HOSTS",
        value_name = "NAME",
        value_delimiter = ',',
        help_heading = "Listen on"
    )]
    pub(crate) allowed_hosts: Vec<String>,

    /// Longest a query may run [default: 10s]
    #[arg(long, env = "ORRERY_QUERY_TIMEOUT", value_name = "TIME", help_heading = "Limits")]
    pub(crate) query_timeout: Option<String>,

    /// Queries at once [default: 8]
    #[arg(long, env = "ORRERY_QUERY_CONCURRENCY", value_name = "NUMBER", help_heading = "Limits")]
    pub(crate) query_concurrency: Option<u32>,

    /// Configuration file (TOML)
    #[arg(long, env = "ORRERY_CONFIG", value_name = "FILE", help_heading = "General")]
    pub(crate) config: Option<PathBuf>,

    /// What is logged to stderr: error, warn, info, debug, or per module like `info,orrery_storage=debug` [default: info]
    #[arg(long, env = "ORRERY_LOG", value_name = "LEVEL", help_heading = "General")]
    pub(crate) log: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
