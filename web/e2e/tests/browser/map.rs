//! The service map at sizes people have: groups, search, surroundings, pins; two ranges; the reach of a failure. What is
//! there is asserted; how fast it was is printed.

use crate::dress;
use crate::journeys::find_on_map;
use crate::product::Product;
use crate::tab::Tab;
use crate::traces::send_all;
use anyhow::{Context, Result, ensure};
use chromiumoxide::browser::Browser;
use orrery_synth::system::System;
use serde_json::Value;
use std::time::{Duration, Instant};

const MINUTE: u64 = 60_000_000_000;
const FIELD: &str = "document.querySelector('.map-field')";

/// JavaScript: moves the map to and fro under the pointer, once per frame, and says how long our part of a frame and
/// the frames took, milliseconds, sorted.
const PAN: &str = "new Promise((done) => { const field = document.querySelector('.map-field'), box = field.getBoundingClientRect(); \
     const y = box.bottom - 14, own = [], frames = []; let x = box.left + 300, last = 0, n = 0; \
     const send = (kind) => field.dispatchEvent(new PointerEvent(kind, {clientX: x, clientY: y, pointerId: 1, pointerType: 'touch', button: 0, buttons: 1, bubbles: true})); \
     send('pointerdown'); \
     const step = (now) => { if (last) frames.push(now - last); last = now; x += n % 40 < 20 ? 9 : -9; const t = performance.now(); send('pointermove'); \
     queueMicrotask(() => setTimeout(() => own.push(performance.now() - t))); \
     if (++n < 80) requestAnimationFrame(step); else { send('pointerup'); setTimeout(() => done([own.sort((a, b) => a - b), frames.sort((a, b) => a - b)]), 100) } }; \
     requestAnimationFrame(step) })";

fn now() -> Result<u64> {
    Ok(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos() as u64)
}

async fn tell(product: &Product, system: &System, traces: u64, from: u64, length: u64) -> Result<()> {
    send_all(product, system.requests(traces, from, length), traces * system.spans()).await
}

/// Two hundred and a thousand services, told to a product each, and how fast their maps move.
pub(crate) async fn measured(browser: &Browser) -> Result<Vec<(Product, System)>> {
    let mut all = Vec::new();
    for (services, namespaces) in [(200, 12), (1_000, 40)] {
        let product = Product::serve()?;
        let system = System { failing: Some(services / 3), ..System::new(services, namespaces) };
        tell(&product, &system, 30, now()? - 5 * MINUTE, 4 * MINUTE).await?;
        let map = product.get("/api/v1/topology").await?;
        let nodes = map["nodes"].as_array().map_or(0, Vec::len);
        crate::say!("{services} services: {nodes} nodes, {} edges", map["edges"].as_array().map_or(0, Vec::len));
        speed(browser, &product, services).await?;
        all.push((product, system));
    }
    Ok(all)
}

/// What can be done with their maps.
pub(crate) async fn of_hundreds_and_of_a_thousand(browser: &Browser, systems: &[(Product, System)]) -> Result<()> {
    for (product, system) in systems {
        dresses(browser, product, system.services).await?;
        groups_and_search(browser, product, system).await?;
        surroundings_and_kinds(browser, product, system).await?;
        pins(browser, product, system.services).await?;
    }
    Ok(())
}

/// Nodes that the map says it has.
async fn nodes_drawn(tab: &Tab) -> Result<usize> {
    let label: String = tab.eval(&format!("{FIELD}.getAttribute('aria-label')")).await?;
    let number = label.split(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty());
    number.context("the map says how many nodes it has")?.parse().context("a number")
}

/// Waits until the map has moved to its layout.
async fn until_still() {
    tokio::time::sleep(Duration::from_millis(400)).await;
}

async fn pictured(tab: &Tab, name: &str) -> Result<()> {
    until_still().await;
    let problems = dress::problems(tab, name).await?;
    ensure!(problems.is_empty(), "{name}: {problems:?}");
    Ok(())
}

