//! Damage to every file of a data directory: an engine opens, says what is lost, gives no wrong row, and goes on.
//!
//! A small directory with all signals, segments, rollups and a log is copied, damaged, opened, read, written and opened
//! again. `ORRERY_ROUNDS` sets how many cases are drawn; with `ORRERY_ROUNDS=0` every case there is runs, which takes
//! hours: `ORRERY_PART=7/40` runs the seventh fortieth of them. `ORRERY_SEED` repeats a run, `ORRERY_CASE=rollups` runs
//! the cases whose name begins so.

use crate::ledger;
use crate::ledger::{Rows, expected, mix};
use crate::rounds;
use orrery_query::{Control, Store, TimeRange, plan};
use orrery_storage::{Config, Engine, OpenError};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

/// Cases drawn on every change.
const CASES: u64 = 300;
/// Time of request 0, Unix nanoseconds.
const BASE: i64 = 1_700_000_000_000_000_000;
/// Requests in segments, and in all.
const SEALED: u64 = 16;
const ALL: u64 = 32;
/// How long opening may take.
const START: Duration = Duration::from_secs(30);

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    /// It ends here.
    Cut(usize),
    /// A bit of this byte is another.
    Flip(usize, u8),
    /// This and the following 511 bytes are zero.
    Zero(usize),
    /// Noise instead of everything.
    Noise,
    /// Noise behind it.
    Longer,
    Missing,
    /// A directory has its name.
    Directory,
    /// It has the content of the next file of its folder, which has its.
    Swapped,
    /// It is also there under the name of a later one.
    Twice,
}

/// A case: one file and what happens to it.
#[derive(Clone, Debug)]
struct Case {
    file: PathBuf,
    damage: Damage,
}

impl Case {
    fn name(&self) -> String {
        format!("{}:{:?}", self.file.display(), self.damage)
    }

    fn apply(&self, dir: &Path) {
        let path = dir.join(&self.file);
        let mut bytes = fs::read(&path).expect("a file");
        match self.damage {
            Damage::Cut(at) => bytes.truncate(at),
            Damage::Flip(at, bit) => bytes[at] ^= 1 << bit,
            Damage::Zero(at) => bytes.iter_mut().skip(at).take(512).for_each(|byte| *byte = 0),
            Damage::Noise => noise(bytes.len()).clone_into(&mut bytes),
            Damage::Longer => bytes.extend(noise(700)),
            Damage::Missing => return fs::remove_file(&path).expect("a file"),
            Damage::Directory => {
                fs::remove_file(&path).expect("a file");
                return fs::create_dir(&path).expect("a free name");
            }
            Damage::Swapped => {
                let other = next_of(dir, &self.file);
                let content = fs::read(&other).expect("a file");
                fs::write(&other, &bytes).expect("a file");
                bytes = content;
            }
            Damage::Twice => {
                let name = path.file_name().expect("a file").to_str().expect("text").replace('0', "1");
                return fs::write(path.with_file_name(name), &bytes).expect("a free name");
            }
        }
        fs::write(&path, bytes).expect("a file");
    }
}

/// The file of the same kind after this one, or the first.
fn next_of(dir: &Path, file: &Path) -> PathBuf {
    let alike =
        files(dir).into_iter().filter(|other| other.parent() == file.parent() && other.extension() == file.extension());
    let alike: Vec<PathBuf> = alike.collect();
    let at = alike.iter().position(|other| other == file).expect("it is there");
    dir.join(&alike[(at + 1) % alike.len()])
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut state = bytes as u64;
    (0..bytes).map(|_| mix(&mut state) as u8).collect()
}

/// All files of a directory, relative, in order.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path.strip_prefix(dir).expect("inside").to_owned()),
            }
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(&file);
        fs::create_dir_all(target.parent().expect("a folder")).expect("a folder");
        fs::copy(from.join(&file), target).expect("a copy");
    }
}

fn append(engine: &Engine, numbers: std::ops::Range<u64>) {
    let (send, answers) = mpsc::channel();
    let count = numbers.clone().count();
    for number in numbers {
        let (body, batch) = ledger::request(number, BASE);
        let send = send.clone();
        engine.append(body, batch, Box::new(move |result| _ = send.send(result)));
    }
    for _ in 0..count {
        answers.recv_timeout(rounds::HANGS).expect("an answer").expect("acknowledged");
    }
    rounds::wait("everything durable is queryable", || ledger::settled(engine));
}

