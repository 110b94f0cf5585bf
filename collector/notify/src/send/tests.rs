use super::*;
use orrery_api::alerting::MailTls;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;

fn channel(to: ChannelKind) -> Channel {
    Channel { to, ..Channel::default() }
}

fn webhook(url: &str) -> Channel {
    channel(ChannelKind::Webhook { url: url.to_owned(), secret: None })
}

fn mail(host: &str, port: u16) -> Channel {
    channel(ChannelKind::Email {
        host: host.to_owned(),
        port: Some(port),
        tls: MailTls::None,
        user: None,
        password: None,
        from: "a@b.example".to_owned(),
        to: vec!["c@d.example".to_owned()],
    })
}

/// Gives these answers one after another, the last one again and again, and counts.
fn resolver(answers: &[&[&str]]) -> (Resolve, Arc<AtomicUsize>) {
    let answers: Vec<Vec<IpAddr>> =
        answers.iter().map(|answer| answer.iter().map(|text| text.parse().unwrap()).collect()).collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let resolve: Resolve = Arc::new(move |_| {
        let turn = counter.fetch_add(1, Ordering::SeqCst);
        let answer = answers[turn.min(answers.len() - 1)].clone();
        Box::pin(async move { Ok(answer) })
    });
    (resolve, asked)
}

fn sender(config: Config, answers: &[&[&str]]) -> (Sender, Arc<AtomicUsize>) {
    let (resolve, asked) = resolver(answers);
    (Sender::with_resolver(config, resolve).unwrap(), asked)
}

async fn why(sender: &Sender, channel: &Channel) -> String {
    match sender.send(channel, &Message::default(), None).await {
        Outcome::Failed { why } => why,
        outcome => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn private_addresses_are_refused_however_they_are_written() {
    // Somebody listens, and nobody may come.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, _) = sender(Config::default(), &[&["127.0.0.1"]]);
    let hosts = [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "localhost",
        "name.example",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "0.0.0.0",
        "100.64.0.1",
        "user:password@127.0.0.1",
    ];
    for host in hosts {
        let why = why(&sender, &webhook(&format!("http://{host}:{port}/"))).await;
        assert!(why.contains("private address") && why.contains("settings"), "{host}: {why}");
    }
    for host in ["127.0.0.1", "0x7f.1", "::1", "[::1]", "mail.example"] {
        let why = why(&sender, &mail(host, port)).await;
        assert!(why.contains("private address"), "{host}: {why}");
    }
    let came = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await;
    assert!(came.is_err(), "{came:?}");
}

#[tokio::test]
async fn every_address_of_a_name_is_checked() {
    let (sender, _) = sender(Config::default(), &[&["1.1.1.1", "10.0.0.1"]]);
    let why = why(&sender, &webhook("http://mixed.example/")).await;
    assert!(why.contains("mixed.example has the private address 10.0.0.1"), "{why}");
}

#[tokio::test]
async fn a_name_is_asked_for_once_and_its_answer_is_what_is_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = Config { private_hosts: vec!["here.example".to_owned()], timeout_millis: 5_000, ..Config::default() };
    // A second question would be answered otherwise.
    let (sender, asked) = sender(config, &[&["127.0.0.1"], &["192.0.2.1"]]);
    let accept = async {
        let (stream, _) = listener.accept().await.unwrap();
        drop(stream);
    };
    let channel = webhook(&format!("http://here.example:{port}/"));
    let message = Message::default();
    let (outcome, ()) = tokio::join!(sender.send(&channel, &message, None), accept);
    assert!(
        matches!(&outcome, Outcome::Retry { why, .. } if why.contains("here.example ended the connection")),
        "{outcome:?}"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    // The same name again, now somewhere else: allowed by name, so it is tried there.
    let other = webhook("http://there.example/");
    let why = why(
        &Sender {
            dialer: Dialer { resolve: resolver(&[&["127.0.0.1"]]).0, ..sender.dialer.clone() },
            ..sender.clone()
        },
        &other,
    )
    .await;
    assert!(why.contains("there.example has the private address"), "{why}");
}

#[tokio::test]
async fn what_no_address_is_says_so() {
    let (sender, _) = sender(Config::default(), &[&[]]);
    for url in ["ftp://x.example/", "x.example", "http://", "file:///etc/passwd", "gopher://127.0.0.1/"] {
        let why = why(&sender, &webhook(url)).await;
        assert!(why.contains("no http or https address"), "{url}: {why}");
    }
    let ntfy = |token: &str| ChannelKind::Ntfy { url: None, topic: "t".into(), token: Some(token.into()) };
    let why = why(&sender, &channel(ntfy("x\r\nHost: evil"))).await;
    assert!(why.contains("paste it again"), "{why}");
}

#[test]
fn secrets_are_not_told() {
    let slack = ChannelKind::Slack { url: Some("https://hooks.slack.com/services/T0/B0/abcdefgh".into()) };
    let failed = |why: &str| Outcome::Failed { why: why.to_owned() };
    let told = |text: &str, kind: &ChannelKind| without_secrets(failed(text), kind);
    assert_eq!(told("no services/T0/B0/abcdefgh here", &slack), failed("no … here"));
    let webhook = ChannelKind::Webhook { url: String::new(), secret: Some("long secret".into()) };
    assert_eq!(told("long secret, secret", &webhook), failed("…, secret"));
}

#[test]
fn certificates_that_cannot_be_read_are_named() {
    let config = Config { certificates: Some("/nowhere/at/all.pem".into()), ..Config::default() };
    assert_eq!(Sender::new(config).unwrap_err().to_string(), "cannot read certificates from /nowhere/at/all.pem");
    let config: Config = serde_json::from_str(r#"{"private_hosts": ["a"]}"#).unwrap();
    assert_eq!((config.private_hosts.len(), config.timeout_millis), (1, 10_000));
    assert!(serde_json::from_str::<Config>(r#"{"private_host": []}"#).is_err());
}
