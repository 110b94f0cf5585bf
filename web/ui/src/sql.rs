//! SQL for whoever writes it: colours, completion, statements that say what another page shows, answers as charts.
//!
//! The language itself is the engine's; here is only what the eye and the cursor need. All places are in bytes.

mod answer;
mod complete;
mod lex;
mod write;

pub use answer::{Bars, Picture, compare, is_number, is_time, picture, width};
pub use complete::{Item, Kind, Offer, accept, insert, offer};
pub use lex::runs;
pub use write::{
    callees, callers, changed, failures, hosts, instances, log_levels, log_records, map, metric, metric_names,
    operations, places, red, requests, services, spans, trace, versions, warnings, wrong,
};
