//! What keeps foreign pages out of a dashboard without a login: the `Host` and `Origin` checks and the headers that
//! tell a browser what our pages may do.

use crate::api::failure::Failure;
use crate::http::request_id::RequestId;
use crate::http::ui;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Uri};
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

/// Names under which this server may be addressed. Any name, if it is bound to more than loopback and none is configured.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    allowed: Option<Arc<[String]>>,
}

impl Hosts {
    /// On loopback only local names and the configured ones: a page of `evil.example` that resolves to 127.0.0.1 (DNS
    /// rebinding) sends its own name. On other addresses the configured ones, if there are any.
    pub(crate) fn new(bound: IpAddr, configured: &[String]) -> Hosts {
        let allowed = (bound.is_loopback() || !configured.is_empty())
            .then(|| configured.iter().map(|host| host.to_ascii_lowercase()).collect());
        Hosts { allowed }
    }

    fn allows(&self, host: &str) -> bool {
        let Some(allowed) = &self.allowed else { return true };
        let host = host.to_ascii_lowercase();
        is_local(&host) || allowed.contains(&host)
    }
}

fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Refuses requests that came under a foreign name, or from a foreign page.
pub(crate) async fn check(hosts: Hosts, request: Request, next: Next) -> Response {
    match examine(&hosts, request.method(), request.headers(), request.uri()) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.respond(request.extensions().get::<RequestId>().map_or("", |id| &id.0)),
    }
}

fn examine(hosts: &Hosts, method: &Method, headers: &HeaderMap, uri: &Uri) -> Result<(), Failure> {
    let sent = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .or(uri.authority().map(|authority| authority.as_str()));
    let host = sent.unwrap_or_default();
    let name = host_name(host);
    if !hosts.allows(name) {
        return Err(Failure::Forbidden(format!(
            "This server does not answer to the name `{name}`; if it should, start it with --allowed-host {name}."
        )));
    }
    // Live connections and changes need this: other cross-origin reads are the browser's to refuse, as we send no CORS
    // headers.
    let acts = headers.contains_key(header::UPGRADE) || !method.is_safe();
    match headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or_default()) {
        Some(origin) if acts && origin.split_once("://").map(|(_, authority)| authority) != Some(host) => {
            Err(Failure::Forbidden(format!("Pages of `{origin}` may change nothing here, nor open live connections.")))
        }
        _ => Ok(()),
    }
}

fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// `wasm-unsafe-eval` is what running any wasm needs. Of scripts in the page only the one that starts everything may run,
/// known by its hash. Styles may be inline: Leptos and the page's critical CSS are.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let policy = format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' {}; style-src 'self' 'unsafe-inline'; \
         img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ui::script_hash().unwrap_or_default()
    );
    HeaderValue::try_from(policy).expect("our own text is visible ASCII")
});

const HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Adds the headers to every response.
pub(crate) async fn secure_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_headers(bound: &str, configured: &[&str], headers: &[(HeaderName, &'static str)]) -> bool {
        check_method(Method::GET, bound, configured, headers)
    }

    fn check_method(method: Method, bound: &str, configured: &[&str], headers: &[(HeaderName, &'static str)]) -> bool {
        let configured: Vec<String> = configured.iter().map(|&host| host.to_owned()).collect();
        let hosts = Hosts::new(bound.parse().unwrap(), &configured);
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        examine(&hosts, &method, &headers, &Uri::from_static("/")).is_ok()
    }

    #[test]
    fn loopback_answers_to_local_names_only() {
        for (host, allowed) in [
            ("localhost:7070", true),
            ("127.0.0.1:7070", true),
            ("[::1]:7070", true),
            ("orrery.localhost", true),
            ("LOCALHOST", true),
            ("evil.example:7070", false),
            ("127.0.0.1.evil.example", false),
            ("192.168.1.7:7070", false),
            ("", false),
        ] {
            assert_eq!(check_headers("127.0.0.1", &[], &[(header::HOST, host)]), allowed, "{host}");
        }
        assert!(check_headers("127.0.0.1", &["Orrery.Example"], &[(header::HOST, "orrery.example")]));
        assert!(check_headers("0.0.0.0", &[], &[(header::HOST, "anything.example")]));
        assert!(!check_headers("0.0.0.0", &["orrery.example"], &[(header::HOST, "anything.example")]));
    }

    #[test]
    fn changes_come_from_our_own_pages_or_from_scripts() {
        let host = (header::HOST, "127.0.0.1:7070");
        for (origin, allowed) in [
            ("http://127.0.0.1:7070", true),
            ("http://evil.example", false),
            ("null", false),
            ("http://127.0.0.1:1", false),
        ] {
            let headers = [host.clone(), (header::ORIGIN, origin)];
            for method in [Method::PUT, Method::DELETE, Method::POST] {
                assert_eq!(check_method(method, "127.0.0.1", &[], &headers), allowed, "{origin}");
            }
            assert!(check_method(Method::GET, "127.0.0.1", &[], &headers), "the browser refuses that");
        }
        assert!(check_method(Method::POST, "127.0.0.1", &[], &[host]), "scripts have no origin");
    }

    #[test]
    fn live_connections_come_from_our_own_pages_or_from_scripts() {
        let upgrade = (header::UPGRADE, "websocket");
        let host = (header::HOST, "127.0.0.1:7070");
        assert!(check_headers("127.0.0.1", &[], &[upgrade.clone(), host.clone()]));
        assert!(check_headers(
            "127.0.0.1",
            &[],
            &[upgrade.clone(), host.clone(), (header::ORIGIN, "http://127.0.0.1:7070")]
        ));
        assert!(!check_headers(
            "127.0.0.1",
            &[],
            &[upgrade.clone(), host.clone(), (header::ORIGIN, "http://127.0.0.1:9999")]
        ));
        assert!(!check_headers("127.0.0.1", &[], &[upgrade, host, (header::ORIGIN, "null")]));
    }
}
