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

  [retention]                                  # or in full, instead of that line
  max_age = \"14d\"
  traces  = { max_age = \"7d\", max_bytes = \"20GiB\" }
  rules   = [\"traces after 3d where service = 'checkout' and not error\"]
  [[links]]                         # to outside tools: {trace_id}, {span_id}, {name}, {service.name},
  name = \"Wiki\"                     # {service.namespace}, {environment}, {attribute:KEY}, {start_ms}, {end_ms} …
  url  = \"https://wiki.example/{service.name}?from={start_ms}\"
  on   = [\"service\", \"span\"]      # also trace, log; all without it
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
    /// Look whether a data directory is whole; says what is there, what is wrong and what to do
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorOptions),
    /// Write the rows of a signal to one Parquet file
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ExportOptions),
    /// Say what retention would remove now
    #[command(after_help = RETENTION_EXAMPLES)]
    Retention(RetentionOptions),
    /// Check, apply and export what is written about alerts: rules, objectives, channels, routes, silences
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// Exit with 0 if the server on this machine is ready, else with 1: a health check for containers
    Ready(ReadyOptions),
    /// Answer one SQL statement; started by the server
    #[command(hide = true)]
    SqlWorker(WorkerOptions),
}

const DOCTOR_EXAMPLES: &str = "\
Exits with 0 when all is well, 1 when something was found, 2 when it cannot look.
Looking changes nothing. While a server uses the directory, its log and rollups are left out.
A repair moves what is wrong to quarantine/ and removes nothing for good; stop the server first.";

const EXPORT_EXAMPLES: &str = "\
Examples:
  orrery export --signal traces --from now-1d --out day.parquet --url http://127.0.0.1:7070
  orrery export --signal logs --from 2026-11-01T00:00:00Z --to 2026-11-02T00:00:00Z --service cart \\
      --out cart.parquet --data-dir /var/lib/orrery

A data directory must not be in use: ask its server with --url then.
While it is written, the file is called *.part.";

const RETENTION_EXAMPLES: &str = "\
Examples:
  orrery retention --dry-run --url http://127.0.0.1:7070      as that server is set; rules given here instead of its own
  orrery retention --dry-run --data-dir /var/lib/orrery --retention 7d \\
      --retention-rule \"traces after 3d where service = 'checkout' and not error\"";

