//! The accept loop: HTTP/1.1 and HTTP/2 on one port, with the timeouts and caps that hyper and axum leave out.

use crate::config::Connections;
use crate::reason;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Serves `service` on `listener` until `shutdown` resolves; then takes no new connections, lets requests in flight
/// finish for at most `limits.drain_timeout_millis`, and returns how many connections had to be cut off.
///
/// `closed` hears of every connection that a limit closes, with a [`crate::reason`]. Upgrades (WebSocket) work; an upgraded
/// connection is the service's own business: it counts for no limit.
pub async fn serve<F, Fut, B>(
    listener: TcpListener,
    limits: Connections,
    closed: impl Fn(&'static str) + Send + Sync + 'static,
    service: F,
    shutdown: impl Future<Output = ()>,
) -> usize
where
    F: Fn(Request<Incoming>, SocketAddr) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let closed = Arc::new(closed);
    let builder = Arc::new(builder(&limits));
    let slots = Slots::default();
    let (stop, stopped) = watch::channel(());
    let mut tasks = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, peer) = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = tasks.join_next() => continue,
            accepted = accept(&listener) => accepted,
        };
        let slot = match slots.take(peer.ip(), &limits) {
            Ok(slot) => slot,
            Err(reason) => {
                closed(reason);
                continue;
            }
        };
        let connection = Connection { limits: limits.clone(), closed: closed.clone(), builder: builder.clone(), peer };
        let (service, stopped) = (service.clone(), stopped.clone());
        tasks.spawn(async move {
            connection.run(stream, service, stopped).await;
            drop(slot);
        });
    }
    drop((listener, stop));
    drain(tasks, Duration::from_millis(limits.drain_timeout_millis)).await
}

/// Waits for all connections; returns how many did not end in time.
async fn drain(mut tasks: JoinSet<()>, within: Duration) -> usize {
    let all = async { while tasks.join_next().await.is_some() {} };
    _ = tokio::time::timeout(within, all).await;
    let left = tasks.len();
    tasks.shutdown().await;
    left
}

/// Accepting fails when file descriptors run out, or when the client has gone already: neither ends the server.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn builder(limits: &Connections) -> Builder<TokioExecutor> {
    const HEAD_BYTES: usize = 64 << 10;
    let keepalive = Duration::from_millis(limits.keepalive_millis);
    let mut builder = Builder::new(TokioExecutor::new());
    // Ours (see `Activity`): hyper's would also close connections that are idle between requests.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_streams)
        .max_header_list_size(HEAD_BYTES as u32)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .keep_alive_interval(keepalive)
        .keep_alive_timeout(keepalive);
    builder
}

struct Connection<C> {
    limits: Connections,
    closed: Arc<C>,
    builder: Arc<Builder<TokioExecutor>>,
    peer: SocketAddr,
}

impl<C: Fn(&'static str)> Connection<C> {
    async fn run<F, Fut, B>(self, stream: TcpStream, service: F, mut stopped: watch::Receiver<()>)
    where
        F: Fn(Request<Incoming>, SocketAddr) -> Fut + Send + 'static,
        Fut: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        _ = stream.set_nodelay(true);
        let activity = Arc::new(Activity::new());
        let io = TokioIo::new(Watched { stream, activity: activity.clone() });
        let (peer, seen) = (self.peer, activity.clone());
        let service = service_fn(move |request| {
            let in_flight = InFlight::start(&seen);
            let response = service(request, peer);
            async move { Ok::<_, Infallible>(response.await.map(|body| Guarded { body, _in_flight: in_flight })) }
        });
        let mut connection = pin!(self.builder.serve_connection_with_upgrades(io, service));
        let mut ticks = tokio::time::interval(tick(&self.limits));
        let mut stopping = false;
        loop {
            tokio::select! {
                _ = connection.as_mut() => return,
                _ = stopped.changed(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                _ = ticks.tick() => if let Some(reason) = activity.overdue(&self.limits) {
                    (self.closed)(reason);
                    return;
                }
            }
        }
    }
}

/// How often deadlines are looked at.
fn tick(limits: &Connections) -> Duration {
    Duration::from_millis((limits.header_timeout_millis.min(limits.idle_timeout_millis) / 4).clamp(10, 1000))
}

/// Open connections, in total and per address.
#[derive(Clone, Default)]
struct Slots(Arc<Mutex<HashMap<IpAddr, usize>>>, Arc<AtomicUsize>);

/// A connection's place; given back on drop.
struct Slot {
    slots: Slots,
    address: IpAddr,
}

