//! Alerts: a rule written in the editor with its time machine, fired by the shop, taken on and silenced by keyboard, told
//! to a channel; and every page of them in every dress.

use crate::dress;
use crate::product::{Product, Shop};
use crate::tab::Tab;
use anyhow::{Context, Result, ensure};
use chromiumoxide::browser::Browser;
use std::time::{Duration, Instant};

const RULE: &str = "Shop is busy";
/// How long a rule may take to fire that is true from its first judgement on.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) async fn from_rule_to_silence(browser: &Browser) -> Result<()> {
    let product = Product::serve()?;
    let _shop = Shop::open(&product, &[])?;
    until(&product, "/api/v1/services", |answer| answer["services"].as_array().is_some_and(|all| all.len() > 3))
        .await?;
    // What the time machine needs to see trouble that lasts.
    let history = "/api/v1/services?from=now-10m&to=now-40s";
    until(&product, history, |answer| answer["services"].to_string().contains("orders")).await?;
    let tab = Tab::open(browser, 1440, 900).await?;
    nothing_yet(&tab, &product).await?;
    a_channel_is_tried(&tab, &product).await?;
    a_rule_is_written(&tab, &product).await?;
    let id = fires(&product).await?;
    is_marked_on_charts(&tab, &product, &id).await?;
    is_taken_on_by_keyboard(&tab, &product, &id).await?;
    is_silenced(&tab, &product).await?;
    is_turned_off(&tab, &product).await?;
    an_objective_is_made(&tab, &product).await?;
    every_signal_makes_a_rule(&tab, &product).await?;
    // A private address is refused: that is what the test message says.
    ensure!(tab.complaints().is_empty(), "{:?}", tab.complaints());
    tab.close().await?;
    in_every_dress(browser, &product, &id).await
}

