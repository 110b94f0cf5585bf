//! What could be written at the cursor.

use super::lex::{KEYWORDS, Part, Token, is_keyword, tokens};
use orrery_api::{SqlSchema, SqlTable};

/// What something to write is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A table.
    Table,
    /// A column.
    Column,
    /// An attribute.
    Key,
    /// A function.
    Function,
    /// A word of the language.
    Keyword,
}

/// Something to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// What is written.
    pub word: String,
    /// What it means.
    pub hint: String,
}

/// What could be written at a cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// First byte of what is begun.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
    /// Something is begun.
    pub begun: bool,
    /// What fits.
    pub items: Vec<Item>,
}

const FUNCTIONS: [(&str, &str); 30] = [
    ("count(*)", "rows"),
    ("sum(", "sum"),
    ("avg(", "mean"),
    ("min(", "smallest"),
    ("max(", "largest"),
    ("quantile_cont(", "(value, 0.95)"),
    ("approx_quantile(", "(value, 0.95)"),
    ("median(", "middle value"),
    ("time_bucket(", "(INTERVAL '1 minute', time)"),
    ("date_trunc(", "('minute', time)"),
    ("now()", "now, UTC"),
    ("count_if(", "rows where"),
    ("approx_count_distinct(", "distinct values, about"),
    ("any_value(", "one of the values"),
    ("arg_max(", "(what, by)"),
    ("arg_min(", "(what, by)"),
    ("list(", "values as a list"),
    ("string_agg(", "(text, ', ')"),
    ("histogram(", "values with counts"),
    ("coalesce(", "first that is not null"),
    ("round(", "(number, digits)"),
    ("lower(", "in small letters"),
    ("contains(", "(text, part)"),
    ("starts_with(", "(text, begin)"),
    ("regexp_matches(", "(text, pattern)"),
    ("regexp_extract(", "(text, pattern, group)"),
    ("split_part(", "(text, separator, number)"),
    ("unnest(", "a row for each of a list"),
    ("try_cast(", "(text AS BIGINT), else null"),
    ("row_number()", "OVER (…)"),
];

/// Says what could be written at a cursor.
pub fn offer(text: &str, cursor: usize, schema: &SqlSchema) -> Offer {
    let all = tokens(text);
    let at = all.iter().position(|token| token.start < cursor && cursor <= token.end);
    let inside = |token: &Token| match token.part {
        Part::Comment => true,
        Part::Text(closed) => !closed || cursor < token.end,
        _ => false,
    };
    if let Some(token) = at.map(|at| &all[at]).filter(|token| inside(token)) {
        let before = &all[..at.unwrap_or(0)];
        return keys(text, cursor, token, before, schema).unwrap_or_default();
    }
    let word = at.map(|at| &all[at]).filter(|token| token.part == Part::Word);
    let start = word.map_or(cursor, |token| token.start);
    let begun = text[start..cursor].to_lowercase();
    let before: Vec<&Token> = all.iter().filter(|token| token.end <= start && token.part != Part::Comment).collect();
    let mut items = after(text, &before, &all, schema);
    let fits = |item: &Item| item.word.to_lowercase().contains(&begun) && item.word.to_lowercase() != begun;
    items.retain(fits);
    // What begins so before what only contains it.
    items.sort_by_key(|item| !item.word.to_lowercase().starts_with(&begun));
    Offer { start, end: cursor, begun: !begun.is_empty(), items }
}

