//! Messages on their way: from a notice to what waits in the outbox, and from there to the channels.

use super::case::{self, Case};
use super::written::Written;
use super::{Live, present};
use crate::api::state::Metadata;
use orrery_alert::live::Evaluator;
use orrery_alert::notify::Notice;
use orrery_api::Nanos;
use orrery_api::alerting::{Alert, AlertSeverity, AlertState, Channel, Message};
use orrery_meta::{Attempted, Kind, Meta, MetaError, NewMessage};
use orrery_notify::{Outcome, Sender, retry};
use orrery_query::Store;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Alerts that a message lists.
const MOST_ALERTS: usize = 100;
/// Messages that are sent at once.
const AT_ONCE: u32 = 16;
/// Longest time between two looks into the outbox.
const PAUSE: Duration = Duration::from_secs(1);

/// What waits to be sent because of a notice: a message per channel that wants it.
pub(crate) fn messages(
    notice: &Notice,
    evaluator: &Evaluator,
    live: &Live,
    written: &Written,
    now: i64,
) -> Vec<NewMessage> {
    let known: BTreeMap<&str, Alert> =
        evaluator.alerts().map(|(id, rule, tracked, ..)| (id, present::alert(id, rule, tracked))).collect();
    let before = live.snapshot();
    let find = |id: &String| known.get(id.as_str()).cloned().or_else(|| before.alert(id).cloned());
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
            let (parts, ended) = (parts.clone(), Arc::clone(&ended));
            sending.spawn(async move {
                attempt(&parts, waiting, channel).await;
                lock(&ended).push(key);
                parts.live.outbox.notify_one();
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
            let Case { message, png } = complete(parts, message).await;
            parts.sender.send(&channel, &message, png.as_deref()).await
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
        (retry::Next::Done, _) => Attempted::Delivered,
        (retry::Next::After(wait), Outcome::Retry { why, .. }) => {
            let wait = i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX);
            Attempted::Retry { next_unix_nano: now.saturating_add(wait), error: why }
        }
        (_, Outcome::Failed { why } | Outcome::Retry { why, .. }) => Attempted::Failed { error: why },
        (_, Outcome::Delivered { .. }) => Attempted::Delivered,
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

/// A message with everything that is known about its case.
pub(crate) async fn complete(parts: &Parts, message: Message) -> Case {
    let plain = message.clone();
    let parts = parts.clone();
    let completed = tokio::task::spawn_blocking(move || {
        let rules = parts.live.snapshot();
        let rule = message.alerts.first().and_then(|first| rules.rules.get(&first.rule)).map(|it| &it.rule);
        let source = super::source(&parts.store, &parts.metadata, parts.query_timeout);
        case::complete(parts.store.as_ref(), &source, rule, message, &parts.url, (parts.clock)())
    });
    completed.await.unwrap_or(Case { message: plain, png: None })
}
