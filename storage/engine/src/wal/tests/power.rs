//! The log and the manifest on a disk that forgets and fails: whatever was acknowledged is there after the power came
//! back, in order, once, and nothing else is.

use super::*;
use crate::manifest::ManifestFile;
use proptest::test_runner::RngSeed;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

const ROOT: &str = "/data";

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// Requests of this size at once.
    Append { requests: usize, bytes: usize },
    /// This share, in percent, of what is durable gets sealed: the manifest says so, and the log is trimmed.
    Seal { percent: usize },
    /// Something will go wrong soon.
    Break { wrong: Wrong, left: u32 },
    /// The power fails, and again as often after the log was replayed.
    Crash { seed: u64, again: usize },
    /// The process ends and starts.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let wrong = prop_oneof![
        (0..200usize).prop_map(Wrong::Full),
        (0..200usize).prop_map(Wrong::Write),
        Just(Wrong::Sync),
        Just(Wrong::Entry),
    ];
    prop_oneof![
        8 => (1..5usize, 0..150usize).prop_map(|(requests, bytes)| Step::Append { requests, bytes }),
        3 => (0..=100usize).prop_map(|percent| Step::Seal { percent }),
        3 => (wrong, 0..4u32).prop_map(|(wrong, left)| Step::Break { wrong, left }),
        3 => (any::<u64>(), 0..3usize).prop_map(|(seed, again)| Step::Crash { seed, again }),
        1 => Just(Step::Restart),
    ]
}

/// A log and a manifest in use, and what must be true of them.
struct World {
    disk: Arc<Disk>,
    wal: Wal,
    durable: mpsc::Receiver<Vec<Durable>>,
    manifest: ManifestFile,
    /// Contents of requests by sequence number, as far as they were acknowledged and not found sealed.
    acknowledged: BTreeMap<u64, Vec<u8>>,
    submitted: BTreeSet<Vec<u8>>,
    /// Cursors that the manifest on disk may have.
    cursors: BTreeSet<u64>,
}

fn dir() -> PathBuf {
    Path::new(ROOT).join("wal")
}

/// What a start finds.
fn found(disk: &Arc<Disk>) -> (ManifestFile, Left) {
    let fs = Fs::Strict(Arc::clone(disk));
    let (manifest, damage) = ManifestFile::open(fs.clone(), Path::new(ROOT)).expect("a readable manifest");
    assert_eq!(damage, None);
    let left = Left::survey(&fs, &dir(), manifest.current().cursor, readable).expect("the log is looked at");
    (manifest, left)
}

/// What of it was not sealed.
fn read(disk: &Arc<Disk>, left: &Left) -> Vec<(u64, Vec<u8>)> {
    let mut records = Vec::new();
    let each = |met: Met<'_>| {
        if let Met::Record { header, payload, sealed: false } = met {
            records.push((header.seq, payload.to_vec()));
        }
        Ok(())
    };
    left.replay(&Fs::Strict(Arc::clone(disk)), each, |_| ()).expect("the log is read");
    records
}

fn begin(disk: &Arc<Disk>, next_seq: u64) -> (Wal, mpsc::Receiver<Vec<Durable>>) {
    let fs = Fs::Strict(Arc::clone(disk));
    let (send, durable) = mpsc::channel();
    let sink: Sink = Box::new(move |group| _ = send.send(group));
    let files = files(&fs, &dir()).expect("a listing");
    (Wal::start(fs, dir(), files, next_seq, 300, 1 << 20, sink).expect("a thread"), durable)
}

