use super::record::{FILE_MAGIC, HEADER, Header};
use super::replay::{Left, Met};
use super::scan::{Found, scan};
use super::*;
use crate::fs::strict::{Disk, Wrong};
use orrery_model::{Compression, Encoding, LogBatch, Signal};
use proptest::prelude::*;
use std::sync::mpsc;

mod power;

fn body(bytes: &[u8]) -> Body {
    Body {
        signal: Signal::Logs,
        encoding: Encoding::Protobuf,
        compression: Compression::Gzip,
        received_unix_nano: 7,
        bytes: bytes.to_vec(),
    }
}

fn file(payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut out = FILE_MAGIC.to_vec();
    for (seq, payload) in payloads.iter().enumerate() {
        Header::of_body(seq as u64, &body(payload), 3).encode(payload, &mut out);
    }
    out
}

fn payloads(bytes: &[u8], found: &[Found]) -> Vec<(u64, Vec<u8>)> {
    let record = |found: &Found| match found {
        Found::Record { header, payload } => Some((header.seq, bytes[payload.clone()].to_vec())),
        _ => None,
    };
    found.iter().filter_map(record).collect()
}

proptest! {
    #[test]
    fn what_is_written_is_read(contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..12)) {
        let bytes = file(&contents);
        let found = scan(&bytes, true);
        let expected: Vec<_> = contents.into_iter().enumerate().map(|(seq, payload)| (seq as u64, payload)).collect();
        prop_assert_eq!(found.len(), expected.len());
        prop_assert_eq!(payloads(&bytes, &found), expected);
    }

    #[test]
    fn a_cut_loses_only_the_record_it_is_in(contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 1..8), cut in any::<prop::sample::Index>()) {
        let bytes = file(&contents);
        let cut = cut.index(bytes.len());
        let found = scan(&bytes[..cut], true);
        let kept = payloads(&bytes, &found);
        let mut end = FILE_MAGIC.len();
        let whole = contents.iter().take_while(|payload| { end += HEADER + payload.len(); end <= cut }).count();
        prop_assert_eq!(kept.len(), whole);
        let damaged = found.iter().any(|found| matches!(found, Found::Damaged { .. }));
        prop_assert!(!damaged);
    }

    #[test]
    fn a_flipped_bit_loses_only_the_record_it_is_in(contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 2..8), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut bytes = file(&contents);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let kept = payloads(&bytes, &scan(&bytes, true));
        prop_assert!(kept.len() >= contents.len() - 1, "{} of {}", kept.len(), contents.len());
        for (seq, payload) in kept {
            prop_assert_eq!(&payload, &contents[seq as usize]);
        }
    }

    /// Several places overwritten, as disks do: every record that was not touched is read, and nothing else is.
    #[test]
    fn any_damage_loses_only_the_records_it_is_in(
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 2..10),
        damage in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..90)), 1..4),
        last in any::<bool>(),
    ) {
        let mut bytes = file(&contents);
        let mut ends = Vec::new();
        for payload in &contents {
            ends.push(ends.last().copied().unwrap_or(FILE_MAGIC.len()) + HEADER + payload.len());
        }
        let mut untouched = vec![true; contents.len()];
        for (at, put) in damage {
            let at = at.index(bytes.len());
            let end = (at + put.len()).min(bytes.len());
            for (record, untouched) in untouched.iter_mut().enumerate() {
                let begin = ends[record] - HEADER - contents[record].len();
                *untouched &= end <= begin || at >= ends[record];
            }
            bytes[at..end].copy_from_slice(&put[..end - at]);
        }
        let found = scan(&bytes, last);
        let kept = payloads(&bytes, &found);
        for (seq, payload) in &kept {
            prop_assert_eq!(payload, &contents[*seq as usize]);
        }
        let missing = (0..contents.len()).filter(|at| untouched[*at] && !kept.iter().any(|(seq, _)| *seq == *at as u64));
        prop_assert_eq!(missing.count(), 0);
    }

    #[test]
    fn garbage_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let found = scan(&bytes, true);
        prop_assert!(payloads(&bytes, &found).is_empty());
    }
}

