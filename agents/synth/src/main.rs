//! Command line: print, write or send synthetic telemetry, and measure a server with it.

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand};
use orrery_synth::Shape;
use orrery_synth::alerts;
use orrery_synth::bench;
use orrery_synth::corpus::Corpus;
use orrery_synth::overload;
use orrery_synth::send::{self, Plan, Target, now_unix_nano};
use orrery_synth::wire::{Compression, Transport};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Seeded synthetic telemetry over OTLP: the same seed gives the same telemetry.
#[derive(Parser, Debug)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

/// What traffic looks like.
#[derive(Args, Debug)]
struct Workload {
    /// t1 (demo-like, 17 attributes), t2 (wide, 200 services), t3 (unique ids), t4 (small), t5 (traces of up to a
    /// million spans), t6 (late, twice, skewed, incomplete), l1 (logs), m1 (metrics).
    #[arg(long, default_value = "t1", value_parser = shape)]
    shape: Shape,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Send to an OTLP receiver and say what became of it.
    Send {
        #[command(flatten)]
        workload: Workload,
        /// Spans, log records or data points.
        #[arg(long, default_value_t = 100_000)]
        items: u64,
        /// Items per second; as fast as answers come unless said.
        #[arg(long)]
        rate: Option<f64>,
        /// Base URL.
        #[arg(long, default_value = "http://127.0.0.1:4318")]
        to: String,
        /// How.
        #[arg(long, value_enum, default_value_t = Transport::Http)]
        transport: Transport,
        /// Of bodies.
        #[arg(long, value_enum, default_value_t = Compression::Gzip)]
        compression: Compression,
        /// Requests under way at once.
        #[arg(long, default_value_t = 8)]
        connections: u64,
        /// Seconds for which a request is sent again when refused for now or not answered.
        #[arg(long, default_value_t = 0)]
        retry: u64,
        /// Base URL of the API, such as http://127.0.0.1:7070: look up every trace that was acknowledged.
        #[arg(long)]
        audit: Option<String>,
    },
    /// Write requests to standard output, each as a 4-byte big-endian length and its protobuf body.
    Write {
        #[command(flatten)]
        workload: Workload,
        /// Spans, log records or data points.
        #[arg(long, default_value_t = 100_000)]
        items: u64,
    },
    /// Measure an Orrery server from outside and print the figures as JSON.
    Bench {
        #[command(flatten)]
        workload: Workload,
        /// The `orrery` binary.
        #[arg(long, default_value = "target/release/orrery")]
        orrery: PathBuf,
        /// Where its data lies; a temporary directory unless said.
        #[arg(long)]
        data_dir: Option<PathBuf>,
        /// Of bodies.
        #[arg(long, value_enum, default_value_t = Compression::Gzip)]
        compression: Compression,
        /// Spans, log records or data points stored before queries are asked.
        #[arg(long, visible_alias = "spans", default_value_t = 2_000_000)]
        items: u64,
        /// Questions of each kind.
        #[arg(long, default_value_t = 200)]
        questions: u64,
        /// Seconds of half load, and of overload.
        #[arg(long, default_value_t = 20.0)]
        seconds: f64,
        /// How long ago what is stored before the questions began: something of every minute since. 0: all of now.
        #[arg(long, default_value_t = 0.0)]
        hours: f64,
        /// Send nothing: ask about what an earlier run with the same options has left in the data directory, right
        /// after the start and once more when everything has settled.
        #[arg(long, requires = "data_dir")]
        only_ask: bool,
        /// Store what questions would be about, wait until everything has settled, and end.
        #[arg(long, requires = "data_dir", conflicts_with = "only_ask")]
        only_store: bool,
        /// MiB of log of which nothing is sealed, behind a start that is measured at the end; 0 leaves it out.
        #[arg(long, default_value_t = 0)]
        log_mib: u64,
    },
    /// Measure how an Orrery server judges rules and replays them; fails unless it keeps its promises. Prints figures as
    /// JSON.
    Alerts {
        /// The `orrery` binary.
        #[arg(long, default_value = "target/release/orrery")]
        orrery: PathBuf,
        /// Rules beside those the server comes with.
        #[arg(long, default_value_t = 1_000)]
        rules: usize,
        /// Of them so many have an alert when a service fails.
        #[arg(long, default_value_t = 80)]
        firing: usize,
        /// Services, each of which every rule judges.
        #[arg(long, default_value_t = 20)]
        services: usize,
        /// Requests a second to each service.
        #[arg(long, default_value_t = 10)]
        rate: u64,
        /// Services that fail, one after the other.
        #[arg(long, default_value_t = 12)]
        failures: usize,
        /// Seconds between two failures.
        #[arg(long, default_value_t = 30.0)]
        pause: f64,
        /// Seconds for which processor time is measured while nothing fails.
        #[arg(long, default_value_t = 60.0)]
        calm: f64,
        /// Days of the past that rules are replayed over; 0 leaves that out.
        #[arg(long, default_value_t = 30)]
        days: u64,
        /// Only the replay.
        #[arg(long)]
        only_replay: bool,
    },
    /// Offer an Orrery server more than it can take; fails unless it keeps its promises. Prints figures as JSON.
    Overload {
        #[command(flatten)]
        workload: Workload,
        /// The `orrery` binary.
        #[arg(long, default_value = "target/release/orrery")]
        orrery: PathBuf,
        /// Its configuration file.
        #[arg(long)]
        config: Option<PathBuf>,
        /// Seconds to find its peak, and of each overload.
        #[arg(long, default_value_t = 60.0)]
        seconds: f64,
        /// Multiples of the peak.
        #[arg(long, value_delimiter = ',', default_value = "3,10")]
        times: Vec<f64>,
        /// Requests under way at once.
        #[arg(long, default_value_t = 256)]
        connections: u64,
        /// Every so many traces is looked up in the end.
        #[arg(long, default_value_t = 200)]
        audit_every: usize,
    },
}

