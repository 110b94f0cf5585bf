//! An adaptive card for a workflow of Microsoft Teams ("Post to a channel when a webhook request is received").
//!
//! All text of others is in text runs, in which there is no markup and nobody can be mentioned.
//!
//! Source: Adaptive Cards schema 1.4; Microsoft Learn, "Create and send messages" (28 KB at most).

use super::{Call, Incomplete, labelled, needed};
use crate::case::{Case, Part, Status};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orrery_api::alerting::AlertSeverity;
use serde_json::{Value, json};

/// Largest request.
const LONGEST: usize = 28_000;

pub(super) fn call(url: Option<&String>, case: &Case<'_>, png: Option<&[u8]>) -> Result<Call, Incomplete> {
    let advice = "make a workflow in Teams from the template `Post to a channel when a webhook request is received` and paste its address";
    let url = needed(url, "url", advice)?;
    let with_picture = png.map(|png| body(case, Some(png))).filter(|it| it.to_string().len() <= LONGEST);
    Ok(Call::json(url, &with_picture.unwrap_or_else(|| body(case, None))))
}

pub(crate) fn body(case: &Case<'_>, png: Option<&[u8]>) -> Value {
    let title = json!({
        "type": "Container",
        "style": style(case),
        "bleed": true,
        "items": [{
            "type": "RichTextBlock",
            "inlines": [{ "type": "TextRun", "text": format!("{} {}", case.mark(), case.title), "weight": "bolder", "size": "large" }],
        }],
    });
    let mut items = vec![title];
    if let Some(png) = png {
        let url = format!("data:image/png;base64,{}", STANDARD.encode(png));
        items.push(json!({ "type": "Image", "url": url, "altText": "Values over time", "size": "stretch" }));
    }
    let actions: Vec<Value> =
        case.links().map(|(title, url)| json!({ "type": "Action.OpenUrl", "title": title, "url": url })).collect();
    let mut used = 500 + items.iter().chain(&actions).map(|item| item.to_string().len() + 1).sum::<usize>();
    // Without the picture there is room for all that a case has; with it the least important gives way.
    let most = if png.is_some() { LONGEST + (1 << 20) } else { LONGEST };
    let facts = labelled(&case.facts).map(|(label, parts)| rich(label, parts));
    let description = case.description.lines().filter(|line| !line.is_empty());
    let description = description.map(|line| rich(None, &[Part::Text(line.to_owned())]));
    for item in facts.chain(description) {
        let size = item.to_string().len() + 1;
        if used + size <= most {
            used += size;
            items.push(item);
        }
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": { "width": "Full" },
                "body": items,
                "actions": actions,
            },
        }],
    })
}

fn style(case: &Case<'_>) -> &'static str {
    match (case.status, case.severity) {
        (Status::Resolved, _) => "good",
        (Status::Firing, AlertSeverity::Critical) => "attention",
        (Status::Firing, AlertSeverity::Info) => "accent",
        _ => "warning",
    }
}

fn rich(label: Option<&str>, parts: &[Part]) -> Value {
    let label = label.map(|label| json!({ "type": "TextRun", "text": format!("{label}  "), "weight": "bolder" }));
    let run = |part: &Part| match part {
        Part::Text(text) => json!({ "type": "TextRun", "text": text }),
        Part::Code(text) => json!({ "type": "TextRun", "text": text, "fontType": "monospace" }),
        Part::Link { text, url } => json!({
            "type": "TextRun",
            "text": text,
            "color": "accent",
            "selectAction": { "type": "Action.OpenUrl", "url": url },
        }),
    };
    let inlines: Vec<Value> = label.into_iter().chain(parts.iter().map(run)).collect();
    json!({ "type": "RichTextBlock", "spacing": "small", "inlines": inlines })
}
