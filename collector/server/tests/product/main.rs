//! The product as its users meet it: the real binary on free ports with a directory of its own, real OTLP, real HTTP.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod alerting;
mod alerts;
mod api;
mod data;
mod demo;
mod flame;
mod hostile;
mod kill;
mod live;
mod otlp;
mod overload;
mod peers;
mod relations;
mod sdk;
mod server;
mod sql;
mod startup;
mod views;
