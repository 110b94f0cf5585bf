//! Every kind of rotation, with and without the agent running. Time is a number here: nothing sleeps.

use std::fs::OpenOptions;
use std::io::Write;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use proptest::prelude::*;

use super::*;
use crate::config::LogSource;

struct Bench {
    directory: tempfile::TempDir,
    config: Config,
    tailer: Tailer,
    now: Instant,
    seen: Vec<String>,
}

impl Bench {
    fn new(glob: &str) -> Self {
        Self::with(glob, |_| {})
    }

    fn with(glob: &str, change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let glob = directory.path().join(glob).display().to_string();
        let log = vec![LogSource { glob, ..LogSource::default() }];
        let mut config = Config { log, log_start: LogStart::Beginning, ..Config::default() };
        change(&mut config);
        let tailer = Self::tailer(&config, directory.path());
        Self { directory, config, tailer, now: Instant::now(), seen: Vec::new() }
    }

    fn tailer(config: &Config, directory: &Path) -> Tailer {
        Tailer::open(config, vec![text("service.name", "agent"), text("host.name", "h")], directory.join("state.json"))
            .unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn append(&self, name: &str, content: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(content.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn copy_truncate(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
        fs::write(self.path(from), "").unwrap();
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn poll(&mut self) {
        self.tailer.poll(self.now);
        self.tailer.save_if_due(self.now);
    }

    /// Reads and delivers everything, as the loop does.
    fn pump(&mut self) {
        self.poll();
        while let Some(batch) = self.tailer.next_batch(self.now) {
            self.seen.extend(bodies(&batch));
            self.tailer.commit(&batch.ends);
            self.poll();
        }
        self.poll();
    }

    /// Long enough for rotated files to be closed.
    fn settle(&mut self) {
        for _ in 0..4 {
            self.wait(6);
            self.pump();
        }
    }

    /// kill -9 and a new start: only what was kept on disk survives.
    fn kill(&mut self) {
        self.tailer = Self::tailer(&self.config, self.directory.path());
    }

    fn check(&self, expected: &[&str]) {
        assert_eq!(self.seen, expected);
    }

    fn lost(&self) -> u64 {
        self.tailer.lost.values().sum()
    }
}

fn bodies(batch: &LogBatch) -> Vec<String> {
    records(batch)
        .map(|record| match record.body.clone().and_then(|body| body.value) {
            Some(Any::StringValue(text)) => text,
            other => panic!("{other:?}"),
        })
        .collect()
}

fn records(batch: &LogBatch) -> impl Iterator<Item = &LogRecord> {
    batch.request.resource_logs.iter().flat_map(|logs| &logs.scope_logs).flat_map(|scope| &scope.log_records)
}

fn attribute_of(record: &LogRecord, key: &str) -> Option<Any> {
    record.attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value
}

#[test]
fn lines_arrive_in_order_and_once() {
    let mut bench = Bench::new("*.log");
    bench.append("app.log", "a\nb\n");
    bench.pump();
    bench.append("app.log", "c\n");
    bench.pump();
    bench.settle();
    bench.check(&["a", "b", "c"]);
}

#[test]
fn records_name_their_file_and_service() {
    let mut bench = Bench::with("*.log", |config| config.log[0].service = Some("web".to_owned()));
    bench.append("app.log", "2026-11-20T09:00:00Z ERROR no\n");
    bench.poll();
    let batch = bench.tailer.next_batch(bench.now).unwrap();
    let record = records(&batch).next().unwrap();
    assert_eq!(attribute_of(record, "log.file.name"), Some(Any::StringValue("app.log".to_owned())));
    let path = bench.path("app.log").display().to_string();
    assert_eq!(attribute_of(record, "log.file.path"), Some(Any::StringValue(path)));
    assert_eq!((record.severity_number, record.time_unix_nano), (17, 1_795_165_200_000_000_000));
    assert!(record.observed_time_unix_nano > 0);
    let resource = batch.request.resource_logs[0].resource.clone().unwrap();
    let resource: Vec<_> = resource.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert_eq!(resource, ["service.name", "host.name"]);
}

#[test]
fn rotation_by_rename() {
    for glob in ["app.log", "app.log*"] {
        let mut bench = Bench::new(glob);
        bench.append("app.log", "a\n");
        bench.pump();
        bench.append("app.log", "b\n");
        bench.rename("app.log", "app.log.1");
        bench.append("app.log.1", "late\n");
        bench.append("app.log", "c\n");
        bench.pump();
        bench.append("app.log.1", "later\n");
        bench.pump();
        bench.settle();
        bench.check(&["a", "b", "late", "c", "later"]);
    }
}

#[test]
fn rotation_by_copy_and_truncate() {
    for glob in ["app.log", "app.log*"] {
        let mut bench = Bench::new(glob);
        bench.append("app.log", "a\n");
        bench.pump();
        bench.append("app.log", "unread\n");
        bench.copy_truncate("app.log", "app.log.1");
        bench.append("app.log", "c\n");
        bench.pump();
        bench.settle();
        bench.wait(120);
        bench.settle();
        bench.check(&["a", "unread", "c"]);
        assert_eq!(bench.lost(), 0);
    }
}

#[test]
fn a_copy_seen_before_the_truncation_is_not_read_twice() {
    let mut bench = Bench::new("app.log*");
    bench.append("app.log", "a\n");
    bench.pump();
    bench.append("app.log", "unread\n");
    fs::copy(bench.path("app.log"), bench.path("app.log.1")).unwrap();
    bench.wait(6);
    bench.pump();
    bench.append("app.log", "last words\n");
    fs::copy(bench.path("app.log"), bench.path("app.log.1")).unwrap();
    fs::write(bench.path("app.log"), "c\n").unwrap();
    bench.pump();
    bench.settle();
    bench.seen.sort();
    bench.check(&["a", "c", "last words", "unread"]);
}

#[test]
fn a_truncation_that_grew_past_the_old_size_is_noticed() {
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "a\n");
    bench.pump();
    fs::write(bench.path("app.log"), "entirely\nnew\ncontent\n").unwrap();
    bench.pump();
    bench.check(&["a", "entirely", "new", "content"]);
}

#[test]
fn a_truncation_without_a_copy_counts_what_is_known_to_be_lost() {
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "a\n");
    bench.pump();
    bench.append("app.log", "lost\n");
    bench.tailer.poll(bench.now);
    fs::write(bench.path("app.log"), "b\n").unwrap();
    bench.pump();
    bench.settle();
    bench.check(&["a", "b"]);
    assert_eq!(bench.lost(), 5);
}

#[test]
fn deletion_and_recreation() {
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "a\n");
    bench.pump();
    bench.append("app.log", "unread\n");
    fs::remove_file(bench.path("app.log")).unwrap();
    bench.append("app.log", "c\n");
    bench.pump();
    bench.settle();
    bench.check(&["a", "unread", "c"]);
    assert_eq!(bench.tailer.files.len(), 1, "the deleted file is closed");
}

#[test]
fn rotations_during_an_outage_lose_nothing() {
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "0\n");
    bench.poll();
    let on_its_way = bench.tailer.next_batch(bench.now).unwrap();
    for round in 1..=5 {
        bench.rename("app.log", &format!("app.log.{round}"));
        bench.append("app.log", &format!("{round}\n"));
        bench.wait(7);
        bench.poll();
    }
    bench.seen.extend(bodies(&on_its_way));
    bench.tailer.commit(&on_its_way.ends);
    bench.pump();
    bench.settle();
    let mut seen = bench.seen.clone();
    seen.sort();
    assert_eq!(seen, ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(bench.tailer.files.len(), 1);
}

#[test]
fn unacknowledged_lines_are_read_again_after_a_kill() {
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "a\n");
    bench.pump();
    bench.wait(2);
    bench.poll();
    bench.append("app.log", "b\n");
    bench.poll();
    bench.tailer.next_batch(bench.now).unwrap();
    bench.kill();
    bench.pump();
    bench.check(&["a", "b"]);
}

