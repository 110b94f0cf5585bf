//! Where the traces that are found spend their time: the picture, its twin, beside another range.

use crate::dress;
use crate::pages::shots;
use crate::product::Product;
use crate::shop::{self, TRACES};
use crate::tab::Tab;
use anyhow::{Context, Result, ensure};
use chromiumoxide::browser::Browser;

/// JavaScript: something is drawn.
const PAINTED: &str = "(() => { const c = document.querySelector('.found .wf canvas'); if (!c || !c.width) return false; \
                       return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v !== 0) })()";
const LINE: &str = "document.querySelector('.flame-line').innerText";
const CRUMBS: &str = "[...document.querySelectorAll('.crumbs .link')].map((l) => l.innerText).join(' | ')";
const BAR: &str = "document.querySelector('.query-text').value";

pub(crate) async fn of_many_traces(browser: &Browser) -> Result<()> {
    let product = Product::serve()?;
    shop::send(&product).await?;
    let tab = Tab::open(browser, 1440, 900).await?;
    tab.goto(&format!("{}/traces?theme=dark&lang=en", product.dashboard)).await?;
    tab.eval::<bool>(
        "([...document.querySelectorAll('.switch .button')].find((b) => b.innerText === 'Flame graph').click(), true)",
    )
    .await?;
    tab.wait_for(&format!("location.search.includes('view=flame') && {PAINTED}")).await?;
    let said = "document.querySelector('.found .panel-head').innerText";
    tab.wait_for(&format!("{said}.includes('of {TRACES} traces')")).await?;
    by_pointer(&tab).await?;
    by_keys(&tab).await?;
    as_a_table(&tab).await?;
    beside_another_range(&tab).await?;
    the_traces_behind_it(&tab).await?;
    from_a_service(&tab, &product).await?;
    ensure!(tab.complaints().is_empty(), "{:?}", tab.complaints());
    tab.close().await?;
    in_every_dress(browser, &product).await
}

async fn by_pointer(tab: &Tab) -> Result<()> {
    let [left, top, width]: [f64; 3] = tab
        .eval("(() => { const r = document.querySelector('.found .wf').getBoundingClientRect(); return [r.left, r.top, r.width] })()")
        .await?;
    // Half of a checkout is its charge.
    tab.point(left + width * 0.25, top + 30.0).await?;
    tab.wait_for(&format!("{LINE}.startsWith('cart · charge card (client) · ')")).await?;
    let line: String = tab.eval(LINE).await?;
    ensure!(
        line.contains("(50 %)")
            || line.contains("(50.0 %)")
            || line.contains("(50\u{2009}%)")
            || line.contains("(50.0\u{2009}%)"),
        "{line}"
    );
    ensure!(line.contains("10") && line.contains("failed"), "{line}");
    tab.screenshot(&shots().join("flame-pointed.png")).await?;
    tab.click_at(left + width * 0.25, top + 30.0).await?;
    tab.wait_for(&format!("{CRUMBS} === 'All traces | frontend · GET /checkout | cart · charge card'")).await?;
    tab.wait_for("/[?&]at=[0-9a-f]+/.test(location.search)").await?;
    // It fills the width now.
    tab.point(left + width * 0.95, top + 30.0).await?;
    tab.wait_for(&format!("{LINE}.startsWith('cart · charge card')")).await?;
    tab.eval::<bool>("(document.querySelector('.crumbs .link').click(), true)").await?;
    tab.wait_for(&format!("{CRUMBS} === 'All traces' && !location.search.includes('at=')")).await
}

async fn by_keys(tab: &Tab) -> Result<()> {
    tab.point(5.0, 5.0).await?;
    tab.eval::<bool>("(document.querySelector('.found .wf').focus(), true)").await?;
    for (key, begins) in [
        ("ArrowDown", "frontend · GET /checkout"),
        ("ArrowDown", "cart · charge card"),
        ("ArrowUp", "frontend · GET /checkout"),
        ("ArrowDown", "cart · charge card"),
    ] {
        tab.press(key).await?;
        tab.wait_for(&format!("{LINE}.startsWith('{begins}')")).await.with_context(|| format!("{key} to {begins}"))?;
    }
    tab.press("Enter").await?;
    tab.wait_for(&format!("{CRUMBS}.endsWith('cart · charge card')")).await?;
    tab.press("Escape").await?;
    tab.wait_for(&format!("{CRUMBS} === 'All traces'")).await
}

async fn as_a_table(tab: &Tab) -> Result<()> {
    tab.eval::<bool>("([...document.querySelectorAll('.found .panel-head .button')].find((b) => b.innerText === 'Table').click(), true)").await?;
    let rows = "[...document.querySelectorAll('.table-flame tbody tr')].map((r) => r.querySelector('.link').innerText).join('; ')";
    tab.wait_for(&format!("{rows} === 'frontend · GET /checkout; cart · charge card'")).await?;
    let share: String = tab.eval("document.querySelectorAll('.table-flame tbody tr')[1].children[2].innerText").await?;
    ensure!(share.starts_with("50"), "{share}");
    tab.eval::<bool>("(() => { const i = document.querySelector('.flame-bar input'); i.value = 'cart'; i.dispatchEvent(new Event('input', {bubbles: true})); return true })()").await?;
    tab.wait_for(&format!(
        "{rows} === 'cart · charge card' && document.querySelector('.flame-bar').innerText.includes('1 found')"
    ))
    .await?;
    tab.eval::<bool>("(() => { const i = document.querySelector('.flame-bar input'); i.value = ''; i.dispatchEvent(new Event('input', {bubbles: true})); return true })()").await?;
    tab.screenshot(&shots().join("flame-table.png")).await?;
    Ok(())
}

