//! `orrery doctor`: what is in a data directory, and whether it is whole.

use crate::cli::DoctorOptions;
use crate::figures::{bytes, count, some, table, time};
use crate::{app, logging};
use orrery_meta::{Found, Meta, Opened};
use orrery_receive::Decoder;
use orrery_storage::doctor::{self, Log, Report, Rollups, Weight};
use serde::Serialize;
use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;

/// Says what there is. 0: all is well, 1: something was found, 2: it cannot look.
pub(crate) fn run(options: &DoctorOptions) -> ExitCode {
    let report = if options.repair {
        _ = logging::start("error");
        doctor::repair(&options.data_dir, Arc::new(Decoder::default()))
    } else {
        doctor::examine(&options.data_dir)
    };
    let weighed = report.and_then(|mut report| {
        if options.columns {
            report.weights = doctor::weigh(&options.data_dir)?;
        }
        Ok(report)
    });
    match weighed {
        Ok(report) => {
            let examined = Examined::new(report, options);
            let found = !examined.report.findings.is_empty()
                || examined.metadata.as_ref().is_some_and(|meta| meta.finding.is_some());
            let said = match options.json {
                true => serde_json::to_string_pretty(&examined).unwrap_or_default(),
                false => text(&examined),
            };
            println!("{}", said.trim_end());
            ExitCode::from(u8::from(found))
        }
        Err(error) => {
            eprintln!("orrery: {:#}", app::unopened(error));
            ExitCode::from(2)
        }
    }
}

/// What was found, metadata included.
#[derive(Serialize)]
struct Examined {
    #[serde(flatten)]
    report: Report,
    metadata: Option<Metadata>,
}

/// What people made.
#[derive(Serialize)]
struct Metadata {
    bytes: u64,
    views: u64,
    links: u64,
    rules: u64,
    slos: u64,
    channels: u64,
    routes: u64,
    silences: u64,
    finding: Option<Wrong>,
}

/// What is wrong with them.
#[derive(Serialize)]
struct Wrong {
    what: String,
    fix: &'static str,
}

impl Examined {
    /// Looks at the metadata, too. A repair opens it, which sets a damaged file aside.
    fn new(mut report: Report, options: &DoctorOptions) -> Examined {
        if options.repair
            && !report.in_use
            && orrery_meta::look(&options.data_dir).is_some_and(|found| found.is_damaged)
            && let Ok(Opened { set_aside: Some(what), .. }) = Meta::open(&options.data_dir)
        {
            report.repaired.push(what);
        }
        let metadata = orrery_meta::look(&options.data_dir).map(|found| {
            let Found { bytes, views, links, rules, slos, channels, routes, silences, wrong, is_damaged } = found;
            let fix = match is_damaged {
                true => "a repair, or the next start, moves it to quarantine/ and begins a new one",
                false => "see what it says; without it there are no saved views, short links and alert rules",
            };
            let what = |why| format!("saved views, short links and alert rules ({}): {why}", orrery_meta::FILE);
            let finding = wrong.map(|why: String| Wrong { what: what(why), fix });
            Metadata { bytes, views, links, rules, slos, channels, routes, silences, finding }
        });
        Examined { report, metadata }
    }
}

