//! What a message has to tell, in the order in which somebody woken at night needs it, before any channel's spelling.

use crate::text;
use orrery_api::alerting::{Alert, AlertSeverity, AlertState, Message};
use sha2::{Digest, Sha256};

/// Longest title, characters.
const TITLE: usize = 200;
/// Longest sentence, characters.
const SENTENCE: usize = 300;
/// Longest name or value of an attribute, characters.
const VALUE: usize = 80;
/// Other alerts that are named.
const ALSO: usize = 5;

/// A message as its channels tell it. All text is clean ([`text::line`]), none of it is escaped.
#[derive(Debug)]
pub(crate) struct Case<'m> {
    pub(crate) message: &'m Message,
    pub(crate) status: Status,
    /// Of the first alert.
    pub(crate) severity: AlertSeverity,
    pub(crate) title: String,
    /// The most important first.
    pub(crate) facts: Vec<Fact>,
    /// What the rule's author says; maybe several lines, maybe empty.
    pub(crate) description: String,
    /// Where to look, if that is a link.
    pub(crate) url: Option<String>,
    /// Where to silence, if that is a link; nothing to silence when it is over.
    pub(crate) silence_url: Option<String>,
}

/// One thing to know.
#[derive(Debug, PartialEq)]
pub(crate) struct Fact {
    pub(crate) label: &'static str,
    pub(crate) parts: Vec<Part>,
}

/// A piece of a fact.
#[derive(Debug, PartialEq)]
pub(crate) enum Part {
    /// A sentence or part of one.
    Text(String),
    /// Something of the telemetry, letter by letter.
    Code(String),
    /// A link.
    Link { text: String, url: String },
}

/// What the message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Firing,
    NoData,
    Error,
    Resolved,
}

impl Status {
    fn of(message: &Message) -> Status {
        match message.status.as_str() {
            "resolved" => Status::Resolved,
            "no_data" => Status::NoData,
            "error" => Status::Error,
            _ => Status::Firing,
        }
    }

    /// In capitals, for a subject.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Status::Firing => "FIRING",
            Status::NoData => "NO DATA",
            Status::Error => "RULE ERROR",
            Status::Resolved => "RESOLVED",
        }
    }
}

impl Fact {
    fn new(label: &'static str, parts: Vec<Part>) -> Fact {
        Fact { label, parts }
    }

    fn text(label: &'static str, text: impl Into<String>) -> Fact {
        Fact::new(label, vec![Part::Text(text.into())])
    }

    /// Without label and markup; links are written out.
    pub(crate) fn plain(&self) -> String {
        self.parts.iter().map(Part::plain).collect()
    }
}

impl Part {
    fn plain(&self) -> &str {
        match self {
            Part::Text(text) | Part::Code(text) => text,
            Part::Link { url, .. } => url,
        }
    }
}

impl<'m> Case<'m> {
    /// What there is to tell.
    pub(crate) fn of(message: &'m Message) -> Case<'m> {
        let first = message.alerts.first();
        let status = Status::of(message);
        let title = text::line(&message.title, TITLE);
        let title = if title.is_empty() { "An alert without a title".to_owned() } else { title };
        let mut facts = Vec::new();
        if let Some(first) = first {
            alert(message, first, status, &title, &mut facts);
        }
        evidence(message, first, &mut facts);
        also(message, &mut facts);
        facts.retain(|fact| !fact.plain().trim().is_empty());
        Case {
            message,
            status,
            severity: first.map_or(AlertSeverity::Warning, |first| first.severity),
            title,
            facts,
            description: text::block(&message.description, 1_500, 30),
            url: text::link(&message.url),
            silence_url: text::link(&message.silence_url).filter(|_| status != Status::Resolved),
        }
    }

    /// A sign that is seen before anything is read.
    pub(crate) fn mark(&self) -> &'static str {
        match (self.status, self.severity) {
            (Status::Resolved, _) => "✅",
            (Status::Error, _) => "⚠️",
            (Status::NoData, _) => "⚪",
            (Status::Firing, AlertSeverity::Critical) => "🔴",
            (Status::Firing, AlertSeverity::Warning) => "🟠",
            (Status::Firing, AlertSeverity::Info) => "🔵",
        }
    }

