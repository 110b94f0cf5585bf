//! Messages on their way: from a notice to what waits in the outbox, and from there to the channels.

use super::case::{self, Case};
use super::written::Written;
use super::{Live, Snapshot, present};
use crate::api::state::Metadata;
use futures_util::FutureExt;
use orrery_alert::Tracked;
use orrery_alert::live::Evaluator;
use orrery_alert::notify::{Class, Notice};
use orrery_api::Nanos;
use orrery_api::alerting::{Alert, AlertSeverity, AlertState, Channel, Evidence, Message, Rule, ValueUnit};
use orrery_meta::{Attempted, Kind, Meta, MetaError, NewMessage};
use orrery_notify::{Outcome, Sender, retry};
use orrery_query::Store;
use std::collections::{BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Alerts that a message lists.
const MOST_ALERTS: usize = 100;
/// Messages that are sent at once.
const AT_ONCE: u32 = 16;
/// Longest time between two looks into the outbox.
const PAUSE: Duration = Duration::from_secs(1);
/// Messages of which is found out at once what is known about their case.
const CASES: usize = 2;
/// So long a message waits for that. Of very many at once the last go out without: to be told is more than to be told why.
const WAITS: Duration = Duration::from_millis(700);
/// What is known about a case is good for other messages about the same for so long.
const GOOD: Duration = Duration::from_secs(30);

/// Alerts that messages are about.
struct About<'a> {
    known: HashMap<&'a str, (&'a Rule, &'a Tracked)>,
    /// Those that are forgotten by now.
    before: Arc<Snapshot>,
}

impl About<'_> {
    fn find(&self, id: &str) -> Option<Alert> {
        let known = self.known.get(id).map(|(rule, tracked)| present::alert(id, rule, tracked));
        known.or_else(|| self.before.alert(id).cloned())
    }
}

/// What waits to be sent because of notices: a message per channel that wants it.
pub(crate) fn messages(
    notices: &[Notice],
    evaluator: &Evaluator,
    live: &Live,
    written: &Written,
    now: i64,
) -> Vec<NewMessage> {
    if notices.is_empty() {
        return Vec::new();
    }
    let known = evaluator.alerts().map(|(id, rule, tracked, ..)| (id, (rule, tracked))).collect();
    let about = About { known, before: live.snapshot() };
    notices.iter().flat_map(|notice| of_notice(notice, &about, written, now)).collect()
}

fn of_notice(notice: &Notice, about: &About<'_>, written: &Written, now: i64) -> Vec<NewMessage> {
    let find = |id: &String| about.find(id);
    let mut alerts: Vec<Alert> = notice.active.iter().filter_map(find).collect();
    alerts.sort_by_key(present::order);
    let resolved = notice.resolved.iter().filter_map(find);
    alerts.extend(resolved.map(|alert| Alert { state: AlertState::Normal, ..alert }));
    let more = alerts.len().saturating_sub(MOST_ALERTS);
    alerts.truncate(MOST_ALERTS);
    let description = alerts.first().and_then(|first| written.rules.iter().find(|rule| rule.name == first.rule));
    let message = Message {
        group: notice.group.clone(),
        status: status(&alerts).to_owned(),
        title: title(&alerts, notice.active.len(), notice.resolved.len()),
        labels: notice
            .labels
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
        description: description.map_or_else(String::new, |rule| rule.description.clone()),
        more: more as u32,
        at_unix_nano: Nanos(notice.at),
        alerts,
        ..Message::default()
    };
    let wants = |channel: &&Channel| channel.enabled && (channel.send_resolved || !notice.active.is_empty());
    let channels = notice.channels.iter().filter_map(|name| written.channels.iter().find(|it| it.name == *name));
    channels
        .filter(wants)
        .map(|channel| {
            let id = format!("{}-{}", notice.id, &blake3::hash(channel.name.as_bytes()).to_hex()[..6]);
            NewMessage {
                channel: channel.name.clone(),
                group: notice.group.clone(),
                json: super::engine::json(&Message { id: id.clone(), ..message.clone() }),
                created_unix_nano: now,
                id,
            }
        })
        .collect()
}

fn status(alerts: &[Alert]) -> &'static str {
    match alerts.iter().map(|alert| alert.state).max().unwrap_or_default() {
        AlertState::Firing | AlertState::Pending => "firing",
        AlertState::Error => "error",
        AlertState::NoData => "no_data",
        AlertState::Normal => "resolved",
    }
}

fn title(alerts: &[Alert], active: usize, resolved: usize) -> String {
    let Some(first) = alerts.first() else { return String::new() };
    let worst = alerts.iter().filter(|alert| alert.state.is_told()).map(|alert| alert.severity).max();
    let worst = worst.unwrap_or(AlertSeverity::Info).name();
    match (active, resolved) {
        (0, 1) => format!("{}: over: {}", first.rule, about(first)),
        (0, all) => format!("{}: over, {all} alerts", first.rule),
        (1, _) => format!("{}: {} ({worst})", first.rule, first.summary),
        (all, _) => format!("{}: {} and {} more ({worst})", first.rule, first.summary, all - 1),
    }
}

