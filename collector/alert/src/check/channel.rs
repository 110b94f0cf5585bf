//! Channels.

use super::{Checked, MAX_VALUE, Wrong, name, value, wrong};
use orrery_api::alerting::{Channel, ChannelKind};
use url::Url;

/// To whom a mail is sent, at most.
const MAX_RECIPIENTS: usize = 50;

/// Whether a channel is right. Secrets may be absent.
///
/// # Errors
/// The first field that is not.
pub fn channel(channel: &Channel) -> Result<(), Wrong> {
    name("name", &channel.name)?;
    kind(&channel.to).map_err(|wrong| wrong.within("to"))?;
    let mut copy = channel.to.clone();
    let secrets: Vec<String> = copy.secrets().into_iter().filter_map(Option::take).collect();
    match secrets.iter().find(|secret| secret.len() > MAX_VALUE || secret.chars().any(char::is_control)) {
        Some(_) => wrong(
            &format!("to.{}", secret_field(&channel.to).unwrap_or_default()),
            format!("one line of at most {MAX_VALUE} characters"),
        ),
        None => Ok(()),
    }
}

/// The field of the secret that a channel cannot do without and does not have.
pub fn missing_secret(channel: &Channel) -> Option<Wrong> {
    let is_optional = matches!(
        channel.to,
        ChannelKind::Webhook { .. } | ChannelKind::Ntfy { .. } | ChannelKind::Email { user: None, .. }
    );
    let mut copy = channel.to.clone();
    let is_absent = copy.secrets().iter().any(|secret| secret.as_ref().is_none_or(String::is_empty));
    let field = secret_field(&channel.to).filter(|_| is_absent && !is_optional)?;
    let detail = format!("a channel of kind {} needs it; it is never shown again", channel.to.name());
    Some(Wrong::new(format!("to.{field}"), detail))
}

fn secret_field(kind: &ChannelKind) -> Option<&'static str> {
    match kind {
        ChannelKind::Webhook { .. } => Some("secret"),
        ChannelKind::Email { .. } => Some("password"),
        ChannelKind::Slack { .. } | ChannelKind::Teams { .. } => Some("url"),
        ChannelKind::Pagerduty { .. } => Some("routing_key"),
        ChannelKind::Opsgenie { .. } => Some("api_key"),
        ChannelKind::Telegram { .. } | ChannelKind::Ntfy { .. } => Some("token"),
        ChannelKind::Alertmanager { .. } => None,
    }
}

fn kind(kind: &ChannelKind) -> Checked {
    match kind {
        ChannelKind::Webhook { url, secret: _ } | ChannelKind::Alertmanager { url } => shown_address(url),
        ChannelKind::Slack { url } | ChannelKind::Teams { url } => secret_address(url.as_ref()),
        ChannelKind::Pagerduty { url, routing_key: _ } | ChannelKind::Opsgenie { url, api_key: _ } => {
            url.as_deref().map_or(Ok(()), shown_address)
        }
        ChannelKind::Telegram { chat_id, url, token: _ } => {
            let digits = chat_id.strip_prefix('-').unwrap_or(chat_id);
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let is_name = chat_id.strip_prefix('@').is_some_and(is_word);
            if !is_number && !is_name {
                return wrong("chat_id", "a number, such as -1001234567890, or @name of a channel");
            }
            url.as_deref().map_or(Ok(()), shown_address)
        }
        ChannelKind::Ntfy { url, topic, token: _ } => {
            if topic.len() > 64 || !is_word(topic) {
                return wrong("topic", "1 to 64 letters, digits, `_` and `-`");
            }
            url.as_deref().map_or(Ok(()), shown_address)
        }
        ChannelKind::Email { host, port, user, password, from, to, tls: _ } => {
            mail(host, *port, user.as_ref(), password.as_ref(), from, to)
        }
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn mail(
    host: &str,
    port: Option<u16>,
    user: Option<&String>,
    password: Option<&String>,
    from: &str,
    to: &[String],
) -> Checked {
    let is_host = |host: &str| {
        host.len() <= 253 && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    };
    if host.is_empty() || !is_host(host) {
        return wrong("host", "the name or address of a mail server, without a port: smtp.example.com");
    }
    if port == Some(0) {
        return wrong("port", "1 to 65535; 25, 465 or 587, or leave it out");
    }
    super::optional_value("user", user)?;
    if user.is_none() && password.is_some_and(|password| !password.is_empty()) {
        return wrong("user", "there is a password, but nobody to log in as");
    }
    address("from", from)?;
    if to.is_empty() || to.len() > MAX_RECIPIENTS {
        return wrong("to", format!("1 to {MAX_RECIPIENTS} addresses"));
    }
    to.iter().enumerate().try_for_each(|(at, to)| address(&format!("to[{at}]"), to))
}

/// `Name <who@where>`, or without a name.
fn address(field: &str, text: &str) -> Checked {
    let says = || format!("`{text}` is no address; write somebody@example.com or Somebody <somebody@example.com>");
    value(field, text).map_err(|_| Wrong::new(field, says()))?;
    let bare = match text.split_once('<') {
        Some((name, rest)) if !name.contains([',', ';', '>', '"']) => rest.strip_suffix('>'),
        Some(_) => None,
        None => Some(text),
    };
    let is_fit = |part: &str, also: &[u8]| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with('.')
            && !part.contains("..")
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte >= 0x80 || also.contains(&byte))
    };
    let parts = bare.and_then(|bare| bare.rsplit_once('@'));
    match parts {
        Some((local, domain)) if is_fit(local, b"!#$%&'*+-/=?^_`{|}~.") && is_fit(domain, b"-.") => Ok(()),
        _ => wrong(field, says()),
    }
}

/// An address that everybody may see.
fn shown_address(text: &str) -> Checked {
    let url = parsed(text)?;
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("url", "it has a user or a password, which everybody would see: leave them out");
    }
    Ok(())
}

fn secret_address(text: Option<&String>) -> Checked {
    text.filter(|text| !text.is_empty()).map_or(Ok(()), |text| parsed(text).map(|_| ()))
}

/// Never says what a text is that may be a secret.
fn parsed(text: &str) -> Result<Url, Wrong> {
    let says = || Wrong::new("url", "an address that begins with https:// or http:// is wanted");
    let url = Url::parse(text).map_err(|_| says())?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host() && text.len() <= 2_000;
    if is_web { Ok(url) } else { Err(says()) }
}
