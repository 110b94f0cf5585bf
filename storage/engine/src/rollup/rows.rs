//! Rollup rows in memory: what the observer emits, what a live slice holds, what a sealed slice stores.

use super::latency::{Cells, whole};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use orrery_model::{SpanId, Strings, Sym, TraceId};
use orrery_query::answer::{EdgeKind, NodeKind};
use serde::{Deserialize, Serialize};
use std::hash::{BuildHasher, Hash};

/// Length of a bucket of time.
pub const BUCKET_NANOS: i64 = 10_000_000_000;

/// Start of the bucket of an instant, Unix nanoseconds.
pub fn bucket_start(time_unix_nano: i64) -> i64 {
    time_unix_nano.div_euclid(BUCKET_NANOS).saturating_mul(BUCKET_NANOS)
}

/// Spans of one operation of one service in one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OperationKey {
    /// Start of the bucket, Unix nanoseconds.
    pub time: i64,
    /// Service key in text form.
    #[serde(with = "sym")]
    pub service: Sym,
    /// Span name; `(other)` beyond the bound per service.
    #[serde(with = "sym")]
    pub operation: Sym,
    /// OTLP span kind.
    pub kind: u8,
    /// Whether the spans have no parent.
    pub root: bool,
}

/// How a span counts for its service as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Part {
    /// Server or consumer span: work asked of the service.
    Entry = 1,
    /// Any other root span of a client kind, or of a browser: work begun for a person or program outside.
    Begin = 2,
    /// Internal root span: work the service began by itself.
    Job = 3,
    /// Any other span: only shows that the instance lives. Has no cells.
    Inner = 0,
}

impl Part {
    /// The part of a number, as stored; unknown numbers are `Inner`.
    pub fn from_number(number: u8) -> Part {
        match number {
            1 => Part::Entry,
            2 => Part::Begin,
            3 => Part::Job,
            _ => Part::Inner,
        }
    }
}

/// Spans of one instance of one service in one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InstanceKey {
    /// Start of the bucket, Unix nanoseconds.
    pub time: i64,
    /// Service key in text form.
    #[serde(with = "sym")]
    pub service: Sym,
    /// `service.version`, or empty.
    #[serde(with = "sym")]
    pub version: Sym,
    /// Instance, or empty.
    #[serde(with = "sym")]
    pub instance: Sym,
    /// What the spans are to the service.
    pub part: Part,
}

/// See [`InstanceKey`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceRow {
    /// Earliest span start, Unix nanoseconds.
    pub first_unix_nano: i64,
    /// Latest span end, Unix nanoseconds.
    pub last_unix_nano: i64,
    /// Durations.
    pub cells: Cells,
}

impl Default for InstanceRow {
    fn default() -> Self {
        InstanceRow { first_unix_nano: i64::MAX, last_unix_nano: i64::MIN, cells: Cells::default() }
    }
}

/// A node of the map. Services are all [`NodeKind::Service`] here; what kind of service is decided when asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NodeRef {
    /// What it is.
    pub kind: NodeKind,
    /// Node id: service key in text form, or `kind:identity`.
    #[serde(with = "sym")]
    pub id: Sym,
}

/// Calls along one edge in one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EdgeKey {
    /// Start of the bucket, Unix nanoseconds.
    pub time: i64,
    /// Who calls, publishes, or is the queue.
    pub caller: NodeRef,
    /// Who is called, is the queue, or consumes.
    pub callee: NodeRef,
    /// What flows.
    pub kind: EdgeKind,
    /// Consumer group of consume edges, or empty.
    #[serde(with = "sym")]
    pub group: Sym,
}

/// See [`EdgeKey`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EdgeRow {
    /// As the caller saw it; as the callee saw it where the caller sent nothing.
    pub caller: Cells,
    /// As the callee saw it; empty for inferred callees.
    pub callee: Cells,
    /// Failures seen by the caller that are an inferred callee's fault (not 4xx).
    pub blamed: f64,
    /// Client minus server duration of matched calls.
    pub network: Cells,
    /// Matched calls whose server took longer than the client: streaming, abandoned or concurrent; not in `network`.
    pub network_negative: f64,
    /// Consumer start minus producer end.
    pub lag: Cells,
    /// Messages consumed before their producer ended: clock skew or early sends; not in `lag`.
    pub lag_negative: f64,
}

impl EdgeRow {
    /// Failures by the callee's own account, or blamed on an inferred callee.
    pub fn callee_errors(&self) -> f64 {
        whole(self.callee.errors() + self.blamed)
    }
}

