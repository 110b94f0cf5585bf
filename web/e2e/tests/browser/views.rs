//! Saved views, short links, links to outside tools.

use crate::dress;
use crate::pages::shots;
use crate::product::Product;
use crate::shop;
use crate::tab::Tab;
use anyhow::{Result, ensure};
use chromiumoxide::browser::Browser;

const LINKS: [&str; 4] = [
    "--link",
    "Wiki=https://wiki.example/{service.name}?from={start_ms}",
    "--link",
    "Customer=https://crm.example/tiers/{attribute:customer.tier}?trace={trace_id}",
];
const SAVED: &str = "[...document.querySelectorAll('.view-link')].map((l) => l.firstChild.innerText).join('; ')";

pub(crate) async fn are_kept_and_shared(browser: &Browser) -> Result<()> {
    let product = Product::serve_with(&LINKS)?;
    shop::send(&product).await?;
    let tab = Tab::open(browser, 1440, 900).await?;
    saved(&tab, &product).await?;
    found_in_the_palette(&tab, &product).await?;
    shared(&tab, &product).await?;
    outside(&tab, &product).await?;
    // A name that is taken, and a link to nothing.
    let expected = |said: &String| said.contains("409") || (said.contains("404") && said.contains("/s/nothing"));
    ensure!(tab.complaints().iter().all(expected), "{:?}", tab.complaints());
    tab.close().await?;
    in_every_dress(browser, &product).await
}

async fn open(tab: &Tab) -> Result<()> {
    tab.click_visible(".topbar [aria-label='Saved views']").await?;
    tab.wait_for("document.activeElement?.closest('.view-form')").await
}

async fn saved(tab: &Tab, product: &Product) -> Result<()> {
    tab.goto(&format!("{}/traces?q=%7B%20status%20%3D%20error%20%7D&range=30m&theme=dark&lang=en", product.dashboard))
        .await?;
    open(tab).await?;
    tab.wait_for("document.querySelector('.view-saved .notice-empty')").await?;
    tab.screenshot(&shots().join("views-none.png")).await?;
    tab.type_text("failed checkouts").await?;
    tab.press("Enter").await?;
    tab.wait_for(&format!("{SAVED} === 'failed checkouts'")).await?;
    tab.type_text("failed checkouts").await?;
    tab.press("Enter").await?;
    tab.wait_for("document.querySelector('.view-form .field-error')?.innerText.includes('Another view is called')")
        .await?;
    tab.screenshot(&shots().join("views-taken.png")).await?;

    // Elsewhere, and back by the view.
    tab.goto(&format!("{}/logs?theme=dark&lang=en", product.dashboard)).await?;
    open(tab).await?;
    tab.wait_for(&format!("{SAVED} === 'failed checkouts'")).await?;
    tab.click_visible(".view-link").await?;
    tab.wait_for("location.pathname === '/traces' && new URLSearchParams(location.search).get('q') === '{ status = error }' && new URLSearchParams(location.search).get('range') === '30m'").await?;

    // Another name; gone; back again.
    open(tab).await?;
    tab.click_visible(".view-row [aria-label^=Rename]").await?;
    tab.wait_for("document.activeElement?.closest('.view-rename')").await?;
    tab.type_text("sad checkouts").await?;
    tab.press("Enter").await?;
    tab.wait_for(&format!("{SAVED} === 'sad checkouts'")).await?;
    tab.click_visible(".view-row [aria-label^=Delete]").await?;
    tab.wait_for("document.querySelector('.view-gone') && !document.querySelector('.view-link')").await?;
    tab.screenshot(&shots().join("views-deleted.png")).await?;
    tab.click_visible(".view-gone .button").await?;
    tab.wait_for(&format!("{SAVED} === 'sad checkouts' && !document.querySelector('.view-gone')")).await?;
    tab.screenshot(&shots().join("views-saved.png")).await?;
    // What had the focus is gone; the keys are not lost.
    tab.wait_for("document.activeElement?.closest('.views')").await?;
    tab.press("Escape").await?;
    tab.wait_for("!document.querySelector('.views')").await
}

