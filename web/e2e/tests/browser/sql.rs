//! The SQL console: what it offers, answers, says is wrong; and how other pages lead to it.

use crate::dress;
use crate::pages::shots;
use crate::product::Product;
use crate::shop::{self, FAILED, TRACES};
use crate::tab::Tab;
use anyhow::{Result, ensure};
use chromiumoxide::browser::Browser;

/// JavaScript: what stands in the editor.
const EDITOR: &str = "document.querySelector('.sql-editor textarea').value";
/// JavaScript: the rows in view, as texts.
const ROWS: &str =
    "[...document.querySelectorAll('.table-sql tbody tr:not(.gap)')].map((r) => [...r.cells].map((c) => c.innerText))";
/// JavaScript: the first thing that is offered.
const FIRST: &str = "document.querySelector('.sql-menu:not([hidden]) li code')?.innerText";

pub(crate) async fn the_console(browser: &Browser) -> Result<()> {
    let product = Product::serve()?;
    shop::send(&product).await?;
    let tab = Tab::open(browser, 1440, 900).await?;
    tab.goto(&format!("{}/sql?theme=dark&lang=en", product.dashboard)).await?;
    an_example_answers(&tab).await?;
    words_are_completed(&tab).await?;
    a_mistake_is_where_it_is(&tab).await?;
    answers_are_sorted_drawn_and_saved(&tab).await?;
    what_takes_long_is_cancelled(&tab).await?;
    other_pages_lead_here(&tab, &product).await?;
    every_panel_has_a_statement(&tab, &product).await?;
    ensure!(tab.complaints().iter().all(|said| said.contains("400")), "{:?}", tab.complaints());
    tab.close().await?;
    in_every_dress(browser, &product).await
}

async fn write(tab: &Tab, text: &str) -> Result<()> {
    tab.eval::<bool>(
        "(() => { const b = document.querySelector('.sql-editor textarea'); b.focus(); b.select(); return true })()",
    )
    .await?;
    tab.press("Backspace").await?;
    tab.wait_for(&format!("{EDITOR} === ''")).await?;
    tab.type_text(text).await
}

/// Puts a statement into the editor and runs it with the keys.
async fn run(tab: &Tab, text: &str) -> Result<()> {
    let put = format!(
        "(() => {{ const b = document.querySelector('.sql-editor textarea'); b.focus(); b.value = {text:?}; \
         b.setSelectionRange(b.value.length, b.value.length); b.dispatchEvent(new Event('input', {{ bubbles: true }})); \
         return b.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'Enter', ctrlKey: true, bubbles: true }})) }})()"
    );
    tab.eval::<bool>(&put).await?;
    tab.wait_for(&format!("new URLSearchParams(location.search).get('q') === {text:?}")).await?;
    tab.settled().await
}

async fn an_example_answers(tab: &Tab) -> Result<()> {
    tab.wait_for("document.querySelectorAll('.sql-tables > li').length === 3").await?;
    tab.screenshot(&shots().join("sql-welcome.png")).await?;
    tab.click(".sql-example").await?;
    tab.wait_for(&format!("{ROWS}.length === 1")).await?;
    let rows: Vec<Vec<String>> = tab.eval(ROWS).await?;
    ensure!(rows[0][..3] == ["frontend", "GET /checkout", &TRACES.to_string()], "{rows:?}");
    tab.screenshot(&shots().join("sql-answer.png")).await?;
    // What the tree has is written where the cursor is.
    write(tab, "SELECT ").await?;
    tab.eval::<bool>("(() => { [...document.querySelectorAll('.sql-word')].find((w) => w.textContent === 'http.route').click(); return true })()").await?;
    tab.wait_for(&format!("{EDITOR} === \"SELECT attributes['http.route']\"")).await
}

async fn words_are_completed(tab: &Tab) -> Result<()> {
    write(tab, "SELECT * FROM sp").await?;
    tab.wait_for(&format!("{FIRST} === 'spans'")).await?;
    tab.press("Tab").await?;
    tab.wait_for(&format!("{EDITOR} === 'SELECT * FROM spans '")).await?;
    tab.type_text("WHERE dur").await?;
    tab.wait_for(&format!("{FIRST} === 'duration_nanos'")).await?;
    tab.screenshot(&shots().join("sql-completion.png")).await?;
    tab.press("Tab").await?;
    tab.type_text(" > 5 AND attributes['cus").await?;
    tab.wait_for(&format!("{FIRST} === 'customer.tier'")).await?;
    tab.press("Tab").await?;
    tab.wait_for(&format!("{EDITOR}.endsWith(\"attributes['customer.tier']\")")).await
}