const CHECK_EXAMPLES: &str = "\
Examples:
  orrery alerts check alerts/*.toml            says FILE:LINE and what to write instead; exits with 1 if anything is wrong";

const APPLY_EXAMPLES: &str = "\
Examples:
  orrery alerts apply --dry-run alerts/*.toml  what would change
  orrery alerts apply alerts/*.toml            all files together are what there is; what came from files before and is
                                               in none of them goes; what was made in the dashboard stays
Secrets of channels that a file does not name stay as they are.";

const IMPORT_EXAMPLES: &str = "\
Examples:
  orrery alerts import-prometheus rules.yml > alerts/from-prometheus.toml
What is not translated, and what means something slightly else, is said on stderr. Exits with 1 if nothing could be
translated.";

/// What to do with what is written about alerts.
#[derive(Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// Look whether files are right; needs no server
    #[command(after_help = CHECK_EXAMPLES)]
    Check(AlertFiles),
    /// Make everything on a running server as files say
    #[command(after_help = APPLY_EXAMPLES)]
    Apply(ApplyOptions),
    /// Write what a running server has to stdout, without secrets
    Export(AlertServer),
    /// Translate rule files of Prometheus; writes to stdout
    #[command(after_help = IMPORT_EXAMPLES)]
    ImportPrometheus(AlertFiles),
}

/// Files about alerts.
#[derive(Args, Clone, Debug)]
pub(crate) struct AlertFiles {
    /// Files; - is stdin
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// Which server to ask.
#[derive(Args, Clone, Debug)]
pub(crate) struct AlertServer {
    /// A running server
    #[arg(long, env = "ORRERY_SERVER", value_name = "URL", default_value = "http://127.0.0.1:7070")]
    pub(crate) server: String,
}

/// What to apply where.
#[derive(Args, Clone, Debug)]
pub(crate) struct ApplyOptions {
    /// Which server
    #[command(flatten)]
    pub(crate) server: AlertServer,

    /// Say what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Which files
    #[command(flatten)]
    pub(crate) files: AlertFiles,
}

/// Which directory to look at.
#[derive(Args, Clone, Debug)]
pub(crate) struct DoctorOptions {
    /// Where telemetry is kept
    #[arg(long, env = "ORRERY_DATA_DIR", value_name = "DIR", default_value = "orrery-data")]
    pub(crate) data_dir: PathBuf,

    /// Repair what can be repaired
    #[arg(long)]
    pub(crate) repair: bool,

    /// Say what each column takes, too: which attributes cost most
    #[arg(long)]
    pub(crate) columns: bool,

    /// Say it in JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to export, from where, to where.
#[derive(Args, Clone, Debug)]
pub(crate) struct ExportOptions {
    /// traces, logs or metrics
    #[arg(long, value_name = "SIGNAL")]
    pub(crate) signal: String,

    /// First instant inside: Unix nanoseconds, RFC 3339, or like now-1d
    #[arg(long, value_name = "TIME")]
    pub(crate) from: String,

    /// First instant after
    #[arg(long, value_name = "TIME", default_value = "now")]
    pub(crate) to: String,

    /// Only this service: its name, or its id namespace/name@environment
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,

    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,

    /// Where telemetry is kept, if no server uses it
    #[arg(long, env = "ORRERY_DATA_DIR", value_name = "DIR", default_value = "orrery-data")]
    pub(crate) data_dir: PathBuf,

    /// A running server, such as http://127.0.0.1:7070; instead of --data-dir
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
}

/// What to ask about retention.
#[derive(Args, Clone, Debug)]
pub(crate) struct RetentionOptions {
    /// Say what would be removed, and remove nothing. The server itself removes it by and by
    #[arg(long, required = true)]
    pub(crate) dry_run: bool,

    /// A running server, such as http://127.0.0.1:7070; instead of a data directory. Of the settings only rules matter then
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,

    /// Say it in JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Settings, as `orrery serve` takes them
    #[command(flatten)]
    pub(crate) settings: Options,
}

/// Which server to ask.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReadyOptions {
    /// Where its dashboard and API listen
    #[arg(long, env = "ORRERY_HTTP", value_name = "ADDRESS", default_value = "127.0.0.1:7070")]
    pub(crate) http: String,
}

/// What the server tells a process that answers SQL, besides its task.
#[derive(Args, Clone, Debug)]
pub(crate) struct WorkerOptions {
    /// Process id of the server
    #[arg(long, value_name = "PID")]
    pub(crate) parent: u32,

    /// Processor time it may take
    #[arg(long, value_name = "SECONDS")]
    pub(crate) seconds: u64,
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

    /// Sealed bytes of a signal kept at most, such as traces=20GiB; may be repeated. The oldest go first
    #[arg(
        long,
        env = "ORRERY_RETENTION_MAX_BYTES",
        value_name = "SIGNAL=SIZE",
        value_delimiter = ',',
        help_heading = "Storage"
    )]
    pub(crate) retention_max_bytes: Vec<String>,

    /// Rows that go before the others, such as "traces after 3d where service = 'cart' and not error"; may be repeated
    #[arg(
        long = "retention-rule",
        env = "ORRERY_RETENTION_RULES",
        value_name = "RULE",
        value_delimiter = ';',
        help_heading = "Storage"
    )]
    pub(crate) retention_rules: Vec<String>,

    /// Telemetry is refused while less than this is free on the disk [default: 512MiB]
    #[arg(long, env = "ORRERY_DISK_RESERVE", value_name = "SIZE", help_heading = "Storage")]
    pub(crate) disk_reserve: Option<String>,

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

    /// Spans of one trace that are shown at most [default: 2000000]
    #[arg(long, env = "ORRERY_MAX_TRACE_SPANS", value_name = "NUMBER", help_heading = "Limits")]
    pub(crate) max_trace_spans: Option<u32>,

    /// Where people find the dashboard, for links in messages about alerts, such as `https://orrery.example`
    /// [default: as it listens]
    #[arg(long, env = "ORRERY_PUBLIC_URL", value_name = "URL", help_heading = "Alerts")]
    pub(crate) public_url: Option<String>,

    /// Host in a private network that channels may send to; may be repeated, `*` allows all. Others are refused, so that
    /// nobody can make the server ask its own network [default: none]
    #[arg(
        long = "notify-private-host",
        env = "ORRERY_NOTIFY_PRIVATE_HOSTS",
        value_name = "HOST",
        value_delimiter = ',',
        help_heading = "Alerts"
    )]
    pub(crate) notify_private: Vec<String>,

    /// Link to an outside tool, such as `Wiki=https://wiki.example/{service.name}`; may be repeated. Shown at spans, traces,
    /// log records and services that have what it asks for
    #[arg(
        long = "link",
        env = "ORRERY_LINKS",
        value_name = "NAME=URL",
        value_delimiter = '\n',
        help_heading = "Dashboard"
    )]
    pub(crate) links: Vec<String>,

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