/// Failures of one service that look alike, in one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ErrorKey {
    /// Start of the bucket, Unix nanoseconds.
    pub time: i64,
    /// Service key in text form.
    #[serde(with = "sym")]
    pub service: Sym,
    /// `error.type`, exception type or status code.
    #[serde(with = "sym")]
    pub error_type: Sym,
    /// Message with numbers and ids as `#`.
    #[serde(with = "sym")]
    pub message: Sym,
    /// Span name.
    #[serde(with = "sym")]
    pub operation: Sym,
}

/// See [`ErrorKey`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ErrorRow {
    /// Failed spans, not weighted.
    pub count: u64,
    /// End of the newest, Unix nanoseconds.
    pub last_unix_nano: i64,
    /// Its trace, big-endian.
    pub trace_id: u128,
    /// Its id.
    pub span_id: u64,
}

impl ErrorRow {
    /// Trace of the newest.
    pub fn trace_id(&self) -> TraceId {
        TraceId(self.trace_id.to_be_bytes())
    }

    /// The newest failing span.
    pub fn span_id(&self) -> SpanId {
        SpanId(self.span_id)
    }
}

/// Values that add up.
pub trait Additive: Default + Clone {
    /// Adds another.
    fn merge(&mut self, other: &Self);
    /// About how many bytes it holds on the heap.
    fn heap_bytes(&self) -> usize;
}

impl Additive for Cells {
    fn merge(&mut self, other: &Self) {
        Cells::merge(self, other);
    }

    fn heap_bytes(&self) -> usize {
        self.iter().len() * size_of::<super::latency::Cell>()
    }
}

impl Additive for InstanceRow {
    fn merge(&mut self, other: &Self) {
        self.first_unix_nano = self.first_unix_nano.min(other.first_unix_nano);
        self.last_unix_nano = self.last_unix_nano.max(other.last_unix_nano);
        self.cells.merge(&other.cells);
    }

    fn heap_bytes(&self) -> usize {
        self.cells.heap_bytes()
    }
}

impl Additive for EdgeRow {
    fn merge(&mut self, other: &Self) {
        self.caller.merge(&other.caller);
        self.callee.merge(&other.callee);
        self.network.merge(&other.network);
        self.lag.merge(&other.lag);
        self.blamed += other.blamed;
        self.network_negative += other.network_negative;
        self.lag_negative += other.lag_negative;
    }

    fn heap_bytes(&self) -> usize {
        [&self.caller, &self.callee, &self.network, &self.lag].map(Additive::heap_bytes).iter().sum()
    }
}

impl Additive for ErrorRow {
    fn merge(&mut self, other: &Self) {
        if (other.last_unix_nano, other.trace_id, other.span_id) > (self.last_unix_nano, self.trace_id, self.span_id) {
            (self.last_unix_nano, self.trace_id, self.span_id) = (other.last_unix_nano, other.trace_id, other.span_id);
        }
        self.count += other.count;
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

/// Rows by key, in order of first appearance.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Vec<(K, V)>", into = "Vec<(K, V)>", bound(serialize = "K: Clone + Serialize, V: Clone + Serialize"))]
#[serde(bound(deserialize = "K: Hash + Eq + Deserialize<'de>, V: Deserialize<'de>"))]
pub struct Table<K, V> {
    rows: Vec<(K, V)>,
    index: HashTable<u32>,
    hasher: FixedState,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Table { rows: Vec::new(), index: HashTable::new(), hasher: FixedState::default() }
    }
}

impl<K: Hash + Eq, V> From<Vec<(K, V)>> for Table<K, V> {
    fn from(rows: Vec<(K, V)>) -> Self {
        let mut table = Table { rows, index: HashTable::new(), hasher: FixedState::default() };
        let (rows, hasher) = (&table.rows, &table.hasher);
        for (at, (key, _)) in rows.iter().enumerate() {
            table.index.insert_unique(hasher.hash_one(key), at as u32, |&at| hasher.hash_one(&rows[at as usize].0));
        }
        table
    }
}

impl<K, V> From<Table<K, V>> for Vec<(K, V)> {
    fn from(table: Table<K, V>) -> Self {
        table.rows
    }
}

impl<K: Hash + Eq, V: Default> Table<K, V> {
    /// Where the row of `key` is, new if there was none; `None` if that would be row number `limit`.
    fn place(&mut self, key: K, limit: usize) -> Option<usize> {
        let hash = self.hasher.hash_one(&key);
        if let Some(&at) = self.index.find(hash, |&at| self.rows[at as usize].0 == key) {
            return Some(at as usize);
        }
        if self.rows.len() >= limit {
            return None;
        }
        let at = self.rows.len();
        self.rows.push((key, V::default()));
        let (rows, hasher) = (&self.rows, &self.hasher);
        self.index.insert_unique(hash, at as u32, |&at| hasher.hash_one(&rows[at as usize].0));
        Some(at)
    }

