//! What messages that differ only in numbers, ids and quoted words have in common.

/// Longest template, bytes.
const MOST_BYTES: usize = 200;

/// Quotes that open, and what closes them.
const QUOTES: [(char, char); 5] = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’')];

/// The first line of a message with every word that holds a digit as `#`, and everything in quotes as `…`; cut to 200
/// bytes, between characters. Pure and without memory: the same message has the same template everywhere.
///
/// ```
/// use orrery_model::template;
/// assert_eq!(template("order 17 of 'ann' not found after 300ms"), "order # of '…' not found after #");
/// ```
pub fn template(message: &str) -> String {
    let mut out = String::with_capacity(message.len().min(MOST_BYTES));
    let mut rest = message.lines().next().unwrap_or_default();
    while let Some(first) = rest.chars().next().filter(|_| out.len() < MOST_BYTES) {
        if is_word(first) {
            let (word, after) = rest.split_at(rest.find(|c: char| !is_word(c)).unwrap_or(rest.len()));
            out.push_str(if word.bytes().any(|byte| byte.is_ascii_digit()) { "#" } else { word });
            rest = after;
            continue;
        }
        let follows_a_word = out.ends_with(is_word);
        match quoted(rest).filter(|_| !follows_a_word) {
            Some(length) => {
                out.push(first);
                out.push('…');
                out.extend(rest[..length].chars().next_back());
                rest = &rest[length..];
            }
            None => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    if out.len() > MOST_BYTES {
        out.truncate(out.floor_char_boundary(MOST_BYTES - 3));
        out.push('…');
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// Length of a quotation that begins here, if it ends and holds anything. The last quote is no apostrophe: no word goes on
/// behind it.
fn quoted(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    let (_, close) = QUOTES.into_iter().find(|(open, _)| *open == first)?;
    let inside = first.len_utf8();
    let ends = |at: &usize| !text[at + close.len_utf8()..].starts_with(is_word);
    let end = text[inside..].match_indices(close).map(|(at, _)| inside + at).find(ends)?;
    (end > inside).then_some(end + close.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ids_and_quoted_words_do_not_tell_messages_apart() {
        for (message, expected) in [
            ("order o-123 not found after 300ms", "order # not found after #"),
            ("card declined: token=****", "card declined: token=****"),
            ("no route to 10.0.0.7:5432", "no route to #.#.#.#:#"),
            ("user 4bf92f35-77b3-4da6-a3ce-929d0e0e4736 gone", "user # gone"),
            ("no product matches \"red moon\"", "no product matches \"…\""),
            ("key 'a''b' and `c` and “d e”", "key '…''…' and `…` and “…”"),
            ("it can't read 'x.txt': don't know why", "it can't read '…': don't know why"),
            ("the users' carts and an open 'quote", "the users' carts and an open 'quote"),
            ("empty \"\" stays", "empty \"\" stays"),
            ("first\nsecond", "first"),
            ("데이터베이스 연결 3번 '가나' 실패", "데이터베이스 연결 # '…' 실패"),
            ("ValueError", "ValueError"),
            ("", ""),
        ] {
            assert_eq!(template(message), expected);
            assert_eq!(template(expected), expected, "a template is its own");
        }
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let cut = template(&"가".repeat(1000));
        assert!(cut.len() <= MOST_BYTES && cut.ends_with('…'), "{}", cut.len());
        assert!(template(&"a b".repeat(1000)).len() <= MOST_BYTES);
    }
}
