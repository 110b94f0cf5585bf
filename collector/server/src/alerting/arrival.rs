//! Who sends, and up to when what was sent has arrived.
//!
//! A moment is judged when every service that is sending has sent something of it or after it: senders pass on in the
//! order in which things end. A sender whose clock is behind never gets there; of it one knows that what it sends arrives
//! so late and no later. One that sends seldom is not waited for.

use orrery_alert::live::Arrivals;
use orrery_api::alerting::{Indicator, Measure, Slo};
use orrery_model::{Batch, ServiceKey, Signal};
use orrery_query::plan::ServiceMatch;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

const SECOND: i64 = 1_000_000_000;
/// So long after the acknowledgement a question finds what was sent, whatever was read for another one before.
pub(crate) const SETTLE: i64 = SECOND / 2;
/// Who was heard within this time is sending.
const SENDING: i64 = 120 * SECOND;
/// Who usually sends less often than this is not waited for.
const SELDOM: i64 = 30 * SECOND;
/// Of the delay between an event and its arrival so much is waited for at most: more is a clock that is behind.
const MOST_DELAY: i64 = 10 * SECOND;
/// Senders known at most, per signal; those heard of longest ago are forgotten first.
const MOST: usize = 10_000;
/// What an objective is about is looked up so often.
const LOOKED_UP: i64 = 5 * SECOND;
/// Weight of the newest in a mean.
const NEWEST: f64 = 0.2;

/// Up to when one batch reaches, by service.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reach {
    signal: Option<Signal>,
    /// Ids and newest ends, Unix nanoseconds.
    services: Vec<(ServiceKey, i64)>,
}

impl Reach {
    /// One pass over the batch: ends of spans, times of records and points.
    pub(crate) fn of(batch: &Batch) -> Reach {
        let (context, newest) = match batch {
            Batch::Traces(spans) => {
                let ends = spans.start_time_unix_nano.iter().zip(&spans.duration_nanos);
                let ends = ends.map(|(start, duration)| start.saturating_add(*duration));
                (&spans.context, newest(spans.context.resources.len(), &spans.resource, ends))
            }
            Batch::Logs(logs) => (
                &logs.context,
                newest(logs.context.resources.len(), &logs.resource, logs.time_unix_nano.iter().copied()),
            ),
            Batch::Metrics(points) => {
                let times = points.time_unix_nano.iter().copied();
                (&points.context, newest(points.context.resources.len(), &points.resource, times))
            }
        };
        let text = |sym| context.strings.get(sym).to_owned();
        let reached = context.resources.iter().zip(newest).filter(|(_, newest)| *newest > i64::MIN);
        let service = |resource: &orrery_model::batch::Resource| ServiceKey {
            namespace: text(resource.service_namespace),
            name: text(resource.service_name),
            environment: text(resource.environment),
        };
        let services = reached.map(|(resource, newest)| (service(resource), newest)).collect();
        Reach { signal: Some(batch.signal()), services }
    }
}

/// The newest time of each resource; `i64::MIN` of one without rows.
fn newest(resources: usize, of_row: &[u32], times: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut newest = vec![i64::MIN; resources];
    for (resource, time) in of_row.iter().zip(times) {
        if let Some(newest) = newest.get_mut(*resource as usize) {
            *newest = time.max(*newest);
        }
    }
    newest
}

/// What is known of a sender.
#[derive(Clone, Copy, Debug)]
struct Sender {
    /// Newest event, Unix nanoseconds; never later than when it arrived.
    newest: i64,
    /// When it was last heard.
    heard: i64,
    /// Usual time between two batches, nanoseconds; 0 after the first.
    pace: f64,
    /// Usual time from an event to its arrival, nanoseconds.
    delay: f64,
    /// How far it was, and when it was heard, at some moments before: the first is settled, the second will be.
    marks: [(i64, i64); 2],
}

