//! Pages are loaded when they are opened: by link, by address, and when that does not work.

use crate::pages::{self, shots};
use crate::product::Product;
use crate::tab::Tab;
use anyhow::{Context, Result, ensure};
use chromiumoxide::browser::Browser;

/// JavaScript: the page's code could not be loaded, and a person may try again or reload.
const NOT_LOADED: &str =
    "[...document.querySelectorAll('main .notice[role=alert] button')].some((button) => button.innerText === 'Reload')";
/// JavaScript: a person who came by keyboard or listens is where the page is.
const ARRIVED: &str = "document.title === 'Health · Orrery' && document.activeElement.id === 'main'";
const HEALTH: &str = "*://*:*/assets/health-*.wasm";
const EVERYTHING: &str = "*://*:*/*";

/// A link leads to a page that is not there: it says so, at its place, and comes when it can.
pub(crate) async fn a_page_arrives_when_it_can(browser: &Browser, product: &Product) -> Result<()> {
    let tab = Tab::open(browser, 1440, 900).await?;
    tab.block(&[HEALTH]).await?;
    tab.goto(&format!("{}/?theme=dark&lang=en", product.dashboard)).await?;
    tab.block(&[EVERYTHING]).await?;
    tab.click("nav a[href^='/health']").await?;
    tab.wait_for(NOT_LOADED).await?;
    ensure!(tab.eval::<bool>(ARRIVED).await?, "title or focus is elsewhere");
    tab.screenshot(&shots().join("page-not-loaded.png")).await?;
    let violations = crate::axe::violations(&tab).await?;
    ensure!(violations.is_empty(), "{violations:?}");

    tab.block(&[]).await?;
    tab.click("main .notice[role=alert] button").await?;
    tab.settled().await?;
    tab.wait_for("document.querySelector('main').innerText.includes('Orrery itself')").await?;
    ensure!(tab.eval::<bool>("location.pathname === '/health'").await?, "it is elsewhere");

    // From now on it is there at once.
    tab.click("nav a[href^='/services']").await?;
    tab.wait_for("location.pathname === '/services'").await?;
    tab.settled().await?;
    tab.block(&[EVERYTHING]).await?;
    tab.click("nav a[href^='/health']").await?;
    tab.wait_for(ARRIVED).await?;
    ensure!(!tab.eval::<bool>(NOT_LOADED).await?, "a page is loaded twice");
    tab.close().await
}

/// A server that was replaced has other chunks: the page is reloaded, once.
pub(crate) async fn a_replaced_server_is_noticed(browser: &Browser, product: &Product) -> Result<()> {
    let tab = Tab::open(browser, 1440, 900).await?;
    tab.block(&[HEALTH]).await?;
    tab.goto(&format!("{}/?lang=en", product.dashboard)).await?;
    tab.eval::<bool>(
        "(window.old = true, document.querySelector('link[rel=modulepreload]').href = '/assets/orrery-0.js', true)",
    )
    .await?;
    tab.click("nav a[href^='/health']").await?;
    tab.wait_for("!window.old").await?;
    // The chunk is still missing, and the page is the server's.
    tab.wait_for(NOT_LOADED).await?;
    ensure!(
        tab.eval::<bool>("sessionStorage.getItem('orrery-reloaded') === '/assets/orrery-0.js'").await?,
        "why did it reload?"
    );
    tab.close().await
}

/// Whoever comes by an address gets its code beside the program, not after it.
pub(crate) async fn an_address_fetches_its_page_at_once(browser: &Browser, product: &Product) -> Result<()> {
    for (name, path) in pages::pages(product).await? {
        let tab = Tab::open(browser, 1440, 900).await?;
        tab.goto(&format!("{}{path}", product.dashboard)).await?;
        // [start, end] of the program, then the latest start of a chunk that the address asked for.
        let times: [f64; 3] = tab
            .eval(
                "(() => { const all = performance.getEntriesByType('resource').filter((r) => r.name.endsWith('.wasm') && r.initiatorType === 'link'); \
                 const program = all.find((r) => r.name.includes('/orrery-')); const chunks = all.filter((r) => r !== program).map((r) => r.startTime); \
                 return [program?.startTime ?? -1, program?.responseEnd ?? -1, chunks.length ? Math.max(...chunks) : -1] })()",
            )
            .await
            .with_context(|| path.clone())?;
        let [start, end, chunk] = times;
        ensure!(start >= 0.0 && chunk >= 0.0, "{name}: nothing is preloaded: {times:?}");
        crate::say!("{name}: program {start:.0} to {end:.0} ms, chunks from {chunk:.0} ms");
        ensure!(tab.complaints().is_empty(), "{name}: {:?}", tab.complaints());
        tab.close().await?;
    }
    Ok(())
}
