//! Somebody who has never seen Orrery: from the overview to what was broken in the shop, with the mouse, on what can be
//! seen, in at most five clicks. What was broken is taken from the shop, what is found from the page alone.
//!
//! And somebody who is asleep: told of it by the right rule, once, soon, with what is known; and that it is over.

use crate::dress;
use crate::pages::shots;
use crate::phones::Phones;
use crate::product::{Product, Shop};
use crate::tab::Tab;
use crate::told;
use anyhow::{Context, Result, bail, ensure};
use chromiumoxide::browser::Browser;
use serde_json::Value;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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
pub(crate) struct Fault {
    pub(crate) kind: &'static str,
    /// The rule that people are told by.
    pub(crate) rule: &'static str,
    /// What its message has besides a picture, examples and where it begins.
    pub(crate) evidence: &'static [&'static str],
    /// Rules that may be told beside it, and why that is no noise.
    pub(crate) beside: &'static [(&'static str, &'static str)],
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
        // Every request is as slow: nothing sets the slow ones apart.
        evidence: &["hottest_edge", "normal"],
        beside: &[],
        finding: "slow",
        says: &["is slow by itself"],
        way: "Slow traces",
        shows: &["span:duration >="],
    },
    Fault {
        kind: "errors",
        rule: "Requests fail",
        evidence: &["hottest_edge", "differs", "normal"],
        beside: &[],
        finding: "errors",
        says: &["fails by itself", "DeadlockError"],
        way: "Open example",
        shows: &["DeadlockError"],
    },
    Fault {
        kind: "slow-database",
        rule: "Database slower than usual",
        evidence: &["hottest_edge", "differs"],
        beside: &[],
        finding: "slow_calls",
        says: &["Database", "is slow for", "Operation"],
        way: "Slow traces",
        shows: &["span:duration >="],
    },
    Fault {
        kind: "expired-tokens",
        rule: "Tokens are refused",
        evidence: &["hottest_edge", "differs"],
        beside: &[("Service silent", "who is refused asks for nothing any more")],
        finding: "rejected",
        says: &["rejects credentials issued by", "token_expired"],
        way: "Open example",
        shows: &["401"],
    },
    Fault {
        kind: "network-delay",
        rule: "Network slower than usual",
        evidence: &["hottest_edge", "differs", "normal"],
        beside: &[],
        finding: "network",
        says: &["The network between"],
        way: "Slow traces",
        shows: &[],
    },
    Fault {
        kind: "crash-restart",
        rule: "Calls get no answer",
        evidence: &["hottest_edge"],
        beside: &[("Service silent", "it is down for longer than it may be silent")],
        finding: "unreachable",
        says: &["cannot be reached", "connection_refused"],
        way: "Open example",
        shows: &["connection_refused"],
    },
    Fault {
        kind: "bus-backlog",
        // That messages wait is what comes of it.
        rule: "Slower than usual",
        evidence: &["normal"],
        beside: &[],
        finding: "lag",
        says: &["falls behind on", "messages wait"],
        way: "Page",
        shows: &[],
    },
    Fault {
        kind: "bad-deploy",
        rule: "Requests fail",
        evidence: &["hottest_edge", "differs", "last_deploy"],
        beside: &[],
        finding: "errors",
        says: &["fails by itself", "IndexOutOfBounds", "Version"],
        way: "Open example",
        shows: &["IndexOutOfBounds"],
    },
    Fault {
        kind: "rate-limit-burst",
        rule: "Rate limit reached",
        evidence: &["hottest_edge", "differs"],
        beside: &[],
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

/// Every fault by itself, on a shop that has worked for long enough for all rules to know what is usual.
pub(crate) async fn are_told(browser: &Browser) -> Result<()> {
    let began = now();
    let product = Product::serve_with(&PRIVATE)?;
    let shop = Shop::open(&product, &["--token-ttl", "20"])?;
    let phones = Phones::of(&product).await?;
    until_usual_is_known(&product).await?;
    until_rules_know_it(&product).await?;
    let said: Vec<Value> = phones.messages().into_iter().map(|message| message["title"].clone()).collect();
    ensure!(said.is_empty(), "told of a shop that is well: {said:#?}");
    let tab = Tab::open(browser, 1440, 900).await?;
    // One that is not told as it should be keeps nobody from looking at the others.
    let mut wrong = Vec::new();
    for fault in FAULTS.iter().filter(|fault| is_wanted(fault)) {
        let walk = async {
            let case = told::is_told(&tab, &product, &shop, &phones, fault).await?;
            told::is_over(&tab, &product, &shop, &phones, (fault, case)).await
        };
        if let Err(error) = walk.await {
            crate::say!("{}: {error:?}", fault.kind);
            wrong.push(format!("{}: {error:?}", fault.kind));
            shop.heal().await?;
            told::until_quiet(&product).await?;
        }
    }
    if let Err(error) = told::replays_the_same(&product, began, now()).await {
        wrong.push(format!("replay: {error:?}"));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    tab.close().await
}

/// All faults, or those that `ORRERY_FAULTS` names, with commas between.
fn is_wanted(fault: &Fault) -> bool {
    std::env::var("ORRERY_FAULTS").map_or(true, |names| names.split(',').any(|name| name == fault.kind))
}

/// Phones are on this machine.
const PRIVATE: [&str; 2] = ["--notify-private-host", "127.0.0.1"];

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64)
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