async fn dresses(browser: &Browser, product: &Product, services: usize) -> Result<()> {
    let queries = [("closed", ""), ("open", "open=*"), ("table", "view=table")];
    let states = dress::states(&format!("map-{services}"), "/", &queries);
    dress::looked_at(browser, product, &dress::TWO, &states, async |tab, name| {
        if name.ends_with("closed") {
            let drawn = nodes_drawn(tab).await?;
            ensure!((2..=60).contains(&drawn), "{drawn} nodes are drawn of {services}");
        }
        until_still().await;
        Ok(())
    })
    .await
}

async fn groups_and_search(browser: &Browser, product: &Product, system: &System) -> Result<()> {
    let services = system.services;
    let tab = Tab::open(browser, 1440, 900).await?;
    tab.goto(&format!("{}/?theme=dark&lang=en", product.dashboard)).await?;
    let closed = nodes_drawn(&tab).await?;

    // By keyboard: onto a node, open it, close it again.
    tab.eval::<bool>(&format!("({FIELD}.focus(), true)")).await?;
    let mut steps = 0;
    tab.press("ArrowRight").await?;
    while !tab.eval::<String>("document.querySelector('.map > [role=status]').innerText").await?.starts_with("team-") {
        tab.press(["ArrowRight", "ArrowDown", "ArrowUp"][steps % 3]).await?;
        steps += 1;
        ensure!(steps < 60, "arrow keys find no group");
    }
    tab.press(" ").await?;
    tab.wait_for("location.search.includes('open=team-')").await?;
    tab.wait_for(&format!("+{FIELD}.getAttribute('aria-label').match(/\\d+/)[0] > {closed}")).await?;
    pictured(&tab, &format!("map-{services}-one-open")).await?;
    tab.press(" ").await?;
    tab.wait_for("location.search.includes('open=-')").await?;
    ensure!(nodes_drawn(&tab).await? == closed, "a group closes again");

    // By mouse: the plus of the group under the pointer.
    tab.click("button[aria-label='Groups']").await?;
    tab.click(".cut-list input").await?;
    tab.wait_for("location.search.includes('open=team-00')").await?;
    pictured(&tab, &format!("map-{services}-groups")).await?;

    // A search finds what is in closed groups; Enter goes there.
    let wanted = system.name(services * 3 / 4);
    tab.eval::<bool>(&format!("({FIELD}.focus(), true)")).await?;
    tab.press("/").await?;
    tab.wait_for("document.activeElement.type === 'search'").await?;
    tab.type_text(&wanted[..wanted.len() - 2]).await?;
    tab.wait_for("document.querySelector('.map-found').innerText.includes('found')").await?;
    pictured(&tab, &format!("map-{services}-search")).await?;
    tab.type_text(&wanted[wanted.len() - 2..]).await?;
    tab.wait_for("document.querySelector('.map-found').innerText.startsWith('1 ')").await?;
    tab.press("Enter").await?;
    tab.wait_for("document.querySelector('.drawer')").await?;
    tab.settled().await?;
    let (url, heading): (String, String) =
        (tab.url().await?, tab.eval("document.querySelector('.drawer-heading').innerText").await?);
    ensure!(heading == wanted, "{heading} is chosen instead of {wanted}");
    let group = format!("team-{:02}", services * 3 / 4 * system.namespaces / services);
    ensure!(url.contains(&group) && url.contains("find="), "{url} does not say what is seen");
    pictured(&tab, &format!("map-{services}-found")).await?;
    // It stands in the middle of the map.
    let (x, y): (f64, f64) = tab.eval(&format!("(() => {{ const b = {FIELD}.getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2] }})()")).await?;
    tab.point(x, y).await?;
    tab.wait_for(&format!("{FIELD}.title === {wanted:?}")).await?;
    tab.close().await?;

    // The link shows the same to somebody else.
    let tab = Tab::open(browser, 1440, 900).await?;
    tab.goto(&url).await?;
    tab.wait_for("document.querySelector('.drawer-heading')").await?;
    let again: String = tab.eval("document.querySelector('.drawer-heading').innerText").await?;
    ensure!(again == wanted && tab.eval::<String>("document.querySelector('.map-find input').value").await? == wanted);
    tab.close().await
}

