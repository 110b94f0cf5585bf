//! The thread that judges rules.

use super::arrival::Arrival;
use super::aside::Aside;
use super::written::{self, Written};
use super::{Live, Snapshot, delivery, present};
use crate::api::state::Metadata;
use orrery_alert::Tracked;
use orrery_alert::live::{Changes, Evaluator, Outside};
use orrery_alert::notify::{CallGraph, Notifier};
use orrery_meta::{AlertState, Meta, MetaError, NewEvent, Step};
use orrery_query::answer::EdgeKind;
use orrery_query::{Control, Store, TimeRange, plan};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const SECOND: i64 = 1_000_000_000;
/// Between two looks at the clock.
const PAUSE: Duration = Duration::from_millis(250);
/// Who calls whom is asked for so often, and of so long a time.
const GRAPH_EVERY: i64 = 30 * SECOND;
const GRAPH_OF: i64 = 1_800 * SECOND;
const GRAPH_WITHIN: Duration = Duration::from_secs(5);
/// How far everything was judged is written down at least so often.
const MARK_EVERY: i64 = 10 * SECOND;
/// Events and delivered messages are kept so long, and so many at most.
const KEPT: i64 = 90 * 86_400 * SECOND;
const MOST_EVENTS: u32 = 200_000;
const MOST_MESSAGES: u32 = 20_000;
/// Heartbeats kept, at most.
const MOST_BEATS: u32 = 1_000_000;
const PRUNE_EVERY: i64 = 600 * SECOND;
/// Names under which is kept, among groups of alerts, how far everything was judged, and which alerts were muted. A group
/// has its key after this word.
const JUDGED: &str = "judged";
const MUTED: &str = "muted";
const GROUP: &str = "group:";
/// Everything about groups in one, as it was kept before.
const NOTIFIER: &str = "notifier";

/// What the thread works with.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) source: Aside,
    pub(crate) arrivals: Arc<Arrival>,
    pub(crate) live: Arc<Live>,
    /// Unix nanoseconds.
    pub(crate) clock: fn() -> i64,
    pub(crate) stopping: CancellationToken,
}

/// Judges until the server stops. Blocks.
pub(crate) fn run(parts: Parts) {
    let meta = match &parts.metadata.meta {
        Ok(meta) => meta,
        Err(why) => {
            parts.live.publish(Snapshot { error: Some(why.clone()), ..Snapshot::default() });
            return;
        }
    };
    let started = Instant::now();
    let mut engine = Engine {
        meta,
        parts: &parts,
        evaluator: Evaluator::default(),
        written: Written::default(),
        unkept: None,
        told: Notifier::default(),
        marked: 0,
        graph: (0, Arc::default()),
        pruned: 0,
        started,
    };
    while let Err(error) = engine.restore() {
        tracing::error!(%error, "what alerts were could not be read; trying again");
        parts.live.publish(Snapshot { error: Some(error.to_string()), ..Snapshot::default() });
        parts.live.wait(Duration::from_secs(5));
        if parts.stopping.is_cancelled() {
            return;
        }
    }
    // Who judges what is not all there yet takes it for silence.
    while !parts.stopping.is_cancelled() && parts.store.health().wal_unread_bytes > 0 {
        parts.live.wait(PAUSE);
    }
    let mut is_changed = true;
    while !parts.stopping.is_cancelled() {
        if is_changed && !engine.read() {
            parts.live.wait(Duration::from_secs(1));
            continue;
        }
        engine.step();
        is_changed = parts.live.wait(PAUSE);
    }
}

struct Engine<'a> {
    meta: &'a Meta,
    parts: &'a Parts,
    evaluator: Evaluator,
    written: Written,
    /// What could not be kept yet: nothing goes on before it is.
    unkept: Option<(Step, i64)>,
    /// What was told, as it is kept.
    told: Notifier,
    /// How far everything was judged, as it is kept.
    marked: i64,
    graph: (i64, Arc<CallGraph>),
    pruned: i64,
    started: Instant,
}