impl Sender {
    fn hear(&mut self, newest: i64, now: i64) {
        let gap = (now - self.heard).max(0) as f64;
        // Several batches of one moment are one.
        if gap > SECOND as f64 / 10.0 {
            self.pace = if self.pace > 0.0 { mean(self.pace, gap) } else { gap };
        }
        self.delay = mean(self.delay, (now - newest).max(0) as f64);
        self.newest = self.newest.max(newest.min(now));
        self.heard = self.heard.max(now);
        if now - self.marks[1].1 >= SETTLE {
            self.marks = [self.marks[1], (self.newest, self.heard)];
        }
    }

    fn new(newest: i64, now: i64) -> Sender {
        let (newest, delay) = (newest.min(now), (now - newest).max(0) as f64);
        Sender { newest, heard: now, pace: 0.0, delay, marks: [(i64::MIN, i64::MIN), (newest, now)] }
    }

    /// How far it is, and when it was heard, as far as questions find it.
    fn settled(&self, now: i64) -> (i64, i64) {
        let marks = [(self.newest, self.heard), self.marks[1]];
        marks.into_iter().find(|(_, heard)| now - heard >= SETTLE).unwrap_or(self.marks[0])
    }

    fn is_sending(&self, now: i64) -> bool {
        now - self.heard <= SENDING
    }

    fn has_reached(&self, at: i64, now: i64) -> bool {
        let (newest, heard) = self.settled(now);
        let delay = (self.delay as i64).clamp(SECOND, MOST_DELAY);
        newest >= at || heard >= at.saturating_add(delay)
    }
}

fn mean(usual: f64, newest: f64) -> f64 {
    usual + NEWEST * (newest - usual)
}

/// Whose data a measure rests on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scope {
    /// Only of this signal.
    pub(crate) signal: Option<Signal>,
    /// Only of this service.
    pub(crate) service: Option<ServiceMatch>,
    /// Only of this environment.
    pub(crate) environment: Option<String>,
}

impl Scope {
    /// Of a measure; `None` if it does not rest on what is sent.
    pub(crate) fn of(measure: &Measure, objective: impl Fn(&str) -> Option<Slo>) -> Option<Scope> {
        let service = |text: &Option<String>| text.as_deref().map(crate::api::params::service_match);
        let scope = |signal, service, environment: &Option<String>| Scope {
            signal: Some(signal),
            service,
            environment: environment.clone(),
        };
        Some(match measure {
            Measure::Requests { service: of, environment, .. }
            | Measure::Errors { service: of, environment, .. }
            | Measure::NewErrors { service: of, environment } => scope(Signal::Traces, service(of), environment),
            Measure::Calls { caller, callee, environment, .. } => {
                // Of one of the ends. Nodes that send nothing are nobody's.
                let end = [caller, callee].into_iter().flatten().find(|end| !end.contains(':')).cloned();
                scope(Signal::Traces, service(&end), environment)
            }
            Measure::NewEdges { environment } => scope(Signal::Traces, None, environment),
            Measure::Traces { .. } => scope(Signal::Traces, None, &None),
            Measure::Logs { service: of, .. } | Measure::NewLogPatterns { service: of, .. } => {
                scope(Signal::Logs, service(of), &None)
            }
            Measure::Metric { service: of, .. } => scope(Signal::Metrics, service(of), &None),
            Measure::Burn { slo, .. } => match objective(slo)?.indicator {
                Indicator::Availability { service: of, environment, .. }
                | Indicator::Latency { service: of, environment, .. } => {
                    scope(Signal::Traces, service(&Some(of)), &environment)
                }
                Indicator::Traces { .. } => scope(Signal::Traces, None, &None),
            },
            // A statement may be about anything.
            Measure::Sql { .. } => Scope { signal: None, service: None, environment: None },
            // Whether somebody is silent only time tells.
            Measure::Silent { .. } | Measure::Hosts { .. } | Measure::Heartbeat { .. } => return None,
        })
    }