#[test]
fn damage_in_the_middle_is_set_aside_with_its_count() {
    let mut bytes = file(&[b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
    let second = FILE_MAGIC.len() + HEADER + 3;
    bytes[second + HEADER] ^= 1;
    let found = scan(&bytes, true);
    assert!(matches!(found[1], Found::Damaged { header: Some(header), .. } if header.items == 3 && header.seq == 1));
    assert_eq!(payloads(&bytes, &found).len(), 2);
}

#[test]
fn a_bad_end_is_torn_in_the_last_file_and_damage_before() {
    let bytes = file(&[b"one".to_vec(), b"two".to_vec()]);
    let cut = &bytes[..bytes.len() - 1];
    let at = FILE_MAGIC.len() + HEADER + 3;
    assert_eq!(scan(cut, true).last(), Some(&Found::Torn { at }));
    assert!(matches!(scan(cut, false).last(), Some(Found::Damaged { .. })));
}

struct Rig {
    temp: tempfile::TempDir,
    durable: mpsc::Receiver<Vec<Durable>>,
    wal: Wal,
}

fn rig(file_bytes: u64, queue_limit: u64) -> Rig {
    rig_on(Fs::Real, file_bytes, queue_limit)
}

fn rig_on(fs: Fs, file_bytes: u64, queue_limit: u64) -> Rig {
    let temp = tempfile::tempdir().unwrap();
    let (send, durable) = mpsc::channel();
    let sink: Sink = Box::new(move |group| _ = send.send(group));
    let wal = Wal::start(fs, temp.path().to_owned(), Vec::new(), 0, file_bytes, queue_limit, sink).unwrap();
    Rig { temp, durable, wal }
}

fn append(wal: &Wal, bytes: &[u8]) -> mpsc::Receiver<Result<(), AppendError>> {
    let (send, receive) = mpsc::channel();
    wal.append(body(bytes), Batch::Logs(LogBatch::default()), 0, Box::new(move |result| _ = send.send(result)));
    receive
}

#[test]
fn acknowledged_means_on_disk_and_files_roll() {
    let rig = rig(100, 1 << 20);
    for number in 0..10u8 {
        append(&rig.wal, &[number; 50]).recv().unwrap().unwrap();
    }
    let files = files(&Fs::Real, rig.temp.path()).unwrap();
    assert!(files.len() >= 5, "{files:?}");
    let mut seqs = Vec::new();
    for (at, file) in files.iter().enumerate() {
        let bytes = std::fs::read(&file.path).unwrap();
        seqs.extend(payloads(&bytes, &scan(&bytes, at + 1 == files.len())).into_iter().map(|(seq, _)| seq));
    }
    assert_eq!(seqs, (0..10).collect::<Vec<_>>());
    let durable: Vec<u64> = rig.durable.try_iter().flatten().map(|durable| durable.seq).collect();
    assert_eq!(durable, seqs);
    rig.wal.trim(5).unwrap();
    let left = super::files(&Fs::Real, rig.temp.path()).unwrap();
    assert!(left.len() < files.len() && left[0].first_seq <= 5);
}

#[test]
fn a_full_queue_refuses_and_a_closed_log_stops() {
    let rig = rig(1 << 20, 60);
    // The writer may or may not have taken the first already; of many, some must be refused.
    let answers: Vec<_> = (0..200).map(|_| append(&rig.wal, &[1; 50])).collect();
    let results: Vec<_> = answers.iter().map(|answer| answer.recv().unwrap()).collect();
    assert!(results.iter().any(|result| matches!(result, Err(AppendError::Refused { reason: "queue_full", .. }))));
    assert!(results.iter().any(Result::is_ok));
    rig.wal.close();
    let stopped = append(&rig.wal, b"x").recv().unwrap();
    assert!(matches!(stopped, Err(AppendError::Refused { reason: "stopping", .. })));
}

/// What a log on this file system holds.
fn kept(fs: &Fs, dir: &Path) -> Vec<Vec<u8>> {
    let mut kept = Vec::new();
    let each = |met: Met<'_>| {
        match met {
            Met::Record { payload, .. } => kept.push(payload.to_vec()),
            _ => panic!("the log is not whole"),
        }
        Ok(())
    };
    Left::survey(fs, dir, 0, readable).unwrap().replay(fs, each, |_| ()).unwrap();
    kept
}

/// No file of a log is unreadable here.
fn readable(file: &LogFile, error: io::Error) -> Result<(), Fault> {
    panic!("{}: {error}", file.path.display())
}

#[test]
fn a_failure_acknowledges_nothing_and_the_next_group_goes_to_a_new_file() {
    for (wrong, left) in [(Wrong::Sync, 0), (Wrong::Full(0), 0), (Wrong::Full(30), 0), (Wrong::Write(55), 0)] {
        let disk = Arc::new(Disk::default());
        let fs = Fs::Strict(Arc::clone(&disk));
        let rig = rig_on(fs.clone(), 1 << 20, 1 << 20);
        append(&rig.wal, b"good").recv().unwrap().unwrap();
        disk.break_soon(wrong, left);
        assert!(matches!(append(&rig.wal, b"bad").recv().unwrap(), Err(AppendError::Failed(_))), "{wrong:?}");
        assert!(rig.wal.failure().is_some());
        append(&rig.wal, b"later").recv().unwrap().unwrap();
        assert!(rig.wal.failure().is_none());
        assert_eq!(kept(&fs, rig.temp.path()), [b"good".to_vec(), b"later".to_vec()], "{wrong:?}");
    }
}

#[test]
fn a_full_disk_is_not_littered_with_files_that_could_not_be_begun() {
    let disk = Arc::new(Disk::default());
    let fs = Fs::Strict(Arc::clone(&disk));
    let rig = rig_on(fs.clone(), 1 << 20, 1 << 20);
    for _ in 0..5 {
        disk.break_soon(Wrong::Full(3), 0);
        assert!(append(&rig.wal, b"bad").recv().unwrap().is_err());
    }
    append(&rig.wal, b"good").recv().unwrap().unwrap();
    assert_eq!(files(&fs, rig.temp.path()).unwrap().len(), 1);
    assert_eq!(kept(&fs, rig.temp.path()), [b"good".to_vec()]);
}

#[test]
fn a_file_that_could_not_be_removed_is_tried_again() {
    let disk = Arc::new(Disk::default());
    let fs = Fs::Strict(Arc::clone(&disk));
    let rig = rig_on(fs.clone(), 100, 1 << 20);
    for number in 0..6u8 {
        append(&rig.wal, &[number; 80]).recv().unwrap().unwrap();
    }
    disk.break_soon(Wrong::Entry, 0);
    assert!(rig.wal.trim(4).is_err());
    rig.wal.trim(4).unwrap();
    assert_eq!(files(&fs, rig.temp.path()).unwrap()[0].first_seq, 4);
}

#[test]
fn counts_travel_alone_when_it_is_quiet() {
    let rig = rig(1 << 20, 1 << 20);
    rig.wal.count(|counters| counters.rejected(Signal::Logs, "empty", 2));
    let group = rig.durable.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(matches!(&group[0].content, Content::Counts(counters) if counters.0[&Signal::Logs].rejected["empty"] == 2));
    assert_eq!(rig.wal.groups(), 1);
}
