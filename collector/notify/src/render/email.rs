//! An e-mail: text, and a page with the picture inside.
//!
//! Source: RFC 5322 (ids, threads), RFC 2392 (pictures by content id), RFC 3834 (what answers by itself keeps quiet).

use super::{Incomplete, labelled};
use crate::case::{Case, Part, Status};
use crate::text::html;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use orrery_api::alerting::AlertSeverity;
use std::time::{Duration, SystemTime};

/// Content id of the picture.
const CHART: &str = "chart@orrery";
/// Its address in the page.
const PICTURE: &str = "cid:chart@orrery";

/// The message as it goes over the wire, with its sender and receivers.
///
/// Its id follows from the message's alone, and so do its date and its text: a receiver knows an attempt again.
pub(crate) fn mail(
    from: &str,
    to: &[String],
    case: &Case<'_>,
    png: Option<&[u8]>,
) -> Result<lettre::Message, Incomplete> {
    let from = mailbox("from", from)?;
    if to.is_empty() {
        return Err(Incomplete("`to` is empty: name at least one receiver".to_owned()));
    }
    let at = SystemTime::UNIX_EPOCH + Duration::from_nanos(case.message.at_unix_nano.0.max(0) as u64);
    // Of the group, not of a mail: all mails of a group are answers to one that never was, and so form a thread.
    let thread = format!("<{}@orrery>", case.key());
    let mut mail = lettre::Message::builder()
        .subject(subject(case))
        .date(at)
        .message_id(Some(format!("<{}@orrery>", case.id())))
        .in_reply_to(thread.clone())
        .references(thread)
        .from(from)
        .raw_header(raw("Auto-Submitted", "auto-generated"))
        .raw_header(raw("X-Auto-Response-Suppress", "All"));
    if case.status == Status::Firing && case.severity == AlertSeverity::Critical {
        mail = mail.raw_header(raw("Importance", "high")).raw_header(raw("X-Priority", "1"));
    }
    for one in to {
        mail = mail.to(mailbox("to", one)?);
    }
    let page = SinglePart::html(page(case, png.map(|_| PICTURE)));
    let picture = png.map(|png| {
        let type_ = ContentType::parse("image/png").expect("image/png is a type");
        Attachment::new_inline_with_name(CHART.to_owned(), "chart.png".to_owned()).body(png.to_vec(), type_)
    });
    let plain = SinglePart::plain(format!("{} {}\n\n{}\n", case.mark(), case.title, case.plain()));
    let parts = MultiPart::alternative().singlepart(plain);
    let parts = match picture {
        Some(picture) => parts.multipart(MultiPart::related().singlepart(page).singlepart(picture)),
        None => parts.singlepart(page),
    };
    mail.multipart(parts).map_err(|error| Incomplete(format!("cannot write the mail: {error}")))
}

fn mailbox(field: &str, text: &str) -> Result<Mailbox, Incomplete> {
    let wrong = || {
        Incomplete(format!("`{field}` has {text:?}, which is no address; write it like `Orrery <orrery@example.com>`"))
    };
    if text.chars().any(char::is_control) {
        return Err(wrong());
    }
    text.trim().parse().map_err(|_| wrong())
}

fn raw(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn subject(case: &Case<'_>) -> String {
    format!("[{}] {}", case.status.word(), case.title)
}

/// The page: one column, as wide as the screen up to 640, the styles where they are used, as clients of mail want it.
/// `picture` is its address.
pub(crate) fn page(case: &Case<'_>, picture: Option<&str>) -> String {
    let colour = case.colour();
    let mut rows = String::new();
    for (label, parts) in labelled(&case.facts) {
        let parts: String = parts.iter().map(part).collect();
        rows += &format!(
            "<tr><td style=\"padding:3px 12px 3px 0;color:#596679;white-space:nowrap;vertical-align:top\">{}</td>\
             <td style=\"padding:3px 0;color:#121822;vertical-align:top;overflow-wrap:anywhere\">{parts}</td></tr>\n",
            label.unwrap_or_default()
        );
    }
    let picture = picture.map_or(String::new(), |address| {
        format!(
            "<img src=\"{}\" width=\"600\" alt=\"Values over time\" \
             style=\"display:block;width:100%;max-width:600px;height:auto;margin:12px 0;border:1px solid #dce2eb\">\n",
            html(address)
        )
    });
    let description = match case.description.as_str() {
        "" => String::new(),
        text => format!(
            "<p style=\"margin:14px 0;padding-left:10px;border-left:3px solid #dce2eb;color:#445064\">{}</p>\n",
            html(text).replace('\n', "<br>")
        ),
    };
    let links: String = case.links().enumerate().map(|(i, (name, url))| button(name, url, i == 0)).collect();
    let (word, title) = (case.status.word(), html(&case.title));
    let severity = case.severity.name();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light\"><title>{title}</title></head>\n\
         <body style=\"margin:0;padding:16px;background:#ffffff;color:#121822;\
         font:15px/1.45 -apple-system,'Segoe UI',Roboto,Pretendard,'Noto Sans KR',sans-serif\">\n\
         <div style=\"max-width:640px;border-top:4px solid {colour};padding-top:10px\">\n\
         <div style=\"font-size:12px;font-weight:600;letter-spacing:.04em;color:{colour}\">{word} · {severity}</div>\n\
         <h1 style=\"margin:2px 0 10px;font-size:19px;line-height:1.3;overflow-wrap:anywhere\">{title}</h1>\n\
         {picture}<table role=\"presentation\" cellspacing=\"0\" cellpadding=\"0\" style=\"font-size:15px;border-collapse:collapse\">\n{rows}</table>\n\
         {description}<p style=\"margin:18px 0 6px\">{links}</p>\n\
         </div></body></html>\n"
    )
}

fn button(name: &str, url: &str, is_first: bool) -> String {
    let colours = if is_first { "background:#0a5fb8;color:#ffffff" } else { "background:#edf1f6;color:#121822" };
    format!(
        "<a href=\"{}\" style=\"display:inline-block;margin:0 8px 8px 0;padding:9px 16px;border-radius:6px;\
         text-decoration:none;font-weight:600;{colours}\">{name}</a>",
        html(url)
    )
}

fn part(part: &Part) -> String {
    match part {
        Part::Text(text) => html(text),
        Part::Code(text) => {
            format!(
                "<code style=\"font-family:ui-monospace,Menlo,Consolas,monospace;font-size:13px\">{}</code>",
                html(text)
            )
        }
        Part::Link { text, url } => format!(
            "<a href=\"{}\" style=\"color:#0a5fb8;font-family:ui-monospace,Menlo,Consolas,monospace;font-size:13px\">{}</a>",
            html(url),
            html(text)
        ),
    }
}
