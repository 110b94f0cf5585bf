//! Settings: flag, else environment, else file, else default.

mod retention;

use crate::api::moment;
use crate::cli::Options;
use crate::nearest::nearest;
use anyhow::{Context, Result, bail};
use orrery_api::LinkTemplate;
pub(crate) use retention::Retention;
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What differs between `serve` and `demo` before anybody sets anything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defaults {
    pub(crate) data_dir: &'static str,
}

/// For `orrery serve`: beside where it was started, so that it is found, backed up and deleted like anything else.
pub(crate) const SERVE: Defaults = Defaults { data_dir: "orrery-data" };
/// For `orrery demo`: beside the other, so that invented telemetry never mixes with real one; kept, so that the second
/// tour begins with history.
pub(crate) const DEMO: Defaults = Defaults { data_dir: "orrery-data-demo" };

/// Everything that can be set.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) data_dir: PathBuf,
    pub(crate) retention: Retention,
    /// Telemetry is refused while fewer bytes than this are free.
    pub(crate) disk_reserve_bytes: u64,
    pub(crate) http: Listen,
    pub(crate) otlp_http: Listen,
    pub(crate) otlp_grpc: Listen,
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) query_timeout: Duration,
    pub(crate) query_concurrency: u32,
    pub(crate) max_trace_spans: u32,
    pub(crate) log: String,
    /// To outside tools.
    pub(crate) links: Vec<LinkTemplate>,
    /// Where people find the dashboard, for links in messages; as it listens, if nobody says.
    pub(crate) public_url: Option<String>,
    pub(crate) notify: orrery_notify::Config,
    pub(crate) receive: orrery_receive::Config,
}

/// An address to listen on, with what is needed to say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listen {
    pub(crate) address: SocketAddr,
    /// The flag that changes it.
    pub(crate) flag: &'static str,
    /// Nobody chose this address: another port would do as well.
    pub(crate) is_default: bool,
}

/// The file, key by key.
#[derive(Debug, Default, Deserialize)]
struct File {
    data_dir: Option<PathBuf>,
    #[serde(default, deserialize_with = "retention::either")]
    retention: Option<retention::Table>,
    disk_reserve: Option<String>,
    http: Option<String>,
    otlp_http: Option<String>,
    otlp_grpc: Option<String>,
    allowed_hosts: Option<Vec<String>>,
    query_timeout: Option<String>,
    query_concurrency: Option<u32>,
    max_trace_spans: Option<u32>,
    log: Option<String>,
    links: Option<Vec<LinkTemplate>>,
    public_url: Option<String>,
    notify: Option<orrery_notify::Config>,
    receive: Option<orrery_receive::Config>,
}

const KEYS: [&str; 15] = [
    "data_dir",
    "retention",
    "disk_reserve",
    "http",
    "otlp_http",
    "otlp_grpc",
    "allowed_hosts",
    "query_timeout",
    "query_concurrency",
    "max_trace_spans",
    "log",
    "links",
    "public_url",
    "notify",
    "receive",
];

impl Settings {
    /// Reads the file, if one is named, and fills every gap.
    ///
    /// # Errors
    /// One line for a person: what is wrong, where, and what would be right.
    pub(crate) fn load(options: Options, defaults: Defaults) -> Result<Settings> {
        let file = options.config.as_deref().map(read).transpose()?.unwrap_or_default();
        let mut retention = file.retention.unwrap_or_default();
        retention.max_age = options.retention.or(retention.max_age);
        options.retention_max_bytes.iter().try_for_each(|text| retention.set_max_bytes(text))?;
        if !options.retention_rules.is_empty() {
            retention.rules = Some(options.retention_rules);
        }
        let reserve = options.disk_reserve.or(file.disk_reserve).unwrap_or_else(|| "512MiB".to_owned());
        let timeout = options.query_timeout.or(file.query_timeout).unwrap_or_else(|| "10s".to_owned());
        let concurrency = options.query_concurrency.or(file.query_concurrency).unwrap_or(8);
        if concurrency == 0 {
            bail!("query_concurrency is 0: nothing could ever be asked; the least is 1");
        }
        Ok(Settings {
            data_dir: options.data_dir.or(file.data_dir).unwrap_or_else(|| defaults.data_dir.into()),
            retention: retention.parse()?,
            disk_reserve_bytes: retention::bytes("disk_reserve", &reserve)?,
            http: listen("--http", options.http.or(file.http), 7070)?,
            otlp_http: listen("--otlp-http", options.otlp_http.or(file.otlp_http), 4318)?,
            otlp_grpc: listen("--otlp-grpc", options.otlp_grpc.or(file.otlp_grpc), 4317)?,
            allowed_hosts: if options.allowed_hosts.is_empty() {
                file.allowed_hosts.unwrap_or_default()
            } else {
                options.allowed_hosts
            },
            query_timeout: positive("query_timeout", &timeout)?,
            query_concurrency: concurrency,
            max_trace_spans: options.max_trace_spans.or(file.max_trace_spans).unwrap_or(2_000_000),
            log: options.log.or(file.log).unwrap_or_else(|| "info".to_owned()),
            links: links(options.links, file.links)?,
            public_url: options.public_url.or(file.public_url).map(|url| public_url(&url)).transpose()?,
            notify: notify(options.notify_private, file.notify),
            receive: file.receive.unwrap_or_default(),
        })
    }
}

