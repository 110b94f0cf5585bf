//! What the rules for edges need to know about one span, read off its columns and attributes.

use super::identity::{self, Target};
use orrery_model::{SpanBatch, SpanKind, StatusCode, Strings, Sym, Value, semconv};
use std::borrow::Cow;

/// Attributes the rules read. Old and new spellings are one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Field {
    HttpStatus,
    UrlFull,
    ServerAddress,
    ServerPort,
    PeerAddress,
    PeerPort,
    RpcSystem,
    RpcStatus,
    DbSystem,
    DbNamespace,
    MessagingSystem,
    Destination,
    DestinationTemplate,
    DestinationTemporary,
    DestinationAnonymous,
    OperationType,
    OperationName,
    ConsumerGroup,
    BatchCount,
    PeerService,
    ErrorType,
    FunctionName,
    FunctionProvider,
    ModelProvider,
    ModelName,
}

const FIELDS: usize = Field::ModelName as usize + 1;

/// Canonical name of each field, and spellings that mean it only on the calling side.
const NAMES: [(Field, &str, &[&str]); FIELDS] = [
    (Field::HttpStatus, "http.response.status_code", &[]),
    (Field::UrlFull, "url.full", &[]),
    (Field::ServerAddress, "server.address", &["net.peer.name", "http.host"]),
    (Field::ServerPort, "server.port", &["net.peer.port"]),
    (Field::PeerAddress, "network.peer.address", &["server.socket.address"]),
    (Field::PeerPort, "network.peer.port", &["server.socket.port"]),
    (Field::RpcSystem, "rpc.system.name", &[]),
    (Field::RpcStatus, "rpc.status_code", &[]),
    (Field::DbSystem, "db.system.name", &[]),
    (Field::DbNamespace, "db.namespace", &[]),
    (Field::MessagingSystem, "messaging.system", &[]),
    (Field::Destination, "messaging.destination.name", &[]),
    (Field::DestinationTemplate, "messaging.destination.template", &[]),
    (Field::DestinationTemporary, "messaging.destination.temporary", &[]),
    (Field::DestinationAnonymous, "messaging.destination.anonymous", &[]),
    (Field::OperationType, "messaging.operation.type", &[]),
    (Field::OperationName, "messaging.operation.name", &[]),
    (Field::ConsumerGroup, "messaging.consumer.group.name", &[]),
    (Field::BatchCount, "messaging.batch.message_count", &[]),
    (Field::PeerService, "service.peer.name", &[]),
    (Field::ErrorType, "error.type", &[]),
    (Field::FunctionName, "faas.invoked_name", &[]),
    (Field::FunctionProvider, "faas.invoked_provider", &[]),
    (Field::ModelProvider, "gen_ai.provider.name", &[]),
    (Field::ModelName, "gen_ai.request.model", &[]),
];

