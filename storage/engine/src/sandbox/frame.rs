//! What comes out of the process: frames, each a kind, a length and so many bytes.
//!
//! First one with the columns, then rows as bytes of the wanted format, then the end. Or a failure, at any time.

use serde::{Deserialize, Serialize};
use std::io::{self, Write};

/// Bytes before the content of a frame: its kind, and its length in four bytes, little-endian.
pub const HEAD: usize = 5;
/// Content of a frame, at most.
pub const MOST: usize = 1 << 20;

/// Columns: a list of [`Column`] in JSON.
pub const COLUMNS: u8 = b'c';
/// Rows.
pub const ROWS: u8 = b'r';
/// The end: an [`End`] in JSON.
pub const END: u8 = b'e';
/// No answer, or no whole one: a [`Failed`] in JSON.
pub const FAILED: u8 = b'f';

/// A column of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// As the statement calls it.
    pub name: String,
    /// SQL type.
    pub kind: String,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Rows that came.
    pub rows: u64,
    /// There were more.
    pub cut: bool,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Whose doing it is.
    pub cause: Cause,
    /// What is wrong.
    pub message: String,
    /// Where in the statement: bytes before it, and bytes of it.
    pub place: Option<(usize, usize)>,
}

/// Whose doing a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The statement is wrong.
    Statement,
    /// It needs more than it may have.
    Limit,
    /// Ours.
    Engine,
}

pub(super) fn write(out: &mut dyn Write, kind: u8, content: &[u8]) -> io::Result<()> {
    for part in content.chunks(MOST) {
        let length = (part.len() as u32).to_le_bytes();
        out.write_all(&[kind, length[0], length[1], length[2], length[3]])?;
        out.write_all(part)?;
    }
    Ok(())
}

pub(super) fn write_json(out: &mut dyn Write, kind: u8, content: &impl Serialize) -> io::Result<()> {
    write(out, kind, &serde_json::to_vec(content)?)?;
    out.flush()
}
