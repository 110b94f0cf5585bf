//! What a statement may be, and what of it is read another way than it is written.

use super::ast::Node;
use super::frame::{Cause, Failed};
use super::tables::{self, MAPS};
use std::collections::BTreeSet;
use std::ops::Range;

/// Functions in the place of a table that read nothing but what they are given.
const TABLE_FUNCTIONS: [&str; 6] =
    ["range", "generate_series", "unnest", "json_each", "json_tree", "generate_subscripts"];
/// Functions that say or change what is outside of the tables.
const FORBIDDEN: [&str; 9] = [
    "current_setting",
    "getenv",
    "getvariable",
    "write_log",
    "nextval",
    "currval",
    "json_execute_serialized_sql",
    "query",
    "query_table",
];
/// Steps of a statement that only read.
const STEPS: [&str; 4] = ["SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE", "RECURSIVE_CTE_NODE"];

/// An attribute that a statement asks for by a name written in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subscript {
    /// `attributes` or `resource`.
    pub(super) map: &'static str,
    pub(super) key: String,
    /// Bytes of the statement, from the name of the map to the bracket.
    pub(super) place: Range<usize>,
}

/// What a statement says.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) subscripts: Vec<Subscript>,
    /// Where all columns are asked for; `None` where that is not just a star.
    pub(super) stars: Vec<Option<Range<usize>>>,
}

pub(super) fn wrong(message: impl Into<String>, place: Option<(usize, usize)>) -> Failed {
    Failed { cause: Cause::Statement, message: message.into(), place }
}

/// Looks at the syntax tree: one statement that only reads, and only our tables.
pub(super) fn check(statement: &str, tree: &str) -> Result<Checked, Failed> {
    let tree = Node::read(tree).ok_or_else(|| wrong("the statement is nested too deeply", None))?;
    if !tree.text("error_message").is_empty() {
        return Err(syntax(&tree));
    }
    match tree.list("statements").len() {
        0 => return Err(wrong("there is no statement: write a SELECT", None)),
        1 => {}
        _ => return Err(wrong("only one statement can be asked at a time", None)),
    }
    let ctes: BTreeSet<String> = tree
        .all()
        .flat_map(|node| node.get("cte_map"))
        .flat_map(|ctes| ctes.list("map"))
        .map(|cte| cte.text("key").to_lowercase())
        .collect();
    let mut checked = Checked::default();
    for node in tree.all() {
        let kind = node.text("type");
        if kind.ends_with("_NODE") && !STEPS.contains(&kind) {
            return Err(wrong("only SELECT is possible: nothing can be changed here", None));
        }
        if !node.text("info_type").is_empty() || !node.text("file_path").is_empty() {
            return Err(wrong("only SELECT is possible: nothing can be written here", None));
        }
        match kind {
            "BASE_TABLE" => table(node, &ctes)?,
            "TABLE_FUNCTION" => {
                let name = node.get("function").map_or("", |function| function.text("function_name")).to_lowercase();
                if !TABLE_FUNCTIONS.contains(&name.as_str()) {
                    return Err(wrong(
                        format!(
                            "{name} is not possible here; in the place of a table may stand {} and {}",
                            tables::names(),
                            TABLE_FUNCTIONS.join(", ")
                        ),
                        node.place(),
                    ));
                }
            }
            "VALUE_PARAMETER" => return Err(wrong("there are no parameters here: write the value", node.place())),
            "STAR" => {
                let place = node.place().map(|(start, length)| start..start + length);
                checked.stars.push(place.filter(|place| statement.get(place.clone()) == Some("*")));
            }
            "ARRAY_EXTRACT" => checked.subscripts.extend(subscript(node, statement)),
            _ => {}
        }
        let function = node.text("function_name").to_lowercase();
        if FORBIDDEN.contains(&function.as_str()) {
            return Err(wrong(format!("{function}() is not possible here"), node.place()));
        }
    }
    Ok(checked)
}

fn syntax(tree: &Node) -> Failed {
    let message = tree.text("error_message");
    if tree.text("error_type") == "not implemented" {
        return wrong(
            "only SELECT is possible: settings, files and other databases are out of reach. A PIVOT has to name its values: PIVOT … ON status IN ('ok', 'error') …",
            None,
        );
    }
    wrong(in_our_words(message), location(tree.text("location")))
}

/// What the engine says, but for advice that nobody can follow here.
pub(super) fn in_our_words(message: &str) -> &str {
    if message.starts_with("Max expression depth") { "the statement is nested too deeply" } else { message }
}

/// Reads `[offset,length]`.
pub(super) fn location(text: &str) -> Option<(usize, usize)> {
    let (offset, length) = text.strip_prefix('[')?.strip_suffix(']')?.split_once(',')?;
    Some((offset.trim().parse().ok()?, length.trim().parse().ok()?))
}

fn table(node: &Node, ctes: &BTreeSet<String>) -> Result<(), Failed> {
    let name = node.text("table_name").to_lowercase();
    let is_plain = node.text("catalog_name").is_empty() && ["", "main"].contains(&node.text("schema_name"));
    if is_plain && (tables::TABLES.iter().any(|table| table.name == name) || ctes.contains(&name)) {
        return Ok(());
    }
    let whole: Vec<&str> = [node.text("catalog_name"), node.text("schema_name"), node.text("table_name")]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    Err(wrong(format!("there is no table {}; there are {}", whole.join("."), tables::names()), node.place()))
}

/// `attributes['key']`, where both are written out.
fn subscript(node: &Node, statement: &str) -> Option<Subscript> {
    let [column, key] = node.list("children") else { return None };
    let map = MAPS.into_iter().find(|map| column.list("column_names").last().and_then(Node::as_text) == Some(*map))?;
    let literal = key.get("literal").filter(|literal| literal.text("kind") == "STRING")?;
    let ((start, length), (bracket, more)) = (column.place()?, node.place()?);
    // As it stands there: the table's name before the map stays.
    let name = statement.get(start..start + length)?;
    let own = name.rfind('.').map_or(0, |dot| dot + 1);
    let written = &name[own..];
    if !written.eq_ignore_ascii_case(map) {
        return None;
    }
    let place = start + own..bracket + more;
    statement.get(place.clone())?.ends_with(']').then(|| Subscript { map, key: literal.text("text").to_owned(), place })
}