impl Engine<'_> {
    fn restore(&mut self) -> Result<(), MetaError> {
        written::offer_built_in(self.meta, (self.parts.clock)())?;
        let groups = self.meta.alert_groups()?;
        let Some(judged) = groups.get(JUDGED).and_then(|text| text.parse().ok()) else { return Ok(()) };
        let mut notifier: Notifier = groups.get(NOTIFIER).and_then(|json| read(NOTIFIER, json)).unwrap_or_default();
        let kept = groups.iter().filter_map(|(name, json)| Some((name.strip_prefix(GROUP)?, read(name, json)?)));
        notifier.groups.extend(kept.map(|(key, group)| (key.to_owned(), group)));
        if let Some(muted) = groups.get(MUTED).and_then(|json| read(MUTED, json)) {
            notifier.muted = muted;
        }
        // What was kept in one is kept one by one from now on.
        self.told = if groups.contains_key(NOTIFIER) { Notifier::default() } else { notifier.clone() };
        let state = |state: AlertState| match serde_json::from_str::<Tracked>(&state.json) {
            Ok(tracked) => Some((state.alert, state.rule, tracked)),
            Err(error) => {
                tracing::warn!(alert = state.alert, rule = state.rule, %error, "state of an alert cannot be read");
                None
            }
        };
        let states = self.meta.alert_states()?.into_iter().filter_map(state).collect();
        self.evaluator = Evaluator::restore(states, notifier, judged);
        self.marked = judged;
        Ok(())
    }

    /// Reads what people wrote; whether that succeeded.
    fn read(&mut self) -> bool {
        if !self.keep_again() {
            return false;
        }
        let written = match Written::read(self.meta) {
            Ok(written) => written,
            Err(error) => {
                tracing::error!(%error, "rules cannot be read; those known go on");
                return false;
            }
        };
        let changes = self.evaluator.set_rules(written.rules.clone(), (self.parts.clock)());
        self.evaluator.set_policy(written.policy());
        self.evaluator.set_acknowledged(written.acknowledged.clone());
        self.written = written;
        self.keep(&changes);
        true
    }

    fn step(&mut self) {
        let now = (self.parts.clock)();
        if !self.keep_again() {
            return;
        }
        self.refresh_graph(now);
        self.parts.source.renew();
        let stopwatch = || u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let changes = self.evaluator.step(&Outside {
            now,
            source: &self.parts.source,
            arrivals: self.parts.arrivals.as_ref(),
            graph: &self.graph.1,
            stopwatch: &stopwatch,
        });
        let snapshot = changes.is_news.then(|| Snapshot {
            forgotten_senders: self.parts.arrivals.forgotten(),
            ..present::snapshot(&self.evaluator, &self.graph.1)
        });
        self.keep(&changes);
        snapshot.into_iter().for_each(|snapshot| self.parts.live.publish(snapshot));
        self.prune(now);
    }

    /// Keeps what changed. If that fails it is tried again before anything else happens.
    fn keep(&mut self, changes: &Changes) {
        let is_marked = changes.judged - self.marked < MARK_EVERY;
        if changes.is_empty() && is_marked {
            return;
        }
        let step = self.as_step(changes);
        match self.meta.commit(&step) {
            Ok(_) => {
                self.marked = changes.judged;
                if !step.outbox.is_empty() {
                    self.parts.live.outbox.notify_one();
                }
            }
            Err(error) => {
                tracing::error!(%error, "what alerts came to could not be kept; trying again, and judging nothing until then");
                self.unkept = Some((step, changes.judged));
            }
        }
    }

    /// Whether everything is kept now.
    fn keep_again(&mut self) -> bool {
        let Some((step, judged)) = &self.unkept else { return true };
        if self.meta.commit(step).is_err() {
            return false;
        }
        tracing::info!("what alerts came to is kept again");
        self.marked = *judged;
        self.unkept = None;
        self.parts.live.outbox.notify_one();
        true
    }

    fn as_step(&mut self, changes: &Changes) -> Step {
        let now = (self.parts.clock)();
        let mut groups = vec![(JUDGED.to_owned(), changes.judged.to_string())];
        let mut gone_groups = Vec::new();
        if let Some(told) = &changes.notifier {
            (groups, gone_groups) = self.changed_groups(told, groups);
            self.told.clone_from(told);
        }
        let outbox = delivery::messages(&changes.notices, &self.evaluator, &self.parts.live, &self.written, now);
        Step {
            states: changes
                .states
                .iter()
                .map(|(alert, rule, tracked)| AlertState {
                    alert: alert.clone(),
                    rule: rule.clone(),
                    json: json(tracked),
                })
                .collect(),
            gone: changes.gone.clone(),
            groups,
            gone_groups,
            events: changes
                .events
                .iter()
                .map(|event| NewEvent {
                    alert: event.alert.clone(),
                    rule: event.rule.clone(),
                    at_unix_nano: event.at_unix_nano.0,
                    recorded_unix_nano: event.recorded_unix_nano.0,
                    json: json(event),
                })
                .collect(),
            outbox,
        }
    }

    /// What is to be written about groups, and which are gone.
    fn changed_groups(&self, told: &Notifier, mut all: Vec<(String, String)>) -> (Vec<(String, String)>, Vec<String>) {
        let name = |key: &String| format!("{GROUP}{key}");
        let changed = told.groups.iter().filter(|(key, group)| self.told.groups.get(*key) != Some(*group));
        all.extend(changed.map(|(key, group)| (name(key), json(group))));
        if told.muted != self.told.muted {
            all.push((MUTED.to_owned(), json(&told.muted)));
        }
        let gone = self.told.groups.keys().filter(|key| !told.groups.contains_key(*key)).map(name);
        (all, gone.chain([NOTIFIER.to_owned()]).collect())
    }

    fn refresh_graph(&mut self, now: i64) {
        if (now - self.graph.0).abs() < GRAPH_EVERY {
            return;
        }
        self.graph.0 = now;
        let Some(range) = TimeRange::new(now - GRAPH_OF, now) else { return };
        let asked = plan::Topology { range, environment: None };
        match self.parts.store.topology(&asked, &Control::within(GRAPH_WITHIN)) {
            Ok(answer) => {
                let calls = answer.value.edges.into_iter();
                let calls = calls.filter(|edge| matches!(edge.kind, EdgeKind::Call | EdgeKind::Database));
                self.graph.1 = Arc::new(CallGraph::new(calls.map(|edge| (edge.caller, edge.callee))));
            }
            Err(error) => tracing::warn!(%error, "who calls whom could not be asked; what was known before is used"),
        }
    }

    fn prune(&mut self, now: i64) {
        if now - self.pruned < PRUNE_EVERY {
            return;
        }
        self.pruned = now;
        let events = self.meta.prune_events(now - KEPT, MOST_EVENTS);
        let messages = events.and_then(|_| self.meta.prune_messages(now - KEPT, MOST_MESSAGES));
        if let Err(error) = messages.and_then(|_| self.meta.prune_beats(now - KEPT, MOST_BEATS)) {
            tracing::warn!(%error, "old events of alerts, messages and heartbeats could not be removed");
        }
    }
}

/// What was kept under a name; said in the log if it cannot be read.
fn read<T: serde::de::DeserializeOwned>(name: &str, json: &str) -> Option<T> {
    let unreadable =
        |error| tracing::warn!(name, %error, "what people were told cannot be read; they may be told again");
    serde_json::from_str(json).map_err(unreadable).ok()
}

/// Our own types have nothing that JSON lacks.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("no map with keys that are no text")
}
