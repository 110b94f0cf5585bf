//! One trace: what links to it, where it stands, what is odd about it, its logs between its spans, pinned, beside another
//! trace, and from a file.

use crate::axe;
use crate::dress;
use crate::pages::shots;
use crate::product::Product;
use crate::tab::Tab;
use anyhow::{Result, ensure};
use chromiumoxide::browser::Browser;
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The one that is slow and fails, and one that links to it.
const SLOW: u128 = 0xbad;
const LINKING: u128 = 0xc0;
/// Those that are as always: of 80, 90, … ms.
const USUAL: [u128; 5] = [0xa1, 0xa2, 0xa3, 0xa4, 0xa5];
const SPANS: u64 = 30;

/// JavaScript: rows of the waterfall as a screen reader has them.
const TWIN: &str = "[...document.querySelectorAll('[role=treegrid] tbody tr')].map((row) => row.innerText).join('\\n')";

struct Span {
    trace: u128,
    id: u64,
    parent: u64,
    service: &'static str,
    name: &'static str,
    kind: u8,
    start: i64,
    took: i64,
    failed: bool,
    link: Option<(u128, u64)>,
}

impl Span {
    fn request(&self, base: i64) -> Value {
        let nanos = |millis: i64| (base + millis * 1_000_000).to_string();
        let link = |(trace, span): (u128, u64)| json!({ "traceId": format!("{trace:032x}"), "spanId": format!("{span:016x}") });
        json!({
            "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": self.service } }] },
            "scopeSpans": [{ "scope": { "name": "shop" }, "spans": [{
                "traceId": format!("{:032x}", self.trace), "spanId": format!("{:016x}", self.id),
                "parentSpanId": if self.parent == 0 { String::new() } else { format!("{:016x}", self.parent) },
                "name": self.name, "kind": self.kind,
                "startTimeUnixNano": nanos(self.start), "endTimeUnixNano": nanos(self.start + self.took),
                "status": { "code": if self.failed { 2 } else { 0 } },
                "links": self.link.into_iter().map(link).collect::<Vec<_>>(),
            }] }],
        })
    }
}

fn span(
    trace: u128,
    (id, parent): (u64, u64),
    service: &'static str,
    name: &'static str,
    kind: u8,
    (start, took): (i64, i64),
) -> Span {
    Span { trace, id, parent, service, name, kind, start, took, failed: false, link: None }
}

fn spans() -> Vec<Span> {
    let mut all = Vec::new();
    for (at, trace) in USUAL.into_iter().enumerate() {
        let took = 80 + 10 * at as i64;
        all.push(span(trace, (1, 0), "gateway", "GET /checkout", 2, (0, took)));
        all.push(span(trace, (2, 1), "gateway", "GET", 3, (10, took - 30)));
        all.push(span(trace, (3, 2), "cart", "GET /cart", 2, (15, took - 40)));
        all.push(span(trace, (4, 3), "cart", "SELECT carts", 3, (20, took - 50)));
    }
    let failed = |span: Span| Span { failed: true, ..span };
    all.push(failed(span(SLOW, (1, 0), "gateway", "GET /checkout", 2, (0, 900))));
    all.push(failed(span(SLOW, (2, 1), "gateway", "GET", 3, (10, 840))));
    // Its clock is behind.
    all.push(span(SLOW, (3, 2), "cart", "GET /cart", 2, (4, 800)));
    all.push(span(SLOW, (4, 3), "cart", "SELECT carts", 3, (20, 200)));
    all.push(span(SLOW, (5, 3), "cart", "SELECT carts", 3, (230, 200)));
    all.push(failed(span(SLOW, (6, 3), "cart", "SELECT carts", 3, (440, 300))));
    all.push(span(SLOW, (7, 3), "cart", "rebuild cart", 1, (745, 50)));
    all.push(span(SLOW, (8, 0xffff), "mailer", "send mail", 1, (300, 20)));
    all.push(span(SLOW, (9, 1), "gateway", "audit", 1, (940, 30)));
    all.push(Span { link: Some((SLOW, 1)), ..span(LINKING, (1, 0), "worker", "process order", 5, (1000, 40)) });
    all
}

