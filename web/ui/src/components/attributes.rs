//! Attributes as a list that can be searched with the eyes and copied from.

use crate::components::copy::Copy;
use leptos::prelude::*;
use orrery_api::Attributes;
use serde_json::Value;

/// Names and values, by name.
pub(crate) fn attributes(attributes: &Attributes) -> AnyView {
    let rows: Vec<_> = attributes.iter().map(|(name, value)| row(name, &text(value))).collect();
    view! { <dl class="attributes">{rows}</dl> }.into_any()
}

/// One line of such a list.
pub(crate) fn row(name: &str, value: &str) -> AnyView {
    view! {
        <div class="attribute">
            <dt>{name.to_owned()}</dt>
            <dd><span class="attribute-value">{value.to_owned()}</span><Copy text=value what=name.to_owned() /></dd>
        </div>
    }
    .into_any()
}

/// A value as a person would write it.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => match fields.iter().next() {
            Some((name, Value::String(text))) if fields.len() == 1 && name.ends_with("Value") => text.clone(),
            _ => value.to_string(),
        },
        other => other.to_string(),
    }
}
