//! Live log records, fed by the ingest stream: nothing here asks the store.
//!
//! Each subscription keeps the newest records that match its filter in a ring, numbered without gaps. A reader who is
//! too slow finds the ring has moved on: the numbers tell exactly how many matching records were skipped. Ingest never
//! waits for a reader.

use crate::api::convert;
use orrery_api::LogRecord;
use orrery_model::{LogBatch, ServiceKey, Severity, TraceId, semconv};
use orrery_query::answer;
use orrery_query::plan::{AttributeFilter, ServiceMatch};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Records a subscription keeps.
const RING: usize = 1000;
/// Subscriptions at once.
const SUBSCRIPTIONS: usize = 128;
/// How long a subscription outlives its reader, who may come back for what was missed.
const PARKED: Duration = Duration::from_secs(60);

/// Which records a subscription wants.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LogWish {
    /// Only this service.
    pub(crate) service: Option<ServiceMatch>,
    /// This level or worse.
    pub(crate) min_severity: Option<Severity>,
    /// Body contains, lower case.
    pub(crate) text: Option<String>,
    /// Only of this trace.
    pub(crate) trace_id: Option<TraceId>,
    /// All of these hold.
    pub(crate) attributes: Vec<AttributeFilter>,
}

/// All subscriptions.
#[derive(Debug, Default)]
pub(crate) struct Bus {
    subscriptions: Mutex<Vec<Arc<Subscription>>>,
    next_id: AtomicU64,
    clients: AtomicUsize,
}

/// Counts a connection as live client while it exists.
#[derive(Debug)]
pub(crate) struct Client(Arc<Bus>);

impl Drop for Client {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One subscription.
#[derive(Debug)]
pub(crate) struct Subscription {
    id: u64,
    wish: LogWish,
    ring: Mutex<Ring>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Ring {
    records: VecDeque<Arc<LogRecord>>,
    /// Number the next record will get.
    next: u64,
    /// When the reader left; `None` while it is there.
    parked: Option<Instant>,
}

/// What a reader has not seen yet.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Numbered, oldest first.
    pub(crate) records: Vec<(u64, Arc<LogRecord>)>,
    /// How many before them are gone.
    pub(crate) skipped: u64,
}

impl Bus {
    /// Counts a connection.
    pub(crate) fn client(self: &Arc<Bus>) -> Client {
        self.clients.fetch_add(1, Ordering::Relaxed);
        Client(Arc::clone(self))
    }

    /// Connections with live data.
    pub(crate) fn clients(&self) -> u64 {
        self.clients.load(Ordering::Relaxed) as u64
    }

    /// Whether anybody wants log records: if not, there is nothing to copy on the way in.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.subscriptions().is_empty()
    }

