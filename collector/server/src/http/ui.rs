//! The dashboard's files, embedded at build time.

use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderValue};
use http::{HeaderMap, StatusCode, Uri};

mod manifest {
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    include!(concat!(env!("OUT_DIR"), "/manifest.rs"));
}

use manifest::{FILES, File};

/// A file of the dashboard, or its page: which of its views a path means is decided in the browser.
pub(crate) async fn serve(uri: Uri, headers: HeaderMap) -> Response {
    match find(uri.path()).or_else(|| (!names_a_file(uri.path())).then(|| find("/index.html")).flatten()) {
        Some(file) => respond(file, &headers),
        None => (StatusCode::NOT_FOUND, "There is no such file.\n").into_response(),
    }
}

/// The hash of the script in the page, with its quotes, as the page's own policy states it.
pub(crate) fn script_hash() -> Option<&'static str> {
    quoted_hash(std::str::from_utf8(find("/index.html")?.identity).ok()?)
}

fn quoted_hash(page: &str) -> Option<&str> {
    let start = page.find("'sha256-")?;
    let length = page[start + 1..].find('\'')? + 2;
    Some(&page[start..start + length])
}

fn find(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

/// Under `/assets/` lie files; a page there would hide that one is missing.
fn names_a_file(path: &str) -> bool {
    path.starts_with("/assets/")
}

fn respond(file: &'static File, request: &HeaderMap) -> Response {
    let caching = if file.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::ETAG, HeaderValue::from_static(file.etag));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if request.get(header::IF_NONE_MATCH).is_some_and(|known| known == file.etag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    let (encoding, bytes) = negotiate(file, request);
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    (headers, bytes).into_response()
}

/// The smallest form that the client accepts.
fn negotiate(file: &'static File, request: &HeaderMap) -> (Option<&'static str>, &'static [u8]) {
    let accepted = request.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let forms = [("br", file.brotli), ("gzip", file.gzip)];
    let chosen = forms
        .into_iter()
        .find_map(|(name, bytes)| bytes.filter(|_| accepts(accepted, name)).map(|bytes| (Some(name), bytes)));
    chosen.unwrap_or((None, file.identity))
}

fn accepts(accepted: &str, encoding: &str) -> bool {
    accepted.split(',').any(|entry| {
        let (name, quality) = entry.split_once(';').unwrap_or((entry, ""));
        name.trim().eq_ignore_ascii_case(encoding)
            && !matches!(quality.trim().trim_start_matches("q="), "0" | "0.0" | "0.00" | "0.000")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_script_is_known_by_its_hash() {
        assert_eq!(quoted_hash("content=\"script-src 'self' 'sha256-abc/+='; style-src\""), Some("'sha256-abc/+='"));
        assert_eq!(quoted_hash("<html>"), None);
    }

    #[test]
    fn a_client_may_refuse_an_encoding() {
        assert!(accepts("gzip, deflate, br", "br"));
        assert!(accepts("BR;q=1.0", "br"));
        assert!(!accepts("br;q=0, gzip", "br"));
        assert!(!accepts("", "br"));
    }
}
