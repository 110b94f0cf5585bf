//! What an engine lives through: deaths, power cuts, damage, full disks, other readers, older formats.
//!
//! One binary, so that the rigs that wait and the rigs that compute share the time.

#[path = "../support/corpus.rs"]
mod corpus;
#[path = "../support/items.rs"]
#[allow(dead_code, reason = "examples use the rest of it")]
mod items;
#[path = "../support/ledger.rs"]
mod ledger;
#[path = "../support/rounds.rs"]
mod rounds;

mod damage;
mod formats;
mod full;
mod kill;
mod open_files;
mod power;
