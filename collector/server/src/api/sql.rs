//! `POST /sql`: users' own SQL, and `GET /sql/schema`: what it can speak of.

use crate::api::endpoint::{Ask, Endpoint, Verb, ask};
use crate::api::failure::Failure;
use crate::api::params::{FROM, Params, TO};
use crate::api::state::Api;
use crate::api::{PARQUET, convert};
use crate::http::request_id::RequestId;
use crate::sql::process::{Running, Said};
use anyhow::anyhow;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request, header};
use orrery_api as api;
use orrery_api::{Nanos, SqlAnswer, SqlColumn, SqlRequest, SqlSchema, paths};
use orrery_query::plan::{RowFormat, Statement, Tables};
use orrery_query::{TimeRange, answer};
use std::io;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::OwnedSemaphorePermit;

/// `POST /sql`.
pub(crate) const SQL: Endpoint = Endpoint::json(paths::SQL, "SqlAnswer", "One SELECT over spans, log records and data points", &[])
    .change(Verb::Post, "SqlRequest")
    .about("DuckDB's SQL. It runs in a process of its own that can only read stored rows of the range, those of the last moments too, for as long as `--query-timeout` says. As `text/csv` or `application/vnd.apache.parquet` the answer is a file; one that was cut off breaks the connection. In CSV, text that a spreadsheet would take for a formula begins with an apostrophe. A span received twice may be counted twice.");

/// `GET /sql/schema`.
pub(crate) const SCHEMA: Endpoint = Endpoint::json(
    paths::SQL_SCHEMA,
    "SqlSchema",
    "Tables and columns that SQL can speak of, with the attributes of the range",
    &[FROM, TO],
);

/// Longest request.
const BODY: usize = 256 << 10;
/// Media type of CSV.
const CSV: &str = "text/csv";
/// Rows of an answer in JSON: unless said, and at most.
const ROWS: u64 = 10_000;
const MOST_ROWS: u64 = 100_000;
/// Bytes of an answer in JSON, which is held in memory.
const MOST_BYTES: u64 = 16 << 20;
/// The same of a file, which is not.
const MOST_FILE_ROWS: u64 = 1_000_000;
const MOST_FILE_BYTES: u64 = 512 << 20;

pub(crate) fn schema(ask: &Ask<'_>) -> Result<SqlSchema, Failure> {
    let answer = ask.store().tables(&Tables { range: ask.params.range()? }, ask.control)?;
    let key = |(key, count): (String, u64)| api::SqlKey { key, count };
    let column = |column: answer::ColumnInfo| api::SqlTableColumn {
        name: column.name,
        kind: column.kind,
        about: column.about,
        keys: column.keys.into_iter().map(key).collect(),
    };
    let table = |table: answer::TableInfo| api::SqlTable {
        name: table.name,
        about: table.about,
        columns: table.columns.into_iter().map(column).collect(),
    };
    Ok(SqlSchema { tables: answer.value.into_iter().map(table).collect(), partial: answer.partial.map(|why| why.0) })
}

pub(crate) async fn sql(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    request: Request<Body>,
) -> Response {
    let answered = async {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, BODY).await;
        let body =
            body.map_err(|_| Failure::invalid("statement", format!("the request is longer than {BODY} bytes")))?;
        start(api, &head.headers, &body).await
    };
    answered.await.unwrap_or_else(|failure| failure.respond(&id.0))
}

async fn start(api: Arc<Api>, headers: &HeaderMap, body: &[u8]) -> Result<Response, Failure> {
    let began = Instant::now();
    let plan = plan(&api, headers, body)?;
    let waiting = tokio::time::timeout(api.limits.query_wait, Arc::clone(&api.workers).acquire_owned());
    let Ok(Ok(place)) = waiting.await else {
        return Err(Failure::Busy("Other SQL queries are running; try again in a second.".to_owned()));
    };
    let asked = plan.clone();
    let isolated = ask(Arc::clone(&api), move |api, control| Ok(api.store.isolate(&asked, control)?)).await?;
    let answer::Isolated { task, held } = isolated.value;
    let mut worker = Worker {
        running: Running::start(task, api.limits.query_timeout)?,
        statement: plan.text,
        _held: held,
        _place: place,
    };
    let Said::Columns(columns) = worker.next().await? else { return Err(disorder()) };
    let columns = columns.into_iter().map(|column| SqlColumn { name: column.name, kind: column.kind }).collect();
    let (media, name) = match plan.format {
        RowFormat::Csv => ("text/csv; charset=utf-8", "query.csv"),
        RowFormat::Parquet => (PARQUET, "query.parquet"),
        RowFormat::Json => {
            let answer = SqlAnswer {
                range: convert::range(plan.range),
                scanned: convert::scanned(isolated.scanned),
                partial: isolated.partial.map(|why| why.0),
                columns,
                ..SqlAnswer::default()
            };
            return json(worker, answer, began).await;
        }
    };
    // Nothing is promised before there is something.
    let first = worker.next().await?;
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [
        (header::CONTENT_TYPE, media),
        (header::CONTENT_DISPOSITION, &disposition),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, file(first, worker, api)).into_response())
}

