//! Alerts without a browser: documents as people fill them in, what they say in words, and what was when.
//!
//! - [`document`]: rules, objectives, channels, routes and silences are JSON here, edited field by field; and as TOML.
//! - [`form`]: which fields there are.
//! - [`says`]: what they mean in a sentence.
//! - [`answers`]: what the API says about them.
//! - [`draw`]: values, what they were compared with, and when an alert was what.

pub mod answers;
pub mod document;
pub mod draw;
pub mod form;
pub mod says;
pub mod values;
