//! Users' own SQL: processes that answer one statement each and can do nothing else.
//!
//! The server starts this same binary as `orrery sql-worker` ([`process`]) and hands it a task over a pipe. Before the
//! process looks at the statement it gives up whatever it does not need ([`confine`]): files but those of the task, and
//! those for reading only; the network; other programs; memory and time beyond its share. It dies with the server, and
//! the server kills it when its time is over or nobody waits for the answer.

mod confine;
pub(crate) mod process;
pub(crate) mod worker;
