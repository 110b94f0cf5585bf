//! The power fails under load: an ext4 file system on a loop device is shut down so that everything that was not
//! synced vanishes, mounted again, and must have whatever was acknowledged.
//!
//! Needs the superuser and loop devices, and says so where it has not. The devices' files are in memory, where there is
//! room; `TMPDIR` puts them elsewhere. `ORRERY_ROUNDS` sets how often; `ORRERY_SEED` repeats a run.

use crate::rounds;
use crate::rounds::{Share, Stage};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// Rounds on one disk.
fn rounds_of(share: Share<'_>, seed: u64) -> usize {
    let temp = rounds::in_memory();
    let disk = Disk::new(temp.path()).expect("a disk, as before");
    let stage = Stage::new(&disk.mount.join("data"), &temp.path().join("ledger"));
    let mut acknowledged = 0;
    for round in share {
        let from = stage.written();
        // A sync may still return while the file system shuts down: only what is acknowledged before counts.
        let mut child = stage.start(&["probe".to_owned()]);
        stage.wait_for(ENOUGH, from);
        std::thread::sleep(Duration::from_millis(rounds::random(seed, round) % 800));
        disk.fail();
        child.kill().expect("alive, or dead of this");
        child.wait().expect("ours");
        // Processes that are being started for other disks have open what was open here, until they are other programs.
        rounds::wait("nobody uses the disk", || disk.unmount().is_ok());
        disk.mount().expect("mounted again");
        acknowledged = stage.check(Stage::TORN).acknowledged.len();
        println!("round {round}: {acknowledged} requests acknowledged so far");
    }
    acknowledged
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_fails() {
    let seed = rounds::seed();
    if let Err(reason) = Disk::new(rounds::in_memory().path()) {
        return println!("skipped: no power can be cut here ({reason})");
    }
    let rounds = rounds::count(ROUNDS);
    let acknowledged = AtomicUsize::new(0);
    rounds::run("power cuts", rounds, ROUNDS_PER_DIRECTORY, |share| {
        _ = acknowledged.fetch_add(rounds_of(share, seed), Ordering::Relaxed);
    });
    println!("{rounds} power cuts, {} requests acknowledged, all there once", acknowledged.load(Ordering::Relaxed));
    assert!(acknowledged.into_inner() > 0, "nothing was ever acknowledged");
}