    /// Its colour, as CSS has it.
    pub(crate) fn colour(&self) -> &'static str {
        match (self.status, self.severity) {
            (Status::Resolved, _) => "#17764a",
            (Status::NoData, _) => "#596679",
            (Status::Firing, AlertSeverity::Critical) | (Status::Error, _) => "#c0281b",
            (Status::Firing, AlertSeverity::Warning) => "#8a5600",
            (Status::Firing, AlertSeverity::Info) => "#0a5fb8",
        }
    }

    /// Facts, description and links as text, one a line: for channels without markup.
    pub(crate) fn plain(&self) -> String {
        let mut lines: Vec<String> =
            self.facts.iter().map(|fact| format!("{}: {}", fact.label, fact.plain())).collect();
        if !self.description.is_empty() {
            lines.push(format!("\n{}\n", self.description));
        }
        lines.extend(self.links().map(|(name, url)| format!("{name}: {url}")));
        lines.join("\n")
    }

    /// Names and addresses of the links to act on.
    pub(crate) fn links(&self) -> impl Iterator<Item = (&str, &str)> {
        let open = self.url.as_deref().map(|url| ("Open in Orrery", url));
        open.into_iter().chain(self.silence_url.as_deref().map(|url| ("Silence", url)))
    }

    /// The links to traces: names and addresses.
    pub(crate) fn traces(&self) -> impl Iterator<Item = (&str, &str)> {
        self.facts.iter().flat_map(|fact| &fact.parts).filter_map(|part| match part {
            Part::Link { text, url } => Some((text.as_str(), url.as_str())),
            _ => None,
        })
    }

    /// By which receivers know the group: 40 letters and digits, whatever its name is.
    pub(crate) fn key(&self) -> String {
        let group = if self.message.group.is_empty() { &self.message.id } else { &self.message.group };
        format!("orrery-{}", &digest(group)[..33])
    }

    /// By which receivers know the message.
    pub(crate) fn id(&self) -> String {
        digest(&self.message.id)[..32].to_owned()
    }

    /// A label that all alerts have, if any of these.
    pub(crate) fn label(&self, names: &[&str]) -> Option<String> {
        let value = names.iter().find_map(|name| self.message.labels.get(*name))?;
        Some(text::line(value, VALUE)).filter(|value| !value.is_empty())
    }
}

/// SHA-256 in hexadecimal.
fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the first alert says: what, since when, how bad.
fn alert(message: &Message, first: &Alert, status: Status, title: &str, facts: &mut Vec<Fact>) {
    let now = message.at_unix_nano.0;
    let summary = text::line(&first.summary, SENTENCE);
    if !summary.is_empty() && summary != title {
        facts.push(Fact::text("What", summary));
    }
    let began = first.began_unix_nano.unwrap_or(first.since_unix_nano).0;
    if status == Status::Resolved {
        let over = first.since_unix_nano.0;
        let lasted =
            if over > began { format!(", after {}", text::lasted(over.saturating_sub(began))) } else { String::new() };
        facts.push(Fact::text("Over since", text::moment(over, now) + &lasted));
    } else if began > 0 {
        let lasted = text::lasted(now.saturating_sub(began));
        facts.push(Fact::text("Since", format!("{}, for {lasted}", text::moment(began, now))));
    }
    let spark = text::sparkline(&message.recent);
    if first.value.is_some() || !spark.is_empty() {
        let bound = first.threshold.map(|bound| format!(" (bound {})", text::value(bound, first.unit)));
        let value = first.value.map_or("no value".to_owned(), |value| text::value(value, first.unit));
        let mut parts = vec![Part::Text(value + &bound.unwrap_or_default())];
        if !spark.is_empty() {
            parts.extend([Part::Text(" ".to_owned()), Part::Code(spark)]);
        }
        facts.push(Fact::new("Now", parts));
    }
    let labels: Vec<Part> =
        message.labels.iter().take(8).flat_map(|(name, value)| named(name, value)).skip(1).collect();
    if !labels.is_empty() {
        facts.push(Fact::new("Labels", labels));
    }
    let is_partial = first.state != AlertState::Normal && first.coverage > 0.0 && first.coverage < 0.9;
    if is_partial {
        facts.push(Fact::text("Rests on", format!("{} of the data expected by then", text::share(first.coverage))));
    }
}

