//! Messages to channels: the only crate that draws PNG pictures and speaks to the outside.
//!
//! * [`chart::draw`]: values over time as a PNG that a mail client shows.
//! * [`preview`]: what a channel would be sent.
//! * [`Sender::send`]: one attempt to deliver a message, and what to do next: [`Outcome`].
//! * [`retry`]: when to try again, and how fast a channel may be told; arithmetic.
//!
//! A channel's receiver is told everything that is known about a case, laid out for a phone: what, since when, how bad,
//! where it begins, what differs, traces, the last deploy, what is as usual, where to look and to silence. Text of others
//! (names, attribute values) is cut, cleaned and escaped for each channel.
//!
//! Connections go only to public addresses, unless [`Allowed`] says more; the address that was checked is the one that is
//! connected to. Redirects are not followed.
//!
//! ```no_run
//! # async fn example(channel: orrery_api::alerting::Channel, message: orrery_api::alerting::Message) {
//! use orrery_notify::{Config, Outcome, Sender, retry};
//! use std::time::Duration;
//!
//! let sender = Sender::new(Config::default()).expect("the system has certificates");
//! let outcome = sender.send(&channel, &message, None).await;
//! match retry::next(&outcome, 1, Duration::ZERO, retry::seed(&message.id)) {
//!     retry::Next::Done => {}
//!     retry::Next::After(wait) => println!("again in {wait:?}: {outcome:?}"),
//!     retry::Next::GiveUp => println!("given up: {outcome:?}"),
//! }
//! # }
//! ```

mod address;
mod answer;
mod case;
pub mod chart;
mod dial;
mod http;
mod mail;
mod render;
pub mod retry;
mod send;
mod text;

pub use address::{Allowed, is_public};
pub use render::{Preview, preview};
pub use send::{Config, Outcome, Sender, SetupError};
