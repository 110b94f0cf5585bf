//! What an answer means: taken, later, or never; and what somebody should do about it.

use crate::http::Answer;
use crate::send::Outcome;
use crate::text;
use hyper::StatusCode;
use orrery_api::alerting::ChannelKind;
use serde_json::Value;
use std::time::{Duration, SystemTime};

/// Longest wait that a receiver can ask for.
const LONGEST: Duration = Duration::from_secs(3_600);

/// What the answer of this kind of channel's receiver, which has this name, means.
pub(crate) fn outcome(kind: &ChannelKind, host: &str, answer: &Answer, now: SystemTime) -> Outcome {
    let json = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let said = said(answer, &json);
    let status = answer.status;
    // Some of Teams' addresses say yes to everything, and in the text what became of it.
    let is_throttled = matches!(kind, ChannelKind::Teams { .. }) && said.contains("HTTP error 429");
    if status.is_success() && !is_throttled {
        return Outcome::Delivered { but: None };
    }
    let sentence = match said.as_str() {
        "" => format!("{host} answers {}", name(status)),
        said => format!("{host} answers {}: {said}", name(status)),
    };
    let is_passing = matches!(status.as_u16(), 408 | 425 | 429 | 500..=599) || is_throttled;
    if is_passing {
        return Outcome::Retry { after: wait(answer, &json, now), why: sentence };
    }
    let advice = advice(kind, status, &said, answer);
    Outcome::Failed { why: if advice.is_empty() { sentence } else { format!("{sentence}. {advice}") } }
}

/// Whether the receiver may take the message without its picture.
pub(crate) fn minds_the_picture(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 413 | 415)
}

fn name(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// What the receiver says is wrong: of JSON the fields that services have for it, of anything else the beginning.
fn said(answer: &Answer, json: &Value) -> String {
    const LONGEST: usize = 200;
    let field = |name: &str| match &json[name] {
        Value::String(text) => Some(text.clone()),
        Value::Object(inner) => inner.get("message").and_then(Value::as_str).map(str::to_owned),
        _ => None,
    };
    let errors = match &json["errors"] {
        Value::Array(errors) => errors.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "),
        _ => String::new(),
    };
    let main = ["description", "error", "message", "title"].into_iter().find_map(field);
    let both = match (main, errors.as_str()) {
        (Some(main), "") => main,
        (Some(main), errors) => format!("{main} ({errors})"),
        (None, errors) if json.is_object() => errors.to_owned(),
        _ => String::from_utf8_lossy(&answer.body).into_owned(),
    };
    // A page is for people with a browser.
    if both.trim_start().starts_with('<') { String::new() } else { text::line(&both, LONGEST) }
}

/// How long the receiver wants to be left alone: `Retry-After` in seconds or as a date, or Telegram's way.
fn wait(answer: &Answer, json: &Value, now: SystemTime) -> Option<Duration> {
    let header = answer.headers.get("retry-after").and_then(|value| value.to_str().ok()).map(str::trim);
    let from_header = header.and_then(|text| match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(text).ok().map(|at| at.duration_since(now).unwrap_or_default()),
    });
    let from_body = || json["parameters"]["retry_after"].as_u64().map(Duration::from_secs);
    from_header.or_else(from_body).map(|wait| wait.min(LONGEST))
}