/// A directory with several segments of each signal, and a log of several files, some of them sealed already.
fn specimen(dir: &Path) {
    let config = Config { wal_file_bytes: 3_000, ..rounds::quiet(dir) };
    let eager = Config { seal_after: Duration::ZERO, ..config.clone() };
    let engine = rounds::open(eager).expect("opens");
    for (at, first) in (0..SEALED).step_by(8).enumerate() {
        append(&engine, first..first + 8);
        rounds::wait("sealed", || engine.health().segments >= 3 * (at as u64 + 1) && engine.health().hot_bytes == 0);
    }
    drop(engine);
    let engine = rounds::open(config).expect("opens");
    append(&engine, SEALED..SEALED + 8);
    append(&engine, SEALED + 8..ALL);
    engine.count_rejected(orrery_model::Signal::Logs, "empty", 3);
}

/// Every case there is; the rarest kinds of damage and the smallest files first.
fn cases(dir: &Path) -> Vec<Vec<Case>> {
    let mut groups = Vec::new();
    for file in files(dir) {
        let bytes = fs::metadata(dir.join(&file)).expect("a file").len() as usize;
        let case = |damage| Case { file: file.clone(), damage };
        let mut whole = vec![case(Damage::Missing), case(Damage::Directory), case(Damage::Noise), case(Damage::Longer)];
        if file.starts_with("wal") || file.starts_with("segments") {
            whole.extend([case(Damage::Swapped), case(Damage::Twice)]);
        }
        groups.extend(whole.into_iter().map(|case| vec![case]));
        // Of a large file every 4096th byte.
        let step = if bytes > 100_000 { 4096 } else { 1 };
        groups.push((0..bytes).step_by(step).map(|at| case(Damage::Cut(at))).collect());
        groups.push(
            (0..bytes)
                .step_by(step)
                .flat_map(|at| (0..8).map(move |bit| (at, bit)))
                .map(|(at, bit)| case(Damage::Flip(at, bit)))
                .collect(),
        );
        groups.push((0..bytes).step_by(512.max(step)).map(|at| case(Damage::Zero(at))).collect());
    }
    groups
}

/// As many cases as wanted, from all groups alike.
fn drawn(mut groups: Vec<Vec<Case>>, count: u64, state: &mut u64) -> Vec<Case> {
    let mut drawn = Vec::new();
    while !groups.is_empty() && (count == 0 || drawn.len() < count as usize) {
        for group in &mut groups {
            drawn.push(group.swap_remove(mix(state) as usize % group.len()));
        }
        groups.retain(|group| !group.is_empty());
    }
    drawn.truncate(if count == 0 { usize::MAX } else { count as usize });
    drawn
}

/// `ORRERY_PART=7/40`.
fn part() -> Option<(u64, u64)> {
    let part = std::env::var("ORRERY_PART").ok()?;
    let numbers = part.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
    Some(numbers.expect("ORRERY_PART is the number of a part and how many there are, as 7/40"))
}

/// Whether losing something in this case cannot be seen: the log simply ends earlier.
fn may_be_silent(case: &Case, last: &Path) -> bool {
    case.file == last && matches!(case.damage, Damage::Cut(_) | Damage::Missing)
}

