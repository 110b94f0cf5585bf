//! The file as a whole, on a real disk.

use super::*;
use std::fs;

fn view(name: &str) -> NewView {
    NewView { name: name.into(), path: "/traces?q=x".into(), description: "d".into() }
}

fn names(meta: &Meta) -> Vec<String> {
    meta.views().unwrap().into_iter().map(|view| view.what.name).collect()
}

#[test]
fn views_are_kept_changed_and_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(dir.path()).unwrap().meta;
    let first = meta.save_view(&view("b"), 1).unwrap();
    let second = meta.save_view(&view("a"), 2).unwrap();
    assert_eq!(names(&meta), ["a", "b"]);
    assert!(matches!(meta.save_view(&view("a"), 3), Err(MetaError::NameTaken { name, .. }) if name == "a"));
    assert!(matches!(meta.change_view(first.id, &view("a"), 3), Err(MetaError::NameTaken { .. })));
    let changed = meta.change_view(first.id, &NewView { path: "/logs".into(), ..view("c") }, 4).unwrap().unwrap();
    assert_eq!((changed.created_unix_nano, changed.updated_unix_nano, changed.what.path.as_str()), (1, 4, "/logs"));
    assert_eq!(meta.delete_view(second.id).unwrap().unwrap().what, view("a"));
    assert_eq!(meta.delete_view(second.id).unwrap(), None);
    assert_eq!(meta.change_view(second.id, &view("z"), 5).unwrap(), None);
    drop(meta);
    let meta = Meta::open(dir.path()).unwrap().meta;
    assert_eq!(names(&meta), ["c"]);
    assert!(meta.save_view(&view("d"), 6).unwrap().id > second.id, "no id is given twice");
}

#[test]
fn one_place_has_one_short_name() {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(dir.path()).unwrap().meta;
    let id = meta.link("/traces?q=x", 1).unwrap();
    assert_eq!(meta.link("/traces?q=x", 2).unwrap(), id);
    let other = meta.link("/traces?q=y", 3).unwrap();
    assert_ne!(other, id);
    assert_eq!(id.len(), 8);
    let again = tempfile::tempdir().unwrap();
    assert_eq!(Meta::open(again.path()).unwrap().meta.link("/traces?q=x", 9).unwrap(), id, "whoever makes it");
    assert_eq!(meta.place(&id).unwrap().as_deref(), Some("/traces?q=x"));
    assert_eq!(meta.place("nothing").unwrap(), None);
}

#[test]
fn a_damaged_file_goes_to_quarantine_and_a_new_one_begins() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let meta = Meta::open(dir.path()).unwrap().meta;
    (0..200).for_each(|number| _ = meta.save_view(&view(&format!("v{number}")), number).unwrap());
    drop(meta);
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    // The first page of a table.
    flipped[4096..4496].fill(0xff);
    for (round, bytes) in
        [flipped, b"no database at all, but long enough to be looked at".to_vec(), whole[..5000].to_vec()]
            .into_iter()
            .enumerate()
    {
        fs::write(&path, &bytes).unwrap();
        assert!(look(dir.path()).unwrap().is_damaged, "{round}");
        let opened = Meta::open(dir.path()).unwrap();
        assert!(opened.set_aside.unwrap().contains("quarantine"), "{round}");
        assert_eq!(names(&opened.meta), [""; 0]);
        opened.meta.save_view(&view("new"), 1).unwrap();
        let kept = if round == 0 { FILE.to_owned() } else { format!("{FILE}.{round}") };
        assert_eq!(fs::read(dir.path().join("quarantine").join(kept)).unwrap(), bytes);
    }
    let reasons = fs::read_to_string(dir.path().join("quarantine/reasons.txt")).unwrap();
    assert!(reasons.lines().all(|line| line.contains("\tmetadata that did not open: ")), "{reasons}");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(Meta::open(dir.path()).unwrap().set_aside.is_some());
}

#[test]
fn what_a_newer_version_wrote_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(dir.path()).unwrap().meta;
    meta.db.lock().pragma_update(None, "user_version", 99).unwrap();
    drop(meta);
    assert!(matches!(Meta::open(dir.path()), Err(OpenError::Newer { found: 99, .. })));
    let found = look(dir.path()).unwrap();
    assert!(found.wrong.is_some() && !found.is_damaged, "{found:?}");
}

#[test]
fn looking_says_what_there_is_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(look(dir.path()), None);
    let meta = Meta::open(dir.path()).unwrap().meta;
    meta.save_view(&view("a"), 1).unwrap();
    meta.link("/x", 1).unwrap();
    let found = look(dir.path()).unwrap();
    assert_eq!((found.views, found.links, found.wrong), (1, 1, None), "while it is open");
    drop(meta);
    let before = fs::read(dir.path().join(FILE)).unwrap();
    assert_eq!(look(dir.path()).unwrap().views, 1);
    assert_eq!(fs::read(dir.path().join(FILE)).unwrap(), before);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was made");
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let open_to_all = |meta: Meta| {
        meta.link("/x", 1).unwrap();
        let of = |file: fs::DirEntry| file.metadata().unwrap().permissions().mode() & 0o077;
        fs::read_dir(dir.path()).unwrap().map(|file| of(file.unwrap())).fold(0, |all, own| all | own)
    };
    assert_eq!(open_to_all(Meta::open(dir.path()).unwrap().meta), 0, "neither the file nor its log");
    // As older versions made it.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(open_to_all(Meta::open(dir.path()).unwrap().meta), 0);
}

#[test]
fn a_file_from_before_alerts_is_looked_at_and_brought_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    let db = Connection::open(dir.path().join(FILE)).unwrap();
    db.execute_batch(include_str!("../migrations/0001-views-and-links.sql")).unwrap();
    db.execute("INSERT INTO links (id, path, created_unix_nano) VALUES ('a', '/', 1)", []).unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
    drop(db);
    let found = look(dir.path()).unwrap();
    assert_eq!((found.links, found.rules, found.wrong), (1, 0, None));
    let meta = Meta::open(dir.path()).unwrap().meta;
    assert_eq!(meta.place("a").unwrap().as_deref(), Some("/"));
    meta.edit(1, |editor| editor.put(Kind::Rule, "a", Origin::User, 0, "{}")).unwrap();
    assert_eq!(look(dir.path()).unwrap().rules, 1);
}

#[test]
fn heartbeats_of_a_file_from_before_their_history_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let db = Connection::open(dir.path().join(FILE)).unwrap();
    db.execute_batch(include_str!("../migrations/0001-views-and-links.sql")).unwrap();
    db.execute_batch(include_str!("../migrations/0002-alerts.sql")).unwrap();
    db.execute("INSERT INTO heartbeats (name, at_unix_nano) VALUES ('backup', 7000000001)", []).unwrap();
    db.pragma_update(None, "user_version", 2).unwrap();
    drop(db);
    let meta = Meta::open(dir.path()).unwrap().meta;
    assert_eq!(meta.beats("backup", 0, 9_000_000_000).unwrap(), [7_000_000_001]);
}