/// Asks until an answer is as wanted.
async fn until(
    product: &Product,
    path: &str,
    wanted: impl Fn(&serde_json::Value) -> bool,
) -> Result<serde_json::Value> {
    let deadline = Instant::now() + PATIENCE;
    let mut last = serde_json::Value::Null;
    while Instant::now() < deadline {
        last = product.get(path).await.unwrap_or_default();
        if wanted(&last) {
            return Ok(last);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    anyhow::bail!("{path} is not as wanted within {PATIENCE:?}: {last}")
}

/// Writes into the field with this label, as typing does.
async fn fill(tab: &Tab, place: &str, label: &str, text: &str) -> Result<()> {
    let field = format!(
        "[...document.querySelectorAll('{place} label.field')].find((l) => l.firstChild.textContent.trim() === {label:?})?.querySelector('input, textarea, select')"
    );
    tab.wait_for(&field).await?;
    let write = format!(
        "(() => {{ const field = {field}; field.focus(); field.value = {text:?}; \
         field.dispatchEvent(new Event(field.tagName === 'SELECT' ? 'change' : 'input', {{ bubbles: true }})); return true }})()"
    );
    tab.eval::<bool>(&write).await?;
    Ok(())
}

/// Empty pages say what to do next.
async fn nothing_yet(tab: &Tab, product: &Product) -> Result<()> {
    tab.goto(&format!("{}/alerts?theme=dark&lang=en", product.dashboard)).await?;
    tab.wait_for("document.querySelector('main').innerText.includes('there is no channel yet')").await?;
    tab.click_words("main", "Add a channel").await?;
    tab.wait_for("location.pathname === '/alerts/channels' && document.querySelector('main').innerText.includes('Whom should Orrery tell')").await
}

/// Secrets do not come back, and what a channel says to a test stands beside it.
async fn a_channel_is_tried(tab: &Tab, product: &Product) -> Result<()> {
    tab.click_words("main", "Webhook").await?;
    tab.wait_for("document.querySelector('dialog[open]')").await?;
    fill(tab, "dialog[open]", "Name", "receiver").await?;
    fill(tab, "dialog[open]", "URL", "http://127.0.0.1:9/alerts").await?;
    fill(tab, "dialog[open]", "Secret for signatures (optional)", "rosebud").await?;
    tab.click_words("dialog[open]", "Save").await?;
    tab.wait_for("!document.querySelector('dialog[open]') && document.querySelector('.channel-row')").await?;
    tab.click_words(".channel-row", "Send test").await?;
    tab.wait_for("document.querySelector('.test-said')?.innerText.includes('did not arrive')").await?;
    let kept = product.get("/api/v1/alerting/channels").await?.to_string();
    ensure!(!kept.contains("rosebud"), "a secret came back: {kept}");
    tab.wait_for("!document.body.innerHTML.includes('rosebud')").await
}

/// The time machine follows what is written; the document is the rule.
async fn a_rule_is_written(tab: &Tab, product: &Product) -> Result<()> {
    tab.goto(&format!("{}/alerts/rules/new/requests?range=1h&theme=dark&lang=en", product.dashboard)).await?;
    fill(tab, ".rule-form", "Name", RULE).await?;
    fill(tab, ".rule-form", "Figure", "rate").await?;
    fill(tab, ".rule-form", "Only this service", "orders").await?;
    fill(tab, ".rule-form", "Threshold", "1000000").await?;
    tab.wait_for("document.querySelector('.replay-said')?.innerText.includes('Would not have fired')").await?;
    fill(tab, ".rule-form", "Threshold", "0.001").await?;
    fill(tab, ".rule-form", "Bad for", "10s").await?;
    tab.wait_for("document.querySelector('.replay-said')?.innerText.includes('Would have fired')").await?;
    tab.wait_for("document.querySelectorAll('.replay-chart canvas').length > 1").await?;
    tab.wait_for("document.querySelector('.document').innerText.includes('figure = \"rate\"')").await?;
    tab.click_words(".rule-form", "Save").await?;
    tab.wait_for(&format!(
        "location.pathname === '/alerts/rules' && document.querySelector('.table-rules')?.innerText.includes({RULE:?})"
    ))
    .await
}

/// The id of its alert, once it fires.
async fn fires(product: &Product) -> Result<String> {
    let ours = |answer: &serde_json::Value| {
        let mut alerts = answer["alerts"].as_array()?.iter();
        let found = alerts.find(|alert| alert["rule"] == RULE && alert["state"] == "firing")?;
        found["id"].as_str().map(str::to_owned)
    };
    let answer = until(product, "/api/v1/alerting/alerts", |answer| ours(answer).is_some()).await?;
    ours(&answer).context("it fired just now")
}

/// Every chart of time says when it fired, and leads to it by mouse and by keyboard.
async fn is_marked_on_charts(tab: &Tab, product: &Product, id: &str) -> Result<()> {
    let alert = product.get(&format!("/api/v1/alerting/alerts/{id}")).await?;
    let node = alert["alert"]["node"].as_str().context("it is about a node")?.replace('/', "%2F");
    let ours = |selector: &str| format!("document.querySelector('{selector}[href*=\"/alerts\"]')");
    let pages = [
        (format!("/services/{node}?"), ".chart-box a.flag"),
        (format!("/logs?service={node}&"), ".chart-box a.flag"),
        ("/traces?".to_owned(), ".heat ~ .flags a.flag"),
        ("/metrics?".to_owned(), ".chart-box a.flag"),
        ("/services?".to_owned(), "a.sparkline-link"),
        ("/?".to_owned(), ".strip a.sparkline-link"),
        (format!("/?sel=node:{node}&"), ".drawer .mini a"),
    ];
    for (page, flag) in pages {
        tab.goto(&format!("{}{page}theme=dark&lang=en", product.dashboard)).await?;
        tab.wait_for(&ours(flag)).await.with_context(|| page)?;
    }
    tab.goto(&format!("{}/services/{node}?theme=dark&lang=en", product.dashboard)).await?;
    tab.wait_for(&ours(".chart-box a.flag")).await?;
    tab.tab_until(".chart-box a.flag").await?;
    ensure!(tab.eval::<bool>(&format!("document.activeElement.ariaLabel.includes({RULE:?})")).await?, "it says which");
    tab.key("Enter").await?;
    tab.wait_for(&format!("location.pathname === '/alerts/{id}'")).await?;
    tab.settled().await
}

/// Each form can be filled in, replayed and kept; what is wrong stands at its field.
async fn every_signal_makes_a_rule(tab: &Tab, product: &Product) -> Result<()> {
    const SIGNALS: [(&str, &str, &str); 13] = [
        ("requests", "", ""),
        ("calls", "Only of this caller", "gateway"),
        ("errors", "", ""),
        ("new_errors", "", ""),
        ("new_edges", "", ""),
        ("silent", "", ""),
        ("traces", "", ""),
        ("logs", "Contains", "timeout"),
        ("new_log_patterns", "", ""),
        ("metric", "Metric", "process.cpu.utilization"),
        ("hosts", "", ""),
        ("sql", "", ""),
        ("heartbeat", "Name of the heartbeat", "nightly"),
    ];
    let replayed = "document.querySelector('.replay-said') && !document.querySelector('.machine [aria-busy=\"true\"], .rule-form [aria-invalid=\"true\"]')";
    for (signal, label, text) in SIGNALS {
        tab.goto(&format!("{}/alerts/rules/new/{signal}?range=1h&theme=dark&lang=en", product.dashboard)).await?;
        let name = if signal == "heartbeat" { "new".to_owned() } else { format!("Made of {signal}") };
        fill(tab, ".rule-form", "Name", &name).await?;
        if !label.is_empty() {
            fill(tab, ".rule-form", label, text).await?;
        }
        if signal == "sql" {
            write_query(tab, "SELECT service_nam AS service, count(*) AS value FROM spans GROUP BY ALL").await?;
            tab.wait_for("document.querySelector('.sql-editor ~ .field-error')?.innerText.includes('service_nam')")
                .await?;
            write_query(tab, "SELECT service_name AS service, count(*) AS value FROM spans WHERE start_time_unix_nano >= $from AND start_time_unix_nano < $to GROUP BY ALL").await?;
        }
        if signal == "traces" {
            write_query(tab, "{ status = eror } | rate()").await?;
            tab.wait_for("document.querySelector('.rule-form .query.is-wrong ~ .query-fault')?.innerText.trim()")
                .await?;
            write_query(tab, "{ status = error } | rate() by (resource.service.name)").await?;
        }
        if signal == "requests" {
            tab.eval::<bool>("(document.querySelector('.guards').closest('details').open = true)").await?;
            tab.click_visible(".guards .actions .button").await?;
            tab.wait_for("document.querySelector('.document').innerText.includes('only_if')").await?;
        }
        tab.wait_for(replayed).await.with_context(|| format!("{signal} is not replayed"))?;
        tab.click_words(".rule-form", "Save").await?;
        tab.wait_for(&format!(
            "location.pathname === '/alerts/rules' && document.querySelector('.table-rules')?.innerText.includes({name:?})"
        ))
        .await
        .with_context(|| format!("{signal} is not kept"))?;
    }
    // Also the one that is called as an address beside it.
    tab.goto(&format!("{}/alerts/rules/new?theme=dark&lang=en", product.dashboard)).await?;
    tab.wait_for("document.querySelector('.rule-form input')?.value === 'new'").await?;
    // What the server finds wrong is at the field, which has the cursor.
    fill(tab, ".rule-form", "Name", " ").await?;
    tab.click_words(".rule-form", "Save").await?;
    tab.wait_for("document.activeElement.ariaInvalid === 'true' && document.querySelector('.field .field-error')")
        .await?;
    tab.expect_complaint("400");
    Ok(())
}

/// Writes into a query bar or editor, as typing does.
async fn write_query(tab: &Tab, text: &str) -> Result<()> {
    tab.wait_for("document.querySelector('.rule-form .query-text')").await?;
    let write = format!(
        "(() => {{ const field = document.querySelector('.rule-form .query-text'); field.focus(); field.value = {text:?}; \
         field.dispatchEvent(new Event('input', {{ bubbles: true }})); return true }})()"
    );
    tab.eval::<bool>(&write).await?;
    Ok(())
}

/// `j`, `a`, a comment, Enter; the rail counts it meanwhile.
async fn is_taken_on_by_keyboard(tab: &Tab, product: &Product, id: &str) -> Result<()> {
    tab.goto(&format!("{}/alerts?theme=dark&lang=en", product.dashboard)).await?;
    tab.wait_for(&format!("document.querySelector('[data-alert={id:?}]')")).await?;
    tab.wait_for("Number(document.querySelector('nav.rail .firing span')?.innerText) > 0").await?;
    for _ in 0..40 {
        tab.key("j").await?;
        if tab.eval::<bool>(&format!("document.activeElement.dataset.alert === {id:?}")).await? {
            break;
        }
    }
    ensure!(
        tab.eval::<bool>(&format!("document.activeElement.dataset.alert === {id:?}")).await?,
        "j does not lead there"
    );
    tab.key("a").await?;
    tab.wait_for("document.querySelector('dialog[open]')").await?;
    fill(tab, "dialog[open]", "Your name", "Min-ji").await?;
    tab.click_words("dialog[open]", "Acknowledge").await?;
    tab.wait_for(&format!("document.querySelector('[data-alert={id:?}]')?.innerText.includes('taken on by Min-ji')"))
        .await?;
    // One alert by itself: its values, what happened, what is known.
    tab.eval::<bool>(&format!("(document.querySelector('[data-alert={id:?}]').focus(), true)")).await?;
    tab.key("Enter").await?;
    tab.wait_for(&format!("location.pathname === '/alerts/{id}'")).await?;
    tab.settled().await?;
    tab.wait_for("document.querySelector('main .chart-root') && document.querySelector('.event-lines')?.innerText.includes('fired')").await
}

/// With a preview of what is muted; it is listed, and can be ended.
async fn is_silenced(tab: &Tab, product: &Product) -> Result<()> {
    tab.click_words("main .alert-head", "Silence").await?;
    tab.wait_for("document.querySelector('dialog[open] .preview')?.innerText.includes('Mutes 1 ')").await?;
    tab.click_words("dialog[open]", "Silence").await?;
    tab.wait_for("!document.querySelector('dialog[open]')").await?;
    tab.goto(&format!("{}/alerts/silences?theme=dark&lang=en", product.dashboard)).await?;
    tab.wait_for(&format!("document.querySelector('.silence-row')?.innerText.includes({RULE:?})")).await?;
    tab.click_words(".silence-row", "End now").await?;
    tab.wait_for("document.querySelector('.silence-rows summary')?.innerText.includes('Over: 1')").await?;
    // What a message links to.
    tab.goto(&format!(
        "{}/alerts/silences?new=1&match=service%3D%22cart%22&match=rule%3D%22a%22&lang=en",
        product.dashboard
    ))
    .await?;
    tab.wait_for("document.querySelector('dialog[open] textarea')?.value === 'service=\"cart\"\\nrule=\"a\"'").await
}

/// By one click.
async fn is_turned_off(tab: &Tab, product: &Product) -> Result<()> {
    tab.goto(&format!("{}/alerts/rules?q=busy&theme=dark&lang=en", product.dashboard)).await?;
    tab.click_visible(".table-rules [role=switch]").await?;
    until(product, "/api/v1/alerting/rules", |answer| {
        let rules = answer["rules"].as_array();
        rules
            .is_some_and(|rules| rules.iter().any(|one| one["rule"]["name"] == RULE && one["rule"]["enabled"] == false))
    })
    .await?;
    tab.wait_for("document.querySelector('.table-rules [role=switch]').ariaChecked === 'false'").await?;
    tab.click_visible(".table-rules [role=switch]").await?;
    tab.wait_for("document.querySelector('.table-rules [role=switch]').ariaChecked === 'true'").await
}

async fn an_objective_is_made(tab: &Tab, product: &Product) -> Result<()> {
    tab.goto(&format!("{}/alerts/slos?theme=dark&lang=en", product.dashboard)).await?;
    tab.click_words("main", "New objective").await?;
    fill(tab, "dialog[open]", "Name", "Orders succeed").await?;
    fill(tab, "dialog[open]", "Service", "orders").await?;
    fill(tab, "dialog[open]", "Objective", "99 %").await?;
    tab.wait_for(
        "document.querySelector('dialog[open] .preview').innerText.includes('99 % of the requests to orders succeed')",
    )
    .await?;
    tab.click_words("dialog[open]", "Save").await?;
    tab.wait_for("document.querySelector('.slo .budget-left')").await
}

async fn in_every_dress(browser: &Browser, product: &Product, id: &str) -> Result<()> {
    let pages = [
        ("alerts", "/alerts".to_owned()),
        ("alert", format!("/alerts/{id}")),
        ("alert-rules", "/alerts/rules".to_owned()),
        ("alert-rule", "/alerts/rules/Shop%20is%20busy".to_owned()),
        ("alert-rule-new", "/alerts/rules/new/traces".to_owned()),
        ("alert-slos", "/alerts/slos".to_owned()),
        ("alert-channels", "/alerts/channels".to_owned()),
        ("alert-silences", "/alerts/silences".to_owned()),
        ("alert-silence-new", "/alerts/silences?new=1&match=service%3D%22cart%22".to_owned()),
    ];
    let states: dress::States = pages.into_iter().map(|(name, path)| (name.to_owned(), path)).collect();
    dress::looked_at(browser, product, &dress::TWO, &states, async |_, _| Ok(())).await
}