async fn surroundings_and_kinds(browser: &Browser, product: &Product, system: &System) -> Result<()> {
    let services = system.services;
    let middle = services / 2;
    let id = system.id(middle);
    let counted = |hops: usize| surroundings(system, middle, hops);
    let tab = Tab::open(browser, 1440, 900).await?;
    tab.goto(&format!("{}/?theme=light&lang=en&hide=database&sel=node:{id}", product.dashboard)).await?;
    let around = "[...document.querySelectorAll('.drawer button')].find((b) => b.innerText.includes('Look around'))";
    tab.wait_for(around).await?;
    tab.eval::<bool>(&format!("({around}.click(), true)")).await?;
    tab.wait_for("location.search.includes('near=')").await?;
    for (hops, button) in [(2, "One call less"), (1, "One call further")] {
        let said = format!("{} of", counted(hops));
        tab.wait_for(&format!("document.querySelector('.map-bar').innerText.includes({said:?})")).await?;
        ensure!(nodes_drawn(&tab).await? <= counted(hops), "more is drawn than lies around");
        tab.click(&format!("button[aria-label='{button}']")).await?;
    }
    tab.wait_for("location.search.includes('hops=2')").await?;
    tab.eval::<bool>("(document.querySelector('.drawer .icon-button').click(), true)").await?;
    pictured(&tab, &format!("map-{services}-around")).await?;
    tab.click(".map-bar .button").await?;
    tab.wait_for("!location.search.includes('near=') && !location.search.includes('hide=')").await?;
    tab.click("button[aria-label='Kinds']").await?;
    pictured(&tab, &format!("map-{services}-kinds")).await?;
    tab.close().await
}

/// Services and what they ask around one, people included, databases left out.
fn surroundings(system: &System, middle: usize, hops: usize) -> usize {
    let mut near = std::collections::BTreeSet::from([middle]);
    for _ in 0..hops {
        let next: Vec<usize> = system
            .edges()
            .into_iter()
            .flat_map(|(a, b)| [near.contains(&a).then_some(b), near.contains(&b).then_some(a)])
            .flatten()
            .collect();
        near.extend(next);
    }
    near.len()
}

async fn pins(browser: &Browser, product: &Product, services: usize) -> Result<()> {
    let tab = Tab::open(browser, 1440, 900).await?;
    let url = format!("{}/?theme=dark&lang=en", product.dashboard);
    tab.goto(&url).await?;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let from = find_on_map(&tab, "team-01").await?;
    let field: [f64; 4] = tab
        .eval(&format!(
            "(() => {{ const r = {FIELD}.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom] }})()"
        ))
        .await?;
    let to = (field[2] - 120.0, field[1] + 90.0);
    tab.drag(from, to).await?;
    let kept = "Object.entries(localStorage).find(([name]) => name.startsWith('orrery-pins:'))?.[1] ?? ''";
    tab.wait_for(&format!("({kept}).includes('group:team-01')")).await?;
    tab.wait_for(&format!("{FIELD}.title === 'team-01'")).await?;
    pictured(&tab, &format!("map-{services}-pinned")).await?;
    // Another day, the same place.
    let place: String = tab.eval(kept).await?;
    tab.goto(&url).await?;
    tab.wait_for("[...document.querySelectorAll('.map-tools button')].some((b) => b.innerText.includes('Unpin all'))")
        .await?;
    ensure!(tab.eval::<String>(kept).await? == place, "a pin moved");
    tab.eval::<bool>("([...document.querySelectorAll('.map-tools button')].find((b) => b.innerText.includes('Unpin all')).click(), true)").await?;
    tab.wait_for(&format!("!({kept})")).await?;
    ensure!(tab.complaints().is_empty(), "{:?}", tab.complaints());
    tab.close().await
}

