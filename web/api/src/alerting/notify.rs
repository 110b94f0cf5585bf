//! Whom to tell: channels, routes, silences.

use super::matcher::Matcher;
use super::period::Period;
use crate::time::Nanos;
use serde::{Deserialize, Serialize};

/// A way to reach people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// 1 to 100 characters; no two channels have the same.
    pub name: String,
    /// What it is. Secrets are taken, and never given out again: they are absent in answers, and what is absent in a
    /// change stays as it is.
    pub to: ChannelKind,
    /// Whether it is told when an alert is over.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub send_resolved: bool,
    /// Whether it is used.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_yes(it: &bool) -> bool {
    *it
}

/// What a channel is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ChannelKind {
    /// `POST` of a [`crate::alerting::Message`] as JSON. Signed if there is a secret: `Orrery-Signature: t=…,v1=…`, the
    /// HMAC-SHA256 of `t.body`. `Idempotency-Key` is the same for every attempt.
    Webhook {
        /// http or https.
        url: String,
        /// With which requests are signed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret: Option<String>,
    },
    /// E-mail over SMTP.
    Email {
        /// Host of the server.
        host: String,
        /// 25, 465 or 587; what fits `tls`, if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
        /// How the connection is encrypted.
        #[serde(default)]
        tls: MailTls,
        /// To log in, if the server wants that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// To log in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password: Option<String>,
        /// Sender: `Orrery <orrery@example.com>`.
        from: String,
        /// To whom.
        to: Vec<String>,
    },
    /// An incoming webhook of Slack.
    Slack {
        /// `https://hooks.slack.com/services/…`; a secret.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    },
    /// A workflow of Microsoft Teams that takes adaptive cards.
    Teams {
        /// Its address; a secret.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    },
    /// Events API v2 of PagerDuty.
    Pagerduty {
        /// Integration key; a secret.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        routing_key: Option<String>,
        /// Another address than `https://events.pagerduty.com/v2/enqueue`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    },
    /// Alert API of Opsgenie.
    Opsgenie {
        /// A secret.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        api_key: Option<String>,
        /// Another address than `https://api.opsgenie.com`: `https://api.eu.opsgenie.com`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    },
    /// A bot of Telegram.
    Telegram {
        /// A secret.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// Where the bot writes.
        chat_id: String,
        /// Another address than `https://api.telegram.org`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    },
    /// A topic of ntfy.
    Ntfy {
        /// Another address than `https://ntfy.sh`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
        /// Where it writes.
        topic: String,
        /// A secret.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
    },
    /// An Alertmanager, over its API v2.
    Alertmanager {
        /// `http://alertmanager:9093`.
        url: String,
    },
}

impl Default for ChannelKind {
    fn default() -> ChannelKind {
        ChannelKind::Webhook { url: String::new(), secret: None }
    }
}

impl ChannelKind {
    /// Spelling in the API.
    pub fn name(&self) -> &'static str {
        match self {
            ChannelKind::Webhook { .. } => "webhook",
            ChannelKind::Email { .. } => "email",
            ChannelKind::Slack { .. } => "slack",
            ChannelKind::Teams { .. } => "teams",
            ChannelKind::Pagerduty { .. } => "pagerduty",
            ChannelKind::Opsgenie { .. } => "opsgenie",
            ChannelKind::Telegram { .. } => "telegram",
            ChannelKind::Ntfy { .. } => "ntfy",
            ChannelKind::Alertmanager { .. } => "alertmanager",
        }
    }

    /// The secrets it holds, to be taken out, kept, or put back.
    pub fn secrets(&mut self) -> Vec<&mut Option<String>> {
        match self {
            ChannelKind::Webhook { secret, .. } => vec![secret],
            ChannelKind::Email { password, .. } => vec![password],
            ChannelKind::Slack { url } | ChannelKind::Teams { url } => vec![url],
            ChannelKind::Pagerduty { routing_key, .. } => vec![routing_key],
            ChannelKind::Opsgenie { api_key, .. } => vec![api_key],
            ChannelKind::Telegram { token, .. } | ChannelKind::Ntfy { token, .. } => vec![token],
            ChannelKind::Alertmanager { .. } => Vec::new(),
        }
    }
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// STARTTLS, which the server must offer; port 587.
    #[default]
    Starttls,
    /// From the beginning; port 465.
    Implicit,
    /// Not at all; port 25.
    None,
}

/// `GET /alerting/channels`: by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChannelList {
    /// How they are.
    pub channels: Vec<ChannelStatus>,
}

/// How a channel is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChannelStatus {
    /// The channel, without secrets.
    pub channel: Channel,
    /// Whether it has its secret.
    pub has_secret: bool,
    /// Messages delivered since the data directory was made.
    pub delivered: u64,
    /// Messages given up.
    pub failed: u64,
    /// Messages on their way.
    pub waiting: u64,
    /// The last delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Delivery>,
}

/// How a message gets, or got, to a channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Delivery {
    /// The same for every attempt: what a receiver knows repeats by.
    pub id: String,
    /// Name of the channel.
    pub channel: String,
    /// What the message says, in a line.
    pub title: String,
    /// Ids of the alerts it is about.
    pub alerts: Vec<String>,
    /// How it stands.
    pub state: DeliveryState,
    /// When it was decided to tell.
    pub created_unix_nano: Nanos,
    /// When it was last tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried_unix_nano: Option<Nanos>,
    /// When it is tried next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_unix_nano: Option<Nanos>,
    /// How often it was tried.
    pub attempts: u32,
    /// What went wrong last, and what to do about it; of a delivered one, what is not as it should be all the same: some
    /// receivers of a mail were refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Is tried, or tried again.
    #[default]
    Waiting,
    /// The channel took it.
    Delivered,
    /// Given up.
    Failed,
}

