//! Connections to the outside: the name is resolved, every address is checked, and one of those is connected to.

use crate::address::Allowed;
use rustls::pki_types::ServerName;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Gives the addresses of a name.
pub(crate) type Resolve =
    Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> + Send + Sync>;

/// Asks the system.
pub(crate) fn system_resolver() -> Resolve {
    Arc::new(|host| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    /// Nobody is asked, whenever it is tried.
    #[error(
        "{host} has the private address {address}, to which nothing is sent; allow it in the server's settings if that is meant"
    )]
    Private { host: String, address: IpAddr },
    /// It is no name of a host.
    #[error("`{0}` is no host")]
    NoHost(String),
    #[error("the name {host} is unknown: {source}")]
    Unknown { host: String, source: io::Error },
    #[error("cannot connect to {host}: {source}")]
    Connect { host: String, source: io::Error },
    #[error("no secure connection to {host}: {source}")]
    Tls { host: String, source: io::Error },
}

impl DialError {
    /// Whether another attempt may end differently.
    pub(crate) fn is_retryable(&self) -> bool {
        !matches!(self, DialError::Private { .. } | DialError::NoHost(_))
    }
}

/// Makes connections.
#[derive(Clone)]
pub(crate) struct Dialer {
    pub(crate) allowed: Allowed,
    pub(crate) tls: Arc<rustls::ClientConfig>,
    pub(crate) resolve: Resolve,
}

impl Dialer {
    /// Connects over TCP. A host with several addresses may have none that is not allowed.
    pub(crate) async fn tcp(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let addresses = self.addresses(host).await?;
        let refused = addresses.iter().find(|address| !self.allowed.permits(host, **address));
        if let Some(address) = refused {
            return Err(DialError::Private { host: host.to_owned(), address: *address });
        }
        let mut last = io::Error::other("it has no address");
        for address in addresses {
            match TcpStream::connect(SocketAddr::new(address, port)).await {
                Ok(stream) => {
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(DialError::Connect { host: host.to_owned(), source: last })
    }

    /// Encrypts a connection; the certificate must be the host's.
    pub(crate) async fn encrypt(&self, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, DialError> {
        let name = ServerName::try_from(plain(host).to_owned()).map_err(|_| DialError::NoHost(host.to_owned()))?;
        let connector = TlsConnector::from(self.tls.clone());
        connector.connect(name, stream).await.map_err(|source| DialError::Tls { host: host.to_owned(), source })
    }

    /// Addresses of a host; those written as numbers, in any of the ways there are, are taken as they are.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DialError> {
        match url::Host::parse(host) {
            Ok(url::Host::Ipv4(address)) => Ok(vec![address.into()]),
            Ok(url::Host::Ipv6(address)) => Ok(vec![address.into()]),
            Ok(url::Host::Domain(name)) => {
                (self.resolve)(name).await.map_err(|source| DialError::Unknown { host: host.to_owned(), source })
            }
            Err(_) => match plain(host).parse() {
                Ok(address) => Ok(vec![address]),
                Err(_) => Err(DialError::NoHost(host.to_owned())),
            },
        }
    }
}

fn plain(host: &str) -> &str {
    host.trim_matches(['[', ']'])
}

/// A connection, encrypted or not.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.get_ref().0,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