async fn send(product: &Product) -> Result<()> {
    let base = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as i64 - 120_000_000_000;
    let spans = json!({ "resourceSpans": spans().iter().map(|span| span.request(base)).collect::<Vec<_>>() });
    let log = |span: u64, millis: i64, severity: u8, text: &str| {
        json!({
            "timeUnixNano": (base + millis * 1_000_000).to_string(), "severityNumber": severity, "body": { "stringValue": text },
            "traceId": format!("{SLOW:032x}"), "spanId": if span == 0 { String::new() } else { format!("{span:016x}") },
        })
    };
    let records = [
        log(0, 5, 9, "checkout begins"),
        log(3, 430, 13, "the query for carts is slow, trying once more"),
        log(6, 700, 17, "connection reset by peer: the database at db.internal:5432 closed the connection"),
    ];
    let logs = json!({ "resourceLogs": [{
        "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": "cart" } }] },
        "scopeLogs": [{ "logRecords": records }],
    }] });
    for (signal, body) in [("traces", spans), ("logs", logs)] {
        let request = reqwest::Client::new().post(format!("{}/v1/{signal}", product.otlp));
        let answer = request.header("content-type", "application/json").body(body.to_string()).send().await?;
        ensure!(answer.status() == 200, "{signal}: {}", answer.text().await?);
    }
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        let own = product.get("/api/v1/self").await?;
        let queryable = |signal: &str| own["signals"][signal]["queryable"].as_u64();
        if (queryable("traces"), queryable("logs")) == (Some(SPANS), Some(3)) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "not queryable: {own:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub(crate) async fn among_others(browser: &Browser) -> Result<()> {
    let product = Product::serve()?;
    send(&product).await?;
    let tab = Tab::open(browser, 1440, 900).await?;
    let url = |path: &str| {
        let join = if path.contains('?') { '&' } else { '?' };
        format!("{}{path}{join}theme=dark&lang=en", product.dashboard)
    };
    let slow = format!("/traces/{SLOW:032x}");
    it_says_what_is_unusual(&tab, &url(&slow)).await?;
    links_lead_both_ways(&tab, &url(&slow)).await?;
    logs_stand_between_spans(&tab, &url(&slow)).await?;
    it_is_pinned_and_let_go(&tab, &url(&slow), &url("/traces")).await?;
    it_is_compared(&tab, &url(&slow), &url("/traces")).await?;
    it_is_found_by_its_id_alone(&tab, &url("/logs")).await?;
    ensure!(tab.complaints().is_empty(), "{:?}", tab.complaints());
    files_are_shown(&tab, &product, &url("/traces")).await?;
    tab.close().await?;
    in_every_dress(browser, &product).await
}

/// A picture of the state, which must be accessible.
async fn shot(tab: &Tab, name: &str) -> Result<()> {
    tab.screenshot(&shots().join(format!("{name}.png"))).await?;
    let violations = axe::violations(tab).await?;
    ensure!(violations.is_empty(), "{name}: {violations:?}");
    Ok(())
}

/// Clicks what says something.
async fn press(tab: &Tab, selector: &str, text: &str) -> Result<()> {
    let found = format!("[...document.querySelectorAll({selector:?})].find((e) => e.innerText.includes({text:?}))");
    tab.wait_for(&found).await?;
    tab.eval::<bool>(&format!("({found}.click(), true)")).await?;
    Ok(())
}

