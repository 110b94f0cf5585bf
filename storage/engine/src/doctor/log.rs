//! The write-ahead log: its records, and damage that still matters.

use super::{Finding, Log, Repair, shown};
use crate::dir::Dir;
use crate::error::Fault;
use crate::fs::Fs;
use crate::manifest::Manifest;
use crate::wal::record::Kind;
use crate::wal::scan::{Found, scan};
use crate::wal::{self, LogFile};

pub(super) fn read(dir: &Dir, manifest: &Manifest, findings: &mut Vec<Finding>) -> Result<Log, Fault> {
    let mut log = Log::default();
    let files = if dir.wal().is_dir() { wal::files(&Fs::Real, &dir.wal())? } else { Vec::new() };
    for (at, file) in files.iter().enumerate() {
        log.files += 1;
        log.bytes += file.bytes;
        read_file(dir, file, at + 1 == files.len(), manifest.cursor, &mut log, findings)?;
    }
    Ok(log)
}

fn read_file(
    dir: &Dir,
    file: &LogFile,
    last: bool,
    cursor: u64,
    log: &mut Log,
    findings: &mut Vec<Finding>,
) -> Result<(), Fault> {
    let bytes = std::fs::read(&file.path).map_err(Fault::io(&file.path))?;
    let mut next_seq = file.first_seq;
    for found in scan(&bytes, last) {
        match found {
            Found::Record { header, .. } => {
                next_seq = header.seq + 1;
                log.records += 1;
                log.range = Some((log.range.map_or(header.seq, |(first, _)| first), header.seq));
                if header.seq >= cursor {
                    log.unsealed_records += 1;
                    if let Kind::Body { signal, .. } = header.kind {
                        *log.unsealed_items.entry(signal).or_default() += u64::from(header.items);
                    }
                }
            }
            Found::Damaged { range, header } => {
                let seq = header.map_or(next_seq, |header| header.seq);
                next_seq = seq + 1;
                // What is sealed is not read again.
                if seq >= cursor {
                    log.damaged_records += 1;
                    let lost = header.map_or("an unknown number of".to_owned(), |header| header.items.to_string());
                    findings.push(Finding {
                        what: format!(
                            "{} is damaged at byte {} ({} bytes, {lost} items)",
                            shown(dir, &file.path),
                            range.start,
                            range.len()
                        ),
                        fix: "restore the file from a backup; a repair, or the next start, sets the record aside, \
                              counts its items as dropped and keeps the others"
                            .to_owned(),
                        repair: Repair::Open,
                    });
                }
            }
            Found::Torn { at } => log.torn_bytes += (bytes.len() - at) as u64,
        }
    }
    Ok(())
}