async fn speed(browser: &Browser, product: &Product, services: usize) -> Result<()> {
    for (name, query) in [("closed", ""), ("open", "&open=*")] {
        let tab = Tab::open(browser, 1440, 900).await?;
        tab.goto(&format!("{}/?theme=dark&lang=en{query}", product.dashboard)).await?;
        tokio::time::sleep(Duration::from_millis(600)).await;
        let (own, frames): (Vec<f64>, Vec<f64>) = tab.eval(PAN).await?;
        ensure!(!tab.url().await?.contains("sel="), "panning chooses nothing");
        let of = |values: &[f64], share: f64| values[((values.len() - 1) as f64 * share) as usize];
        crate::say!(
            "{services} services, {name}, {} nodes drawn: a panned frame costs us {:.1} ms (p95 {:.1}); frames {:.0} ms apart (p95 {:.0})",
            nodes_drawn(&tab).await?,
            of(&own, 0.5),
            of(&own, 0.95),
            of(&frames, 0.5),
            of(&frames, 0.95)
        );
        tab.close().await?;
    }
    Ok(())
}

/// A quarter of an hour that went well, and the one after it, that did not.
pub(crate) async fn of_two_ranges(browser: &Browser) -> Result<()> {
    let product = Product::serve()?;
    let well = System::new(40, 4);
    let ill =
        System { failing: Some(25), slow: Some(30), gone: Some(well.last()), calls_outside: Some(12), ..well.clone() };
    let end = now()?;
    tell(&product, &well, 120, end - 29 * MINUTE, 13 * MINUTE).await?;
    tell(&product, &ill, 120, end - 14 * MINUTE, 13 * MINUTE).await?;

    // A range of its own: this takes minutes, and the last quarter of an hour is another one then.
    let (from, to) = (end - 15 * MINUTE, end);
    let range = format!("from={}&to={}", from / 1_000_000, to / 1_000_000);

    let diff = told_with_the_host(&product, &format!("/api/v1/topology/diff?from={from}&to={to}")).await?;
    let changes = diff["changes"].as_array().context("changes")?;
    let has = |what: &str, node: &str| {
        let is_it = |change: &&Value| change["what"] == what && change["node"] == node && change["caller"].is_null();
        changes.iter().any(|change| is_it(&change))
    };
    ensure!(has("more_errors", &well.id(25)), "the failing service is not told: {diff:#}");
    ensure!(
        has("slower", &well.id(30)) && has("gone", &well.id(well.last())),
        "slower and gone are not told: {changes:#?}"
    );
    let first = &changes[0];
    ensure!(
        first["what"] == "more_errors" && first["node"] == Value::String(well.id(25)),
        "the cause does not come first: {first}"
    );
    ensure!(
        !changes.iter().any(|change| change["node"] == Value::String(well.id(1))
            && change["explained_by"].is_null()
            && change["caller"].is_null()),
        "{changes:#?}"
    );

    let impact = product.get(&format!("/api/v1/topology/impact?node={}&from={from}&to={to}", well.id(25))).await?;
    let held = impact["held"].as_array().context("held")?;
    ensure!(held.iter().any(|held| held["node"] == Value::String(well.id(0))), "service 0 does without it: {impact:#}");
    ensure!(!impact["affected"].as_array().context("affected")?.is_empty(), "its callers are affected: {impact:#}");

    for (width, height) in [(1440, 900), (390, 844)] {
        for (theme, language) in [("dark", "en"), ("light", "ko")] {
            let dress = format!("{theme}-{language}-{width}");
            let tab = Tab::open(browser, width, height).await?;
            let base = format!("{}/?theme={theme}&lang={language}&{range}", product.dashboard);
            tab.goto(&format!("{base}&compare=previous")).await?;
            tab.wait_for("document.querySelectorAll('.changes-list .change').length > 3").await?;
            pictured(&tab, &format!("map-diff-{dress}")).await?;
            tab.click(".changes-list .change").await?;
            tab.wait_for("document.querySelector('.drawer .reach .reach-row')").await?;
            tab.settled().await?;
            pictured(&tab, &format!("map-diff-chosen-{dress}")).await?;
            tab.goto(&format!("{base}&sel=node:{}&reach=1", well.id(25))).await?;
            tab.wait_for("document.querySelector('.drawer .reach .reach-row')").await?;
            pictured(&tab, &format!("map-reach-{dress}")).await?;
            tab.goto(&format!("{base}&compare=previous&open=-")).await?;
            pictured(&tab, &format!("map-diff-closed-{dress}")).await?;
            tab.close().await?;
        }
    }
    by_the_menu(browser, &product, &range).await
}

