//! Error groups: which failures look alike.

use super::facts::{Field, Fields, exception};
use orrery_model::{SpanBatch, template};

/// Longest type kept, bytes.
const TYPE_BYTES: usize = 100;
/// Digits in a row that a type may have: a status has three, a class of errors perhaps one.
const TYPE_DIGITS: usize = 5;

/// Type and message of a failed span, made alike for failures that differ only in numbers and ids.
///
/// The type is `error.type`, else the exception's type, else the HTTP or RPC status, else `error`.
pub(super) fn group(batch: &SpanBatch, span: usize, fields: &Fields) -> (String, String) {
    let (exception_type, exception_message) = exception(batch, span).unwrap_or_default();
    let said = |field| fields.text(field).map(String::from).unwrap_or_default();
    let types = [said(Field::ErrorType), exception_type, said(Field::HttpStatus), said(Field::RpcStatus)];
    let error_type = types.into_iter().find(|text| !text.is_empty()).unwrap_or_else(|| "error".to_owned());
    let status_message = batch.context.strings.get(batch.status_message[span]);
    let message = if exception_message.is_empty() { status_message } else { &exception_message };
    (kind(&error_type), template(message))
}

/// A type on one line, cut to [`TYPE_BYTES`], numbers as `#` that are too long to be part of a name.
fn kind(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(TYPE_BYTES));
    let mut rest = text.lines().next().unwrap_or_default();
    while let Some(first) = rest.chars().next().filter(|_| out.len() < TYPE_BYTES) {
        let is_number = first.is_ascii_digit();
        let (run, after) = rest.split_at(rest.find(|c: char| c.is_ascii_digit() != is_number).unwrap_or(rest.len()));
        out.push_str(if is_number && run.len() > TYPE_DIGITS { "#" } else { run });
        rest = after;
    }
    out.truncate(out.floor_char_boundary(TYPE_BYTES));
    out
}

#[cfg(test)]
mod tests {
    use super::{TYPE_BYTES, kind};

    #[test]
    fn types_keep_their_digits() {
        assert_eq!(kind("401"), "401");
        assert_eq!(kind("http2.ProtocolError"), "http2.ProtocolError");
        assert_eq!(kind("23505"), "23505", "what PostgreSQL calls a duplicate");
        assert_eq!(kind("Task1764455000Failed\nat x"), "Task#Failed");
        assert!(kind(&"가".repeat(1000)).len() <= TYPE_BYTES);
    }
}
