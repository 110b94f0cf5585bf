use super::*;
use expect_test::{Expect, expect, expect_file};
use orrery_api::alerting::{Alert, AlertSeverity, AlertState, Deploy, Difference, Evidence, MailTls, ValueUnit};
use orrery_api::time::Nanos;
use proptest::prelude::*;
use std::collections::BTreeMap;

const SECOND: i64 = 1_000_000_000;
/// 2025-11-20 10:48:20 UTC.
const NOW: i64 = 1_763_635_700 * SECOND;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Payments that fail since a deploy, and what follows from it.
fn failing() -> Message {
    let payments = Alert {
        id: "a1".into(),
        rule: "Errors".into(),
        labels: labels(&[("service", "payments"), ("severity", "critical")]),
        state: AlertState::Firing,
        severity: AlertSeverity::Critical,
        since_unix_nano: Nanos(NOW - 300 * SECOND),
        began_unix_nano: Some(Nanos(NOW - 360 * SECOND)),
        value: Some(0.52),
        threshold: Some(0.05),
        unit: ValueUnit::Ratio,
        summary: "52 % of the requests to payments fail (more than 5 %)".into(),
        coverage: 1.0,
        ..Alert::default()
    };
    let orders = Alert {
        id: "a2".into(),
        labels: labels(&[("service", "orders"), ("severity", "warning")]),
        severity: AlertSeverity::Warning,
        summary: "18 % of the requests to orders fail (more than 5 %)".into(),
        ..payments.clone()
    };
    Message {
        id: "m-7".into(),
        group: "default/rule=Errors".into(),
        status: "firing".into(),
        title: "52 % of the requests to payments fail, and 1 more".into(),
        labels: labels(&[("rule", "Errors"), ("env", "prod")]),
        description: "Customers cannot pay.\nRunbook: look at the provider's status page first.".into(),
        alerts: vec![payments, orders],
        more: 0,
        recent: [0.0, 0.01, 0.0, 0.004, 0.01, 0.2, 0.5, 0.52].map(Some).into(),
        evidence: Evidence {
            findings: vec!["payments: 52 % of requests fail with card_declined_by_issuer".into()],
            hottest_edge: Some("orders → payments: 52 % of 14/s fail".into()),
            differs: vec![
                Difference { key: "span.payment.provider".into(), value: "acme".into(), bad: 0.97, others: 0.31 },
                Difference { key: "resource.k8s.node.name".into(), value: "node-3".into(), bad: 0.61, others: 0.33 },
            ],
            traces: vec!["4bf92f3577b34da6a3ce929d0e0e4736".into(), "00f067aa0ba902b700f067aa0ba902b7".into()],
            last_deploy: Some(Deploy {
                node: "payments".into(),
                version: "2.4.1".into(),
                at_unix_nano: Nanos(NOW - 1_020 * SECOND),
            }),
            normal: vec!["traffic of payments".into(), "latency of payments".into(), "postgres".into()],
            ..Evidence::default()
        },
        url: "https://orrery.example/alerts/a1?from=1763632100".into(),
        silence_url: "https://orrery.example/silences/new?match=rule%3D%22Errors%22&service=payments".into(),
        chart_png: None,
        at_unix_nano: Nanos(NOW),
    }
}

