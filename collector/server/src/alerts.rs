//! `orrery alerts`: what is written about alerts, as files.

mod import;
mod lines;
mod promql;

use crate::cli::{AlertFiles, AlertServer, AlertsCommand, ApplyOptions};
use anyhow::{Context, Result, bail};
use orrery_alert::check;
use orrery_api::alerting::{AlertingChanges, AlertingFile, DocumentChangeKind};
use orrery_api::{Problem, paths};
use std::fmt::Write;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

/// 0: all is well, 1: something is wrong.
pub(crate) fn run(command: AlertsCommand) -> Result<ExitCode> {
    match command {
        AlertsCommand::Check(files) => Ok(checked(&read(&files)?).map_or(ExitCode::FAILURE, |files| {
            let documents: usize = files.iter().map(|file| count(&file.documents)).sum();
            println!("{documents} documents in {} files are right", files.len());
            ExitCode::SUCCESS
        })),
        AlertsCommand::Apply(options) => {
            let Some(files) = checked(&read(&options.files)?) else { return Ok(ExitCode::FAILURE) };
            apply(&options, files)?;
            Ok(ExitCode::SUCCESS)
        }
        AlertsCommand::Export(server) => {
            print!("{}", export(&server)?);
            Ok(ExitCode::SUCCESS)
        }
        AlertsCommand::ImportPrometheus(files) => import(&read(&files)?),
    }
}

/// A file as it was read.
struct Text {
    name: String,
    text: String,
}

/// A file that is right.
struct Right {
    name: String,
    documents: AlertingFile,
}

fn read(files: &AlertFiles) -> Result<Vec<Text>> {
    let one = |path: &std::path::PathBuf| {
        let name = path.display().to_string();
        let text = match path == Path::new("-") {
            true => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).map(|_| text)
            }
            false => std::fs::read_to_string(path),
        };
        Ok(Text { text: text.with_context(|| format!("{name} cannot be read"))?, name })
    };
    files.files.iter().map(one).collect()
}

/// The files, if all of them are right, each by itself and together; what is not is said on stderr.
fn checked(files: &[Text]) -> Option<Vec<Right>> {
    let mut right = Vec::new();
    let mut wrong = String::new();
    for Text { name, text } in files {
        match toml::from_str::<AlertingFile>(text) {
            Err(error) => {
                let line = error.span().map_or(1, |span| lines::line(text, span.start));
                _ = writeln!(wrong, "{name}:{line}: {}", error.message().trim().replace('\n', " "));
            }
            Ok(documents) => {
                for found in check::file(&documents) {
                    _ = writeln!(wrong, "{name}:{}: {found}", lines::of(text, &found.field));
                }
                right.push(Right { name: name.clone(), documents });
            }
        }
    }
    if wrong.is_empty() {
        wrong = clashes(&right);
    }
    eprint!("{wrong}");
    wrong.is_empty().then_some(right)
}

/// Names that two files have.
fn clashes(files: &[Right]) -> String {
    let mut said = String::new();
    let mut seen = std::collections::BTreeMap::new();
    for Right { name: file, documents } in files {
        let named = documents.rules.iter().map(|it| ("rule", &it.name));
        let named = named.chain(documents.slos.iter().map(|it| ("slo", &it.name)));
        let named = named.chain(documents.channels.iter().map(|it| ("channel", &it.name)));
        let named = named.chain(documents.routes.iter().map(|it| ("route", &it.name)));
        for document in named {
            if let Some(other) = seen.insert(document, file).filter(|other| *other != file) {
                let (kind, name) = document;
                _ = writeln!(said, "{file}: {other} has a {kind} `{name}`, too: give one another name");
            }
        }
    }
    said
}

fn count(file: &AlertingFile) -> usize {
    let AlertingFile { rules, slos, channels, routes, inhibitions, silences } = file;
    rules.len() + slos.len() + channels.len() + routes.len() + inhibitions.len() + silences.len()
}

fn apply(options: &ApplyOptions, files: Vec<Right>) -> Result<()> {
    let mut all = AlertingFile::default();
    for Right { documents, .. } in files {
        let AlertingFile { rules, slos, channels, routes, inhibitions, silences } = documents;
        all.rules.extend(rules);
        all.slos.extend(slos);
        all.channels.extend(channels);
        all.routes.extend(routes);
        all.inhibitions.extend(inhibitions);
        all.silences.extend(silences);
    }
    let url = format!("{}?dry_run={}", address(&options.server), options.dry_run);
    let answer = block_on(async { answered(&url, reqwest::Client::new().put(&url).json(&all)).await })?;
    let AlertingChanges { dry_run, changes } = serde_json::from_slice(&answer)?;
    let mut same = 0;
    for change in &changes {
        match change.what {
            DocumentChangeKind::Same => same += 1,
            what => println!("{:<8} {} {}", what.name(), change.kind, change.name),
        }
    }
    let changed = changes.len() - same;
    let end = if dry_run { "would change; nothing was changed" } else { "changed" };
    println!("{changed} {end}, {same} as they were");
    Ok(())
}

fn export(server: &AlertServer) -> Result<String> {
    let url = address(server);
    let answer = block_on(async { answered(&url, reqwest::Client::new().get(&url)).await })?;
    Ok(toml::to_string_pretty(&serde_json::from_slice::<AlertingFile>(&answer)?)?)
}

fn import(files: &[Text]) -> Result<ExitCode> {
    let mut translated = import::Translated::default();
    for Text { name, text } in files {
        translated.add(name, text).with_context(|| format!("{name} is no rule file of Prometheus"))?;
    }
    eprint!("{}", translated.report());
    let rules = translated.file.rules.len();
    print!("{}", toml::to_string_pretty(&translated.file)?);
    Ok(if rules == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn address(server: &AlertServer) -> String {
    format!("{}{}", server.server.trim_end_matches('/'), paths::ALERTING)
}

fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// The body of a good answer; of another the problem, in its own words.
async fn answered(url: &str, request: reqwest::RequestBuilder) -> Result<Vec<u8>> {
    let response = request.send().await.with_context(|| format!("no answer from {url}"))?;
    let status = response.status();
    let body = response.bytes().await.with_context(|| format!("no answer from {url}"))?;
    if status.is_success() {
        return Ok(body.to_vec());
    }
    match serde_json::from_slice::<Problem>(&body) {
        Ok(Problem { field: Some(field), detail, .. }) => bail!("{field}: {detail}"),
        Ok(Problem { detail, .. }) => bail!("{detail}"),
        Err(_) => bail!("{url} answers {status}"),
    }
}

#[cfg(test)]
mod tests;
