//! The files as Rust source for the server to include.

use crate::assets::File;
use anyhow::{Context, Result};
use std::fmt::Write;
use std::path::Path;

const HEAD: &str = r"
/// One file of the dashboard.
#[derive(Debug)]
pub struct File {
    /// As a browser asks for it, such as `/assets/orrery-1f0c3a9be2d4.wasm`; the page is `/index.html`.
    pub path: &'static str,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `ETag`, with its quotes.
    pub etag: &'static str,
    /// The name holds a hash of the content: may be cached forever.
    pub immutable: bool,
    /// The content.
    pub identity: &'static [u8],
    /// The same in brotli, where that is smaller.
    pub brotli: Option<&'static [u8]>,
    /// The same in gzip, where that is smaller.
    pub gzip: Option<&'static [u8]>,
}

/// Every file of the dashboard, by path.
pub static FILES: &[File] = &[
";

/// Writes the files below `out_dir/ui` and `out_dir/manifest.rs` that embeds them.
pub(crate) fn write(files: &[File], out_dir: &Path) -> Result<()> {
    let dir = out_dir.join("ui");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    let mut sorted: Vec<&File> = files.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    let mut source = HEAD.to_owned();
    for file in sorted {
        source += &entry(file, &dir)?;
    }
    source += "];\n";
    std::fs::write(out_dir.join("manifest.rs"), source).context("manifest.rs")
}

fn entry(file: &File, dir: &Path) -> Result<String> {
    let name = file.path.trim_start_matches('/').replace('/', "_");
    let save = |suffix: &str, bytes: &[u8]| -> Result<String> {
        let path = dir.join(format!("{name}{suffix}"));
        std::fs::write(&path, bytes).with_context(|| path.display().to_string())?;
        Ok(format!("include_bytes!({:?})", path.display().to_string()))
    };
    let optional = |suffix: &str, bytes: &Option<Vec<u8>>| -> Result<String> {
        bytes.as_ref().map_or(Ok("None".to_owned()), |bytes| Ok(format!("Some({})", save(suffix, bytes)?)))
    };
    let mut source = String::new();
    writeln!(
        source,
        "    File {{ path: {:?}, content_type: {:?}, etag: {:?}, immutable: {}, identity: {}, brotli: {}, gzip: {} }},",
        file.path,
        file.content_type,
        file.etag(),
        file.immutable,
        save("", &file.bytes)?,
        optional(".br", &file.brotli)?,
        optional(".gz", &file.gzip)?
    )?;
    Ok(source)
}
