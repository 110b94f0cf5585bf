//! The people in front of the shop: three load generators that send what shoppers would.

mod chatbot;
mod shopper;

use std::f64::consts::TAU;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use tokio::task::JoinSet;

use crate::fault::FaultKind;
use crate::instance::Instance;
use crate::member::Member;
use crate::peer::{Ask, Peer};
use crate::work::Work;
use shopper::{Shopper, Storefront};

/// Clients wait longest.
const PATIENCE: Duration = Duration::from_secs(6);
/// The slow wave in the traffic: ±40 % over three minutes, with 15 % of noise on top.
const WAVE: (f64, Duration) = (0.4, Duration::from_secs(180));
const NOISE: f64 = 0.15;
const MAX_LATE: Duration = Duration::from_secs(1);
/// Journeys under way at most; when the shop is slow, further shoppers stay away.
const MAX_JOURNEYS: usize = 200;
/// What the burst fault adds, as a multiple of the shop's usual traffic.
const BURST: f64 = 3.0;

/// How a client behaves.
struct Habits {
    /// Of the shop's traffic.
    share: f64,
    /// Requests an average journey makes, measured; turns a request rate into a journey rate.
    requests_per_journey: f64,
    shoppers: usize,
    /// Renews tokens before they expire; otherwise it waits to be told.
    renews_early: bool,
}

fn habits(client: Member) -> Habits {
    match client {
        Member::Mobile => Habits { share: 0.35, requests_per_journey: 3.2, shoppers: 30, renews_early: false },
        Member::Chatbot => Habits { share: 0.15, requests_per_journey: 3.0, shoppers: 10, renews_early: true },
        _ => Habits { share: 0.5, requests_per_journey: 3.2, shoppers: 40, renews_early: true },
    }
}

/// A client ready to send.
pub(crate) struct Client {
    front: Arc<Storefront>,
    shoppers: Vec<Arc<Shopper>>,
    rate: f64,
}

impl Client {
    /// Wires `instance` to the gateway. `rate` is that of all clients together.
    pub(crate) fn new(instance: &Arc<Instance>, rate: f64) -> anyhow::Result<Self> {
        let client = instance.member();
        let habits = habits(client);
        let gateway = Peer::new(instance, Member::ApiGateway, PATIENCE)?;
        let front = Arc::new(Storefront { instance: instance.clone(), gateway, renews_early: habits.renews_early });
        let shoppers = (0..habits.shoppers).map(|n| Arc::new(Shopper::new(format!("{client}-{n}")))).collect();
        Ok(Self { front, shoppers, rate })
    }

    /// Sends until dropped.
    pub(crate) async fn run(self) {
        tokio::join!(self.visit(), self.burst());
    }

    async fn visit(&self) {
        let habits = habits(self.front.instance.member());
        let mean = self.rate * habits.share / habits.requests_per_journey;
        let started = Instant::now();
        let (mut arrivals, mut noise) = (Arrivals::from_now(), Noise::default());
        let mut journeys = JoinSet::new();
        loop {
            arrivals.next(mean * wave(started.elapsed()) * noise.at(started.elapsed())).await;
            while journeys.try_join_next().is_some() {}
            if journeys.len() < MAX_JOURNEYS {
                let shopper = self.shoppers.choose(&mut rand::rng()).expect("habits have shoppers").clone();
                journeys.spawn(journey(self.front.clone(), shopper));
            }
        }
    }

    /// The rate-limit fault: one cheap request over and over.
    async fn burst(&self) {
        let me = self.front.instance.member();
        let mut faults = self.front.instance.faults.clone();
        let mut requests = JoinSet::new();
        loop {
            while !faults.hits(FaultKind::RateLimitBurst, me) {
                faults.changed().await;
            }
            let mut arrivals = Arrivals::from_now();
            while faults.hits(FaultKind::RateLimitBurst, me) {
                arrivals.next(self.rate * BURST).await;
                while requests.try_join_next().is_some() {}
                if requests.len() < MAX_JOURNEYS {
                    requests.spawn(prefetch(self.front.clone()));
                }
            }
        }
    }
}

async fn prefetch(front: Arc<Storefront>) {
    let all = async |action: &Work| front.open(action, Ask::get("/api/products", "/api/products")).await.map(drop);
    front.act("prefetch", all).await;
}

/// Random arrivals kept to the clock: on a busy machine late ones are made up for, up to a second's worth.
struct Arrivals {
    due: Instant,
}

impl Arrivals {
    fn from_now() -> Self {
        Self { due: Instant::now() }
    }

    /// Waits for the next one at `rate` per second; never returns if nobody comes.
    async fn next(&mut self, rate: f64) {
        let Some(pause) = until_next(rate) else { return std::future::pending().await };
        let earliest = Instant::now().checked_sub(MAX_LATE).unwrap_or(self.due);
        self.due = (self.due + pause).max(earliest);
        tokio::time::sleep_until(self.due.into()).await;
    }
}

/// The traffic's unrest, around 1: another level every few seconds.
struct Noise {
    level: f64,
    until: Duration,
}

impl Default for Noise {
    fn default() -> Self {
        Self { level: 1.0, until: Duration::ZERO }
    }
}

impl Noise {
    fn at(&mut self, elapsed: Duration) -> f64 {
        if elapsed >= self.until {
            self.level = 1.0 + rand::rng().random_range(-NOISE..NOISE);
            self.until = elapsed + Duration::from_millis(rand::rng().random_range(3000..12_000));
        }
        self.level
    }
}

async fn journey(front: Arc<Storefront>, shopper: Arc<Shopper>) {
    match front.instance.member() {
        Member::Chatbot => chatbot::ask(&front, &shopper).await,
        _ => shopper::shop(&front, &shopper).await,
    }
}

/// The traffic's swing at some time after the start, around 1.
fn wave(elapsed: Duration) -> f64 {
    let (height, period) = WAVE;
    1.0 + height * (TAU * elapsed.as_secs_f64() / period.as_secs_f64()).sin()
}

/// A random pause between arrivals at `rate` per second; none if nobody comes.
fn until_next(rate: f64) -> Option<Duration> {
    let chance: f64 = 1.0 - rand::rng().random::<f64>();
    (rate > 0.0).then(|| Duration::from_secs_f64((-chance.ln() / rate).min(60.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wave_swings_around_one() {
        let at = |seconds| wave(Duration::from_secs(seconds));
        assert!((at(0) - 1.0).abs() < 1e-9 && (at(45) - 1.4).abs() < 1e-9 && (at(135) - 0.6).abs() < 1e-9);
    }

    #[test]
    fn arrivals_come_at_the_rate() {
        let total: f64 = (0..20_000).filter_map(|_| until_next(50.0)).map(|pause| pause.as_secs_f64()).sum();
        assert!((19.0..21.0).contains(&(total / 20.0)), "{total}");
        assert_eq!(until_next(0.0), None);
    }

    #[test]
    fn shares_add_up() {
        let clients = Member::ALL.into_iter().filter(|member| member.is_client());
        assert!((clients.map(|client| habits(client).share).sum::<f64>() - 1.0).abs() < 1e-9);
    }
}
