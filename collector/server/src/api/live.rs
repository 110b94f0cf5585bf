//! `/live`: one WebSocket per tab.

#[cfg(test)]
use crate::api::endpoint::Endpoint;
use crate::api::endpoint::{Ask, ask};
use crate::api::failure::Failure;
use crate::api::params::{self, Params};
use crate::api::state::Api;
use crate::api::{own, services};
use crate::http::request_id::RequestId;
use crate::live::{LogWish, Reader};
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures_util::{SinkExt, StreamExt};
use orrery_api::{LiveEvent, LiveRequest, LogRecord, Topology};
use orrery_query::TimeRange;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// `/live`; declared for the OpenAPI document.
#[cfg(test)]
pub(crate) const LIVE: Endpoint = Endpoint::json(orrery_api::paths::LIVE, "LiveEvent", "WebSocket: send `LiveRequest`, receive `LiveEvent`", &[])
    .about("Answers `101 Switching Protocols`. Everything sent is bounded: a slow reader gets fewer, newer events, and log events say how many records were skipped.");

/// Live connections at once.
const CLIENTS: u64 = 256;
/// Largest message a client may send.
const REQUEST_BYTES: usize = 16 << 10;
/// A client that takes longer for one message has gone.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_secs(1);
/// Log batches: at most four a second.
const LOG_PAUSE: Duration = Duration::from_millis(250);
/// Records in one log event; of more, the newest.
const LOG_BATCH: usize = 500;
const LONGEST_WINDOW_SECONDS: u32 = 7 * 86400;

pub(crate) async fn live(
    State(api): State<Arc<Api>>,
    Extension(request): Extension<RequestId>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    match upgrade {
        Ok(_) if api.bus.clients() >= CLIENTS => {
            Failure::Busy("Too many live connections; close some tabs.".to_owned()).respond(&request.0)
        }
        Ok(upgrade) => upgrade
            .max_message_size(REQUEST_BYTES)
            .max_frame_size(REQUEST_BYTES)
            .on_upgrade(move |socket| Session::new(api).run(socket)),
        Err(_) => Failure::invalid("upgrade", "this path speaks WebSocket; for plain HTTP see /api/v1/logs/tail")
            .respond(&request.0),
    }
}

/// What one client wants.
struct Session {
    api: Arc<Api>,
    map: Option<MapWish>,
    last_map: Option<Arc<Topology>>,
    logs: Option<Reader>,
    health: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct MapWish {
    window_seconds: u32,
    environment: Option<String>,
}

enum Step {
    Request(Message),
    Tick,
    Logs(LiveEvent),
    End,
}

impl Session {
    fn new(api: Arc<Api>) -> Session {
        Session { api, map: None, last_map: None, logs: None, health: false }
    }

    async fn run(mut self, socket: WebSocket) {
        let _client = self.api.bus.client();
        let stopping = self.api.stopping.clone();
        let (mut outgoing, mut incoming) = socket.split();
        let (mut tick, mut pause) = (ticks(TICK), ticks(LOG_PAUSE));
        loop {
            let step = tokio::select! {
                () = stopping.cancelled() => Step::End,
                message = incoming.next() => message.and_then(Result::ok).map_or(Step::End, Step::Request),
                _ = tick.tick(), if self.map.is_some() || self.health => Step::Tick,
                event = next_logs(&mut self.logs, &mut pause) => Step::Logs(event),
            };
            let events = match step {
                Step::End | Step::Request(Message::Close(_)) => break,
                Step::Request(Message::Text(text)) => self.request(&text).await,
                Step::Request(_) => Vec::new(),
                Step::Tick => self.tick().await,
                Step::Logs(event) => vec![event],
            };
            for event in events {
                if !matches!(tokio::time::timeout(SEND_TIMEOUT, outgoing.send(message(&event))).await, Ok(Ok(()))) {
                    return;
                }
            }
        }
        // Whether the farewell arrives no longer matters.
        let _ = tokio::time::timeout(Duration::from_millis(200), outgoing.close()).await;
    }

    async fn request(&mut self, text: &str) -> Vec<LiveEvent> {
        let request: LiveRequest = match serde_json::from_str(text) {
            Ok(request) => request,
            Err(error) => {
                return vec![wrong(format!("not a request: {error}; send for example {{\"subscribe\":\"health\"}}"))];
            }
        };
        match self.apply(request) {
            // What was asked for comes at once, not at the next tick.
            Ok(true) => self.tick().await,
            Ok(false) => Vec::new(),
            Err(detail) => vec![wrong(detail)],
        }
    }