    /// The rows, in order of first appearance.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &(K, V)> {
        self.rows.iter()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Rollup rows of a slice of arrivals: additive, mergeable in any order, bounded.
///
/// Symbols in keys belong to `names`. Times of rows are those of the spans, not of their arrival: a slice may hold
/// rows of any time, and negative rows that correct those of an earlier slice.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RollupRows {
    /// Text of the keys.
    #[serde(with = "names")]
    pub names: Strings,
    /// By operation.
    pub operations: Table<OperationKey, Cells>,
    /// By instance.
    pub instances: Table<InstanceKey, InstanceRow>,
    /// By edge.
    pub edges: Table<EdgeKey, EdgeRow>,
    /// By kind of failure.
    pub errors: Table<ErrorKey, ErrorRow>,
    /// The slice the rows belong to, under which they will be persisted. A store that has persisted them already
    /// does not count them a second time.
    pub slice: Option<u64>,
    /// Most rows per table.
    limit: usize,
    /// Additions dropped because a table was full.
    pub dropped: u64,
}

/// Rows per table that a slice may hold, unless said otherwise.
pub const DEFAULT_ROW_LIMIT: usize = 500_000;

impl Default for RollupRows {
    fn default() -> Self {
        RollupRows::with_limit(DEFAULT_ROW_LIMIT)
    }
}

impl RollupRows {
    /// Empty, for at most `limit` rows per table. Additions to further rows are dropped and counted.
    pub fn with_limit(limit: usize) -> RollupRows {
        RollupRows {
            names: Strings::default(),
            operations: Table::default(),
            instances: Table::default(),
            edges: Table::default(),
            errors: Table::default(),
            slice: None,
            limit,
            dropped: 0,
        }
    }

    /// Empty, for the slice `id`.
    pub fn of_slice(id: u64) -> RollupRows {
        RollupRows { slice: Some(id), ..RollupRows::default() }
    }

    /// The cells of an operation.
    pub fn operation(&mut self, key: OperationKey) -> Option<&mut Cells> {
        let at = self.operations.place(key, self.limit);
        self.dropped += u64::from(at.is_none());
        Some(&mut self.operations.rows[at?].1)
    }

    /// The row of an instance.
    pub fn instance(&mut self, key: InstanceKey) -> Option<&mut InstanceRow> {
        let at = self.instances.place(key, self.limit);
        self.dropped += u64::from(at.is_none());
        Some(&mut self.instances.rows[at?].1)
    }

    /// The row of an edge.
    pub fn edge(&mut self, key: EdgeKey) -> Option<&mut EdgeRow> {
        let at = self.edges.place(key, self.limit);
        self.dropped += u64::from(at.is_none());
        Some(&mut self.edges.rows[at?].1)
    }

    /// The row of an error group.
    pub fn error(&mut self, key: ErrorKey) -> Option<&mut ErrorRow> {
        let at = self.errors.place(key, self.limit);
        self.dropped += u64::from(at.is_none());
        Some(&mut self.errors.rows[at?].1)
    }

    /// Starts of buckets, some of them many times.
    pub fn all_times(&self) -> impl Iterator<Item = i64> {
        let operations = self.operations.iter().map(|(key, _)| key.time);
        let instances = self.instances.iter().map(|(key, _)| key.time);
        let edges = self.edges.iter().map(|(key, _)| key.time);
        operations.chain(instances).chain(edges).chain(self.errors.iter().map(|(key, _)| key.time))
    }

