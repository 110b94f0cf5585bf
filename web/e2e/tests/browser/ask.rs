//! Asking in TraceQL: the bar, what it finds, the builder, series.

use crate::dress;
use crate::pages::shots;
use crate::product::Product;
use crate::shop::{self, FAILED, TRACES};
use crate::tab::Tab;
use anyhow::{Result, ensure};
use chromiumoxide::browser::Browser;

/// JavaScript: what stands in the bar.
const BAR: &str = "document.querySelector('.query-text').value";
/// JavaScript: the first rows of found traces.
const ROWS: &str = "[...document.querySelectorAll('.row-trace a')].map((a) => a.pathname.split('/')[2])";
/// JavaScript: from now on pages of the list come late, the first of them between the two that follow it.
const SLOW_REFRESH: &str = "(() => { const fetch = window.fetch; window.refreshes = 0; window.hurry = () => { window.fetch = fetch; return true }; window.fetch = async (url, ...rest) => { \
     const path = new URL(url, location.href); if (path.pathname !== '/api/v1/traces') return fetch(url, ...rest); \
     const first = !path.searchParams.has('cursor'); if (first) window.refreshes++; \
     try { const answer = await fetch(url, ...rest); await new Promise((done) => setTimeout(done, first ? 1350 : 900)); \
     if (rest[0]?.signal?.aborted) throw new DOMException('', 'AbortError'); return answer } finally { if (first) window.refreshes-- } }; return true })()";

pub(crate) async fn in_traceql(browser: &Browser) -> Result<()> {
    let product = Product::serve()?;
    shop::send(&product).await?;
    let tab = Tab::open(browser, 1440, 900).await?;
    tab.goto(&format!("{}/traces?theme=dark&lang=en", product.dashboard)).await?;
    an_error_is_where_it_is(&tab).await?;
    keys_and_values_are_completed(&tab).await?;
    what_is_found_is_listed(&tab).await?;
    rows_are_built(&tab).await?;
    series_are_drawn(&tab).await?;
    a_box_says_what_is_different(&tab).await?;
    a_map_is_cut_to_an_attribute(&tab, &product).await?;
    links_become_queries(&tab, &product).await?;
    ensure!(tab.complaints().iter().all(|said| said.contains("400")), "{:?}", tab.complaints());
    tab.close().await?;
    in_every_dress(browser, &product).await
}

/// Empties the bar and types.
async fn write(tab: &Tab, text: &str) -> Result<()> {
    tab.eval::<bool>(
        "(() => { const b = document.querySelector('.query-text'); b.focus(); b.select(); return true })()",
    )
    .await?;
    tab.press("Backspace").await?;
    tab.wait_for(&format!("{BAR} === ''")).await?;
    tab.type_text(text).await?;
    Ok(())
}

/// Types, runs, and waits for the answer.
async fn ask(tab: &Tab, text: &str) -> Result<()> {
    write(tab, text).await?;
    tab.press("Enter").await?;
    tab.wait_for(&format!("new URLSearchParams(location.search).get('q') === {text:?}")).await?;
    tab.settled().await
}

async fn an_error_is_where_it_is(tab: &Tab) -> Result<()> {
    write(tab, "{ span:duration > \"5ms\" && kind = server }").await?;
    tab.press("Enter").await?;
    // As wide as the characters before it.
    let place = "(() => { const wrong = document.querySelector('.query-ink .is-wrong'); if (!wrong) return null; \
                 const range = new Range(); range.setStart(wrong.parentNode, 0); range.setEndBefore(wrong); \
                 const ink = wrong.parentNode.getBoundingClientRect(), at = wrong.getBoundingClientRect(); \
                 return [wrong.innerText, range.toString(), (at.left - ink.left) / (at.width / wrong.innerText.length)] })()";
    tab.wait_for(place).await?;
    let (wrong, before, characters): (String, String, f64) = tab.eval(place).await?;
    ensure!(wrong == "\"5ms\"" && before == "{ span:duration > ", "marked is {wrong} after {before}");
    ensure!((characters - 18.0).abs() < 0.5, "the mark is {characters} characters from the left");
    let said: String = tab.eval("document.querySelector('.query-fault').innerText").await?;
    ensure!(said.contains("a duration is compared with text") && said.contains("without quotes"), "{said}");
    ensure!(!tab.url().await?.contains("q="), "what is no query was asked");
    tab.screenshot(&shots().join("ask-error.png")).await?;

    // Only the server knows regular expressions; what it refuses is marked too.
    write(tab, "{ name =~ \"(\" }").await?;
    tab.press("Enter").await?;
    tab.wait_for("document.querySelector('.query-ink .is-wrong')?.innerText === '\"(\"'").await?;
    tab.screenshot(&shots().join("ask-refused.png")).await
}