/// The same alert, over.
fn resolved() -> Message {
    let mut message = failing();
    message.id = "m-8".into();
    message.status = "resolved".into();
    message.title = "Over: requests to payments fail".into();
    message.alerts.truncate(1);
    let alert = &mut message.alerts[0];
    (alert.state, alert.value, alert.since_unix_nano) = (AlertState::Normal, Some(0.004), Nanos(NOW - 60 * SECOND));
    message.evidence = Evidence::default();
    message.recent.clear();
    message
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn kinds() -> Vec<ChannelKind> {
    vec![
        ChannelKind::Webhook { url: "https://hooks.example/orrery".into(), secret: some("s3cret") },
        email(),
        ChannelKind::Slack { url: some("https://hooks.slack.com/services/T/B/x") },
        ChannelKind::Teams { url: some("https://prod.example/workflows/1") },
        ChannelKind::Pagerduty { routing_key: some("0123456789abcdef0123456789abcdef"), url: None },
        ChannelKind::Opsgenie { api_key: some("key-of-opsgenie"), url: None },
        ChannelKind::Telegram { token: some("123:ABC"), chat_id: "-100".into(), url: None },
        ChannelKind::Ntfy { url: None, topic: "alerts".into(), token: some("tk_1") },
        ChannelKind::Alertmanager { url: "http://alertmanager:9093/".into() },
    ]
}

fn email() -> ChannelKind {
    ChannelKind::Email {
        host: "mail.example".into(),
        port: None,
        tls: MailTls::Starttls,
        user: None,
        password: None,
        from: "Orrery <orrery@example.com>".into(),
        to: vec!["Ops <ops@example.com>".into()],
    }
}

fn shown(kind: &str, message: &Message) -> String {
    let kind = kinds().into_iter().find(|it| it.name() == kind).unwrap();
    preview(&kind, message).text
}

#[test]
fn every_channel_tells_the_case() {
    for kind in ["webhook", "slack", "teams", "pagerduty", "opsgenie", "ntfy", "alertmanager"] {
        expect_file![format!("{}/tests/expected/{kind}.json", env!("CARGO_MANIFEST_DIR"))]
            .assert_eq(&shown(kind, &failing()));
    }
    for kind in ["email", "telegram"] {
        expect_file![format!("{}/tests/expected/{kind}.html", env!("CARGO_MANIFEST_DIR"))]
            .assert_eq(&shown(kind, &failing()));
    }
}

#[test]
fn what_a_case_is_in_plain_text() {
    expect![[r#"
        What: 52 % of the requests to payments fail (more than 5 %)
        Since: 10:42 UTC, for 6 min
        Now: 52 % (bound 5 %) ▁▁▁▁▁▄██
        Labels: env=prod, rule=Errors
        Begins at: payments: 52 % of requests fail with card_declined_by_issuer
        Hottest edge: orders → payments: 52 % of 14/s fail
        Differs: span.payment.provider=acme: 97 % of the bad, 31 % of the others
        Differs: resource.k8s.node.name=node-3: 61 % of the bad, 33 % of the others
        Traces: https://orrery.example/traces/4bf92f3577b34da6a3ce929d0e0e4736, https://orrery.example/traces/00f067aa0ba902b700f067aa0ba902b7
        Last deploy: payments 2.4.1 at 10:31 UTC, 11 min before it began
        As usual: traffic of payments; latency of payments; postgres
        Also: 18 % of the requests to orders fail (more than 5 %)

        Customers cannot pay.
        Runbook: look at the provider's status page first.

        Open in Orrery: https://orrery.example/alerts/a1?from=1763632100
        Silence: https://orrery.example/silences/new?match=rule%3D%22Errors%22&service=payments"#]].assert_eq(&Case::of(&failing()).plain());
    expect![[r#"
        What: 52 % of the requests to payments fail (more than 5 %)
        Over since: 10:47 UTC, after 5 min
        Now: 0.40 % (bound 5 %)
        Labels: env=prod, rule=Errors

        Customers cannot pay.
        Runbook: look at the provider's status page first.

        Open in Orrery: https://orrery.example/alerts/a1?from=1763632100"#]]
    .assert_eq(&Case::of(&resolved()).plain());
}

#[test]
fn what_is_over_closes_what_was_opened() {
    let (open, over) = (failing(), resolved());
    let body = |kind: &str, message: &Message| serde_json::from_str::<Value>(&shown(kind, message)).unwrap();
    let (opened, closed) = (body("pagerduty", &open), body("pagerduty", &over));
    assert_eq!((&opened["event_action"], &closed["event_action"]), (&"trigger".into(), &"resolve".into()));
    assert_eq!(opened["dedup_key"], closed["dedup_key"]);

    let kind = kinds().into_iter().find(|kind| kind.name() == "opsgenie").unwrap();
    let calls = |message: &Message| calls(&kind, message, None, 0).unwrap().unwrap().first;
    let alias = body("opsgenie", &open)["alias"].as_str().unwrap().to_owned();
    assert_eq!(calls(&over).url, format!("https://api.opsgenie.com/v2/alerts/{alias}/close?identifierType=alias"));
    assert_eq!(calls(&open).url, "https://api.opsgenie.com/v2/alerts");

    let (opened, closed) = (body("alertmanager", &open), body("alertmanager", &over));
    assert_eq!(opened[0]["labels"], closed[0]["labels"]);
    assert_eq!(opened[0]["startsAt"], closed[0]["startsAt"]);
    expect!["2025-11-22T10:48:20.000Z, 2025-11-20T10:47:20.000Z"].assert_eq(&format!(
        "{}, {}",
        opened[0]["endsAt"].as_str().unwrap(),
        closed[0]["endsAt"].as_str().unwrap()
    ));
    assert!(!shown("slack", &over).contains("Silence"));
}

#[test]
fn webhooks_are_signed_and_known_again() {
    let kind = &kinds()[0];
    let call = calls(kind, &failing(), Some(b"png"), 1_763_635_700).unwrap().unwrap().first;
    let header = |name| call.headers.iter().find(|header| header.0 == name).unwrap().1.as_str();
    assert_eq!(header("idempotency-key"), "m-7");
    assert_eq!(header("orrery-signature"), webhook::sign("s3cret", 1_763_635_700, &call.body));
    // RFC 4231 has no message with a dot; made with `printf '1.{}' | openssl dgst -sha256 -hmac key`.
    expect!["t=1,v1=1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224"]
        .assert_eq(&webhook::sign("key", 1, b"{}"));
    let body: Message = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body, Message { chart_png: some("cG5n"), ..failing() });
}

#[test]
fn pictures_go_where_they_can() {
    let png = vec![7_u8; 9_000];
    let with = |name: &str| {
        let kind = kinds().into_iter().find(|kind| kind.name() == name).unwrap();
        calls(&kind, &failing(), Some(&png), 0).unwrap().unwrap()
    };
    let photo = with("telegram");
    assert!(
        photo.first.url.ends_with("/bot123:ABC/sendPhoto") && photo.first.body.windows(9_000).any(|part| part == png)
    );
    assert!(photo.without_picture.unwrap().url.ends_with("/bot123:ABC/sendMessage"));
    let file = with("ntfy");
    assert_eq!((file.first.method.as_str(), file.first.body.len()), ("PUT", 9_000));
    assert!(file.first.url.starts_with("https://ntfy.sh/alerts?title=52+%25+of+the+requests"), "{}", file.first.url);
    assert!(String::from_utf8_lossy(&with("teams").first.body).contains("data:image/png;base64,"));
    let large = vec![7_u8; 30_000];
    let teams = calls(&kinds()[3], &failing(), Some(&large), 0).unwrap().unwrap().first;
    assert!(!String::from_utf8_lossy(&teams.body).contains("data:image/png"));
}

#[test]
fn mails_are_threads_with_a_picture_inside() {
    let ChannelKind::Email { from, to, .. } = email() else { panic!() };
    let written = |message: &Message, png| {
        let mail = email::mail(&from, &to, &Case::of(message), png).unwrap();
        String::from_utf8(mail.formatted()).unwrap()
    };
    let head = |mail: &str| mail.split("\r\nMIME-Version").next().unwrap().replace("\r\n", "\n");
    let first = written(&failing(), Some(b"png"));
    expect![[r#"
        Subject: [FIRING] 52 % of the requests to payments fail, and 1 more
        Date: Thu, 20 Nov 2025 10:48:20 +0000
        Message-ID: <76f768bd67e2f88ad056626942cb142b@orrery>
        In-Reply-To: <orrery-98ae2a16478466fda6388b20f52524827@orrery>
        References: <orrery-98ae2a16478466fda6388b20f52524827@orrery>
        From: Orrery <orrery@example.com>
        Auto-Submitted: auto-generated
        X-Auto-Response-Suppress: All
        Importance: high
        X-Priority: 1
        To: Ops <ops@example.com>"#]]
    .assert_eq(&head(&first));
    let repeat = written(&failing(), Some(b"png"));
    assert_eq!(head(&repeat), head(&first));
    let over = written(&resolved(), None);
    let line = |mail: &str, name: &str| mail.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert_eq!(line(&over, "References:"), line(&first, "References:"));
    assert_ne!(line(&over, "Message-ID:"), line(&first, "Message-ID:"));
    for part in
        ["multipart/alternative", "multipart/related", "image/png", "Content-ID: <chart@orrery>", "cid:chart@orrery"]
    {
        assert!(first.contains(part), "{part}: {first}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let check = |kind: ChannelKind, expected: Expect| {
        let missing = calls(&kind, &failing(), None, 0).unwrap_err();
        expected.assert_eq(&missing.to_string());
    };
    check(ChannelKind::default(), expect!["`url` is missing: where to POST messages to"]);
    check(
        ChannelKind::Slack { url: None },
        expect![
            "`url` is missing: make an incoming webhook in Slack (https://api.slack.com/apps) and paste its address"
        ],
    );
    check(
        ChannelKind::Teams { url: some(" ") },
        expect![
            "`url` is missing: make a workflow in Teams from the template `Post to a channel when a webhook request is received` and paste its address"
        ],
    );
    check(
        ChannelKind::Pagerduty { routing_key: None, url: None },
        expect![
            "`routing_key` is missing: add the integration `Events API V2` to a service in PagerDuty and paste its integration key"
        ],
    );
    check(
        ChannelKind::Telegram { token: some("x/../y"), chat_id: String::new(), url: None },
        expect!["`token` is no token of a bot: it looks like 123456:ABC-DEF"],
    );
    check(
        ChannelKind::Ntfy { url: None, topic: "a/b".into(), token: None },
        expect!["`topic` has 1 to 64 letters, digits, `-` and `_`"],
    );
    let wrong = |from: &str, to: &[&str]| {
        let to: Vec<String> = to.iter().map(|&one| one.to_owned()).collect();
        email::mail(from, &to, &Case::of(&failing()), None).unwrap_err().to_string()
    };
    expect!["`to` is empty: name at least one receiver"].assert_eq(&wrong("a@b.example", &[]));
    expect![[r#"`from` has "nobody", which is no address; write it like `Orrery <orrery@example.com>`"#]]
        .assert_eq(&wrong("nobody", &["a@b.example"]));
    let injected = wrong("a@b.example", &["a@b.example\r\nBcc: c@d.example"]);
    assert!(injected.starts_with("`to` has"), "{injected}");
}

/// A message with this text wherever others may put text.
fn hostile(text: &str) -> Message {
    let mut message = failing();
    let text = text.to_owned();
    for field in [&mut message.title, &mut message.description, &mut message.id, &mut message.group] {
        field.clone_from(&text);
    }
    message.labels =
        BTreeMap::from([(text.clone(), text.clone()), ("service".into(), text.clone()), ("rule".into(), text.clone())]);
    for alert in &mut message.alerts {
        [&mut alert.summary, &mut alert.rule].into_iter().for_each(|field| field.clone_from(&text));
        alert.labels = message.labels.clone();
    }
    let found = &mut message.evidence;
    found.findings = vec![text.clone()];
    found.hottest_edge = Some(text.clone());
    found.normal = vec![text.clone()];
    found.traces.push(text.clone());
    found.differs = vec![Difference { key: text.clone(), value: text.clone(), bad: 1.0, others: 0.0 }];
    found.last_deploy = Some(Deploy { node: String::new(), version: text, at_unix_nano: Nanos(0) });
    message
}

/// What is between `<` and `>`.
fn tags(html: &str) -> Vec<&str> {
    html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or(rest)).collect()
}

/// The same checks for whatever text: nothing of it is markup, calls somebody, hides, or makes a message too long.
fn check_hostile(hostile_text: &str) {
    let message = hostile(hostile_text);
    for kind in kinds() {
        let shown = preview(&kind, &message);
        let text = &shown.text;
        if shown.content_type == "application/json" {
            let value: Value = serde_json::from_str(text).unwrap();
            let strings = strings(&value);
            if kind.name() != "webhook" {
                let seen = |letter: &char| !letter.is_control() || *letter == '\n';
                let clean = strings.iter().all(|text| {
                    text.chars().all(|letter| seen(&letter) && !"\u{202e}\u{2066}\u{200b}\u{feff}".contains(letter))
                });
                assert!(clean, "{}: {text}", kind.name());
            }
        } else {
            assert!(!text.contains(['\u{1b}', '\u{202e}', '\r', '\0']), "{text}");
        }
        match kind.name() {
            "slack" => check_slack(&serde_json::from_str(text).unwrap()),
            "telegram" => {
                check_telegram(text, telegram::TEXT);
                check_telegram(&telegram::text(&Case::of(&message), 1_024), 1_024);
            }
            "teams" => {
                let body: Value = serde_json::from_str(text).unwrap();
                // In text blocks there is markup.
                assert!(body.to_string().len() <= 28_000 && !strings(&body).contains(&"TextBlock"));
            }
            "webhook" => assert!(text.len() < 2 << 20, "{}", text.len()),
            "email" => check_page(text),
            "ntfy" => assert!(serde_json::from_str::<Value>(text).unwrap()["message"].as_str().unwrap().len() <= 4_000),
            "opsgenie" => assert!(
                serde_json::from_str::<Value>(text).unwrap()["message"].as_str().unwrap().chars().count() <= 130
            ),
            "pagerduty" => assert!(text.len() < 512_000),
            _ => assert!(text.len() < 100_000),
        }
    }
    check_mail(&message);
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(all) => all.iter().flat_map(strings).collect(),
        Value::Object(all) => {
            all.iter().flat_map(|(name, value)| [vec![name.as_str()], strings(value)].concat()).collect()
        }
        _ => Vec::new(),
    }
}

fn check_slack(body: &Value) {
    let blocks = body["blocks"].as_array().unwrap();
    assert!(blocks[0]["text"]["text"].as_str().unwrap().chars().count() <= 150);
    assert!(body["text"].as_str().unwrap().chars().count() <= 1_600);
    for block in &blocks[1..] {
        let text = block["text"]["text"].as_str().unwrap();
        assert!(text.encode_utf16().count() <= 3_000 && !text.is_empty());
        for tag in tags(text) {
            assert!(tag.starts_with("https://orrery.example/") && tag.matches('|').count() == 1, "{tag} in {text}");
        }
        let without = |text: &str| !text.contains("@everyone") && !text.contains("@here");
        assert!(without(text), "{text}");
    }
}

fn check_telegram(text: &str, most: usize) {
    let mut open = Vec::new();
    let mut plain = text.to_owned();
    for tag in tags(text) {
        match tag {
            "b" | "code" => open.push(tag),
            "/b" | "/code" => assert_eq!(open.pop(), Some(&tag[1..]), "{text}"),
            "/a" => assert_eq!(open.pop(), Some("a"), "{text}"),
            tag => {
                assert!(
                    tag.starts_with("a href=\"https://orrery.example/") && tag.matches('"').count() == 2,
                    "{tag} in {text}"
                );
                open.push("a");
            }
        }
        plain = plain.replacen(&format!("<{tag}>"), "", 1);
    }
    assert!(open.is_empty() && !plain.contains(['<', '>']), "{text}");
    let plain =
        ["&lt;", "&gt;", "&quot;", "&#39;", "&amp;"].into_iter().fold(plain, |plain, one| plain.replace(one, "x"));
    assert!(plain.encode_utf16().count() <= most, "{}", plain.encode_utf16().count());
    assert!(plain.contains("Open in Orrery") && !plain.contains("@everyone"));
}

fn check_page(page: &str) {
    const OURS: [&str; 16] = [
        "!doctype", "html", "head", "meta", "title", "body", "div", "h1", "table", "tr", "td", "code", "a", "p", "br",
        "img",
    ];
    for tag in tags(page) {
        let name = tag.trim_start_matches('/').split(' ').next().unwrap();
        assert!(OURS.contains(&name), "{tag}");
        assert!(!tag.contains("onerror") && !tag.contains("javascript:"), "{tag}");
    }
    assert!(page.len() < 60_000, "{}", page.len());
}

fn check_mail(message: &Message) {
    let ChannelKind::Email { from, to, .. } = email() else { panic!() };
    let mail = String::from_utf8(email::mail(&from, &to, &Case::of(message), None).unwrap().formatted()).unwrap();
    let head = mail.split("\r\n\r\n").next().unwrap();
    let names: Vec<&str> = head
        .split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| line.split(':').next().unwrap())
        .collect();
    let expected = [
        "Subject",
        "Date",
        "Message-ID",
        "In-Reply-To",
        "References",
        "From",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "Importance",
        "X-Priority",
        "To",
        "MIME-Version",
        "Content-Type",
    ];
    assert_eq!(names, expected, "{head}");
    assert!(
        mail.lines().all(|line| line.len() <= 998) && !mail.replace("\r\n", "").contains(['\r', '\n', '\0', '\u{1b}'])
    );
}

#[test]
fn hostile_texts_are_only_texts() {
    let texts = [
        "@everyone <!channel> <!here> <@U123> <https://evil.example|click> *bold* _it_ ~no~ `code` ```pre``` & &amp; &lt;",
        "[click](https://evil.example) ![x](https://evil.example/p.png) <at>everyone</at> **b** __i__ # title",
        "<script>alert(1)</script><img src=x onerror=alert(1)> \"'><a href=javascript:alert(1)>",
        "\u{1b}[31mred\u{1b}]0;title\u{7} \u{9b}1m \u{0} \u{8} \u{202e}gnp.exe \u{2066}x\u{2069} \u{200b}\u{feff}",
        "x\r\nBcc: victim@example.com\r\n\r\nbody\r\n.\r\nMAIL FROM:<x>",
        "--orrery-boundary--\r\ncontent-disposition: form-data; name=\"chat_id\"\r\n\r\n1",
        "결제 서비스 오류 👩‍👩‍👧‍👦 عربى",
        "https://evil.example/ www.evil.example evil@evil.example",
        "",
    ];
    texts.into_iter().for_each(check_hostile);
    check_hostile(&"<!channel>@everyone*".repeat(52_429));
    check_hostile(&"\u{202e}\u{1b}[0m&".repeat(100_000));
}

/// Text with much of what means something to some channel.
fn any_hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("@everyone ".to_owned()),
        Just("<!channel>".to_owned()),
        Just("<a href=\"x\">".to_owned()),
        Just("&".to_owned()),
        Just("\r\nBcc: x\r\n".to_owned()),
        Just("\u{1b}[1m".to_owned()),
        Just("\u{202e}".to_owned()),
        Just("*_~`".to_owned()),
        Just("|>".to_owned()),
        Just("\"'".to_owned()),
        any::<String>(),
        "[a-z ]{0,300}",
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_text_is_only_text(text in any_hostile()) {
        check_hostile(&text);
    }

    #[test]
    fn any_state_of_a_message_can_be_told(
        status in "firing|resolved|no_data|error|[a-z]{0,9}",
        values in proptest::collection::vec(any::<Option<f64>>(), 0..90),
        numbers in any::<(Option<f64>, Option<f64>, i64, i64, Option<i64>, f64, u32)>(),
        alerts in 0_usize..4,
    ) {
        let mut message = failing();
        let (value, threshold, at, since, began, coverage, more) = numbers;
        let alert = Alert {
            value, threshold, coverage,
            since_unix_nano: Nanos(since),
            began_unix_nano: began.map(Nanos),
            ..message.alerts[0].clone()
        };
        message.alerts = vec![alert; alerts];
        (message.status, message.recent, message.at_unix_nano, message.more) = (status, values, Nanos(at), more);
        for kind in kinds() {
            prop_assert!(!preview(&kind, &message).text.is_empty());
        }
        let ChannelKind::Email { from, to, .. } = email() else { panic!() };
        prop_assert!(email::mail(&from, &to, &Case::of(&message), None).is_ok());
    }
}

#[test]
fn a_message_of_a_thousand_alerts_is_bounded() {
    let mut message = hostile(&"x".repeat(5_000));
    message.alerts = vec![message.alerts[0].clone(); 1_000];
    for (i, alert) in message.alerts.iter_mut().enumerate() {
        alert.labels.extend((0..100).map(|k| (format!("l{i}-{k}"), "y".repeat(2_000))));
    }
    let body = webhook::body(&message, None);
    assert!(body.to_string().len() <= 1 << 20);
    let listed = body["alerts"].as_array().unwrap().len() as u64;
    assert_eq!(listed + body["more"].as_u64().unwrap(), 1_000);
    assert!(listed > 0);
}