fn examine(case: &Case, dir: &Path, last: &Path) -> Result<&'static str, String> {
    let config = || Config { seal_after: Duration::from_secs(3600), ..rounds::quiet(dir) };
    let began = Instant::now();
    let engine = match rounds::open(config()) {
        Ok(engine) => engine,
        // A number that a newer server may have written.
        Err(OpenError::NewerFormat { .. }) if case.file == Path::new("version") => return Ok("refused"),
        Err(error) => return Err(format!("does not open: {error:?}")),
    };
    if began.elapsed() > START {
        return Err(format!("took {:?} to open", began.elapsed()));
    }
    rounds::wait("replayed", || ledger::settled(&engine));
    let (rows, partial) = ledger::read(&engine, BASE, |_| true);
    let missing = missing(&rows)?;
    let health = engine.health();
    let dropped: u64 = health.signals.values().flat_map(|signal| signal.dropped.values()).sum();
    if missing > 0 && health.warnings.is_empty() && !may_be_silent(case, last) {
        return Err(format!("{missing} rows are missing and nothing is said; dropped {dropped}, partial {partial}"));
    }
    if dropped > missing {
        return Err(format!("{dropped} items were counted as dropped, {missing} are missing; {:?}", health.warnings));
    }
    let all = plan::Services { range: TimeRange::ALL, environment: None, points: 0 };
    rounds::wait("rollups answer", || {
        engine.services(&all, &Control::within(rounds::HANGS)).is_ok_and(|answer| answer.partial.is_none())
    });
    append(&engine, 1000..1004);
    let added = |rows: &Rows| (1000..1004).all(|number| rows.get(&number) == Some(&expected(number, BASE)));
    let (after, _) = ledger::read(&engine, BASE, |_| true);
    if !added(&after) || after.len() != rows.len() + 4 {
        return Err("what was written afterwards is not there".into());
    }
    drop(engine);
    let engine = rounds::open(config()).map_err(|error| format!("does not open again: {error:?}"))?;
    rounds::wait("replayed", || ledger::settled(&engine));
    let (last, _) = ledger::read(&engine, BASE, |_| true);
    if last != after {
        return Err("another start, other rows".into());
    }
    Ok(if missing > 0 { "lost rows and said so" } else { "lost nothing" })
}

/// How many rows are not there; an error if one is there that was not sent.
fn missing(rows: &Rows) -> Result<u64, String> {
    for (number, found) in rows {
        let sent = if *number < ALL { expected(*number, BASE) } else { Vec::new() };
        let mut left = sent.clone();
        for row in found {
            let at = left.iter().position(|sent| sent == row).ok_or_else(|| format!("wrong row of {number}: {row}"))?;
            left.remove(at);
        }
    }
    let there: usize = rows.values().map(Vec::len).sum();
    let sent: usize = (0..ALL).map(|number| expected(number, BASE).len()).sum();
    Ok((sent - there) as u64)
}

#[test]
fn damage_is_survived_told_and_never_believed() {
    let temp = rounds::in_memory();
    let specimen_dir = temp.path().join("specimen");
    specimen(&specimen_dir);
    let last = files(&specimen_dir).into_iter().filter(|file| file.starts_with("wal")).max().expect("a log");
    let mut state = rounds::seed();
    let mut groups = cases(&specimen_dir);
    if let Some((part, of)) = part() {
        let mut numbers = 0..;
        let mut is_wanted = |_: &Case| numbers.next().is_some_and(|number| number % of == part % of);
        groups.iter_mut().for_each(|group| group.retain(&mut is_wanted));
        groups.retain(|group| !group.is_empty());
    }
    if let Ok(name) = std::env::var("ORRERY_CASE") {
        groups.iter_mut().for_each(|group| group.retain(|case| case.name().starts_with(&name)));
        groups.retain(|group| !group.is_empty());
    }
    let cases = drawn(groups, rounds::count(CASES), &mut state);
    let outcomes = Mutex::new(BTreeMap::<&str, u64>::new());
    let failures = Mutex::new(Vec::new());
    rounds::run("cases of damage", cases.len() as u64, u64::MAX, |share| {
        for case in share.map(|number| &cases[number as usize]) {
            let dir = tempfile::tempdir_in(temp.path()).expect("a directory");
            copy(&specimen_dir, dir.path());
            case.apply(dir.path());
            let examined = std::panic::catch_unwind(|| examine(case, dir.path(), &last));
            match examined.unwrap_or_else(|_| Err("panicked".into())) {
                Ok(outcome) => {
                    println!("{}: {outcome}", case.name());
                    *outcomes.lock().expect("no panic").entry(outcome).or_default() += 1;
                }
                Err(reason) => failures.lock().expect("no panic").push(format!("{}: {reason}", case.name())),
            }
        }
    });
    let failures = failures.into_inner().expect("no panic");
    println!("{:?}; {} failed", outcomes.into_inner().expect("no panic"), failures.len());
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
}
