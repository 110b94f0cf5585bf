//! Every page, dark and light, English and Korean, wide and narrow: it shows data, complains about nothing, and is
//! accessible. A picture of each is kept.

use crate::dress;
use crate::product::Product;
use anyhow::{Context, Result};
use chromiumoxide::browser::Browser;
use std::path::PathBuf;

pub(crate) async fn every_page_in_every_dress(browser: &Browser, product: &Product) -> Result<()> {
    let states: dress::States = pages(product).await?.into_iter().map(|(name, path)| (name.to_owned(), path)).collect();
    dress::looked_at(browser, product, &dress::ALL, &states, async |_, _| Ok(())).await?;
    crate::say!("pictures of {} pages in 8 dresses each in {}", states.len(), shots().display());
    Ok(())
}

/// Name and address of every page, with things that exist.
pub(crate) async fn pages(product: &Product) -> Result<Vec<(&'static str, String)>> {
    let traces = product.get("/api/v1/traces?service=orders&limit=1").await?;
    let trace = traces["traces"][0]["trace_id"].as_str().context("the shop has orders")?.to_owned();
    let map = product.get("/api/v1/topology").await?;
    let nodes = map["nodes"].as_array().context("nodes")?;
    let id_of = |kind: &str| -> Result<String> {
        let node = nodes.iter().find(|node| node["kind"] == kind).with_context(|| format!("a {kind}"))?;
        Ok(node["id"].as_str().unwrap_or_default().replace('%', "%25").replace('/', "%2F"))
    };
    Ok(vec![
        ("overview", "/".to_owned()),
        ("overview-table", "/?view=table".to_owned()),
        ("services", "/services".to_owned()),
        ("service", format!("/services/{}", id_of("gateway")?)),
        ("database", format!("/services/{}", id_of("database")?)),
        ("traces", "/traces".to_owned()),
        ("trace", format!("/traces/{trace}")),
        ("trace-flame", format!("/traces/{trace}?view=flame")),
        ("trace-table", format!("/traces/{trace}?view=table")),
        ("trace-map", format!("/traces/{trace}?view=map")),
        ("trace-logs", format!("/traces/{trace}?view=logs")),
        ("logs", "/logs".to_owned()),
        ("metrics", "/metrics".to_owned()),
        ("sql", "/sql".to_owned()),
        ("health", "/health".to_owned()),
        ("nothing", "/traces?service=nobody-of-this-name".to_owned()),
    ])
}

/// Where pictures go.
pub(crate) fn shots() -> PathBuf {
    let beside = || std::env::current_exe().ok()?.ancestors().nth(3).map(|target| target.join("e2e"));
    std::env::var_os("ORRERY_SHOTS").map(PathBuf::from).or_else(beside).unwrap_or_else(|| PathBuf::from("e2e"))
}
