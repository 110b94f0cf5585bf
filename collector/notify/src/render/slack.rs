//! Blocks for an incoming webhook of Slack.
//!
//! Source: Slack, "Block Kit" reference (limits of blocks and text objects), "Formatting message text" (escapes).

use super::{Call, Incomplete, fit, labelled, needed};
use crate::case::{Case, Part};
use crate::text;
use serde_json::{Value, json};

/// Longest text of a section.
const SECTION: usize = 3_000;

pub(super) fn call(url: Option<&String>, case: &Case<'_>) -> Result<Call, Incomplete> {
    let url =
        needed(url, "url", "make an incoming webhook in Slack (https://api.slack.com/apps) and paste its address")?;
    Ok(Call::json(url, &body(case)))
}

pub(crate) fn body(case: &Case<'_>) -> Value {
    let title = format!("{} {}", case.mark(), case.title);
    let facts = fit(labelled(&case.facts).map(|(label, parts)| fact(label, parts)), SECTION, size);
    let mut blocks = vec![json!({
        "type": "header",
        "text": { "type": "plain_text", "text": text::cut_bytes(&text::without_mentions(&title), 150), "emoji": true },
    })];
    let description = fit([escape(&case.description)], SECTION, size);
    let links: Vec<String> = case.links().map(|(name, url)| format!("*<{}|{name}>*", escape_url(url))).collect();
    for text in [facts, description, links.join("  ·  ")] {
        if !text.is_empty() {
            let text = json!({ "type": "mrkdwn", "text": text, "verbatim": true });
            blocks.push(json!({ "type": "section", "text": text }));
        }
    }
    // What a phone's notification shows, and what is read out.
    let spoken = format!("{} {}: {}", case.mark(), case.status.word(), escape(&case.title));
    json!({ "text": spoken, "blocks": blocks, "unfurl_links": false, "unfurl_media": false })
}

/// Slack counts characters; by UTF-16 units none is counted too little.
fn size(text: &str) -> usize {
    text.encode_utf16().count()
}

fn fact(label: Option<&str>, parts: &[Part]) -> String {
    let label = label.map_or("   ".to_owned(), |label| format!("*{label}*  "));
    label + &parts.iter().map(part).collect::<String>()
}

fn part(part: &Part) -> String {
    match part {
        Part::Text(text) => escape(text),
        Part::Code(text) => format!("`{}`", escape(text)),
        Part::Link { text, url } => format!("<{}|{}>", escape_url(url), escape(text)),
    }
}

/// Text of others in mrkdwn: nothing in it is markup, a link, a channel or a call to everybody.
///
/// Slack has escapes for `&<>` only. The letters that format are replaced by ones that look alike.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '*' => out.push('∗'),
            '~' => out.push('∼'),
            '`' => out.push('ˋ'),
            // Inside of a name it formats nothing.
            '_' if !(before.is_alphanumeric() && letters.peek().is_some_and(|next| next.is_alphanumeric())) => {
                out.push('ˍ');
            }
            letter => out.push(letter),
        }
        before = letter;
    }
    text::without_mentions(&out)
}

fn escape_url(url: &str) -> String {
    url.replace('&', "&amp;")
}
