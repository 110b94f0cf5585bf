//! The power fails under load: an ext4 file system on a loop device is shut down so that everything that was not
//! synced vanishes, mounted again, and must have whatever was acknowledged.
//!
//! Needs the superuser and loop devices, and says so where it has not. `ORRERY_ROUNDS` sets how often; `ORRERY_SEED`
//! repeats a run.

use crate::ledger;
use crate::rounds;
use crate::rounds::Stage;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const ROUNDS: u64 = 8;
/// Rounds after which a new directory is begun, so that looking at everything stays affordable.
const ROUNDS_PER_DIRECTORY: u64 = 50;
/// Requests acknowledged in every round at least.
const ENOUGH: usize = 20;

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    let said = || format!("{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    output.status.success().then_some(()).ok_or_else(said)
}

/// A file system of our own, unmounted when dropped.
struct Disk {
    image: PathBuf,
    mount: PathBuf,
}

impl Disk {
    fn new(dir: &Path) -> Result<Disk, String> {
        let disk = Disk { image: dir.join("image"), mount: dir.join("mount") };
        std::fs::create_dir(&disk.mount).map_err(|error| error.to_string())?;
        let image = File::create(&disk.image).and_then(|file| file.set_len(256 << 20));
        image.map_err(|error| error.to_string())?;
        run("mkfs.ext4", &["-q", "-F", disk.image.to_str().expect("text")])?;
        disk.mount()?;
        Ok(disk)
    }

    /// The journal is committed on its own only every five minutes: what survives was synced.
    fn mount(&self) -> Result<(), String> {
        let (image, mount) = (self.image.to_str().expect("text"), self.mount.to_str().expect("text"));
        run("mount", &["-t", "ext4", "-o", "loop,commit=300", image, mount])
    }

    fn unmount(&self) -> Result<(), String> {
        run("umount", &[self.mount.to_str().expect("text")])
    }

    /// Nothing that is not on disk now will be.
    #[allow(unsafe_code, reason = "the only way to say this to a file system")]
    fn fail(&self) {
        /// `EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`.
        type Shutdown = rustix::ioctl::Setter<0x8004_587D, u32>;
        let root = File::open(&self.mount).expect("mounted");
        // SAFETY: this request takes a pointer to a u32 and writes nothing.
        unsafe { rustix::ioctl::ioctl(&root, Shutdown::new(2)) }.expect("ext4 shuts down");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        _ = self.unmount();
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_fails() {
    let mut state = rounds::seed();
    let rounds = rounds::count(ROUNDS);
    let mut acknowledged = 0;
    for first in (0..rounds).step_by(ROUNDS_PER_DIRECTORY as usize) {
        let temp = tempfile::tempdir().expect("a directory");
        let disk = match Disk::new(temp.path()) {
            Ok(disk) => disk,
            Err(reason) => return println!("skipped: no power can be cut here ({reason})"),
        };
        let stage = Stage::new(&disk.mount.join("data"), &temp.path().join("ledger"));
        let mut so_far = 0;
        for round in first..rounds.min(first + ROUNDS_PER_DIRECTORY) {
            let before = stage.said().acknowledged.len();
            // A sync may still return while the file system shuts down: only what is acknowledged before counts.
            let mut child = stage.start(&["probe".to_owned()]);
            rounds::wait("the victim makes progress", || stage.said().acknowledged.len() >= before + ENOUGH);
            std::thread::sleep(Duration::from_millis(ledger::mix(&mut state) % 800));
            disk.fail();
            child.kill().expect("alive, or dead of this");
            child.wait().expect("ours");
            disk.unmount().expect("unmounted");
            disk.mount().expect("mounted again");
            so_far = stage.check(Stage::TORN).acknowledged.len();
            println!("round {round}: {so_far} requests acknowledged so far");
        }
        acknowledged += so_far;
    }
    println!("{rounds} power cuts, {acknowledged} requests acknowledged, all there once");
    assert!(acknowledged > 0, "nothing was ever acknowledged");
}
