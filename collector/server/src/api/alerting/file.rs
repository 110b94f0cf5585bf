//! Everything people wrote about alerts, as one file.

use super::{channels, invalid, newer, put, read, routes, silences};
use crate::alerting::documents::{self, Document, Documents, Kept};
use crate::api::endpoint::{Ask, Endpoint, Verb};
use crate::api::failure::Failure;
use crate::api::params::Parameter;
use orrery_alert::check;
use orrery_api::alerting::{AlertingChanges, AlertingFile, Channel, DocumentChange, DocumentChangeKind, Measure, Rule};
use orrery_api::paths;
use orrery_meta::{Editor, Kind, MetaError, Origin};

/// Bytes of a file, at most.
const BYTES: usize = 4 << 20;

/// `GET /alerting`.
pub(crate) const EXPORT: Endpoint =
    Endpoint::json(paths::ALERTING, "AlertingFile", "Everything people wrote about alerts", &[])
        .about("Without secrets, and without what Orrery comes with and nobody changed.");

pub(crate) fn export(ask: &Ask<'_>) -> Result<AlertingFile, Failure> {
    let Documents { rules, slos, channels, routes, inhibitions, silences, .. } = Documents::read(ask.api.meta()?)?;
    // Of what Orrery comes with, people say at most that they do not want it.
    let is_written = |rule: &Kept<Rule>| rule.origin != Origin::BuiltIn || !rule.what.enabled;
    Ok(AlertingFile {
        rules: bare(rules.into_iter().filter(is_written)),
        slos: bare(slos.into_iter()),
        channels: bare(channels.into_iter()).into_iter().map(|channel: Channel| channels::shown(channel).0).collect(),
        routes: bare(routes.into_iter()),
        inhibitions: bare(inhibitions.into_iter()),
        silences: bare(silences.into_iter()),
    })
}

fn bare<T>(documents: impl Iterator<Item = Kept<T>>) -> Vec<T> {
    documents.map(|kept| kept.what).collect()
}

const DRY_RUN: Parameter = Parameter::new("dry_run", "true", "`true`: only say what would change. Default: `false`.");

/// `PUT /alerting`.
pub(crate) const APPLY: Endpoint = Endpoint::json(
    paths::ALERTING,
    "AlertingChanges",
    "Makes everything as a file says",
    &[DRY_RUN],
)
.change(Verb::Put, "AlertingFile")
.up_to(BYTES)
.about(
    "All of it or nothing. What is named is made or changed; what came from a file before and is not in this one \
             goes; what somebody made here stays, after what the file says. Secrets that are absent stay as they are.",
);

pub(crate) fn apply(ask: &Ask<'_>) -> Result<AlertingChanges, Failure> {
    let mut file: AlertingFile = read(ask)?;
    file.silences = file.silences.into_iter().map(silences::named).collect();
    if let Some(first) = check::file(&file).into_iter().next() {
        return Err(invalid(first));
    }
    let dry_run = ask.params.parsed(DRY_RUN.name, truth)?.unwrap_or(false);
    let applied = ask.api.meta()?.edit(ask.params.now(), |editor| {
        let changes = write(editor, file)?;
        if dry_run { Err(End::Dry(changes)) } else { Ok(changes) }
    });
    match applied {
        Ok(changes) => {
            ask.api.alerting.changed();
            Ok(AlertingChanges { dry_run, changes })
        }
        Err(End::Dry(changes)) => Ok(AlertingChanges { dry_run, changes }),
        Err(End::Failed(failure)) => Err(failure),
    }
}

fn truth(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("`{text}` is neither true nor false"))
}

/// Why nothing is kept.
enum End {
    /// Nobody wanted that.
    Dry(Vec<DocumentChange>),
    /// It cannot be.
    Failed(Failure),
}

impl From<MetaError> for End {
    fn from(error: MetaError) -> End {
        End::Failed(error.into())
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> End {
        End::Failed(failure)
    }
}

fn write(editor: &Editor<'_>, file: AlertingFile) -> Result<Vec<DocumentChange>, Failure> {
    let mut changes = Vec::new();
    kind(editor, &mut changes, file.slos, as_it_is)?;
    kind(editor, &mut changes, file.rules, as_it_is)?;
    kind(editor, &mut changes, file.channels, channels::secured)?;
    kind(editor, &mut changes, file.routes, as_it_is)?;
    kind(editor, &mut changes, file.inhibitions, as_it_is)?;
    kind(editor, &mut changes, file.silences, as_it_is)?;
    routes::lead_somewhere(editor)?;
    objectives_exist(editor)?;
    Ok(changes)
}

/// A document that the file says as a whole.
fn as_it_is<T>(document: T, _: Option<&T>) -> Result<T, check::Wrong> {
    Ok(document)
}

/// Makes one kind of documents as the file says. `complete` adds what the file does not say but the document before did.
fn kind<T: Document>(
    editor: &Editor<'_>,
    changes: &mut Vec<DocumentChange>,
    documents: Vec<T>,
    complete: impl Fn(T, Option<&T>) -> Result<T, check::Wrong>,
) -> Result<(), Failure> {
    let is_ordered = matches!(T::KIND, Kind::Route | Kind::Inhibition);
    let place = |at: usize| if is_ordered { at as i64 } else { 0 };
    let mut left = editor.all(T::KIND)?;
    let count = documents.len();
    let mut say = |name: &str, what| {
        changes.push(DocumentChange { kind: T::KIND.as_str().to_owned(), name: name.to_owned(), what });
    };
    for (at, document) in documents.into_iter().enumerate() {
        let name = document.name();
        let old = left.iter().position(|old| old.name == name).map(|at| left.remove(at));
        let before = match &old {
            Some(old) => Some(documents::kept::<T>(old).ok_or_else(|| newer(T::KIND.as_str(), &name))?),
            None => None,
        };
        let outer = format!("{}[{at}]", T::KIND.as_str());
        let document = complete(document, before.as_ref().map(|before| &before.what));
        let document = document.map_err(|wrong| invalid(wrong.within(&outer)))?;
        let is_same = before.as_ref().is_some_and(|before| before.what == document)
            && old.as_ref().is_some_and(|old| old.place == place(at));
        say(
            &name,
            match (is_same, &before) {
                (true, _) => DocumentChangeKind::Same,
                (false, Some(_)) => DocumentChangeKind::Changed,
                (false, None) => DocumentChangeKind::Made,
            },
        );
        put(editor, document, Origin::File, place(at))?;
    }
    let mut at = count;
    for old in left {
        let Some(kept) = documents::kept::<T>(&old) else { continue };
        if old.origin == Origin::File {
            editor.delete(T::KIND, &old.name)?;
            say(&old.name, DocumentChangeKind::Removed);
        } else if is_ordered {
            put(editor, kept.what, old.origin, place(at))?;
            at += 1;
        }
    }
    Ok(())
}

/// Whether every objective whose budget a rule watches exists.
fn objectives_exist(editor: &Editor<'_>) -> Result<(), Failure> {
    for rule in editor.all(Kind::Rule)? {
        let Some(rule) = documents::kept::<Rule>(&rule) else { continue };
        if let Measure::Burn { slo, .. } = &rule.what.measure
            && editor.get(Kind::Slo, slo)?.is_none()
        {
            let detail = format!("the rule `{}` is about `{slo}`, but there is no such objective", rule.what.name);
            return Err(Failure::invalid("rule", detail));
        }
    }
    Ok(())
}