/// The last two minutes beside the two before: each checkout takes longer than the one before it.
async fn beside_another_range(tab: &Tab) -> Result<()> {
    let url = tab.url().await?;
    let origin = url.split("/traces").next().unwrap_or_default().to_owned();
    tab.goto(&format!("{origin}/traces?view=flame&range=2m&theme=dark&lang=en&live=off")).await?;
    tab.wait_for(PAINTED).await?;
    tab.click_visible(".found .popover-root .button").await?;
    tab.wait_for("document.querySelector('.picker-compare .menu-item')").await?;
    tab.click_visible(".picker-compare .menu-item").await?;
    tab.wait_for("location.search.includes('compare=previous') && document.querySelector('.flame-compared')").await?;
    tab.wait_for(PAINTED).await?;
    tab.eval::<bool>("(document.querySelector('.found .wf').focus(), true)").await?;
    tab.press("ArrowDown").await?;
    tab.wait_for(&format!("{LINE}.includes('· before ')")).await?;
    tab.screenshot(&shots().join("flame-compared.png")).await?;
    let legend: String = tab.eval("document.querySelector('.flame-compared .legend').innerText").await?;
    ensure!(legend.contains("more time") && legend.contains("less time"), "{legend}");
    tab.eval::<bool>("([...document.querySelectorAll('.found .panel-head .button')].find((b) => b.innerText === 'Table').click(), true)").await?;
    tab.wait_for("document.querySelectorAll('.table-flame thead th').length === 8").await?;
    let change: String = tab.eval("document.querySelector('.table-flame tbody tr').children[4].innerText").await?;
    ensure!(change.starts_with('+'), "later checkouts take longer: {change}");
    tab.screenshot(&shots().join("flame-compared-table.png")).await?;
    tab.eval::<bool>("([...document.querySelectorAll('.flame-compared .button')].at(-1).click(), true)").await?;
    tab.wait_for("!location.search.includes('compare=') && !document.querySelector('.flame-compared')").await
}

async fn the_traces_behind_it(tab: &Tab) -> Result<()> {
    tab.click_visible(".table-flame tbody tr:nth-child(2) .icon-button").await?;
    let wanted = "{ resource.service.name = \"frontend\" && span:name = \"GET /checkout\" } > { resource.service.name = \"cart\" && span:name = \"charge card\" }";
    tab.wait_for(&format!("{BAR} === {wanted:?} && !location.search.includes('view=flame')")).await?;
    tab.settled().await?;
    tab.wait_for("document.querySelectorAll('.row-trace').length > 0").await
}

async fn from_a_service(tab: &Tab, product: &Product) -> Result<()> {
    tab.goto(&format!("{}/services/cart?theme=dark&lang=en", product.dashboard)).await?;
    tab.wait_for(
        "[...document.querySelectorAll('.service-head .button')].some((b) => b.innerText === 'Where the time goes')",
    )
    .await?;
    tab.eval::<bool>("([...document.querySelectorAll('.service-head .button')].find((b) => b.innerText === 'Where the time goes').click(), true)").await?;
    tab.wait_for(&format!(
        "location.search.includes('begin=match') && {BAR} === '{{ resource.service.name = \"cart\" }}' && {PAINTED}"
    ))
    .await?;
    tab.eval::<bool>("(document.querySelector('.found .wf').focus(), true)").await?;
    tab.press("ArrowDown").await?;
    // Paths begin where the service does.
    tab.wait_for(&format!("{LINE}.startsWith('cart · charge card')")).await
}

/// Name and address of every state worth looking at.
const STATES: [(&str, &str); 6] = [
    ("picture", "view=flame"),
    ("compared", "view=flame&range=2m&compare=previous"),
    ("table", "view=flame&as=table"),
    ("compared-table", "view=flame&as=table&range=2m&compare=previous"),
    ("match", "view=flame&begin=match&q={ resource.service.name = \"cart\" }"),
    ("empty", "view=flame&q={ resource.service.name = \"nobody\" }"),
];

async fn in_every_dress(browser: &Browser, product: &Product) -> Result<()> {
    dress::looked_at(browser, product, &dress::TWO, &dress::states("flame", "/traces", &STATES), async |tab, name| {
        tab.wait_for(match name {
            "flame-empty" => "document.querySelector('.found .notice-empty')",
            name if name.ends_with("table") => "document.querySelector('.table-flame tbody tr')",
            _ => PAINTED,
        })
        .await
    })
    .await
}
