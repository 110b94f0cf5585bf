//! Measures how a server judges rules: how soon after data, how soon somebody is told, at what cost, and how long the past
//! takes.
//!
//! Traffic comes at once from every service as SDKs send it. Now and then one service fails for a quarter of a minute; of a
//! part of the rules each has an alert then, about which a webhook is told alone.

mod hook;
mod replay;
mod rules;
mod traffic;

use crate::bench::round;
use crate::send::{now_unix_nano, quantile};
use crate::server::Server;
use crate::wire::{Call, Compression, Connection, Signal, Transport};
use anyhow::{Context, Result};
use hook::Hook;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use traffic::{Fault, System};

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `orrery` binary.
    pub orrery: PathBuf,
    /// Rules beside those the server comes with.
    pub rules: usize,
    /// Of them so many fire for a service that fails.
    pub firing: usize,
    /// Services, each with its values in every rule.
    pub services: usize,
    /// Calls a second of each service to each that it calls.
    pub rate: u64,
    /// Services that fail, one after the other.
    pub failures: usize,
    /// Seconds between two failures.
    pub pause: f64,
    /// Seconds for which processor time is measured while nothing fails.
    pub calm: f64,
    /// Days of the past that are replayed; 0 leaves that out.
    pub days: u64,
    /// Nothing but the replay.
    pub only_replay: bool,
}

/// So long a service fails, seconds.
const FAILS: i64 = 15;
/// Until the server knows who sends, and has rules with a past.
const WARM: Duration = Duration::from_secs(45);
/// After the last failure.
const REST: Duration = Duration::from_secs(20);
/// A message later than this about an alert that fired is not about that.
const LATEST: i64 = 60_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// Runs it. Figures' names say their units.
///
/// # Errors
/// The server does not start, or refuses what is sent.
pub async fn run(options: &Options) -> Result<Value> {
    let mut figures = json!({});
    if !options.only_replay {
        figures["live"] = live(options).await?;
    }
    if options.days > 0 {
        figures["replay"] = replay::run(&options.orrery, options.services, options.days).await?;
    }
    Ok(figures)
}

async fn live(options: &Options) -> Result<Value> {
    let temporary = tempfile::tempdir()?;
    let config = temporary.path().join("orrery.toml");
    std::fs::write(&config, "[notify]\nallow_private_addresses = true\n")?;
    let server = Server::start(&options.orrery, &temporary.path().join("data"), Some(&config)).await?;
    let hook = Hook::listen().await?;
    let system = Arc::new(System::new(options.services, options.rate));
    let stop = Arc::new(AtomicBool::new(false));
    let mut senders = send(&server, &system, &stop)?;
    let watched = watch(options, &server, &hook, &system).await;
    stop.store(true, Ordering::Relaxed);
    while let Some(sender) = senders.join_next().await {
        sender??;
    }
    watched
}

/// A connection per service and signal, each sending what has come to an end since it sent last.
fn send(server: &Server, system: &Arc<System>, stop: &Arc<AtomicBool>) -> Result<JoinSet<Result<()>>> {
    let mut senders = JoinSet::new();
    for service in 0..system.services() {
        for signal in Signal::ALL {
            let mut connection = Connection::new(&server.url(Transport::Http), Transport::Http)?;
            let (system, stop) = (Arc::clone(system), Arc::clone(stop));
            senders.spawn(async move {
                let every = system.every(signal);
                // Not all at once.
                let phase = every.mul_f64((service * 3 + signal as usize) as f64 / (system.services() * 3) as f64);
                let begin = tokio::time::Instant::now() + phase;
                let mut last = now_unix_nano() as i64 / SECOND;
                for number in 0.. {
                    tokio::time::sleep_until(begin + every * number).await;
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let now = now_unix_nano() as i64 / SECOND;
                    let body = Compression::Gzip.pack(system.body(signal, service, last..now));
                    last = now;
                    let call = Call::http(signal, "application/x-protobuf", Compression::Gzip.name(), body);
                    let answer = connection.call(&call).await?;
                    anyhow::ensure!(answer.status == 200, "telemetry was answered with {}", answer.status);
                }
                Ok(())
            });
        }
    }
    Ok(senders)
}

/// Everything that happened to alerts, by number of the event.
type Events = BTreeMap<u64, Value>;

