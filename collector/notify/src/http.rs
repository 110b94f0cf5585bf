//! One HTTP request on a connection of its own. Messages are rare; nothing is kept between them.

use crate::dial::{DialError, Dialer, Stream};
use crate::render::Call;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use url::Url;

/// So much of an answer is read.
const ANSWER: usize = 64 * 1024;
/// So long the rest of an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a receiver said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// As much as was read: the beginning, if it was long, late or broken off.
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("the channel's address is no http or https address: {0}")]
    NoAddress(String),
    /// The request cannot be written: a secret with a line end.
    #[error("the channel's {0} has characters that no header may have: paste it again")]
    NoHeader(&'static str),
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("{host} ended the connection without an answer: {source}")]
    Broken { host: String, source: hyper::Error },
}

/// Where a request goes.
#[derive(Debug)]
struct Target {
    url: Url,
    host: String,
    port: u16,
}

/// Host of an address, for sentences.
pub(crate) fn host(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "the receiver".to_owned())
}

/// Sends a request and waits for the answer. Bounded in size by this, in time by the caller, who drops it.
pub(crate) async fn exchange(dialer: &Dialer, call: &Call) -> Result<Answer, HttpError> {
    let target = target(&call.url)?;
    let request = request(&target, call)?;
    let tcp = dialer.tcp(&target.host, target.port).await?;
    let stream = match target.url.scheme() {
        "https" => Stream::Tls(Box::new(dialer.encrypt(&target.host, tcp).await?)),
        _ => Stream::Plain(tcp),
    };
    let broken = |source| HttpError::Broken { host: target.host.clone(), source };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        Ok(read(response).await)
    };
    tokio::pin!(answer, connection);
    let mut is_open = true;
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            // What went wrong the request is told, too.
            _ = &mut connection, if is_open => is_open = false,
        }
    }
}

fn target(url: &str) -> Result<Target, HttpError> {
    let parsed = Url::parse(url).map_err(|error| HttpError::NoAddress(error.to_string()))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(HttpError::NoAddress("it begins otherwise".to_owned()));
    }
    let missing = || HttpError::NoAddress("it has no host".to_owned());
    let host = parsed.host_str().ok_or_else(missing)?.to_owned();
    let port = parsed.port_or_known_default().ok_or_else(missing)?;
    Ok(Target { url: parsed, host, port })
}

fn request(target: &Target, call: &Call) -> Result<Request<Full<Bytes>>, HttpError> {
    let value = |name, text: &str| HeaderValue::from_str(text).map_err(|_| HttpError::NoHeader(name));
    let path = match target.url.query() {
        Some(query) => format!("{}?{query}", target.url.path()),
        None => target.url.path().to_owned(),
    };
    let uri: hyper::Uri = path.parse().map_err(|_| HttpError::NoAddress("its path is not valid".to_owned()))?;
    let mut request = Request::new(Full::new(call.body.clone()));
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    let authority = match target.url.port() {
        Some(port) => format!("{}:{port}", target.host),
        None => target.host.clone(),
    };
    headers.insert(HOST, value("address", &authority)?);
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("Orrery/", env!("CARGO_PKG_VERSION"))));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    if !target.url.username().is_empty() {
        let password = target.url.password().unwrap_or_default();
        let both = format!("{}:{}", decoded(target.url.username()), decoded(password));
        headers.insert(AUTHORIZATION, value("address", &format!("Basic {}", STANDARD.encode(both)))?);
    }
    for (name, text) in &call.headers {
        headers.insert(HeaderName::from_static(name), value("secret", text)?);
    }
    Ok(request)
}

/// What stands in an address, percent-encoded.
fn decoded(text: &str) -> String {
    let form = format!("it={}", text.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(form.as_bytes()).next().map_or_else(String::new, |pair| pair.1.into_owned())
}

/// The receiver has said yes or no with its status: what of the body does not come is not waited for.
async fn read(response: Response<Incoming>) -> Answer {
    let (head, mut body) = response.into_parts();
    let mut read = Vec::new();
    let all = async {
        while read.len() < ANSWER {
            let Some(Ok(frame)) = body.frame().await else { break };
            if let Some(data) = frame.data_ref() {
                read.extend_from_slice(&data[..data.len().min(ANSWER - read.len())]);
            }
        }
    };
    let _ = tokio::time::timeout(PATIENCE, all).await;
    Answer { status: head.status, headers: head.headers, body: read }
}