#[test]
fn renamed_while_down() {
    for glob in ["app.log", "app.log*"] {
        let mut bench = Bench::new(glob);
        bench.append("app.log", "a\n");
        bench.pump();
        bench.wait(2);
        bench.poll();
        bench.append("app.log", "b\n");
        bench.rename("app.log", "app.log.1");
        bench.append("app.log", "c\n");
        bench.kill();
        bench.pump();
        bench.settle();
        bench.seen.sort();
        bench.check(&["a", "b", "c"]);
    }
}

#[test]
fn copied_and_truncated_while_down() {
    for glob in ["app.log", "app.log*"] {
        let mut bench = Bench::new(glob);
        bench.append("app.log", "a\n");
        bench.pump();
        bench.wait(2);
        bench.poll();
        bench.append("app.log", "b\n");
        bench.copy_truncate("app.log", "app.log.1");
        bench.append("app.log", "c, and more than there was before\n");
        bench.kill();
        bench.pump();
        bench.settle();
        bench.seen.sort();
        bench.check(&["a", "b", "c, and more than there was before"]);
    }
}

#[test]
fn recreated_while_down_even_with_the_same_inode() {
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "a\n");
    bench.pump();
    bench.wait(2);
    bench.poll();
    fs::remove_file(bench.path("app.log")).unwrap();
    bench.kill();
    bench.append("app.log", "b\nc\n");
    bench.pump();
    bench.check(&["a", "b", "c"]);
}

