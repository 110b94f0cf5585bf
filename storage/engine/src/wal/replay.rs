//! Reading the log back after a start: every record once, in order, and what became of those that are not there.

use super::record::{HEADER, Header};
use super::scan::{Found, scan};
use super::{LogFile, files};
use crate::error::Fault;
use crate::failpoint;
use crate::fs::Fs;
use std::path::Path;

/// What was met, in order of sequence numbers.
pub(crate) enum Met<'a> {
    /// An intact record that was not sealed yet, or (`sealed`) was.
    Record { header: Header, payload: &'a [u8], sealed: bool },
    /// A record whose payload is damaged; it may never have been acknowledged if it is the last.
    Damaged { header: Header, bytes: &'a [u8] },
    /// Records from one number to before another are not there. Bytes that may have been theirs were met before.
    Missing { from: u64, to: u64 },
    /// Bytes that are no record, beside records that were not sealed.
    Unknown { file: &'a LogFile, at: usize, bytes: &'a [u8] },
    /// A file that cannot be read.
    Unreadable { file: &'a LogFile, error: std::io::Error },
}

/// Reads all files, cuts off the record that was being written when the last process ended, and returns the next free
/// sequence number. Records before `cursor` are sealed.
pub(crate) fn replay(
    fs: &Fs,
    dir: &Path,
    cursor: u64,
    mut each: impl FnMut(Met<'_>) -> Result<(), Fault>,
) -> Result<u64, Fault> {
    let files = files(fs, dir)?;
    let mut state = State { cursor, wanted: cursor, seen: 0, unknown: Vec::new() };
    for (at, file) in files.iter().enumerate() {
        let bytes = match fs.read(&file.path) {
            Ok(bytes) => bytes,
            Err(error) => {
                each(Met::Unreadable { file, error })?;
                continue;
            }
        };
        for found in scan(&bytes, at + 1 == files.len()) {
            match found {
                Found::Record { header, payload } => {
                    state.known(&header, file, &bytes, &mut each, |sealed| Met::Record {
                        header,
                        payload: &bytes[payload.clone()],
                        sealed,
                    })?;
                }
                Found::Damaged { range, header: Some(header) } => {
                    let damaged = |_| Met::Damaged { header, bytes: &bytes[range.clone()] };
                    if header.seq >= cursor {
                        state.known(&header, file, &bytes, &mut each, damaged)?;
                    }
                }
                Found::Damaged { range, header: None } => state.unknown.push(range),
                Found::Torn { at } => {
                    state.torn(file, &bytes, at, &mut each)?;
                    cut(fs, file, at as u64)?;
                }
            }
        }
        state.end_of_file(file, &bytes, files.get(at + 1), &mut each)?;
        if at + 1 == files.len() {
            // What a killed process wrote and did not sync counts from now on.
            fs.open(&file.path).and_then(|open| open.sync()).map_err(Fault::io(&file.path))?;
        }
    }
    Ok(files.iter().map(|file| file.first_seq).fold(state.wanted.max(state.seen), u64::max))
}

struct State {
    cursor: u64,
    /// The record that comes next, if none is missing.
    wanted: u64,
    /// First number after all records met.
    seen: u64,
    /// Stretches of the current file that are no records, since the last record.
    unknown: Vec<std::ops::Range<usize>>,
}

impl State {
    fn known<'a>(
        &mut self,
        header: &Header,
        file: &'a LogFile,
        bytes: &'a [u8],
        each: &mut impl FnMut(Met<'a>) -> Result<(), Fault>,
        met: impl FnOnce(bool) -> Met<'a>,
    ) -> Result<(), Fault> {
        // A copy of a file, or one that does not belong here: what was met before counts.
        if header.seq < self.seen {
            return Ok(());
        }
        self.seen = header.seq + 1;
        if header.seq < self.cursor {
            self.unknown.clear();
            return each(met(true));
        }
        if header.seq > self.wanted {
            for range in self.unknown.drain(..) {
                each(Met::Unknown { file, at: range.start, bytes: &bytes[range] })?;
            }
            each(Met::Missing { from: self.wanted, to: header.seq })?;
        }
        self.unknown.clear();
        self.wanted = header.seq + 1;
        each(met(false))
    }

    /// The end of the log: a record that was being written and is no loss, unless it looks as if it had been whole.
    fn torn<'a>(
        &mut self,
        file: &'a LogFile,
        bytes: &'a [u8],
        at: usize,
        each: &mut impl FnMut(Met<'a>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let rest = &bytes[at..];
        match Header::parse(rest) {
            Some(header) if rest.len() >= HEADER + header.payload_bytes as usize && header.seq >= self.cursor => {
                self.known(&header, file, bytes, each, |_| Met::Damaged { header, bytes: rest })
            }
            Some(_) => Ok(()),
            // A write that had only begun leaves less than a header, or nothing but room for it.
            None if rest.len() < HEADER || rest.iter().all(|byte| *byte == 0) => Ok(()),
            None => each(Met::Unknown { file, at, bytes: rest }),
        }
    }

    /// Stretches at the end of a file matter if records that were not sealed may have been there.
    fn end_of_file<'a>(
        &mut self,
        file: &'a LogFile,
        bytes: &'a [u8],
        next: Option<&LogFile>,
        each: &mut impl FnMut(Met<'a>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let sealed = next.is_some_and(|next| next.first_seq <= self.wanted);
        for range in std::mem::take(&mut self.unknown) {
            if !sealed {
                each(Met::Unknown { file, at: range.start, bytes: &bytes[range] })?;
            }
        }
        Ok(())
    }
}

/// Cuts off the record that was being written, so that it is not taken for damage once later files exist.
fn cut(fs: &Fs, file: &LogFile, bytes: u64) -> Result<(), Fault> {
    tracing::info!(file = %file.path.display(), bytes = file.bytes.saturating_sub(bytes), "cut off an unfinished record");
    let open = fs.open(&file.path).map_err(Fault::io(&file.path))?;
    open.cut(bytes).map_err(Fault::io(&file.path))?;
    failpoint::pass("log cut")?;
    open.sync().map_err(Fault::io(&file.path))
}