/// All spellings of all fields; of two on one span, the lower rank wins.
#[derive(Debug)]
pub(super) struct Spellings(Vec<(&'static str, Field, u8)>);

impl Default for Spellings {
    fn default() -> Self {
        let mut all = Vec::new();
        for (field, canonical, more) in NAMES {
            let spellings = semconv::spellings(canonical).chain(more.iter().copied());
            all.extend(spellings.enumerate().map(|(rank, name)| (name, field, rank as u8)));
        }
        Spellings(all)
    }
}

/// The fields of one span. Made once per batch, filled span by span.
pub(super) struct Fields<'a> {
    strings: &'a Strings,
    /// By symbol: field and rank, if the symbol is a spelling of a field.
    by_symbol: Vec<Option<(Field, u8)>>,
    values: [Value; FIELDS],
    ranks: [u8; FIELDS],
}

impl<'a> Fields<'a> {
    /// Looks the spellings up in the strings of a batch.
    pub(super) fn new(strings: &'a Strings, spellings: &Spellings) -> Fields<'a> {
        let mut by_symbol = vec![None; strings.len()];
        for &(name, field, rank) in &spellings.0 {
            if let Some(sym) = strings.find(name) {
                by_symbol[sym.0 as usize] = Some((field, rank));
            }
        }
        Fields { strings, by_symbol, values: [Value::Empty; FIELDS], ranks: [u8::MAX; FIELDS] }
    }

    /// Reads the fields of a span.
    pub(super) fn fill(&mut self, attributes: impl Iterator<Item = (Sym, Value)>) {
        self.values = [Value::Empty; FIELDS];
        self.ranks = [u8::MAX; FIELDS];
        for (key, value) in attributes {
            if let Some((field, rank)) = self.by_symbol[key.0 as usize] {
                let at = field as usize;
                if rank < self.ranks[at] && !self.is_blank(value) {
                    (self.values[at], self.ranks[at]) = (value, rank);
                }
            }
        }
    }

    fn is_blank(&self, value: Value) -> bool {
        matches!(value, Value::Empty | Value::String(Sym::EMPTY))
    }

    /// Whether the span has the field.
    pub(super) fn has(&self, field: Field) -> bool {
        self.ranks[field as usize] != u8::MAX
    }

    /// The field as text.
    pub(super) fn text(&self, field: Field) -> Option<Cow<'a, str>> {
        match self.values[field as usize] {
            Value::Empty => None,
            Value::String(sym) => Some(Cow::Borrowed(self.strings.get(sym))),
            other => Some(Cow::Owned(other.to_text(self.strings))),
        }
    }

    /// The field as a number, sent as one or as text.
    pub(super) fn number(&self, field: Field) -> Option<i64> {
        match self.values[field as usize] {
            Value::Int(number) => Some(number),
            Value::Double(number) => Some(number as i64),
            Value::String(sym) => self.strings.get(sym).parse().ok(),
            _ => None,
        }
    }

    /// Whether the field is true.
    pub(super) fn is_true(&self, field: Field) -> bool {
        matches!(self.values[field as usize], Value::Bool(true))
    }

    /// The values that tell what is called, for remembering what they came to. Two spans of one batch with the same
    /// fingerprint and role have the same target.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        IDENTIFYING.map(|field| match self.values[field as usize] {
            Value::Empty => (0, 0),
            Value::Bool(value) => (1, u64::from(value)),
            Value::String(sym) => (2, u64::from(sym.0)),
            Value::Bytes(sym) => (3, u64::from(sym.0)),
            Value::Json(sym) => (4, u64::from(sym.0)),
            Value::Int(value) => (5, value as u64),
            Value::Double(value) => (6, value.to_bits()),
        })
    }
}

/// See [`Fields::fingerprint`].
pub(super) type Fingerprint = [(u8, u64); IDENTIFYING.len()];

const IDENTIFYING: [Field; 16] = [
    Field::PeerService,
    Field::ServerAddress,
    Field::ServerPort,
    Field::UrlFull,
    Field::PeerAddress,
    Field::PeerPort,
    Field::DbSystem,
    Field::DbNamespace,
    Field::MessagingSystem,
    Field::Destination,
    Field::DestinationTemplate,
    Field::DestinationTemporary,
    Field::DestinationAnonymous,
    Field::FunctionName,
    Field::ModelProvider,
    Field::ModelName,
];

/// What a span does for the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Client span: asks another service, database, host.
    Call,
    /// Hands messages to a queue.
    Publish,
    /// Makes a message that another span will send: links point here, but nothing flows yet.
    Create,
    /// Takes messages from a queue.
    Consume,
    /// Server span: is asked.
    Entry,
    /// Anything inside a service.
    Inner,
    /// Messaging that moves nothing: settling, or receiving no message.
    Quiet,
}

impl Role {
    /// Whether other spans' edges may begin at a span of this role.
    pub(super) fn is_call(self) -> bool {
        matches!(self, Role::Call | Role::Publish)
    }

    /// Whether messages come from here.
    pub(super) fn is_source(self) -> bool {
        matches!(self, Role::Publish | Role::Create)
    }
}