async fn keys_and_values_are_completed(tab: &Tab) -> Result<()> {
    write(tab, "{ serv").await?;
    let first = "document.querySelector('.query-menu:not([hidden]) li')?.innerText";
    tab.wait_for(&format!("{first}?.startsWith('resource.service.name')")).await?;
    let offered: String = tab.eval(first).await?;
    ensure!(offered.contains(&(2 * TRACES).to_string()), "without a count: {offered}");
    tab.screenshot(&shots().join("ask-keys.png")).await?;
    tab.press("Tab").await?;
    tab.wait_for(&format!("{BAR} === '{{ resource.service.name '")).await?;
    tab.type_text("= \"ca").await?;
    tab.wait_for(&format!("{first}?.startsWith('\"cart\"')")).await?;
    tab.screenshot(&shots().join("ask-values.png")).await?;
    tab.press("ArrowDown").await?;
    tab.press("Enter").await?;
    tab.wait_for(&format!("{BAR} === '{{ resource.service.name = \"cart\" '")).await?;
    tab.type_text("}").await?;
    tab.press("Escape").await?;
    tab.wait_for("document.querySelector('.query-menu').hidden").await?;
    tab.press("Enter").await?;
    tab.wait_for("new URLSearchParams(location.search).get('q') === '{ resource.service.name = \"cart\" }'").await?;
    tab.settled().await?;
    let services =
        "[...new Set([...document.querySelectorAll('.row-span .name-line .hint')].map((s) => s.innerText))].join()";
    tab.wait_for(&format!("{services} === 'cart'")).await?;
    tab.screenshot(&shots().join("ask-found.png")).await
}

async fn what_is_found_is_listed(tab: &Tab) -> Result<()> {
    ask(tab, "{ status = error }").await?;
    let said = "document.querySelector('.found .panel-head').innerText";
    tab.wait_for(&format!("{said}.includes('{FAILED} traces, {FAILED} matching spans')")).await?;

    // All of them, page after page, the longest first.
    ask(tab, "{ kind = client }").await?;
    tab.click(".col-duration .sort").await?;
    tab.wait_for(&format!(
        "location.search.includes('sort=duration') && {ROWS}[0] === {:?}",
        shop::trace_id(TRACES - 1)
    ))
    .await?;
    let rows: Vec<String> = tab.eval(ROWS).await?;
    let expected: Vec<String> = (0..rows.len() as u64).map(|at| shop::trace_id(TRACES - 1 - at)).collect();
    ensure!(rows == expected, "not by duration: {rows:?}");
    // What is scrolled to comes after what is there, also while the list is about to be read anew; and stays.
    tab.eval::<bool>(SLOW_REFRESH).await?;
    tab.wait_for("window.refreshes > 0").await?;
    let end = "(() => { const box = document.querySelector('.found-lines'); box.scrollTop = box.scrollHeight; return true })()";
    tab.wait_for(&format!("{end} && {said}.includes('{TRACES} traces, {TRACES} matching spans')")).await?;
    tab.wait_for("window.refreshes === 0").await?;
    ensure!(
        tab.eval::<String>(said).await?.contains(&format!("{TRACES} traces,")),
        "a refresh took away what was read"
    );
    tab.wait_for(&format!("{end} && {ROWS}.includes({:?})", shop::trace_id(0))).await?;
    tab.eval::<bool>("window.hurry()").await?;
    let drawn: usize = tab.eval("document.querySelectorAll('.table-found tr').length").await?;
    ensure!(drawn < 120, "{drawn} rows are in the page");
    tab.click(".col-count .sort").await?;
    tab.wait_for("location.search.includes('sort=spans')").await?;
    tab.settled().await?;

    // A field as a column.
    ask(tab, "{ kind = client }").await?;
    tab.click(".found .popover-root .button").await?;
    tab.wait_for(
        "[...document.querySelectorAll('.chooser .menu-item')].some((b) => b.innerText.includes('span.cart.items'))",
    )
    .await?;
    tab.eval::<bool>("([...document.querySelectorAll('.chooser .menu-item')].find((b) => b.innerText.includes('span.cart.items')).click(), true)").await?;
    tab.wait_for(&format!("{BAR} === '{{ span:kind = client }} | select(span.cart.items)'")).await?;
    tab.settled().await?;
    tab.wait_for("/^[0-6]$/.test(document.querySelector('.row-span .col-field')?.innerText)").await?;
    tab.screenshot(&shots().join("ask-columns.png")).await?;

    // A span opens, and back leads back.
    tab.click(".row-span a").await?;
    tab.wait_for(
        "/^\\/traces\\/[0-9a-f]{32}$/.test(location.pathname) && new URLSearchParams(location.search).get('span')",
    )
    .await?;
    tab.settled().await?;
    tab.eval::<bool>("(history.back(), true)").await?;
    tab.wait_for(&format!("location.pathname === '/traces' && {BAR}.endsWith('select(span.cart.items)')")).await?;
    tab.settled().await
}

