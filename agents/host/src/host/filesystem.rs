//! `system.filesystem.*` from `mountinfo` and statvfs(3).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use opentelemetry_proto::tonic::common::v1::KeyValue;
use procfs_core::FromRead;
use procfs_core::process::{MountInfo, MountInfos};
use rustix::fs::StatVfs;

use super::Place;
use crate::instrument as i;
use crate::otlp::{Recorder, text};

/// Types that hold users' files on this host. Network filesystems are left out: statvfs blocks for as long as
/// their server is away. Overlays count only as the root, where they are all a container has.
const TYPES: &[&str] = &[
    "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "bcachefs", "f2fs", "jfs", "reiserfs", "vfat", "exfat", "ntfs",
    "ntfs3", "fuseblk", "hfsplus", "apfs",
];

/// Records each filesystem once, at its shortest mount point.
pub(super) fn record(place: &Place, to: &mut Recorder) -> anyhow::Result<()> {
    for mount in mounts(place)? {
        let path = under(&place.root, &mount.point);
        match rustix::fs::statvfs(&path) {
            Ok(stat) => filesystem(&mount, &stat, to),
            // Unmounted meanwhile, or not ours to look at: the other filesystems still count.
            Err(error) => tracing::debug!(path = %path.display(), %error, "filesystem not read"),
        }
    }
    Ok(())
}

struct Mount {
    point: PathBuf,
    device: String,
    kind: String,
    mode: &'static str,
}

fn mounts(place: &Place) -> anyhow::Result<Vec<Mount>> {
    // The first process sees the host's mounts even when this one sits in a container.
    let infos = MountInfos::from_file(place.proc.join("1/mountinfo"))
        .or_else(|_| MountInfos::from_file(place.proc.join("self/mountinfo")))?;
    let mut by_device: BTreeMap<String, Mount> = BTreeMap::new();
    for info in infos.0.iter().filter(|info| wanted(info)) {
        let mount = Mount {
            point: unescape(&info.mount_point.to_string_lossy()).into(),
            device: info.mount_source.clone().unwrap_or_default(),
            kind: info.fs_type.clone(),
            mode: if info.mount_options.contains_key("ro") { "ro" } else { "rw" },
        };
        let shorter = |other: &Mount| other.point.as_os_str().len() <= mount.point.as_os_str().len();
        if !by_device.get(&info.majmin).is_some_and(shorter) {
            by_device.insert(info.majmin.clone(), mount);
        }
    }
    Ok(by_device.into_values().collect())
}

fn wanted(info: &MountInfo) -> bool {
    let root_overlay = info.fs_type == "overlay" && info.mount_point == Path::new("/");
    root_overlay || TYPES.contains(&info.fs_type.as_str())
}

fn under(root: &Path, point: &Path) -> PathBuf {
    root.join(point.strip_prefix("/").unwrap_or(point))
}

/// proc(5): space, tab, newline and backslash are written as three octal digits.
fn unescape(path: &str) -> String {
    let mut parts = path.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                plain.push(char::from(byte));
                plain.push_str(&part[3..]);
            }
            None => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain
}

fn filesystem(mount: &Mount, stat: &StatVfs, to: &mut Recorder) {
    let block = stat.f_frsize;
    let total = stat.f_blocks.saturating_mul(block);
    if total == 0 {
        return;
    }
    let free = stat.f_bavail.saturating_mul(block);
    let reserved = stat.f_bfree.saturating_sub(stat.f_bavail).saturating_mul(block);
    let used = stat.f_blocks.saturating_sub(stat.f_bfree).saturating_mul(block);
    let with_state = |state| [attributes(mount), vec![text("system.filesystem.state", state)]].concat();
    for (state, bytes) in [("used", used), ("free", free), ("reserved", reserved)] {
        to.record(&i::FILESYSTEM_USAGE, bytes, with_state(state));
    }
    to.record(&i::FILESYSTEM_LIMIT, total, attributes(mount));
    if used + free > 0 {
        to.record(&i::FILESYSTEM_UTILIZATION, used as f64 / (used + free) as f64, with_state("used"));
    }
    if stat.f_files > 0 {
        let used = stat.f_files.saturating_sub(stat.f_ffree);
        to.record(&i::FILESYSTEM_INODES, used, with_state("used"));
        to.record(&i::FILESYSTEM_INODES, stat.f_ffree, with_state("free"));
    }
}

fn attributes(mount: &Mount) -> Vec<KeyValue> {
    vec![
        text("system.device", mount.device.as_str()),
        text("system.filesystem.mountpoint", mount.point.to_string_lossy()),
        text("system.filesystem.type", mount.kind.as_str()),
        text("system.filesystem.mode", mount.mode),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_mountinfo_are_undone() {
        for (escaped, plain) in
            [("/mnt/My\\040Disk", "/mnt/My Disk"), ("/a\\134b", "/a\\b"), ("/plain", "/plain"), ("/odd\\9", "/odd\\9")]
        {
            assert_eq!(unescape(escaped), plain);
        }
    }
}
