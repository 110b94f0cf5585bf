//! Heartbeats: jobs that say they are done.

use super::all;
use crate::api::endpoint::{Ask, Endpoint, Verb};
use crate::api::failure::Failure;
use crate::api::params::Parameter;
use orrery_api::alerting::{HeartbeatReceived, Measure, Rule};
use orrery_api::{Nanos, paths};

const HEARTBEAT: Parameter = Parameter::new("id", "backup", "Name of the heartbeat.");

/// `POST /alerting/heartbeats/{name}`.
pub(crate) const RECEIVE: Endpoint = Endpoint::json(paths::HEARTBEAT, "HeartbeatReceived", "A heartbeat", &[])
    .in_path(&[HEARTBEAT])
    .change(Verb::Post, "")
    .about("Sent by a job when it is done: `curl -X POST …/heartbeats/backup`. 404: no rule waits for it.");

pub(crate) fn receive(ask: &Ask<'_>) -> Result<HeartbeatReceived, Failure> {
    let (name, now) = (ask.part(HEARTBEAT.name), ask.params.now());
    let is_waited_for = |rule: &Rule| {
        let guards = rule.only_if.iter().chain(&rule.unless).map(|guard| &guard.measure);
        std::iter::once(&rule.measure)
            .chain(guards)
            .any(|measure| matches!(measure, Measure::Heartbeat { name: waited } if waited == name))
    };
    if !all::<Rule>(ask)?.iter().any(|rule| is_waited_for(&rule.what)) {
        return Err(Failure::NotFound(format!(
            "No rule waits for the heartbeat `{name}`: make one with the signal `heartbeat` and this name."
        )));
    }
    ask.api.meta()?.beat(name, now)?;
    Ok(HeartbeatReceived { name: name.to_owned(), received_unix_nano: Nanos(now) })
}
