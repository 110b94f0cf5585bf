//! What the server remembers for itself, when it heard from whom, and who has taken which alert on.

use crate::{Meta, MetaError};
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeMap;

/// Heartbeats remembered, at most: of more, those last heard longest ago go.
const HEARTBEATS: i64 = 5_000;

impl Meta {
    /// Something the server remembers.
    pub fn mark(&self, name: &str) -> Result<Option<String>, MetaError> {
        let db = self.db.lock();
        Ok(db.query_row("SELECT value FROM marks WHERE name = ?1", [name], |row| row.get(0)).optional()?)
    }

    /// Remembers something under a name.
    pub fn set_mark(&self, name: &str, value: &str) -> Result<(), MetaError> {
        let sql = "INSERT INTO marks (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
        self.db.lock().execute(sql, [name, value])?;
        Ok(())
    }

    /// A heartbeat was received. The clock may have run back: the newest time counts.
    pub fn beat(&self, name: &str, now_unix_nano: i64) -> Result<(), MetaError> {
        let mut db = self.db.lock();
        let change = db.transaction()?;
        let sql = "INSERT INTO heartbeats (name, at_unix_nano) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET \
                   at_unix_nano = max(at_unix_nano, ?2)";
        change.execute(sql, params![name, now_unix_nano])?;
        let surplus = "DELETE FROM heartbeats WHERE name IN (SELECT name FROM heartbeats WHERE name != ?1 \
                       ORDER BY at_unix_nano, name LIMIT max(0, (SELECT count(*) FROM heartbeats) - ?2))";
        change.execute(surplus, params![name, HEARTBEATS])?;
        Ok(change.commit()?)
    }

    /// When each heartbeat was received last, Unix nanoseconds.
    pub fn heartbeats(&self) -> Result<BTreeMap<String, i64>, MetaError> {
        let db = self.db.lock();
        let mut all = db.prepare_cached("SELECT name, at_unix_nano FROM heartbeats")?;
        Ok(all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
    }

    /// Somebody has taken an alert on, as JSON says; or not any more.
    pub fn acknowledge(&self, alert: &str, json: Option<&str>, now_unix_nano: i64) -> Result<(), MetaError> {
        let db = self.db.lock();
        match json {
            Some(json) => {
                let sql = "INSERT INTO alert_acknowledgements (alert, json, at_unix_nano) VALUES (?1, ?2, ?3) \
                           ON CONFLICT (alert) DO UPDATE SET json = ?2, at_unix_nano = ?3";
                db.execute(sql, params![alert, json, now_unix_nano])?;
            }
            None => _ = db.execute("DELETE FROM alert_acknowledgements WHERE alert = ?1", [alert])?,
        }
        Ok(())
    }

    /// What was said about which alert, by its id.
    pub fn acknowledgements(&self) -> Result<BTreeMap<String, String>, MetaError> {
        let db = self.db.lock();
        let mut all = db.prepare_cached("SELECT alert, json FROM alert_acknowledgements")?;
        Ok(all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_and_said_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let meta = Meta::open(dir.path()).unwrap().meta;
        meta.beat("backup", 5).unwrap();
        meta.beat("backup", 3).unwrap();
        meta.acknowledge("a", Some("{}"), 1).unwrap();
        meta.acknowledge("a", Some("[]"), 2).unwrap();
        meta.acknowledge("b", Some("{}"), 2).unwrap();
        meta.acknowledge("b", None, 3).unwrap();
        meta.set_mark("x", "1").unwrap();
        meta.set_mark("x", "2").unwrap();
        drop(meta);
        let meta = Meta::open(dir.path()).unwrap().meta;
        assert_eq!(meta.heartbeats().unwrap(), BTreeMap::from([("backup".to_owned(), 5)]));
        assert_eq!(meta.acknowledgements().unwrap(), BTreeMap::from([("a".to_owned(), "[]".to_owned())]));
        assert_eq!((meta.mark("x").unwrap().as_deref(), meta.mark("y").unwrap()), (Some("2"), None));
    }

    #[test]
    fn of_too_many_heartbeats_the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let meta = Meta::open(dir.path()).unwrap().meta;
        let fill = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1) \
                    INSERT INTO heartbeats (name, at_unix_nano) SELECT 'x' || n, n FROM n";
        meta.db.lock().execute(fill, [HEARTBEATS]).unwrap();
        meta.beat("new", 0).unwrap();
        let left = meta.heartbeats().unwrap();
        assert_eq!(left.len() as i64, HEARTBEATS);
        assert!(left.contains_key("new") && left.contains_key("x2") && !left.contains_key("x1"));
    }
}