async fn it_says_what_is_unusual(tab: &Tab, url: &str) -> Result<()> {
    tab.goto(url).await?;
    let head = "document.querySelector('.trace-head').innerText";
    tab.wait_for(&format!("{head}.includes('of its operation') || {head}.includes('The slowest')")).await?;
    for said in ["1 without their parent", "1 after their parent", "1 with another clock", "network", "downstream"] {
        tab.wait_for(&format!("{head}.includes({said:?})")).await?;
    }
    shot(tab, "trace-odd").await?;
    for (kind, note) in
        [("clock", "before its caller did"), ("after their", "nobody waited"), ("without", "has not been received")]
    {
        press(tab, ".odd", kind).await?;
        tab.wait_for(&format!(
            "document.querySelector('.drawer .facts ~ .span-note')?.parentNode.innerText.includes({note:?})"
        ))
        .await?;
    }
    // Of six calls five took less.
    tab.goto(&format!("{url}&span=0000000000000001")).await?;
    tab.wait_for("document.querySelector('.drawer .standing')?.innerText.includes('of the 6 calls in the day before')")
        .await?;
    let said: String = tab.eval("document.querySelector('.drawer .standing b').innerText").await?;
    ensure!(said == "p83 of its operation", "{said}");
    Ok(())
}

async fn links_lead_both_ways(tab: &Tab, url: &str) -> Result<()> {
    tab.goto(&format!("{url}&span=0000000000000001")).await?;
    tab.wait_for("document.querySelector('.linked')?.innerText.includes('process order')").await?;
    tab.wait_for("document.querySelector('.drawer')?.innerText.includes('Linked from 1')").await?;
    shot(tab, "trace-linked").await?;
    tab.click(".linked-list a").await?;
    tab.wait_for(&format!("location.pathname.endsWith('{LINKING:032x}') && location.search.includes('span=')")).await?;
    tab.settled().await?;
    tab.wait_for("document.querySelector('.drawer .event a.mono')").await?;
    tab.click(".drawer .event a.mono").await?;
    tab.wait_for(&format!(
        "location.pathname.endsWith('{SLOW:032x}') && location.search.includes('span=0000000000000001')"
    ))
    .await
}

async fn logs_stand_between_spans(tab: &Tab, url: &str) -> Result<()> {
    tab.goto(url).await?;
    tab.wait_for(&format!("({TWIN}).includes('send mail')")).await?;
    let before: u32 = tab.eval("document.querySelectorAll('[role=treegrid] tbody tr').length").await?;
    press(tab, ".stage .panel-head button[title^='Log records']", "Logs").await?;
    tab.wait_for("location.search.includes('logs=on')").await?;
    tab.wait_for(&format!("({TWIN}).includes('connection reset by peer') && ({TWIN}).includes('checkout begins')"))
        .await?;
    let rows = "document.querySelectorAll('[role=treegrid] tbody tr').length";
    tab.wait_for(&format!("{rows} === {}", before + 3)).await?;
    let lines: Vec<String> = tab.eval(&format!("({TWIN}).split('\\n').filter((l) => l.trim())")).await?;
    let place = |text: &str| lines.iter().position(|line| line.contains(text));
    ensure!(place("checkout begins") == Some(1), "{lines:?}");
    shot(tab, "trace-inline").await?;
    // Keys go from span to span.
    tab.eval::<bool>("(document.querySelector('.wf').focus(), true)").await?;
    let mut seen = Vec::new();
    let span = "(location.search.split('span=')[1] ?? '').slice(0, 16)";
    for _ in 0..4 {
        let before = seen.last().cloned().unwrap_or_default();
        tab.press("j").await?;
        tab.wait_for(&format!("{span} !== {before:?}")).await?;
        seen.push(tab.eval::<String>(span).await?);
    }
    let spans = [1, 2, 3, 4].map(|id| format!("{id:016x}"));
    ensure!(seen == spans, "{seen:?}");
    tab.goto(url).await?;
    tab.wait_for(&format!("!({TWIN}).includes('checkout begins')")).await
}

