//! Error groups: which failures look alike.

use super::facts::{Field, Fields, exception};
use orrery_model::SpanBatch;

/// Longest message kept, bytes.
const MESSAGE_BYTES: usize = 200;

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
    (template(&error_type), template(message))
}

/// The text with every word that holds a digit as `#`, on one line, cut to [`MESSAGE_BYTES`].
fn template(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MESSAGE_BYTES));
    let mut rest = text.lines().next().unwrap_or_default();
    while !rest.is_empty() && out.len() < MESSAGE_BYTES {
        let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        match word.bytes().any(|byte| byte.is_ascii_digit()) {
            true => out.push('#'),
            false => out.push_str(word),
        }
        let gap = after.find(is_word).unwrap_or(after.len());
        out.push_str(&after[..gap]);
        rest = &after[gap..];
    }
    if out.len() > MESSAGE_BYTES {
        out.truncate(out.floor_char_boundary(MESSAGE_BYTES - 3));
        out.push('…');
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

#[cfg(test)]
mod tests {
    use super::template;

    #[test]
    fn numbers_and_ids_do_not_tell_failures_apart() {
        assert_eq!(template("order o-123 not found after 300ms"), "order # not found after #");
        assert_eq!(template("card declined: token=****"), "card declined: token=****");
        assert_eq!(template("no route to 10.0.0.7:5432"), "no route to #.#.#.#:#");
        assert_eq!(template("user 4bf92f35-77b3-4da6-a3ce-929d0e0e4736 gone"), "user # gone");
        assert_eq!(template("first\nsecond"), "first");
        assert_eq!(template("데이터베이스 연결 3번 실패"), "데이터베이스 연결 # 실패");
        assert_eq!(template("ValueError"), "ValueError");
        assert_eq!(template(""), "");
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let cut = template(&"가".repeat(1000));
        assert!(cut.len() <= super::MESSAGE_BYTES && cut.ends_with('…'), "{}", cut.len());
    }
}
