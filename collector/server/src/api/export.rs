//! `GET /export`: all rows of a signal as one Parquet file, made while it is sent.

use crate::api::PARQUET;
use crate::api::endpoint::{CancelOnDrop, Endpoint};
use crate::api::failure::Failure;
use crate::api::params::{FROM, Parameter, Params, SERVICE, TO};
use crate::api::state::Api;
use crate::http::request_id::RequestId;
use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::header;
use orrery_api::paths;
use orrery_model::Signal;
use orrery_query::{Control, plan};
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const SIGNAL: Parameter = Parameter::new("signal", "traces", "`traces`, `logs` or `metrics`.").required();

/// `GET /export`.
pub(crate) const EXPORT: Endpoint = Endpoint::json(
    paths::EXPORT,
    "",
    "All rows of a signal as one Parquet file",
    &[SIGNAL, FROM, TO, SERVICE],
)
.media(PARQUET)
.about("The columns of a segment (`storage/engine/FORMAT.md`) with all attributes in the map; rows in memory too. A file that was cut off has no footer and does not open.");

/// Longest export. It goes at the pace of its reader.
const LONGEST: Duration = Duration::from_secs(6 * 3600);
/// A reader that takes nothing for this long has gone.
const STALLED: Duration = Duration::from_secs(60);
/// Bytes sent at once, and how many of those wait for the reader.
const CHUNK: usize = 64 << 10;
const CHUNKS: usize = 4;

pub(crate) async fn export(
    State(api): State<Arc<Api>>,
    Extension(request): Extension<RequestId>,
    RawQuery(query): RawQuery,
) -> Response {
    match start(api, &query.unwrap_or_default()).await {
        Ok(response) => response,
        Err(failure) => failure.respond(&request.0),
    }
}

async fn start(api: Arc<Api>, query: &str) -> Result<Response, Failure> {
    let params = Params::parse(query, EXPORT.parameters, api.now())?;
    let signal = params.parsed(SIGNAL.name, signal)?.expect("it is required");
    let plan = plan::Export { signal, range: params.range()?, service: params.service() };
    let Ok(place) = Arc::clone(&api.exports).try_acquire_owned() else {
        return Err(Failure::Busy("Other exports are running; try again when they are done.".to_owned()));
    };
    let control = Control::within(LONGEST);
    let guard = CancelOnDrop(control.clone());
    let (send, mut chunks) = mpsc::channel(CHUNKS);
    let (store, runtime, failed) = (Arc::clone(&api.store), Handle::current(), send.clone());
    tokio::task::spawn_blocking(move || {
        let _place = place;
        let mut out = BufWriter::with_capacity(CHUNK, Sent { send, runtime: runtime.clone() });
        let written = store.export(&plan, &control, &mut out).map_err(Failure::from);
        let sent = written.and_then(|_| out.flush().map_err(|error| Failure::Internal(error.into())));
        if let Err(failure) = sent {
            // The reader may have gone: that is what failed then.
            _ = runtime.block_on(failed.send(Err(failure)));
        }
    });
    // Nothing is promised before the first bytes are there.
    let first = match chunks.recv().await {
        Some(Ok(first)) => first,
        Some(Err(failure)) => return Err(failure),
        None => return Err(Failure::Internal(anyhow::anyhow!("the export ended without a file"))),
    };
    let name = format!("attachment; filename=\"{signal}.parquet\"");
    let headers =
        [(header::CONTENT_TYPE, PARQUET), (header::CONTENT_DISPOSITION, &name), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, body(first, chunks, guard, api.stopping.clone())).into_response())
}

/// The chunks; a broken connection instead of an end where something went wrong, so that nobody takes it for the whole.
fn body(
    first: Bytes,
    chunks: mpsc::Receiver<Result<Bytes, Failure>>,
    guard: CancelOnDrop,
    stopping: CancellationToken,
) -> Body {
    let start = (Some(first), chunks, guard, stopping);
    Body::from_stream(stream::unfold(start, |(first, mut chunks, guard, stopping)| async move {
        if let Some(first) = first {
            return Some((Ok(first), (None, chunks, guard, stopping)));
        }
        let chunk = tokio::select! {
            chunk = chunks.recv() => chunk?.map_err(|failure| {
                tracing::warn!(?failure, "an export was cut off");
                io::Error::other("the export failed")
            }),
            () = stopping.cancelled() => Err(io::Error::other("the server stops")),
        };
        Some((chunk, (None, chunks, guard, stopping)))
    }))
}

/// Hands chunks to the connection, at its pace.
struct Sent {
    send: mpsc::Sender<Result<Bytes, Failure>>,
    runtime: Handle,
}

impl Write for Sent {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let send = self.send.send(Ok(Bytes::copy_from_slice(bytes)));
        match self.runtime.block_on(async { tokio::time::timeout(STALLED, send).await }) {
            Ok(Ok(())) => Ok(bytes.len()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A signal by its name.
pub(crate) fn signal(text: &str) -> Result<Signal, String> {
    Signal::ALL
        .into_iter()
        .find(|signal| signal.as_str() == text)
        .ok_or_else(|| format!("`{text}` is no signal; one of traces, logs, metrics"))
}
