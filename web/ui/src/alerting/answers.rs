//! What the API says about documents. The documents in it stay JSON, which forms edit field by field; a test holds the
//! rest to the types of the API.

use orrery_api::alerting::{Alert, AlertEvent, AlertPoint, AlertState, BudgetPoint, Delivery, Evidence, RuleOrigin};
use orrery_api::{Nanos, Range};
use serde::Deserialize;
use serde_json::Value;

/// [`orrery_api::alerting::RuleList`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct RuleList {
    /// By name.
    pub rules: Vec<RuleStatus>,
}

/// [`orrery_api::alerting::RuleStatus`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "those of the API")]
pub struct RuleStatus {
    pub rule: Value,
    pub origin: RuleOrigin,
    pub state: AlertState,
    pub firing: u32,
    pub pending: u32,
    pub instances: u32,
    pub judged_unix_nano: Option<Nanos>,
    pub took_micros: u64,
    pub cost: f64,
    pub coverage: f64,
    pub error: Option<String>,
    pub fired_in_week: u32,
}

/// [`orrery_api::alerting::SloList`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct SloList {
    /// By name.
    pub slos: Vec<SloStatus>,
}

/// [`orrery_api::alerting::SloStatus`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "those of the API")]
pub struct SloStatus {
    pub slo: Value,
    pub range: Range,
    pub total: f64,
    pub bad: f64,
    pub good_ratio: Option<f64>,
    pub budget_left: Option<f64>,
    pub coverage: f64,
    pub burn: Option<f64>,
    pub exhausted_unix_nano: Option<Nanos>,
    pub points: Vec<BudgetPoint>,
    pub alerts: Vec<String>,
    pub partial: Option<String>,
}

/// [`orrery_api::alerting::ChannelList`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ChannelList {
    /// By name.
    pub channels: Vec<ChannelStatus>,
}

/// [`orrery_api::alerting::ChannelStatus`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "those of the API")]
pub struct ChannelStatus {
    pub channel: Value,
    pub has_secret: bool,
    pub delivered: u64,
    pub failed: u64,
    pub waiting: u64,
    pub last: Option<Delivery>,
}

/// [`orrery_api::alerting::RouteList`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize, serde::Serialize)]
pub struct RouteList {
    /// In the order in which they are tried.
    pub routes: Vec<Value>,
    /// Which alerts make others needless.
    #[serde(default)]
    pub inhibitions: Vec<Value>,
}

/// [`orrery_api::alerting::SilenceList`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct SilenceList {
    /// Those that hold first.
    pub silences: Vec<SilenceStatus>,
}

/// [`orrery_api::alerting::SilenceStatus`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "those of the API")]
pub struct SilenceStatus {
    pub silence: Value,
    pub is_active: bool,
    pub is_over: bool,
    pub alerts: Vec<String>,
}

/// [`orrery_api::alerting::AlertDetail`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "those of the API")]
pub struct AlertDetail {
    pub alert: Alert,
    pub rule: Option<Value>,
    pub events: Vec<AlertEvent>,
    pub points: Vec<AlertPoint>,
    pub evidence: Evidence,
    pub range: Range,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::read;
    use orrery_api::alerting as api;
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    fn read_as<T: DeserializeOwned>(said: &impl Serialize) -> T {
        read(&serde_json::to_vec(said).unwrap()).unwrap()
    }

    #[test]
    fn what_the_api_says_is_read() {
        let rule = api::Rule { name: "Requests fail".to_owned(), ..api::Rule::default() };
        let status = api::RuleStatus {
            rule: rule.clone(),
            origin: api::RuleOrigin::BuiltIn,
            state: AlertState::Firing,
            firing: 2,
            took_micros: 1_500,
            cost: 0.25,
            coverage: 0.5,
            fired_in_week: 7,
            judged_unix_nano: Some(Nanos(5)),
            error: Some("no such table".to_owned()),
            ..api::RuleStatus::default()
        };
        let found: RuleList = read_as(&api::RuleList { rules: vec![status] });
        let found = &found.rules[0];
        assert_eq!(found.rule["name"], "Requests fail");
        assert_eq!((found.origin, found.state, found.firing), (RuleOrigin::BuiltIn, AlertState::Firing, 2));
        assert_eq!((found.took_micros, found.cost, found.coverage, found.fired_in_week), (1_500, 0.25, 0.5, 7));
        assert_eq!((found.judged_unix_nano, found.error.as_deref()), (Some(Nanos(5)), Some("no such table")));

        let slo = api::SloStatus {
            budget_left: Some(0.4),
            burn: Some(2.0),
            coverage: 0.9,
            total: 100.0,
            ..Default::default()
        };
        let found: SloList = read_as(&api::SloList { slos: vec![slo] });
        assert_eq!((found.slos[0].budget_left, found.slos[0].burn, found.slos[0].total), (Some(0.4), Some(2.0), 100.0));

        let channel =
            api::ChannelStatus { has_secret: true, failed: 3, last: Some(Delivery::default()), ..Default::default() };
        let found: ChannelList = read_as(&api::ChannelList { channels: vec![channel] });
        assert_eq!(found.channels[0].channel["to"]["kind"], "webhook");
        assert!(found.channels[0].has_secret && found.channels[0].failed == 3 && found.channels[0].last.is_some());

        let silence = api::SilenceStatus { is_active: true, alerts: vec!["a".to_owned()], ..Default::default() };
        let found: SilenceList = read_as(&api::SilenceList { silences: vec![silence] });
        assert!(found.silences[0].is_active && found.silences[0].alerts == ["a"]);

        let detail = api::AlertDetail { rule: Some(rule), points: vec![AlertPoint::default()], ..Default::default() };
        let found: AlertDetail = read_as(&detail);
        assert_eq!(found.rule.unwrap()["measure"]["signal"], "requests");
        assert_eq!(found.points.len(), 1);

        let found: RouteList = read_as(&api::RouteList {
            routes: vec![api::Route::default()],
            inhibitions: vec![api::Inhibition::default()],
        });
        assert_eq!(found.routes[0]["group_by"], serde_json::json!([]));
        assert_eq!(found.inhibitions[0]["source"], serde_json::json!([]));
    }
}