async fn rows_are_built(tab: &Tab) -> Result<()> {
    ask(tab, "{ resource.service.name = \"cart\" && trace:duration > 100ms }").await?;
    tab.click(".query-tools [aria-label=Builder]").await?;
    let rows = "[...document.querySelectorAll('.builder-row')].map((r) => [...r.querySelectorAll('input, select')].map((i) => i.value).join(' ')).join('; ')";
    tab.wait_for(&format!("{rows} === 'resource.service.name = cart; trace:duration > 100ms'")).await?;
    let said: String = tab.eval("document.querySelectorAll('.builder-row')[1].innerText").await?;
    ensure!(said.contains("duration of the whole trace"), "{said}");
    tab.screenshot(&shots().join("ask-builder.png")).await?;
    let change = "(() => { const i = document.querySelectorAll('.builder-row')[1].querySelector('.builder-value'); i.focus(); i.value = '240ms'; \
                  i.dispatchEvent(new Event('change', {bubbles: true})); return true })()";
    tab.eval::<bool>(change).await?;
    let wanted = "{ resource.service.name = \"cart\" && trace:duration > 240ms }";
    tab.wait_for(&format!("{BAR} === {wanted:?} && new URLSearchParams(location.search).get('q') === {wanted:?}"))
        .await?;
    tab.settled().await?;
    tab.wait_for("document.querySelector('.found .panel-head').innerText.includes('10 traces')").await?;

    // What rows cannot show stays as it was written.
    let text = "{ status = error || kind = server }";
    ask(tab, text).await?;
    tab.wait_for("document.querySelector('.builder-note')").await?;
    ensure!(tab.eval::<String>(BAR).await? == text, "the text was changed");
    tab.click(".query-tools [aria-label=Builder]").await?;
    tab.wait_for("!document.querySelector('.builder')").await
}

async fn series_are_drawn(tab: &Tab) -> Result<()> {
    ask(tab, "{ } | rate() by (resource.service.name)").await?;
    let painted = "(() => { const c = document.querySelector('main .chart-root canvas'); if (!c || !c.width) return false; \
                   return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v !== 0) })()";
    tab.wait_for(painted).await?;
    let names = "[...document.querySelectorAll('main .table tbody th')].map((h) => h.innerText.trim()).sort().join()";
    tab.wait_for(&format!("{names} === 'cart,frontend'")).await?;
    tab.screenshot(&shots().join("ask-series.png")).await?;
    // Dragging over the chart chooses a range.
    let [left, top, width]: [f64; 3] = tab
        .eval("(() => { const r = document.querySelector('main .chart-root').getBoundingClientRect(); return [r.left, r.top, r.width] })()")
        .await?;
    tab.drag((left + width * 0.7, top + 100.0), (left + width * 0.9, top + 100.0)).await?;
    tab.wait_for("location.search.includes('from=') && location.search.includes('to=')").await?;
    tab.settled().await?;
    tab.eval::<bool>("(history.back(), true)").await?;
    tab.wait_for("!location.search.includes('from=')").await?;
    tab.settled().await
}

