//! Data directories of every format there was open, and answer as they did.

use crate::corpus;
use crate::items;
use orrery_storage::doctor;
use std::path::{Path, PathBuf};

fn formats() -> Vec<PathBuf> {
    let folder = Path::new("tests/formats");
    let mut formats: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("the corpus").map(|entry| entry.expect("an entry").path()).collect();
    formats.sort();
    assert!(!formats.is_empty());
    formats
}

#[test]
fn every_format_opens_and_answers_as_it_did() {
    for format in formats() {
        let expected = std::fs::read_to_string(format.join("answers.json")).expect("the answers");
        let expected: serde_json::Value = serde_json::from_str(&expected).expect("JSON");
        let found = corpus::answers_of(&format.join("data"));
        for (question, answer) in expected.as_object().expect("an object") {
            assert_eq!(&found[question], answer, "{}: {question}", format.display());
        }
    }
}

#[test]
fn every_format_is_whole_and_is_made_complete() {
    for format in formats() {
        let dir = tempfile::tempdir().expect("a directory");
        corpus::copy(&format.join("data"), dir.path());
        let report = doctor::examine(dir.path()).expect("can be looked at");
        let findings: Vec<&str> = report.findings.iter().map(|finding| finding.what.as_str()).collect();
        assert_eq!(findings, ["rollups.duckdb is missing: maps of the past are empty"], "{}", format.display());
        let log = report.log.expect("nobody uses it");
        assert!(log.unsealed_records > 0 && log.damaged_records == 0, "{log:?}");
        let repaired = doctor::repair(dir.path(), std::sync::Arc::new(items::Items)).expect("can be repaired");
        assert_eq!((repaired.findings.len(), repaired.repaired.len()), (0, 1), "{repaired:?}");
        assert_eq!(repaired.log.expect("nobody uses it").unsealed_records, 0);
        assert_eq!(corpus::answers_of(dir.path())["spans"], corpus::answers_of(&format.join("data"))["spans"]);
    }
}
