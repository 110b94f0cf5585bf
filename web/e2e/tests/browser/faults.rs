//! Somebody who has never seen Orrery: from the overview to what was broken in the shop, with the mouse, on what can be
//! seen, in at most five clicks. What was broken is taken from the shop, what is found from the page alone.

use crate::dress;
use crate::pages::shots;
use crate::product::{Product, Shop};
use crate::tab::Tab;
use anyhow::{Context, Result, bail, ensure};
use chromiumoxide::browser::Browser;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Clicks a person may need.
const MOST_CLICKS: usize = 5;
/// Lines of the list that are read at once.
const GLANCE: usize = 3;
/// How long a fault may take to show, and the shop to have shown what is usual.
const PATIENCE: Duration = Duration::from_secs(180);
/// Calls per edge that make it known what is usual; those of the beginning, when everything is slow, are not all.
const USUAL_CALLS: f64 = 30.0;
const USUAL: &str = "/api/v1/topology?from=now-5m&to=now-40s";

/// What a person must be able to read where the clicks end, besides who it was done to.
struct Fault {
    kind: &'static str,
    /// The rule that people are told by.
    rule: &'static str,
    /// In the API: how it is found.
    finding: &'static str,
    /// Words of the sentence.
    says: &'static [&'static str],
    /// The link that shows it, and what must be on the page behind.
    way: &'static str,
    shows: &'static [&'static str],
}

/// In an order in which none disturbs the next.
const FAULTS: [Fault; 9] = [
    Fault {
        kind: "latency",
        rule: "Slower than usual",
        finding: "slow",
        says: &["is slow by itself"],
        way: "Slow traces",
        shows: &["span:duration >="],
    },
    Fault {
        kind: "errors",
        rule: "Requests fail",
        finding: "errors",
        says: &["fails by itself", "DeadlockError"],
        way: "Open example",
        shows: &["DeadlockError"],
    },
    Fault {
        kind: "slow-database",
        rule: "Database slower than usual",
        finding: "slow_calls",
        says: &["Database", "is slow for", "Operation"],
        way: "Slow traces",
        shows: &["span:duration >="],
    },
    Fault {
        kind: "expired-tokens",
        rule: "Tokens are refused",
        finding: "rejected",
        says: &["rejects credentials issued by", "token_expired"],
        way: "Open example",
        shows: &["401"],
    },
    Fault {
        kind: "network-delay",
        rule: "Network slower than usual",
        finding: "network",
        says: &["The network between"],
        way: "Slow traces",
        shows: &[],
    },
    Fault {
        kind: "crash-restart",
        rule: "Calls get no answer",
        finding: "unreachable",
        says: &["cannot be reached", "connection_refused"],
        way: "Open example",
        shows: &["connection_refused"],
    },
    Fault {
        kind: "bus-backlog",
        rule: "Messages wait",
        finding: "lag",
        says: &["falls behind on", "messages wait"],
        way: "Page",
        shows: &[],
    },
    Fault {
        kind: "bad-deploy",
        rule: "Requests fail",
        finding: "errors",
        says: &["fails by itself", "IndexOutOfBounds", "Version"],
        way: "Open example",
        shows: &["IndexOutOfBounds"],
    },
    Fault {
        kind: "rate-limit-burst",
        rule: "Rate limit reached",
        finding: "rate_limited",
        says: &["limits the rate of", "429"],
        way: "Failed traces",
        shows: &["span:status = error"],
    },
];

pub(crate) async fn are_found_from_the_overview(browser: &Browser) -> Result<()> {
    let product = Product::serve()?;
    let shop = Shop::open(&product, &["--token-ttl", "20"])?;
    until_usual_is_known(&product).await?;
    if std::env::var_os("ORRERY_SLOW_TESTS").is_some() {
        until_rules_know_it(&product).await?;
    }
    let tab = Tab::open(browser, 1440, 900).await?;
    tab.goto(&format!("{}/?theme=dark&lang=en&range=2m", product.dashboard)).await?;
    tab.wait_for("document.querySelector('.wrong-none, .wrong-row')").await?;
    tab.screenshot(&shots().join("wrong-nothing.png")).await?;
    for fault in &FAULTS {
        found(&tab, &product, &shop, fault).await.with_context(|| fault.kind.to_owned())?;
    }
    in_every_dress(browser, &product).await?;
    tab.close().await
}

/// Waits until the shop has worked long enough for its rarest calls to be known.
async fn until_usual_is_known(product: &Product) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let map = product.get(USUAL).await.unwrap_or_default();
        let calls = |caller: &str, callee: &str| {
            let edges = map["edges"].as_array().into_iter().flatten();
            let ends = |edge: &&Value| {
                edge["caller"].as_str().unwrap_or_default().contains(caller)
                    && edge["callee"].as_str().unwrap_or_default().contains(callee)
            };
            edges.filter(ends).filter_map(|edge| edge["red"]["count"].as_f64()).sum::<f64>()
        };
        let rare = [calls("orders", "payments"), calls("queue:", "notifications"), calls("gateway", "auth")];
        if rare.iter().all(|calls| *calls >= USUAL_CALLS) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    bail!("the shop is not busy enough within {PATIENCE:?}")
}

