//! Reading the log back after a start: every record once, in order, and what became of those that are not there.

use super::record::{HEADER, Header};
use super::scan::{Found, scan};
use super::{LogFile, file_path, files};
use crate::error::Fault;
use crate::failpoint;
use crate::fs::Fs;
use std::borrow::Cow;
use std::io;
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
}

/// The log as the last process left it. Once it was surveyed more can be written behind it while it is replayed.
pub(crate) struct Left {
    files: Vec<(LogFile, Content)>,
    cursor: u64,
    /// First sequence number that no record has.
    pub(crate) next_seq: u64,
}

/// Where what was in a file is.
enum Content {
    Disk,
    /// As it was met: the file's end may be cut off by now, and if nothing is left of it, it is begun anew.
    Memory(Vec<u8>),
    /// It could not be read.
    Nowhere,
}

impl Left {
    /// Looks at all files: tells of those that cannot be read, cuts off the record that was being written when the last
    /// process ended, and finds the next free sequence number. Records before `cursor` are sealed.
    pub(crate) fn survey(
        fs: &Fs,
        dir: &Path,
        cursor: u64,
        mut unreadable: impl FnMut(&LogFile, io::Error) -> Result<(), Fault>,
    ) -> Result<Left, Fault> {
        let listed = files(fs, dir)?;
        let mut left = Left { files: Vec::new(), cursor, next_seq: cursor };
        let mut state = State::new(cursor);
        for (at, file) in listed.iter().enumerate() {
            left.next_seq = left.next_seq.max(file.first_seq);
            let (bytes, next) = (fs.read(&file.path), listed.get(at + 1));
            let content = match bytes {
                Ok(bytes) => {
                    let torn = state.file(file, &bytes, next, &mut |_| Ok(()))?;
                    torn.map_or(Ok(()), |at| cut(fs, file, at as u64))?;
                    if next.is_none() {
                        // What a killed process wrote and did not sync counts from now on.
                        fs.open(&file.path).and_then(|open| open.sync()).map_err(Fault::io(&file.path))?;
                        Content::Memory(bytes)
                    } else {
                        Content::Disk
                    }
                }
                Err(error) => unreadable(file, error).map(|()| Content::Nowhere)?,
            };
            left.files.push((file.clone(), content));
        }
        left.next_seq = left.next_seq.max(state.seen).max(state.wanted);
        let anew = file_path(dir, left.next_seq);
        for (file, content) in &mut left.files {
            if matches!(content, Content::Disk) && file.path == anew {
                *content = Content::Memory(fs.read(&file.path).map_err(Fault::io(&file.path))?);
            }
        }
        Ok(left)
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|(file, _)| file.bytes).sum()
    }

    /// Reads it all again. After each file `read` is told how many bytes that was.
    pub(crate) fn replay(
        &self,
        fs: &Fs,
        mut each: impl FnMut(Met<'_>) -> Result<(), Fault>,
        mut read: impl FnMut(u64),
    ) -> Result<(), Fault> {
        let mut state = State::new(self.cursor);
        for (at, (file, content)) in self.files.iter().enumerate() {
            let bytes = match content {
                Content::Disk => match fs.read(&file.path) {
                    Ok(bytes) => Cow::Owned(bytes),
                    // A copy of another file, whose records are sealed by now. If it was none they are met as missing.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(Fault::io(&file.path)(error)),
                },
                Content::Memory(bytes) => Cow::Borrowed(&bytes[..]),
                Content::Nowhere => continue,
            };
            state.file(file, &bytes, self.files.get(at + 1).map(|(next, _)| next), &mut each)?;
            read(file.bytes);
        }
        Ok(())
    }
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
    fn new(cursor: u64) -> State {
        State { cursor, wanted: cursor, seen: 0, unknown: Vec::new() }
    }

    /// What a file holds, in order. Says where the record begins that was being written at the end, if there is one and
    /// no file comes next.
    fn file<'a>(
        &mut self,
        file: &'a LogFile,
        bytes: &'a [u8],
        next: Option<&LogFile>,
        each: &mut impl FnMut(Met<'a>) -> Result<(), Fault>,
    ) -> Result<Option<usize>, Fault> {
        let mut torn = None;
        for found in scan(bytes, next.is_none()) {
            match found {
                Found::Record { header, payload } => {
                    self.known(&header, file, bytes, each, |sealed| Met::Record {
                        header,
                        payload: &bytes[payload.clone()],
                        sealed,
                    })?;
                }
                Found::Damaged { range, header: Some(header) } => {
                    let damaged = |_| Met::Damaged { header, bytes: &bytes[range.clone()] };
                    if header.seq >= self.cursor {
                        self.known(&header, file, bytes, each, damaged)?;
                    }
                }
                Found::Damaged { range, header: None } => self.unknown.push(range),
                Found::Torn { at } => {
                    self.torn(file, bytes, at, each)?;
                    torn = Some(at);
                }
            }
        }
        self.end_of_file(file, bytes, next, each)?;
        Ok(torn)
    }

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
