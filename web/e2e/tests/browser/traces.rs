//! Huge traces: sent over OTLP, opened, scrolled, searched. What is there is asserted; how fast it was is printed.

use crate::pages::shots;
use crate::product::Product;
use crate::tab::Tab;
use anyhow::{Result, bail, ensure};
use chromiumoxide::browser::Browser;
use futures_util::{StreamExt, TryStreamExt, stream};
use orrery_synth::monster::Monster;
use std::time::{Duration, Instant};

/// JavaScript: something has been painted on the waterfall's canvas.
const PAINTED: &str = "(() => { const c = document.querySelector('.wf canvas'); if (!c || c.width < 301) return false; \
     const d = c.getContext('2d').getImageData(0, 40, 300, 40).data; return d.some((v) => v !== 0) })()";

/// Scrolls the waterfall by 1500 px per frame and says how long frames took, milliseconds.
const SCROLL: &str = "new Promise((done) => { const box = document.querySelector('.wf'), times = []; let last = 0; \
     const step = (now) => { if (last) times.push(now - last); last = now; box.scrollTop += 1500; \
     times.length < 150 ? requestAnimationFrame(step) : done(times.sort((a, b) => a - b)) }; \
     requestAnimationFrame(step) })";

/// When the trace was asked for, when its answer began and ended, and its bytes.
const ANSWER: &str = "(() => { const r = performance.getEntriesByType('resource').find((r) => r.name.includes('/columns')); \
     return [r.startTime, r.responseStart, r.responseEnd, r.encodedBodySize] })()";

/// Requests under way at once.
const CONNECTIONS: usize = 4;

/// Opens traces of a hundred thousand and a million spans.
pub(crate) async fn of_a_million_spans(browser: &Browser) -> Result<()> {
    let product = Product::serve()?;
    for (trace_id, spans) in [(0xabc, 100_000), (0xdef, 1_000_000)] {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos() as u64;
        let monster = Monster { trace_id, spans, start_unix_nano: now - 120_000_000_000 };
        send(&product, monster).await?;
        open(browser, &product, monster).await?;
    }
    Ok(())
}

async fn send(product: &Product, monster: Monster) -> Result<()> {
    let began = Instant::now();
    send_all(product, monster.requests(), monster.spans).await?;
    crate::say!("{} spans sent and queryable in {:.1} s", monster.spans, began.elapsed().as_secs_f64());
    Ok(())
}

