//! Products, with what is left of them.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Backends, PATIENCE};
use crate::database::{Row, Session, Statement};
use crate::failure::Failure;
use crate::instance::Instance;
use crate::member::Member;
use crate::peer::{Ask, Peer};
use crate::work::Work;

/// What the shop sells: name, category, price in cents. The SKU is `sku-<index>`.
pub(super) const PRODUCTS: [(&str, &str, i64); 24] = [
    ("Star chart", "paper", 1900),
    ("Moon phase calendar", "paper", 1450),
    ("Observer's notebook", "paper", 990),
    ("Orrery kit, brass", "instruments", 24900),
    ("Orrery kit, wood", "instruments", 8900),
    ("Pocket sundial", "instruments", 2900),
    ("Planisphere", "instruments", 1790),
    ("Sextant replica", "instruments", 15900),
    ("Astrolabe", "instruments", 12900),
    ("Refractor 70 mm", "telescopes", 12900),
    ("Reflector 130 mm", "telescopes", 28900),
    ("Dobsonian 200 mm", "telescopes", 54900),
    ("Travel scope", "telescopes", 9900),
    ("Plössl eyepiece 10 mm", "optics", 3900),
    ("Plössl eyepiece 25 mm", "optics", 3900),
    ("Barlow lens 2x", "optics", 4900),
    ("Moon filter", "optics", 1500),
    ("Solar filter sheet", "optics", 2490),
    ("Binoculars 7x50", "optics", 13900),
    ("Binoculars 10x42", "optics", 17900),
    ("Red torch", "gear", 1290),
    ("Dew heater strip", "gear", 3490),
    ("Equatorial mount", "gear", 32900),
    ("Camping chair", "gear", 4990),
];

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS products (sku TEXT PRIMARY KEY, name TEXT NOT NULL, category TEXT NOT NULL, price_cents BIGINT NOT NULL)";
const LIST: Statement = Statement {
    operation: "SELECT",
    table: "products",
    text: "SELECT sku, name, category, price_cents FROM products WHERE category = $1 OR $1 = 'all' ORDER BY sku LIMIT 12",
};
const FIND: Statement = Statement {
    operation: "SELECT",
    table: "products",
    text: "SELECT sku, name, category, price_cents FROM products WHERE sku = $1",
};
const SEARCH: Statement = Statement {
    operation: "SELECT",
    table: "products",
    text: "SELECT sku, name, category, price_cents FROM products WHERE LOWER(name) LIKE $1 ORDER BY price_cents LIMIT 12",
};

struct Catalog {
    database: Session,
    inventory: Peer,
}

pub(super) async fn make(instance: &Arc<Instance>, backends: &Backends) -> anyhow::Result<Router> {
    let database = backends.database(Member::Catalog, &schema()).await?;
    let catalog = Catalog {
        database: Session::new(instance, database),
        inventory: Peer::new(instance, Member::Inventory, PATIENCE)?,
    };
    Ok(Router::new()
        .route("/products", get(list))
        .route("/products/{sku}", get(find))
        .route("/search", get(search))
        .with_state(Arc::new(catalog)))
}

fn schema() -> String {
    let rows: Vec<String> = PRODUCTS
        .iter()
        .enumerate()
        .map(|(index, (name, category, price))| {
            format!("('sku-{index}', '{}', '{category}', {price})", name.replace('\'', "''"))
        })
        .collect();
    format!("{SCHEMA}; INSERT INTO products VALUES {} ON CONFLICT (sku) DO NOTHING;", rows.join(", "))
}

async fn list(
    State(catalog): State<Arc<Catalog>>,
    work: Work,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, Failure> {
    let category = query.get("category").map(String::as_str).unwrap_or("all");
    let rows = catalog.database.run(&work, &LIST, &[category.into()]).await?;
    Ok(Json(json!({ "products": rows.iter().map(product).collect::<Vec<_>>() })))
}

async fn search(
    State(catalog): State<Arc<Catalog>>,
    work: Work,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, Failure> {
    let words = query.get("q").map(|words| words.to_lowercase()).unwrap_or_default();
    let pattern = format!("%{words}%");
    let rows = catalog.database.run(&work, &SEARCH, &[pattern.as_str().into()]).await?;
    if rows.is_empty() {
        work.info(format!("no product matches {words:?}"), [("shop.search.query", words.into())]);
    }
    Ok(Json(json!({ "products": rows.iter().map(product).collect::<Vec<_>>() })))
}

async fn find(
    State(catalog): State<Arc<Catalog>>,
    work: Work,
    Path(sku): Path<String>,
) -> Result<Json<Value>, Failure> {
    let rows = catalog.database.run(&work, &FIND, &[sku.as_str().into()]).await?;
    let row = rows
        .first()
        .ok_or_else(|| Failure::answer(StatusCode::NOT_FOUND, "no_such_product", format!("there is no {sku}")))?;
    let stock = catalog.inventory.call(&work, Ask::get("/stock/{sku}", format!("/stock/{sku}"))).await?;
    let mut found = product(row);
    found["available"] = stock["available"].clone();
    Ok(Json(found))
}

fn product(row: &Row) -> Value {
    json!({ "sku": row.text(0), "name": row.text(1), "category": row.text(2), "price_cents": row.int(3) })
}
