//! SQL for the services: PostgreSQL, or SQLite in memory, behind the same statements.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};

use crate::failure::Failure;
use crate::fault::FaultKind;
use crate::graph::{Edge, EdgeKind};
use crate::instance::Instance;
use crate::member::Member;
use crate::work::{Work, span};

/// A statement both engines understand. Parameters are `$1…`, first used in that order (SQLite numbers
/// them by appearance); columns are TEXT or BIGINT.
pub(crate) struct Statement {
    pub(crate) operation: &'static str,
    pub(crate) table: &'static str,
    pub(crate) text: &'static str,
}

/// A parameter or a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Text(String),
    Int(i64),
    Null,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::Text(text.into())
    }
}

impl From<i64> for Cell {
    fn from(int: i64) -> Self {
        Cell::Int(int)
    }
}

/// One row, read by column number.
pub(crate) struct Row(Vec<Cell>);

impl Row {
    pub(crate) fn text(&self, column: usize) -> String {
        match &self.0[column] {
            Cell::Text(text) => text.clone(),
            other => format!("{other:?}"),
        }
    }

    pub(crate) fn int(&self, column: usize) -> i64 {
        match self.0[column] {
            Cell::Int(int) => int,
            _ => 0,
        }
    }
}

/// What the engine said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SqlError {
    #[error("SQLite refused the statement")]
    Sqlite(#[from] rusqlite::Error),
    #[error("PostgreSQL refused the statement")]
    Postgres(#[from] tokio_postgres::Error),
    #[error("column type {0} is neither TEXT nor BIGINT")]
    Column(Type),
}

impl SqlError {
    fn code(&self) -> String {
        match self {
            SqlError::Sqlite(error) => error.sqlite_error_code().map_or("sqlite".into(), |code| format!("{code:?}")),
            SqlError::Postgres(error) => error.code().map_or("connection_broken".into(), |code| code.code().into()),
            SqlError::Column(_) => "column_type".into(),
        }
    }
}

/// One service's database. Outlives the service's instances, as a server would.
pub(crate) struct Database {
    engine: Engine,
    place: Place,
}

enum Engine {
    Sqlite(Arc<Mutex<rusqlite::Connection>>),
    Postgres(Box<Postgres>),
}

/// Where a store is, in the words of the conventions.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) system: &'static str,
    pub(crate) namespace: String,
    pub(crate) server: Option<(String, u16)>,
}

impl Place {
    pub(crate) fn attributes(&self) -> Vec<KeyValue> {
        let mut attributes =
            vec![KeyValue::new("db.system.name", self.system), KeyValue::new("db.namespace", self.namespace.clone())];
        if let Some((address, port)) = &self.server {
            attributes.push(KeyValue::new("server.address", address.clone()));
            attributes.push(KeyValue::new("server.port", i64::from(*port)));
        }
        attributes
    }

    pub(crate) fn edge(&self, caller: Member) -> Edge {
        let at = match &self.server {
            Some((address, port)) => format!("{address}:{port}"),
            None => self.namespace.clone(),
        };
        let mut edge = Edge::new(caller.name(), &format!("{}@{at}", self.system), EdgeKind::Database);
        edge.system = Some(self.system.into());
        edge.namespace = Some(self.namespace.clone());
        edge.server_address = self.server.as_ref().map(|(address, _)| address.clone());
        edge.server_port = self.server.as_ref().map(|(_, port)| *port);
        edge
    }
}

impl Database {
    /// SQLite in memory.
    pub(crate) fn embedded(owner: Member) -> anyhow::Result<Self> {
        let connection = rusqlite::Connection::open_in_memory().context("SQLite in memory")?;
        let place = Place { system: "sqlite", namespace: owner.name().into(), server: None };
        Ok(Self { engine: Engine::Sqlite(Arc::new(Mutex::new(connection))), place })
    }

    /// `shop_<owner>` on a PostgreSQL server; created if it is not there.
    pub(crate) async fn postgres(url: &str, owner: Member) -> anyhow::Result<Self> {
        let mut config: tokio_postgres::Config = url.parse().context("stores.postgres")?;
        config.connect_timeout(Duration::from_secs(3)).application_name(format!("shop-{owner}"));
        let namespace = format!("shop_{}", owner.name().replace('-', "_"));
        create_database(&config, &namespace).await?;
        config.dbname(&namespace);
        let place = Place { system: "postgresql", namespace, server: Some(server_of(&config)) };
        let engine = Engine::Postgres(Box::new(Postgres { config, link: tokio::sync::Mutex::new(None) }));
        Ok(Self { engine, place })
    }

