//! Command line: print, write or send synthetic telemetry.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use orrery_synth::bench;
use orrery_synth::ledger::Ledger;
use orrery_synth::send::{self, Options};
use orrery_synth::{Shape, Synth};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Seeded synthetic traces over OTLP: the same seed gives the same traces.
#[derive(Parser, Debug)]
#[command(version)]
struct Arguments {
    /// What traffic looks like: t1 (demo-like, 17 attributes), t2 (wide, 200 services), t3 (unique ids), t4 (small).
    #[arg(long, default_value = "t1")]
    shape: String,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of traces.
    #[arg(long, default_value_t = 1000)]
    traces: u64,
    /// Traces per second: how far apart they begin, and how fast they are sent unless `--fast`.
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// When the first trace begins, Unix nanoseconds; now unless said.
    #[arg(long)]
    start_unix_nano: Option<u64>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Send to an OTLP/HTTP receiver and say what was acknowledged.
    Send {
        /// Host and port.
        #[arg(long, default_value = "127.0.0.1:4318")]
        to: String,
        /// File that gets a line for every request sent and acknowledged.
        #[arg(long)]
        ledger: Option<PathBuf>,
        /// As fast as answers come, instead of at the rate.
        #[arg(long)]
        fast: bool,
        /// Requests under way at once.
        #[arg(long, default_value_t = 8)]
        connections: usize,
        /// Compress bodies.
        #[arg(long)]
        gzip: bool,
        /// Seconds for which a request is sent again when refused for now or not answered.
        #[arg(long, default_value_t = 0)]
        retry: u64,
    },
    /// Write requests to standard output, each as a 4-byte big-endian length and its protobuf body.
    Write,
    /// Count requests, spans and bytes.
    Count,
    /// Measure an Orrery server from outside and print the figures as JSON.
    Bench {
        /// The `orrery` binary.
        #[arg(long, default_value = "target/release/orrery")]
        orrery: PathBuf,
        /// Where its data lies; a temporary directory unless said.
        #[arg(long)]
        data_dir: Option<PathBuf>,
        /// Spans stored before queries are asked.
        #[arg(long, default_value_t = 2_000_000)]
        spans: u64,
        /// Questions of each kind.
        #[arg(long, default_value_t = 200)]
        questions: u64,
        /// Seconds of half load, and of overload.
        #[arg(long, default_value_t = 20.0)]
        seconds: f64,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let shape = Shape::named(&arguments.shape)
        .with_context(|| format!("no shape {:?}; there are t1, t2, t3, t4", arguments.shape))?;
    anyhow::ensure!(arguments.rate > 0.0, "--rate must be above 0");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_nanos() as u64;
    let interval = (1e9 / arguments.rate) as u64;
    let mut synth = Synth::new(shape, arguments.seed, arguments.start_unix_nano.unwrap_or(now), interval);
    match arguments.action {
        Action::Send { to, ledger, fast, connections, gzip, retry } => {
            let ledger = ledger.map_or(Ok(Ledger::none()), |path| Ledger::create(&path))?;
            let options = Options {
                address: to,
                traces: arguments.traces,
                is_paced: !fast,
                connections,
                is_gzipped: gzip,
                retry: Duration::from_secs(retry),
            };
            let started = Instant::now();
            let done = send::send(&mut synth, &options, ledger)?;
            let seconds = started.elapsed().as_secs_f64();
            println!(
                "{} traces, {} requests, {} spans in {seconds:.1} s ({:.0} spans/s, {:.1} MB/s); acknowledged {}, refused {}, \
                 unanswered {}; latest {:?} behind its time",
                arguments.traces,
                done.requests,
                done.spans,
                done.spans as f64 / seconds,
                done.bytes as f64 / seconds / 1e6,
                done.acked_spans,
                done.refused_spans,
                done.unknown_spans,
                done.most_late
            );
            anyhow::ensure!(done.acked_spans == done.spans, "not everything was acknowledged");
        }
        Action::Write => {
            let mut out = std::io::BufWriter::new(std::io::stdout().lock());
            while let Some(request) = synth.next_of(arguments.traces) {
                let body = request.body();
                out.write_all(&u32::try_from(body.len()).context("a request beyond 4 GB")?.to_be_bytes())?;
                out.write_all(&body)?;
            }
            out.flush()?;
        }
        Action::Bench { orrery, data_dir, spans, questions, seconds } => {
            let shape = Shape::named(&arguments.shape).expect("it was found above");
            let options = bench::Options { orrery, data_dir, shape, seed: arguments.seed, spans, questions, seconds };
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            println!("{:#}", runtime.block_on(bench::run(&options))?);
        }
        Action::Count => {
            let (mut requests, mut spans, mut bytes) = (0u64, 0, 0);
            while let Some(request) = synth.next_of(arguments.traces) {
                (requests, spans, bytes) = (requests + 1, spans + request.spans, bytes + request.body().len());
            }
            println!(
                "{requests} requests, {spans} spans, {bytes} bytes: {:.0} bytes per span",
                bytes as f64 / spans as f64
            );
        }
    }
    Ok(())
}