/// Rules take what is usual from before what may be unusual already: window, `for`, and some moments.
async fn until_rules_know_it(product: &Product) -> Result<()> {
    let deadline = Instant::now() + PATIENCE * 2;
    while Instant::now() < deadline {
        let old = product.get("/api/v1/services?from=now-10m&to=now-160s").await.unwrap_or_default();
        if old["services"].to_string().contains("catalog") {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    bail!("there is no telemetry of 160 s ago")
}

async fn found(tab: &Tab, product: &Product, shop: &Shop, fault: &Fault) -> Result<()> {
    let began = Instant::now();
    shop.inject(fault.kind).await?;
    let truth = shop.active().await?;
    let target = truth["target"].as_str().context("a target")?.to_owned();
    ensure!(truth["kind"] == fault.kind, "the shop says {truth}");
    until_found(product, fault, &target).await?;
    let seen_after = began.elapsed();
    if std::env::var_os("ORRERY_SLOW_TESTS").is_some() {
        until_told(product, fault, began).await?;
    }

    // A fresh look, as whoever is called at night has.
    tab.goto(&format!("{}/?theme=dark&lang=en&range=2m", product.dashboard)).await?;
    tab.wait_for("document.querySelector('.wrong-row:not(.is-over)')").await?;
    tab.screenshot(&shots().join(format!("fault-{}-1-overview.png", fault.kind))).await?;
    let mut clicks = 0;
    let mut rows = Vec::new();
    loop {
        // From the top, as lists are read.
        clicks += 1;
        ensure!(clicks < MOST_CLICKS, "{target} is not among the first: {rows:#?}");
        let row = format!(".wrong-list > li:nth-child({clicks}) .wrong-row");
        rows.push(tab.eval::<String>(&format!("document.querySelector({row:?})?.innerText ?? ''")).await?);
        tab.click_visible(&row).await?;
        tab.wait_for("document.querySelector('.drawer .found')").await?;
        tab.settled().await?;
        let told: String = tab.eval("document.querySelector('.drawer .found').innerText").await?;
        if told.contains(&target) && fault.says.iter().all(|words| told.contains(words)) {
            // What else the shop says of it, such as a version, is told as well.
            let description = truth["description"].as_str().unwrap_or_default();
            let version = description.split_whitespace().find(|word| word.matches('.').count() == 2);
            let version = version.map(|word| word.trim_end_matches(',')).unwrap_or_default();
            ensure!(told.contains(version), "{version} is not named: {told}");
            crate::say!(
                "{}: seen after {:.0} s; {}",
                fault.kind,
                seen_after.as_secs_f64(),
                told.lines().next().unwrap_or_default()
            );
            break;
        }
    }
    tab.screenshot(&shots().join(format!("fault-{}-2-found.png", fault.kind))).await?;

    // And further, to what proves it.
    clicks += 1;
    tab.click_words(".drawer .found .actions", fault.way).await?;
    tab.wait_for("location.pathname !== '/'").await?;
    tab.settled().await?;
    for words in fault.shows.iter().copied().chain((fault.way == "Page").then_some(&*target)) {
        tab.wait_for(&format!("(document.querySelector('main').innerText + [...document.querySelectorAll('main textarea, main input')].map((field) => field.value).join(' ')).includes({words:?})")).await?;
    }
    tab.screenshot(&shots().join(format!("fault-{}-3-proof.png", fault.kind))).await?;
    ensure!(clicks <= MOST_CLICKS, "{clicks} clicks");
    ensure!(tab.complaints().is_empty(), "{:?}", tab.complaints());
    crate::say!("{}: {clicks} clicks", fault.kind);
    shop.heal().await
}

async fn until_found(product: &Product, fault: &Fault, target: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut last = Value::Null;
    while Instant::now() < deadline {
        last = product.get("/api/v1/findings?from=now-2m").await?;
        let is_it = |found: &&Value| {
            let names = |field: &str| found[field].to_string().contains(target);
            found["kind"] == fault.finding
                && found["until_unix_nano"].is_null()
                && (names("node") || names("callers") || names("issuer"))
        };
        // Where it is read at a glance: what was healed a moment ago may still be above.
        if last["findings"].as_array().into_iter().flatten().take(GLANCE).any(|found| is_it(&found)) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    bail!("{} of {target} is not found within {PATIENCE:?}: {last:#}", fault.kind)
}

/// The right rule fires within a minute, and nothing explains it away. Only with `ORRERY_SLOW_TESTS`: nine minutes.
async fn until_told(product: &Product, fault: &Fault, began: Instant) -> Result<()> {
    let mut last = Value::Null;
    while began.elapsed() < Duration::from_secs(60) {
        last = product.get("/api/v1/alerting/alerts").await?;
        let is_it = |alert: &&Value| {
            // There is no channel here: that alone keeps people from being told.
            let is_told = alert["muted"].is_null() || alert["muted"]["by"] == "no_route";
            alert["rule"] == fault.rule && alert["state"] == "firing" && is_told
        };
        if last["alerts"].as_array().into_iter().flatten().any(|alert| is_it(&alert)) {
            crate::say!("{}: “{}” fires after {:.0} s", fault.kind, fault.rule, began.elapsed().as_secs_f64());
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    bail!("“{}” does not fire within a minute: {last:#}", fault.rule)
}

/// What was found is still there, over; in both themes, both languages, both sizes.
async fn in_every_dress(browser: &Browser, product: &Product) -> Result<()> {
    let list = product.get("/api/v1/findings?from=now-15m").await?;
    let all = list["findings"].as_array().context("findings")?;
    let errors = all.iter().find(|found| found["kind"] == "errors").context("errors were found")?;
    let (id, node) = (errors["id"].as_str().context("an id")?, errors["node"].as_str().context("a node")?);
    let page = format!("/services/{}", node.replace('/', "%2F").replace('@', "%40"));
    let places = [("overview", "/".to_owned()), ("chosen", format!("/?sel=node:{node}&why={id}")), ("service", page)];
    let states = places.map(|(name, path)| (format!("wrong-{name}"), path));
    dress::looked_at(browser, product, &dress::TWO, &states, async |tab, _| {
        tab.wait_for("document.querySelector('.wrong-row, .cell-error')").await
    })
    .await
}
