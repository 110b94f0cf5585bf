//! OTLP conformance over real sockets: every check of `G` (gRPC), `H` (HTTP) and `J` (JSON) has one test named after it.

mod support;

mod grpc;
