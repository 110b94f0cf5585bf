//! Bounds of the receiver. Every one is configuration with a sane default.

use serde::{Deserialize, Serialize};

/// Configuration of a [`crate::Receiver`]. Unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Sizes and counts of requests and items.
    pub limits: Limits,
    /// Sockets and times.
    pub connections: Connections,
    /// Browsers that may send.
    pub cors: Cors,
    /// Prefix of `/v1/traces` and its siblings, such as `/otlp`. Default: none.
    pub http_path_prefix: String,
    /// Longest wait for the sink to make a request durable, milliseconds; then the client is told to retry.
    /// Default 8000: clients give up after 10 s.
    pub append_timeout_millis: u64,
}

/// How much of what a request may hold.
///
/// Over a bound of the request: the request is refused for good (413, `RESOURCE_EXHAUSTED`). Over a bound of an item:
/// the item is kept, the surplus is dropped and counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of a request body as sent. Default 64 MiB.
    pub max_wire_bytes: usize,
    /// Bytes of a request body after decompression. Default 64 MiB.
    pub max_decompressed_bytes: usize,
    /// Spans, log records or data points of a request; resources and scopes are counted too. Default 250,000.
    pub max_items: usize,
    /// Memory of one decoded request, bytes. Default 256 MiB.
    pub max_decoded_bytes: usize,
    /// Memory of all requests being read, decoded and made durable, bytes. Over it clients are told to retry.
    /// Default 512 MiB.
    pub memory_budget_bytes: usize,
    /// Attributes of a span, event, link, log record, data point, resource or scope. Default 1024.
    pub max_attributes: usize,
    /// Bytes of an attribute value or status message; longer text is cut and ends in `…`. Default 64 KiB.
    pub max_value_bytes: usize,
    /// Bytes of a log body; longer text is cut and ends in `…`. Default 256 KiB.
    pub max_log_body_bytes: usize,
    /// Bytes of names, attribute keys, units and the like; longer text is cut. Default 4096.
    pub max_name_bytes: usize,
    /// Levels of arrays and maps in a value. A deeper item is rejected. Default 32.
    pub max_depth: usize,
    /// Events of a span. Default 1024.
    pub max_events: usize,
    /// Links of a span. Default 1024.
    pub max_links: usize,
    /// Exemplars of a data point. Default 256.
    pub max_exemplars: usize,
    /// Buckets or quantiles of a data point. A point with more is rejected. Default 4096.
    pub max_buckets: usize,
}

/// Sockets and times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connections {
    /// Open connections per listener. Default 8192.
    pub max_total: usize,
    /// Open connections per client address and listener. Default 2048: agents behind one NAT share an address.
    pub max_per_address: usize,
    /// Streams of an HTTP/2 connection that may be open at once. Default 256.
    pub max_streams: u32,
    /// Time for the head of a request to arrive, milliseconds. Default 10,000.
    pub header_timeout_millis: u64,
    /// Time a connection may stay without traffic and without a request, or its client may take nothing of an answer,
    /// milliseconds. HTTP/2 connections are kept
    /// alive by pings and so only close when the peer is gone. Default 120,000.
    pub idle_timeout_millis: u64,
    /// Time within which the next bytes of a body must arrive, milliseconds. Default 30,000.
    pub body_progress_timeout_millis: u64,
    /// Time for a whole body to arrive, milliseconds. Default 120,000.
    pub body_timeout_millis: u64,
    /// Time between our pings on a quiet HTTP/2 connection, and for their answer, milliseconds. Default 20,000.
    pub keepalive_millis: u64,
    /// Time for requests in flight to finish after shutdown was asked for, milliseconds. Default 3000.
    pub drain_timeout_millis: u64,
}

/// Browsers that may send.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cors {
    /// Origins that may send from a browser; `*` stands for any text, as in `https://*.example.org`.
    /// Default: pages served from this machine.
    pub allowed_origins: Vec<String>,
    /// How long a browser may remember the answer to a preflight, seconds. Default 7200.
    pub max_age_seconds: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            limits: Limits::default(),
            connections: Connections::default(),
            cors: Cors::default(),
            http_path_prefix: String::new(),
            append_timeout_millis: 8000,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_wire_bytes: 64 << 20,
            max_decompressed_bytes: 64 << 20,
            max_items: 250_000,
            max_decoded_bytes: 256 << 20,
            memory_budget_bytes: 512 << 20,
            max_attributes: 1024,
            max_value_bytes: 64 << 10,
            max_log_body_bytes: 256 << 10,
            max_name_bytes: 4096,
            max_depth: 32,
            max_events: 1024,
            max_links: 1024,
            max_exemplars: 256,
            max_buckets: 4096,
        }
    }
}

impl Default for Connections {
    fn default() -> Self {
        Connections {
            max_total: 8192,
            max_per_address: 2048,
            max_streams: 256,
            header_timeout_millis: 10_000,
            idle_timeout_millis: 120_000,
            body_progress_timeout_millis: 30_000,
            body_timeout_millis: 120_000,
            keepalive_millis: 20_000,
            drain_timeout_millis: 3000,
        }
    }
}

impl Default for Cors {
    fn default() -> Self {
        let origins = ["http://localhost", "http://localhost:*", "http://127.0.0.1", "http://127.0.0.1:*"];
        Cors { allowed_origins: origins.map(str::to_owned).to_vec(), max_age_seconds: 7200 }
    }
}
