//! What people are told of a fault: that it is there, soon, once, by whom it concerns, with the case; and that it is over.

use crate::dress;
use crate::faults::Fault;
use crate::phones::{Entity, Phones};
use crate::product::{Product, Shop};
use crate::tab::Tab;
use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Who is not told by then might as well have looked.
const SOON: Duration = Duration::from_secs(60);
/// After so long it is not told at all.
const TOO_LATE: Duration = Duration::from_secs(150);
/// From healing to the message that says so: what is in the window, for how long it keeps firing, the pause of its group.
const OVER: Duration = Duration::from_secs(240);
const SECOND: i64 = 1_000_000_000;
/// After so long every moment is judged, whether all data has come or not.
const SETTLED: i64 = 30 * SECOND;
/// What is judged from data that came later is put right by then.
const PUT_RIGHT: Duration = Duration::from_secs(90);

/// A fault that people know of.
pub(crate) struct Case {
    target: String,
    /// Which alert, and in which group it was told.
    alert: String,
    group: String,
    /// Messages before it.
    before: usize,
    told_after: Duration,
    /// What was not as it should be.
    wrong: Vec<String>,
}

/// Breaks something and waits until both phones ring for it.
pub(crate) async fn is_told(tab: &Tab, product: &Product, shop: &Shop, phones: &Phones, fault: &Fault) -> Result<Case> {
    let (before, began) = (phones.messages().len(), Instant::now());
    shop.inject(fault.kind).await?;
    let target = shop.active().await?["target"].as_str().context("a target")?.to_owned();
    let (message, mail) = loop {
        let found = phones.messages().into_iter().skip(before).find(|message| is_about(message, fault, &target));
        if let Some(message) = found
            && let Some(mail) = phones.mail(&message)
        {
            break (message, mail);
        }
        if began.elapsed() > TOO_LATE {
            let said: Vec<Value> = phones.messages().drain(before..).map(|message| message["title"].clone()).collect();
            let alerts = product.get("/api/v1/alerting/alerts").await?;
            bail!("“{}” is not told of {target} within {TOO_LATE:?}, but {said:?}: {alerts:#}", fault.rule);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let told_after = began.elapsed();
    let text = |of: &Value| of.as_str().map(str::to_owned).context("a text");
    let alert = text(&message["alerts"][0]["id"])?;
    let mut wrong = lacks(product, fault, &message, &target).await?;
    if told_after > SOON {
        wrong.push(format!("told after {told_after:?}"));
    }
    let looks = [
        says_the_same(&mail, &message),
        is_shown(tab, product, fault, &alert).await,
        nobody_is_left_out(product, phones).await,
    ];
    wrong.extend(looks.into_iter().filter_map(Result::err).map(|error| format!("{error:#}")));
    Ok(Case { target, alert, group: text(&message["group"])?, before, told_after, wrong })
}

/// By the right rule, and of the right one.
fn is_about(message: &Value, fault: &Fault, target: &str) -> bool {
    let alert = &message["alerts"][0];
    let names = |what: &Value| what.to_string().contains(target);
    message["status"] == "firing"
        && alert["rule"] == fault.rule
        && (names(&alert["node"]) || names(&alert["caller"]) || names(&message["evidence"]["findings"]))
}

/// What a message has not of: a picture, examples that exist, where it begins, what is otherwise.
async fn lacks(product: &Product, fault: &Fault, message: &Value, target: &str) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let mut check = |is_right: bool, what: String| {
        if !is_right {
            wrong.push(what);
        }
    };
    let picture = message["chart_png"].as_str().unwrap_or_default();
    let picture = base64::engine::general_purpose::STANDARD.decode(picture)?;
    check(picture.starts_with(b"\x89PNG") && picture.len() > 2_000, format!("a picture of {} bytes", picture.len()));
    let evidence = &message["evidence"];
    let traces = evidence["traces"].as_array().map_or(&[][..], Vec::as_slice);
    check(traces.len() == 2, format!("{} examples", traces.len()));
    for trace in traces {
        let found = product.get(&format!("/api/v1/traces/{}", trace.as_str().unwrap_or_default())).await?;
        let is_there = found["spans"].as_array().is_some_and(|spans| !spans.is_empty());
        check(is_there, format!("an example that is none: {trace}"));
    }
    let findings = &evidence["findings"];
    check(findings.to_string().contains(target), format!("{target} is not said to be where it begins: {findings:#}"));
    for part in fault.evidence {
        check(evidence.get(part).is_some_and(|found| *found != json!([])), format!("nothing about {part}"));
    }
    let link = message["url"].as_str().unwrap_or_default();
    check(link.starts_with(&product.dashboard) && link.contains("/alerts"), format!("the link leads to {link}"));
    if !wrong.is_empty() {
        wrong.push(format!("{evidence:#}"));
    }
    Ok(wrong)
}

/// Text, a page, and the picture in it.
fn says_the_same(mail: &Entity, message: &Value) -> Result<()> {
    let [plain, related] = &mail.parts[..] else { bail!("a mail of {} parts", mail.parts.len()) };
    let [page, picture] = &related.parts[..] else { bail!("a page of {} parts", related.parts.len()) };
    let types = [plain, page, picture].map(Entity::type_);
    ensure!(types == ["text/plain", "text/html", "image/png"], "{types:?}");
    let id = picture.headers["content-id"].trim_matches(['<', '>']).to_owned();
    ensure!(page.text().contains(&format!("cid:{id}")), "the picture is not on the page");
    let sent = message["chart_png"].as_str().unwrap_or_default();
    let sent = base64::engine::general_purpose::STANDARD.decode(sent)?;
    ensure!(picture.body.starts_with(b"\x89PNG") && picture.body.len().abs_diff(sent.len()) < sent.len() / 2);
    let title = message["title"].as_str().context("a title")?;
    let trace = message["evidence"]["traces"][0].as_str().context("an example")?;
    ensure!(plain.text().contains(title), "{title} is not in {}", plain.text());
    for text in [plain.text(), page.text()] {
        ensure!(text.contains(trace.get(..8).unwrap_or(trace)), "no example in {text}");
    }
    Ok(())
}

/// The page of the alert: it fires, its evidence, who was told.
async fn is_shown(tab: &Tab, product: &Product, fault: &Fault, alert: &str) -> Result<()> {
    tab.goto(&format!("{}/alerts/{alert}?theme=dark&lang=en&range=15m", product.dashboard)).await?;
    tab.wait_for("document.querySelector('.alert-head .badge')?.innerText.startsWith('firing')").await?;
    tab.wait_for("document.querySelector('main .evidence h3') && document.querySelector('main .chart-root')").await?;
    tab.wait_for("document.querySelectorAll('.delivery-line .badge-ok').length >= 2").await?;
    let problems = dress::problems(tab, &format!("told-{}-1-firing", fault.kind)).await?;
    ensure!(problems.is_empty(), "{problems:?}");
    Ok(())
}

/// Whoever fires and was not told about is explained by who was.
async fn nobody_is_left_out(product: &Product, phones: &Phones) -> Result<()> {
    let told: BTreeSet<String> = alerts_of(&phones.messages()).map(|alert| alert["id"].to_string()).collect();
    let list = product.get("/api/v1/alerting/alerts").await?;
    let firing = list["alerts"].as_array().context("alerts")?.iter().filter(|alert| alert["state"] == "firing");
    for alert in firing.filter(|alert| !told.contains(&alert["id"].to_string())) {
        let by = alert["muted"]["by"].as_str().unwrap_or("nothing");
        // What has just begun to fire waits a moment for others.
        let is_explained = matches!(by, "callee" | "caller" | "inhibited") || alert["muted"].is_null();
        ensure!(is_explained, "muted by {by}: {alert:#}");
    }
    Ok(())
}

fn alerts_of(messages: &[Value]) -> impl Iterator<Item = &Value> {
    messages.iter().flat_map(|message| message["alerts"].as_array().into_iter().flatten())
}

fn severity(alert: &Value) -> u8 {
    match alert["severity"].as_str() {
        Some("critical") => 2,
        Some("warning") => 1,
        _ => 0,
    }
}

/// Heals it and waits until both phones say that it is over. They spoke of nothing else, and never of the same twice.
pub(crate) async fn is_over(
    tab: &Tab,
    product: &Product,
    shop: &Shop,
    phones: &Phones,
    (fault, case): (&Fault, Case),
) -> Result<()> {
    shop.heal().await?;
    let healed = Instant::now();
    let is_it = |message: &&Value| message["status"] == "resolved" && message["group"] == json!(case.group);
    loop {
        let messages = phones.messages();
        if messages.iter().find(is_it).is_some_and(|message| phones.mail(message).is_some()) {
            break;
        }
        ensure!(healed.elapsed() < OVER, "that {} is over is not told within {OVER:?}", fault.kind);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let over_after = healed.elapsed();
    tab.goto(&format!("{}/alerts/{}?theme=dark&lang=en&range=15m", product.dashboard, case.alert)).await?;
    tab.wait_for("document.querySelector('.alert-head .badge')?.innerText === 'normal'").await?;
    tab.wait_for("document.querySelector('.event-lines')?.innerText.includes('resolved')").await?;
    let problems = dress::problems(tab, &format!("told-{}-2-over", fault.kind)).await?;
    ensure!(problems.is_empty(), "{problems:?}");
    until_quiet(product).await?;
    phones.agree()?;
    let since = phones.messages().split_off(case.before);
    let (of_it, others): (Vec<Value>, Vec<Value>) =
        since.into_iter().partition(|message| message["group"] == json!(case.group));
    let titles = |all: &[Value]| all.iter().map(|message| message["title"].to_string()).collect::<Vec<_>>();
    let (over, firing) = of_it.split_last().context("a message")?;
    let is_once = over["status"] == "resolved" && firing.iter().all(|message| message["status"] == "firing");
    // Told again is only that one has become worse, or that there is another one.
    let mut wrong = case.wrong;
    let mut known: BTreeMap<String, u8> = BTreeMap::new();
    let is_news = |message: &Value| {
        let alerts = message["alerts"].as_array().into_iter().flatten();
        let news = alerts.map(|alert| (alert["id"].to_string(), severity(alert)));
        news.filter(|(id, severity)| known.insert(id.clone(), *severity) < Some(*severity)).count() > 0
    };
    if !is_once || !firing.iter().all(is_news) {
        wrong.push(format!("told {} times: {:#?}", of_it.len(), titles(&of_it)));
    }
    let is_known = |alert: &Value| fault.beside.iter().any(|(rule, _)| alert["rule"] == *rule);
    if !alerts_of(&others).all(is_known) {
        wrong.push(format!("needlessly told beside “{}”: {:#?}", fault.rule, titles(&others)));
    }
    crate::say!(
        "{} of {}: “{}” told after {:.1} s, over {:.1} s after it was healed: {:#?}; beside it {:#?}",
        fault.kind,
        case.target,
        fault.rule,
        case.told_after.as_secs_f64(),
        over_after.as_secs_f64(),
        titles(&of_it),
        titles(&others)
    );
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Waits until nothing fires or is about to, and all that was to be said is said.
pub(crate) async fn until_quiet(product: &Product) -> Result<()> {
    let deadline = Instant::now() + OVER;
    loop {
        let alerts = product.get("/api/v1/alerting/alerts").await?;
        let deliveries = product.get("/api/v1/alerting/deliveries?limit=1000").await?;
        let none = |list: &Value, wanted: fn(&Value) -> bool| {
            list.as_array().is_some_and(|all| all.iter().all(|one| !wanted(one)))
        };
        if none(&alerts["alerts"], |alert| alert["state"] != "normal")
            && none(&deliveries["deliveries"], |one| one["state"] == "waiting")
        {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "not quiet within {OVER:?}: {alerts:#}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The time machine says the same of that time as was said then, to the second, of every rule that said something.
pub(crate) async fn replays_the_same(product: &Product, from: i64, to: i64) -> Result<()> {
    let to = to - SETTLED;
    let deadline = Instant::now() + PUT_RIGHT;
    let rules = product.get("/api/v1/alerting/rules").await?;
    loop {
        let events = product.get(&format!("/api/v1/alerting/events?from={from}&to={to}")).await?;
        let all = events["events"].as_array().context("events")?;
        let names: BTreeSet<&str> = all.iter().filter_map(|event| event["rule"].as_str()).collect();
        let (mut count, mut differ) = (0, Vec::new());
        for name in names {
            let rule = rules["rules"].as_array().into_iter().flatten().find(|rule| rule["rule"]["name"] == name);
            let rule = rule.with_context(|| format!("“{name}” is a rule"))?;
            let path = format!("/api/v1/alerting/replay?from={from}&to={to}");
            let replay = product.post(&path, &json!({ "rules": [rule["rule"]], "notify": false })).await?;
            let (live, again) =
                (moments(all, name), moments(replay["drafts"][0]["events"].as_array().context("events")?, name));
            count += live.len();
            if live != again {
                let only =
                    |of: &BTreeSet<Moment>, but: &BTreeSet<Moment>| of.difference(but).cloned().collect::<Vec<_>>();
                differ.push((name.to_owned(), only(&live, &again), only(&again, &live)));
            }
        }
        if differ.is_empty() {
            crate::say!("replayed: {count} moments, the same to the second");
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "rule, only then, only in replay: {differ:#?}");
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

/// Alert, what, how bad, second.
type Moment = (String, String, String, i64);

/// What happened to alerts of a rule, with what late data put right.
fn moments(events: &[Value], rule: &str) -> BTreeSet<Moment> {
    let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let mut all = BTreeSet::new();
    for event in events.iter().filter(|event| event["rule"] == rule) {
        let at = text(event, "at_unix_nano").parse::<i64>().unwrap_or_default() / SECOND;
        match event["what"].as_str().unwrap_or_default() {
            "pending" | "firing" | "severity" | "resolved" | "calmed" | "no_data" | "error" => {
                all.insert((text(event, "alert"), text(event, "what"), text(event, "severity"), at));
            }
            "corrected" => {
                let (alert, detail) = (text(event, "alert"), text(event, "detail"));
                all.retain(|(of, what, _, when)| *of != alert || *when != at || !detail.contains(what.as_str()));
            }
            _ => {}
        }
    }
    all
}