/// Attributes: `attributes['ht‸`.
fn keys(text: &str, cursor: usize, token: &Token, before: &[Token], schema: &SqlSchema) -> Option<Offer> {
    let [.., map, bracket] = before else { return None };
    if bracket.of(text) != "[" || !matches!(token.part, Part::Text(_)) {
        return None;
    }
    let name = map.of(text).to_lowercase();
    let tables = named(text, &tokens(text), schema);
    let columns = tables.iter().flat_map(|table| &table.columns).filter(|column| column.name == name);
    let begun = text.get(token.start + 1..cursor)?.to_lowercase();
    let mut items: Vec<Item> = Vec::new();
    for key in columns.flat_map(|column| &column.keys).filter(|key| key.key.to_lowercase().contains(&begun)) {
        if items.iter().all(|item| item.word != key.key) {
            items.push(Item { kind: Kind::Key, word: key.key.clone(), hint: String::new() });
        }
    }
    items.sort_by_key(|item| !item.word.to_lowercase().starts_with(&begun));
    // A text that is closed further on than this line was not meant.
    let end = match token.part {
        Part::Text(true) if !text[cursor..token.end].contains('\n') => token.end - 1,
        _ => cursor,
    };
    Some(Offer { start: token.start + 1, end, begun: !begun.is_empty(), items })
}

/// What may stand behind some words.
fn after(text: &str, before: &[&Token], all: &[Token], schema: &SqlSchema) -> Vec<Item> {
    let last = before.last().map_or("", |token| token.of(text));
    if last == "." {
        let alias = before.len().checked_sub(2).map_or("", |at| before[at].of(text));
        return aliased(text, all, alias, schema).map(columns).unwrap_or_default();
    }
    let tables = || {
        schema.tables.iter().map(|table| Item {
            kind: Kind::Table,
            word: table.name.clone(),
            hint: table.about.clone(),
        })
    };
    if ["from", "join", "describe", "summarize"].iter().any(|word| last.eq_ignore_ascii_case(word)) {
        return tables().collect();
    }
    let mut items: Vec<Item> = Vec::new();
    for item in named(text, all, schema).into_iter().flat_map(columns) {
        if items.iter().all(|known| known.word != item.word) {
            items.push(item);
        }
    }
    let functions = FUNCTIONS.iter().map(|(word, hint)| Item {
        kind: Kind::Function,
        word: (*word).to_owned(),
        hint: (*hint).to_owned(),
    });
    let keywords =
        KEYWORDS.iter().map(|word| Item { kind: Kind::Keyword, word: (*word).to_owned(), hint: String::new() });
    if before.is_empty() {
        return keywords.collect();
    }
    items.extend(functions);
    items.extend(keywords);
    items.extend(tables());
    items
}

fn columns(table: &SqlTable) -> Vec<Item> {
    let item = |column: &orrery_api::SqlTableColumn| Item {
        kind: Kind::Column,
        word: insert(&column.name, !column.keys.is_empty()),
        hint: column.about.clone(),
    };
    table.columns.iter().map(item).collect()
}

/// A column as it is written: one with attributes asks for one of them.
pub fn insert(column: &str, has_keys: bool) -> String {
    if has_keys { format!("{column}['") } else { column.to_owned() }
}

/// Tables that a statement names; without any, all.
fn named<'a>(text: &str, all: &[Token], schema: &'a SqlSchema) -> Vec<&'a SqlTable> {
    let is_named = |table: &&SqlTable| {
        all.iter().any(|token| token.part == Part::Word && token.of(text).eq_ignore_ascii_case(&table.name))
    };
    let named: Vec<&SqlTable> = schema.tables.iter().filter(is_named).collect();
    if named.is_empty() { schema.tables.iter().collect() } else { named }
}

/// The table an alias stands for: `FROM spans AS s`, `JOIN logs l`.
fn aliased<'a>(text: &str, all: &[Token], alias: &str, schema: &'a SqlSchema) -> Option<&'a SqlTable> {
    let table = |name: &str| schema.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name));
    if let Some(table) = table(alias) {
        return Some(table);
    }
    all.iter().enumerate().find_map(|(at, token)| {
        let table = table(token.of(text))?;
        let next = all.get(at + 1)?;
        let name = if next.of(text).eq_ignore_ascii_case("as") { all.get(at + 2)? } else { next };
        (name.of(text).eq_ignore_ascii_case(alias) && !is_keyword(alias)).then_some(table)
    })
}

