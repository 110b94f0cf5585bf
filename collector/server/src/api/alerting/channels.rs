//! Channels. Their secrets are taken and kept, and never given out again.

use super::{NAME, change, edit, existing, invalid, make, sent};
use crate::alerting::documents::{self, Kept};
use crate::api::endpoint::{Ask, Endpoint, Verb};
use crate::api::failure::Failure;
use crate::api::params::Parameter;
use orrery_alert::check::{Wrong, missing_secret};
use orrery_api::alerting::{
    Channel, ChannelKind, ChannelList, ChannelStatus, Delivery, DeliveryList, DeliveryState, Message, Route,
};
use orrery_api::{Nanos, paths};
use orrery_meta::{Deliveries, Editor, Kind, MessageState};

/// `GET /alerting/channels`.
pub(crate) const LIST: Endpoint =
    Endpoint::json(paths::ALERT_CHANNELS, "ChannelList", "Ways to reach people and how they are, by name", &[])
        .about("Without their secrets.");

pub(crate) fn list(ask: &Ask<'_>) -> Result<ChannelList, Failure> {
    let channels: Vec<Kept<Channel>> = super::all(ask)?;
    let mut counts = ask.api.meta()?.deliveries()?;
    let status = |kept: Kept<Channel>| {
        let counts = counts.remove(&kept.what.name).unwrap_or_default();
        status(ask, kept.what, counts)
    };
    Ok(ChannelList { channels: channels.into_iter().map(status).collect::<Result<_, _>>()? })
}

/// `POST /alerting/channels`.
pub(crate) const SAVE: Endpoint = Endpoint::json(paths::ALERT_CHANNELS, "ChannelStatus", "Makes a channel", &[])
    .change(Verb::Post, "Channel")
    .makes()
    .about("409: another channel has the name, or there are too many.");

pub(crate) fn save(ask: &Ask<'_>) -> Result<ChannelStatus, Failure> {
    let channel = secured(sent(ask)?, None).map_err(invalid)?;
    let made = edit(ask, |editor| make(editor, channel, 0))?;
    one(ask, made.what)
}

/// `PUT /alerting/channels/{name}`.
pub(crate) const CHANGE: Endpoint = Endpoint::json(paths::ALERT_CHANNEL, "ChannelStatus", "Changes a channel", &[])
    .in_path(&[NAME])
    .change(Verb::Put, "Channel")
    .about(
        "A secret that is absent stays as it is; one that is empty goes. What goes to another server than before needs its \
         secret again. Routes follow a new name.",
    );

pub(crate) fn put(ask: &Ask<'_>) -> Result<ChannelStatus, Failure> {
    let channel: Channel = sent(ask)?;
    let name = ask.part(NAME.name);
    let changed = edit(ask, |editor| {
        let old = existing::<Channel>(editor, name)?;
        let channel = secured(channel, Some(&old.what)).map_err(invalid)?;
        if channel.name != name {
            redirect(editor, name, &channel.name)?;
        }
        change(editor, name, channel, old.origin)
    })?;
    one(ask, changed.what)
}

/// `DELETE /alerting/channels/{name}`.
pub(crate) const DELETE: Endpoint = Endpoint::json(paths::ALERT_CHANNEL, "ChannelStatus", "Deletes a channel", &[])
    .in_path(&[NAME])
    .change(Verb::Delete, "")
    .about("Its secrets are gone then. 409: a route leads to it.");

pub(crate) fn delete(ask: &Ask<'_>) -> Result<ChannelStatus, Failure> {
    let name = ask.part(NAME.name);
    let old = edit(ask, |editor| {
        let old = existing::<Channel>(editor, name)?;
        let routes = editor.all(Kind::Route)?;
        let leads = |route: &&orrery_meta::Document| {
            documents::kept::<Route>(route).is_some_and(|route| route.what.channels.iter().any(|to| to == name))
        };
        if let Some(route) = routes.iter().find(leads) {
            let route = &route.name;
            return Err(Failure::Conflict(format!("The route `{route}` leads to `{name}`: take it out there first.")));
        }
        editor.delete(Kind::Channel, name)?;
        Ok(old)
    })?;
    one(ask, old.what)
}

