//! A message of a Telegram bot: a photo with a caption, or text.
//!
//! Source: Telegram, "Bot API" (`sendPhoto` caption 1024, `sendMessage` text 4096 characters after parsing; HTML style).

use super::{Call, Calls, Incomplete, base, labelled, needed};
use crate::case::{Case, Part};
use crate::text;
use serde_json::json;

/// Longest text.
pub(crate) const TEXT: usize = 4_096;
/// Longest caption of a photo.
const CAPTION: usize = 1_024;

pub(super) fn calls(
    token: Option<&String>,
    chat_id: &str,
    url: Option<&String>,
    case: &Case<'_>,
    png: Option<&[u8]>,
) -> Result<Calls, Incomplete> {
    let token = needed(token, "token", "ask @BotFather in Telegram for a bot and paste its token")?;
    if !token.bytes().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b':' | b'_' | b'-')) {
        return Err(Incomplete("`token` is no token of a bot: it looks like 123456:ABC-DEF".to_owned()));
    }
    let base = format!("{}/bot{token}", base(url, "https://api.telegram.org"));
    let message = Call::json(
        format!("{base}/sendMessage"),
        &json!({
            "chat_id": chat_id,
            "text": text(case, TEXT),
            "parse_mode": "HTML",
            "link_preview_options": { "is_disabled": true },
        }),
    );
    let Some(png) = png else { return Ok(message.into()) };
    let boundary = format!("orrery-{}", case.id());
    let fields = [("chat_id", chat_id), ("parse_mode", "HTML"), ("caption", &text(case, CAPTION))];
    let photo = Call {
        method: hyper::Method::POST,
        url: format!("{base}/sendPhoto"),
        headers: vec![("content-type", format!("multipart/form-data; boundary={boundary}"))],
        body: form(&boundary, &fields, png).into(),
    };
    Ok(Calls { first: photo, without_picture: Some(message) })
}

/// A form with text fields and a picture. The boundary is a hash, which nobody can put into a text beforehand without
/// knowing the id that the message will have.
fn form(boundary: &str, fields: &[(&str, &str)], png: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        let head = format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        out.extend_from_slice(head.as_bytes());
    }
    let head = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"photo\"; filename=\"chart.png\"\r\ncontent-type: image/png\r\n\r\n"
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(png);
    out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    out
}

/// What is shown, in at most `most` characters as Telegram counts them: the links always, then what fits of the rest.
pub(crate) fn text(case: &Case<'_>, most: usize) -> String {
    // Without markup, as it counts; with it, as it is sent.
    let mut lines =
        vec![(format!("{} {}", case.mark(), case.title), format!("{} <b>{}</b>", case.mark(), escape(&case.title)))];
    lines.extend(labelled(&case.facts).map(|(label, parts)| fact(label, parts)));
    if !case.description.is_empty() {
        lines.push((case.description.clone(), escape(&case.description)));
    }
    let links: Vec<_> = case.links().collect();
    let last = (
        links.iter().map(|link| link.0).collect::<Vec<_>>().join(" · "),
        links
            .iter()
            .map(|(name, url)| format!("<a href=\"{}\">{name}</a>", text::html(url)))
            .collect::<Vec<_>>()
            .join(" · "),
    );
    let mut left = most.saturating_sub(size(&last.0) + 1);
    let mut out = String::new();
    for (shown, sent) in lines {
        let needed = size(&shown) + 1;
        if needed <= left {
            left -= needed;
            out += &sent;
            out.push('\n');
        }
    }
    out + &last.1
}

/// Telegram counts UTF-16 units. A joiner may be put before every mention.
fn size(text: &str) -> usize {
    text.encode_utf16().count() + text.matches('@').count()
}

fn fact(label: Option<&str>, parts: &[Part]) -> (String, String) {
    let (mut shown, mut sent) = match label {
        Some(label) => (format!("{label}  "), format!("<b>{label}</b>  ")),
        None => ("   ".to_owned(), "   ".to_owned()),
    };
    for part in parts {
        match part {
            Part::Text(text) => {
                shown += text;
                sent += &escape(text);
            }
            Part::Code(text) => {
                shown += text;
                sent += &format!("<code>{}</code>", escape(text));
            }
            Part::Link { text, url } => {
                shown += text;
                sent += &format!("<a href=\"{}\">{}</a>", text::html(url), escape(text));
            }
        }
    }
    (shown, sent)
}

fn escape(text: &str) -> String {
    text::html(&text::without_mentions(text))
}