async fn it_is_pinned_and_let_go(tab: &Tab, url: &str, list: &str) -> Result<()> {
    tab.goto(url).await?;
    // Until it is known what is pinned, the button does nothing.
    tab.wait_for("document.querySelector('.trace-actions button')?.disabled === false").await?;
    press(tab, ".trace-actions button", "Pin").await?;
    tab.wait_for("document.querySelector('.trace-actions button').getAttribute('aria-pressed') === 'true'").await?;
    tab.goto(list).await?;
    press(tab, ".found .panel-head button", "Pinned").await?;
    tab.wait_for("document.querySelector('.pins')?.innerText.includes('1 of 1,000')").await?;
    shot(tab, "traces-pinned").await?;
    tab.click(".pin-item button").await?;
    tab.wait_for("document.querySelector('.pins')?.innerText.includes('No trace is pinned')").await?;
    shot(tab, "traces-no-pins").await?;
    tab.goto(url).await?;
    tab.wait_for("document.querySelector('.trace-actions button').getAttribute('aria-pressed') === 'false'").await
}

async fn it_is_compared(tab: &Tab, url: &str, list: &str) -> Result<()> {
    tab.goto(url).await?;
    press(tab, ".trace-actions button", "Compare").await?;
    tab.wait_for("document.querySelector('.compare-chooser')?.getBoundingClientRect().right <= innerWidth").await?;
    shot(tab, "trace-compare-choose").await?;
    tab.click("#compare-id").await?;
    tab.type_text("nonsense").await?;
    tab.press("Enter").await?;
    tab.wait_for("document.querySelector('.compare-chooser [role=alert]')").await?;
    press(tab, ".compare-chooser button", "With a typical one").await?;
    let table = "document.querySelector('.table-two')?.innerText";
    tab.wait_for(&format!("location.search.includes('with=typical') && {table}?.includes('rebuild cart')")).await?;
    for badge in ["more errors", "slower", "new"] {
        tab.wait_for(&format!("{table}.includes({badge:?})")).await?;
    }
    // The median of the usual ones.
    let path = format!("{:032x}", USUAL[2]);
    tab.wait_for(&format!("document.querySelector('.two-card a').pathname.endsWith('{path}')")).await?;
    shot(tab, "trace-compare").await?;
    let rows = "document.querySelectorAll('.table-two tbody tr').length";
    let all: u32 = tab.eval(rows).await?;
    tab.click(".table-two .twist[aria-expanded=true]").await?;
    tab.wait_for(&format!("{rows} < {all}")).await?;
    tab.click(".table-two .twist[aria-expanded=false]").await?;
    tab.wait_for(&format!("{rows} === {all}")).await?;
    tab.click(".two-heads .icon-button").await?;
    tab.wait_for(&format!("location.pathname.endsWith('{path}') && {table}?.includes('gone')")).await?;
    press(tab, ".compare-actions button", "End").await?;
    tab.wait_for("!location.search.includes('with=') && document.querySelector('.trace-head')").await?;

    // Two of the list.
    tab.goto(list).await?;
    let boxes = "document.querySelectorAll('.pick')";
    tab.wait_for(&format!("{boxes}.length >= 3")).await?;
    tab.eval::<bool>(&format!("({boxes}[1].click(), true)")).await?;
    tab.wait_for("document.querySelector('.found .panel-head').innerText.includes('second trace')").await?;
    tab.eval::<bool>(&format!("({boxes}[2].click(), true)")).await?;
    tab.wait_for("document.querySelector('.found .panel-head').innerText.includes('Compare these two')").await?;
    shot(tab, "traces-picked").await?;
    press(tab, ".found .panel-head a", "Compare these two").await?;
    tab.wait_for("location.search.includes('with=') && document.querySelector('.table-two tbody tr')").await
}

async fn it_is_found_by_its_id_alone(tab: &Tab, url: &str) -> Result<()> {
    tab.goto(url).await?;
    let keys = "document.dispatchEvent(new KeyboardEvent('keydown', {key: 'k', ctrlKey: true, bubbles: true}))";
    tab.eval::<bool>(&format!("(window.{}, true)", keys.trim_start_matches("document."))).await?;
    tab.wait_for("document.activeElement?.classList.contains('palette-input')").await?;
    tab.type_text(&format!("{SLOW:032X}")).await?;
    tab.wait_for("document.querySelector('.palette-item')?.innerText.includes('Open trace')").await?;
    tab.press("Enter").await?;
    tab.wait_for(&format!("location.pathname.endsWith('{SLOW:032x}')")).await?;
    tab.settled().await?;
    tab.wait_for("document.querySelector('.trace-name')?.innerText === 'GET /checkout'").await
}

