//! The list of columns in FORMAT.md is the one in the code.

use super::{Column, Place, Table};
use orrery_model::{LogBatch, MetricBatch, SpanBatch};

const MARK: &str = "<!-- columns: checked by a test against src/columns -->\n";

fn table<B: Table>() -> String {
    let mut out = format!("\n### {}\n\n| Column | Type | Meaning |\n|---|---|---|\n", B::SIGNAL);
    for Column { name, kind, place, doc, .. } in B::COLUMNS {
        let star = if *place == Place::Sealed { "*" } else { "" };
        out.push_str(&format!("| `{name}`{star} | {} | {doc} |\n", kind.sql()));
    }
    out.push_str("| `attributes` | MAP(VARCHAR, VARCHAR) | Attributes without a column of their own. |\n");
    out
}

/// `ORRERY_BLESS=1` writes the list.
#[test]
fn the_documentation_lists_the_columns() {
    let path = "FORMAT.md";
    let text = std::fs::read_to_string(path).unwrap();
    let (before, after) = text.split_once(MARK).unwrap();
    let columns = [table::<SpanBatch>(), table::<LogBatch>(), table::<MetricBatch>()].concat();
    if std::env::var_os("ORRERY_BLESS").is_some() {
        std::fs::write(path, format!("{before}{MARK}{columns}")).unwrap();
    } else {
        assert_eq!(after, columns, "run with ORRERY_BLESS=1 to update FORMAT.md");
    }
}
