//! Receivers that fail, and networks that do.

use crate::message::firing;
use crate::receiver::{Manner, Receiver};
use crate::{channel, config, sender};
use orrery_api::alerting::{Channel, ChannelKind};
use orrery_notify::{Config, Outcome, Sender};
use std::time::Duration;

fn webhook(url: String) -> Channel {
    channel(ChannelKind::Webhook { url, secret: None })
}

async fn outcome(manner: Manner) -> Outcome {
    let receiver = Receiver::start(vec![manner]).await;
    sender().send(&webhook(receiver.url("/")), &firing(), None).await
}

fn is_retried(outcome: &Outcome, wait: Option<u64>, says: &str) {
    match outcome {
        Outcome::Retry { after, why } => {
            assert_eq!(*after, wait.map(Duration::from_secs), "{why}");
            assert!(why.contains(says), "{why}");
        }
        outcome => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    is_retried(
        &outcome(Manner::Answers(500, "", "broken")).await,
        None,
        "127.0.0.1 answers 500 Internal Server Error: broken",
    );
    is_retried(&outcome(Manner::Answers(429, "retry-after: 17\r\n", "")).await, Some(17), "429 Too Many Requests");
    is_retried(&outcome(Manner::Answers(503, "", "")).await, None, "503");
    is_retried(&outcome(Manner::Closes).await, None, "ended the connection without an answer");
    is_retried(&outcome(Manner::ClosesInHead).await, None, "ended the connection without an answer");
    is_retried(&outcome(Manner::Refuses).await, None, "127.0.0.1 ended the connection");
}

#[tokio::test]
async fn what_was_said_counts_even_if_the_rest_is_missing() {
    assert_eq!(outcome(Manner::ClosesInBody).await, Outcome::Delivered { but: None });
}

#[tokio::test]
async fn an_endless_answer_is_read_for_its_beginning() {
    let outcome = outcome(Manner::IsEndless).await;
    is_retried(&outcome, None, "500");
    let Outcome::Retry { why, .. } = outcome else { panic!() };
    assert!(why.len() < 400, "{}", why.len());
}

#[tokio::test]
async fn silence_ends() {
    let receiver = Receiver::start(vec![Manner::IsSilent]).await;
    let sender = Sender::new(Config { timeout_millis: 300, ..config() }).unwrap();
    let outcome = sender.send(&webhook(receiver.url("/")), &firing(), None).await;
    is_retried(&outcome, None, "no answer from 127.0.0.1 within 300ms");
    // It got the message: why repeats have the same key.
    assert_eq!(receiver.only().headers["idempotency-key"], "m-1");
}

#[tokio::test]
async fn nobody_there_is_tried_again() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let outcome = sender().send(&webhook(format!("http://127.0.0.1:{port}/")), &firing(), None).await;
    is_retried(&outcome, None, "cannot connect to 127.0.0.1");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let inside = Receiver::start(vec![Manner::Answers(200, "", "secret")]).await;
    for status in [301, 302, 303, 307, 308] {
        let location: &'static str = format!("location: {}\r\n", inside.url("/latest/meta-data")).leak();
        let outcome = outcome(Manner::Answers(status, location, "")).await;
        assert!(
            matches!(&outcome, Outcome::Failed { why } if why.contains("redirects are not followed") && why.contains("/latest/meta-data")),
            "{outcome:?}"
        );
    }
    assert!(inside.got().is_empty());
}

#[tokio::test]
async fn private_receivers_get_nothing_by_default() {
    let receiver = Receiver::start(vec![Manner::Answers(200, "", "")]).await;
    let careful = Sender::new(Config::default()).unwrap();
    let localhost = format!("http://localhost:{}/", receiver.port);
    for url in [receiver.url("/"), localhost.clone()] {
        let outcome = careful.send(&webhook(url), &firing(), None).await;
        assert!(matches!(&outcome, Outcome::Failed { why } if why.contains("private address")), "{outcome:?}");
    }
    assert!(receiver.got().is_empty());
    let by_name = Sender::new(Config { private_hosts: vec!["LOCALHOST".into()], ..Config::default() }).unwrap();
    assert_eq!(by_name.send(&webhook(localhost), &firing(), None).await, Outcome::Delivered { but: None });
    let outcome = by_name.send(&webhook(receiver.url("/")), &firing(), None).await;
    assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
}

#[tokio::test]
async fn what_a_receiver_says_does_not_tell_the_secret() {
    let receiver = Receiver::start(vec![Manner::Answers(404, "", "no hook at services/T0/B0/verysecret")]).await;
    let slack = channel(ChannelKind::Slack { url: Some(receiver.url("/services/T0/B0/verysecret")) });
    let outcome = sender().send(&slack, &firing(), None).await;
    assert!(
        matches!(&outcome, Outcome::Failed { why } if !why.contains("verysecret") && why.contains("no hook at …")),
        "{outcome:?}"
    );
}
