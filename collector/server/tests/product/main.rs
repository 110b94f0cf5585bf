//! The product as its users meet it: the real binary on free ports with a directory of its own, real OTLP, real HTTP.

mod api;
mod demo;
mod garbage;
mod kill;
mod live;
mod otlp;
mod sdk;
mod server;
mod startup;
