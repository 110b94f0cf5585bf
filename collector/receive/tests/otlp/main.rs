//! OTLP conformance over real sockets: every check of `G` (gRPC), `H` (HTTP) and `J` (JSON) has one test named after it.

#![allow(clippy::unwrap_used)] // clippy.toml allows it in tests; helpers of integration tests count as none

mod encode;
mod generate;
mod grpc;
mod http;
mod json;
mod mutate;
mod oracle;
mod properties;
mod rows;
mod support;