    /// Takes a wish; true if its topic is one that ticks.
    fn apply(&mut self, request: LiveRequest) -> Result<bool, String> {
        match request {
            LiveRequest::Topology { window_seconds, environment } => {
                if !(1..=LONGEST_WINDOW_SECONDS).contains(&window_seconds) {
                    return Err(format!("window_seconds must be 1 to {LONGEST_WINDOW_SECONDS}"));
                }
                self.map = Some(MapWish { window_seconds, environment });
                self.last_map = None;
                Ok(true)
            }
            LiveRequest::Logs { service, severity, text, trace_id, attr } => {
                let wish = LogWish {
                    service: service.as_deref().map(params::service_match),
                    min_severity: severity.as_deref().map(params::severity).transpose()?,
                    text: text.map(|text| text.to_lowercase()),
                    trace_id: trace_id.as_deref().map(params::trace_id).transpose()?,
                    attributes: attr.iter().map(|text| params::attribute(text)).collect::<Result<_, _>>()?,
                };
                self.logs = None;
                self.logs = Some(self.api.bus.subscribe(wish).ok_or("too many live subscriptions; close some tabs")?);
                Ok(false)
            }
            LiveRequest::Health => {
                self.health = true;
                Ok(true)
            }
            LiveRequest::None { topic } => {
                match topic.as_str() {
                    "topology" => self.map = None,
                    "logs" => self.logs = None,
                    "health" => self.health = false,
                    other => return Err(format!("no topic `{other}`; topology, logs or health")),
                }
                Ok(false)
            }
        }
    }

    async fn tick(&mut self) -> Vec<LiveEvent> {
        let mut events = Vec::new();
        if let Some(wish) = &self.map {
            match self.api.maps.get(&self.api, wish).await {
                Ok(map) if self.last_map.as_ref().is_some_and(|last| same(last, &map)) => {}
                Ok(map) => {
                    events.push(LiveEvent::Topology(Box::new(map.as_ref().clone())));
                    self.last_map = Some(map);
                }
                Err(failure) => events.push(wrong(failure)),
            }
        }
        if self.health {
            events.push(LiveEvent::Health(Box::new(own::health(&self.api))));
        }
        events
    }
}

fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// The next log event, at most one per pause. Never, without a subscription.
async fn next_logs(logs: &mut Option<Reader>, pause: &mut Interval) -> LiveEvent {
    let Some(reader) = logs else { return std::future::pending().await };
    pause.tick().await;
    let mut news = reader.news().await;
    let surplus = news.records.len().saturating_sub(LOG_BATCH);
    let logs: Vec<LogRecord> = news.records.drain(surplus..).map(|(_, record)| record.as_ref().clone()).collect();
    LiveEvent::Logs { logs, skipped: news.skipped + surplus as u64 }
}

fn message(event: &LiveEvent) -> Message {
    Message::Text(Utf8Bytes::from(serde_json::to_string(event).unwrap_or_default()))
}

fn wrong(detail: String) -> LiveEvent {
    LiveEvent::Error { detail }
}

/// Whether two maps show the same: their ranges always differ.
fn same(a: &Topology, b: &Topology) -> bool {
    a.nodes == b.nodes && a.edges == b.edges && a.partial == b.partial && a.environments == b.environments
}

/// Maps for all tabs: those who look at the same one share one query a second.
#[derive(Default)]
pub(crate) struct Maps(Mutex<HashMap<MapWish, Slot>>);

type Slot = Arc<Mutex<Option<(Instant, Arc<Topology>)>>>;

/// Different maps kept at once.
const MAPS: usize = 32;
const MAP_AGE: Duration = Duration::from_millis(900);

impl Maps {
    async fn get(&self, api: &Arc<Api>, wish: &MapWish) -> Result<Arc<Topology>, String> {
        let slot = self.slot(wish).await;
        let mut latest = slot.lock().await;
        if let Some((made, map)) = &*latest
            && made.elapsed() < MAP_AGE
        {
            return Ok(Arc::clone(map));
        }
        let map = Arc::new(draw(Arc::clone(api), wish.clone()).await?);
        *latest = Some((Instant::now(), Arc::clone(&map)));
        Ok(map)
    }

    async fn slot(&self, wish: &MapWish) -> Slot {
        let mut slots = self.0.lock().await;
        if slots.len() >= MAPS && !slots.contains_key(wish) {
            // Slots that nobody holds are only memories.
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry(wish.clone()).or_default())
    }
}

async fn draw(api: Arc<Api>, wish: MapWish) -> Result<Topology, String> {
    let drawn = ask(api, move |api, control| {
        let now = api.now();
        let params = Params::parse("", &[], now)?;
        let range = TimeRange { from: now - i64::from(wish.window_seconds) * 1_000_000_000, to: now };
        services::map(&Ask { api, control, params, in_path: &[], body: &[] }, range, wish.environment)
    });
    drawn.await.map_err(|failure| failure.problem("live").detail)
}