/// `GET /alerting/deliveries`: the newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeliveryList {
    /// Deliveries.
    pub deliveries: Vec<Delivery>,
}

/// Answer to `POST /alerting/channels/{name}/test`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChannelTest {
    /// Whether the channel took it.
    pub ok: bool,
    /// What it said.
    pub detail: String,
    /// How long that took, milliseconds.
    pub took_millis: u32,
}

/// Which alerts are told to whom, and how they are put together. Tried in order; the first that matches is used, unless
/// it says to go on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// 1 to 100 characters; no two routes have the same.
    pub name: String,
    /// All must hold; none: every alert.
    #[serde(default, rename = "match", skip_serializing_if = "Vec::is_empty")]
    pub matchers: Vec<Matcher>,
    /// Names of channels; none: nobody is told.
    #[serde(default)]
    pub channels: Vec<String>,
    /// One message per combination of these labels; `rule` is one. Empty: one message for all.
    #[serde(default = "by_rule")]
    pub group_by: Vec<String>,
    /// So long the first message of a group waits for more alerts.
    #[serde(default = "group_wait")]
    pub group_wait: Period,
    /// At least so long between two messages of a group in which something changed.
    #[serde(default = "group_interval")]
    pub group_interval: Period,
    /// So often it is said again while nothing changes.
    #[serde(default = "repeat_interval")]
    pub repeat_interval: Period,
    /// Whether later routes are tried as well.
    #[serde(default, rename = "continue", skip_serializing_if = "is_no")]
    pub continues: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_no(it: &bool) -> bool {
    !*it
}

fn by_rule() -> Vec<String> {
    vec!["rule".to_owned()]
}

fn group_wait() -> Period {
    Period::seconds(10)
}

fn group_interval() -> Period {
    Period::minutes(1)
}

fn repeat_interval() -> Period {
    Period::hours(4)
}

/// `GET` and `PUT /alerting/routes`: all, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RouteList {
    /// Routes.
    pub routes: Vec<Route>,
    /// Which alerts make others needless.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inhibitions: Vec<Inhibition>,
}

/// Alerts that make others needless: while one of `source` is told, those of `target` with the same labels are not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Inhibition {
    /// Which alerts mute; all must hold, at least one.
    pub source: Vec<Matcher>,
    /// Which are muted; all must hold, at least one.
    pub target: Vec<Matcher>,
    /// Labels that both must have the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub equal: Vec<String>,
}

/// Alerts nobody is told about for a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// Given by the server; absent in what is sent to make one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// All must hold; at least one.
    #[serde(rename = "match")]
    pub matchers: Vec<Matcher>,
    /// From when.
    pub from_unix_nano: Nanos,
    /// Until when.
    pub to_unix_nano: Nanos,
    /// A maintenance window: again and again, between the two times above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekly: Option<Weekly>,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Who.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
}

/// When in every week.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Weekly {
    /// `mon` to `sun`; empty: every day. The day on which it begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Weekday>,
    /// Time of day at which it begins, `22:30`.
    pub begin: String,
    /// How long it lasts, at most a week.
    pub lasts: Period,
    /// Minutes that the clock it speaks of is ahead of UTC.
    #[serde(default)]
    pub utc_offset_minutes: i32,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "days")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// `GET /alerting/silences`: those that hold first, then those to come, then those that are over, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SilenceList {
    /// Silences.
    pub silences: Vec<SilenceStatus>,
}

/// How a silence stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SilenceStatus {
    /// The silence.
    pub silence: Silence,
    /// Whether it holds now.
    pub is_active: bool,
    /// Whether it can never hold again.
    pub is_over: bool,
    /// Ids of the alerts it is about, among those that are not normal; to be muted, for a preview.
    pub alerts: Vec<String>,
}