const CHANNEL: Parameter = Parameter::new("channel", "mail", "Only of this channel.");
const LIMIT: Parameter = Parameter::new("limit", "100", "At most so many, 1 to 1000. Default: 100.");

/// `GET /alerting/deliveries`.
pub(crate) const DELIVERIES: Endpoint = Endpoint::json(
    paths::ALERT_DELIVERIES,
    "DeliveryList",
    "Messages to channels and how they stand, the newest first",
    &[CHANNEL, LIMIT],
);

pub(crate) fn deliveries(ask: &Ask<'_>) -> Result<DeliveryList, Failure> {
    let limit = ask.params.number(LIMIT.name, 1..=1000, 100)?;
    let messages = ask.api.meta()?.messages(ask.params.text(CHANNEL.name), limit)?;
    Ok(DeliveryList { deliveries: messages.into_iter().map(delivery).collect() })
}

/// A message on its way, or at its end.
pub(crate) fn delivery(message: orrery_meta::Message) -> Delivery {
    let what: Message = serde_json::from_str(&message.what.json).unwrap_or_default();
    Delivery {
        id: message.what.id,
        channel: message.what.channel,
        title: what.title,
        alerts: what.alerts.into_iter().map(|alert| alert.id).collect(),
        state: match message.state {
            MessageState::Waiting => DeliveryState::Waiting,
            MessageState::Delivered => DeliveryState::Delivered,
            MessageState::Failed => DeliveryState::Failed,
        },
        created_unix_nano: Nanos(message.what.created_unix_nano),
        tried_unix_nano: message.tried_unix_nano.map(Nanos),
        next_unix_nano: message.next_unix_nano.map(Nanos),
        attempts: message.attempts,
        error: message.error,
    }
}

fn one(ask: &Ask<'_>, channel: Channel) -> Result<ChannelStatus, Failure> {
    let counts = ask.api.meta()?.deliveries()?.remove(&channel.name).unwrap_or_default();
    status(ask, channel, counts)
}

fn status(ask: &Ask<'_>, channel: Channel, counts: Deliveries) -> Result<ChannelStatus, Failure> {
    let last = ask.api.meta()?.messages(Some(&channel.name), 1)?.pop();
    let (channel, has_secret) = shown(channel);
    let Deliveries { delivered, failed, waiting } = counts;
    Ok(ChannelStatus { channel, has_secret, delivered, failed, waiting, last: last.map(delivery) })
}

/// Without its secrets, and whether there are any.
pub(super) fn shown(mut channel: Channel) -> (Channel, bool) {
    let taken: Vec<String> = channel.to.secrets().into_iter().filter_map(Option::take).collect();
    (channel, !taken.is_empty())
}

/// With the secrets of what there was, where they are absent.
///
/// # Errors
/// One that is needed is missing, or would go to another server than it was given for.
pub(super) fn secured(mut channel: Channel, old: Option<&Channel>) -> Result<Channel, Wrong> {
    let kind = channel.to.name();
    let stays = old.is_some_and(|old| old.to.name() == kind);
    let mut kept = old.filter(|_| stays).map(|old| old.to.clone());
    let is_elsewhere = kept.as_ref().is_some_and(|kept| destination(kept) != destination(&channel.to));
    let mut kept = kept.as_mut().map(ChannelKind::secrets).unwrap_or_default().into_iter();
    let mut left_behind = false;
    for secret in channel.to.secrets() {
        let old = kept.next().and_then(Option::take);
        match secret.as_deref() {
            Some("") => *secret = None,
            Some(_) => {}
            None if is_elsewhere => left_behind = old.is_some(),
            None => *secret = old,
        }
    }
    match missing_secret(&channel) {
        Some(wrong) if left_behind => {
            Err(Wrong { detail: "it goes to another server than before: give it again".to_owned(), ..wrong })
        }
        Some(wrong) => Err(wrong),
        None if left_behind => {
            Err(Wrong::new("to", "it goes to another server than before: give its secret again, or an empty one"))
        }
        None => Ok(channel),
    }
}

