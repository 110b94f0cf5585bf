//! One attempt to deliver a message.

use crate::address::Allowed;
use crate::answer;
use crate::case::Case;
use crate::dial::{Dialer, Resolve, system_resolver};
use crate::http::{self, HttpError};
use crate::mail::MailServer;
use crate::render::{self, Call, Calls};
use orrery_api::alerting::{Channel, ChannelKind, Message};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How messages are sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether channels may have private addresses: this machine, its network, the cloud's metadata. Default: no.
    pub allow_private_addresses: bool,
    /// Hosts that may have them, as they are written in channels. Default: none.
    pub private_hosts: Vec<String>,
    /// Milliseconds after which an attempt is given up; mail servers, which look at what they take, have three times as
    /// long. Default: 10 000.
    pub timeout_millis: u64,
    /// A PEM file with certificates that are trusted beside the system's: a company's own. Default: none.
    pub certificates: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Config {
        Config { allow_private_addresses: false, private_hosts: Vec::new(), timeout_millis: 10_000, certificates: None }
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Delivered {
        /// What is not as it should be all the same: some receivers of a mail were refused.
        but: Option<String>,
    },
    /// Not now. Maybe it has the message nevertheless: it knows repeats by their id.
    Retry {
        /// How long it wants to be left alone.
        after: Option<Duration>,
        /// What went wrong, in a sentence, without secrets.
        why: String,
    },
    /// Not as the channel is.
    Failed {
        /// What is wrong and what to do, in a sentence, without secrets.
        why: String,
    },
}

/// Why there is nothing that could send.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The file of [`Config::certificates`] is missing or is no PEM file.
    #[error("cannot read certificates from {path}")]
    Certificates {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
}