fn text(examined: &Examined) -> String {
    let Examined { report, metadata } = examined;
    let mut text =
        format!("{}  format {}, orrery {}\n", report.path.display(), report.format, env!("CARGO_PKG_VERSION"));
    if report.in_use {
        let server = report.server_pid.map_or("a server".to_owned(), |pid| format!("process {pid}"));
        _ = writeln!(text, "In use by {server}: its log, rollups and left-over files were not looked at.");
    }
    text.push('\n');
    let mut rows =
        vec![["sealed", "segments", "rows", "size", "from (UTC)", "to (UTC)", "by level"].map(str::to_owned).to_vec()];
    for (signal, sealed) in &report.signals {
        let at = |unix_nano: Option<i64>| unix_nano.map(time).unwrap_or_default();
        let levels: Vec<String> =
            sealed.levels.iter().map(|(level, segments)| format!("{level}: {segments}")).collect();
        rows.push(vec![
            signal.to_string(),
            count(sealed.segments),
            count(sealed.rows),
            bytes(sealed.bytes),
            at(sealed.first_unix_nano),
            at(sealed.last_unix_nano),
            levels.join(", "),
        ]);
    }
    text.push_str(&table(&rows));
    text.push('\n');
    for (signal, weight) in &report.weights {
        text.push_str(&table(&weight_rows(signal.as_str(), weight)));
        text.push('\n');
    }
    report.log.iter().for_each(|log| _ = writeln!(text, "log         {}", log_text(log)));
    report.rollups.iter().for_each(|rollups| _ = writeln!(text, "rollups     {}", rollups_text(rollups)));
    metadata.iter().for_each(|metadata| _ = writeln!(text, "metadata    {}", metadata_text(metadata)));
    if !report.quarantine.is_empty() {
        let size = report.quarantine.iter().map(|file| file.bytes).sum();
        _ = writeln!(text, "quarantine  {}, {}", some(report.quarantine.len() as u64, "file"), bytes(size));
        for file in &report.quarantine {
            _ = writeln!(text, "            {}: {}", file.name, file.reason);
        }
    }
    for done in &report.repaired {
        _ = writeln!(text, "\nRepaired: {done}.");
    }
    for finding in &report.findings {
        _ = writeln!(text, "\nFound: {}.\n  What to do: {}.", finding.what, finding.fix);
    }
    let wrong = metadata.as_ref().and_then(|metadata| metadata.finding.as_ref());
    wrong.iter().for_each(|Wrong { what, fix }| _ = writeln!(text, "\nFound: {what}.\n  What to do: {fix}."));
    if report.findings.is_empty() && wrong.is_none() {
        text.push_str("\nAll is well: every checksum is right.\n");
    }
    text
}

/// Views and links always, the rest where there is some.
fn metadata_text(metadata: &Metadata) -> String {
    let Metadata { bytes: size, views, links, rules, slos, channels, routes, silences, .. } = metadata;
    let mut parts = vec![bytes(*size), some(*views, "saved view"), some(*links, "short link")];
    let alerting =
        [(rules, "rule"), (slos, "objective"), (channels, "channel"), (routes, "route"), (silences, "silence")];
    parts.extend(alerting.into_iter().filter(|(number, _)| **number > 0).map(|(number, one)| some(*number, one)));
    parts.join(", ")
}

/// What each column takes, the heaviest first, and what is beside them.
fn weight_rows(signal: &str, weight: &Weight) -> Vec<Vec<String>> {
    let mut columns: Vec<(&str, u64)> = weight.columns.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    columns.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let beside = [("(footers)", weight.footers), ("(index files)", weight.indexes)];
    let all = columns.iter().chain(&beside).map(|(_, bytes)| bytes).sum();
    let row = |(name, own): (&str, u64)| {
        let each = own as f64 / weight.rows.max(1) as f64;
        vec![name.to_owned(), bytes(own), format!("{each:.3}")]
    };
    let head = [format!("column of {signal}"), "size".to_owned(), "bytes per row".to_owned()];
    let rows = columns.into_iter().chain(beside).chain([("(all)", all)]).map(row);
    std::iter::once(head.to_vec()).chain(rows).collect()
}

fn log_text(log: &Log) -> String {
    let mut text = format!("{}, {}", some(log.files, "file"), bytes(log.bytes));
    if let Some((first, last)) = log.range {
        _ = write!(text, ", {} ({first} to {last})", some(log.records, "record"));
    }
    let items: Vec<String> =
        log.unsealed_items.iter().map(|(signal, items)| format!("{} {signal}", count(*items))).collect();
    let of = if items.is_empty() { String::new() } else { format!(" ({})", items.join(", ")) };
    _ = write!(text, "; not sealed yet: {}{of}", some(log.unsealed_records, "record"));
    if log.torn_bytes > 0 {
        _ = write!(text, "; {} of an unfinished record at the end, never acknowledged", bytes(log.torn_bytes));
    }
    text
}

fn rollups_text(rollups: &Rollups) -> String {
    match rollups.missing {
        0 => format!("{}, complete", bytes(rollups.bytes)),
        missing => format!("{}, {missing} of {} missing", bytes(rollups.bytes), some(rollups.slices, "slice")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_column_is_said_first() {
        let columns = [("name", 100), ("url.full", 2500)].map(|(name, bytes)| (name.to_owned(), bytes));
        let weight = Weight { rows: 1000, columns: columns.into(), footers: 20, indexes: 30 };
        let text = "\
column of traces     size  bytes per row
url.full          2.4 KiB          2.500
name                100 B          0.100
(footers)            20 B          0.020
(index files)        30 B          0.030
(all)             2.6 KiB          2.650
";
        assert_eq!(table(&weight_rows("traces", &weight)), text);
    }
}
