//! What people come for.

use crate::pages::shots;
use crate::product::Product;
use crate::tab::Tab;
use anyhow::{Result, bail, ensure};
use chromiumoxide::browser::Browser;
use std::time::{Duration, Instant};

/// Map → error → failing span, with the mouse, in at most three clicks.
pub(crate) async fn from_an_error_on_the_map_to_the_failing_span(browser: &Browser, product: &Product) -> Result<()> {
    product.inject("errors", "api-gateway", 120).await?;
    until_failing(product, "api-gateway").await?;
    let tab = Tab::open(browser, 1440, 900).await?;
    tab.goto(&format!("{}/?theme=dark&lang=en", product.dashboard)).await?;
    let (x, y) = find_on_map(&tab, "api-gateway").await?;
    tab.click_at(x, y).await?;
    tab.wait_for("document.querySelector('.error-card')").await?;
    tab.screenshot(&shots().join("journey-1-node.png")).await?;
    tab.click(".error-card").await?;
    tab.wait_for("location.pathname.startsWith('/traces/') && new URLSearchParams(location.search).get('span')")
        .await?;
    tab.settled().await?;
    tab.screenshot(&shots().join("journey-2-span.png")).await?;
    let url = tab.url().await?;
    let (trace, span) = (part(&url, "/traces/", 32), part(&url, "span=", 16));
    let told = product.get(&format!("/api/v1/traces/{trace}")).await?;
    let failing = told["spans"].as_array().into_iter().flatten().find(|found| found["span_id"] == span);
    ensure!(failing.is_some_and(|found| found["status_code"] == "error"), "{url} selects no failing span");
    ensure!(tab.complaints().is_empty(), "{:?}", tab.complaints());
    crate::say!("from an error on the map to the failing span: 2 clicks");
    tab.close().await
}

/// A link carries what is looked at; back leads back.
pub(crate) async fn state_is_in_the_url(browser: &Browser, product: &Product) -> Result<()> {
    let tab = Tab::open(browser, 1440, 900).await?;
    tab.goto(&format!("{}/traces?service=orders&status=error&lang=en", product.dashboard)).await?;
    let shown: String = tab.eval("document.querySelector('main').innerText").await?;
    ensure!(shown.contains("orders"), "the filter of the link is not shown: {shown}");
    tab.wait_for("new URLSearchParams(location.search).get('q') === '{ resource.service.name = \"orders\" && span:status = error }'")
        .await?;
    tab.click("nav a[href^='/services']").await?;
    tab.wait_for("location.pathname === '/services'").await?;
    tab.settled().await?;
    tab.eval::<bool>("(history.back(), true)").await?;
    tab.wait_for("location.pathname === '/traces' && location.search.includes('error')").await?;
    tab.settled().await?;
    ensure!(tab.complaints().is_empty(), "{:?}", tab.complaints());
    tab.close().await
}

/// Ctrl-K, a few letters, Enter: anywhere without the mouse.
pub(crate) async fn by_keyboard_alone(browser: &Browser, product: &Product) -> Result<()> {
    let tab = Tab::open(browser, 1440, 900).await?;
    tab.goto(&format!("{}/?lang=en", product.dashboard)).await?;
    let open = "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'k', ctrlKey: true, bubbles: true}))";
    tab.eval::<bool>(open).await?;
    tab.wait_for("document.activeElement instanceof HTMLInputElement").await?;
    tab.type_text("health").await?;
    tab.press("Enter").await?;
    tab.wait_for("location.pathname === '/health'").await?;
    tab.settled().await?;
    ensure!(tab.complaints().is_empty(), "{:?}", tab.complaints());
    tab.close().await
}

/// Whoever looks at a chart that ends is told why.
pub(crate) async fn a_full_disk_is_said_on_every_page(browser: &Browser) -> Result<()> {
    let product = Product::on_a_full_disk()?;
    for (path, language, width) in [("/", "en", 1440), ("/logs", "ko", 390), ("/health", "en", 1440)] {
        let tab = Tab::open(browser, width, 900).await?;
        tab.goto(&format!("{}{path}?theme=dark&lang={language}", product.dashboard)).await?;
        tab.wait_for("document.querySelector('main .alarm')").await?;
        let said: String = tab.eval("document.querySelector('main .alarm').innerText").await?;
        ensure!(said.contains("1000") && said.contains("TiB"), "the reserve is not said: {said}");
        ensure!(!tab.eval::<bool>("!!document.querySelector('main .warnings')").await?, "it is said twice");
        let name = path.trim_matches('/');
        tab.screenshot(&shots().join(format!("full-disk-{name}-{language}-{width}.png"))).await?;
        let violations = crate::axe::violations(&tab).await?;
        ensure!(violations.is_empty() && tab.complaints().is_empty(), "{violations:?} {:?}", tab.complaints());
        tab.close().await?;
    }
    Ok(())
}

async fn until_failing(product: &Product, name: &str) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(90);
    while Instant::now() < deadline {
        let map = product.get("/api/v1/topology?from=now-1m").await?;
        let node = map["nodes"].as_array().into_iter().flatten().find(|node| node["name"] == name).cloned();
        if node.is_some_and(|node| node["red"]["errors"].as_f64() > Some(0.0)) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    bail!("{name} does not fail on the map")
}

/// Moves the mouse over the map until its hint says that it is over this node.
pub(crate) async fn find_on_map(tab: &Tab, name: &str) -> Result<(f64, f64)> {
    let field: [f64; 4] = tab
        .eval("(() => { const r = document.querySelector('.map-field').getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom] })()")
        .await?;
    let is_here = format!("document.querySelector('.map-field').title === {name:?}");
    let mut y = field[1] + 12.0;
    while y < field[3] {
        let mut x = field[0] + 20.0;
        while x < field[2] {
            tab.point(x, y).await?;
            if tab.eval::<bool>(&format!("!!({is_here})")).await? {
                return Ok((x, y));
            }
            x += 40.0;
        }
        y += 14.0;
    }
    tab.screenshot(&shots().join("journey-lost.png")).await?;
    bail!("{name} is not on the map")
}

fn part(url: &str, after: &str, length: usize) -> String {
    url.split(after).nth(1).unwrap_or_default().chars().take(length).collect()
}
