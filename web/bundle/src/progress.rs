//! Lines for the person who waits for the first build.

use std::io::Write;

/// Says what is going on, in cargo's own look.
///
/// Cargo keeps a build script's output to itself, and this one may run for minutes. So the line goes to the standard
/// error of the cargo that started us, where the system lets us reach it; else to our own, which `cargo -vv` shows.
pub(crate) fn say(verb: &str, what: &str) {
    let line = format!("\r\x1b[K{verb:>12} {what}\n");
    let sent = std::env::var_os("OUT_DIR").is_some() && to_parent(&line).is_some();
    if !sent {
        eprintln!("{verb:>12} {what}");
    }
}

#[cfg(target_os = "linux")]
fn to_parent(line: &str) -> Option<()> {
    use std::io::IsTerminal;
    let path = format!("/proc/{}/fd/2", std::os::unix::process::parent_id());
    let mut stderr = std::fs::OpenOptions::new().append(true).open(path).ok()?;
    let line = if stderr.is_terminal() { line } else { line.trim_start_matches("\r\x1b[K") };
    stderr.write_all(line.as_bytes()).ok()
}

#[cfg(not(target_os = "linux"))]
fn to_parent(line: &str) -> Option<()> {
    std::fs::OpenOptions::new().write(true).open("/dev/tty").ok()?.write_all(line.as_bytes()).ok()
}
