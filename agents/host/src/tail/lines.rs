//! From bytes to records: splits at newlines, joins continuation lines, cuts at a size.

use std::collections::VecDeque;

use regex::bytes::Regex;

/// One record's text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Without the line ending; invalid UTF-8 replaced.
    pub(super) text: String,
    /// Whether the text was cut at the size cap.
    pub(super) cut: bool,
}

/// Turns the bytes of one file into records, wherever reads happen to split them.
#[derive(Debug)]
pub(super) struct Records {
    max_bytes: usize,
    start: Option<Regex>,
    /// Offset of the next byte to be fed.
    position: u64,
    /// Offset up to which everything was popped or blank.
    popped: u64,
    line: Piece,
    group: Option<Piece>,
    ready: VecDeque<(Piece, u64)>,
}

/// Bytes kept, and how many there were.
#[derive(Debug, Default)]
struct Piece {
    bytes: Vec<u8>,
    full: u64,
}

impl Piece {
    fn push(&mut self, bytes: &[u8], max: usize) {
        let room = max.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.full += bytes.len() as u64;
    }

    fn cut(&self) -> bool {
        self.full > self.bytes.len() as u64
    }

    fn is_blank(&self) -> bool {
        !self.cut() && self.bytes.iter().all(u8::is_ascii_whitespace)
    }

    fn join(&mut self, other: &Self, max: usize) {
        self.push(b"\n", max);
        self.push(&other.bytes, max);
        self.full += other.full - other.bytes.len() as u64;
    }
}

impl Records {
    /// Begins at an offset. With `start`, a line that does not match it continues the record before it.
    pub(super) fn new(position: u64, max_bytes: usize, start: Option<Regex>) -> Self {
        Self {
            max_bytes,
            start,
            position,
            popped: position,
            line: Piece::default(),
            group: None,
            ready: VecDeque::new(),
        }
    }

    /// Offset of the next byte wanted.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Offset up to which nothing is left to pop: where reading must begin again if the process ends now.
    pub(super) fn settled(&self) -> u64 {
        if self.ready.is_empty() && self.group.is_none() { self.position - self.line.full } else { self.popped }
    }

