//! More than a server can take, open loop: what it refuses it says how to send again and counts, what it acknowledges it
//! keeps, and afterwards it takes telemetry as before.

use crate::corpus::Corpus;
use crate::ledger::Ledger;
use crate::send::{self, Plan, Sent, Target, quantile};
use crate::server::Server;
use crate::wire::{Compression, Transport};
use crate::{Shape, bench::round};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `orrery` binary.
    pub orrery: PathBuf,
    /// Its configuration file.
    pub config: Option<PathBuf>,
    /// What traffic looks like.
    pub shape: Shape,
    /// Seed of the corpus.
    pub seed: u64,
    /// Seconds to find the peak, and of each overload.
    pub seconds: f64,
    /// Multiples of the peak.
    pub times: Vec<f64>,
    /// Requests under way at once, half of them over gRPC.
    pub connections: u64,
    /// Every so many traces is looked up in the end.
    pub audit_every: usize,
    /// Longest wait for anything to come back.
    pub patience: Duration,
}

struct Rig<'a> {
    options: &'a Options,
    server: Server,
    corpus: Arc<Corpus>,
    ledger: Ledger,
    next: u64,
    acked: u64,
}

/// Runs it. Figures' names say their units; whether they are good enough is for the caller to say.
///
/// # Errors
/// Something that must hold on any machine does not: an answer that breaks OTLP or cannot be retried, a refusal that the
/// server did not count or nobody saw, an acknowledged span that is not there, no recovery.
pub async fn run(options: &Options) -> Result<Value> {
    let temporary = tempfile::tempdir()?;
    let server = Server::start(&options.orrery, &temporary.path().join("data"), options.config.as_deref()).await?;
    let corpus = Arc::new(Corpus::new(options.shape.clone(), options.seed, 20_000, 50_000.0));
    let mut rig = Rig { options, server, corpus, ledger: Ledger::default(), next: 0, acked: 0 };
    // Until its memory is full a server takes more than it can go on taking.
    rig.load(8, None).await?;
    let (peak, peak_per_cpu) = rig.load(8, None).await?;
    let peak_rate = peak.acked_items as f64 / peak.seconds;
    let mut overloads = Vec::new();
    for &times in &options.times {
        overloads.push(rig.overload(times, peak_rate, peak_per_cpu).await?);
    }
    let mut figures = json!({ "peak_items_per_second": peak_rate.round(), "peak_items_per_cpu_second": peak_per_cpu.round(), "overloads": overloads });
    figures["audit"] = rig.audit().await?;
    figures["peak_rss_mib"] = json!(rig.server.process.peak_rss_mib().round());
    figures["panics"] = json!(rig.server.process.panics());
    Ok(figures)
}

