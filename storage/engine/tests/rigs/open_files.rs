//! The SQL of FORMAT.md, as it stands there, reads what a server has sealed, while that server writes, seals and merges.

use orrery_model::Signal;
use orrery_storage::doctor;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const MARK: &str = "<!-- sql: run by a test -->\n\n```sql\n";

/// Statements of the document, about this directory.
fn statements(dir: &Path) -> Vec<String> {
    let document = std::fs::read_to_string(Path::new("FORMAT.md")).expect("FORMAT.md");
    let (_, block) = document.split_once(MARK).expect("the marked block");
    let (block, _) = block.split_once("```").expect("its end");
    let block = block.replace("/var/lib/orrery", dir.to_str().expect("text"));
    block.split(";\n").map(|statement| statement.trim().to_owned()).filter(|statement| !statement.is_empty()).collect()
}

/// A stock DuckDB that runs the document, and then one more question.
fn read(dir: &Path, question: &str) -> duckdb::Result<(u64, u64)> {
    let duck = duckdb::Connection::open_in_memory()?;
    let statements = statements(dir);
    assert!(statements.len() >= 3, "{statements:?}");
    for statement in &statements {
        let mut statement = duck.prepare(statement)?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
    }
    duck.query_row(question, [], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Killed when the test ends, however it does.
struct Writer(Child);

impl Drop for Writer {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn writer(dir: &Path) -> Writer {
    // Examples are built with the tests and lie next to their folder.
    let mut path = std::env::current_exe().expect("this test");
    path.pop();
    path.pop();
    let mut command = Command::new(path.join("examples").join("writer"));
    command.arg(dir).args(["0", "1000000"]).stdout(Stdio::null());
    Writer(command.spawn().expect("the example writer is built with the tests"))
}

#[test]
fn the_documented_sql_reads_what_is_sealed_while_a_server_works() {
    let dir = tempfile::tempdir().expect("a directory");
    let writer = writer(dir.path());
    let deadline = Instant::now() + Duration::from_secs(300);
    let sealed = || doctor::examine(dir.path()).ok().map(|report| report.signals[&Signal::Traces].clone());
    while sealed().is_none_or(|traces| traces.segments == 0) {
        assert!(Instant::now() < deadline, "nothing was sealed");
        std::thread::sleep(Duration::from_millis(20));
    }
    let question = "SELECT count(*), count(DISTINCT (trace_id, span_id)) \
        FROM read_parquet(getvariable('segments'), union_by_name = true)";
    let (mut reads, mut last) = (0, 0);
    // Until a dozen readers have been there, and merges beside them.
    let merged = || sealed().is_some_and(|traces| traces.levels.keys().any(|level| *level > 0));
    while reads < 12 || !merged() {
        assert!(Instant::now() < deadline, "nothing was merged; {reads} reads");
        let (rows, distinct) = read(dir.path(), question).expect("the document is right");
        assert!(rows >= last && rows == distinct, "{rows} rows, {distinct} spans, before {last}");
        (reads, last) = (reads + 1, rows);
    }
    println!("{reads} reads, {last} rows in the end");
    drop(writer);
}
