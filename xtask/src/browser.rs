//! A browser for the browser tests.

use crate::run;
use anyhow::{Result, bail};
use std::process::Command;

/// Names under which distributions and vendors install it. The browser tests look for the same.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Makes sure that there is a Chromium: `ORRERY_CHROMIUM`, one on the PATH, or Debian's, installed now.
///
/// # Errors
/// When there is none and it may not be installed from here; the text says what to install.
pub(crate) fn ensure() -> Result<()> {
    if std::env::var_os("ORRERY_CHROMIUM").is_some() || NAMES.iter().any(|name| run::exists(name)) {
        return Ok(());
    }
    if !run::exists("apt-get") || !is_root() {
        bail!(
            "the browser tests need Chromium: `sudo apt-get install chromium` on Debian and Ubuntu, or set \
             ORRERY_CHROMIUM to a Chromium or Chrome binary; `cargo xtask test --no-browser` runs the rest"
        );
    }
    run::step("package lists", Command::new("apt-get").args(["-qq", "update"]))?;
    run::step(
        "install Chromium",
        Command::new("apt-get")
            .args(["-qq", "-y", "install", "--no-install-recommends", "chromium"])
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
