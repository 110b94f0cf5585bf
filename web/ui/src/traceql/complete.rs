//! What could be written at the cursor, and writing it.

use orrery_query::traceql::{Intrinsic, Part, Wanted, complete, parts};

/// What could be written at a cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// First byte of what is begun.
    pub start: usize,
    /// What is begun, without quotes and scope.
    pub prefix: String,
    /// Words of the language that fit.
    pub words: Vec<String>,
    /// Fields of stored spans fit too.
    pub fields: bool,
    /// Only attributes of this scope; empty for any.
    pub scope: String,
    /// What begins like `parent.`; fields follow it without their `span.` or `resource.` or with it.
    pub of_parent: bool,
    /// Values of this field fit; empty for none.
    pub values_of: String,
}

/// A text with something written into it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The text.
    pub text: String,
    /// Where to write on.
    pub cursor: usize,
}

/// Says what could be written at a cursor.
pub fn offer(text: &str, cursor: usize) -> Offer {
    let completion = complete(text, cursor);
    let mut offer = Offer {
        start: completion.range.start,
        prefix: completion.prefix.clone(),
        words: completion.words().into_iter().map(str::to_owned).collect(),
        ..Offer::default()
    };
    match completion.wanted {
        Wanted::Field { scope, of_parent, attribute } => {
            offer.fields = true;
            offer.of_parent = of_parent;
            if !attribute {
                let meant: Vec<String> = intrinsics(&completion.prefix).collect();
                offer.words.retain(|word| !meant.contains(word));
                offer.words.splice(0..0, meant);
            }
            offer.scope = scope.map_or("", |scope| scope.as_str()).to_owned();
        }
        Wanted::Value { field, .. } => offer.values_of = field.to_string(),
        _ => {}
    }
    offer
}

/// Intrinsics that a word means without its scope: `dur` is the duration of the span or of the trace.
fn intrinsics(word: &str) -> impl Iterator<Item = String> {
    let word = word.to_ascii_lowercase();
    let means = move |intrinsic: &Intrinsic| {
        let name = intrinsic.as_str().to_ascii_lowercase();
        !word.contains(':') && name.split_once(':').is_some_and(|(_, name)| name.starts_with(&word))
    };
    Intrinsic::all().filter(means).map(|intrinsic| intrinsic.as_str().to_owned())
}

/// Writes one of the things that fit at a cursor: in place of what was begun, with the spaces that belong around it.
pub fn accept(text: &str, cursor: usize, item: &str) -> Accepted {
    let completion = complete(text, cursor);
    let (before, after) = (&text[..completion.range.start], &text[completion.range.end..]);
    let apart = matches!(
        completion.wanted,
        Wanted::Operator(_) | Wanted::Logic | Wanted::Join | Wanted::Stage | Wanted::AfterMetric | Wanted::Spanset
    );
    let space = apart && !before.is_empty() && !before.ends_with(|char: char| char.is_whitespace() || char == '(');
    let begun = format!("{before}{}", if space { " " } else { "" });
    if item == "{ }" {
        let cursor = begun.len() + 2;
        return Accepted { text: format!("{begun}{{  }}{after}"), cursor };
    }
    let goes_on =
        item.ends_with(['.', '(', ':']) || (!in_braces(before) && matches!(completion.wanted, Wanted::Field { .. }));
    let tail = match completion.wanted {
        _ if goes_on || after.starts_with([')', ',']) => "",
        Wanted::Hint => " = ",
        _ => " ",
    };
    let begun = format!("{begun}{item}{tail}");
    // The space that is there already is the one to go on after.
    let after = if tail == " " { after.strip_prefix(' ').unwrap_or(after) } else { after };
    Accepted { cursor: begun.len(), text: begun + after }
}

/// Whether the innermost thing still open is a brace.
fn in_braces(before: &str) -> bool {
    let mut open = Vec::new();
    for (range, _) in parts(before).into_iter().filter(|(_, part)| *part == Part::Sign) {
        match &before[range] {
            sign @ ("{" | "(") => open.push(sign),
            "}" | ")" => _ = open.pop(),
            _ => {}
        }
    }
    open.contains(&"{")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `item` at the `‸` of `text`; the answer has one too.
    fn written(text: &str, item: &str) -> String {
        let cursor = text.find('‸').expect("a cursor");
        let accepted = accept(&text.replace('‸', ""), cursor, item);
        let (before, after) = accepted.text.split_at(accepted.cursor);
        format!("{before}‸{after}")
    }

    #[test]
    fn what_is_chosen_replaces_what_was_begun() {
        assert_eq!(written("‸", "{ }"), "{ ‸ }");
        assert_eq!(written("{ ‸ }", "resource."), "{ resource.‸ }");
        assert_eq!(written("{ resource.serv‸ }", "resource.service.name"), "{ resource.service.name ‸}");
        assert_eq!(written("{ resource.service.name ‸}", "="), "{ resource.service.name = ‸}");
        assert_eq!(written("{ resource.service.name = ‸}", "\"cart\""), "{ resource.service.name = \"cart\" ‸}");
        assert_eq!(written("{ .a = \"ca‸\" && .b }", "\"cart\""), "{ .a = \"cart\" ‸&& .b }");
        assert_eq!(written("{ .결제 = \"ca‸", "\"카트\""), "{ .결제 = \"카트\" ‸");
    }

    #[test]
    fn words_stand_apart() {
        assert_eq!(written("{ }‸", "|"), "{ } | ‸");
        assert_eq!(written("{ } |‸", "rate()"), "{ } | rate() ‸");
        assert_eq!(written("{ } | rate() b‸", "by ("), "{ } | rate() by (‸");
        assert_eq!(
            written("{ } | rate() by (re‸)", "resource.service.name"),
            "{ } | rate() by (resource.service.name‸)"
        );
        assert_eq!(written("{ } | select(na‸", "span:name"), "{ } | select(span:name‸");
        assert_eq!(written("{ } | quant‸", "quantile_over_time("), "{ } | quantile_over_time(‸");
        assert_eq!(written("{ } >>‸", "{ }"), "{ } >> { ‸ }");
        assert_eq!(written("{ } with (mo‸", "most_recent"), "{ } with (most_recent = ‸");
        assert_eq!(written("{ (sta‸", "span:status"), "{ (span:status ‸");
    }

    #[test]
    fn offers_say_what_to_ask_the_store_for() {
        let at = |text: &str| offer(&text.replace('‸', ""), text.find('‸').expect("a cursor"));
        let field = at("{ resource.ser‸ }");
        assert_eq!(
            (field.fields, field.scope.as_str(), field.prefix.as_str(), field.start),
            (true, "resource", "ser", 2)
        );
        assert!(at("{ dur‸").fields);
        assert_eq!(at("{ dur‸").words, ["span:duration", "trace:duration"]);
        assert_eq!(at("{ span:dur‸").words, ["span:duration"]);
        let all = at("{ ‸").words;
        assert_eq!(all.iter().filter(|word| *word == "span:duration").count(), 1, "{all:?}");
        let value = at("{ resource.service.name = \"ca‸\" }");
        assert_eq!((value.values_of.as_str(), value.prefix.as_str()), ("resource.service.name", "ca"));
        assert_eq!(at("{ status = ‸").words, ["error", "ok", "unset"]);
        assert_eq!(at("{ } | ra‸").words, ["rate()"]);
        assert!(at("{ }‸").words.contains(&"|".to_owned()));
    }
}