#[test]
fn a_rotated_file_half_delivered_is_finished_after_a_kill() {
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "a\n");
    bench.pump();
    bench.append("app.log", "b\n");
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "c\n");
    bench.wait(6);
    bench.poll();
    bench.kill();
    bench.pump();
    bench.settle();
    bench.seen.sort();
    bench.check(&["a", "b", "c"]);
}

#[test]
fn a_partial_line_waits_for_its_end() {
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "a\nhalf");
    bench.pump();
    bench.check(&["a"]);
    bench.wait(2);
    bench.poll();
    bench.kill();
    bench.append("app.log", " whole\n");
    bench.pump();
    bench.check(&["a", "half whole"]);
}

#[test]
fn the_last_line_of_a_rotated_file_needs_no_newline() {
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "a\nlast");
    bench.pump();
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "b\n");
    bench.pump();
    bench.check(&["a", "b"]);
    bench.settle();
    bench.check(&["a", "b", "last"]);
    assert_eq!(bench.tailer.files.len(), 1);
}

#[test]
fn stack_traces_are_one_record_and_do_not_wait_forever() {
    let mut bench = Bench::with("app.log", |config| config.log[0].multiline_start = Some(r"^\d".to_owned()));
    bench.append("app.log", "1 boom\n  at x\n");
    bench.pump();
    bench.check(&[]);
    bench.append("app.log", "  at y\n");
    bench.wait(1);
    bench.pump();
    bench.wait(1);
    bench.pump();
    bench.check(&[]);
    bench.wait(2);
    bench.pump();
    bench.check(&["1 boom\n  at x\n  at y"]);
}

#[test]
fn long_lines_are_cut_marked_and_counted() {
    let mut bench = Bench::with("app.log", |config| config.log_record_bytes = 256);
    bench.append("app.log", &format!("{}\nshort\n", "x".repeat(1000)));
    bench.poll();
    let batch = bench.tailer.next_batch(bench.now).unwrap();
    let marks: Vec<_> = records(&batch).map(|record| attribute_of(record, "orrery.log.truncated")).collect();
    assert_eq!(marks, [Some(Any::BoolValue(true)), None]);
    assert_eq!(bodies(&batch)[0].len(), 256);
    assert_eq!(bench.tailer.cut, 1);
}

#[test]
fn old_content_is_skipped_once_per_glob_only() {
    let mut bench = Bench::with("*.log", |config| config.log_start = LogStart::End);
    bench.append("old.log", "old\n");
    bench.pump();
    bench.append("old.log", "new\n");
    bench.append("young.log", "young\n");
    bench.wait(6);
    bench.pump();
    bench.check(&["new", "young"]);
    bench.wait(2);
    bench.poll();
    bench.append("while-down.log", "down\n");
    bench.kill();
    bench.pump();
    bench.check(&["new", "young", "down"]);
}

#[test]
fn a_big_file_comes_in_bounded_batches() {
    let mut bench = Bench::new("app.log");
    let lines: Vec<String> = (0..20_000).map(|n| format!("line {n} {}", "x".repeat(200))).collect();
    bench.append("app.log", &(lines.join("\n") + "\n"));
    bench.poll();
    while let Some(batch) = bench.tailer.next_batch(bench.now) {
        assert!(batch.records as usize <= BATCH_RECORDS);
        assert!(prost::Message::encoded_len(&batch.request) < 2 * BATCH_BYTES);
        bench.seen.extend(bodies(&batch));
        bench.tailer.commit(&batch.ends);
    }
    assert_eq!(bench.seen, lines);
}

#[test]
fn only_so_many_files_are_followed() {
    let mut bench = Bench::with("*.log", |config| config.log_files = 2);
    for name in ["a.log", "b.log", "c.log"] {
        bench.append(name, "x\n");
    }
    bench.pump();
    assert_eq!((bench.tailer.files.len(), bench.seen.len()), (2, 2));
}

#[test]
fn similar_files_are_not_taken_for_copies_for_long() {
    let mut bench = Bench::new("*.log");
    bench.append("app.log", "starting\n");
    bench.pump();
    bench.append("app-2.log", "starting\n");
    bench.settle();
    bench.wait(60);
    bench.settle();
    bench.check(&["starting", "starting"]);
}

