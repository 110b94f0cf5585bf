//! What people wrote about alerts. Documents are their JSON here; what they mean, and whether they are right, callers know.

use crate::{Meta, MetaError};
use rusqlite::{ErrorCode, OptionalExtension, Row, Transaction, TransactionBehavior, params};

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A rule.
    Rule,
    /// A service level objective.
    Slo,
    /// A channel, with its secrets.
    Channel,
    /// A route; they are in order.
    Route,
    /// Which alerts make others needless; in order, too. They have no name: callers give them one.
    Inhibition,
    /// A silence; its name is its id.
    Silence,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 6] = [Kind::Rule, Kind::Slo, Kind::Channel, Kind::Route, Kind::Inhibition, Kind::Silence];

    /// As stored, and as files call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Rule => "rule",
            Kind::Slo => "slo",
            Kind::Channel => "channel",
            Kind::Route => "route",
            Kind::Inhibition => "inhibition",
            Kind::Silence => "silence",
        }
    }

    /// Documents of it that are kept, at most.
    pub const fn most(self) -> i64 {
        match self {
            Kind::Rule => 5_000,
            Kind::Slo | Kind::Channel | Kind::Route | Kind::Inhibition => 500,
            Kind::Silence => 5_000,
        }
    }
}

/// Where a document comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Somebody made it.
    #[default]
    User,
    /// Orrery comes with it.
    BuiltIn,
    /// An objective made it.
    Slo,
    /// From a file.
    File,
}

impl Origin {
    const ALL: [Origin; 4] = [Origin::User, Origin::BuiltIn, Origin::Slo, Origin::File];

    const fn as_str(self) -> &'static str {
        match self {
            Origin::User => "user",
            Origin::BuiltIn => "built_in",
            Origin::Slo => "slo",
            Origin::File => "file",
        }
    }
}

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Unique among its kind.
    pub name: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Among routes.
    pub place: i64,
    /// As it was given.
    pub json: String,
    /// When it was made, Unix nanoseconds.
    pub created_unix_nano: i64,
    /// When it was changed last, Unix nanoseconds.
    pub updated_unix_nano: i64,
}

const COLUMNS: &str = "name, origin, place, json, created_unix_nano, updated_unix_nano";

impl Meta {
    /// All documents of a kind: routes in order, others by name.
    pub fn documents(&self, kind: Kind) -> Result<Vec<Document>, MetaError> {
        all(&self.db.lock(), kind)
    }

    /// Changes documents: all of `work` or, if that fails, nothing. Nobody else changes any meanwhile. `work` must not call
    /// this file itself.
    ///
    /// # Errors
    /// Those of `work`, and of writing.
    pub fn edit<T, E: From<MetaError>>(
        &self,
        now_unix_nano: i64,
        work: impl FnOnce(&Editor<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut db = self.db.lock();
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(MetaError::from)?;
        let editor = Editor { change, now_unix_nano };
        let done = work(&editor)?;
        editor.change.commit().map_err(MetaError::from)?;
        Ok(done)
    }
}

/// Documents while they are changed.
#[derive(Debug)]
pub struct Editor<'a> {
    change: Transaction<'a>,
    now_unix_nano: i64,
}

impl Editor<'_> {
    /// The time of the change, Unix nanoseconds.
    pub fn now(&self) -> i64 {
        self.now_unix_nano
    }

    /// All documents of a kind: routes in order, others by name.
    pub fn all(&self, kind: Kind) -> Result<Vec<Document>, MetaError> {
        all(&self.change, kind)
    }

    /// One document.
    pub fn get(&self, kind: Kind, name: &str) -> Result<Option<Document>, MetaError> {
        let sql = format!("SELECT {COLUMNS} FROM alert_documents WHERE kind = ?1 AND name = ?2");
        Ok(self.change.query_row(&sql, params![kind.as_str(), name], document).optional()?)
    }

    /// Keeps a document as the one of this name, and answers it. One that says the same already stays as it is.
    ///
    /// # Errors
    /// [`MetaError::TooMany`]: delete one first.
    pub fn put(&self, kind: Kind, name: &str, origin: Origin, place: i64, json: &str) -> Result<Document, MetaError> {
        let old = self.get(kind, name)?;
        if let Some(old) = &old
            && (old.origin, old.place, old.json.as_str()) == (origin, place, json)
        {
            return Ok(old.clone());
        }
        if old.is_none() && self.count(kind)? >= kind.most() {
            return Err(MetaError::TooMany { kind: kind.as_str(), most: kind.most() });
        }
        let sql = "INSERT INTO alert_documents (kind, name, origin, place, json, created_unix_nano, updated_unix_nano) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT (kind, name) DO UPDATE SET origin = ?3, place = ?4, \
                   json = ?5, updated_unix_nano = ?6";
        self.change.execute(sql, params![kind.as_str(), name, origin.as_str(), place, json, self.now_unix_nano])?;
        let created_unix_nano = old.map_or(self.now_unix_nano, |old| old.created_unix_nano);
        let (name, json) = (name.to_owned(), json.to_owned());
        Ok(Document { name, origin, place, json, created_unix_nano, updated_unix_nano: self.now_unix_nano })
    }

    /// Gives a document another name. Whether there is one with the old name is the caller's to know.
    ///
    /// # Errors
    /// [`MetaError::NameTaken`]: another document of the kind has it.
    pub fn rename(&self, kind: Kind, from: &str, to: &str) -> Result<(), MetaError> {
        let sql = "UPDATE alert_documents SET name = ?3 WHERE kind = ?1 AND name = ?2";
        let renamed = self.change.execute(sql, params![kind.as_str(), from, to]);
        renamed.map(|_| ()).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => MetaError::NameTaken { kind: kind.as_str(), name: to.to_owned() },
            _ => error.into(),
        })
    }

    /// Forgets a document; whether there was one.
    pub fn delete(&self, kind: Kind, name: &str) -> Result<bool, MetaError> {
        let sql = "DELETE FROM alert_documents WHERE kind = ?1 AND name = ?2";
        Ok(self.change.execute(sql, params![kind.as_str(), name])? > 0)
    }

    fn count(&self, kind: Kind) -> Result<i64, MetaError> {
        let sql = "SELECT count(*) FROM alert_documents WHERE kind = ?1";
        Ok(self.change.query_row(sql, [kind.as_str()], |row| row.get(0))?)
    }
}

