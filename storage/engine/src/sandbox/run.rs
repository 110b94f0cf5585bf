//! Answering, in a process that has nothing else to do.

use super::check::{self, Checked, check};
use super::frame::{self, Cause, Failed};
use super::output::{More, Out, Output};
use super::views::{self, Named};
use super::{Task, tables};
use arrow::datatypes::{Schema, SchemaRef};
use duckdb::Connection;
use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Why it goes no further.
pub(super) enum Stop {
    /// Nobody reads.
    Io(io::Error),
    Failed(Failed),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Io(error)
    }
}

impl From<duckdb::Error> for Stop {
    fn from(error: duckdb::Error) -> Stop {
        Stop::Failed(failed(&error))
    }
}

impl From<arrow::error::ArrowError> for Stop {
    fn from(error: arrow::error::ArrowError) -> Stop {
        Stop::Failed(Failed { cause: Cause::Engine, message: error.to_string(), place: None })
    }
}

pub(super) fn run(task: &Task, connection: duckdb::Result<Connection>, out: Out<'_>) -> io::Result<()> {
    match connection.map_err(ours).and_then(|connection| answer(task, &connection, &mut *out)) {
        Ok(()) => Ok(()),
        Err(Stop::Io(error)) => Err(error),
        Err(Stop::Failed(failed)) => frame::write_json(out, frame::FAILED, &failed),
    }
}

fn answer(task: &Task, connection: &Connection, out: Out<'_>) -> Result<(), Stop> {
    let checked = parse(connection, &task.statement)?;
    // Against tables without rows first: it says what is wrong, and where, in the words of the statement.
    connection.execute_batch(&views::stand_ins()).map_err(ours)?;
    connection.prepare(&task.statement)?;
    for table in &tables::TABLES {
        connection.execute_batch(&format!("DROP TABLE main.{}", table.name)).map_err(ours)?;
    }
    let named = views::named(&checked.subscripts);
    for input in &task.tables {
        connection.execute_batch(&views::view(input, task.from, task.to, &named)).map_err(ours)?;
    }
    connection.execute_batch("SET lock_configuration = true").map_err(ours)?;
    let (text, keeps_places) = rewritten(&task.statement, &checked, &named);
    // What does not fit, because the attribute is not of one of our tables, is asked as it is written.
    let is_rewritten = text != task.statement && connection.prepare(&text).is_ok();
    let text = if is_rewritten { &text } else { &task.statement };
    let mut statement = connection.prepare(text)?;
    let place = |stop: Stop| match stop {
        Stop::Failed(failed) if is_rewritten && !keeps_places => Stop::Failed(Failed { place: None, ..failed }),
        other => other,
    };
    let mut batches = statement.stream_arrow([]).map_err(|error| place(error.into()))?;
    let mut output = Output::new(task, &as_written(&batches.get_schema(), &named), out)?;
    let mut more = More::Wanted;
    while more == More::Wanted {
        let Some(batch) = batches.next() else { break };
        more = output.take(&batch.map_err(|error| place(error.into()))?)?;
    }
    output.end(more)
}

/// A database that can do nothing but read the files.
pub(super) fn open(task: &Task) -> duckdb::Result<Connection> {
    let connection = Connection::open_in_memory_with_flags(duckdb::Config::default().threads(1)?)?;
    let files: Vec<String> = task.files().map(|file| views::text(&file.to_string_lossy())).collect();
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    connection.execute_batch(&format!(
        "SET errors_as_json = true;
         SET memory_limit = '{}B';
         SET temp_directory = '';
         SET enable_external_file_cache = false;
         SET autoinstall_known_extensions = false;
         SET autoload_known_extensions = false;
         SET allow_community_extensions = false;
         SET allowed_paths = [{}];
         SET enable_external_access = false;
         -- Times here have no zone; and reckoning with one needs an extension.
         CREATE MACRO main.now() AS make_timestamp({micros});
         CREATE MACRO main.get_current_timestamp() AS make_timestamp({micros});",
        task.memory_bytes,
        files.join(", ")
    ))?;
    Ok(connection)
}

fn parse(connection: &Connection, statement: &str) -> Result<Checked, Stop> {
    let tree: String = connection.query_row("SELECT json_serialize_sql(?)", [statement], |row| row.get(0))?;
    check(statement, &tree).map_err(Stop::Failed)
}

/// The statement with a column in the place of every attribute it names, and whether everything else is where it was.
fn rewritten(statement: &str, checked: &Checked, named: &[Named]) -> (String, bool) {
    let Some(stars) = checked.stars.iter().cloned().collect::<Option<Vec<_>>>() else {
        return (statement.to_owned(), true);
    };
    let mut edits: Vec<(std::ops::Range<usize>, String)> = Vec::new();
    for subscript in &checked.subscripts {
        let at = named.iter().position(|named| named.map == subscript.map && named.key == subscript.key);
        let column = views::quoted(&Named::column(at.expect("all are named")));
        let width = subscript.place.len();
        edits.push((subscript.place.clone(), format!("{column:width$}")));
    }
    if edits.is_empty() {
        return (statement.to_owned(), true);
    }
    let columns: Vec<String> = (0..named.len()).map(|at| views::quoted(&Named::column(at))).collect();
    edits.extend(stars.iter().map(|star| (star.clone(), format!("* EXCLUDE ({})", columns.join(", ")))));
    edits.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
    let mut text = statement.to_owned();
    edits.into_iter().for_each(|(place, instead)| text.replace_range(place, &instead));
    (text, stars.is_empty())
}

/// Columns called after what is written, not after what was put in its place.
fn as_written(schema: &SchemaRef, named: &[Named]) -> SchemaRef {
    let name = |field: &str| {
        named.iter().enumerate().rev().fold(field.to_owned(), |name, (at, named)| {
            let written = format!("{}[{}]", named.map, views::text(&named.key));
            name.replace(&views::quoted(&Named::column(at)), &written).replace(&Named::column(at), &written)
        })
    };
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_name(name(field.name())));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// An error of the query engine, which it gives as JSON behind some words.
fn failed(error: &duckdb::Error) -> Failed {
    let text = error.to_string();
    let said: Option<serde_json::Value> = text.find('{').and_then(|at| serde_json::from_str(&text[at..]).ok());
    let said = said.unwrap_or_default();
    let kind = said["exception_type"].as_str().unwrap_or_default();
    let message = said["exception_message"].as_str().unwrap_or(&text).to_owned();
    let is_memory = kind == "Out of Memory" || message.contains("bad_alloc") || message.contains("Out of Memory");
    let cause = match kind {
        _ if is_memory => Cause::Limit,
        "INTERNAL" | "FATAL" | "IO" | "Internal" | "Fatal" => Cause::Engine,
        _ => Cause::Statement,
    };
    let message = if is_memory {
        "the query needs more memory than it may have: group by fewer values, sort fewer rows, or ask for a shorter time".to_owned()
    } else {
        check::in_our_words(&message).to_owned()
    };
    Failed { cause, message, place: said["location"].as_str().and_then(check::location) }
}

/// An error that no statement is to blame for.
fn ours(error: duckdb::Error) -> Stop {
    let failed = failed(&error);
    let cause = if failed.cause == Cause::Limit { Cause::Limit } else { Cause::Engine };
    Stop::Failed(Failed { cause, place: None, ..failed })
}
