//! What pages are made of.

pub(crate) mod alarm;
pub(crate) mod attributes;
pub(crate) mod chart;
pub(crate) mod comparison;
pub(crate) mod copy;
pub(crate) mod drawer;
pub(crate) mod endpoints;
pub(crate) mod figure;
pub(crate) mod filter;
pub(crate) mod finding;
pub(crate) mod flags;
pub(crate) mod icon;
pub(crate) mod map;
pub(crate) mod open_in_sql;
pub(crate) mod outside;
pub(crate) mod palette;
pub(crate) mod panel;
pub(crate) mod popover;
pub(crate) mod query;
pub(crate) mod shortcuts;
pub(crate) mod state;
pub(crate) mod table;
pub(crate) mod time_picker;
pub(crate) mod views;
pub(crate) mod watch;
