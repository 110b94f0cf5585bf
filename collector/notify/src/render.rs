//! From a message to what a channel's receiver takes.

pub(crate) mod alertmanager;
pub(crate) mod email;
pub(crate) mod ntfy;
pub(crate) mod opsgenie;
pub(crate) mod pagerduty;
pub(crate) mod slack;
pub(crate) mod teams;
pub(crate) mod telegram;
pub(crate) mod webhook;

use crate::case::{Case, Fact, Part};
use bytes::Bytes;
use orrery_api::alerting::{ChannelKind, Message};
use serde_json::Value;

/// One HTTP request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: hyper::Method,
    pub(crate) url: String,
    /// Names and values; a value that no header may have is refused when it is sent.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl Call {
    /// `POST` of JSON.
    fn json(url: impl Into<String>, body: &Value) -> Call {
        let headers = vec![("content-type", "application/json".to_owned())];
        Call { method: hyper::Method::POST, url: url.into(), headers, body: body.to_string().into() }
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Call {
        self.headers.push((name, value.into()));
        self
    }
}

/// What is sent over HTTP: a request, and the one to send instead if the receiver takes no pictures.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    pub(crate) first: Call,
    pub(crate) without_picture: Option<Call>,
}

impl From<Call> for Calls {
    fn from(first: Call) -> Calls {
        Calls { first, without_picture: None }
    }
}

/// A channel lacks something it cannot do without: what, and where to get it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Incomplete(pub(crate) String);

/// The secret or address of a channel, or what to do about its absence.
fn needed<'a>(value: Option<&'a String>, field: &str, advice: &str) -> Result<&'a str, Incomplete> {
    match value.map(|value| value.trim()) {
        Some(value) if !value.is_empty() => Ok(value),
        _ => Err(Incomplete(format!("`{field}` is missing: {advice}"))),
    }
}

/// The address of a service, as configured or its usual one, without slashes at the end.
fn base<'a>(url: Option<&'a String>, usual: &'a str) -> &'a str {
    match url.map(|url| url.trim().trim_end_matches('/')) {
        Some(url) if !url.is_empty() => url,
        _ => usual,
    }
}

/// What is sent over HTTP; `None` for e-mail. `now` is in unix seconds.
pub(crate) fn calls(
    to: &ChannelKind,
    message: &Message,
    png: Option<&[u8]>,
    now: i64,
) -> Result<Option<Calls>, Incomplete> {
    let case = Case::of(message);
    Ok(Some(match to {
        ChannelKind::Email { .. } => return Ok(None),
        ChannelKind::Webhook { url, secret } => webhook::call(url, secret.as_deref(), message, png, now)?.into(),
        ChannelKind::Slack { url } => slack::call(url.as_ref(), &case)?.into(),
        ChannelKind::Teams { url } => teams::call(url.as_ref(), &case, png)?.into(),
        ChannelKind::Pagerduty { routing_key, url } => {
            pagerduty::call(routing_key.as_ref(), url.as_ref(), &case)?.into()
        }
        ChannelKind::Opsgenie { api_key, url } => opsgenie::call(api_key.as_ref(), url.as_ref(), &case)?.into(),
        ChannelKind::Telegram { token, chat_id, url } => {
            telegram::calls(token.as_ref(), chat_id, url.as_ref(), &case, png)?
        }
        ChannelKind::Ntfy { url, topic, token } => ntfy::calls(url.as_ref(), topic, token.as_deref(), &case, png)?,
        ChannelKind::Alertmanager { url } => alertmanager::call(url, &case).into(),
    }))
}

/// A message as a channel's receiver gets it, to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// `application/json` or `text/html`.
    pub content_type: &'static str,
    /// Without secrets. HTML is a whole page for e-mail, and a piece of text for Telegram.
    pub text: String,
}

/// What a channel of this kind would be sent. Needs no secrets, and shows none.
///
/// Pictures are in the page of an e-mail if the message has one; in JSON only a webhook's.
pub fn preview(to: &ChannelKind, message: &Message) -> Preview {
    let case = Case::of(message);
    let json = |value: Value| Preview {
        content_type: "application/json",
        text: serde_json::to_string_pretty(&value).unwrap_or_default(),
    };
    let html = |text: String| Preview { content_type: "text/html", text };
    match to {
        ChannelKind::Webhook { .. } => json(webhook::body(message, None)),
        ChannelKind::Email { .. } => {
            let png = message.chart_png.as_ref().map(|png| format!("data:image/png;base64,{png}"));
            html(email::page(&case, png.as_deref()))
        }
        ChannelKind::Slack { .. } => json(slack::body(&case)),
        ChannelKind::Teams { .. } => json(teams::body(&case, None)),
        ChannelKind::Pagerduty { .. } => json(pagerduty::body("…", &case)),
        ChannelKind::Opsgenie { .. } => json(opsgenie::body(&case)),
        ChannelKind::Telegram { .. } => html(telegram::text(&case, telegram::TEXT)),
        ChannelKind::Ntfy { topic, .. } => json(ntfy::body(topic, &case)),
        ChannelKind::Alertmanager { .. } => json(alertmanager::body(&case)),
    }
}

/// Lines in their order, as many as fit: one that is too long is left out, and those after it are tried.
///
/// `size` is what a channel counts, of one line; line ends count one.
fn fit(lines: impl IntoIterator<Item = String>, most: usize, size: impl Fn(&str) -> usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for line in lines {
        let needed = size(&line) + usize::from(used > 0);
        if used + needed > most {
            continue;
        }
        if used > 0 {
            out.push('\n');
        }
        used += needed;
        out += &line;
    }
    out
}

/// Facts with the same label one after another have it once.
fn labelled(facts: &[Fact]) -> impl Iterator<Item = (Option<&'static str>, &[Part])> {
    facts.iter().enumerate().map(|(i, fact)| {
        let is_new = i == 0 || facts[i - 1].label != fact.label;
        (is_new.then_some(fact.label), fact.parts.as_slice())
    })
}

#[cfg(test)]
mod tests;