async fn a_box_says_what_is_different(tab: &Tab) -> Result<()> {
    ask(tab, "{ kind = client }").await?;
    tab.wait_for("document.querySelector('.heat canvas')").await?;
    let [left, top, width, height]: [f64; 4] = tab
        .eval("(() => { const r = document.querySelector('.heat').getBoundingClientRect(); return [r.left, r.top, r.width, r.height] })()")
        .await?;
    // What is slow came last: the upper right.
    tab.drag((left + width * 0.8, top + 4.0), (left + width - 4.0, top + height * 0.4)).await?;
    tab.wait_for(&format!("{BAR}.startsWith('{{ span:kind = client }} | compare({{ span:duration >= ')")).await?;
    tab.wait_for("document.querySelector('.compare-legend')").await?;
    tab.screenshot(&shots().join("ask-box.png")).await?;

    // Failed against the others: the message of those that failed is what sets them apart.
    ask(tab, "{ kind = client } | compare({ status = error })").await?;
    let said = "[...document.querySelectorAll('.compare-legend li')].map((l) => l.innerText.trim()).join('; ')";
    tab.wait_for(&format!("{said} === 'Selected: {FAILED} spans; Others: {} spans'", TRACES - FAILED)).await?;
    tab.wait_for("[...document.querySelectorAll('.compare-field')].some((f) => f.innerText.includes('card declined'))")
        .await
}

/// Only spans of the cart have a tier.
async fn a_map_is_cut_to_an_attribute(tab: &Tab, product: &Product) -> Result<()> {
    tab.goto(&format!("{}/?theme=dark&lang=en&view=table", product.dashboard)).await?;
    let nodes = "document.querySelector('.twin tbody')?.innerText";
    tab.wait_for(&format!("{nodes}?.includes('frontend') && {nodes}.includes('cart')")).await?;
    tab.click_words(".stage .panel-head", "Attribute").await?;
    tab.click_visible(".having input").await?;
    tab.type_text("customer.tier").await?;
    tab.wait_for("document.querySelector('.having .button-primary').disabled").await?;
    tab.type_text("=gold").await?;
    tab.screenshot(&shots().join("ask-map-attribute.png")).await?;
    tab.press("Enter").await?;
    tab.wait_for(&format!("!{nodes}?.includes('frontend') && {nodes}.includes('cart')")).await?;
    let said: String = tab.eval("document.querySelector('.map-bar').innerText").await?;
    ensure!(said.contains("With spans of customer.tier=gold"), "{said}");
    ensure!(tab.url().await?.contains("with=customer.tier"), "the address does not say it: {}", tab.url().await?);
    tab.screenshot(&shots().join("ask-map-cut.png")).await?;
    tab.click_words(".map-bar", "Show all").await?;
    tab.wait_for(&format!("{nodes}?.includes('frontend')")).await
}

async fn links_become_queries(tab: &Tab, product: &Product) -> Result<()> {
    tab.goto(&format!("{}/traces?service=cart&status=error&min=50ms&lang=en", product.dashboard)).await?;
    let query = "{ resource.service.name = \"cart\" && span:status = error && span:duration >= 50ms }";
    tab.wait_for(&format!("{BAR} === {query:?} && new URLSearchParams(location.search).get('q') === {query:?}"))
        .await?;
    ensure!(!tab.url().await?.contains("service="), "the filters are still in the address");
    tab.settled().await?;
    let found = (0..TRACES).filter(|at| at % 10 == 0 && (at + 1) * 500_000 >= 50_000_000).count();
    tab.wait_for(&format!("document.querySelector('.found .panel-head').innerText.includes('{found} traces')")).await?;
    // What was asked is offered again.
    write(tab, "x").await?;
    tab.press("Backspace").await?;
    tab.wait_for("document.querySelector('.query-menu:not([hidden])')?.innerText.includes('recent')").await?;
    tab.screenshot(&shots().join("ask-recent.png")).await
}

/// Name and address of every state worth looking at, and what is done before.
const STATES: [(&str, &str); 6] = [
    ("found", "q={ status = error } | select(span.customer.tier, span.cart.items)"),
    ("builder", "q={ resource.service.name = \"cart\" %26%26 span:duration > 20ms }&builder=on"),
    ("not-flat", "q={ kind = server } >> { status = error } | count() > 0&builder=on"),
    ("series", "q={ } | quantile_over_time(duration, 0.5, 0.99) by (resource.service.name)"),
    ("compare", "q={ kind = client } | compare({ status = error })"),
    ("empty", "q={ resource.service.name = \"nobody\" }"),
];

async fn in_every_dress(browser: &Browser, product: &Product) -> Result<()> {
    dress::looked_at(browser, product, &dress::ALL, &dress::states("ask", "/traces", &STATES), async |tab, _| {
        tab.wait_for("document.querySelector('.tql-sign')").await
    })
    .await
}