/// JavaScript: gives the page a file, chosen or dropped.
fn give(text: &str, dropped: bool) -> String {
    let held = format!("const held = new DataTransfer(); held.items.add(new File([{}], 'saved.json'));", json!(text));
    let act = if dropped {
        "document.querySelector('.traces').dispatchEvent(new DragEvent('drop', {dataTransfer: held, bubbles: true, cancelable: true}))"
    } else {
        "const input = document.querySelector('input[type=file]'); input.files = held.files; input.dispatchEvent(new Event('change'))"
    };
    format!("(() => {{ {held} {act}; return true }})()")
}

async fn files_are_shown(tab: &Tab, product: &Product, list: &str) -> Result<()> {
    tab.goto(&format!("{}/traces/{SLOW:032x}?lang=en&theme=dark", product.dashboard)).await?;
    tab.wait_for(&format!("({TWIN}).includes('SELECT carts')")).await?;
    let stored: String = tab.eval(TWIN).await?;
    for (form, dropped) in [("otlp", false), ("jaeger", true)] {
        let file = product.get(&format!("/api/v1/traces/{SLOW:032x}/{form}")).await?.to_string();
        tab.goto(list).await?;
        tab.wait_for("document.querySelector('input[type=file]')").await?;
        tab.eval::<bool>(&give(&file, dropped)).await?;
        tab.wait_for("location.pathname === '/traces/file' && document.querySelector('.trace-head')").await?;
        tab.wait_for("document.querySelector('.badge-file')?.innerText === 'From saved.json, not stored'").await?;
        tab.wait_for(&format!("({TWIN}).includes('SELECT carts')")).await?;
        let shown: String = tab.eval(TWIN).await?;
        ensure!(shown == stored, "{form}: {shown}\ninstead of {stored}");
        // What a span says is in the file, too.
        tab.eval::<bool>("(document.querySelector('.wf').focus(), true)").await?;
        tab.press("e").await?;
        tab.wait_for("document.querySelector('.drawer')?.innerText.includes('span_id') || document.querySelector('.drawer .section')").await?;
    }
    shot(tab, "trace-file").await?;
    tab.eval::<bool>("(location.reload(), true)").await?;
    tab.wait_for("document.querySelector('main .notice')?.innerText.includes('is not stored')").await?;
    shot(tab, "trace-file-gone").await?;
    tab.goto(list).await?;
    tab.wait_for("document.querySelector('input[type=file]')").await?;
    tab.eval::<bool>(&give("{\"logs\": 1}", false)).await?;
    tab.wait_for("document.querySelector('.file-notice')?.innerText.includes('neither `resourceSpans` (OTLP) nor `data` (Jaeger)')").await?;
    shot(tab, "traces-file-wrong").await?;
    let over = "(() => { const held = new DataTransfer(); held.items.add(new File(['x'], 'x.json')); \
         document.querySelector('.traces').dispatchEvent(new DragEvent('dragover', {dataTransfer: held, bubbles: true, cancelable: true})); return true })()";
    tab.eval::<bool>(over).await?;
    tab.wait_for("document.querySelector('.drop-here')").await?;
    shot(tab, "traces-drop").await
}

/// Comparison and trace, dark and light, wide and narrow, in both languages.
async fn in_every_dress(browser: &Browser, product: &Product) -> Result<()> {
    let states = [
        ("trace-two", format!("/traces/{SLOW:032x}?with={:032x}", USUAL[0])),
        ("trace-all", format!("/traces/{SLOW:032x}?logs=on&span=0000000000000001")),
        ("traces-boxes", "/traces".to_owned()),
    ];
    let states = states.map(|(name, path)| (name.to_owned(), path));
    dress::looked_at(browser, product, &dress::TWO, &states, async |_, _| Ok(())).await
}