    /// Runs a script without telemetry: what a migration job would have done before the service starts.
    pub(crate) async fn migrate(&self, script: &str) -> Result<(), SqlError> {
        match &self.engine {
            Engine::Sqlite(connection) => {
                Ok(connection.lock().expect("SQLite calls do not panic").execute_batch(script)?)
            }
            Engine::Postgres(postgres) => Ok(postgres.link().await?.client.batch_execute(&alone(script)).await?),
        }
    }

    async fn run(&self, statement: &Statement, cells: Vec<Cell>) -> Result<Vec<Row>, SqlError> {
        match &self.engine {
            Engine::Sqlite(connection) => {
                let (connection, text) = (connection.clone(), statement.text);
                let work = move || run_sqlite(&connection.lock().expect("SQLite calls do not panic"), text, cells);
                tokio::task::spawn_blocking(work).await.expect("SQLite calls do not panic")
            }
            Engine::Postgres(postgres) => postgres.run(statement.text, &cells).await,
        }
    }
}

/// A script that waits for the same script of another replica: `IF NOT EXISTS` is no protection.
fn alone(script: &str) -> String {
    format!("BEGIN; SELECT pg_advisory_xact_lock(7090); {script}; COMMIT")
}

fn run_sqlite(connection: &rusqlite::Connection, text: &str, cells: Vec<Cell>) -> Result<Vec<Row>, SqlError> {
    use rusqlite::types::{Value, ValueRef};
    let mut statement = connection.prepare_cached(text)?;
    let width = statement.column_count();
    let values = cells.into_iter().map(|cell| match cell {
        Cell::Text(text) => Value::Text(text),
        Cell::Int(int) => Value::Integer(int),
        Cell::Null => Value::Null,
    });
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut read = Vec::new();
    while let Some(row) = rows.next()? {
        let cells = (0..width).map(|column| {
            Ok(match row.get_ref(column)? {
                ValueRef::Integer(int) => Cell::Int(int),
                ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
                _ => Cell::Null,
            })
        });
        read.push(Row(cells.collect::<Result<_, rusqlite::Error>>()?));
    }
    Ok(read)
}

/// A server connection that is made again when it breaks.
struct Postgres {
    config: tokio_postgres::Config,
    link: tokio::sync::Mutex<Option<Arc<Link>>>,
}

struct Link {
    client: tokio_postgres::Client,
    prepared: tokio::sync::Mutex<HashMap<&'static str, tokio_postgres::Statement>>,
}

impl Postgres {
    async fn link(&self) -> Result<Arc<Link>, SqlError> {
        let mut link = self.link.lock().await;
        if let Some(link) = link.as_ref().filter(|link| !link.client.is_closed()) {
            return Ok(link.clone());
        }
        let (client, connection) = self.config.connect(tokio_postgres::NoTls).await?;
        // Ends with the connection; its error also reaches whoever uses the client.
        tokio::spawn(async move { drop(connection.await) });
        let made = Arc::new(Link { client, prepared: Default::default() });
        *link = Some(made.clone());
        Ok(made)
    }

    async fn run(&self, text: &'static str, cells: &[Cell]) -> Result<Vec<Row>, SqlError> {
        let link = self.link().await?;
        let statement = link.prepare(text).await?;
        let params: Vec<&(dyn ToSql + Sync)> = cells
            .iter()
            .map(|cell| match cell {
                Cell::Text(text) => text as &(dyn ToSql + Sync),
                Cell::Int(int) => int,
                Cell::Null => &None::<String>,
            })
            .collect();
        link.client.query(&statement, &params).await?.iter().map(read_postgres).collect()
    }
}

impl Link {
    async fn prepare(&self, text: &'static str) -> Result<tokio_postgres::Statement, SqlError> {
        let mut prepared = self.prepared.lock().await;
        if let Some(statement) = prepared.get(text) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(text).await?;
        prepared.insert(text, statement.clone());
        Ok(statement)
    }
}

