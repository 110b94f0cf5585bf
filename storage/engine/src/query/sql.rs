//! SQL under construction. Only our own text can be pushed; everything from outside is bound.

use crate::duck::TableName;
use crate::error::Fault;
use crate::promote::Promoted;
use arrow::array::RecordBatch;
use duckdb::Connection;
use duckdb::types::Value;
use std::path::Path;

/// A statement with its parameters.
pub(crate) struct Sql {
    text: String,
    params: Vec<Value>,
}

impl Sql {
    pub(crate) fn new(text: &'static str) -> Sql {
        Sql { text: text.to_owned(), params: Vec::new() }
    }

    pub(crate) fn push(&mut self, text: &'static str) -> &mut Sql {
        self.text.push_str(text);
        self
    }

    /// A parameter.
    pub(crate) fn bind(&mut self, value: impl Into<Param>) -> &mut Sql {
        self.text.push('?');
        self.params.push(value.into().0);
        self
    }

    pub(crate) fn bind_path(&mut self, path: &Path) -> &mut Sql {
        self.bind(path.to_string_lossy().into_owned())
    }

    pub(crate) fn table(&mut self, name: &TableName) -> &mut Sql {
        self.text.push_str(name.as_str());
        self
    }

    /// The column of a promoted attribute. Its name has only letters, digits and `_.:/-`.
    pub(crate) fn attribute_column(&mut self, promoted: &Promoted) -> &mut Sql {
        self.text.push('"');
        self.text.push_str(promoted.column());
        self.text.push('"');
        self
    }

    /// A column alias made of our own word and a number.
    pub(crate) fn alias(&mut self, word: &'static str, number: usize) -> &mut Sql {
        self.text.push_str(&format!(" AS {word}{number}"));
        self
    }

    /// Numbers, with commas between.
    pub(crate) fn numbers(&mut self, numbers: &[u32]) -> &mut Sql {
        let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
        self.text.push_str(&numbers.join(", "));
        self
    }

    /// Items with a separator between.
    pub(crate) fn each<T>(
        &mut self,
        separator: &'static str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Sql, T),
    ) -> &mut Sql {
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.push(separator);
            }
            write(self, item);
        }
        self
    }

    pub(crate) fn run(&self, connection: &Connection) -> Result<Vec<RecordBatch>, Fault> {
        let mut statement = connection.prepare(&self.text)?;
        let rows = statement.query_arrow(duckdb::params_from_iter(self.params.iter()))?;
        Ok(rows.collect())
    }

    /// Hands over rows as they are read, so that no more than a few thousand are in memory.
    pub(crate) fn stream(
        &self,
        connection: &Connection,
        mut each: impl FnMut(&RecordBatch) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut statement = connection.prepare(&self.text)?;
        for batch in statement.stream_arrow(duckdb::params_from_iter(self.params.iter()))? {
            each(&batch?)?;
        }
        Ok(())
    }
}

/// Something that can be bound.
pub(crate) struct Param(Value);

impl From<i64> for Param {
    fn from(value: i64) -> Param {
        Param(Value::BigInt(value))
    }
}

impl From<u64> for Param {
    fn from(value: u64) -> Param {
        Param(Value::UBigInt(value))
    }
}

impl From<u8> for Param {
    fn from(value: u8) -> Param {
        Param(Value::UTinyInt(value))
    }
}

impl From<f64> for Param {
    fn from(value: f64) -> Param {
        Param(Value::Double(value))
    }
}

impl From<bool> for Param {
    fn from(value: bool) -> Param {
        Param(Value::Boolean(value))
    }
}

impl From<&str> for Param {
    fn from(value: &str) -> Param {
        Param(Value::Text(value.to_owned()))
    }
}

impl From<String> for Param {
    fn from(value: String) -> Param {
        Param(Value::Text(value))
    }
}

impl From<orrery_model::TraceId> for Param {
    fn from(value: orrery_model::TraceId) -> Param {
        Param(Value::Blob(value.0.to_vec()))
    }
}