async fn a_mistake_is_where_it_is(tab: &Tab) -> Result<()> {
    run(tab, "SELECT name,\n  nme FROM spans").await?;
    tab.wait_for("document.querySelector('.sql-editor .query-ink .is-wrong')?.innerText === 'nme'").await?;
    let said: String = tab.eval("document.querySelector('.sql-answer').innerText").await?;
    ensure!(said.contains("nme") && said.contains("Line 2, column 3"), "{said}");
    tab.screenshot(&shots().join("sql-error.png")).await?;
    run(tab, "SELECT name FROM spans WHERE false").await?;
    tab.wait_for("document.querySelector('.sql-answer .notice-empty')").await
}

async fn answers_are_sorted_drawn_and_saved(tab: &Tab) -> Result<()> {
    run(tab, "SELECT attributes['customer.tier'] AS tier, status, count(*) AS calls FROM spans WHERE service_name = 'cart' GROUP BY ALL").await?;
    tab.wait_for(&format!("{ROWS}.length === 4")).await?;
    tab.click(".table-sql thead th:nth-child(3) .sort").await?;
    tab.click(".table-sql thead th:nth-child(3) .sort").await?;
    tab.wait_for("document.querySelector('.table-sql thead th:nth-child(3)').ariaSort === 'descending'").await?;
    let rows: Vec<Vec<String>> = tab.eval(ROWS).await?;
    let calls: Vec<u64> = rows.iter().filter_map(|row| row[2].parse().ok()).collect();
    ensure!(calls.is_sorted_by(|a, b| a >= b) && calls.iter().sum::<u64>() == TRACES, "{rows:?}");
    let failed = rows.iter().filter(|row| row[1] == "error").filter_map(|row| row[2].parse::<u64>().ok()).sum::<u64>();
    ensure!(failed == FAILED, "{rows:?}");

    tab.eval::<bool>("(() => { const make = URL.createObjectURL; URL.createObjectURL = (blob) => { window.saved = blob; return make.call(URL, blob) }; return true })()").await?;
    let button = |name: &str| {
        format!("[...document.querySelectorAll('.sql-answer button')].find((b) => b.innerText === '{name}').click()")
    };
    for (name, begins) in [("CSV", "tier,status,calls"), ("JSON", "{\"range\""), ("Parquet", "PAR1")] {
        tab.eval::<bool>(&format!("(() => {{ window.saved = null; {}; return true }})()", button(name))).await?;
        tab.wait_for("window.saved").await?;
        let text: String = tab.eval("window.saved.text()").await?;
        ensure!(text.starts_with(begins), "{name}: {}", text.chars().take(80).collect::<String>());
    }
    tab.click("button[aria-label='Recent queries']").await?;
    tab.wait_for("document.querySelector('.query-history .query-past')?.innerText.startsWith(\"SELECT attributes['customer.tier']\")").await?;
    tab.screenshot(&shots().join("sql-history.png")).await?;
    tab.press("Escape").await?;
    run(tab, "SELECT time_bucket(INTERVAL '10 seconds', start_time) AS at, status, count(*) AS calls FROM spans GROUP BY ALL ORDER BY ALL").await?;
    tab.eval::<bool>(
        "(() => { [...document.querySelectorAll('.sql-answer .switch .button')][1].click(); return true })()",
    )
    .await?;
    tab.wait_for("document.querySelector('.sql-answer canvas')").await?;
    tab.screenshot(&shots().join("sql-chart.png")).await?;
    run(tab, "SELECT name, max(duration_nanos) AS longest FROM spans GROUP BY ALL ORDER BY longest DESC").await?;
    tab.wait_for("document.querySelectorAll('.sql-bars tr').length === 2").await?;
    tab.screenshot(&shots().join("sql-bars.png")).await?;
    tab.eval::<bool>(
        "(() => { [...document.querySelectorAll('.sql-answer .switch .button')][0].click(); return true })()",
    )
    .await?;
    run(tab, "SELECT range AS i, range * 7 % 1000 AS j, 'row ' || range AS words FROM range(10000)").await?;
    tab.wait_for("document.querySelector('.sql-grid')").await?;
    tab.eval::<bool>("(() => { document.querySelector('.sql-grid').scrollTop = 140000; return true })()").await?;
    tab.wait_for(&format!("{ROWS}.some((row) => row[0] === '5000')")).await?;
    let drawn: usize = tab.eval("document.querySelectorAll('.table-sql tbody tr').length").await?;
    ensure!(drawn < 120, "{drawn} rows are drawn");
    Ok(())
}

