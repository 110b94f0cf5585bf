//! Footers of segments: taking one apart costs a millisecond, and a search reads hundreds.

use super::Segment;
use crate::columns::Kind;
use crate::error::Fault;
use arrow::datatypes::{Field, Schema};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use std::fs::File;
use std::sync::Arc;

/// Columns of text read as words with numbers, in which a value is looked up once and not once per row.
const WORDS: [&str; 3] = ["name", "status_message", "trace_state"];

impl Segment {
    /// Its footer. The file must have been verified.
    pub(crate) fn footer(&self) -> Result<Arc<ArrowReaderMetadata>, Fault> {
        self.footer.get(&self.memory, || {
            let footer = read(self)?;
            let bytes = footer.metadata().memory_size();
            Ok((footer, bytes))
        })
    }
}

fn read(segment: &Segment) -> Result<ArrowReaderMetadata, Fault> {
    let path = segment.parquet();
    let file = File::open(path).map_err(Fault::io(path))?;
    let footer = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
    let as_words = |field: &Arc<Field>| match WORDS.contains(&field.name().as_str()) {
        true => Arc::new(Field::new(field.name(), Kind::Word.arrow(), true)),
        false => Arc::clone(field),
    };
    let fields: Vec<Arc<Field>> = footer.schema().fields().iter().map(as_words).collect();
    let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
    Ok(ArrowReaderMetadata::try_new(Arc::clone(footer.metadata()), options)?)
}
