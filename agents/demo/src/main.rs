//! `orrery-demo`: the shop, whole or one member at a time.

mod cli;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use cli::{Cli, Command};
use orrery_demo::Member;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let outcome = runtime.block_on(act(cli.command));
    // Whatever still hangs on a dead collector is not waited for.
    runtime.shutdown_background();
    outcome.map_or_else(|error| fail(&error), |()| ExitCode::SUCCESS)
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("orrery-demo: {error:#}");
    ExitCode::FAILURE
}

async fn act(command: Command) -> anyhow::Result<()> {
    match command {
        Command::All(all) => run_all(all).await,
        Command::Service(service) => {
            let member = service.name;
            let (config, role) = service.read();
            let ready = move |address| match member.is_client() {
                true => println!("{member} is shopping"),
                false => println!("{member} listens on http://{address}"),
            };
            orrery_demo::run_role(config, role, Box::new(ready), Box::pin(stopped()?)).await
        }
        Command::Control(control) => {
            let ready = |address| println!("control listens on http://{address}/faults");
            orrery_demo::run_control(control.config(), Box::new(ready), Box::pin(stopped()?)).await
        }
        Command::Check { url } => check(&url).await,
    }
}

async fn run_all(all: cli::All) -> anyhow::Result<()> {
    let config = all.config();
    let (otlp, scheduled) = (config.otlp.clone(), config.faults.enabled);
    let stop = stopped()?;
    let shop = orrery_demo::start(config).await?;
    println!("The shop is open and ships its telemetry to {otlp}.");
    for (member, addresses) in shop.addresses() {
        for (address, version) in addresses.iter().zip(member.versions()) {
            println!("  {:<15}{:<9}http://{address}", member.name(), version);
        }
    }
    println!("  {:<15}{:<9}http://{}/faults", "faults", if scheduled { "schedule" } else { "by hand" }, shop.control());
    println!(
        "  for example    curl -X POST http://{}/faults -d '{{\"kind\":\"errors\",\"target\":\"{}\"}}'",
        shop.control(),
        Member::Payments
    );
    stop.await;
    println!("Closing: flushing telemetry.");
    shop.stop().await;
    Ok(())
}

/// Resolves at Ctrl-C or SIGTERM.
fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

async fn check(url: &str) -> anyhow::Result<()> {
    let http = reqwest::Client::builder().no_proxy().timeout(std::time::Duration::from_secs(3)).build()?;
    let answer = http.get(url).send().await.with_context(|| format!("{url} does not answer"))?;
    anyhow::ensure!(answer.status().is_success(), "{url} answered {}", answer.status());
    Ok(())
}
