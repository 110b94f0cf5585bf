//! Where telemetry is taken in, ready to copy.

use crate::components::attributes::row;
use crate::words::{say, t};
use leptos::prelude::*;
use std::collections::BTreeMap;

/// Every endpoint of [`orrery_api::SelfHealth::endpoints`].
pub(crate) fn all(endpoints: &BTreeMap<String, String>) -> AnyView {
    let rows = endpoints.iter().map(|(name, address)| row(title(name), &url(address))).collect_view();
    view! { <dl class="attributes endpoints">{rows}</dl> }.into_any()
}

/// Those for telemetry, and the setting that every OpenTelemetry SDK knows.
pub(crate) fn for_telemetry(endpoints: &BTreeMap<String, String>) -> AnyView {
    let otlp = endpoints.iter().filter(|(name, _)| name.starts_with("otlp"));
    let rows = otlp.map(|(name, address)| row(title(name), &url(address))).collect_view();
    let setting = endpoints
        .get("otlp_http")
        .map(|address| row("OpenTelemetry SDK", &format!("OTEL_EXPORTER_OTLP_ENDPOINT={}", url(address))));
    view! { <dl class="attributes endpoints">{rows}{setting}</dl> }.into_any()
}

fn title(name: &str) -> &str {
    match name {
        "otlp_http" => "OTLP/HTTP",
        "otlp_grpc" => "OTLP/gRPC",
        "http" => t(say::DASHBOARD_AND_API),
        name => name,
    }
}

/// An address as a client writes it; one that means every address of the server is reached by the name we came by.
fn url(address: &str) -> String {
    let host = window().location().hostname().unwrap_or_default();
    let address = ["0.0.0.0:", "[::]:"]
        .iter()
        .find_map(|any| address.strip_prefix(any))
        .map_or_else(|| address.to_owned(), |port| format!("{host}:{port}"));
    format!("http://{address}")
}
