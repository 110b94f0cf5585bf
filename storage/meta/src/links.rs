//! Short links: names of places, made from the places themselves, so that one place has one name.

use crate::{Meta, MetaError};
use rusqlite::{OptionalExtension, params};

/// Links kept, at most: of more, the oldest go.
const MOST: i64 = 100_000;
/// Letters of a name: without those that look like others.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Length of a name, unless another place has it.
const LENGTH: usize = 8;
/// Letters there are.
const LONGEST: usize = 32;

impl Meta {
    /// The short name of a place, the same each time.
    pub fn link(&self, path: &str, now_unix_nano: i64) -> Result<String, MetaError> {
        let mut db = self.db.lock();
        let change = db.transaction()?;
        // Somebody needs it again: it goes later.
        let known = "UPDATE links SET created_unix_nano = ?2 WHERE path = ?1 RETURNING id";
        if let Some(id) = change.query_row(known, params![path, now_unix_nano], |row| row.get(0)).optional()? {
            change.commit()?;
            return Ok(id);
        }
        let letters = letters(path);
        let insert = "INSERT INTO links (id, path, created_unix_nano) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING";
        let mut id = letters.as_str();
        for length in LENGTH..=LONGEST {
            id = &letters[..length];
            if change.execute(insert, params![id, path, now_unix_nano])? == 1 {
                break;
            }
        }
        let surplus = "DELETE FROM links WHERE id IN (SELECT id FROM links WHERE id != ?1 ORDER BY created_unix_nano, id \
                       LIMIT max(0, (SELECT count(*) FROM links) - ?2))";
        change.execute(surplus, params![id, MOST])?;
        change.commit()?;
        Ok(id.to_owned())
    }

    /// The place of a short name.
    pub fn place(&self, id: &str) -> Result<Option<String>, MetaError> {
        let db = self.db.lock();
        Ok(db.query_row("SELECT path FROM links WHERE id = ?1", [id], |row| row.get(0)).optional()?)
    }
}

/// The hash of a place in letters, five bits each.
fn letters(path: &str) -> String {
    blake3::hash(path.as_bytes())
        .as_bytes()
        .iter()
        .take(LONGEST)
        .map(|byte| LETTERS[usize::from(byte & 31)] as char)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_another_place_has_becomes_longer() {
        let dir = tempfile::tempdir().unwrap();
        let meta = Meta::open(dir.path()).unwrap().meta;
        let (path, id) = ("/traces?q=x", letters("/traces?q=x"));
        let sql = "INSERT INTO links (id, path, created_unix_nano) VALUES (?1, '/other', 1)";
        meta.db.lock().execute(sql, [&id[..LENGTH]]).unwrap();
        assert_eq!(meta.link(path, 2).unwrap(), id[..LENGTH + 1]);
        assert_eq!(meta.link(path, 3).unwrap(), id[..LENGTH + 1], "and stays so");
        assert_eq!(meta.place(&id[..LENGTH]).unwrap().as_deref(), Some("/other"));
    }

    #[test]
    fn of_too_many_the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let meta = Meta::open(dir.path()).unwrap().meta;
        let fill = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1) \
                    INSERT INTO links (id, path, created_unix_nano) SELECT 'x' || n, '/' || n, n FROM n";
        meta.db.lock().execute(fill, [MOST]).unwrap();
        let id = meta.link("/new", 0).unwrap();
        assert_eq!(meta.place("x1").unwrap(), None);
        assert_eq!(meta.place("x2").unwrap().as_deref(), Some("/2"));
        assert_eq!(meta.place(&id).unwrap().as_deref(), Some("/new"));
    }
}
