//! OTLP conformance over real sockets: every check of `G` (gRPC), `H` (HTTP) and `J` (JSON) has one test named after it.

mod encode;
mod grpc;
mod http;
mod json;
mod oracle;
mod support;
