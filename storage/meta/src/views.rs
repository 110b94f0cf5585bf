//! Saved views: places in the dashboard that somebody gave a name.

use crate::{Meta, MetaError};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};

/// Views kept, at most.
const MOST: i64 = 1_000;
const COLUMNS: &str = "id, name, path, description, created_unix_nano, updated_unix_nano";

/// A saved view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Never given again.
    pub id: i64,
    /// What somebody says, which and where.
    pub what: NewView,
    /// When it was saved, Unix nanoseconds.
    pub created_unix_nano: i64,
    /// When it was changed last, Unix nanoseconds.
    pub updated_unix_nano: i64,
}

/// What somebody says of a view. Callers check lengths and what a path may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewView {
    /// No two have the same.
    pub name: String,
    /// Path and query.
    pub path: String,
    /// May be empty.
    pub description: String,
}

impl Meta {
    /// All views, by name.
    pub fn views(&self) -> Result<Vec<View>, MetaError> {
        let db = self.db.lock();
        let mut all = db.prepare_cached(&format!("SELECT {COLUMNS} FROM views ORDER BY name, id"))?;
        Ok(all.query_map([], view)?.collect::<Result<_, _>>()?)
    }

    /// Keeps a view.
    ///
    /// # Errors
    /// [`MetaError::NameTaken`], [`MetaError::TooMany`]: choose another name, delete one.
    pub fn save_view(&self, what: &NewView, now_unix_nano: i64) -> Result<View, MetaError> {
        let db = self.db.lock();
        let count: i64 = db.query_row("SELECT count(*) FROM views", [], |row| row.get(0))?;
        if count >= MOST {
            return Err(MetaError::TooMany { kind: "view", most: MOST });
        }
        let sql = "INSERT INTO views (name, path, description, created_unix_nano, updated_unix_nano) VALUES (?1, ?2, ?3, ?4, ?4)";
        let values = params![what.name, what.path, what.description, now_unix_nano];
        db.execute(sql, values).map_err(|error| taken(error, what))?;
        let id = db.last_insert_rowid();
        Ok(View { id, what: what.clone(), created_unix_nano: now_unix_nano, updated_unix_nano: now_unix_nano })
    }

    /// Changes a view; `None` if there is none with this id.
    ///
    /// # Errors
    /// [`MetaError::NameTaken`]: choose another name.
    pub fn change_view(&self, id: i64, what: &NewView, now_unix_nano: i64) -> Result<Option<View>, MetaError> {
        let db = self.db.lock();
        let sql = "UPDATE views SET name = ?2, path = ?3, description = ?4, updated_unix_nano = ?5 WHERE id = ?1";
        let values = params![id, what.name, what.path, what.description, now_unix_nano];
        db.execute(sql, values).map_err(|error| taken(error, what))?;
        one(&db, id)
    }

    /// Forgets a view and answers what it was; `None` if there is none with this id.
    pub fn delete_view(&self, id: i64) -> Result<Option<View>, MetaError> {
        let db = self.db.lock();
        let view = one(&db, id)?;
        db.execute("DELETE FROM views WHERE id = ?1", [id])?;
        Ok(view)
    }
}

fn one(db: &Connection, id: i64) -> Result<Option<View>, MetaError> {
    let sql = format!("SELECT {COLUMNS} FROM views WHERE id = ?1");
    Ok(db.query_row(&sql, [id], view).optional()?)
}

fn view(row: &Row<'_>) -> rusqlite::Result<View> {
    Ok(View {
        id: row.get(0)?,
        what: NewView { name: row.get(1)?, path: row.get(2)?, description: row.get(3)? },
        created_unix_nano: row.get(4)?,
        updated_unix_nano: row.get(5)?,
    })
}

/// The only constraint that values of a caller can hurt is that of the name.
fn taken(error: rusqlite::Error, what: &NewView) -> MetaError {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => MetaError::NameTaken { kind: "view", name: what.name.clone() },
        _ => error.into(),
    }
}