async fn watch(options: &Options, server: &Server, hook: &Hook, system: &System) -> Result<Value> {
    tokio::time::sleep(WARM).await;
    say("without the rules");
    let without = cpu(server, options.calm).await;
    let file = rules::file(options.rules, options.firing, &hook.url());
    let made = server.send(reqwest::Method::PUT, "/api/v1/alerting", &file).await?;
    anyhow::ensure!(made.status.is_success(), "{}", String::from_utf8_lossy(&made.body));
    tokio::time::sleep(WARM).await;
    say("with the rules");
    let (before, since) = (server.own().await?, Instant::now());
    let with = cpu(server, options.calm).await;
    let calm = server.own().await?;
    let mut events = Events::new();
    let (cpu, began) = (server.process.cpu_seconds(), Instant::now());
    for number in 0..options.failures {
        say(&format!("failure {} of {}", number + 1, options.failures));
        let from = now_unix_nano() as i64 / SECOND + 1;
        system.fail(Fault { service: (number * 7 + 1) % system.services(), seconds: from..from + FAILS });
        tokio::time::sleep(Duration::from_secs_f64(options.pause)).await;
        read(server, &mut events).await?;
    }
    tokio::time::sleep(REST).await;
    read(server, &mut events).await?;
    let failing = (server.process.cpu_seconds() - cpu) / began.elapsed().as_secs_f64();
    let (own, seconds) = (server.own().await?, since.elapsed().as_secs_f64());
    let rules = server.get("/api/v1/alerting/rules").await?;
    let judged = |name: &str| {
        let number = |own: &Value| own["alerting"][name].as_u64().unwrap_or(0);
        (number(&own) - number(&before), number(&calm) - number(&before))
    };
    let (evaluations, moments, skipped) = (judged("evaluations"), judged("judged"), judged("skipped"));
    Ok(json!({
        "rules": own["alerting"]["rules"],
        "instances": own["alerting"]["instances"],
        "moments_due": due(&rules, seconds)?,
        "moments_judged": moments.0,
        "moments_skipped": skipped.0,
        "moments_judged_with_a_later_one": judged("together").0,
        "evaluations_per_second": round(evaluations.1 as f64 / options.calm),
        "start_delay": own["alerting"]["start_delay"],
        "first_attempt_delay": own["alerting"]["first_attempt_delay"],
        "told": told(&events, hook),
        "cpu_seconds_per_second": {
            "without_rules": round(without),
            "with_rules": round(with),
            "while_failing": round(failing),
        },
        "cost_by_signal": costs(&rules),
        "peak_rss_mib": server.process.peak_rss_mib().round(),
        "warnings": own["warnings"],
        "panics": server.process.panics(),
    }))
}

/// Moments of all rules in some time, by what the rules say themselves; of each rule one more or less may fall into it.
fn due(rules: &Value, seconds: f64) -> Result<u64> {
    let every = |status: &Value| {
        let every = status["rule"]["every"].as_str().context("every rule says how often")?;
        let (number, unit) = every.split_at(every.len() - 1);
        let unit = [("s", 1.0), ("m", 60.0), ("h", 3_600.0)].into_iter().find(|(name, _)| *name == unit);
        anyhow::Ok(number.parse::<f64>()? * unit.context("a unit of time")?.1)
    };
    let all = rules["rules"].as_array().context("rules")?.iter().map(every);
    all.map(|every| anyhow::Ok((seconds / every?) as u64)).sum()
}

/// Processor seconds per second over some time.
async fn cpu(server: &Server, seconds: f64) -> f64 {
    let (before, began) = (server.process.cpu_seconds(), Instant::now());
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    (server.process.cpu_seconds() - before) / began.elapsed().as_secs_f64()
}

async fn read(server: &Server, events: &mut Events) -> Result<()> {
    let answer = server.get("/api/v1/alerting/events?from=now-3m&to=now").await?;
    for event in answer["events"].as_array().context("events")? {
        events.insert(event["number"].as_u64().unwrap_or(0), event.clone());
    }
    Ok(())
}

fn nanos(value: &Value) -> i64 {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// From the evaluation that made an alert fire until a webhook had the first byte about it.
fn told(events: &Events, hook: &Hook) -> Value {
    let heard = hook.heard();
    let (mut waits, mut untold) = (Vec::new(), BTreeMap::<String, u64>::new());
    let muted: BTreeSet<&str> =
        events.values().filter(|event| event["what"] == "muted").filter_map(|event| event["alert"].as_str()).collect();
    let fired = events.values().filter(|event| event["what"] == "firing");
    for event in fired.clone() {
        let (alert, recorded) = (event["alert"].as_str().unwrap_or_default(), nanos(&event["recorded_unix_nano"]));
        let first = heard.get(alert).and_then(|all| all.iter().find(|at| (recorded..recorded + LATEST).contains(*at)));
        match first {
            Some(at) => waits.push((at - recorded) as f64 / 1e6),
            None if muted.contains(alert) => *untold.entry("muted".to_owned()).or_default() += 1,
            None => *untold.entry(event["rule"].as_str().unwrap_or_default().to_owned()).or_default() += 1,
        }
    }
    waits.sort_by(f64::total_cmp);
    json!({
        "alerts_fired": fired.count(),
        "alerts_told": waits.len(),
        "alerts_not_told": untold,
        "messages": hook.messages(),
        "messages_with_evidence": hook.with_evidence(),
        "p50_ms": round(quantile(&waits, 0.5)),
        "p99_ms": round(quantile(&waits, 0.99)),
        "max_ms": round(quantile(&waits, 1.0)),
    })
}

/// Share of one core, by what rules measure, as the server says it.
fn costs(rules: &Value) -> BTreeMap<String, f64> {
    let mut all: BTreeMap<String, f64> = BTreeMap::new();
    for status in rules["rules"].as_array().into_iter().flatten() {
        let signal = status["rule"]["measure"]["signal"].as_str().unwrap_or_default().to_owned();
        *all.entry(signal).or_default() += status["cost"].as_f64().unwrap_or(0.0);
    }
    all.values_mut().for_each(|cost| *cost = (*cost * 1e4).round() / 1e4);
    all
}

/// Progress, beside the figures.
fn say(what: &str) {
    eprintln!("alerts: {what}");
}