/// A comma, then `name = value`.
fn named(name: &str, value: &str) -> [Part; 2] {
    let pair = format!("{}={}", text::line(name, VALUE), text::line(value, VALUE));
    [Part::Text(", ".to_owned()), Part::Code(pair)]
}

/// What was found out about the case.
fn evidence(message: &Message, first: Option<&Alert>, facts: &mut Vec<Fact>) {
    let found = &message.evidence;
    for finding in found.findings.iter().take(2) {
        facts.push(Fact::text("Begins at", text::line(finding, SENTENCE)));
    }
    if let Some(edge) = &found.hottest_edge {
        facts.push(Fact::text("Hottest edge", text::line(edge, SENTENCE)));
    }
    for other in found.differs.iter().take(3) {
        let [_, pair] = named(&other.key, &other.value);
        let shares = format!(": {} of the bad, {} of the others", text::share(other.bad), text::share(other.others));
        facts.push(Fact::new("Differs", vec![pair, Part::Text(shares)]));
    }
    traces(message, facts);
    if let Some(deploy) = &found.last_deploy {
        let what = format!("{} {}", deploy.node, deploy.version);
        let mut parts = vec![Part::Code(text::line(what.trim_start(), VALUE))];
        let at = deploy.at_unix_nano.0;
        let began =
            first.map_or(message.at_unix_nano.0, |first| first.began_unix_nano.unwrap_or(first.since_unix_nano).0);
        let distance = if at <= began {
            format!("{} before it began", text::lasted(began.saturating_sub(at)))
        } else {
            format!("{} after it began", text::lasted(at.saturating_sub(began)))
        };
        parts.push(Part::Text(format!(" at {}, {distance}", text::moment(at, message.at_unix_nano.0))));
        facts.push(Fact::new("Last deploy", parts));
    }
    if !found.normal.is_empty() {
        let all: Vec<String> = found.normal.iter().take(6).map(|one| text::line(one, 120)).collect();
        facts.push(Fact::text("As usual", all.join("; ")));
    }
}

/// Links to two traces to look at. They lie beside the page that the message leads to.
fn traces(message: &Message, facts: &mut Vec<Fact>) {
    let Some(base) = text::link(&message.url).and_then(|url| url::Url::parse(&url).ok()) else { return };
    let is_id = |id: &&String| (16..=32).contains(&id.len()) && id.bytes().all(|letter| letter.is_ascii_hexdigit());
    let link = |id: &String| {
        Some(Part::Link { text: id[..8].to_owned(), url: base.join(&format!("/traces/{id}")).ok()?.into() })
    };
    let links: Vec<Part> = message.evidence.traces.iter().filter(is_id).take(2).filter_map(link).collect();
    if links.is_empty() {
        return;
    }
    let parts = links.into_iter().flat_map(|link| [Part::Text(", ".to_owned()), link]).skip(1).collect();
    facts.push(Fact::new("Traces", parts));
}

/// The other alerts of the group.
fn also(message: &Message, facts: &mut Vec<Fact>) {
    let others = message.alerts.get(1..).unwrap_or_default();
    for other in others.iter().take(ALSO) {
        let over = if other.state == AlertState::Normal { "over: " } else { "" };
        facts.push(Fact::text("Also", format!("{over}{}", text::line(&other.summary, SENTENCE))));
    }
    let more = others.len().saturating_sub(ALSO) as u64 + u64::from(message.more);
    if more > 0 {
        facts.push(Fact::text("Also", format!("{more} more alerts of this group")));
    }
}