#[test]
fn copies_are_known_by_their_names() {
    for (other, expected) in [
        ("/d/app.log.1", true),
        ("/d/app.log-20261120", true),
        ("/d/app-2026-11-20.log", true),
        ("/d/app2.log", false),
        ("/d/application.log", false),
        ("/d/app.log", false),
        ("/d/app", false),
        ("/e/app.log.1", false),
    ] {
        assert_eq!(is_copy_name(Path::new("/d/app.log"), Path::new(other)), expected, "{other}");
    }
}

#[test]
fn alike_files_present_at_the_start_are_all_followed() {
    let mut bench = Bench::with("*.log", |config| config.log_start = LogStart::End);
    for name in ["app.log", "app-2.log"] {
        bench.append(name, "starting\n");
    }
    bench.pump();
    for name in ["app.log", "app-2.log"] {
        bench.append(name, "more\n");
    }
    bench.pump();
    bench.check(&["more", "more"]);
}

#[test]
fn a_file_that_was_empty_when_last_kept_is_found_after_it_rotated() {
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "");
    bench.poll();
    bench.append("app.log", "first\n");
    bench.rename("app.log", "app.log.1");
    bench.kill();
    bench.settle();
    bench.check(&["first"]);
}

#[test]
fn a_fingerprint_is_kept_before_anything_was_delivered() {
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "");
    bench.poll();
    bench.append("app.log", "first\n");
    bench.wait(2);
    bench.poll();
    bench.copy_truncate("app.log", "app.log.1");
    bench.kill();
    bench.settle();
    bench.check(&["first"]);
}

/// What may happen to a log file and its agent.
#[derive(Clone, Copy, Debug)]
enum Event {
    Append,
    Rename,
    CopyTruncate,
    Pump,
    Outage,
    Kill,
    Wait,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Append),
        1 => Just(Event::Rename),
        1 => Just(Event::CopyTruncate),
        3 => Just(Event::Pump),
        1 => Just(Event::Outage),
        1 => Just(Event::Kill),
        1 => Just(Event::Wait),
    ]
}

proptest! {
    /// No line is lost, whatever happens; none comes twice unless the agent was killed.
    #[test]
    fn no_line_is_lost(events in prop::collection::vec(event(), 1..40), copies_match: bool) {
        let mut bench = Bench::new(if copies_match { "app.log*" } else { "app.log" });
        let (mut written, mut rotations, mut killed) = (0, 0, false);
        for event in events {
            match event {
                Event::Append => {
                    bench.append("app.log", &format!("line {written:04}\n"));
                    written += 1;
                }
                Event::Rename if bench.path("app.log").exists() => {
                    // A running agent has seen the file; one that never did cannot know it existed.
                    bench.wait(6);
                    bench.poll();
                    rotations += 1;
                    bench.rename("app.log", &format!("app.log.{rotations}"));
                    bench.wait(6);
                    bench.poll();
                }
                Event::CopyTruncate if bench.path("app.log").exists() => {
                    bench.wait(6);
                    bench.poll();
                    rotations += 1;
                    bench.copy_truncate("app.log", &format!("app.log.{rotations}"));
                    bench.poll();
                }
                Event::Pump => bench.pump(),
                Event::Outage => {
                    // Sent again later: nothing is committed, and the same batch stays on its way.
                    bench.poll();
                    if let Some(batch) = bench.tailer.next_batch(bench.now) {
                        bench.wait(3);
                        bench.poll();
                        bench.seen.extend(bodies(&batch));
                        bench.tailer.commit(&batch.ends);
                    }
                }
                Event::Kill => {
                    killed = true;
                    bench.kill();
                    bench.poll();
                }
                Event::Wait => bench.wait(7),
                Event::Rename | Event::CopyTruncate => {}
            }
        }
        bench.settle();
        bench.wait(120);
        bench.settle();
        let expected: Vec<String> = (0..written).map(|n| format!("line {n:04}")).collect();
        let mut seen = bench.seen.clone();
        seen.sort();
        if killed {
            seen.dedup();
        }
        prop_assert_eq!(seen, expected);
    }
}

#[test]
fn a_busy_file_does_not_keep_others_waiting() {
    let mut bench = Bench::new("*.log");
    let flood = "x".repeat(100) + "\n";
    bench.append("busy.log", &flood.repeat(50_000));
    bench.append("quiet.log", "here\n");
    bench.append("second.log", &flood.repeat(50_000));
    bench.poll();
    let batch = bench.tailer.next_batch(bench.now).unwrap();
    assert!(bodies(&batch).contains(&"here".to_owned()));
}
