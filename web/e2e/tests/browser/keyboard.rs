//! An incident without a mouse: overview → bad service → box on the heatmap → trace → span → log.

use crate::axe;
use crate::pages::shots;
use crate::product::Product;
use crate::tab::Tab;
use anyhow::{Result, ensure};
use chromiumoxide::browser::Browser;

/// JavaScript: what has the focus.
const FOCUSED: &str = "document.activeElement";

pub(crate) async fn an_incident_by_keyboard(browser: &Browser, product: &Product) -> Result<()> {
    product.inject("errors", "orders", 120).await?;
    until_wrong(product, "orders").await?;
    let tab = Tab::open(browser, 1440, 900).await?;
    tab.goto(&format!("{}/?theme=dark&lang=en&range=5m", product.dashboard)).await?;
    tab.wait_for("document.querySelector('.wrong-row')").await?;

    // What there is to press.
    tab.key("?").await?;
    tab.wait_for("document.querySelector('dialog.shortcuts[open]')?.innerText.includes('Ctrl K')").await?;
    let listed: String = tab.eval("document.querySelector('dialog.shortcuts').innerText").await?;
    for words in ["Ctrl K", "g t", "Service map", "Waterfall", "Move the box"] {
        ensure!(listed.contains(words), "{words} is not listed: {listed}");
    }
    tab.screenshot(&shots().join("keys-1-list.png")).await?;
    let violations = axe::violations(&tab).await?;
    ensure!(violations.is_empty(), "{violations:?}");
    tab.key("Escape").await?;
    tab.wait_for("!document.querySelector('dialog.shortcuts[open]')").await?;

    // The bad service: first in the list of what is wrong.
    tab.tab_until(".wrong-row").await?;
    tab.key("Enter").await?;
    tab.wait_for("document.querySelector('.drawer .found')").await?;
    tab.wait_for(&format!("{FOCUSED}.closest('.drawer')")).await?;
    tab.screenshot(&shots().join("keys-2-service.png")).await?;
    tab.key("Escape").await?;
    tab.wait_for(&format!("!document.querySelector('.drawer') && {FOCUSED}.matches('.wrong-row')")).await?;

    // Its spans, and a box around some of them.
    tab.key("g").await?;
    tab.key("t").await?;
    tab.wait_for("location.pathname === '/traces'").await?;
    tab.settled().await?;
    tab.wait_for("document.querySelector('.heat')").await?;
    tab.tab_until(".heat").await?;
    tab.key("ArrowLeft").await?;
    tab.wait_for("document.querySelector('.heat [role=status]').innerText.includes('–')").await?;
    for key in ["Shift+ArrowUp"; 9].into_iter().chain(["Shift+ArrowLeft"; 12]) {
        tab.key(key).await?;
    }
    tab.screenshot(&shots().join("keys-3-box.png")).await?;
    tab.key("Enter").await?;
    tab.wait_for("location.search.includes('compare')").await?;
    tab.settled().await?;
    tab.wait_for("document.querySelector('.compare-value:not([disabled])')").await?;
    tab.screenshot(&shots().join("keys-4-compared.png")).await?;

    // A value of what differs, a trace that has it.
    tab.tab_until(".compare-value:not([disabled])").await?;
    tab.key("Enter").await?;
    tab.wait_for("!location.search.includes('compare')").await?;
    tab.settled().await?;
    tab.wait_for("document.querySelector('.table-found a[href^=\"/traces/\"]')").await?;
    tab.tab_until(".table-found a[href^='/traces/']").await?;
    tab.key("Enter").await?;
    tab.wait_for("location.pathname.startsWith('/traces/')").await?;
    tab.settled().await?;

    // A span of it, and what was logged in it.
    tab.tab_until(".wf").await?;
    tab.key("j").await?;
    tab.wait_for("new URLSearchParams(location.search).get('span')").await?;
    tab.key("j").await?;
    tab.wait_for("document.querySelector('.drawer')").await?;
    tab.screenshot(&shots().join("keys-5-span.png")).await?;
    // What was logged in it: shown beside it; and the record by itself.
    let link = ".drawer a[href^='/logs']";
    for _ in 0..40 {
        if tab.eval::<bool>(&format!("!!document.querySelector({link:?})")).await? {
            break;
        }
        tab.tab_until(".wf").await?;
        tab.key("j").await?;
        tab.settled().await?;
    }
    tab.tab_until(link).await?;
    tab.key("Enter").await?;
    tab.wait_for("location.pathname === '/logs' && document.querySelector('.line-row')").await?;
    tab.settled().await?;
    tab.tab_until(".line-row").await?;
    tab.key("Enter").await?;
    tab.wait_for("document.querySelector('.line-details')").await?;
    tab.screenshot(&shots().join("keys-6-log.png")).await?;
    ensure!(tab.complaints().is_empty(), "{:?}", tab.complaints());
    tab.close().await
}

async fn until_wrong(product: &Product, name: &str) -> Result<()> {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
    loop {
        let list = product.get("/api/v1/findings?from=now-5m").await?;
        let is_it = |found: &serde_json::Value| found["node"].as_str().is_some_and(|node| node.contains(name));
        if list["findings"].as_array().into_iter().flatten().any(is_it) {
            return Ok(());
        }
        ensure!(std::time::Instant::now() < deadline, "{name} is not found wrong: {list:#}");
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
}
