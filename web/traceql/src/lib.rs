//! TraceQL for whoever writes it: colours, errors, completion, and the rows of a visual builder.
//!
//! The language itself is `orrery-query`'s, the same code that answers. It is too big for what a first visit loads, so
//! this crate is a wasm module of its own, which the dashboard loads when a query bar appears: strings in, JSON out
//! (feature `module`). The dashboard links this crate without that feature, for the types of the JSON alone.
//!
//! All places are in bytes of the text.

mod complete;
#[cfg(feature = "module")]
mod module;
mod read;
mod rows;

pub use complete::{Accepted, Offer, accept, offer};
pub use read::{Reading, Run, Trouble, mark, read, with_columns};
pub use rows::{Row, query_of, type_of};
