//! `orrery export`: rows of a signal as one Parquet file, from a running server or from a directory nobody uses.

use crate::api::export::signal;
use crate::api::{moment, params};
use crate::cli::ExportOptions;
use crate::{app, figures, logging};
use anyhow::{Context, Result, anyhow, bail};
use orrery_api::{Problem, paths};
use orrery_query::{Control, Store, TimeRange, plan};
use orrery_receive::Decoder;
use orrery_storage::{Engine, OpenError};
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest export of a directory.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Writes the file; none if it fails or is interrupted.
pub(crate) fn run(options: ExportOptions) -> Result<()> {
    logging::start("error")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let control = Control::within(LONGEST);
    runtime.block_on(async {
        let part = Part::new(&options.out)?;
        let work = write(&options, part, control.clone());
        tokio::pin!(work);
        tokio::select! {
            part = &mut work => part?.keep(),
            _ = tokio::signal::ctrl_c() => {
                control.cancel();
                // A directory is let go of in order.
                if options.url.is_none() {
                    _ = work.await;
                }
                bail!("interrupted; {} was not written", options.out.display())
            }
        }
    })
}

async fn write(options: &ExportOptions, part: Part, control: Control) -> Result<Part> {
    match &options.url {
        Some(url) => download(url, options, part, &control).await,
        None => {
            let (plan, dir) = (plan(options)?, options.data_dir.clone());
            tokio::task::spawn_blocking(move || read(&dir, &plan, &control, part)).await?
        }
    }
}

fn plan(options: &ExportOptions) -> Result<plan::Export> {
    let now = app::now();
    let instant = |flag: &str, text: &str| moment::instant(text, now).map_err(|wrong| anyhow!("--{flag}: {wrong}"));
    let (from, to) = (instant("from", &options.from)?, instant("to", &options.to)?);
    Ok(plan::Export {
        signal: signal(&options.signal).map_err(|wrong| anyhow!("--signal: {wrong}"))?,
        range: TimeRange::new(from, to).context("--from must lie before --to")?,
        service: options.service.as_deref().map(params::service_match),
    })
}

/// From a directory: as a server would, with what is in its log only.
fn read(dir: &Path, plan: &plan::Export, control: &Control, mut part: Part) -> Result<Part> {
    if !dir.join("version").is_file() {
        return Err(app::unopened(OpenError::Absent { path: dir.to_owned() }));
    }
    // Nothing is to change but what any start does.
    let config = orrery_storage::Config {
        retention: None,
        compact: false,
        seal_after: LONGEST,
        ..orrery_storage::Config::new(dir)
    };
    let engine = Engine::open(config, Arc::new(Decoder::default())).map_err(|error| match error {
        OpenError::Locked { .. } => anyhow!("{error}; or ask that server: --url http://127.0.0.1:7070"),
        other => app::unopened(other),
    })?;
    let answer = engine.export(plan, control, &mut part)?;
    engine.close();
    if let Some(partial) = answer.partial {
        eprintln!("orrery: the export is not complete: {}", partial.0);
    }
    Ok(part)
}

/// From a server.
async fn download(url: &str, options: &ExportOptions, mut part: Part, control: &Control) -> Result<Part> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("signal", &options.signal).append_pair("from", &options.from).append_pair("to", &options.to);
    options.service.iter().for_each(|service| _ = query.append_pair("service", service));
    let url = format!("{}{}?{}", url.trim_end_matches('/'), paths::EXPORT, query.finish());
    let mut response = reqwest::get(&url).await.with_context(|| format!("no answer from {url}"))?;
    if !response.status().is_success() {
        let status = response.status();
        let problem = response.json::<Problem>().await.map(|problem| problem.detail).unwrap_or_default();
        bail!("{url} answers {status}: {problem}");
    }
    while let Some(chunk) = response.chunk().await.context("the export was cut off")? {
        control.check()?;
        part.write_all(&chunk)?;
    }
    Ok(part)
}

/// The file while it is written; removed unless it is kept.
struct Part {
    out: PathBuf,
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
    started: Instant,
    said: Instant,
    kept: bool,
}

impl Part {
    fn new(out: &Path) -> Result<Part> {
        let mut path = out.as_os_str().to_owned();
        path.push(".part");
        let path = PathBuf::from(path);
        let file = File::create(&path).with_context(|| format!("--out: {} cannot be written", path.display()))?;
        let now = Instant::now();
        Ok(Part {
            out: out.to_owned(),
            path,
            file: BufWriter::new(file),
            bytes: 0,
            started: now,
            said: now,
            kept: false,
        })
    }

    fn keep(mut self) -> Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        std::fs::rename(&self.path, &self.out).with_context(|| format!("{} cannot be written", self.out.display()))?;
        self.kept = true;
        eprintln!("{}: {}", self.out.display(), figures::bytes(self.bytes));
        Ok(())
    }

    /// Says how far it is, on a terminal every second, elsewhere now and then.
    fn progress(&mut self) {
        let is_terminal = io::stderr().is_terminal();
        if self.said.elapsed() >= Duration::from_secs(if is_terminal { 1 } else { 10 }) {
            self.said = Instant::now();
            let seconds = self.started.elapsed().as_secs();
            eprint!("{} in {seconds} s{}", figures::bytes(self.bytes), if is_terminal { " \r" } else { "\n" });
        }
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        self.progress();
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.kept {
            _ = std::fs::remove_file(&self.path);
        }
    }
}