    /// Takes the bytes at [`Records::position`].
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while let Some(newline) = bytes.iter().position(|byte| *byte == b'\n') {
            self.line.push(&bytes[..newline], self.max_bytes);
            self.position += newline as u64 + 1;
            bytes = &bytes[newline + 1..];
            let before = self.position - self.line.full - 1;
            self.end_line(before);
        }
        self.line.push(bytes, self.max_bytes);
        self.position += bytes.len() as u64;
    }

    /// Ends the record that more lines could still have joined.
    pub(super) fn end_group(&mut self) {
        let end = self.position - self.line.full;
        self.end_group_at(end);
    }

    /// Ends everything, also a last line without a newline: nothing more will come.
    pub(super) fn end_all(&mut self) {
        if self.line.full > 0 {
            let before = self.position - self.line.full;
            self.end_line(before);
        }
        self.end_group();
    }

    /// Whether everything fed was popped or blank.
    pub(super) fn is_empty(&self) -> bool {
        self.settled() == self.position
    }

    /// Whether a record waits for lines that may join it.
    pub(super) fn is_grouping(&self) -> bool {
        self.group.is_some()
    }

    /// The next complete record.
    pub(super) fn pop(&mut self) -> Option<Record> {
        let (piece, end) = self.ready.pop_front()?;
        self.popped = end;
        let cut = piece.cut();
        // A cut may split a character: its half becomes a replacement character, as any invalid byte.
        Some(Record { text: String::from_utf8_lossy(&piece.bytes).into_owned(), cut })
    }

    /// The current line is complete; it began at `before` and ends at the position.
    fn end_line(&mut self, before: u64) {
        let mut line = std::mem::take(&mut self.line);
        if !line.cut() && line.bytes.last() == Some(&b'\r') {
            line.bytes.pop();
            line.full -= 1;
        }
        let Some(start) = &self.start else {
            if !line.is_blank() {
                self.ready.push_back((line, self.position));
            }
            return;
        };
        if start.is_match(&line.bytes) {
            self.end_group_at(before);
        }
        match &mut self.group {
            Some(group) => group.join(&line, self.max_bytes),
            None if line.is_blank() => {}
            None => self.group = Some(line),
        }
    }

    fn end_group_at(&mut self, end: u64) {
        if let Some(group) = self.group.take() {
            self.ready.push_back((group, end));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pop_all(records: &mut Records) -> Vec<String> {
        std::iter::from_fn(|| records.pop()).map(|record| record.text).collect()
    }

    fn check(start: Option<&str>, input: &str, expected: &[&str], settled: u64) {
        let start = start.map(|pattern| Regex::new(pattern).unwrap());
        for chunk in [1, 3, input.len().max(1)] {
            let mut records = Records::new(100, 1000, start.clone());
            let mut popped = Vec::new();
            for part in input.as_bytes().chunks(chunk) {
                records.feed(part);
                popped.extend(pop_all(&mut records));
            }
            assert_eq!(popped, expected, "{input:?} by {chunk}");
            assert_eq!(records.settled(), 100 + settled, "{input:?} by {chunk}");
        }
    }

    #[test]
    fn lines() {
        check(None, "", &[], 0);
        check(None, "a\nb\n", &["a", "b"], 4);
        check(None, "a\r\nb", &["a"], 3);
        check(None, "\n\n  \na\n\n", &["a"], 8);
        check(None, "partial", &[], 0);
    }

    #[test]
    fn stack_traces_stay_together() {
        let input = "2026 boom\n  at x\n  at y\n2026 fine\n";
        check(Some("^2026"), input, &["2026 boom\n  at x\n  at y"], 24);
        let mut records = Records::new(0, 1000, Some(Regex::new("^2026").unwrap()));
        records.feed(input.as_bytes());
        records.end_group();
        assert_eq!(pop_all(&mut records), ["2026 boom\n  at x\n  at y", "2026 fine"]);
        assert_eq!(records.settled(), input.len() as u64);
    }

    #[test]
    fn an_ended_group_does_not_swallow_the_line_being_written() {
        let mut records = Records::new(0, 1000, Some(Regex::new("^2026").unwrap()));
        records.feed(b"2026 a\n20");
        records.end_group();
        assert_eq!(pop_all(&mut records), ["2026 a"]);
        assert_eq!(records.settled(), 7);
        records.feed(b"26 b\n");
        records.end_all();
        assert_eq!(pop_all(&mut records), ["2026 b"]);
    }

    #[test]
    fn long_lines_are_cut_and_cost_bounded_memory() {
        let mut records = Records::new(0, 8, None);
        for _ in 0..1000 {
            records.feed(&[b'x'; 1000]);
        }
        assert!(records.line.bytes.len() <= 8);
        records.feed(b"\nshort\n");
        assert_eq!(records.pop(), Some(Record { text: "xxxxxxxx".to_owned(), cut: true }));
        assert_eq!(records.pop(), Some(Record { text: "short".to_owned(), cut: false }));
        assert_eq!(records.settled(), 1_000_007);
    }

    #[test]
    fn a_last_line_without_newline_comes_at_the_end_only() {
        let mut records = Records::new(0, 100, None);
        records.feed(b"a\nlast");
        assert_eq!(pop_all(&mut records), ["a"]);
        records.end_all();
        assert_eq!(pop_all(&mut records), ["last"]);
        assert_eq!(records.settled(), 6);
    }

    proptest! {
        /// However reads split the bytes and wherever a restart resumes, every line arrives.
        #[test]
        fn resuming_at_settled_loses_nothing(
            lines in prop::collection::vec("[a-c ]{0,6}", 0..30),
            chunks in prop::collection::vec(1_usize..20, 1..40),
            stop in 0_usize..40,
            grouped: bool,
        ) {
            let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let start = grouped.then(|| Regex::new("^a").unwrap());
            let mut whole = Records::new(0, 1000, start.clone());
            whole.feed(input.as_bytes());
            whole.end_all();
            let expected = pop_all(&mut whole);

            let mut seen = Vec::new();
            let mut records = Records::new(0, 1000, start.clone());
            for (number, chunk) in chunks.iter().cycle().enumerate().take(200) {
                if number == stop {
                    records = Records::new(records.settled(), 1000, start.clone());
                }
                let at = records.position() as usize;
                let end = (at + chunk).min(input.len());
                records.feed(&input.as_bytes()[at..end]);
                if number % 3 == 0 || end == input.len() {
                    seen.extend(pop_all(&mut records));
                }
            }
            let at = records.position() as usize;
            records.feed(&input.as_bytes()[at..]);
            records.end_all();
            seen.extend(pop_all(&mut records));
            prop_assert_eq!(seen, expected);
        }
    }
}
