//! Messages over real sockets to receivers of HTTP and SMTP on this machine: what arrives, and what happens when they
//! misbehave.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod faults;
mod http;
mod mail;
mod message;
mod mime;
mod receiver;
mod secure;
mod smtp;

use orrery_api::alerting::{Channel, ChannelKind};
use orrery_notify::{Config, Sender};

/// Sends to this machine, and does not wait long.
fn sender() -> Sender {
    Sender::new(config()).unwrap()
}

fn config() -> Config {
    Config { allow_private_addresses: true, ..Config::default() }
}

fn channel(to: ChannelKind) -> Channel {
    Channel { name: "test".to_owned(), to, send_resolved: true, enabled: true }
}