fn shape(name: &str) -> Result<Shape, String> {
    let names = Shape::ALL.map(|shape| shape.name).join(", ");
    Shape::named(name).ok_or_else(|| format!("there are {names}"))
}

fn main() -> Result<()> {
    let action = Arguments::parse().action;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if matches!(action, Action::Overload { .. }) {
        runtime.on_thread_start(give_way);
    }
    runtime.enable_all().build()?.block_on(run(action))
}

/// Senders elsewhere would not take the server's processors either. Without effect where threads have no priority of
/// their own.
fn give_way() {
    if cfg!(target_os = "linux") {
        _ = rustix::process::nice(19);
    }
}

async fn run(action: Action) -> Result<()> {
    match action {
        Action::Send { workload, items, rate, to, transport, compression, connections, retry, audit } => {
            ensure!(rate.is_none_or(|rate| rate > 0.0), "--rate must be above 0");
            let corpus = corpus(workload, items, rate.unwrap_or(50_000.0));
            let requests = (items * corpus.requests()).div_ceil(corpus.items());
            let plan = Plan { items_per_second: rate, retry: Duration::from_secs(retry), ..Plan::of(0, requests) };
            let sent = send::send(&corpus, &Target { url: to, transport, compression, connections }, plan).await?;
            println!(
                "{requests} requests, {} items in {:.1} s ({:.0} per second, {:.1} MB/s); acknowledged {}, rejected {}, refused {:?}",
                sent.items(),
                sent.seconds,
                sent.items() as f64 / sent.seconds,
                sent.bytes as f64 / sent.seconds / 1e6,
                sent.acked_items,
                sent.rejected_items,
                sent.refused_items,
            );
            if let Some(api) = audit {
                println!("{:?}", sent.ledger.audit(&corpus, &api, 1).await?);
            }
            ensure!(sent.acked_items == sent.items(), "not everything was acknowledged");
        }
        Action::Write { workload, items } => {
            let corpus = corpus(workload, items, 50_000.0);
            let mut out = std::io::BufWriter::new(std::io::stdout().lock());
            for number in 0..corpus.requests() {
                let body = corpus.request(number, now_unix_nano()).body;
                out.write_all(&u32::try_from(body.len()).context("a request beyond 4 GB")?.to_be_bytes())?;
                out.write_all(&body)?;
            }
            out.flush()?;
        }
        Action::Bench {
            workload: Workload { shape, seed },
            orrery,
            data_dir,
            compression,
            items,
            questions,
            seconds,
            hours,
            only_ask,
            only_store,
            log_mib,
        } => {
            let options = bench::Options {
                orrery,
                data_dir,
                shape,
                seed,
                compression,
                items,
                questions,
                seconds,
                hours,
                only_ask,
                only_store,
                log_mib,
            };
            let figures = bench::run(&options).await?;
            println!("{figures:#}");
            ensure!(figures["wrong_answers"].as_u64().unwrap_or(0) == 0, "some answers were wrong");
        }
        Action::Alerts { orrery, rules, firing, services, rate, failures, pause, calm, days, only_replay } => {
            let options =
                alerts::Options { orrery, rules, firing, services, rate, failures, pause, calm, days, only_replay };
            let figures = alerts::run(&options).await?;
            println!("{figures:#}");
            kept(&figures)?;
        }
        Action::Overload {
            workload: Workload { shape, seed },
            orrery,
            config,
            seconds,
            times,
            connections,
            audit_every,
        } => {
            let patience = Duration::from_secs(600);
            let options =
                overload::Options { orrery, config, shape, seed, seconds, times, connections, audit_every, patience };
            let figures = overload::run(&options).await?;
            println!("{figures:#}");
            for overload in figures["overloads"].as_array().into_iter().flatten() {
                ensure!(overload["recovered_in_ms"].as_f64() < Some(10_000.0), "no recovery within 10 s");
                let accepted = overload["accepted_share_of_peak"].as_f64().unwrap_or(0.0);
                ensure!(accepted >= 0.8, "less than 80 % of the peak was accepted");
            }
        }
    }
    Ok(())
}

