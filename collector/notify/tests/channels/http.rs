//! What the receivers of each kind get. What is in the documents, the crate's own tests say.

use crate::message::{firing, picture, resolved};
use crate::receiver::{Manner, Received, Receiver};
use crate::{channel, sender};
use orrery_api::alerting::{ChannelKind, Message};
use orrery_notify::Outcome;
use std::collections::HashMap;

const DELIVERED: Outcome = Outcome::Delivered { but: None };

/// What a receiver that answers like this gets, and what becomes of the message.
async fn sent(
    manner: Manner,
    to: impl FnOnce(&Receiver) -> ChannelKind,
    message: &Message,
    png: Option<&[u8]>,
) -> (Received, Outcome) {
    let receiver = Receiver::start(vec![manner]).await;
    let outcome = sender().send(&channel(to(&receiver)), message, png).await;
    (receiver.only(), outcome)
}

fn ok() -> Manner {
    Manner::Answers(200, "", "ok")
}

#[tokio::test]
async fn a_webhook_gets_the_signed_message() {
    let to = |receiver: &Receiver| ChannelKind::Webhook { url: receiver.url("/in?x=1"), secret: Some("s3cret".into()) };
    let (got, outcome) = sent(Manner::Answers(204, "", ""), to, &firing(), None).await;
    assert_eq!(outcome, DELIVERED);
    assert_eq!((got.method.as_str(), got.path.as_str()), ("POST", "/in?x=1"));
    assert_eq!(got.headers["idempotency-key"], "m-1");
    assert_eq!(got.headers["content-type"], "application/json");
    assert!(got.headers["user-agent"].starts_with("Orrery/"));
    assert_eq!(serde_json::from_slice::<Message>(&got.body).unwrap(), firing());
    // As a receiver would check it.
    use hmac::{KeyInit, Mac};
    let signature = &got.headers["orrery-signature"];
    let (time, code) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(b"s3cret").unwrap();
    mac.update(format!("{time}.{}", String::from_utf8(got.body).unwrap()).as_bytes());
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(code, expected);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(time.parse::<u64>().unwrap().abs_diff(now) < 300);
}

#[tokio::test]
async fn a_webhook_without_a_secret_is_not_signed_and_may_have_a_password() {
    let to = |receiver: &Receiver| {
        let url = receiver.url("/").replace("http://", "http://me:p%40ss@");
        ChannelKind::Webhook { url, secret: None }
    };
    let (got, outcome) = sent(ok(), to, &firing(), None).await;
    assert_eq!(outcome, DELIVERED);
    assert!(!got.headers.contains_key("orrery-signature"));
    assert_eq!(got.headers["authorization"], "Basic bWU6cEBzcw==");
}

#[tokio::test]
async fn chat_services_get_their_documents() {
    let (slack, outcome) =
        sent(ok(), |receiver| ChannelKind::Slack { url: Some(receiver.url("/services/T/B/x")) }, &firing(), None).await;
    assert_eq!(outcome, DELIVERED);
    assert_eq!((slack.path.as_str(), slack.json()["blocks"][0]["type"].as_str()), ("/services/T/B/x", Some("header")));
    let (teams, outcome) = sent(
        Manner::Answers(202, "", ""),
        |receiver| ChannelKind::Teams { url: Some(receiver.url("/workflows/1?sig=x")) },
        &firing(),
        None,
    )
    .await;
    assert_eq!(outcome, DELIVERED);
    assert_eq!(teams.json()["attachments"][0]["content"]["type"], "AdaptiveCard");
}

