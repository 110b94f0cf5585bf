//! Footers of segments, held for those read last: taking one apart costs a millisecond, and a search reads hundreds.

use super::Segment;
use crate::columns::Kind;
use crate::error::Fault;
use arrow::datatypes::{Field, Schema};
use parking_lot::Mutex;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;

/// Columns of text read as words with numbers, in which a value is looked up once and not once per row.
const WORDS: [&str; 3] = ["name", "status_message", "trace_state"];

/// The footers held, those used last at the end.
pub(crate) struct Footers {
    held: Mutex<VecDeque<(u64, ArrowReaderMetadata)>>,
    most_bytes: usize,
}

impl Footers {
    /// Holds so many bytes at most.
    pub(crate) fn new(most_bytes: u64) -> Footers {
        Footers { held: Mutex::default(), most_bytes: most_bytes as usize }
    }

    /// A segment's footer. The file must have been verified.
    pub(crate) fn of(&self, segment: &Segment) -> Result<ArrowReaderMetadata, Fault> {
        let id = segment.entry.id;
        let mut held = self.held.lock();
        if let Some(at) = held.iter().position(|(known, _)| *known == id) {
            let footer = held.remove(at).expect("it was there");
            held.push_back(footer.clone());
            return Ok(footer.1);
        }
        drop(held);
        let footer = read(segment)?;
        let mut held = self.held.lock();
        held.retain(|(known, _)| *known != id);
        held.push_back((id, footer.clone()));
        let mut bytes: usize = held.iter().map(|(_, footer)| footer.metadata().memory_size()).sum();
        while bytes > self.most_bytes && held.len() > 1 {
            bytes -= held.pop_front().map_or(0, |(_, footer)| footer.metadata().memory_size());
        }
        Ok(footer)
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
