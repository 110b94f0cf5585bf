//! A start behind a log of which nothing is sealed. A server seals long before its log is that large, so every file of
//! it gets a second name, in a directory of its own, before it is removed.

use super::{PATIENCE, ROUND, round, say};
use crate::corpus::Corpus;
use crate::send::{self, Plan, Target};
use crate::server::Server;
use crate::wire::{Compression, Transport};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What a new directory has besides its log.
const BEGINNING: [&str; 3] = ["version", "manifest.json", "manifest.copy.json"];

/// Fills a log of at least so many bytes and starts a server with it.
pub(super) async fn start(orrery: &Path, corpus: &Arc<Corpus>, compression: Compression, bytes: u64) -> Result<Value> {
    say("a start behind a log");
    let temporary = tempfile::tempdir()?;
    let (from, data) = (temporary.path().join("from"), temporary.path().join("data"));
    let server = Server::start(orrery, &from, None).await?;
    std::fs::create_dir_all(data.join("wal"))?;
    for name in BEGINNING.iter().filter(|name| from.join(name).exists()) {
        std::fs::copy(from.join(name), data.join(name))?;
    }
    let stop = AtomicBool::new(false);
    let acked = std::thread::scope(|scope| -> Result<u64> {
        let keeper = scope.spawn(|| keep(&from, &data, &stop));
        let filled = tokio::task::block_in_place(|| {
            let is_full = || size(&data) >= bytes || keeper.is_finished();
            tokio::runtime::Handle::current().block_on(fill(&server, corpus, compression, is_full))
        });
        stop.store(true, Ordering::Relaxed);
        keeper.join().ok().context("a thread ended early")??;
        filled
    })?;
    drop(server);
    let log = size(&data);
    let server = Server::start(orrery, &data, None).await?;
    let ready_cpu = server.process.cpu_seconds();
    let read = server.started_in + server.until_read().await?;
    let known = server.counted(corpus.signal(), "accepted").await?;
    anyhow::ensure!(known >= acked, "{acked} items were acknowledged, {known} are known after the start");
    Ok(json!({
        "log_mib": round(log as f64 / 1048576.0),
        "items": known,
        "ready_ms": round(server.started_in.as_secs_f64() * 1e3),
        "queryable_ms": round(read.as_secs_f64() * 1e3),
        "ready_cpu_seconds": round(ready_cpu),
        "cpu_seconds": round(server.process.cpu_seconds()),
        "peak_rss_mib": server.process.peak_rss_mib().round(),
    }))
}

async fn fill(
    server: &Server,
    corpus: &Arc<Corpus>,
    compression: Compression,
    is_full: impl Fn() -> bool,
) -> Result<u64> {
    let transport = Transport::Http;
    let target = Target { url: server.url(transport), transport, compression, connections: super::CONNECTIONS };
    let requests = (ROUND * corpus.requests()).div_ceil(corpus.items()).min(corpus.requests());
    let (mut next, mut acked) = (0, 0);
    while !is_full() {
        let plan = Plan { retry: PATIENCE, ..Plan::of(next, requests) };
        acked += send::send(corpus, &target, plan).await?.acked_items;
        next += requests;
    }
    Ok(acked)
}

/// Links files of the log until told to stop; once more after.
fn keep(from: &Path, data: &Path, stop: &AtomicBool) -> Result<()> {
    loop {
        let is_last = stop.load(Ordering::Relaxed);
        for entry in std::fs::read_dir(from.join("wal"))? {
            let path = entry?.path();
            let name = path.file_name().context("a name")?;
            match std::fs::hard_link(&path, data.join("wal").join(name)) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                // Removed meanwhile: only what is linked already is removed so soon.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                linked => linked?,
            }
        }
        if is_last {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn size(data: &Path) -> u64 {
    let files = std::fs::read_dir(data.join("wal")).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}