#[tokio::test]
async fn pagers_are_opened_and_closed() {
    let pagerduty = |receiver: &Receiver| ChannelKind::Pagerduty {
        routing_key: Some("k".repeat(32)),
        url: Some(receiver.url("/v2/enqueue")),
    };
    let (open, outcome) = sent(Manner::Answers(202, "", r#"{"status":"success"}"#), pagerduty, &firing(), None).await;
    assert_eq!((outcome, open.path.as_str()), (DELIVERED, "/v2/enqueue"));
    let (over, _) = sent(ok(), pagerduty, &resolved(), None).await;
    assert_eq!(
        (open.json()["event_action"].as_str(), over.json()["event_action"].as_str()),
        (Some("trigger"), Some("resolve"))
    );
    assert_eq!(open.json()["dedup_key"], over.json()["dedup_key"]);

    let opsgenie =
        |receiver: &Receiver| ChannelKind::Opsgenie { api_key: Some("key".into()), url: Some(receiver.url("/")) };
    let (open, outcome) = sent(Manner::Answers(202, "", "{}"), opsgenie, &firing(), None).await;
    assert_eq!((outcome, open.path.as_str()), (DELIVERED, "/v2/alerts"));
    assert_eq!(open.headers["authorization"], "GenieKey key");
    let (over, _) = sent(ok(), opsgenie, &resolved(), None).await;
    let alias = open.json()["alias"].as_str().unwrap().to_owned();
    assert_eq!(over.path, format!("/v2/alerts/{alias}/close?identifierType=alias"));
}

#[tokio::test]
async fn a_bot_shows_the_picture_and_if_it_may_not_writes() {
    let png = picture();
    let telegram = |receiver: &Receiver| ChannelKind::Telegram {
        token: Some("1:A".into()),
        chat_id: "-100".into(),
        url: Some(receiver.url("")),
    };
    let (photo, outcome) = sent(Manner::Answers(200, "", r#"{"ok":true}"#), telegram, &firing(), Some(&png)).await;
    assert_eq!((outcome, photo.path.as_str()), (DELIVERED, "/bot1:A/sendPhoto"));
    let boundary = photo.headers["content-type"].strip_prefix("multipart/form-data; boundary=").unwrap();
    let body = &photo.body;
    let parts: Vec<String> = String::from_utf8_lossy(body)
        .split(&format!("--{boundary}"))
        .map(|part| part.lines().nth(1).unwrap_or_default().to_owned())
        .collect();
    let names: Vec<&str> =
        parts.iter().filter(|line| line.contains("name=")).map(|line| line.split('"').nth(1).unwrap()).collect();
    assert_eq!(names, ["chat_id", "parse_mode", "caption", "photo"]);
    assert!(body.windows(png.len()).any(|part| part == png));

    let receiver = Receiver::start(vec![
        Manner::Answers(400, "", r#"{"ok":false,"error_code":400,"description":"Bad Request: not enough rights to send photos to the chat"}"#),
        Manner::Answers(200, "", r#"{"ok":true}"#),
    ])
    .await;
    assert_eq!(sender().send(&channel(telegram(&receiver)), &firing(), Some(&png)).await, DELIVERED);
    let got = receiver.got();
    assert_eq!(got[1].path, "/bot1:A/sendMessage");
    assert_eq!(got[1].json()["chat_id"], "-100");
}

#[tokio::test]
async fn ntfy_gets_json_or_a_file() {
    let ntfy = |receiver: &Receiver| ChannelKind::Ntfy {
        url: Some(receiver.url("")),
        topic: "ops".into(),
        token: Some("tk".into()),
    };
    let (json, outcome) = sent(ok(), ntfy, &firing(), None).await;
    assert_eq!((outcome, json.method.as_str(), json.path.as_str()), (DELIVERED, "POST", "/"));
    assert_eq!((json.json()["topic"].as_str(), json.json()["priority"].as_u64()), (Some("ops"), Some(5)));
    assert_eq!(json.headers["authorization"], "Bearer tk");

    let png = picture();
    let (file, outcome) = sent(ok(), ntfy, &firing(), Some(&png)).await;
    assert_eq!((outcome, file.method.as_str(), file.body == png), (DELIVERED, "PUT", true));
    let url = url::Url::parse(&format!("http://x{}", file.path)).unwrap();
    let query: HashMap<_, _> = url.query_pairs().collect();
    assert_eq!((&*query["title"], &*query["filename"]), ("결제: 52 % of the requests to payments fail", "chart.png"));
    assert!(query["message"].contains("orders → payments"));
    assert_eq!(query["click"], "https://orrery.example/alerts/a1");

    // A server without attachments.
    let receiver = Receiver::start(vec![
        Manner::Answers(400, "", r#"{"code":40014,"http":400,"error":"invalid request: attachments not allowed"}"#),
        ok(),
    ])
    .await;
    assert_eq!(sender().send(&channel(ntfy(&receiver)), &firing(), Some(&png)).await, DELIVERED);
    assert_eq!(receiver.got()[1].json()["topic"], "ops");
}

#[tokio::test]
async fn an_alertmanager_gets_alerts() {
    let (got, outcome) =
        sent(ok(), |receiver| ChannelKind::Alertmanager { url: receiver.url("/prefix/") }, &firing(), None).await;
    assert_eq!((outcome, got.path.as_str()), (DELIVERED, "/prefix/api/v2/alerts"));
    let alerts = got.json();
    assert_eq!(
        (alerts[0]["labels"]["alertname"].as_str(), alerts[0]["labels"]["service"].as_str()),
        (Some("Errors"), Some("payments"))
    );
    assert_eq!(alerts[0]["startsAt"], "2025-11-20T10:46:20.000Z");
}
