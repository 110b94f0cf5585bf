//! The server's own log: to stderr, and nowhere else. It is never shipped to the server itself: a failing write would
//! log a line that has to be written.

use anyhow::{Context, Result};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging at `level`: `info`, or per module like `info,orrery_storage=debug`.
///
/// # Errors
/// When `level` is none, in words for a person.
pub(crate) fn start(level: &str) -> Result<()> {
    let filter = EnvFilter::try_new(level).with_context(|| {
        format!("--log {level}: no level; write error, warn, info, debug, or per module like info,orrery_storage=debug")
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // Only a second start in the same process fails, and then the first goes on.
    let _ = subscriber.try_init();
    Ok(())
}
