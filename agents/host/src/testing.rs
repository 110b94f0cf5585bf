//! A real HTTP server for tests, answering as a script says.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinHandle;

/// A request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    /// The OTLP message inside.
    pub(crate) fn message<T: Message + Default>(&self) -> T {
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut GzDecoder::new(&self.body[..]), &mut plain).unwrap();
        T::decode(&plain[..]).unwrap()
    }
}

/// Answers the n-th request (from 0).
type Script = dyn Fn(&Received, usize) -> Response<Full<Bytes>> + Send + Sync;

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<Received>>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(
        script: impl Fn(&Received, usize) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), script).await
    }

    pub(crate) async fn at(
        address: SocketAddr,
        script: impl Fn(&Received, usize) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (received, script): (_, Arc<Script>) = (Arc::<Mutex<Vec<Received>>>::default(), Arc::new(script));
        let log = Arc::clone(&received);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&log)));
            }
        });
        Self { url, received, task }
    }

    pub(crate) fn on_socket(
        path: &Path,
        script: impl Fn(&Received, usize) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let (received, script): (_, Arc<Script>) = (Arc::<Mutex<Vec<Received>>>::default(), Arc::new(script));
        let log = Arc::clone(&received);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&log)));
            }
        });
        Self { url: String::new(), received, task }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Waits until the requests so far satisfy a condition.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let received = self.received();
            if condition(&received) {
                return received;
            }
            assert!(Instant::now() < deadline, "never: {what}; {} requests", received.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, script: Arc<Script>, log: Arc<Mutex<Vec<Received>>>) {
    let service = service_fn(|request: Request<Incoming>| {
        let (script, log) = (Arc::clone(&script), Arc::clone(&log));
        async move {
            let (head, body) = request.into_parts();
            let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
            let received = Received { path, headers: head.headers, body: body.collect().await?.to_bytes() };
            let number = {
                let mut log = log.lock().unwrap();
                log.push(received.clone());
                log.len() - 1
            };
            Ok::<_, hyper::Error>(script(&received, number))
        }
    });
    // A client that goes away is no failure of the test.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// An answer with a status and a body.
pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::new(body.into())).unwrap()
}