async fn what_takes_long_is_cancelled(tab: &Tab) -> Result<()> {
    write(tab, "WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t) SELECT max(i) FROM t").await?;
    tab.click(".sql-editor .button-primary").await?;
    tab.wait_for("document.querySelector('.slow button')").await?;
    tab.screenshot(&shots().join("sql-running.png")).await?;
    tab.click_visible(".slow button").await?;
    tab.wait_for("!document.querySelector('main [aria-busy=\"true\"]')").await
}

async fn other_pages_lead_here(tab: &Tab, product: &Product) -> Result<()> {
    for (page, says, rows) in [
        (
            "/traces?q={ resource.service.name = \"cart\" %26%26 status = error }",
            "WHERE service_name = 'cart'\n  AND status = 'error'",
            true,
        ),
        ("/services/frontend", "kind IN ('server', 'consumer')", true),
        ("/logs?severity=error", "severity_number >= 17", false),
    ] {
        tab.goto(&format!("{}{page}", product.dashboard)).await?;
        tab.click("main a[href^='/sql?']").await?;
        tab.wait_for("location.pathname === '/sql'").await?;
        tab.settled().await?;
        let statement: String = tab.eval(EDITOR).await?;
        ensure!(statement.contains(says), "{page}: {statement}");
        let found = if rows {
            "document.querySelector('.table-sql tbody tr')"
        } else {
            "document.querySelector('.sql-answer .notice-empty')"
        };
        tab.wait_for(found).await?;
    }
    Ok(())
}

/// Every panel that shows stored telemetry, and the statement of each is one that is answered.
async fn every_panel_has_a_statement(tab: &Tab, product: &Product) -> Result<()> {
    let trace = format!("/traces/{}", shop::trace_id(4));
    for (page, panels) in [
        ("/", 3),
        ("/services", 1),
        ("/services/frontend", 11),
        ("/services/cart", 11),
        ("/traces", 3),
        ("/traces?view=flame", 3),
        ("/traces?q={ } | rate() by (name)", 1),
        (trace.as_str(), 1),
        ("/logs", 2),
        ("/metrics", 1),
        ("/health", 1),
    ] {
        tab.goto(&format!("{}{page}", product.dashboard)).await?;
        let links = "[...document.querySelectorAll(\"main a[href^='/sql?']\")]";
        tab.wait_for(&format!("{links}.length >= {panels}")).await?;
        let refused: Vec<String> = tab
            .eval(&format!(
                "(async () => {{ const refused = []; for (const link of {links}) {{ \
                 const statement = new URL(link.href).searchParams.get('q'); \
                 const answer = await fetch('/api/v1/sql', {{ method: 'POST', headers: {{ 'content-type': 'application/json' }}, body: JSON.stringify({{ statement }}) }}); \
                 if (!answer.ok) refused.push(`${{statement}}: ${{await answer.text()}}`) }} return refused }})()"
            ))
            .await?;
        ensure!(refused.is_empty(), "{page}: {}", refused.join("\n"));
    }
    Ok(())
}

async fn in_every_dress(browser: &Browser, product: &Product) -> Result<()> {
    let by_name = "SELECT service_name, name, kind, status, count(*) AS calls, quantile_cont(duration_nanos, 0.95) / 1e6 AS p95_ms, max(start_time) AS newest FROM spans GROUP BY ALL ORDER BY calls DESC";
    let over_time = "SELECT time_bucket(INTERVAL '10 seconds', start_time) AS at, service_name, quantile_cont(duration_nanos, 0.95) AS p95_nanos FROM spans GROUP BY ALL ORDER BY ALL";
    let states = [
        ("welcome", String::new()),
        ("rows", format!("q={}", escaped(by_name))),
        ("all", format!("q={}", escaped("SELECT * FROM spans LIMIT 200"))),
        ("chart", format!("view=chart&q={}", escaped(over_time))),
        ("wrong", format!("q={}", escaped("SELECT name\nFRM spans"))),
    ];
    let states = states.map(|(name, more)| (format!("sql-{name}"), format!("/sql?{more}")));
    dress::looked_at(browser, product, &dress::ALL, &states, async |tab, name| {
        if name == "sql-wrong" {
            tab.expect_complaint("400");
        }
        tab.wait_for("document.querySelector('main .sql-tables, main .sql-tree details:not([open])')").await
    })
    .await
}

/// A parameter's value in an address.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { (byte as char).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