fn read_postgres(row: &tokio_postgres::Row) -> Result<Row, SqlError> {
    let cell = |(column, about): (usize, &tokio_postgres::Column)| match *about.type_() {
        Type::TEXT => Ok(row.try_get::<_, Option<String>>(column)?.map_or(Cell::Null, Cell::Text)),
        Type::INT8 => Ok(row.try_get::<_, Option<i64>>(column)?.map_or(Cell::Null, Cell::Int)),
        ref other => Err(SqlError::Column(other.clone())),
    };
    row.columns().iter().enumerate().map(cell).collect::<Result<_, _>>().map(Row)
}

async fn create_database(config: &tokio_postgres::Config, name: &str) -> anyhow::Result<()> {
    let (client, connection) =
        config.connect(tokio_postgres::NoTls).await.context("stores.postgres: cannot connect")?;
    tokio::spawn(async move { drop(connection.await) });
    let there = client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).await?.is_some();
    if there {
        return Ok(());
    }
    match client.batch_execute(&format!("CREATE DATABASE {name}")).await {
        // Another replica was quicker.
        Err(error) if matches!(error.code(), Some(&SqlState::DUPLICATE_DATABASE | &SqlState::UNIQUE_VIOLATION)) => {
            Ok(())
        }
        created => created.with_context(|| {
            format!("stores.postgres: cannot create {name}; create it, or let the user (ALTER ROLE … CREATEDB)")
        }),
    }
}

fn server_of(config: &tokio_postgres::Config) -> (String, u16) {
    use tokio_postgres::config::Host;
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".into(),
    };
    (host, config.get_ports().first().copied().unwrap_or(5432))
}

/// An instance's use of a database: a CLIENT span for every statement.
pub(crate) struct Session {
    instance: Arc<Instance>,
    database: Arc<Database>,
}

impl Session {
    /// Wires `instance` to its database.
    pub(crate) fn new(instance: &Arc<Instance>, database: Arc<Database>) -> Self {
        instance.wiring.add([database.place.edge(instance.member())]);
        Self { instance: instance.clone(), database }
    }

    /// Runs a statement.
    ///
    /// # Errors
    /// 500 with the engine's error code; the exception is the engine's.
    pub(crate) async fn run(&self, work: &Work, statement: &Statement, cells: &[Cell]) -> Result<Vec<Row>, Failure> {
        let summary = format!("{} {}", statement.operation, statement.table);
        let mut attributes = self.database.place.attributes();
        attributes.push(KeyValue::new("db.operation.name", statement.operation));
        attributes.push(KeyValue::new("db.collection.name", statement.table));
        let mut more = attributes.clone();
        more.push(KeyValue::new("db.query.text", statement.text));
        more.push(KeyValue::new("db.query.summary", summary.clone()));
        let call = work.child(span(SpanKind::Client, summary, more));
        let started = Instant::now();
        self.instance.faults.delay(FaultKind::SlowDatabase, self.instance.member()).await;
        let outcome = self.database.run(statement, cells.to_vec()).await.map_err(|error| {
            let code = error.code();
            call.set("db.response.status_code", code.clone());
            call.fail(&code, &error.to_string());
            attributes.push(KeyValue::new("error.type", code.clone()));
            Failure::broke(&code, format!("{} {} failed", statement.operation, statement.table), error)
        });
        if let Ok(rows) = &outcome {
            call.set("db.response.returned_rows", rows.len() as i64);
        }
        self.instance.telemetry.instruments.db_duration.record(started.elapsed().as_secs_f64(), &attributes);
        call.end();
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sqlite_reads_back_what_it_was_given() {
        let database = Database::embedded(Member::Orders).unwrap();
        database.migrate("CREATE TABLE t (a TEXT, b BIGINT)").await.unwrap();
        let insert = Statement { operation: "INSERT", table: "t", text: "INSERT INTO t VALUES ($1, $2)" };
        database.run(&insert, vec!["ä".into(), 7.into()]).await.unwrap();
        database.run(&insert, vec![Cell::Null, (-1).into()]).await.unwrap();
        let select = Statement { operation: "SELECT", table: "t", text: "SELECT a, b FROM t WHERE b >= $1 ORDER BY b" };
        let rows = database.run(&select, vec![(-1).into()]).await.unwrap();
        assert_eq!(rows[0].0, [Cell::Null, Cell::Int(-1)]);
        assert_eq!((rows[1].text(0), rows[1].int(1)), ("ä".into(), 7));
    }
}
