//! Accessibility: axe-core, WCAG 2.2 A and AA.

use crate::tab::Tab;
use anyhow::Result;
use serde::Deserialize;

const AXE: &str = include_str!("../../vendor/axe.min.js");

/// A rule that does not hold, and where.
#[derive(Deserialize)]
struct Violation {
    id: String,
    help: String,
    nodes: Vec<String>,
}

/// Violations of the page in view, one line each; empty when there is none.
pub(crate) async fn violations(tab: &Tab) -> Result<Vec<String>> {
    if !tab.eval::<bool>("!!window.axe").await? {
        tab.eval::<bool>(&format!("(() => {{ {AXE}; return true }})()")).await?;
    }
    let run = "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}).then(r => \
               r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => n.html.slice(0, 160) + ' ← ' + \
               (n.any[0]?.message ?? ''))})))";
    let found: Vec<Violation> = tab.eval(run).await?;
    Ok(found.into_iter().map(|v| format!("{}: {} {:?}", v.id, v.help, v.nodes)).collect())
}