/// What an alert is about, in as few words as possible.
fn about(alert: &Alert) -> String {
    let told = ["service", "caller", "callee", "host", "host.name", "heartbeat", "operation", "error.type"];
    let values: Vec<&str> = told.iter().filter_map(|name| alert.labels.get(*name)).map(String::as_str).collect();
    if values.is_empty() { alert.summary.clone() } else { values.join(" · ") }
}

/// What sending needs.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) metadata: Arc<Metadata>,
    /// Longest that one question about values may take.
    pub(crate) query_timeout: Duration,
    pub(crate) live: Arc<Live>,
    pub(crate) cases: Arc<Cases>,
    pub(crate) sender: Sender,
    /// Where people find the dashboard.
    pub(crate) url: String,
    /// Unix nanoseconds.
    pub(crate) clock: fn() -> i64,
    pub(crate) stopping: CancellationToken,
}

/// Sends what waits until the server stops. What is being sent then is finished, or sent again after the next start.
pub(crate) async fn run(parts: Parts) {
    let mut sending = JoinSet::new();
    // One message at a time per channel and group: what is over must not arrive before that it began.
    let mut busy: BTreeSet<(String, String)> = BTreeSet::new();
    // Ended attempts: forgotten before the outbox is read again, never while what was read from it may be older.
    let ended: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let mut buckets: HashMap<String, retry::Bucket> = HashMap::new();
    loop {
        for key in std::mem::take(&mut *lock(&ended)) {
            busy.remove(&key);
        }
        let due = match due(&parts).await {
            Ok(due) => due,
            Err(error) => {
                tracing::error!(%error, "the outbox of alerts cannot be read; trying again");
                Vec::new()
            }
        };
        for (waiting, channel) in due {
            let key = (waiting.what.channel.clone(), waiting.what.group.clone());
            if !busy.insert(key.clone()) {
                continue;
            }
            let pace = channel.as_ref().map(|channel| retry::pace(&channel.to));
            let bucket = pace.map(|pace| buckets.entry(key.0.clone()).or_insert_with(|| retry::Bucket::new(pace)));
            if bucket.is_some_and(|bucket| bucket.take((parts.clock)()).is_err()) {
                busy.remove(&key);
                continue;
            }
            let under_way = UnderWay { key, ended: Arc::clone(&ended), live: Arc::clone(&parts.live) };
            let parts = parts.clone();
            sending.spawn(async move {
                attempt(&parts, waiting, channel).await;
                drop(under_way);
            });
        }
        tokio::select! {
            () = parts.stopping.cancelled() => break,
            () = parts.live.outbox.notified() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
        while sending.try_join_next().is_some() {}
    }
    while sending.join_next().await.is_some() {}
}

/// An attempt that goes on. However it ends, its group's next message may be sent then.
struct UnderWay {
    key: (String, String),
    ended: Arc<Mutex<Vec<(String, String)>>>,
    live: Arc<Live>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        lock(&self.ended).push(std::mem::take(&mut self.key));
        self.live.outbox.notify_one();
    }
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

type Due = Vec<(orrery_meta::Message, Option<Channel>)>;

/// What is to be tried now, with its channel, if that is still there.
async fn due(parts: &Parts) -> Result<Due, MetaError> {
    let (metadata, now) = (Arc::clone(&parts.metadata), (parts.clock)());
    let read = move || {
        let Ok(meta) = &metadata.meta else { return Ok(Vec::new()) };
        let due = meta.messages_due(now, AT_ONCE)?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let channels = channels(meta)?;
        let with_channel = |message: orrery_meta::Message| {
            let channel = channels.iter().find(|channel| channel.name == message.what.channel).cloned();
            (message, channel)
        };
        Ok(due.into_iter().map(with_channel).collect())
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| Ok(Vec::new()))
}

/// All channels, with their secrets.
pub(crate) fn channels(meta: &Meta) -> Result<Vec<Channel>, MetaError> {
    let documents = meta.documents(Kind::Channel)?;
    Ok(documents.into_iter().filter_map(|document| serde_json::from_str(&document.json).ok()).collect())
}

async fn attempt(parts: &Parts, waiting: orrery_meta::Message, channel: Option<Channel>) {
    let id = waiting.what.id.clone();
    let outcome = match (channel, serde_json::from_str::<Message>(&waiting.what.json)) {
        (None, _) => Outcome::Failed { why: "the channel was removed".to_owned() },
        (Some(channel), _) if !channel.enabled => Outcome::Failed { why: "the channel is switched off".to_owned() },
        (Some(_), Err(error)) => Outcome::Failed { why: format!("the message cannot be read: {error}") },
        (Some(channel), Ok(message)) => {
            let created = waiting.what.created_unix_nano;
            let waited = if waiting.attempts == 0 { (parts.clock)() - created } else { 0 };
            let send = async {
                let Case { message, png } = complete(parts, message, waited).await;
                if waiting.attempts == 0 {
                    parts.live.note_told((parts.clock)() - created);
                }
                parts.sender.send(&channel, &message, png.as_deref()).await
            };
            let panicked =
                |_| Outcome::Retry { after: None, why: "sending failed; the server's log says more".to_owned() };
            AssertUnwindSafe(send).catch_unwind().await.unwrap_or_else(panicked)
        }
    };
    if let Outcome::Delivered { but: Some(but) } = &outcome {
        tracing::warn!(
            channel = waiting.what.channel,
            message = id,
            but,
            "a message about alerts was delivered only in part"
        );
    }
    let now = (parts.clock)();
    let since = Duration::from_nanos(u64::try_from(now - waiting.what.created_unix_nano).unwrap_or_default());
    let ended = match (retry::next(&outcome, waiting.attempts + 1, since, retry::seed(&id)), outcome) {
        (_, Outcome::Delivered { but }) => Attempted::Delivered { but },
        (retry::Next::After(wait), Outcome::Retry { why, .. }) => {
            let wait = i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX);
            Attempted::Retry { next_unix_nano: now.saturating_add(wait), error: why }
        }
        (_, Outcome::Failed { why } | Outcome::Retry { why, .. }) => Attempted::Failed { error: why },
    };
    if let Attempted::Retry { error, .. } | Attempted::Failed { error } = &ended {
        tracing::warn!(channel = waiting.what.channel, message = id, error, "a message about alerts was not delivered");
    }
    let metadata = Arc::clone(&parts.metadata);
    let kept = tokio::task::spawn_blocking(move || match &metadata.meta {
        Ok(meta) => meta.attempted(&id, &ended, now).map(|_| ()),
        Err(_) => Ok(()),
    });
    if let Ok(Err(error)) = kept.await {
        tracing::error!(%error, "how a message was delivered could not be kept: it may be sent again, with the same id");
    }
}