impl World {
    fn new() -> World {
        let disk = Arc::new(Disk::default());
        let (manifest, left) = found(&disk);
        let (wal, durable) = begin(&disk, left.next_seq);
        let cursors = BTreeSet::from([0]);
        World { disk, wal, durable, manifest, acknowledged: BTreeMap::new(), submitted: BTreeSet::new(), cursors }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Append { requests, bytes } => self.append(*requests, *bytes),
            Step::Seal { percent } => self.seal(*percent),
            Step::Break { wrong, left } => self.disk.break_soon(*wrong, *left),
            Step::Crash { seed, again } => {
                let mut state = *seed;
                let mut random = || {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    state >> 33
                };
                self.wal.close();
                self.disk = self.disk.crash(&mut random);
                for _ in 0..*again {
                    let (_, left) = found(&self.disk);
                    _ = read(&self.disk, &left);
                    self.disk = self.disk.crash(&mut random);
                }
                let records = self.check();
                // What was not acknowledged and is there nevertheless is on disk and will stay.
                self.acknowledged = records;
            }
            Step::Restart => {
                self.wal.close();
                self.disk.mend();
                self.check();
            }
        }
    }

    fn append(&mut self, requests: usize, bytes: usize) {
        let first = self.submitted.len();
        let contents: Vec<Vec<u8>> =
            (first..first + requests).map(|number| [&number.to_le_bytes()[..], &vec![7; bytes]].concat()).collect();
        let answers: Vec<_> = contents.iter().map(|content| append(&self.wal, content)).collect();
        let accepted: Vec<bool> = answers.iter().map(|answer| answer.recv().expect("an answer").is_ok()).collect();
        let mut durable = self.durable.try_iter().flatten();
        for (content, accepted) in contents.into_iter().zip(accepted) {
            if accepted {
                let seq = durable.next().expect("what is acknowledged was passed on").seq;
                assert_eq!(self.acknowledged.insert(seq, content.clone()), None, "number {seq} was used twice");
            }
            self.submitted.insert(content);
        }
        assert_eq!(durable.count(), 0);
    }

    fn seal(&mut self, percent: usize) {
        let Some((&seq, _)) = self.acknowledged.iter().nth((self.acknowledged.len() * percent / 100).saturating_sub(1))
        else {
            return;
        };
        let cursor = seq + 1;
        self.cursors.insert(cursor);
        if self.manifest.commit(|manifest| manifest.cursor = cursor).is_ok() {
            self.cursors = BTreeSet::from([cursor]);
            self.acknowledged.retain(|seq, _| *seq >= cursor);
            _ = self.wal.trim(cursor);
        }
    }

    /// Starts again, goes on before what there is was read, and compares; returns what is there and not sealed.
    fn check(&mut self) -> BTreeMap<u64, Vec<u8>> {
        let (manifest, left) = found(&self.disk);
        let next_seq = left.next_seq;
        (self.wal, self.durable) = begin(&self.disk, next_seq);
        let before = std::mem::take(&mut self.acknowledged);
        self.append(1, 10);
        let since = std::mem::replace(&mut self.acknowledged, before);
        let records = read(&self.disk, &left);
        let cursor = manifest.current().cursor;
        assert!(self.cursors.contains(&cursor), "cursor {cursor} was never written: {:?}", self.cursors);
        self.cursors = BTreeSet::from([cursor]);
        self.acknowledged.retain(|seq, _| *seq >= cursor);
        assert!(records.is_sorted_by(|a, b| a.0 < b.0), "out of order");
        let mut seen = BTreeSet::new();
        for (seq, content) in &records {
            assert!(self.submitted.contains(content), "record {seq} was never sent");
            assert!(seen.insert(content), "record {seq} is there twice");
        }
        let mut records: BTreeMap<u64, Vec<u8>> = records.into_iter().collect();
        for (seq, content) in &self.acknowledged {
            assert_eq!(records.get(seq), Some(content), "record {seq} was acknowledged");
            assert!(next_seq > *seq);
        }
        assert!(records.keys().all(|seq| *seq < next_seq), "what came since is not of the last run");
        self.manifest = manifest;
        records.extend(since.clone());
        self.acknowledged.extend(since);
        records
    }
}

/// Histories tried: `ORRERY_ROUNDS`, or this many.
fn histories() -> u32 {
    std::env::var("ORRERY_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(2_000)
}

/// Where random choices begin: `ORRERY_SEED`, or anywhere.
fn seed() -> RngSeed {
    let given = std::env::var("ORRERY_SEED").ok().and_then(|seed| seed.parse().ok());
    given.map_or(RngSeed::Random, RngSeed::Fixed)
}

/// Of a long run one wants to know how far it is, past the test harness, which keeps to itself what is printed.
fn passed() {
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let passed = PASSED.fetch_add(1, Ordering::Relaxed) + 1;
    if passed.is_multiple_of(10_000) {
        _ = writeln!(io::stderr(), "histories: {passed} of {} passed", histories());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: histories(),
        rng_seed: seed(),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_was_acknowledged_survives_any_disk(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new();
        steps.iter().for_each(|step| world.take(step));
        world.take(&Step::Crash { seed: 1, again: 0 });
        passed();
    }
}