/// Writes an item in the place of what was begun; answers the text and the cursor.
pub fn accept(text: &str, offer: &Offer, item: &Item) -> (String, usize) {
    let (before, after) = (text.get(..offer.start).unwrap_or(text), text.get(offer.end..).unwrap_or_default());
    let (word, skip) = match item.kind {
        Kind::Key => {
            let closed = if after.starts_with("']") { 2 } else { usize::from(after.starts_with('\'')) };
            (format!("{}']", item.word.replace('\'', "''")), closed)
        }
        Kind::Column if item.word.ends_with("['") => (item.word.clone(), 0),
        _ if item.word.ends_with(['(', ')']) || after.starts_with([' ', ',', ')', '\n', ';', '.']) => {
            (item.word.clone(), 0)
        }
        Kind::Keyword | Kind::Table => (format!("{} ", item.word), 0),
        _ => (item.word.clone(), 0),
    };
    let written = format!("{before}{word}");
    let cursor = written.len();
    (written + &after[skip..], cursor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use orrery_api::{SqlKey, SqlTableColumn};

    fn schema() -> SqlSchema {
        let column = |name: &str, keys: &[&str]| SqlTableColumn {
            name: name.into(),
            keys: keys.iter().map(|key| SqlKey { key: (*key).into(), count: 1 }).collect(),
            ..SqlTableColumn::default()
        };
        let table = |name: &str, columns| SqlTable { name: name.into(), columns, ..SqlTable::default() };
        SqlSchema {
            tables: vec![
                table(
                    "spans",
                    vec![
                        column("name", &[]),
                        column("duration_nanos", &[]),
                        column("attributes", &["http.route", "db.system"]),
                    ],
                ),
                table("logs", vec![column("body", &[]), column("attributes", &["logger"])]),
            ],
            partial: None,
        }
    }

    fn at(text: &str) -> Offer {
        offer(&text.replace('‸', ""), text.find('‸').expect("a cursor"), &schema())
    }

    fn words(text: &str) -> Vec<String> {
        at(text).items.into_iter().map(|item| item.word).collect()
    }

    fn written(text: &str) -> String {
        let offer = at(text);
        let (text, cursor) = accept(&text.replace('‸', ""), &offer, &offer.items[0]);
        format!("{}‸{}", &text[..cursor], &text[cursor..])
    }

    #[test]
    fn what_fits_is_offered() {
        assert_eq!(words("SELECT * FROM ‸"), ["spans", "logs"]);
        assert_eq!(words("SELECT dur‸ FROM spans")[0], "duration_nanos");
        assert_eq!(words("SELECT s.‸ FROM spans AS s JOIN logs l"), ["name", "duration_nanos", "attributes['"]);
        assert_eq!(words("SELECT l.‸ FROM spans s, logs l"), ["body", "attributes['"]);
        assert_eq!(words("SELECT attributes['ht‸ FROM spans"), ["http.route"]);
        assert_eq!(words("SELECT attributes['‸'] FROM logs"), ["logger"]);
        assert!(words("SELECT 'ht‸' FROM spans").is_empty() && words("-- na‸").is_empty());
        assert_eq!(words("‸")[0], "SELECT");
        assert!(words("SELECT x FROM spans WHERE bod‸").is_empty(), "not of this table");
    }

    #[test]
    fn what_is_chosen_replaces_what_was_begun() {
        assert_eq!(written("SEL‸"), "SELECT ‸");
        assert_eq!(written("SELECT dur‸, x FROM spans"), "SELECT duration_nanos‸, x FROM spans");
        assert_eq!(written("SELECT attr‸ FROM spans"), "SELECT attributes['‸ FROM spans");
        assert_eq!(written("SELECT attributes['ht‸'] FROM spans"), "SELECT attributes['http.route']‸ FROM spans");
        assert_eq!(written("SELECT attributes['ht‸"), "SELECT attributes['http.route']‸");
        assert_eq!(written("SELECT quant‸"), "SELECT quantile_cont(‸");
    }
}