    fn holds(&self, service: &ServiceKey) -> bool {
        self.service.as_ref().is_none_or(|wanted| wanted.holds(service))
            && self.environment.as_ref().is_none_or(|wanted| *wanted == service.environment)
    }
}

/// The objective of a name.
pub(crate) type Objective = Box<dyn Fn(&str) -> Option<Slo> + Send + Sync>;
/// What objectives were when they were last looked at, and when that was.
type Known = BTreeMap<String, (i64, Option<Slo>)>;

#[derive(Default)]
struct Senders {
    by_signal: BTreeMap<Signal, BTreeMap<ServiceKey, Sender>>,
    forgotten: u64,
}

impl Senders {
    fn within<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = &'a Sender> {
        let of_signal =
            self.by_signal.iter().filter(|(signal, _)| scope.signal.is_none_or(|wanted| wanted == **signal));
        of_signal.flat_map(|(_, all)| all).filter(|(service, _)| scope.holds(service)).map(|(_, sender)| sender)
    }
}

/// Who sends, and up to when what was sent has arrived.
pub(crate) struct Arrival {
    senders: Mutex<Senders>,
    /// Since when it listens: who sends is not known at once.
    began: i64,
    objective: Objective,
    objectives: Mutex<Known>,
}

impl Arrival {
    /// Begins to listen.
    pub(crate) fn new(now: i64, objective: Objective) -> Arrival {
        Arrival { senders: Mutex::default(), began: now, objective, objectives: Mutex::default() }
    }

    /// What was sent is durable.
    pub(crate) fn note(&self, reach: Reach, now: i64) {
        let Some(signal) = reach.signal else { return };
        let mut senders = self.senders();
        let known = senders.by_signal.entry(signal).or_default();
        for (service, newest) in reach.services {
            known.entry(service).and_modify(|sender| sender.hear(newest, now)).or_insert(Sender::new(newest, now));
        }
        let mut forgotten = 0;
        while known.len() > MOST {
            let oldest = known.iter().min_by_key(|(_, sender)| sender.heard).map(|(service, _)| service.clone());
            oldest.into_iter().for_each(|service| _ = known.remove(&service));
            forgotten += 1;
        }
        senders.forgotten += forgotten;
    }

    /// Whether a moment can be judged: what was sent until then has arrived, or has been waited for long enough.
    pub(crate) fn judgeable(&self, scope: Option<&Scope>, at: i64, now: i64, max_wait: i64) -> bool {
        if now >= at.saturating_add(max_wait) {
            return true;
        }
        let Some(scope) = scope else { return now >= at.saturating_add(SETTLE) };
        // Who sends shows within some time.
        if now - self.began < SELDOM {
            return false;
        }
        let senders = self.senders();
        let is_awaited = |sender: &&Sender| sender.is_sending(now) && sender.pace <= SELDOM as f64;
        let mut awaited = senders.within(scope).filter(is_awaited).peekable();
        if awaited.peek().is_none() {
            // Nobody to wait for; somebody may yet begin.
            return false;
        }
        awaited.all(|sender| sender.has_reached(at, now))
    }

    /// Share of those that send often whose data has reached a moment. 1 where nothing is sent for it to rest on; 0 if
    /// nobody is sending who should.
    pub(crate) fn share(&self, scope: Option<&Scope>, at: i64, now: i64) -> f64 {
        let Some(scope) = scope else { return 1.0 };
        let senders = self.senders();
        let (mut is_sending, mut awaited, mut reached) = (false, 0.0, 0.0);
        for sender in senders.within(scope).filter(|sender| sender.is_sending(now)) {
            is_sending = true;
            // Nothing is to be expected of a moment from who sends seldom.
            if sender.pace <= SELDOM as f64 {
                awaited += 1.0;
                reached += f64::from(u8::from(sender.has_reached(at, now)));
            }
        }
        if awaited > 0.0 { reached / awaited } else { f64::from(u8::from(is_sending)) }
    }