async fn found_in_the_palette(tab: &Tab, product: &Product) -> Result<()> {
    tab.goto(&format!("{}/?theme=dark&lang=en", product.dashboard)).await?;
    tab.eval::<bool>("(document.querySelector('.rail-foot .rail-item').click(), true)").await?;
    tab.wait_for("document.activeElement?.classList.contains('palette-input')").await?;
    tab.type_text("sad").await?;
    tab.wait_for("document.querySelector('.palette-item')?.innerText.includes('sad checkouts')").await?;
    tab.press("Enter").await?;
    tab.wait_for("location.pathname === '/traces' && location.search.includes('range=30m')").await
}

async fn shared(tab: &Tab, product: &Product) -> Result<()> {
    tab.goto(&format!(
        "{}/traces?q=%7B%20kind%20%3D%20client%20%7D&range=30m&view=flame&theme=dark&lang=en",
        product.dashboard
    ))
    .await?;
    tab.click_visible(".topbar [aria-label='Share this view']").await?;
    tab.wait_for("document.querySelector('.share-field input')?.value.includes('/s/')").await?;
    tab.wait_for("/copied|yourself/.test(document.querySelector('.share').innerText)").await?;
    tab.screenshot(&shots().join("share.png")).await?;
    let url: String = tab.eval("document.querySelector('.share-field input').value").await?;
    ensure!(url.starts_with(&product.dashboard), "{url}");
    tab.goto(&url).await?;
    tab.wait_for("location.pathname === '/traces'").await?;
    let search: String = tab.eval("location.search").await?;
    for part in ["from=", "to=", "view=flame", "q="] {
        ensure!(search.contains(part), "{part} in {search}");
    }
    ensure!(!search.contains("range="), "the range still moves: {search}");
    tab.settled().await?;
    // A link to nothing says so.
    tab.goto(&format!("{}/s/nothing?lang=en", product.dashboard)).await?;
    tab.wait_for("document.querySelector('main').innerText.includes('no such page')").await
}

async fn outside(tab: &Tab, product: &Product) -> Result<()> {
    let hrefs = "[...document.querySelectorAll('a[target=_blank][rel~=noopener]')].map((a) => a.href).sort().join(' ')";
    let trace = shop::trace_id(4);
    tab.goto(&format!("{}/traces/{trace}?span={:016x}&theme=dark&lang=en", product.dashboard, 4 * 10 + 2)).await?;
    tab.wait_for(&format!("{hrefs}.includes('https://crm.example/tiers/gold?trace={trace}')")).await?;
    let found: String = tab.eval(hrefs).await?;
    ensure!(
        found.contains("https://wiki.example/cart?from=") && found.contains("https://wiki.example/frontend?from="),
        "{found}"
    );
    tab.screenshot(&shots().join("outside-span.png")).await?;
    tab.goto(&format!("{}/services/cart?theme=dark&lang=en", product.dashboard)).await?;
    tab.wait_for(&format!("{hrefs}.includes('https://wiki.example/cart?from=')")).await?;
    let found: String = tab.eval(hrefs).await?;
    ensure!(!found.contains("crm"), "without a customer there is none: {found}");
    Ok(())
}

async fn in_every_dress(browser: &Browser, product: &Product) -> Result<()> {
    let states = ["views", "share"].map(|name| (name.to_owned(), "/traces".to_owned()));
    dress::looked_at(browser, product, &dress::TWO, &states, async |tab, name| {
        let button = usize::from(name == "views");
        let buttons = "[...document.querySelectorAll('.topbar .popover-root > .icon-button')]";
        tab.eval::<bool>(&format!("({buttons}[{button}].click(), true)")).await?;
        tab.wait_for("document.querySelector('.view-link') || document.querySelector('.share-field')").await?;
        let outside: bool = tab.eval("(() => { const r = document.querySelector('.topbar .popover').getBoundingClientRect(); return r.left < 0 || r.right > innerWidth })()").await?;
        ensure!(!outside, "the panel is cut off");
        Ok(())
    })
    .await
}
