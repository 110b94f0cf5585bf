//! The `orrery-agent` command.

mod cli;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    log_to_stderr(if cli.once.is_some() { "warn" } else { "info" });
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("orrery-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn log_to_stderr(level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
}

async fn run(cli: cli::Cli) -> anyhow::Result<()> {
    let config = cli.config()?;
    match cli.once {
        None => orrery_agent::run(config, Box::pin(shutdown_signal()?)).await,
        Some(cli::Format::Text) => {
            print!("{}", orrery_agent::snapshot(&config).await?.to_text());
            Ok(())
        }
        Some(cli::Format::Json) => {
            println!("{:#}", orrery_agent::snapshot(&config).await?.to_json());
            Ok(())
        }
    }
}

/// Completes on SIGTERM or Ctrl-C. The handlers are in place when this returns.
fn shutdown_signal() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