/// Where secrets go. Who could change that and keep them would learn them.
fn destination(kind: &ChannelKind) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    match kind {
        ChannelKind::Email { host, port, tls, user, .. } => {
            vec![host.clone(), format!("{port:?}"), format!("{tls:?}"), text(user)]
        }
        ChannelKind::Pagerduty { url, .. }
        | ChannelKind::Opsgenie { url, .. }
        | ChannelKind::Telegram { url, .. }
        | ChannelKind::Ntfy { url, .. } => vec![text(url)],
        // Requests are signed with the secret of a webhook, which is not sent itself.
        ChannelKind::Webhook { .. }
        | ChannelKind::Slack { .. }
        | ChannelKind::Teams { .. }
        | ChannelKind::Alertmanager { .. } => Vec::new(),
    }
}

/// Routes follow a new name.
fn redirect(editor: &Editor<'_>, from: &str, to: &str) -> Result<(), Failure> {
    for document in editor.all(Kind::Route)? {
        let Some(Kept { what: mut route, origin, .. }) = documents::kept::<Route>(&document) else { continue };
        if route.channels.iter().any(|channel| channel == from) {
            route.channels.iter_mut().filter(|channel| *channel == from).for_each(|channel| *channel = to.to_owned());
            super::put(editor, route, origin, document.place)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(json: serde_json::Value) -> Channel {
        serde_json::from_value(serde_json::json!({ "name": "c", "to": json })).unwrap()
    }

    fn mail(host: &str, password: Option<&str>) -> Channel {
        channel(serde_json::json!({
            "kind": "email", "host": host, "user": "u", "password": password, "from": "a@example.com", "to": ["b@example.com"],
        }))
    }

    #[test]
    fn a_secret_stays_unless_it_would_go_elsewhere() {
        let old = mail("smtp.example.com", Some("sesame"));
        let kept = secured(mail("smtp.example.com", None), Some(&old)).unwrap();
        assert_eq!(kept, old);
        let wrong = secured(mail("smtp.evil.example", None), Some(&old)).unwrap_err();
        assert_eq!(wrong.field, "to.password");
        assert!(wrong.detail.contains("another server"), "{wrong}");
        assert!(secured(mail("smtp.evil.example", Some("new")), Some(&old)).is_ok());
        assert_eq!(secured(mail("smtp.example.com", None), None).unwrap_err().field, "to.password");
        let webhook = |secret: Option<&str>| {
            channel(serde_json::json!({ "kind": "webhook", "url": "https://example.com", "secret": secret }))
        };
        assert_eq!(secured(webhook(None), Some(&webhook(Some("x")))).unwrap(), webhook(Some("x")));
        assert_eq!(secured(webhook(Some("")), Some(&webhook(Some("x")))).unwrap(), webhook(None));
        assert_eq!(secured(webhook(None), Some(&old)).unwrap(), webhook(None), "what was of another kind is gone");
        assert_eq!(shown(webhook(Some("x"))), (webhook(None), true));
    }

    #[test]
    fn an_optional_secret_does_not_leave_silently() {
        let ntfy = |url: &str, token: Option<&str>| {
            channel(serde_json::json!({ "kind": "ntfy", "url": url, "topic": "t", "token": token }))
        };
        let old = ntfy("https://a.example", Some("x"));
        assert_eq!(secured(ntfy("https://b.example", None), Some(&old)).unwrap_err().field, "to");
        assert!(secured(ntfy("https://b.example", Some("")), Some(&old)).is_ok());
    }
}
