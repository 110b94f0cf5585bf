//! Users' own SQL.

use crate::time::{Nanos, Range};
use crate::traces::Scanned;
use serde::{Deserialize, Serialize};

/// `POST /sql`: what is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SqlRequest {
    /// One SELECT over the tables that `GET /sql/schema` lists.
    pub statement: String,
    /// First instant inside, written like the parameter `from` elsewhere. Default: 15 minutes before `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// First instant after. Default: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Rows wanted. In JSON 10 000 unless said, 100 000 at most; in a file as many as there are, a million at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rows: Option<u64>,
    /// `json`, `csv` or `parquet`; else what `Accept` asks for, else JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

/// A column of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SqlColumn {
    /// As the statement calls it. Several may be called the same.
    pub name: String,
    /// SQL type, such as `VARCHAR` or `BIGINT`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// `POST /sql`: the answer in JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SqlAnswer {
    /// What was asked for.
    pub range: Range,
    /// How long it took.
    pub elapsed_nanos: Nanos,
    /// Rows stored in the range, of the tables the statement names: what it had to look at.
    pub scanned: Scanned,
    /// There were more rows.
    pub cut: bool,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
    /// Columns, in order.
    pub columns: Vec<SqlColumn>,
    /// Rows, each with a value per column. Integers of 64 bits and more, decimals, dates and times are strings; times are
    /// UTC. Lists are arrays, structs and maps objects, bytes hexadecimal.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Vec<Object>>))]
    pub rows: Vec<Vec<serde_json::Value>>,
}

/// `GET /sql/schema`: what a statement can speak of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SqlSchema {
    /// Its tables.
    pub tables: Vec<SqlTable>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SqlTable {
    /// Its name.
    pub name: String,
    /// What a row is.
    pub about: String,
    /// Its columns, in order.
    pub columns: Vec<SqlTableColumn>,
}

/// A column of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SqlTableColumn {
    /// Its name.
    pub name: String,
    /// SQL type.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it means.
    pub about: String,
    /// Of a column of attributes: those that rows in the range have, most frequent first; `column['key']` is the value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<SqlKey>,
}

/// An attribute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SqlKey {
    /// Its name.
    pub key: String,
    /// About how many rows have it; of resource attributes, how many resources.
    pub count: u64,
}
