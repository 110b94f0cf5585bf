//! The message as JSON, signed.

use super::{Call, Incomplete};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use orrery_api::alerting::{Evidence, Message};
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::BTreeMap;

/// Longest body without the picture; alerts are left out, the last first, until it fits.
const LONGEST: usize = 1 << 20;

pub(super) fn call(
    url: &str,
    secret: Option<&str>,
    message: &Message,
    png: Option<&[u8]>,
    now: i64,
) -> Result<Call, Incomplete> {
    if url.trim().is_empty() {
        return Err(Incomplete("`url` is missing: where to POST messages to".to_owned()));
    }
    let call = Call::json(url.trim(), &body(message, png)).header("idempotency-key", header_safe(&message.id));
    Ok(match secret {
        Some(secret) if !secret.is_empty() => {
            let signature = sign(secret, now, &call.body);
            call.header("orrery-signature", signature)
        }
        _ => call,
    })
}

/// An id as a header may have it.
fn header_safe(id: &str) -> String {
    id.chars().filter(char::is_ascii_graphic).take(200).collect()
}

/// `t=<unix seconds>,v1=<hexadecimal HMAC-SHA256 of "t.body">`.
///
/// A receiver makes the same of what it got, compares in constant time, and refuses times that are far from its own.
pub(crate) fn sign(secret: &str, now: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{now}.").as_bytes());
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={now},v1={hex}")
}

/// The document, bounded, with the picture.
pub(crate) fn body(message: &Message, png: Option<&[u8]>) -> Value {
    let mut bounded = bounded(message);
    loop {
        // Nothing in a message fails to serialise: its maps have text for keys.
        let value = serde_json::to_value(&bounded).unwrap_or_default();
        if bounded.alerts.len() <= 1 || value.to_string().len() <= LONGEST {
            return with_picture(value, message, png);
        }
        let keep = bounded.alerts.len() / 2;
        bounded.more = bounded.more.saturating_add((bounded.alerts.len() - keep) as u32);
        bounded.alerts.truncate(keep);
    }
}

fn with_picture(mut value: Value, message: &Message, png: Option<&[u8]>) -> Value {
    let picture = png.map(|png| STANDARD.encode(png)).or_else(|| message.chart_png.clone());
    if let Some(picture) = picture {
        value["chart_png"] = json!(picture);
    }
    value
}

/// The message with every text cut to what somebody could want to read. Text stays as it is otherwise: JSON escapes it.
fn bounded(message: &Message) -> Message {
    let mut out = Message { chart_png: None, ..message.clone() };
    let texts = [&mut out.id, &mut out.group, &mut out.status, &mut out.title];
    texts.into_iter().for_each(|text| shorten(text, 500));
    [&mut out.url, &mut out.silence_url].into_iter().for_each(|text| shorten(text, 2_000));
    shorten(&mut out.description, 8_000);
    labels(&mut out.labels);
    out.more = out.more.saturating_add(out.alerts.len().saturating_sub(100) as u32);
    out.alerts.truncate(100);
    for alert in &mut out.alerts {
        [&mut alert.id, &mut alert.rule, &mut alert.summary].into_iter().for_each(|text| shorten(text, 1_000));
        labels(&mut alert.labels);
        [&mut alert.node, &mut alert.caller].into_iter().flatten().for_each(|text| shorten(text, 1_000));
        if let Some(muted) = &mut alert.muted {
            [&mut muted.id, &mut muted.why].into_iter().for_each(|text| shorten(text, 1_000));
        }
        if let Some(taken) = &mut alert.acknowledged {
            [&mut taken.by, &mut taken.comment].into_iter().for_each(|text| shorten(text, 1_000));
        }
    }
    let recent = out.recent.len().saturating_sub(500);
    out.recent.drain(..recent);
    evidence(&mut out.evidence);
    out
}

fn evidence(found: &mut Evidence) {
    for list in [&mut found.findings, &mut found.traces, &mut found.normal] {
        list.truncate(20);
        list.iter_mut().for_each(|text| shorten(text, 1_000));
    }
    found.hottest_edge.iter_mut().for_each(|text| shorten(text, 1_000));
    found.differs.truncate(20);
    for other in &mut found.differs {
        [&mut other.key, &mut other.value].into_iter().for_each(|text| shorten(text, 1_000));
    }
    found.last_deploy.iter_mut().for_each(|deploy| shorten(&mut deploy.version, 500));
}

fn labels(labels: &mut BTreeMap<String, String>) {
    let is_long = labels.len() > 64 || labels.iter().any(|(name, value)| name.len() > 200 || value.len() > 1_000);
    if !is_long {
        return;
    }
    let cut = |(mut name, mut value): (String, String)| {
        shorten(&mut name, 200);
        shorten(&mut value, 1_000);
        (name, value)
    };
    *labels = std::mem::take(labels).into_iter().take(64).map(cut).collect();
}

fn shorten(text: &mut String, most: usize) {
    if text.len() > most {
        *text = crate::text::cut_bytes(text, most);
    }
}