fn plan(api: &Api, headers: &HeaderMap, body: &[u8]) -> Result<Statement, Failure> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // What a form of a foreign page can send is not JSON.
    if !text(header::CONTENT_TYPE).starts_with("application/json") {
        return Err(Failure::invalid("content-type", "send the request as `application/json`"));
    }
    let request: SqlRequest = serde_json::from_slice(body)
        .map_err(|error| Failure::invalid("statement", format!("the request is no SqlRequest: {error}")))?;
    let accepted = match text(header::ACCEPT) {
        accept if accept.contains(PARQUET) => "parquet",
        accept if accept.contains(CSV) => "csv",
        _ => "json",
    };
    let format = match request.format.as_deref().unwrap_or(accepted) {
        "json" => RowFormat::Json,
        "csv" => RowFormat::Csv,
        "parquet" => RowFormat::Parquet,
        other => return Err(Failure::invalid("format", format!("`{other}` is none of `json`, `csv`, `parquet`"))),
    };
    let is_file = format != RowFormat::Json;
    let (most_rows, most_bytes) = if is_file { (MOST_FILE_ROWS, MOST_FILE_BYTES) } else { (MOST_ROWS, MOST_BYTES) };
    if request.max_rows.is_some_and(|rows| rows > most_rows) {
        return Err(Failure::invalid("max_rows", format!("`max_rows` is at most {most_rows}")));
    }
    Ok(Statement {
        text: request.statement.clone(),
        range: range(&request, api.now())?,
        format,
        rows: request.max_rows.or((!is_file).then_some(ROWS)),
        most_rows,
        most_bytes,
    })
}

fn range(request: &SqlRequest, now: i64) -> Result<TimeRange, Failure> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let given = [(FROM.name, &request.from), (TO.name, &request.to)];
    given.into_iter().for_each(|(name, value)| _ = value.as_ref().map(|value| query.append_pair(name, value)));
    Params::parse(&query.finish(), &[FROM, TO], now)?.range()
}

fn disorder() -> Failure {
    Failure::Internal(anyhow!("a query's process said things out of order"))
}

/// A process with what it needs: its place among others, its files.
struct Worker {
    running: Running,
    statement: String,
    _held: Box<dyn std::any::Any + Send + Sync>,
    _place: OwnedSemaphorePermit,
}

impl Worker {
    async fn next(&mut self) -> Result<Said, Failure> {
        self.running.next(&self.statement).await
    }
}

async fn json(mut worker: Worker, mut answer: SqlAnswer, began: Instant) -> Result<Response, Failure> {
    let mut rows = Vec::new();
    let end = loop {
        match worker.next().await? {
            Said::Rows(more) => rows.extend_from_slice(&more),
            Said::End(end) => break end,
            Said::Columns(_) => return Err(disorder()),
        }
    };
    answer.cut = end.cut;
    answer.elapsed_nanos = Nanos(i64::try_from(began.elapsed().as_nanos()).unwrap_or(i64::MAX));
    // The rows are JSON already, and come last.
    let mut body = serde_json::to_vec(&answer).map_err(|error| Failure::Internal(error.into()))?;
    body.truncate(body.len() - b"]}".len());
    body.extend_from_slice(&rows);
    body.extend_from_slice(b"]}");
    Ok(([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body).into_response())
}

/// The bytes; a broken connection instead of an end where something went wrong, so that nobody takes it for the whole.
fn file(first: Said, worker: Worker, api: Arc<Api>) -> Body {
    let start = (Some(first), worker, api.stopping.clone());
    let chunks = stream::unfold(start, |(first, mut worker, stopping)| async move {
        let said = match first {
            Some(first) => Ok(first),
            None => tokio::select! {
                said = worker.next() => said,
                () = stopping.cancelled() => return Some((Err(io::Error::other("the server stops")), (None, worker, stopping))),
            },
        };
        let chunk: io::Result<Bytes> = match said {
            Ok(Said::Rows(rows)) => Ok(rows),
            Ok(Said::End(_)) => return None,
            Ok(Said::Columns(_)) => Err(io::Error::other("out of order")),
            Err(failure) => {
                tracing::warn!(?failure, "an answer in SQL was cut off");
                Err(io::Error::other("the query failed"))
            }
        };
        Some((chunk, (None, worker, stopping)))
    });
    // What compresses it asks once more at the end.
    Body::from_stream(chunks.fuse())
}
