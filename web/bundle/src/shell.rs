//! The page: the frame of the dashboard, painted before any of its code has arrived.

use crate::assets::{File, named, pages_js, read, styles};
use anyhow::{Context, Result};
use base64::Engine;
use sha2::{Digest, Sha256};
use std::path::Path;

/// Style sheets the frame needs: inlined, the others are a file of their own.
pub(crate) const CRITICAL: [&str; 2] = ["10-base.css", "20-shell.css"];

/// `/index.html` from the template `web/ui/index.html`: `{{name}}` is the path of a file, `{{critical}}` the
/// colours and the styles of the frame, `{{icons}}` the icons, `{{boot}}` the script that starts everything and `{{boot-hash}}`
/// its hash for the content security policy, `{{pages}}` in that script the chunks of every page. The script is inlined
/// because the first paint waits for it.
pub(crate) fn page(ui: &Path, files: &[File]) -> Result<File> {
    let template = String::from_utf8(read(&ui.join("index.html"))?).context("index.html")?;
    let critical =
        orrery_chart::tokens::css() + &named(&styles(&ui.join("styles"), |name| CRITICAL.contains(&name))?, files);
    let icons = String::from_utf8(read(&ui.join("assets/icons.svg"))?).context("icons.svg")?;
    let boot = String::from_utf8(read(&ui.join("boot.js"))?).context("boot.js")?;
    let boot = named(&boot, files).replace("{{pages}}", &pages_js(files));
    let boot_hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(boot.as_bytes()));
    let html = named(&template, files)
        .replace("{{boot}}", &boot)
        .replace("{{boot-hash}}", &boot_hash)
        .replace("{{critical}}", &critical)
        .replace("{{icons}}", icons.trim());
    anyhow::ensure!(!html.contains("{{"), "index.html names a file that does not exist: {}", unknown(&html));
    Ok(File::fixed("/index.html", html.into_bytes()))
}

fn unknown(html: &str) -> &str {
    html.split_once("{{").and_then(|(_, rest)| rest.split_once("}}")).map_or("?", |(name, _)| name)
}

/// The page of a server that was built without a dashboard.
pub(crate) fn not_built() -> File {
    let html = "<!doctype html><html lang=en><meta charset=utf-8><title>Orrery</title>\
        <style>body{font:16px/1.6 system-ui;max-width:40em;margin:15vh auto;padding:0 1em}</style>\
        <h1>The dashboard is not part of this build</h1>\
        <p>This server was built with <code>ORRERY_SKIP_UI=1</code>. It receives, stores and answers as always: see \
        <a href=/api/v1/openapi.json>the API</a> and <a href=/api/v1/self>its own health</a>.</p>\
        <p>Build without that variable to get the dashboard.</p></html>";
    File::fixed("/index.html", html.as_bytes().to_vec())
}