fn all(db: &rusqlite::Connection, kind: Kind) -> Result<Vec<Document>, MetaError> {
    let sql = format!("SELECT {COLUMNS} FROM alert_documents WHERE kind = ?1 ORDER BY place, name");
    let mut all = db.prepare_cached(&sql)?;
    Ok(all.query_map([kind.as_str()], document)?.collect::<Result<_, _>>()?)
}

fn document(row: &Row<'_>) -> rusqlite::Result<Document> {
    let origin: String = row.get(1)?;
    Ok(Document {
        name: row.get(0)?,
        // What a newer version may have said is nobody's but the user's.
        origin: Origin::ALL.into_iter().find(|known| known.as_str() == origin).unwrap_or_default(),
        place: row.get(2)?,
        json: row.get(3)?,
        created_unix_nano: row.get(4)?,
        updated_unix_nano: row.get(5)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> (tempfile::TempDir, Meta) {
        let dir = tempfile::tempdir().unwrap();
        let meta = Meta::open(dir.path()).unwrap().meta;
        (dir, meta)
    }

    fn put(meta: &Meta, now: i64, kind: Kind, name: &str, place: i64, json: &str) -> Document {
        meta.edit(now, |editor| editor.put(kind, name, Origin::User, place, json)).unwrap()
    }

    fn names(meta: &Meta, kind: Kind) -> Vec<String> {
        meta.documents(kind).unwrap().into_iter().map(|document| document.name).collect()
    }

    #[test]
    fn documents_are_kept_as_they_were_given() {
        let (dir, meta) = open();
        let strange = r#"{"name":"b","from a newer version":[1, 2]}"#;
        put(&meta, 1, Kind::Rule, "b", 0, strange);
        put(&meta, 2, Kind::Rule, "a", 0, "{}");
        put(&meta, 3, Kind::Slo, "a", 0, "{}");
        let changed = put(&meta, 4, Kind::Rule, "a", 0, "[]");
        assert_eq!((changed.created_unix_nano, changed.updated_unix_nano), (2, 4));
        let same = put(&meta, 5, Kind::Rule, "a", 0, "[]");
        assert_eq!(same.updated_unix_nano, 4, "nothing was changed");
        drop(meta);
        let meta = Meta::open(dir.path()).unwrap().meta;
        assert_eq!(names(&meta, Kind::Rule), ["a", "b"]);
        assert_eq!(meta.documents(Kind::Rule).unwrap()[1].json, strange);
        assert_eq!(meta.documents(Kind::Slo).unwrap()[0].created_unix_nano, 3);
    }

    #[test]
    fn routes_have_an_order() {
        let (_dir, meta) = open();
        for (name, place) in [("a", 2), ("b", 0), ("c", 1)] {
            put(&meta, 1, Kind::Route, name, place, "{}");
        }
        assert_eq!(names(&meta, Kind::Route), ["b", "c", "a"]);
    }

    #[test]
    fn what_fails_half_way_changes_nothing() {
        let (_dir, meta) = open();
        put(&meta, 1, Kind::Rule, "a", 0, "{}");
        put(&meta, 1, Kind::Rule, "b", 0, "{}");
        let failed: Result<(), MetaError> = meta.edit(2, |editor| {
            assert!(editor.delete(Kind::Rule, "a")?);
            assert!(!editor.delete(Kind::Rule, "a")?);
            editor.put(Kind::Rule, "c", Origin::File, 0, "{}")?;
            editor.rename(Kind::Rule, "c", "b")
        });
        assert!(matches!(failed, Err(MetaError::NameTaken { kind: "rule", name }) if name == "b"));
        assert_eq!(names(&meta, Kind::Rule), ["a", "b"]);
        meta.edit(3, |editor| editor.rename(Kind::Rule, "a", "c")).unwrap();
        assert_eq!(names(&meta, Kind::Rule), ["b", "c"]);
    }

    #[test]
    fn there_is_a_bound() {
        let (_dir, meta) = open();
        let full: Result<(), MetaError> = meta.edit(1, |editor| {
            (0..=Kind::Slo.most())
                .try_for_each(|n| editor.put(Kind::Slo, &n.to_string(), Origin::User, 0, "{}").map(|_| ()))
        });
        assert!(matches!(full, Err(MetaError::TooMany { kind: "slo", most: 500 })), "{full:?}");
    }
}