impl Slots {
    fn take(&self, address: IpAddr, limits: &Connections) -> Result<Slot, &'static str> {
        if self.1.load(Relaxed) >= limits.max_total {
            return Err(reason::CONNECTIONS);
        }
        let mut open = self.0.lock().expect("nobody panics holding it");
        let here = open.entry(address).or_default();
        if *here >= limits.max_per_address {
            return Err(reason::CONNECTIONS_PER_ADDRESS);
        }
        *here += 1;
        self.1.fetch_add(1, Relaxed);
        Ok(Slot { slots: self.clone(), address })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.1.fetch_sub(1, Relaxed);
        let mut open = self.slots.0.lock().expect("nobody panics holding it");
        if let Some(here) = open.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// What a connection has been doing: times are milliseconds since it began.
struct Activity {
    began: Instant,
    bytes_read: AtomicU64,
    last: AtomicU64,
    /// When the first byte of a request head that is not complete yet came; [`NEVER`] when there is none.
    head_since: AtomicU64,
    /// Since when the peer takes nothing of what we have for it; [`NEVER`] when it does.
    stuck_since: AtomicU64,
    in_flight: AtomicUsize,
    http2: AtomicBool,
}

const NEVER: u64 = u64::MAX;
const HTTP2_PREFACE_BYTES: u64 = 24;

impl Activity {
    fn new() -> Activity {
        Activity {
            began: Instant::now(),
            bytes_read: AtomicU64::new(0),
            last: AtomicU64::new(0),
            head_since: AtomicU64::new(NEVER),
            stuck_since: AtomicU64::new(NEVER),
            in_flight: AtomicUsize::new(0),
            http2: AtomicBool::new(false),
        }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    fn read(&self, bytes: &[u8]) {
        let now = self.now();
        self.last.store(now, Relaxed);
        if self.bytes_read.fetch_add(bytes.len() as u64, Relaxed) == 0 && bytes.starts_with(b"PRI") {
            self.http2.store(true, Relaxed);
        }
        // HTTP/2 mixes everything on one connection; pings find out whether the peer is there.
        if !self.http2.load(Relaxed) && self.in_flight.load(Relaxed) == 0 && self.head_since.load(Relaxed) == NEVER {
            self.head_since.store(now, Relaxed);
        }
    }

    /// Notes how a write went.
    fn wrote(&self, written: &Poll<std::io::Result<usize>>) {
        let now = self.now();
        if written.is_ready() {
            self.last.store(now, Relaxed);
            self.stuck_since.store(NEVER, Relaxed);
        } else {
            _ = self.stuck_since.compare_exchange(NEVER, now, Relaxed, Relaxed);
        }
    }

    /// Which deadline has passed, if any.
    fn overdue(&self, limits: &Connections) -> Option<&'static str> {
        let stuck_since = self.stuck_since.load(Relaxed);
        if stuck_since != NEVER && self.now().saturating_sub(stuck_since) > limits.idle_timeout_millis {
            return Some(reason::ANSWER_STALLED);
        }
        if self.in_flight.load(Relaxed) > 0 {
            return None;
        }
        let (now, read) = (self.now(), self.bytes_read.load(Relaxed));
        let greeting = if self.http2.load(Relaxed) { HTTP2_PREFACE_BYTES } else { 1 };
        let head_since = if read < greeting { 0 } else { self.head_since.load(Relaxed) };
        if head_since != NEVER && now.saturating_sub(head_since) > limits.header_timeout_millis {
            Some(reason::HEADER_TIMEOUT)
        } else if now.saturating_sub(self.last.load(Relaxed)) > limits.idle_timeout_millis {
            Some(reason::IDLE)
        } else {
            None
        }
    }
}

/// A request being answered.
struct InFlight(Arc<Activity>);

impl InFlight {
    fn start(activity: &Arc<Activity>) -> InFlight {
        activity.in_flight.fetch_add(1, Relaxed);
        activity.head_since.store(NEVER, Relaxed);
        InFlight(activity.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.last.store(self.0.now(), Relaxed);
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// A response body; the request is in flight until it is sent.
struct Guarded<B> {
    body: B,
    _in_flight: InFlight,
}

impl<B: Body + Unpin> Body for Guarded<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that notes when bytes move.
struct Watched {
    stream: TcpStream,
    activity: Arc<Activity>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = &buffer.filled()[before..];
        if !read.is_empty() {
            self.activity.read(read);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.activity.wrote(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.activity.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
