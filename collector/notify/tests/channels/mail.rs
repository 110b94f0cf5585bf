//! E-mail to a real mail server, and what it looks like there.

use crate::message::{firing, picture, resolved};
use crate::mime::Entity;
use crate::smtp::{MailSink, Manners};
use crate::{channel, config, sender};
use orrery_api::alerting::{Channel, ChannelKind, MailTls};
use orrery_notify::{Config, Outcome, Sender};

pub(crate) fn email(host: &str, port: u16, tls: MailTls, login: Option<(&str, &str)>) -> Channel {
    channel(ChannelKind::Email {
        host: host.to_owned(),
        port: Some(port),
        tls,
        user: login.map(|login| login.0.to_owned()),
        password: login.map(|login| login.1.to_owned()),
        from: "Orrery <orrery@example.com>".to_owned(),
        to: vec!["ops@example.com".to_owned(), "Kim <kim@example.com>".to_owned()],
    })
}

async fn outcome(manners: Manners, login: Option<(&str, &str)>) -> (MailSink, Outcome) {
    let sink = MailSink::start(manners).await;
    let outcome = sender().send(&email("127.0.0.1", sink.port, MailTls::None, login), &firing(), None).await;
    (sink, outcome)
}

#[tokio::test]
async fn a_mail_has_text_a_page_and_the_picture() {
    let sink = MailSink::start(Manners { login: true, ..Manners::default() }).await;
    let png = picture();
    let to = email("127.0.0.1", sink.port, MailTls::None, Some(("orrery", "pass word")));
    let outcome = sender().send(&to, &firing(), Some(&png)).await;
    assert_eq!(outcome, Outcome::Delivered { but: None });
    let got = sink.only();
    assert_eq!(
        (got.from.as_str(), got.to.as_slice()),
        ("orrery@example.com", &["ops@example.com".to_owned(), "kim@example.com".to_owned()][..])
    );
    assert_eq!(got.login, Some(("orrery".to_owned(), "pass word".to_owned())));

    let mail = Entity::parse(&got.text);
    assert_eq!(mail.type_(), "multipart/alternative");
    assert_eq!(mail.headers["auto-submitted"], "auto-generated");
    assert_eq!(mail.headers["date"], "Thu, 20 Nov 2025 10:48:20 +0000");
    // In words of RFC 2047, since it is not only ASCII.
    assert!(mail.headers["subject"].contains("=?utf-8?"), "{}", mail.headers["subject"]);
    let [plain, related] = &mail.parts[..] else { panic!() };
    assert_eq!((plain.type_(), related.type_()), ("text/plain", "multipart/related"));
    let text = plain.text();
    for line in [
        "결제: 52 % of the requests",
        "Since: 10:46 UTC, for 2 min",
        "Hottest edge: orders → payments",
        "Open in Orrery: https://",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let [page, image] = &related.parts[..] else { panic!() };
    assert_eq!((page.type_(), image.type_()), ("text/html", "image/png"));
    let id = image.headers["content-id"].trim_matches(['<', '>']);
    assert!(page.text().contains(&format!("src=\"cid:{id}\"")));
    assert_eq!(image.body, png);
    assert!(image.headers["content-disposition"].starts_with("inline"));
}

#[tokio::test]
async fn mails_of_a_group_are_a_thread() {
    let sink = MailSink::start(Manners::default()).await;
    let to = email("127.0.0.1", sink.port, MailTls::None, None);
    for message in [firing(), firing(), resolved()] {
        assert_eq!(sender().send(&to, &message, None).await, Outcome::Delivered { but: None });
    }
    let mails: Vec<Entity> = sink.got().iter().map(|mail| Entity::parse(&mail.text)).collect();
    let header = |i: usize, name: &str| mails[i].headers[name].clone();
    assert_eq!(header(0, "message-id"), header(1, "message-id"));
    assert_ne!(header(0, "message-id"), header(2, "message-id"));
    assert_eq!(header(0, "references"), header(2, "references"));
    assert_eq!(header(0, "in-reply-to"), header(0, "references"));
}

#[tokio::test]
async fn one_receiver_who_left_does_not_keep_it_from_the_others() {
    let says = vec![("RCPT TO:<OPS@", "550 5.1.1 no such user")];
    let (sink, outcome) = outcome(Manners { says, ..Manners::default() }, None).await;
    let Outcome::Delivered { but: Some(but) } = outcome else { panic!("{outcome:?}") };
    assert!(but.contains("ops@example.com: 550") && but.contains("no such user"), "{but}");
    assert_eq!(sink.only().to, ["kim@example.com"]);
}

#[tokio::test]
async fn what_a_mail_server_refuses_is_told() {
    let check = async |says: (&'static str, &'static str), login, is_retried: bool, expected: &str| {
        let (sink, outcome) = outcome(Manners { says: vec![says], login: true, ..Manners::default() }, login).await;
        let (retried, why) = match outcome {
            Outcome::Retry { why, .. } => (true, why),
            Outcome::Failed { why } => (false, why),
            Outcome::Delivered { .. } => panic!("{says:?}"),
        };
        assert!(why.contains(expected) && why.starts_with("127.0.0.1: "), "{why}");
        assert_eq!(retried, is_retried, "{why}");
        assert!(sink.got().is_empty());
    };
    check(("MAIL", "550 5.7.1 sender not allowed"), None, false, "does not accept the sender: 550").await;
    check(("MAIL", "421 too busy"), None, true, "421").await;
    check(("RCPT", "450 4.2.0 greylisted, come back"), None, true, "greylisted").await;
    check(("RCPT", "550 no such user"), None, false, "no such user").await;
    check(("DATA", "554 looks like spam"), None, false, "looks like spam").await;
    check(("AUTH", "535 5.7.8 bad password"), Some(("a", "b")), false, "does not accept user and password: 535").await;
    check(("EHLO", "500 no"), None, false, "does not greet").await;
}

#[tokio::test]
async fn no_encryption_is_not_accepted_where_it_is_wanted() {
    let sink = MailSink::start(Manners::default()).await;
    let outcome = sender().send(&email("127.0.0.1", sink.port, MailTls::Starttls, None), &firing(), None).await;
    assert!(matches!(&outcome, Outcome::Failed { why } if why.contains("offers no STARTTLS")), "{outcome:?}");
    let outcome = sender().send(&email("127.0.0.1", sink.port, MailTls::None, Some(("a", "b"))), &firing(), None).await;
    assert!(matches!(&outcome, Outcome::Failed { why } if why.contains("does not let anybody log in")), "{outcome:?}");
    assert!(sink.got().is_empty());
}

#[tokio::test]
async fn a_silent_mail_server_is_left() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let sender = Sender::new(Config { timeout_millis: 100, ..config() }).unwrap();
    let outcome = sender.send(&email("127.0.0.1", port, MailTls::None, None), &firing(), None).await;
    assert!(
        matches!(&outcome, Outcome::Retry { why, .. } if why.contains("no answer from 127.0.0.1 within 300ms")),
        "{outcome:?}"
    );
}
