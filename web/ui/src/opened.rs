//! A trace from a file: held by this tab until another is opened, and nowhere else.

use leptos::prelude::*;
use std::sync::Arc;

/// The path of the page that shows it.
pub(crate) const PATH: &str = "/traces/file";

/// A file that was opened.
#[derive(Clone)]
pub(crate) struct File {
    /// Its name.
    pub(crate) name: String,
    /// What the server says is in it: a trace as JSON, which only the page that shows it takes apart.
    pub(crate) answer: Arc<Vec<u8>>,
}

/// The file of this tab, if there is one.
#[derive(Clone, Copy)]
pub(crate) struct Opened(pub(crate) RwSignal<Option<File>>);

impl Opened {
    pub(crate) fn start() -> Opened {
        Opened(RwSignal::new(None))
    }
}

/// The file of this tab.
pub(crate) fn opened() -> Opened {
    expect_context()
}