impl Rig<'_> {
    /// Both transports side by side, for the time given by the options; and items accepted per second of the server's
    /// processor time.
    async fn load(&mut self, connections: u64, rate: Option<f64>) -> Result<(Sent, f64)> {
        let cpu = self.server.process.cpu_seconds();
        let at_most = Duration::from_secs_f64(self.options.seconds);
        let mean = self.corpus.items() as f64 / self.corpus.requests() as f64;
        let requests = rate.map_or(1_000_000, |rate| (rate / 2.0 * self.options.seconds / mean).ceil() as u64);
        let half = |transport, first| {
            let target = Target {
                url: self.server.url(transport),
                transport,
                compression: Compression::None,
                connections: connections.div_ceil(2),
            };
            let items_per_second = rate.map(|rate| rate / 2.0);
            let plan = Plan { items_per_second, at_most, ..Plan::of(first, requests) };
            let corpus = Arc::clone(&self.corpus);
            async move { send::send(&corpus, &target, plan).await }
        };
        let (http, grpc) = tokio::join!(half(Transport::Http, self.next), half(Transport::Grpc, self.next + requests));
        self.next += 2 * requests;
        let (mut sent, grpc) = (http?, grpc?);
        sent.acked_items += grpc.acked_items;
        sent.rejected_items += grpc.rejected_items;
        grpc.refused_items.iter().for_each(|(status, items)| *sent.refused_items.entry(*status).or_default() += items);
        sent.ack_millis.extend(&grpc.ack_millis);
        sent.ack_millis.sort_by(f64::total_cmp);
        sent.seconds = sent.seconds.max(grpc.seconds);
        sent.ledger.merge(grpc.ledger);
        self.note(&sent)?;
        let per_cpu = sent.acked_items as f64 / (self.server.process.cpu_seconds() - cpu);
        Ok((sent, per_cpu))
    }

    fn note(&mut self, sent: &Sent) -> Result<()> {
        self.acked += sent.acked_items;
        self.ledger.merge(sent.ledger.clone());
        let refusals = &self.ledger.refusals;
        ensure!(refusals.keys().all(|status| matches!(status, 429 | 503)), "refused for good: {refusals:?}");
        Ok(())
    }

    async fn overload(&mut self, times: f64, peak_rate: f64, peak_per_cpu: f64) -> Result<Value> {
        let (sent, per_cpu) = self.load(self.options.connections, Some(peak_rate * times)).await?;
        let recovered = self.recover().await?;
        let accepted = sent.acked_items as f64 / sent.seconds;
        Ok(json!({
            "times": times,
            "offered_items_per_second": (sent.items() as f64 / sent.seconds).round(),
            "accepted_items_per_second": accepted.round(),
            "accepted_share_of_peak": round(accepted / peak_rate),
            "accepted_items_per_cpu_second": per_cpu.round(),
            // Where the senders take the server's processors, only this says what refusing costs.
            "cpu_share_of_peak": round(per_cpu / peak_per_cpu),
            "refused_items": sent.refused_items,
            "ack_p50_ms": round(quantile(&sent.ack_millis, 0.5)),
            "ack_p99_ms": round(quantile(&sent.ack_millis, 0.99)),
            "recovered_in_ms": round(recovered.as_secs_f64() * 1e3),
        }))
    }

    /// Until five requests in a row, one after the other, are acknowledged at once.
    async fn recover(&mut self) -> Result<Duration> {
        let began = Instant::now();
        let mut in_a_row = 0;
        while in_a_row < 5 {
            ensure!(began.elapsed() < self.options.patience, "no recovery within {:?}", self.options.patience);
            let transport = if self.next.is_multiple_of(2) { Transport::Http } else { Transport::Grpc };
            let url = self.server.url(transport);
            let target = Target { url, transport, compression: Compression::Gzip, connections: 1 };
            let sent = send::send(&self.corpus, &target, Plan::of(self.next, 1)).await?;
            self.next += 1;
            self.note(&sent)?;
            in_a_row = if sent.refused_items.is_empty() { in_a_row + 1 } else { 0 };
            if in_a_row == 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(began.elapsed())
    }

    /// What was counted and what can be found, against what the senders know.
    async fn audit(&mut self) -> Result<Value> {
        let signal = self.corpus.signal();
        self.server.until_queryable(signal, self.acked, self.options.patience).await?;
        let (seen, counted) =
            (self.ledger.refusals.values().sum::<u64>(), self.server.counted(signal, "refused").await?);
        // Whoever hung up has seen no answer.
        let unknown = self.ledger.unknown();
        ensure!(
            counted >= seen && counted <= seen + unknown,
            "clients saw {seen} refusals, the server counted {counted}"
        );
        let accepted = self.server.counted(signal, "accepted").await?;
        ensure!(
            accepted >= self.acked && (unknown > 0 || accepted == self.acked),
            "{} acknowledged, {accepted} accepted",
            self.acked
        );
        let audit = self.ledger.audit(&self.corpus, &self.server.http, self.options.audit_every).await?;
        let own = self.server.own().await?;
        Ok(json!({
            "requests": self.ledger.requests(),
            "acknowledged_items": self.acked,
            "refused_requests": own["signals"][signal.as_str()]["refused"],
            "unanswered_requests": unknown,
            "traces_looked_up": audit.traces,
            "spans_found": audit.spans,
        }))
    }
}
