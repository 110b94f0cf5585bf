//! Writes the dashboard's files to a folder, uncompressed: `cargo run --release -p orrery-bundle --example dist -- <dir>`.

use anyhow::{Context, Result};
use orrery_bundle::{Config, build};

fn main() -> Result<()> {
    let dir = std::path::PathBuf::from(std::env::args().nth(1).context("usage: dist <dir>")?);
    let exe = std::env::current_exe()?;
    for file in build(&Config::below(&exe))? {
        let path = dir.join(file.path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().context("a file has a folder")?)?;
        std::fs::write(path, file.bytes)?;
    }
    Ok(())
}
