//! Rows as JSON, CSV or Parquet, in frames, up to a bound.

use super::frame::{self, Cause, Column, End, Failed};
use super::run::Stop;
use super::{Task, cells};
use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use orrery_query::plan::RowFormat;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::io::{self, Write};
use std::sync::Arc;

/// Bytes that are sent together.
const TOGETHER: usize = 64 << 10;
/// Rows of a row group.
const ROW_GROUP: usize = 16 * 1024;

pub(super) type Out<'a> = &'a mut (dyn Write + Send);

/// Takes the rows of an answer.
pub(super) struct Output<'a> {
    form: Form<'a>,
    wanted: u64,
    most: u64,
    rows: u64,
    format: RowFormat,
}

enum Form<'a> {
    Text { out: Frames<'a>, write: fn(&RecordBatch, usize, bool, &mut String) },
    Parquet { writer: Box<ArrowWriter<Frames<'a>>>, schema: SchemaRef },
}

/// Whether more rows are wanted.
#[derive(PartialEq, Eq)]
pub(super) enum More {
    Wanted,
    /// There are more than are wanted, or than there may be.
    Cut,
}

impl<'a> Output<'a> {
    /// Says which columns there are.
    pub(super) fn new(task: &Task, schema: &SchemaRef, out: Out<'a>) -> Result<Output<'a>, Stop> {
        let column =
            |field: &Arc<Field>| Column { name: field.name().clone(), kind: cells::sql_type(field.data_type()) };
        let columns: Vec<Column> = schema.fields().iter().map(column).collect();
        frame::write_json(out, frame::COLUMNS, &columns)?;
        let mut frames = Frames { out, waiting: String::new(), bytes: 0, most: task.most_bytes };
        let form = match task.format {
            RowFormat::Json => Form::Text { out: frames, write: json },
            RowFormat::Csv => {
                let names: Vec<String> = columns.iter().map(|column| csv_cell(&column.name, true)).collect();
                frames.waiting = names.join(",") + "\r\n";
                Form::Text { out: frames, write: csv }
            }
            RowFormat::Parquet => {
                let schema = once_each(schema);
                Form::Parquet { writer: Box::new(parquet(frames, &schema)?), schema }
            }
        };
        let wanted = task.rows.unwrap_or(u64::MAX).min(task.most_rows);
        Ok(Output { form, wanted, most: task.most_rows, rows: 0, format: task.format })
    }

    pub(super) fn take(&mut self, batch: &RecordBatch) -> Result<More, Stop> {
        let room = (self.wanted - self.rows).min(batch.num_rows() as u64) as usize;
        match &mut self.form {
            Form::Text { out, write } => {
                for row in 0..room {
                    write(batch, row, self.rows == 0, &mut out.waiting);
                    self.rows += 1;
                    if out.is_full() {
                        return self.full();
                    }
                    out.pass_on(TOGETHER)?;
                }
            }
            Form::Parquet { writer, schema } => {
                let batch = batch.slice(0, room);
                let batch = RecordBatch::try_new(Arc::clone(schema), batch.columns().to_vec())?;
                writer.write(&batch).map_err(unwritable)?;
                self.rows += room as u64;
                if writer.inner().bytes > writer.inner().most {
                    return self.full();
                }
            }
        }
        match room < batch.num_rows() {
            false => Ok(More::Wanted),
            true if self.wanted < self.most => Ok(More::Cut),
            true => self.full(),
        }
    }

    /// There may not be more. A file is whole or none.
    fn full(&self) -> Result<More, Stop> {
        if self.format == RowFormat::Json {
            return Ok(More::Cut);
        }
        let message = format!(
            "the answer has more than {} rows or too many bytes for one file: add a LIMIT, or ask for less",
            self.rows
        );
        Err(Stop::Failed(Failed { cause: Cause::Limit, message, place: None }))
    }

    pub(super) fn end(self, more: More) -> Result<(), Stop> {
        let end = End { rows: self.rows, cut: more == More::Cut };
        let out = match self.form {
            Form::Text { mut out, .. } => {
                out.pass_on(1)?;
                out.out
            }
            Form::Parquet { writer, .. } => writer.into_inner().map_err(unwritable)?.out,
        };
        Ok(frame::write_json(out, frame::END, &end)?)
    }
}

/// Bytes on their way into frames.
struct Frames<'a> {
    out: Out<'a>,
    waiting: String,
    bytes: u64,
    most: u64,
}

impl Frames<'_> {
    fn is_full(&self) -> bool {
        self.bytes + self.waiting.len() as u64 > self.most
    }

    fn pass_on(&mut self, least: usize) -> io::Result<()> {
        if self.waiting.len() >= least {
            frame::write(self.out, frame::ROWS, self.waiting.as_bytes())?;
            self.bytes += self.waiting.len() as u64;
            self.waiting.clear();
        }
        Ok(())
    }
}

impl Write for Frames<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        frame::write(self.out, frame::ROWS, bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn json(batch: &RecordBatch, row: usize, first: bool, out: &mut String) {
    out.push_str(if first { "[" } else { ",[" });
    for (at, column) in batch.columns().iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        cells::json(column, row, out);
    }
    out.push(']');
}

/// RFC 4180.
fn csv(batch: &RecordBatch, row: usize, _first: bool, out: &mut String) {
    for (at, column) in batch.columns().iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&csv_cell(&cells::text(column, row), cells::is_words(column.data_type())));
    }
    out.push_str("\r\n");
}

/// Words that a spreadsheet would take for a formula begin with an apostrophe; numbers stay what they are.
fn csv_cell(text: &str, is_words: bool) -> String {
    let is_formula = is_words && text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

fn parquet<'a>(out: Frames<'a>, schema: &SchemaRef) -> Result<ArrowWriter<Frames<'a>>, Stop> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).expect("level 1 exists")))
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_created_by(concat!("orrery ", env!("CARGO_PKG_VERSION")).to_owned())
        .build();
    ArrowWriter::try_new(out, Arc::clone(schema), Some(properties)).map_err(unwritable)
}

fn unwritable(error: parquet::errors::ParquetError) -> Stop {
    match error {
        parquet::errors::ParquetError::External(error) if error.is::<io::Error>() => {
            Stop::Io(*error.downcast().expect("it is one"))
        }
        error => Stop::Failed(Failed {
            cause: Cause::Statement,
            message: format!("a column cannot be written to Parquet: cast it, for example to VARCHAR ({error})"),
            place: None,
        }),
    }
}

/// Column names of a file are distinct: the second `name` is `name_2`.
fn once_each(schema: &SchemaRef) -> SchemaRef {
    let mut fields: Vec<Field> = Vec::new();
    for field in schema.fields() {
        let mut name = field.name().clone();
        let mut number = 1;
        while fields.iter().any(|known| known.name().eq_ignore_ascii_case(&name)) {
            number += 1;
            name = format!("{}_{number}", field.name());
        }
        fields.push(field.as_ref().clone().with_name(name).with_nullable(true));
    }
    Arc::new(Schema::new(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_a_spreadsheet_are_no_formulas() {
        for (text, words, cell) in [
            ("a", true, "a"),
            ("=1+1", true, "'=1+1"),
            ("@x,y", true, "\"'@x,y\""),
            ("-5", false, "-5"),
            ("-5", true, "'-5"),
            ("a\"b\nc", true, "\"a\"\"b\nc\""),
        ] {
            assert_eq!(csv_cell(text, words), cell);
        }
    }
}
