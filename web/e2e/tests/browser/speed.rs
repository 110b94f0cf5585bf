//! How soon the dashboard is there. Figures are printed, not asserted: machines are shared and noisy. Sizes are asserted.

use crate::product::Product;
use crate::tab::{SETTLED, Tab};
use anyhow::{Context, Result, ensure};
use chromiumoxide::browser::Browser;
use std::collections::BTreeSet;

/// Brotli bytes of wasm that the overview may need.
const WASM_BUDGET: usize = 450 * 1024;

pub(crate) async fn first_frame_and_usable(browser: &Browser, product: &Product) -> Result<()> {
    let wasm = wasm_bytes(product).await?;
    crate::say!("wasm of the overview: {:.0} KiB brotli (budget {} KiB)", wasm as f64 / 1024.0, WASM_BUDGET / 1024);
    ensure!(wasm <= WASM_BUDGET, "the overview's wasm weighs {wasm} bytes");
    let mut figures = Vec::new();
    for visit in 0..6 {
        let tab = Tab::open(browser, 1440, 900).await?;
        let watch = format!(
            "(() => {{ const look = () => {{ if ({SETTLED}) {{ window.usable = performance.now(); }} else {{ \
             requestAnimationFrame(look); }} }}; look(); }})()"
        );
        tab.before_every_page(&watch).await?;
        tab.goto(&product.dashboard).await?;
        tab.wait_for("window.usable").await?;
        let paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? \
                     performance.getEntriesByType('paint')[0]?.startTime ?? -1";
        let figure: (f64, f64) = (tab.eval(paint).await?, tab.eval("window.usable").await?);
        ensure!(tab.complaints().is_empty(), "{:?}", tab.complaints());
        tab.close().await?;
        // The first visit also fills the browser's caches.
        if visit > 0 {
            figures.push(figure);
        } else {
            crate::say!("first visit: first frame {:.0} ms, usable {:.0} ms", figure.0, figure.1);
        }
    }
    let median = |pick: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = figures.iter().map(pick).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let (frame, usable) = (median(|figure| figure.0), median(|figure| figure.1));
    crate::say!("later visits (median of 5): first frame {frame:.0} ms (goal 300), usable {usable:.0} ms (goal 700)");
    Ok(())
}

async fn wasm_bytes(product: &Product) -> Result<usize> {
    let page = reqwest::get(&product.dashboard).await?.text().await?;
    let files: BTreeSet<&str> = page.split('"').filter(|part| part.ends_with(".wasm")).collect();
    // Chunks are named after the pages that begin with them; a page's parts come when they are shown.
    let names =
        |path: &str| path.rsplit('/').next().unwrap_or_default().split('-').map(str::to_owned).collect::<Vec<_>>();
    let of_the_overview = |path: &&str| names(path).iter().any(|name| name == "orrery" || name == "overview");
    ensure!(files.iter().any(|path| !of_the_overview(path)), "the page does not name the chunks of others");
    let client = reqwest::Client::new();
    let mut bytes = 0;
    for path in files.into_iter().filter(of_the_overview) {
        let url = format!("{}{path}", product.dashboard);
        let answer = client.get(url).header("accept-encoding", "br").send().await?.error_for_status()?;
        for (name, value) in [
            ("content-encoding", "br"),
            ("content-type", "application/wasm"),
            ("cache-control", "public, max-age=31536000, immutable"),
        ] {
            let said = answer.headers().get(name).context(name)?;
            ensure!(said == value, "{path} is served with {name}: {said:?}");
        }
        bytes += answer.bytes().await?.len();
    }
    Ok(bytes)
}
