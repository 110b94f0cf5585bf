//! TraceQL for whoever writes it: colours, errors, completion, and the rows of a visual builder.
//!
//! The language itself is `orrery-query`'s, the same code that answers. All places are in bytes of the text.

mod complete;
mod read;
mod rows;

pub use complete::{Accepted, Offer, accept, offer};
pub use read::{Reading, Run, Trouble, in_environment, mark, read, with_columns};
pub use rows::{Row, query_of, type_of};
