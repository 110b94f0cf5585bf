//! `orrery`: receives OpenTelemetry, keeps it, answers questions about it, and shows it.
//!
//! This crate joins the others and is the only one that reads files, the environment and the command line:
//! [`settings`] → [`app`] → [`sink`] (receiver to store), [`live`] (log tail), [`api`] (JSON), [`http`] (the port).

mod alerting;
mod alerts;
mod api;
mod app;
mod cli;
mod demo;
mod doctor;
mod export;
mod figures;
mod http;
mod live;
mod logging;
mod nearest;
mod process;
mod ready;
mod retention;
mod settings;
mod sink;
mod sql;

use clap::Parser;
use cli::{Cli, Command};
use settings::Settings;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("orrery: {}", format!("{error:#}").replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve(options) => run_server(Settings::load(options, settings::SERVE)?, app::serve)?,
        Command::Demo(options) => run_server(Settings::load(options, settings::DEMO)?, demo::run)?,
        Command::Ready(options) => ready::ask(&options.http)?,
        Command::SqlWorker(options) => sql::worker::run(&options)?,
        Command::Doctor(options) => return Ok(doctor::run(&options)),
        Command::Export(options) => export::run(options)?,
        Command::Retention(options) => retention::run(options)?,
        Command::Alerts(command) => return alerts::run(command),
    }
    Ok(ExitCode::SUCCESS)
}

fn run_server<F: Future<Output = anyhow::Result<()>>>(
    settings: Settings,
    server: fn(Settings) -> F,
) -> anyhow::Result<()> {
    logging::start(&settings.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(server(settings));
    // Queries that ignore their cancellation must not hold up the exit.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    ended
}
