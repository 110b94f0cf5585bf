//! Segments: what the manifest says, and whether the files are what it says.

use super::{Finding, Repair, Sealed, entries, is_named, is_pinned, shown};
use crate::dir::Dir;
use crate::error::{Fault, OpenError, chain};
use crate::manifest::{Manifest, SegmentEntry};
use crate::segment::Segments;
use orrery_model::Signal;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn sealed(manifest: &Manifest) -> BTreeMap<Signal, Sealed> {
    let mut signals: BTreeMap<Signal, Sealed> = Signal::ALL.map(|signal| (signal, Sealed::default())).into();
    for entry in &manifest.segments {
        let sealed = signals.entry(entry.signal).or_default();
        sealed.segments += 1;
        sealed.rows += entry.rows;
        sealed.bytes += entry.bytes + entry.index_bytes;
        let (first, last) = (&mut sealed.first_unix_nano, &mut sealed.last_unix_nano);
        *first = Some(first.map_or(entry.first_unix_nano, |time| time.min(entry.first_unix_nano)));
        *last = Some(last.map_or(entry.last_unix_nano, |time| time.max(entry.last_unix_nano)));
        *sealed.levels.entry(entry.level).or_default() += 1;
    }
    signals
}

/// Compares both files of every segment with the checksums in the manifest.
pub(super) fn verify(
    dir: &Dir,
    manifest: &Manifest,
    in_use: bool,
    findings: &mut Vec<Finding>,
) -> Result<(), OpenError> {
    let segments = Segments::new(dir.segments(), 0);
    for entry in &manifest.segments {
        let segment = segments.segment(entry.clone());
        let Err(fault) = segment.verify_index().and_then(|()| segment.verify()) else { continue };
        if in_use && !is_named(dir, entry.id) {
            continue;
        }
        if !fault.is_lasting() {
            return Err(OpenError::Engine(fault));
        }
        let reason = reason(dir, fault);
        findings.push(Finding {
            what: format!("{reason} ({} rows of {})", entry.rows, entry.signal),
            fix: "restore the file from a backup; a repair sets the segment aside and counts its rows as dropped"
                .to_owned(),
            repair: Repair::Segment { id: entry.id, reason },
        });
    }
    let pins = Segments::new(dir.pins(), 0);
    for pin in &manifest.pins {
        let segment = pins.pinned(pin);
        let Err(fault) = segment.verify_index().and_then(|()| segment.verify()) else { continue };
        if in_use && !is_pinned(dir, pin.segment.id) {
            continue;
        }
        if !fault.is_lasting() {
            return Err(OpenError::Engine(fault));
        }
        let reason = reason(dir, fault);
        findings.push(Finding {
            what: format!("{reason} (the pinned trace {})", pin.trace_id),
            fix: "restore the file from a backup; a repair sets it aside and the trace is pinned no more".to_owned(),
            repair: Repair::Pin { id: pin.segment.id, reason },
        });
    }
    Ok(())
}

fn reason(dir: &Dir, fault: Fault) -> String {
    match fault {
        Fault::Io { path, .. } => format!("{} is missing", shown(dir, &path)),
        Fault::Damaged { path, reason } => format!("{} is damaged: {reason}", shown(dir, &path)),
        other => chain(&other),
    }
}

/// Files of segments that the manifest does not name.
pub(super) fn left_over(dir: &Dir, manifest: &Manifest, findings: &mut Vec<Finding>) -> Result<(), Fault> {
    let sealed: BTreeSet<String> = manifest.segments.iter().map(SegmentEntry::stem).collect();
    let pinned: BTreeSet<String> = manifest.pins.iter().map(|pin| pin.segment.stem()).collect();
    for (folder, stems) in [(dir.segments(), sealed), (dir.pins(), pinned)] {
        let of_no_segment =
            |name: &str| name.ends_with(".tmp") || name.split_once('.').is_none_or(|(stem, _)| !stems.contains(stem));
        for (name, path) in entries(&folder)? {
            if !is_name(&name) || !of_no_segment(&name) {
                continue;
            }
            findings.push(Finding {
                what: format!(
                    "{} belongs to no segment: left over from an interrupted seal, merge or removal",
                    shown(dir, &path)
                ),
                fix: "nothing is lost; a repair sets it aside, the next start removes it".to_owned(),
                repair: Repair::File { path, reason: "left over: the manifest did not name it".to_owned() },
            });
        }
    }
    Ok(())
}

/// Whether a file in `segments` is named as we name them.
pub(crate) fn is_name(name: &str) -> bool {
    let Some((stem, extension)) = name.split_once('.') else { return false };
    let Some((signal, id)) = stem.split_once('-') else { return false };
    ["parquet", "index", "parquet.tmp"].contains(&extension)
        && Signal::ALL.iter().any(|known| known.as_str() == signal)
        && id.len() >= 10
        && id.bytes().all(|byte| byte.is_ascii_digit())
}