/// Sends messages. Cheap to clone; holds no connections.
#[derive(Clone)]
pub struct Sender {
    dialer: Dialer,
    certificates: Arc<Vec<CertificateDer<'static>>>,
    timeout: Duration,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender")
            .field("allowed", &self.dialer.allowed)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Sender {
    /// Reads certificates: the system's, without which no encrypted connection is trusted, and those configured.
    ///
    /// # Errors
    /// Those configured cannot be read.
    pub fn new(config: Config) -> Result<Sender, SetupError> {
        Sender::with_resolver(config, system_resolver())
    }

    fn with_resolver(config: Config, resolve: Resolve) -> Result<Sender, SetupError> {
        let certificates = match &config.certificates {
            Some(path) => certificates(path)?,
            None => Vec::new(),
        };
        let tls = Arc::new(tls(&certificates));
        let allowed = Allowed { private: config.allow_private_addresses, hosts: config.private_hosts };
        let timeout = Duration::from_millis(config.timeout_millis.max(1));
        Ok(Sender { dialer: Dialer { allowed, tls, resolve }, certificates: Arc::new(certificates), timeout })
    }

    /// Tries once to deliver a message. `png` is the picture of the first alert's values, see [`crate::chart::draw`].
    ///
    /// Takes no longer than the configured time, and reads at most 64 KiB of what the receiver says. Whether the channel
    /// is enabled, or told of the end of alerts, is for the caller to know.
    pub async fn send(&self, channel: &Channel, message: &Message, png: Option<&[u8]>) -> Outcome {
        let outcome = match &channel.to {
            ChannelKind::Email { .. } => self.mail(&channel.to, message, png).await,
            kind => self.http(kind, message, png).await,
        };
        without_secrets(outcome, &channel.to)
    }

    async fn http(&self, kind: &ChannelKind, message: &Message, png: Option<&[u8]>) -> Outcome {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() as i64;
        match render::calls(kind, message, png, now) {
            Ok(Some(calls)) => {
                let host = http::host(&calls.first.url);
                within(self.timeout, &host, self.calls(kind, &host, &calls)).await
            }
            Ok(None) => Outcome::Failed { why: "this channel is not told over HTTP".to_owned() },
            Err(incomplete) => Outcome::Failed { why: incomplete.to_string() },
        }
    }

    async fn calls(&self, kind: &ChannelKind, host: &str, calls: &Calls) -> Outcome {
        let answer = match self.call(&calls.first).await {
            Ok(answer) => answer,
            Err(outcome) => return outcome,
        };
        let plain = calls.without_picture.as_ref().filter(|_| answer::minds_the_picture(answer.status));
        let Some(plain) = plain else { return answer::outcome(kind, host, &answer, SystemTime::now()) };
        match self.call(plain).await {
            Ok(answer) => answer::outcome(kind, host, &answer, SystemTime::now()),
            Err(outcome) => outcome,
        }
    }

    async fn call(&self, call: &Call) -> Result<http::Answer, Outcome> {
        http::exchange(&self.dialer, call).await.map_err(|error| {
            let is_retryable = match &error {
                HttpError::NoAddress(_) | HttpError::NoHeader(_) => false,
                HttpError::Dial(error) => error.is_retryable(),
                HttpError::Broken { .. } => true,
            };
            let why = error.to_string();
            if is_retryable { Outcome::Retry { after: None, why } } else { Outcome::Failed { why } }
        })
    }

    async fn mail(&self, kind: &ChannelKind, message: &Message, png: Option<&[u8]>) -> Outcome {
        let ChannelKind::Email { host, port, tls, user, password, from, to } = kind else {
            return Outcome::Failed { why: "this channel is no mail server".to_owned() };
        };
        if host.trim().is_empty() {
            return Outcome::Failed { why: "`host` is missing: the name of the mail server".to_owned() };
        }
        let mail = match render::email::mail(from, to, &Case::of(message), png) {
            Ok(mail) => mail,
            Err(incomplete) => return Outcome::Failed { why: incomplete.to_string() },
        };
        let (user, password) = (user.as_deref(), password.as_deref());
        let certificates = &self.certificates;
        let server = MailServer { host: host.trim(), port: *port, tls: *tls, user, password, certificates };
        within(self.timeout.saturating_mul(3), host, server.send(&self.dialer, &mail)).await
    }
}

/// What becomes of an attempt that does not end.
async fn within(limit: Duration, host: &str, attempt: impl Future<Output = Outcome>) -> Outcome {
    let late = |_| Outcome::Retry { after: None, why: format!("no answer from {host} within {limit:?}") };
    tokio::time::timeout(limit, attempt).await.unwrap_or_else(late)
}

/// A sentence must not tell what the channel keeps to itself, even if the receiver says it.
fn without_secrets(outcome: Outcome, kind: &ChannelKind) -> Outcome {
    let secrets: Vec<String> =
        kind.clone().secrets().into_iter().filter_map(|secret| secret.clone()).flat_map(pieces).collect();
    let clean = |text: String| secrets.iter().fold(text, |text, secret| text.replace(secret.as_str(), "…"));
    match outcome {
        Outcome::Delivered { but } => Outcome::Delivered { but: but.map(clean) },
        Outcome::Retry { after, why } => Outcome::Retry { after, why: clean(why) },
        Outcome::Failed { why } => Outcome::Failed { why: clean(why) },
    }
}

/// A secret, and of an address its path and query. Short ones are words.
fn pieces(secret: String) -> Vec<String> {
    let parts = url::Url::parse(&secret).ok().filter(|url| url.has_host()).map(|url| {
        let query = url.query().unwrap_or_default().to_owned();
        [url.path().trim_matches('/').to_owned(), query]
    });
    [secret].into_iter().chain(parts.into_iter().flatten()).filter(|piece| piece.len() >= 6).collect()
}

fn certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let failed = |source| SetupError::Certificates { path: path.clone(), source };
    let found = CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    if found.is_empty() { Err(failed(rustls::pki_types::pem::Error::NoItemsFound)) } else { Ok(found) }
}

/// The system's certificates and these.
fn tls(certificates: &[CertificateDer<'static>]) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(certificates.iter().cloned());
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[cfg(test)]
mod tests;
