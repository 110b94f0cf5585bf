//! Who is speaking: the resource every signal of this agent carries.

use std::fs;
use std::path::Path;

use opentelemetry_proto::tonic::common::v1::KeyValue;

use crate::otlp::text;

/// The value of `service.name`.
pub(crate) const SERVICE_NAME: &str = "orrery-agent";

/// Attributes of this agent on this host.
///
/// Shape: one value per key; `host.id` and `os.*` details are absent where the system does not tell.
/// Source: semantic conventions `host`, `os`, `service`.
pub(crate) fn attributes(host_root: &Path, instance_id: &str) -> Vec<KeyValue> {
    let mut attributes = vec![
        text("service.name", SERVICE_NAME),
        text("service.version", env!("CARGO_PKG_VERSION")),
        text("service.instance.id", instance_id),
        text("host.name", host_name(host_root)),
        text("host.arch", host_arch(std::env::consts::ARCH)),
        text("os.type", os_type(std::env::consts::OS)),
    ];
    attributes.extend(host_id(host_root).map(|id| text("host.id", id)));
    let release = fs::read_to_string(host_root.join("etc/os-release")).unwrap_or_default();
    let fields = [("os.description", "PRETTY_NAME"), ("os.name", "NAME"), ("os.version", "VERSION_ID")];
    attributes.extend(fields.iter().filter_map(|(key, field)| Some(text(key, os_release_field(&release, field)?))));
    attributes
}

/// The host's name; of the mounted host when the agent runs in a container beside it.
fn host_name(root: &Path) -> String {
    let mounted = (root != Path::new("/")).then(|| first_line(&root.join("etc/hostname"))).flatten();
    mounted.unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned())
}

fn host_id(root: &Path) -> Option<String> {
    first_line(&root.join("etc/machine-id")).or_else(|| first_line(&root.join("var/lib/dbus/machine-id")))
}

fn first_line(path: &Path) -> Option<String> {
    let content = fs::read_to_string(path).ok()?;
    content.lines().next().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned)
}

/// Rust's name of an architecture as `host.arch` spells it; unknown ones pass unchanged.
fn host_arch(arch: &str) -> &str {
    match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm32",
        "powerpc" => "ppc32",
        "powerpc64" => "ppc64",
        other => other,
    }
}

fn os_type(os: &str) -> &str {
    match os {
        "macos" => "darwin",
        "dragonfly" => "dragonflybsd",
        other => other,
    }
}

/// A field of os-release(5), unquoted.
fn os_release_field(content: &str, field: &str) -> Option<String> {
    let value = content.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix('='))?;
    let value = value.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_is_unquoted_and_exact() {
        let content = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME='Debian'\nVERSION_ID=12\nEMPTY=\"\"\n";
        assert_eq!(os_release_field(content, "PRETTY_NAME").as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        assert_eq!(os_release_field(content, "NAME").as_deref(), Some("Debian"));
        assert_eq!(os_release_field(content, "VERSION_ID").as_deref(), Some("12"));
        assert_eq!(os_release_field(content, "EMPTY"), None);
        assert_eq!(os_release_field(content, "VERSION"), None);
    }

    #[test]
    fn a_mounted_host_speaks_for_itself() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/hostname"), "db-7\n").unwrap();
        fs::write(root.path().join("etc/machine-id"), "3d1219c7c4c5404aaa1f6d2a48adfda4\n").unwrap();
        assert_eq!(host_name(root.path()), "db-7");
        assert_eq!(host_id(root.path()).as_deref(), Some("3d1219c7c4c5404aaa1f6d2a48adfda4"));
    }

    #[test]
    fn this_machine_has_a_name() {
        assert!(!host_name(Path::new("/")).is_empty());
        assert_eq!(host_arch("x86_64"), "amd64");
    }
}