/// Links to outside tools: those of the flags, else those of the file.
fn links(flags: Vec<String>, file: Option<Vec<LinkTemplate>>) -> Result<Vec<LinkTemplate>> {
    let of_flag = |text: String| {
        let (name, url) = text
            .split_once('=')
            .with_context(|| format!("--link {text}: write it like 'Name=https://tool.example/{{trace_id}}'"))?;
        Ok(LinkTemplate { name: name.trim().to_owned(), url: url.trim().to_owned(), on: Vec::new() })
    };
    let flags = flags.into_iter().filter(|text| !text.trim().is_empty()).map(of_flag).collect::<Result<Vec<_>>>()?;
    let links = if flags.is_empty() { file.unwrap_or_default() } else { flags };
    links.iter().try_for_each(LinkTemplate::check).map_err(anyhow::Error::msg)?;
    Ok(links)
}

/// Without a slash at the end.
fn public_url(url: &str) -> Result<String> {
    let is_url = url.starts_with("http://") || url.starts_with("https://");
    if !is_url || url.contains(['?', '#', ' ']) {
        bail!("public_url {url}: no address of a dashboard; write it like https://orrery.example");
    }
    Ok(url.trim_end_matches('/').to_owned())
}

fn notify(private_hosts: Vec<String>, file: Option<orrery_notify::Config>) -> orrery_notify::Config {
    let mut config = file.unwrap_or_default();
    if private_hosts.iter().any(|host| host == "*") {
        config.allow_private_addresses = true;
    }
    config.private_hosts.extend(private_hosts);
    config
}

fn read(path: &Path) -> Result<File> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration file {}", path.display()))?;
    parse(&text).with_context(|| format!("configuration file {}", path.display()))
}

fn parse(text: &str) -> Result<File> {
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| anyhow::anyhow!("{}", one_line(&error, text)))?;
    for key in table.keys() {
        if !KEYS.contains(&key.as_str()) {
            match nearest(key, KEYS.into_iter()) {
                Some(near) => bail!("there is no key `{key}`; did you mean `{near}`?"),
                None => bail!("there is no key `{key}`; the keys are {}", KEYS.join(", ")),
            }
        }
    }
    toml::from_str(text).map_err(|error| anyhow::anyhow!("{}", one_line(&error, text)))
}

/// The parser's message and where, without its drawing of the line.
fn one_line(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count()) + 1;
    let content = text.lines().nth(line - 1).unwrap_or_default().trim();
    format!("line {line} (`{content}`): {}", error.message().replace('\n', " "))
}

pub(crate) fn listen(flag: &'static str, text: Option<String>, port: u16) -> Result<Listen> {
    let Some(text) = text else {
        return Ok(Listen { address: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port), flag, is_default: true });
    };
    let address = address(&text).with_context(|| format!("{flag} {text}: no address; write it like 127.0.0.1:{port}, 0.0.0.0:{port}, or :0 for any free port on loopback"))?;
    Ok(Listen { address, flag, is_default: false })
}