    /// A new subscription, or `None` when there are too many.
    pub(crate) fn subscribe(self: &Arc<Bus>, wish: LogWish) -> Option<Reader> {
        let mut all = self.subscriptions();
        if all.len() >= SUBSCRIPTIONS {
            let parked = all.iter().position(|subscription| subscription.ring().parked.is_some())?;
            all.remove(parked);
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let subscription = Arc::new(Subscription { id, wish, ring: Mutex::default(), news: Notify::new() });
        all.push(Arc::clone(&subscription));
        drop(all);
        Some(Reader { bus: Arc::clone(self), subscription, next: 0, park: false })
    }

    /// A subscription whose reader left less than a minute ago, from record number `next` on.
    pub(crate) fn resume(self: &Arc<Bus>, id: u64, next: u64, wish: &LogWish) -> Option<Reader> {
        let all = self.subscriptions();
        let subscription = all.iter().find(|subscription| subscription.id == id && subscription.wish == *wish)?;
        let mut ring = subscription.ring();
        ring.parked.take()?;
        let next = next.min(ring.next);
        drop(ring);
        Some(Reader { bus: Arc::clone(self), subscription: Arc::clone(subscription), next, park: true })
    }

    /// Hands a batch to everyone who wants some of it.
    pub(crate) fn publish(&self, batch: &LogBatch) {
        let subscriptions = self.subscriptions().clone();
        let mut records: Vec<Option<Arc<LogRecord>>> = vec![None; batch.len()];
        for subscription in subscriptions {
            subscription.offer(batch, &mut records);
        }
        self.forget_parked();
    }

    fn forget_parked(&self) {
        self.subscriptions()
            .retain(|subscription| subscription.ring().parked.is_none_or(|since| since.elapsed() < PARKED));
    }

    fn subscriptions(&self) -> MutexGuard<'_, Vec<Arc<Subscription>>> {
        self.subscriptions.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Subscription {
    /// Keeps what matches; of a huge batch only what the ring can hold is converted at all.
    fn offer(&self, batch: &LogBatch, records: &mut [Option<Arc<LogRecord>>]) {
        let resources: Vec<bool> = (0..batch.context.resources.len() as u32)
            .map(|at| self.wish.wants_service(&batch.context.service(at)))
            .collect();
        let rows: Vec<usize> = (0..batch.len())
            .filter(|&row| resources[batch.resource[row] as usize] && self.wish.wants_row(batch, row))
            .collect();
        if rows.is_empty() {
            return;
        }
        let passed = rows.len().saturating_sub(RING);
        let mut ring = self.ring();
        if passed > 0 {
            ring.records.clear();
            ring.next += passed as u64;
        }
        for &row in &rows[passed..] {
            let record = records[row].get_or_insert_with(|| Arc::new(record(batch, row)));
            ring.push(Arc::clone(record));
        }
        drop(ring);
        self.news.notify_one();
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Ring {
    fn push(&mut self, record: Arc<LogRecord>) {
        if self.records.len() == RING {
            self.records.pop_front();
        }
        self.records.push_back(record);
        self.next += 1;
    }
}

impl LogWish {
    fn wants_service(&self, service: &ServiceKey) -> bool {
        match &self.service {
            None => true,
            Some(ServiceMatch::Name(name)) => service.name == *name,
            Some(ServiceMatch::Key(key)) => service == key,
        }
    }

    fn wants_row(&self, batch: &LogBatch, row: usize) -> bool {
        let body = || batch.body[row].to_text(&batch.context.strings).to_lowercase();
        self.min_severity.is_none_or(|least| batch.severity_number[row] >= least.lowest_number())
            && self.trace_id.is_none_or(|trace| batch.trace_id[row] == trace)
            && self.attributes.iter().all(|filter| holds(filter, batch, row))
            && self.text.as_ref().is_none_or(|text| body().contains(text))
    }
}

/// As the store filters: the record's own attribute under any spelling or, where it has none, the resource's.
fn holds(filter: &AttributeFilter, batch: &LogBatch, row: usize) -> bool {
    let strings = &batch.context.strings;
    let resource = batch.resource[row] as usize;
    let matches = |attributes: &orrery_model::Attributes, row: usize| {
        let mut values = semconv::spellings(&filter.key)
            .filter_map(|key| attributes.row(row).find(|(name, _)| strings.get(*name) == key))
            .map(|(_, value)| value.to_text(strings) == filter.value)
            .peekable();
        values.peek().is_some().then(|| values.any(|matches| matches))
    };
    let own = matches(&batch.attributes, row).or_else(|| matches(&batch.context.resource_attributes, resource));
    own.unwrap_or(false) != filter.negated
}

/// The one who reads a subscription. Dropping it ends the subscription, or parks it if it may be resumed.
#[derive(Debug)]
pub(crate) struct Reader {
    bus: Arc<Bus>,
    subscription: Arc<Subscription>,
    next: u64,
    park: bool,
}

impl Reader {
    /// Keeps the subscription for a minute after the reader has gone.
    pub(crate) fn resumable(mut self) -> Reader {
        self.park = true;
        self
    }

    /// For [`Bus::resume`].
    pub(crate) fn id(&self) -> u64 {
        self.subscription.id
    }

    /// Waits until there is something new and returns all of it. Cancel-safe.
    pub(crate) async fn news(&mut self) -> News {
        loop {
            let news = self.take();
            if news.skipped > 0 || !news.records.is_empty() {
                return news;
            }
            self.subscription.news.notified().await;
        }
    }

    fn take(&mut self) -> News {
        let ring = self.subscription.ring();
        let oldest = ring.next - ring.records.len() as u64;
        let from = self.next.max(oldest);
        let records = ring
            .records
            .iter()
            .skip((from - oldest) as usize)
            .zip(from..)
            .map(|(record, number)| (number, Arc::clone(record)));
        let news = News { skipped: from - self.next, records: records.collect() };
        self.next = ring.next;
        news
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.park {
            self.subscription.ring().parked = Some(Instant::now());
        } else {
            self.bus.subscriptions().retain(|subscription| subscription.id != self.subscription.id);
        }
    }
}

fn record(batch: &LogBatch, row: usize) -> LogRecord {
    let context = &batch.context;
    let strings = &context.strings;
    let value = |value: orrery_model::Value| {
        let mut json = String::new();
        value.to_json(strings, &mut json);
        serde_json::from_str(&json).unwrap_or(serde_json::Value::String(json))
    };
    let map = |attributes: &orrery_model::Attributes, row: usize| -> answer::AttributeMap {
        attributes.row(row).map(|(key, attribute)| (strings.get(key).to_owned(), value(attribute))).collect()
    };
    convert::log_record(answer::LogRow {
        time_unix_nano: batch.time_unix_nano[row],
        observed_time_unix_nano: batch.observed_time_unix_nano[row],
        severity_number: batch.severity_number[row],
        severity_text: strings.get(batch.severity_text[row]).to_owned(),
        event_name: strings.get(batch.event_name[row]).to_owned(),
        body: value(batch.body[row]),
        trace_id: batch.trace_id[row],
        span_id: batch.span_id[row],
        service: context.service(batch.resource[row]),
        attributes: map(&batch.attributes, row),
        resource: map(&context.resource_attributes, batch.resource[row] as usize),
        scope_name: strings.get(context.scopes[batch.scope[row] as usize].name).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use orrery_model::batch::Scope;
    use orrery_model::{Sym, TraceId, Value};

    /// A batch of records with these levels and bodies, all from service `cart`, with status 200, 201, ….
    fn batch(records: &[(u8, &str)]) -> LogBatch {
        let mut batch = LogBatch::default();
        for (key, value) in [("service.name", "cart"), ("deployment.environment", "production")] {
            let [key, value] = [key, value].map(|text| batch.context.strings.intern(text));
            batch.context.resource_attributes.push(key, Value::String(value));
        }
        batch.context.end_resource(Sym::EMPTY, 0);
        batch.context.end_scope(Scope::default());
        for (at, (severity, body)) in records.iter().enumerate() {
            let body = batch.context.strings.intern(body);
            batch.time_unix_nano.push(at as i64);
            batch.observed_time_unix_nano.push(at as i64);
            batch.severity_number.push(*severity);
            batch.severity_text.push(Sym::EMPTY);
            batch.event_name.push(Sym::EMPTY);
            batch.body.push(Value::String(body));
            batch.trace_id.push(TraceId::NONE);
            batch.span_id.push(Default::default());
            batch.flags.push(0);
            batch.resource.push(0);
            batch.scope.push(0);
            let status = batch.context.strings.intern("http.status_code");
            batch.attributes.push(status, Value::Int(200 + at as i64));
            batch.attributes.end_row();
            batch.dropped_attributes_count.push(0);
        }
        batch
    }

    fn bodies(news: &News) -> Vec<&str> {
        news.records.iter().filter_map(|(_, record)| record.body.as_str()).collect()
    }

    #[tokio::test]
    async fn a_reader_gets_what_it_wished_for() {
        let bus = Arc::new(Bus::default());
        assert!(!bus.is_wanted());
        let wish = LogWish {
            service: Some(ServiceMatch::Name("cart".into())),
            min_severity: Some(Severity::Warn),
            text: Some("card".into()),
            ..LogWish::default()
        };
        let mut reader = bus.subscribe(wish).unwrap();
        let mut other = bus
            .subscribe(LogWish { service: Some(ServiceMatch::Name("orders".into())), ..Default::default() })
            .unwrap();
        bus.publish(&batch(&[(9, "Card taken"), (13, "Card declined"), (17, "disk"), (17, "no card")]));
        assert_eq!(bodies(&reader.news().await), ["Card declined", "no card"]);
        assert!(other.take().records.is_empty());
        drop((reader, other));
        assert!(!bus.is_wanted());
    }

    #[tokio::test]
    async fn attributes_are_filtered_as_the_store_does() {
        let bus = Arc::new(Bus::default());
        let records = batch(&[(9, "a"), (9, "b")]);
        for (key, value, negated, expected) in [
            ("http.response.status_code", "201", false, vec!["b"]),
            ("http.status_code", "201", true, vec!["a"]),
            ("deployment.environment.name", "production", false, vec!["a", "b"]),
            ("deployment.environment.name", "staging", false, vec![]),
            ("service.name", "cart", true, vec![]),
            ("missing", "", true, vec!["a", "b"]),
        ] {
            let filter = AttributeFilter { key: key.into(), value: value.into(), negated };
            let mut reader = bus.subscribe(LogWish { attributes: vec![filter], ..LogWish::default() }).unwrap();
            bus.publish(&records);
            assert_eq!(bodies(&reader.take()), expected, "{key} {value} {negated}");
        }
    }

    #[tokio::test]
    async fn a_slow_reader_learns_exactly_how_much_it_missed() {
        let bus = Arc::new(Bus::default());
        let mut reader = bus.subscribe(LogWish::default()).unwrap();
        let many: Vec<(u8, &str)> = vec![(9, "x"); 700];
        bus.publish(&batch(&many));
        bus.publish(&batch(&many));
        let news = reader.news().await;
        assert_eq!((news.skipped, news.records.len()), (400, RING));
        assert_eq!(news.records[0].0, 400);
        let flood: Vec<(u8, &str)> = vec![(9, "y"); 2500];
        bus.publish(&batch(&flood));
        let news = reader.news().await;
        assert_eq!((news.skipped, news.records.len()), (1500, RING));
    }

    #[tokio::test]
    async fn a_reader_who_comes_back_misses_nothing() {
        let bus = Arc::new(Bus::default());
        let mut reader = bus.subscribe(LogWish::default()).unwrap().resumable();
        bus.publish(&batch(&[(9, "one"), (9, "two")]));
        let id = reader.id();
        assert_eq!(bodies(&reader.news().await), ["one", "two"]);
        drop(reader);
        bus.publish(&batch(&[(9, "three")]));
        let mut reader = bus.resume(id, 1, &LogWish::default()).unwrap();
        assert_eq!(bodies(&reader.news().await), ["two", "three"], "from where the client says it was");
        assert!(bus.resume(id, 1, &LogWish::default()).is_none(), "one reader at a time");
    }
}
