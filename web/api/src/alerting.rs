//! Alerts: rules, service level objectives, whom to tell, and what they said.
//!
//! The documents people write ([`Rule`], [`Slo`], [`Channel`], [`Route`], [`Silence`]) have one form everywhere: in the
//! API as JSON, in files as TOML. Unknown fields are refused. Lengths of time are written as people say them
//! ([`Period`]): `90s`, `5m`, `1h30m`, `7d`.

pub mod apply;
pub mod matcher;
pub mod notify;
pub mod period;
pub mod replay;
pub mod rule;
pub mod slo;
pub mod state;

pub use apply::*;
pub use matcher::{MatchOperator, Matcher, NoMatcher};
pub use notify::*;
pub use period::Period;
pub use replay::*;
pub use rule::*;
pub use slo::*;
pub use state::*;

use serde::{Deserialize, Serialize};

/// Everything people wrote about alerts: what a file of `orrery alerts export` holds and `orrery alerts apply` takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AlertingFile {
    /// Rules, by name.
    #[serde(rename = "rule", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Service level objectives, by name.
    #[serde(rename = "slo", skip_serializing_if = "Vec::is_empty")]
    pub slos: Vec<Slo>,
    /// Channels, by name. Secrets are never exported.
    #[serde(rename = "channel", skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Channel>,
    /// Routes, in the order in which they are tried.
    #[serde(rename = "route", skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// Which alerts make others needless.
    #[serde(rename = "inhibition", skip_serializing_if = "Vec::is_empty")]
    pub inhibitions: Vec<Inhibition>,
    /// Silences and maintenance windows.
    #[serde(rename = "silence", skip_serializing_if = "Vec::is_empty")]
    pub silences: Vec<Silence>,
}
