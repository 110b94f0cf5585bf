//! What people wrote about alerts, as it is kept.

use orrery_alert::check::{self, Wrong};
use orrery_api::alerting::{Channel, Inhibition, Route, Rule, RuleOrigin, Silence, Slo};
use orrery_meta::{Kind, Meta, MetaError, Origin};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kind of document.
pub(crate) trait Document: Clone + PartialEq + Serialize + DeserializeOwned {
    /// Which.
    const KIND: Kind;

    /// Under which it is kept.
    fn name(&self) -> String;

    /// # Errors
    /// The field that is not right.
    fn check(&self) -> Result<(), Wrong>;
}

/// A document, and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kept<T> {
    pub(crate) what: T,
    pub(crate) origin: Origin,
    pub(crate) updated_unix_nano: i64,
}

/// Everything people wrote about alerts. Channels have their secrets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Documents {
    /// By name.
    pub(crate) rules: Vec<Kept<Rule>>,
    /// By name.
    pub(crate) slos: Vec<Kept<Slo>>,
    /// By name.
    pub(crate) channels: Vec<Kept<Channel>>,
    /// In order.
    pub(crate) routes: Vec<Kept<Route>>,
    /// In order.
    pub(crate) inhibitions: Vec<Kept<Inhibition>>,
    /// By id.
    pub(crate) silences: Vec<Kept<Silence>>,
    /// Those that a newer Orrery must have written: kept, but not understood. In a few words each.
    pub(crate) unreadable: Vec<String>,
}

impl Documents {
    /// All of them.
    pub(crate) fn read(meta: &Meta) -> Result<Documents, MetaError> {
        let mut unreadable = Vec::new();
        Ok(Documents {
            rules: all(meta, &mut unreadable)?,
            slos: all(meta, &mut unreadable)?,
            channels: all(meta, &mut unreadable)?,
            routes: all(meta, &mut unreadable)?,
            inhibitions: all(meta, &mut unreadable)?,
            silences: all(meta, &mut unreadable)?,
            unreadable,
        })
    }
}

/// What to say of documents that a newer Orrery wrote, if there are some.
pub(crate) fn unreadable(meta: &Meta) -> Option<String> {
    let unreadable = Documents::read(meta).ok()?.unreadable;
    let first = unreadable.first()?;
    let more = match unreadable.len() {
        1 => String::new(),
        number => format!(" and {} more", number - 1),
    };
    Some(format!("A newer Orrery wrote the {first}{more}: kept, but not used. Upgrade this one."))
}

/// All of a kind; what cannot be read is said.
pub(crate) fn all<T: Document>(meta: &Meta, unreadable: &mut Vec<String>) -> Result<Vec<Kept<T>>, MetaError> {
    let mut read = Vec::new();
    for document in meta.documents(T::KIND)? {
        match kept(&document) {
            Some(kept) => read.push(kept),
            None => unreadable.push(format!("{} `{}`", T::KIND.as_str(), document.name)),
        }
    }
    Ok(read)
}

/// A document as it was kept; `None` if a newer Orrery wrote it.
pub(crate) fn kept<T: Document>(document: &orrery_meta::Document) -> Option<Kept<T>> {
    let what = serde_json::from_str(&document.json).ok()?;
    Some(Kept { what, origin: document.origin, updated_unix_nano: document.updated_unix_nano })
}

/// As the API says it.
pub(crate) fn origin(origin: Origin) -> RuleOrigin {
    match origin {
        Origin::User => RuleOrigin::User,
        Origin::BuiltIn => RuleOrigin::BuiltIn,
        Origin::Slo => RuleOrigin::Slo,
        Origin::File => RuleOrigin::File,
    }
}

/// What a document without a name is known by: the same for the same text.
pub(crate) fn digest(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    parts.iter().for_each(|part| _ = hasher.update(part.as_bytes()));
    hasher.finalize().to_hex()[..16].to_owned()
}

impl Document for Rule {
    const KIND: Kind = Kind::Rule;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn check(&self) -> Result<(), Wrong> {
        check::rule(self)
    }
}

impl Document for Slo {
    const KIND: Kind = Kind::Slo;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn check(&self) -> Result<(), Wrong> {
        check::slo(self)
    }
}

impl Document for Channel {
    const KIND: Kind = Kind::Channel;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn check(&self) -> Result<(), Wrong> {
        check::channel(self)
    }
}

impl Document for Route {
    const KIND: Kind = Kind::Route;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn check(&self) -> Result<(), Wrong> {
        check::route(self)
    }
}

impl Document for Inhibition {
    const KIND: Kind = Kind::Inhibition;

    fn name(&self) -> String {
        digest(&[&serde_json::to_string(self).unwrap_or_default()])
    }

    fn check(&self) -> Result<(), Wrong> {
        check::inhibition(self)
    }
}

impl Document for Silence {
    const KIND: Kind = Kind::Silence;

    fn name(&self) -> String {
        self.id.clone()
    }

    fn check(&self) -> Result<(), Wrong> {
        check::silence(self)
    }
}