/// What is promised about a thousand rules for twenty services each on one core.
fn kept(figures: &serde_json::Value) -> Result<()> {
    let live = &figures["live"];
    if live.is_object() {
        let number = |name: &str| live[name].as_u64().unwrap_or(0);
        ensure!(number("moments_skipped") == 0, "moments were skipped");
        // Of each rule one may have been due before, or may be yet.
        let is_whole = number("moments_judged") + number("rules") >= number("moments_due");
        ensure!(is_whole && number("moments_due") > 0, "moments were not judged");
        let told = &live["told"];
        ensure!(told["alerts_told"].as_u64().is_some_and(|told| told > 0), "nobody was told of anything");
        ensure!(
            told["alerts_not_told"].as_object().is_some_and(|not| not.keys().all(|why| why == "muted")),
            "somebody was not told"
        );
        let is_within = |figure: &serde_json::Value, most: f64| figure.as_f64().is_some_and(|millis| millis < most);
        ensure!(is_within(&live["start_delay"]["p99_millis"], 1_000.0), "rules are judged too late");
        ensure!(is_within(&told["p99_ms"], 2_000.0), "people are told too late");
    }
    for (name, figures) in figures["replay"].as_object().into_iter().flatten() {
        let slowest = figures.get("slowest_ms").and_then(serde_json::Value::as_f64);
        ensure!(slowest.is_none_or(|slowest| slowest < 2_000.0), "the replay of {name} takes too long");
        let fired = figures.get("fired").and_then(serde_json::Value::as_u64);
        ensure!(fired != Some(0), "the replay of {name} finds none of the failures");
    }
    Ok(())
}

/// One round, of at most 100 000 items.
fn corpus(workload: Workload, items: u64, rate: f64) -> Arc<Corpus> {
    Arc::new(Corpus::new(workload.shape, workload.seed, items.min(100_000), rate))
}
