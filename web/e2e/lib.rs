//! Browser tests live in `tests/browser`; there is nothing to link.