/// The role of a span.
pub(super) fn role(kind: SpanKind, fields: &Fields) -> Role {
    if !fields.has(Field::MessagingSystem) {
        return match kind {
            SpanKind::Client => Role::Call,
            SpanKind::Producer => Role::Publish,
            SpanKind::Consumer => Role::Consume,
            SpanKind::Server => Role::Entry,
            SpanKind::Internal | SpanKind::Unspecified => Role::Inner,
        };
    }
    let operation = fields.text(Field::OperationType).or_else(|| fields.text(Field::OperationName));
    let nothing = fields.number(Field::BatchCount) == Some(0);
    match (kind, operation.as_deref().unwrap_or_default()) {
        (SpanKind::Server, _) => Role::Entry,
        (SpanKind::Internal | SpanKind::Unspecified, _) => Role::Inner,
        (_, "settle" | "ack" | "nack" | "commit") => Role::Quiet,
        (_, "create") => Role::Create,
        (SpanKind::Consumer, _) if nothing => Role::Quiet,
        (SpanKind::Consumer, _) => Role::Consume,
        (SpanKind::Client, "receive" | "poll" | "process" | "deliver") if nothing => Role::Quiet,
        (SpanKind::Client, "receive" | "poll" | "process" | "deliver") => Role::Consume,
        (SpanKind::Producer, _) | (SpanKind::Client, "send" | "publish") => Role::Publish,
        (SpanKind::Client, _) if fields.has(Field::Destination) => Role::Publish,
        (SpanKind::Client, _) => Role::Quiet,
    }
}

/// gRPC codes that are the server's fault, by number and name. Source: semantic conventions, gRPC span status.
const SERVER_FAULTS: [(i64, &str); 6] = [
    (2, "UNKNOWN"),
    (4, "DEADLINE_EXCEEDED"),
    (12, "UNIMPLEMENTED"),
    (13, "INTERNAL"),
    (14, "UNAVAILABLE"),
    (15, "DATA_LOSS"),
];

/// How a call ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Status ERROR; else, unless said to be good, a server's HTTP 5xx or a gRPC code that is the server's fault.
    pub(super) failed: bool,
    /// HTTP 4xx or another gRPC code: the caller's own fault.
    pub(super) client_error: bool,
}

/// How a span ended.
pub(super) fn outcome(kind: SpanKind, status: StatusCode, fields: &Fields) -> Outcome {
    let http = fields.number(Field::HttpStatus).unwrap_or(0);
    let rpc = rpc_fault(fields);
    let client_error = (400..500).contains(&http) || rpc == Some(false);
    let server_fault = (kind == SpanKind::Server && http >= 500) || rpc == Some(true);
    let failed = status == StatusCode::Error || (status == StatusCode::Unset && server_fault);
    Outcome { failed, client_error }
}

/// Whether an RPC ended with a code that is the server's fault; `None` for success, no RPC and codes of other systems.
fn rpc_fault(fields: &Fields) -> Option<bool> {
    if !fields.has(Field::RpcStatus) {
        return None;
    }
    let code = fields.text(Field::RpcStatus)?.to_uppercase();
    let number = fields.number(Field::RpcStatus);
    let is_grpc =
        fields.text(Field::RpcSystem).is_none_or(|system| matches!(&*system, "grpc" | "connectrpc" | "connect_rpc"));
    if !is_grpc || number == Some(0) || code == "OK" {
        return None;
    }
    Some(SERVER_FAULTS.iter().any(|(n, name)| number == Some(*n) || code == *name))
}

/// How many messages a messaging span moved: what it says, else its links, else one.
pub(super) fn messages(fields: &Fields, links: usize) -> u32 {
    let said = fields.number(Field::BatchCount).and_then(|count| u32::try_from(count).ok()).filter(|&count| count > 0);
    said.unwrap_or(links.max(1) as u32)
}

/// What a span calls, publishes to or consumes from, by its own attributes.
pub(super) fn target(role: Role, fields: &Fields) -> Option<Target> {
    match role {
        Role::Publish | Role::Create | Role::Consume => identity::queue(fields),
        Role::Call => identity::callee(fields),
        Role::Entry | Role::Inner | Role::Quiet => None,
    }
}