/// What to do, where that is known.
fn advice(kind: &ChannelKind, status: StatusCode, said: &str, answer: &Answer) -> String {
    if status.is_redirection() {
        let location = answer.headers.get("location").and_then(|value| value.to_str().ok()).unwrap_or("elsewhere");
        let location = text::line(location, 200);
        return format!("It redirects to {location}, and redirects are not followed: enter the final address");
    }
    let known = match kind {
        ChannelKind::Slack { .. } => slack(said),
        ChannelKind::Telegram { .. } => telegram(status, said),
        ChannelKind::Pagerduty { .. } => match status.as_u16() {
            400 if said.contains("outing") || said.contains("event key") => {
                "Paste the integration key of an `Events API V2` integration"
            }
            _ => "",
        },
        ChannelKind::Opsgenie { .. } => match status.as_u16() {
            401 | 403 | 422 => {
                "Paste the key of an API integration that may create alerts; accounts in the EU need `url = \"https://api.eu.opsgenie.com\"`"
            }
            _ => "",
        },
        ChannelKind::Teams { .. } => match status.as_u16() {
            400 | 401 | 403 | 404 | 410 => {
                "The workflow was deleted, switched off, or wants somebody to log in: make it anew and let anyone trigger it"
            }
            _ => "",
        },
        ChannelKind::Ntfy { .. } => match status.as_u16() {
            401 | 403 => "The token may not write to this topic: make one that may (`ntfy token add`)",
            _ => "",
        },
        ChannelKind::Alertmanager { .. } => match status.as_u16() {
            404 => {
                "There is no API v2: give the address without `/api/…`, with the prefix of `--web.route-prefix` if it has one"
            }
            _ => "",
        },
        ChannelKind::Webhook { .. } | ChannelKind::Email { .. } => "",
    };
    match status.as_u16() {
        _ if !known.is_empty() => known.to_owned(),
        401 | 403 => "Check the channel's secret".to_owned(),
        404 | 410 => "Check the channel's address".to_owned(),
        _ => String::new(),
    }
}

/// Source: Slack, "Sending messages using incoming webhooks", handling errors.
fn slack(said: &str) -> &'static str {
    match said {
        "invalid_token" | "no_active_hooks" | "no_service" | "no_service_id" | "no_team" | "team_disabled" => {
            "The webhook was removed or switched off: make a new one in Slack and paste its address"
        }
        "channel_not_found" | "channel_is_archived" => "The webhook's channel is gone: make a webhook for another one",
        "action_prohibited" | "posting_to_general_channel_denied" | "user_not_found" => {
            "Whoever made the webhook may not write there: ask an administrator of Slack, or use another channel"
        }
        _ => "",
    }
}

