//! One e-mail over SMTP: connect, encrypt, log in, send.

use crate::dial::{DialError, Dialer, Stream};
use crate::send::Outcome;
use crate::text;
use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use orrery_api::alerting::MailTls;
use rustls::pki_types::CertificateDer;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A mail server and how to speak to it.
#[derive(Clone, Copy)]
pub(crate) struct MailServer<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: Option<u16>,
    pub(crate) tls: MailTls,
    pub(crate) user: Option<&'a str>,
    pub(crate) password: Option<&'a str>,
    /// Trusted beside the system's.
    pub(crate) certificates: &'a [CertificateDer<'static>],
}

/// Where it went wrong.
#[derive(Debug, thiserror::Error)]
enum MailError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("{step}: {}", told(source))]
    Smtp { step: &'static str, source: Error },
    #[error("the server offers no STARTTLS: choose `implicit` (port 465), or `none` if the network is your own")]
    NoStarttls,
    #[error("the server does not let anybody log in with a password, or not before the connection is encrypted")]
    NoLogin,
}

impl MailServer<'_> {
    fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            MailTls::Starttls => 587,
            MailTls::Implicit => 465,
            MailTls::None => 25,
        })
    }

    /// Sends a mail to all who take it. Bounded in time by the caller.
    pub(crate) async fn send(&self, dialer: &Dialer, mail: &Message) -> Outcome {
        match self.attempt(dialer, mail).await {
            Ok(refused) if refused.is_empty() => Outcome::Delivered { but: None },
            Ok(refused) => Outcome::Delivered { but: Some(format!("not taken for {}", refused.join("; "))) },
            Err(error) => self.outcome(&error),
        }
    }

    fn outcome(&self, error: &MailError) -> Outcome {
        let why = match error {
            MailError::Dial(error) => error.to_string(),
            error => format!("{}: {error}", self.host),
        };
        let is_retryable = match error {
            MailError::Dial(error) => error.is_retryable(),
            MailError::Smtp { source, .. } => !source.is_permanent() && !source.is_client(),
            MailError::NoStarttls | MailError::NoLogin => false,
        };
        if is_retryable { Outcome::Retry { after: None, why } } else { Outcome::Failed { why } }
    }

    /// Whom the server does not take the mail for, if there are others.
    async fn attempt(&self, dialer: &Dialer, mail: &Message) -> Result<Vec<String>, MailError> {
        let mut connection = self.connect(dialer).await?;
        if let Some(user) = self.user.filter(|user| !user.is_empty()) {
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            if connection.server_info().get_auth_mechanism(&mechanisms).is_none() {
                return Err(MailError::NoLogin);
            }
            let credentials = Credentials::new(user.to_owned(), self.password.unwrap_or_default().to_owned());
            let step = "it does not accept user and password";
            connection.auth(&mechanisms, &credentials).await.map_err(|source| MailError::Smtp { step, source })?;
        }
        let refused = transfer(&mut connection, mail).await?;
        // The mail is taken; a farewell that goes wrong changes nothing.
        let _ = connection.quit().await;
        Ok(refused)
    }

    async fn connect(&self, dialer: &Dialer) -> Result<AsyncSmtpConnection, MailError> {
        let tcp = dialer.tcp(self.host, self.port()).await?;
        let hello = tcp.local_addr().map_or_else(
            |_| ClientId::default(),
            |address| match address.ip() {
                IpAddr::V4(address) => ClientId::Ipv4(address),
                IpAddr::V6(address) => ClientId::Ipv6(address),
            },
        );
        let stream = match self.tls {
            MailTls::Implicit => Stream::Tls(Box::new(dialer.encrypt(self.host, tcp).await?)),
            MailTls::Starttls | MailTls::None => Stream::Plain(tcp),
        };
        let said = |step| move |source| MailError::Smtp { step, source };
        let mut connection = AsyncSmtpConnection::connect_with_transport(Box::new(Wire(stream)), &hello)
            .await
            .map_err(said("it does not greet"))?;
        if self.tls == MailTls::Starttls {
            if !connection.can_starttls() {
                return Err(MailError::NoStarttls);
            }
            let step = "no secure connection";
            let parameters = self.parameters().map_err(said(step))?;
            connection.starttls(parameters, &hello).await.map_err(said(step))?;
        }
        Ok(connection)
    }

    fn parameters(&self) -> Result<TlsParameters, Error> {
        let mut builder = TlsParameters::builder(self.host.to_owned());
        for certificate in self.certificates {
            builder = builder.add_root_certificate(Certificate::from_der(certificate.to_vec())?);
        }
        builder.build()
    }
}

/// Hands the mail over. Each receiver is asked for by itself: one who has left must not keep it from the others.
async fn transfer(connection: &mut AsyncSmtpConnection, mail: &Message) -> Result<Vec<String>, MailError> {
    let said = |step| move |source| MailError::Smtp { step, source };
    let (bytes, envelope) = (mail.formatted(), mail.envelope());
    let mut parameters = Vec::new();
    if !bytes.is_ascii() && connection.server_info().supports_feature(Extension::EightBitMime) {
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let from = Mail::new(envelope.from().cloned(), parameters);
    connection.command(from).await.map_err(said("it does not accept the sender"))?;
    let mut refused = Vec::new();
    let mut last = None;
    for to in envelope.to() {
        if let Err(source) = connection.command(Rcpt::new(to.clone(), Vec::new())).await {
            // Without an answer there is no connection to ask for others on.
            if source.status().is_none() {
                return Err(MailError::Smtp { step: "it does not accept the receiver", source });
            }
            refused.push(format!("{to}: {}", told(&source)));
            last = Some(source);
        }
    }
    if let Some(source) = last.filter(|_| refused.len() == envelope.to().len()) {
        return Err(MailError::Smtp { step: "it does not accept the receiver", source });
    }
    connection.command(Data).await.map_err(said("it does not accept the mail"))?;
    connection.message(&bytes).await.map_err(said("it does not accept the mail"))?;
    Ok(refused)
}

/// What a server said, or what went wrong, in a line: code and text.
fn told(error: &Error) -> String {
    use std::error::Error as _;
    let code = error.status().map(|code| format!("{code} ")).unwrap_or_default();
    let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    code + &text::line(&cause, 200)
}

/// A connection of ours, which lettre speaks on.
#[derive(Debug)]
struct Wire(Stream);

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.tcp().peer_addr()
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(context, into)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(context)
    }
}
