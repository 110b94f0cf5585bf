//! What the server remembers for itself, when it heard from whom, and who has taken which alert on.

use crate::{Meta, MetaError};
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeMap;

const SECOND: i64 = 1_000_000_000;

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

    /// A heartbeat was received.
    pub fn beat(&self, name: &str, now_unix_nano: i64) -> Result<(), MetaError> {
        let sql = "INSERT INTO beats (name, second, at_unix_nano) VALUES (?1, ?2, ?3) ON CONFLICT (name, second) DO UPDATE \
                   SET at_unix_nano = max(at_unix_nano, ?3)";
        self.db.lock().execute(sql, params![name, now_unix_nano.div_euclid(SECOND), now_unix_nano])?;
        Ok(())
    }

    /// When a heartbeat was received from one instant to another, and when last before that; Unix nanoseconds, in order.
    pub fn beats(&self, name: &str, from_unix_nano: i64, to_unix_nano: i64) -> Result<Vec<i64>, MetaError> {
        let (from, to) = (from_unix_nano.div_euclid(SECOND), to_unix_nano.div_euclid(SECOND));
        let db = self.db.lock();
        let mut asked = db.prepare_cached(
            "SELECT at_unix_nano FROM beats WHERE name = ?1 AND second <= ?3 AND second >= \
             ifnull((SELECT max(second) FROM beats WHERE name = ?1 AND second < ?2), ?2) ORDER BY second",
        )?;
        Ok(asked.query_map(params![name, from, to], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Forgets heartbeats from before an instant, but of each name the last; and of more than so many the oldest. How
    /// many went.
    pub fn prune_beats(&self, before_unix_nano: i64, most: u32) -> Result<u64, MetaError> {
        let db = self.db.lock();
        let sql = "DELETE FROM beats WHERE second < ?1 AND second < (SELECT max(second) FROM beats AS newer WHERE \
                   newer.name = beats.name)";
        let old = db.execute(sql, [before_unix_nano.div_euclid(SECOND)])?;
        let sql = "DELETE FROM beats WHERE (name, second) IN (SELECT name, second FROM beats ORDER BY second, name LIMIT \
                   max(0, (SELECT count(*) FROM beats) - ?1))";
        Ok((old + db.execute(sql, [most])?) as u64)
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
        meta.acknowledge("a", Some("{}"), 1).unwrap();
        meta.acknowledge("a", Some("[]"), 2).unwrap();
        meta.acknowledge("b", Some("{}"), 2).unwrap();
        meta.acknowledge("b", None, 3).unwrap();
        meta.set_mark("x", "1").unwrap();
        meta.set_mark("x", "2").unwrap();
        drop(meta);
        let meta = Meta::open(dir.path()).unwrap().meta;
        assert_eq!(meta.beats("backup", 0, SECOND).unwrap(), [5]);
        assert_eq!(meta.acknowledgements().unwrap(), BTreeMap::from([("a".to_owned(), "[]".to_owned())]));
        assert_eq!((meta.mark("x").unwrap().as_deref(), meta.mark("y").unwrap()), (Some("2"), None));
    }

    #[test]
    fn heartbeats_of_a_time_are_known_and_the_last_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let meta = Meta::open(dir.path()).unwrap().meta;
        for (name, at) in [("a", 10), ("a", 20), ("b", 25), ("a", 30), ("a", 40)] {
            meta.beat(name, at * SECOND + 7).unwrap();
        }
        // Twice within a second; the clock may have run back.
        meta.beat("a", 30 * SECOND + 9).unwrap();
        meta.beat("a", 30 * SECOND + 8).unwrap();
        let beats = |from: i64, to: i64| meta.beats("a", from * SECOND, to * SECOND).unwrap();
        let at = |second: i64| second * SECOND + if second == 30 { 9 } else { 7 };
        assert_eq!(beats(25, 35), [at(20), at(30)]);
        assert_eq!(beats(20, 30), [at(10), at(20), at(30)]);
        assert_eq!(beats(50, 60), [at(40)]);
        assert_eq!((beats(0, 5), beats(0, 10)), (Vec::new(), vec![at(10)]));
        assert_eq!(meta.prune_beats(100 * SECOND, 9).unwrap(), 3);
        assert_eq!((beats(0, 99), meta.beats("b", 0, 99 * SECOND).unwrap()), (vec![at(40)], vec![at(25)]));
        assert_eq!(meta.prune_beats(0, 1).unwrap(), 1, "the oldest of too many");
        assert_eq!((beats(0, 99), meta.beats("b", 0, 99 * SECOND).unwrap()), (vec![at(40)], vec![]));
    }
}