    /// Starts of the oldest and of the newest bucket.
    pub fn times(&self) -> Option<(i64, i64)> {
        self.all_times().map(|time| (time, time)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// Adds all rows of another.
    pub fn merge(&mut self, other: &RollupRows) {
        self.merge_at(other, Some);
    }

    /// Adds the rows of another under another time, or not at all where `time` is `None`.
    pub fn merge_at(&mut self, other: &RollupRows, time: impl Fn(i64) -> Option<i64>) {
        let to: Vec<Sym> = other.names.iter().map(|text| self.names.intern(text)).collect();
        let map = |sym: Sym| to[sym.0 as usize];
        let node = |node: NodeRef| NodeRef { id: map(node.id), ..node };
        for (key, cells) in other.operations.iter() {
            let Some(time) = time(key.time) else { continue };
            let key = OperationKey { time, service: map(key.service), operation: map(key.operation), ..*key };
            self.operation(key).into_iter().for_each(|own| own.merge(cells));
        }
        for (key, row) in other.instances.iter() {
            let Some(time) = time(key.time) else { continue };
            let (service, version, instance) = (map(key.service), map(key.version), map(key.instance));
            let key = InstanceKey { time, service, version, instance, ..*key };
            self.instance(key).into_iter().for_each(|own| own.merge(row));
        }
        for (key, row) in other.edges.iter() {
            let Some(time) = time(key.time) else { continue };
            let (caller, callee) = (node(key.caller), node(key.callee));
            let key = EdgeKey { time, caller, callee, group: map(key.group), ..*key };
            self.edge(key).into_iter().for_each(|own| own.merge(row));
        }
        for (key, row) in other.errors.iter() {
            let Some(time) = time(key.time) else { continue };
            let (service, error_type) = (map(key.service), map(key.error_type));
            let (message, operation) = (map(key.message), map(key.operation));
            let key = ErrorKey { time, service, error_type, message, operation };
            self.error(key).into_iter().for_each(|own| own.merge(row));
        }
        self.dropped += other.dropped;
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of rows over all tables.
    pub fn len(&self) -> usize {
        self.operations.len() + self.instances.len() + self.edges.len() + self.errors.len()
    }

    /// About how many bytes of memory are held.
    pub fn bytes(&self) -> usize {
        fn table<K, V: Additive>(table: &Table<K, V>) -> usize {
            let heap: usize = table.rows.iter().map(|(_, row)| row.heap_bytes()).sum();
            table.rows.capacity() * size_of::<(K, V)>() + table.index.capacity() * 5 + heap
        }
        let tables = table(&self.operations) + table(&self.instances) + table(&self.edges) + table(&self.errors);
        tables + self.names.text_bytes() + self.names.len() * 10
    }
}

/// Symbols serialise as their number.
mod sym {
    use orrery_model::Sym;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(sym: &Sym, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u32(sym.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Sym, D::Error> {
        u32::deserialize(from).map(Sym)
    }
}

/// Names serialise as a list in symbol order.
mod names {
    use orrery_model::Strings;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(names: &Strings, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(names.iter())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Strings, D::Error> {
        let mut names = Strings::default();
        for text in Vec::<String>::deserialize(from)? {
            names.intern(&text);
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(service: &str, nanos: i64, count: f64) -> RollupRows {
        let mut rows = RollupRows::default();
        let (service, queue) = (rows.names.intern(service), rows.names.intern("queue:kafka/orders"));
        let key = OperationKey { time: 0, service, operation: service, kind: 2, root: true };
        rows.operation(key).unwrap().record(nanos, false, count);
        let (caller, callee) =
            (NodeRef { kind: NodeKind::Service, id: service }, NodeRef { kind: NodeKind::Queue, id: queue });
        let key = EdgeKey { time: 0, caller, callee, kind: EdgeKind::Publish, group: Sym::EMPTY };
        rows.edge(key).unwrap().caller.record(nanos, true, count);
        rows
    }

    #[test]
    fn merging_adds_by_name_not_by_symbol() {
        let mut all = rows("a", 5, 1.0);
        all.merge(&rows("b", 5, 1.0));
        all.merge(&rows("b", 5, 2.0));
        assert_eq!((all.operations.len(), all.edges.len()), (2, 2));
        let b = all.names.find("b").unwrap();
        let (_, cells) = all.operations.iter().find(|(key, _)| key.service == b).unwrap();
        assert_eq!(cells.count(), 3.0);
    }

    #[test]
    fn rows_survive_serialisation() {
        let rows = rows("a", 5, 1.5);
        let mut back: RollupRows = serde_json::from_str(&serde_json::to_string(&rows).unwrap()).unwrap();
        back.merge(&rows);
        assert_eq!(back.len(), rows.len());
        assert_eq!(back.edges.iter().next().unwrap().1.caller.errors(), 3.0);
    }

    #[test]
    fn a_full_table_drops_and_counts() {
        let mut all = RollupRows::with_limit(1);
        all.merge(&rows("a", 5, 1.0));
        all.merge(&rows("b", 5, 1.0));
        assert_eq!((all.operations.len(), all.dropped), (1, 2));
    }
}