    /// Senders that were forgotten because there were too many: nobody waits for their data.
    pub(crate) fn forgotten(&self) -> u64 {
        self.senders().forgotten
    }

    fn senders(&self) -> MutexGuard<'_, Senders> {
        self.senders.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What a measure rests on.
    fn scope(&self, measure: &Measure, now: i64) -> Option<Scope> {
        Scope::of(measure, |name| {
            let mut known = self.objectives.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            known.retain(|_, (asked, _)| (now - LOOKED_UP..=now).contains(asked));
            known.entry(name.to_owned()).or_insert_with(|| (now, (self.objective)(name))).1.clone()
        })
    }
}

impl Arrivals for Arrival {
    fn has_arrived(&self, measure: &Measure, at: i64, now: i64) -> bool {
        // What is on its way is no silence.
        if matches!(measure, Measure::Silent { .. }) {
            return now >= at.saturating_add(MOST_DELAY);
        }
        self.judgeable(self.scope(measure, now).as_ref(), at, now, i64::MAX)
    }

    fn coverage(&self, measure: &Measure, at: i64, now: i64) -> f64 {
        self.share(self.scope(measure, now).as_ref(), at, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orrery_model::{SpanBatch, SpanId, TraceId, Value};

    const LONG: i64 = 1_000 * SECOND;

    fn arrival() -> Arrival {
        Arrival::new(-LONG, Box::new(|_| None))
    }

    fn scope(service: &str) -> Scope {
        let service = (!service.is_empty()).then(|| ServiceMatch::Name(service.to_owned()));
        Scope { signal: Some(Signal::Traces), service, environment: None }
    }

    /// `service` sends at `now` what ended at `newest`, in seconds.
    fn send(arrival: &Arrival, service: &str, newest: i64, now: i64) {
        let services = vec![(ServiceKey::parse(service), newest * SECOND)];
        arrival.note(Reach { signal: Some(Signal::Traces), services }, now * SECOND);
    }

    fn is_judgeable(arrival: &Arrival, service: &str, at: i64, now: i64) -> bool {
        arrival.judgeable(Some(&scope(service)), at * SECOND, now * SECOND, 20 * SECOND)
    }

    #[test]
    fn a_moment_is_judged_when_all_who_send_have_passed_it() {
        let arrival = arrival();
        for at in (0..=100).step_by(5) {
            send(&arrival, "cart", at, at);
            send(&arrival, "web", at - 1, at);
        }
        assert!(is_judgeable(&arrival, "", 98, 101));
        assert!(!is_judgeable(&arrival, "", 100, 101), "web has not got there");
        assert!(is_judgeable(&arrival, "cart", 100, 101), "cart has");
        send(&arrival, "web", 104, 104);
        assert!(!is_judgeable(&arrival, "web", 104, 104), "what is just acknowledged is not found yet");
        assert!(is_judgeable(&arrival, "web", 104, 105));
        assert!(!is_judgeable(&arrival, "cart", 104, 105));
        for tenth in 1_041..=1_060 {
            let services = vec![(ServiceKey::parse("busy"), tenth * SECOND / 10)];
            arrival.note(Reach { signal: Some(Signal::Traces), services }, tenth * SECOND / 10);
        }
        assert!(is_judgeable(&arrival, "busy", 105, 106), "who never pauses is not waited for for ever");
        assert!(is_judgeable(&arrival, "cart", 104, 124), "not longer than is to be waited");
    }

    #[test]
    fn a_clock_that_is_behind_is_known_to_be() {
        let arrival = arrival();
        for at in (0..=100).step_by(5) {
            send(&arrival, "cart", at - 300, at);
        }
        assert!(!is_judgeable(&arrival, "cart", 100, 101));
        send(&arrival, "cart", -190, 110);
        assert!(is_judgeable(&arrival, "cart", 100, 111), "ten seconds later nothing more is to come");
        for at in (0..=100).step_by(5) {
            send(&arrival, "fast", at + 900, at);
        }
        assert!(!is_judgeable(&arrival, "fast", 110, 102), "a clock ahead promises nothing");
    }

    #[test]
    fn who_sends_seldom_or_never_again_is_not_waited_for() {
        let arrival = arrival();
        for at in (0..=600).step_by(5) {
            send(&arrival, "cart", at, at);
            if at % 100 == 0 {
                send(&arrival, "report", at, at);
            }
            if at <= 300 {
                send(&arrival, "gone", at, at);
            }
        }
        assert!(is_judgeable(&arrival, "", 600, 601));
        assert!(!is_judgeable(&arrival, "nobody", 600, 601), "somebody may begin");
        let shares = ["", "cart", "gone", "nobody"]
            .map(|service| arrival.share(Some(&scope(service)), 590 * SECOND, 601 * SECOND));
        assert_eq!(shares, [1.0, 1.0, 0.0, 0.0]);
        assert_eq!(arrival.share(Some(&scope("")), 601 * SECOND, 602 * SECOND), 0.0);
        let young = Arrival::new(595 * SECOND, Box::new(|_| None));
        send(&young, "cart", 600, 600);
        assert!(!is_judgeable(&young, "", 600, 601), "others may send, too");
    }

    #[test]
    fn senders_are_bounded() {
        let arrival = arrival();
        for number in 0..MOST as i64 + 5 {
            send(&arrival, &format!("s{number}"), number, number);
        }
        let senders = arrival.senders();
        assert_eq!((senders.by_signal[&Signal::Traces].len(), senders.forgotten), (MOST, 5));
        assert!(!senders.by_signal[&Signal::Traces].contains_key(&ServiceKey::parse("s4")), "the oldest go");
    }

    #[test]
    fn a_batch_says_how_far_each_service_reaches() {
        let mut batch = SpanBatch::default();
        for name in ["a", "b", "idle"] {
            let (key, value) = (batch.context.strings.intern("service.name"), batch.context.strings.intern(name));
            batch.context.resource_attributes.push(key, Value::String(value));
            batch.context.end_resource(Default::default(), 0);
        }
        for (resource, start, nanos) in [(0, 10, 5), (1, 3, 1), (0, 11, 1)] {
            batch.trace_id.push(TraceId([1; 16]));
            batch.span_id.push(SpanId(1));
            batch.start_time_unix_nano.push(start);
            batch.duration_nanos.push(nanos);
            batch.resource.push(resource);
        }
        let expected = vec![(ServiceKey::parse("a"), 15), (ServiceKey::parse("b"), 4)];
        assert_eq!(Reach::of(&Batch::Traces(batch)), Reach { signal: Some(Signal::Traces), services: expected });
    }

    #[test]
    fn a_measure_rests_on_what_it_asks_about() {
        let measure = |json: &str| serde_json::from_str::<Measure>(json).unwrap();
        let of = |json: &str| Scope::of(&measure(json), |_| None);
        let calls = of(r#"{"signal":"calls","figure":"error_ratio","callee":"database:redis/r","caller":"cart@prod"}"#);
        assert_eq!(calls.unwrap().service, Some(ServiceMatch::Key(ServiceKey::parse("cart@prod"))));
        assert_eq!(
            of(r#"{"signal":"logs","service":"cart"}"#).unwrap(),
            Scope { signal: Some(Signal::Logs), ..scope("cart") }
        );
        assert_eq!(of(r#"{"signal":"silent"}"#), None);
        let statement = of(r#"{"signal":"sql","statement":"SELECT 1 AS value"}"#);
        assert_eq!(statement.unwrap(), Scope { signal: None, ..scope("") }, "whatever is sent");
    }
}