/// Source: Telegram's Bot API answers with texts only.
fn telegram(status: StatusCode, said: &str) -> &'static str {
    match status.as_u16() {
        401 | 404 => "The token is not valid: ask @BotFather for it again",
        403 => "The bot may not write there: add it to the chat, or start a conversation with it",
        400 if said.contains("chat not found") => {
            "Check `chat_id`, and add the bot to the chat; ids of groups begin with `-`"
        }
        400 if said.contains("supergroup") => "The group has a new id since it is a supergroup: it begins with `-100`",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(kind: &ChannelKind, status: u16, headers: &[(&'static str, &str)], body: &str, expected: Expect) {
        let status = StatusCode::from_u16(status).unwrap();
        let headers = headers
            .iter()
            .map(|(name, value)| (hyper::header::HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let answer = Answer { status, headers, body: body.into() };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_763_600_000);
        expected.assert_eq(&match outcome(kind, "there", &answer, now) {
            Outcome::Delivered { .. } => "delivered".to_owned(),
            Outcome::Retry { after, why } => format!("again after {after:?}: {why}"),
            Outcome::Failed { why } => format!("never: {why}"),
        });
    }

    fn webhook() -> ChannelKind {
        ChannelKind::default()
    }

    fn telegram() -> ChannelKind {
        ChannelKind::Telegram { token: None, chat_id: String::new(), url: None }
    }

    #[test]
    fn what_passes_is_tried_again() {
        check(&webhook(), 204, &[], "", expect!["delivered"]);
        check(&webhook(), 500, &[], "oops", expect!["again after None: there answers 500 Internal Server Error: oops"]);
        check(
            &webhook(),
            503,
            &[("retry-after", "7")],
            "<html>",
            expect!["again after Some(7s): there answers 503 Service Unavailable"],
        );
        check(
            &webhook(),
            429,
            &[("retry-after", "Thu, 20 Nov 2025 00:54:20 GMT")],
            "",
            expect!["again after Some(60s): there answers 429 Too Many Requests"],
        );
        check(
            &webhook(),
            429,
            &[("retry-after", "Thu, 20 Nov 2025 00:00:00 GMT")],
            "",
            expect!["again after Some(0ns): there answers 429 Too Many Requests"],
        );
        check(
            &webhook(),
            429,
            &[("retry-after", "999999999")],
            "",
            expect!["again after Some(3600s): there answers 429 Too Many Requests"],
        );
        check(
            &webhook(),
            408,
            &[("retry-after", "soon")],
            "",
            expect!["again after None: there answers 408 Request Timeout"],
        );
        let body = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 35","parameters":{"retry_after":35}}"#;
        check(
            &telegram(),
            429,
            &[],
            body,
            expect!["again after Some(35s): there answers 429 Too Many Requests: Too Many Requests: retry after 35"],
        );
        let teams = ChannelKind::Teams { url: None };
        check(
            &teams,
            200,
            &[],
            "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429",
            expect![
                "again after None: there answers 200 OK: Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429"
            ],
        );
        check(&teams, 202, &[], "", expect!["delivered"]);
    }

    #[test]
    fn what_does_not_pass_says_what_to_do() {
        check(
            &webhook(),
            302,
            &[("location", "http://10.0.0.1/\tx")],
            "",
            expect![
                "never: there answers 302 Found. It redirects to http://10.0.0.1/ x, and redirects are not followed: enter the final address"
            ],
        );
        check(&webhook(), 401, &[], "", expect!["never: there answers 401 Unauthorized. Check the channel's secret"]);
        check(
            &webhook(),
            404,
            &[],
            "<!doctype html><p>no",
            expect!["never: there answers 404 Not Found. Check the channel's address"],
        );
        check(
            &ChannelKind::Slack { url: None },
            403,
            &[],
            "invalid_token",
            expect![
                "never: there answers 403 Forbidden: invalid_token. The webhook was removed or switched off: make a new one in Slack and paste its address"
            ],
        );
        let body = r#"{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}"#;
        check(
            &telegram(),
            400,
            &[],
            body,
            expect![
                "never: there answers 400 Bad Request: Bad Request: chat not found. Check `chat_id`, and add the bot to the chat; ids of groups begin with `-`"
            ],
        );
        let pagerduty = ChannelKind::Pagerduty { routing_key: None, url: None };
        let body = r#"{"status":"invalid event","message":"Event object is invalid","errors":["Length of 'routing_key' is incorrect (should be 32 characters)"]}"#;
        check(
            &pagerduty,
            400,
            &[],
            body,
            expect![
                "never: there answers 400 Bad Request: Event object is invalid (Length of 'routing_key' is incorrect (should be 32 characters)). Paste the integration key of an `Events API V2` integration"
            ],
        );
        let ntfy = ChannelKind::Ntfy { url: None, topic: String::new(), token: None };
        let body =
            r#"{"code":40301,"http":403,"error":"forbidden","link":"https://ntfy.sh/docs/publish/#authentication"}"#;
        check(
            &ntfy,
            403,
            &[],
            body,
            expect![
                "never: there answers 403 Forbidden: forbidden. The token may not write to this topic: make one that may (`ntfy token add`)"
            ],
        );
        let opsgenie = ChannelKind::Opsgenie { api_key: None, url: None };
        check(
            &opsgenie,
            422,
            &[],
            r#"{"message":"Key format is not valid!","took":0.0}"#,
            expect![[
                r#"never: there answers 422 Unprocessable Entity: Key format is not valid!. Paste the key of an API integration that may create alerts; accounts in the EU need `url = "https://api.eu.opsgenie.com"`"#
            ]],
        );
        let alertmanager = ChannelKind::Alertmanager { url: String::new() };
        check(
            &alertmanager,
            400,
            &[],
            r#"{"code":601,"message":"start time missing"}"#,
            expect!["never: there answers 400 Bad Request: start time missing"],
        );
    }
}