/// The differences, once the host outside is among them: whoever is called may be a service whose spans are still to come,
/// so a host stands on the map only after a wait.
async fn told_with_the_host(product: &Product, question: &str) -> Result<Value> {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let diff = product.get(question).await?;
        let is_host = |change: &Value| change["what"] == "new_external" && change["node"] == "external:api.new.example";
        if diff["changes"].as_array().into_iter().flatten().any(is_host) {
            return Ok(diff);
        }
        ensure!(Instant::now() < deadline, "the new host outside is not told: {diff:#}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn by_the_menu(browser: &Browser, product: &Product, range: &str) -> Result<()> {
    let tab = Tab::open(browser, 1440, 900).await?;
    tab.goto(&format!("{}/?theme=dark&lang=en&{range}", product.dashboard)).await?;
    tab.click("button[aria-label='Compare']").await?;
    pictured(&tab, "map-compare-menu").await?;
    tab.click(".picker-compare .menu-item").await?;
    tab.wait_for("location.search.includes('compare=previous') && document.querySelector('.changes-list .change')")
        .await?;
    tab.click("button[aria-label='What counts as a change?']").await?;
    pictured(&tab, "map-compare-rule").await?;
    tab.eval::<bool>("([...document.querySelectorAll('.map-bar button')].pop().click(), true)").await?;
    tab.wait_for("!location.search.includes('compare') && !document.querySelector('.changes')").await?;
    ensure!(tab.complaints().is_empty(), "{:?}", tab.complaints());
    tab.close().await
}

/// The shop, some of whose calls fail: where it begins and who feels it.
pub(crate) async fn of_the_shop(browser: &Browser, product: &Product) -> Result<()> {
    // What else is broken may keep orders from being paid at all.
    product.heal().await?;
    product.inject("errors", "payments", 240).await?;
    let failing = "/api/v1/topology?from=now-1m";
    let mut id = String::new();
    let deadline = Instant::now() + Duration::from_secs(180);
    while Instant::now() < deadline {
        let map = product.get(failing).await?;
        // Its database has the same name.
        let is_it = |node: &&Value| node["name"] == "payments" && node["kind"] == "service";
        let node = map["nodes"].as_array().into_iter().flatten().find(is_it).cloned().unwrap_or_default();
        if node["red"]["errors"].as_f64() > Some(3.0) {
            id = node["id"].as_str().unwrap_or_default().to_owned();
            break;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    ensure!(!id.is_empty(), "payments does not fail");
    let impact = product.get(&format!("/api/v1/topology/impact?node={id}&from=now-1m")).await?;
    crate::say!("payments fails: {}", serde_json::to_string(&impact["affected"])?);
    ensure!(impact["origins"][0]["node"] == Value::String(id.clone()), "its failures begin in itself: {impact:#}");
    for theme in ["dark", "light"] {
        let tab = Tab::open(browser, 1440, 900).await?;
        tab.goto(&format!("{}/?theme={theme}&lang=en&range=5m&sel=node:{id}&reach=1", product.dashboard)).await?;
        tab.wait_for("document.querySelector('.drawer .reach .reach-share, .drawer .reach .hint')").await?;
        pictured(&tab, &format!("map-shop-reach-{theme}")).await?;
        tab.goto(&format!("{}/?theme={theme}&lang=en&range=5m&open=-", product.dashboard)).await?;
        pictured(&tab, &format!("map-shop-closed-{theme}")).await?;
        tab.close().await?;
    }
    Ok(())
}