/// Sends bodies and waits until all their spans can be asked for.
pub(crate) async fn send_all(product: &Product, bodies: impl Iterator<Item = Vec<u8>>, spans: u64) -> Result<()> {
    let before = queryable(product).await?;
    let (client, url) = (reqwest::Client::new(), format!("{}/v1/traces", product.otlp));
    let post = |body: Vec<u8>| {
        let (client, url) = (client.clone(), url.clone());
        async move {
            // Told to come back later, one comes back later: the trace is sent faster than it can be taken.
            for _ in 0..300 {
                let request = client.post(&url).header("content-type", "application/x-protobuf").body(body.clone());
                match request.send().await?.status().as_u16() {
                    200 => return Ok(()),
                    429 | 503 => tokio::time::sleep(Duration::from_millis(200)).await,
                    status => bail!("the receiver says {status}"),
                }
            }
            bail!("refused for a minute")
        }
    };
    stream::iter(bodies.map(post)).buffer_unordered(CONNECTIONS).try_collect::<Vec<()>>().await?;
    let deadline = Instant::now() + Duration::from_secs(120);
    while queryable(product).await? < before + spans {
        ensure!(Instant::now() < deadline, "{spans} spans are not queryable within two minutes");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn queryable(product: &Product) -> Result<u64> {
    Ok(product.get("/api/v1/self").await?["signals"]["traces"]["queryable"].as_u64().unwrap_or(0))
}

async fn open(browser: &Browser, product: &Product, monster: Monster) -> Result<()> {
    let url = format!("{}/traces/{:032x}?theme=dark&lang=en", product.dashboard, monster.trace_id);
    let (mut opened, mut answer) = (Vec::new(), [0.0; 4]);
    for _ in 0..4 {
        let tab = Tab::open(browser, 1440, 900).await?;
        let watch = format!(
            "(() => {{ const look = () => {{ if ({PAINTED}) {{ window.painted = performance.now(); }} else {{ \
             requestAnimationFrame(look); }} }}; look(); }})()"
        );
        tab.before_every_page(&watch).await?;
        tab.goto(&url).await?;
        tab.wait_for("window.painted").await?;
        opened.push(tab.eval::<f64>("window.painted").await?);
        answer = tab.eval(ANSWER).await?;
        ensure!(tab.complaints().is_empty(), "{:?}", tab.complaints());
        tab.close().await?;
    }
    // The first visit fills caches of browser and server.
    let first = opened.remove(0);
    opened.sort_by(f64::total_cmp);
    let spans = monster.spans;
    crate::say!("{spans} spans: open {:.0} ms (median of 3; first visit {first:.0} ms)", opened[1]);
    let [asked, began, ended, bytes] = answer;
    crate::say!("  of the last visit: asked {asked:.0}, answer {began:.0} to {ended:.0} ms, {:.1} MB", bytes / 1e6);

    let tab = Tab::open(browser, 1440, 900).await?;
    tab.goto(&url).await?;
    tab.wait_for(PAINTED).await?;
    check(&tab, monster).await?;
    tab.close().await
}

async fn check(tab: &Tab, monster: Monster) -> Result<()> {
    let spans = monster.spans;
    let head: String = tab.eval("document.querySelector('.trace-head').innerText").await?;
    for said in [grouped(spans) + " Spans", "14 Services".to_owned(), format!("{} errors", grouped(monster.errors()))] {
        ensure!(head.contains(&said), "the head does not say {said}: {head}");
    }
    let twin = "[...document.querySelectorAll('[role=treegrid] tbody tr')].map((row) => row.innerText).join('\\n')";
    tab.wait_for(&format!("({twin}).includes('SELECT cart ×{}')", grouped(Monster::REPEATED))).await?;
    tab.screenshot(&shots().join(format!("trace-{spans}.png"))).await?;

    // Every failed span is reached, one after the other.
    tab.eval::<bool>("(document.querySelector('.wf').focus(), true)").await?;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..5 {
        let before = tab.url().await?;
        tab.press("e").await?;
        tab.wait_for(&format!("location.href !== {before:?} && location.search.includes('span=')")).await?;
        let span = tab.url().await?.split("span=").nth(1).unwrap_or_default().chars().take(16).collect::<String>();
        let id = u64::from_str_radix(&span, 16)?;
        ensure!((0..spans).any(|at| monster.span_id(at) == id && at % 997 == 0), "{span} has not failed");
        ensure!(seen.insert(id), "{span} comes twice");
    }
    tab.wait_for("document.querySelector('.drawer .is-exception')").await?;
    let drawer: String = tab.eval("document.querySelector('.drawer').innerText").await?;
    ensure!(drawer.contains("deadline exceeded") && drawer.contains("TimeoutError"), "{drawer}");
    tab.screenshot(&shots().join(format!("trace-{spans}-error.png"))).await?;
    tab.eval::<bool>("(document.querySelector('.drawer .icon-button').click(), true)").await?;

    tab.click(".stage .panel-head input").await?;
    tab.type_text("SELECT").await?;
    tab.wait_for(&format!(
        "document.querySelector('.stage [role=status]').innerText === '{} found'",
        grouped(Monster::REPEATED)
    ))
    .await?;
    tab.eval::<bool>("(() => { const i = document.querySelector('.stage input'); i.value = ''; i.dispatchEvent(new Event('input', {bubbles: true})); return true })()").await?;

    other_pictures(tab, monster).await?;

    // Everything open: as many rows as spans.
    tab.eval::<bool>("([...document.querySelectorAll('.stage .panel-head button')].find((b) => b.innerText.includes('Expand')).click(), true)").await?;
    tab.wait_for(&format!("document.querySelector('[role=treegrid]').ariaRowCount === '{spans}' || document.querySelector('[role=treegrid]').getAttribute('aria-rowcount') === '{spans}'")).await?;
    let frames: Vec<f64> = tab.eval(SCROLL).await?;
    let quantile = |share: f64| frames[((frames.len() - 1) as f64 * share) as usize];
    crate::say!("{spans} spans, all open: scroll p50 {:.1} ms, p95 {:.1} ms", quantile(0.5), quantile(0.95));
    tab.screenshot(&shots().join(format!("trace-{spans}-scrolled.png"))).await?;
    ensure!(tab.complaints().is_empty(), "{:?}", tab.complaints());
    Ok(())
}

async fn other_pictures(tab: &Tab, monster: Monster) -> Result<()> {
    let spans = monster.spans;
    let choose = async |name: &str| -> Result<()> {
        tab.eval::<bool>(&format!("(document.querySelector('.switch button[title={name:?}]').click(), true)")).await?;
        Ok(())
    };
    choose("Flame graph").await?;
    tab.wait_for(PAINTED).await?;
    // The root is the widest block, on top.
    let field: [f64; 2] = tab
        .eval("(() => { const r = document.querySelector('.wf').getBoundingClientRect(); return [r.left, r.top] })()")
        .await?;
    tab.point(field[0] + 100.0, field[1] + 8.0).await?;
    tab.wait_for("document.querySelector('.flame-line').innerText.startsWith('service-0 · POST /checkout · ×1')")
        .await?;
    tab.screenshot(&shots().join(format!("trace-{spans}-flame.png"))).await?;

    choose("Table").await?;
    tab.wait_for(&format!("document.querySelector('.table-spans')?.getAttribute('aria-rowcount') === '{spans}'"))
        .await?;
    let first = "document.querySelector('.table-spans tbody tr:nth-child(2)').innerText";
    tab.wait_for(&format!("{first}.includes('POST /checkout')")).await?;
    tab.screenshot(&shots().join(format!("trace-{spans}-table.png"))).await?;

    choose("Map").await?;
    tab.wait_for("document.querySelector('.map-field')?.ariaLabel?.includes('14 ')").await?;
    tab.screenshot(&shots().join(format!("trace-{spans}-map.png"))).await?;

    choose("Waterfall").await?;
    tab.wait_for(PAINTED).await
}

fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}