/// How many spans a kept span stands for: 1, or more where a sampler noted in `ot=th:` how many it rejected.
///
/// Source: OpenTelemetry probability sampling, `th` is the rejection threshold as up to 14 hexadecimal digits.
pub(crate) fn weight(trace_state: &str) -> f64 {
    let member = trace_state.split(',').find_map(|member| member.trim().strip_prefix("ot="));
    let threshold = member.and_then(|value| value.split(';').find_map(|part| part.strip_prefix("th:")));
    let digits = threshold.filter(|digits| (1..=14).contains(&digits.len()));
    let Some(rejected) =
        digits.and_then(|digits| u64::from_str_radix(digits, 16).ok().map(|n| n << (4 * (14 - digits.len()))))
    else {
        return 1.0;
    };
    let all = (1u64 << 56) as f64;
    all / (all - rejected as f64)
}

/// The newest exception among a span's events: type and message.
pub(super) fn exception(batch: &SpanBatch, span: usize) -> Option<(String, String)> {
    let strings = &batch.context.strings;
    let event = batch.event_range(span).rev().find(|&event| {
        let name = strings.get(batch.events.name[event]);
        name == "exception" || name.ends_with(".exception")
    })?;
    let text = |key: &str| {
        let value = strings.find(key).and_then(|key| batch.events.attributes.get(event, key));
        value.map(|value| value.to_text(strings)).unwrap_or_default()
    };
    Some((text("exception.type"), text("exception.message")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_tells_how_many_a_span_stands_for() {
        assert_eq!(weight(""), 1.0);
        assert_eq!(weight("ot=th:8"), 2.0);
        assert_eq!(weight("vendor=x,ot=rv:abc;th:c"), 4.0);
        assert_eq!(weight("ot=th:0"), 1.0);
        assert_eq!(weight("ot=th:nonsense"), 1.0);
        assert_eq!(weight("ot=th:fffffffffffffff"), 1.0, "15 digits are no threshold");
    }

    fn outcome_of(kind: SpanKind, status: StatusCode, attributes: &[(&str, Value)]) -> (bool, bool) {
        let mut strings = Strings::default();
        let pairs: Vec<_> = attributes.iter().map(|(key, value)| (strings.intern(key), *value)).collect();
        let spellings = Spellings::default();
        let mut fields = Fields::new(&strings, &spellings);
        fields.fill(pairs.into_iter());
        let outcome = outcome(kind, status, &fields);
        (outcome.failed, outcome.client_error)
    }

    #[test]
    fn failure_follows_status_then_codes() {
        use SpanKind::{Client, Server};
        use StatusCode::{Error, Ok, Unset};
        let http = |code| [("http.response.status_code", Value::Int(code))];
        let old = |code| [("http.status_code", Value::Int(code))];
        let grpc = |code| [("rpc.system", Value::Empty), ("rpc.grpc.status_code", Value::Int(code))];
        assert_eq!(outcome_of(Server, Unset, &http(500)), (true, false));
        assert_eq!(outcome_of(Server, Unset, &old(503)), (true, false));
        assert_eq!(outcome_of(Server, Ok, &http(500)), (false, false), "the application has the last word");
        assert_eq!(outcome_of(Server, Unset, &http(404)), (false, true));
        assert_eq!(outcome_of(Client, Error, &http(404)), (true, true));
        assert_eq!(outcome_of(Client, Unset, &http(500)), (false, false));
        assert_eq!(outcome_of(Server, Unset, &grpc(14)), (true, false));
        assert_eq!(outcome_of(Server, Unset, &grpc(5)), (false, true));
        assert_eq!(outcome_of(Server, Unset, &grpc(0)), (false, false));
        assert_eq!(outcome_of(Server, Error, &[]), (true, false));
    }

    #[test]
    fn the_current_name_wins_over_the_old_one() {
        let codes = [("http.status_code", Value::Int(200)), ("http.response.status_code", Value::Int(500))];
        assert!(outcome_of(SpanKind::Server, StatusCode::Unset, &codes).0);
    }
}