/// When it was asked for, and what was found.
type Found = (Instant, Arc<OnceLock<Evidence>>);

/// What is known about cases.
pub(crate) struct Cases {
    places: Semaphore,
    /// By what a case is; found out when somebody first asks.
    known: Mutex<HashMap<String, Found>>,
}

impl Default for Cases {
    fn default() -> Cases {
        Cases { places: Semaphore::new(CASES), known: Mutex::default() }
    }
}

impl Cases {
    /// What is known about an alert's case: for messages about the same trouble it is found out once.
    fn evidence(&self, alert: &Alert, class: Class, find: impl FnOnce() -> Evidence) -> Evidence {
        let limit = (alert.unit == ValueUnit::Seconds).then_some(alert.threshold);
        let minute = alert.began_unix_nano.unwrap_or(alert.since_unix_nano).0 / 60_000_000_000;
        let case = format!("{:?}", (&alert.node, &alert.caller, class, limit, minute, alert.state.is_told()));
        let known = {
            let mut known = lock(&self.known);
            known.retain(|_, (since, _)| since.elapsed() <= GOOD);
            Arc::clone(&known.entry(case).or_insert_with(|| (Instant::now(), Arc::default())).1)
        };
        known.get_or_init(find).clone()
    }
}

/// A message with everything that is known about its case; without that, if it has waited for too long already.
async fn complete(parts: &Parts, message: Message, waited: i64) -> Case {
    let left = WAITS.saturating_sub(Duration::from_nanos(u64::try_from(waited).unwrap_or(0)));
    let place = tokio::time::timeout(left, parts.cases.places.acquire()).await;
    let plain = |message| {
        parts.live.note_plain();
        case::plain(message, &parts.url)
    };
    let Ok(Ok(_place)) = place else { return plain(message) };
    let as_it_is = message.clone();
    let own = parts.clone();
    let completed = tokio::task::spawn_blocking(move || {
        let (parts, now) = (&own, (own.clock)());
        let rules = parts.live.snapshot();
        let rule = message.alerts.first().and_then(|first| rules.rules.get(&first.rule)).map(|it| &it.rule);
        let source = super::source(&parts.store, &parts.metadata, parts.query_timeout, &parts.stopping);
        let evidence = |alert: &Alert, class: Class| {
            let find = || case::found(parts.store.as_ref(), alert, class, now);
            parts.cases.evidence(alert, class, find)
        };
        case::complete(&source, rule, message, &parts.url, now, evidence)
    });
    completed.await.unwrap_or_else(|_| plain(as_it_is))
}