/// `IP:PORT`, `localhost:PORT`, or `:PORT` for loopback: whoever wants the world to connect says so.
fn address(text: &str) -> Option<SocketAddr> {
    let on_loopback = |port: &str| Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port.parse().ok()?));
    match text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')) {
        Some(port) => on_loopback(port),
        None => text.parse().ok(),
    }
}

fn positive(key: &str, text: &str) -> Result<Duration> {
    let unit = text.ends_with(|c: char| c.is_alphabetic());
    let length = moment::duration(text).ok().filter(|length| unit && !length.is_zero());
    length.with_context(|| format!("{key} = {text}: no time; write it like 10s, 5m, 12h or 30d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(file: &str, says: &str) {
        let error = format!("{:#}", parse(file).unwrap_err());
        assert!(error.contains(says), "{error}");
        assert!(!error.contains('\n'), "one line: {error}");
    }

    #[test]
    fn a_slip_in_the_file_is_named_with_what_was_meant() {
        check_refused("retension = \"30d\"", "`retension`; did you mean `retention`?");
        check_refused("data-dir = \"x\"", "did you mean `data_dir`?");
        check_refused("colour = 1", "the keys are data_dir");
        check_refused("http = 7070", "line 1");
        check_refused("\nhttp = ", "line 2");
    }

    #[test]
    fn limits_of_receiving_are_a_table() {
        let file = parse("[receive.limits]\nmax_attributes = 7\n[receive.connections]\nmax_total = 9").unwrap();
        let receive = file.receive.unwrap();
        assert_eq!((receive.limits.max_attributes, receive.connections.max_total), (7, 9));
        assert_eq!(receive.limits.max_items, orrery_receive::Config::default().limits.max_items);
        check_refused("[receive.limits]\nmax_atributes = 7", "unknown field `max_atributes`");
    }

    #[test]
    fn links_come_from_flags_or_the_file_and_lead_where_they_say() {
        let file =
            parse("[[links]]\nname = \"Wiki\"\nurl = \"https://wiki.example/{service.name}\"\non = [\"service\"]")
                .unwrap();
        let of_file = links(Vec::new(), file.links.clone()).unwrap();
        assert_eq!((of_file[0].name.as_str(), of_file[0].on.len()), ("Wiki", 1));
        let flag = "Logs=https://logs.example/?q=a={trace_id}".to_owned();
        let of_flags = links(vec![flag], file.links).unwrap();
        assert_eq!((of_flags.len(), of_flags[0].url.as_str()), (1, "https://logs.example/?q=a={trace_id}"));
        assert!(links(vec!["no url".into()], None).unwrap_err().to_string().contains("Name=https://"));
        assert!(links(vec!["x=javascript:{name}".into()], None).unwrap_err().to_string().contains("https://"));
        check_refused("[[links]]\nname = \"x\"\nurl = \"y\"\nat = 1", "unknown field `at`");
    }

    #[test]
    fn addresses_stay_on_loopback_unless_told_otherwise() {
        let address =
            |text: &str| listen("--http", Some(text.to_owned()), 7070).map(|listen| listen.address.to_string());
        assert_eq!(address(":0").unwrap(), "127.0.0.1:0");
        assert_eq!(address("localhost:80").unwrap(), "127.0.0.1:80");
        assert_eq!(address("[::1]:80").unwrap(), "[::1]:80");
        assert_eq!(address("0.0.0.0:80").unwrap(), "0.0.0.0:80");
        for wrong in ["7070", "example.org:80", "127.0.0.1", "127.0.0.1:99999", ""] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("orrery.toml");
        std::fs::write(&path, "http = \":1234\"\nretention = \"1d\"\nallowed_hosts = [\"a.example\"]").unwrap();
        let options = Options { config: Some(path), retention: Some("2d".into()), ..Default::default() };
        let settings = Settings::load(options, SERVE).unwrap();
        assert_eq!(settings.http.address.port(), 1234);
        assert_eq!(settings.retention.to_string(), "2d");
        assert_eq!(settings.disk_reserve_bytes, 512 << 20);
        assert_eq!(settings.allowed_hosts, ["a.example"]);
        assert_eq!(settings.otlp_grpc.address.port(), 4317);
        assert_eq!(settings.data_dir, PathBuf::from("orrery-data"));
    }
}
