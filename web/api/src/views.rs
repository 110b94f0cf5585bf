//! Saved views and short links: places in the dashboard that are kept, and what may be kept.

use crate::time::Nanos;
use serde::{Deserialize, Serialize};

/// Characters of a view's name, at most.
pub const MAX_NAME: usize = 100;
/// Characters of a view's description, at most.
pub const MAX_DESCRIPTION: usize = 1_000;
/// Bytes of a place, at most.
pub const MAX_PATH: usize = 8_000;
/// Where a short link leads from.
pub const SHORT: &str = "/s/";
/// First segments of paths that are no places in the dashboard.
const NO_PAGES: [&str; 5] = ["api", "s", "assets", "healthz", "readyz"];

/// A place in the dashboard that somebody gave a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct View {
    /// Never given again.
    pub id: String,
    /// No two have the same.
    pub name: String,
    /// Path and query: `/traces?q=…&range=30m`.
    pub path: String,
    /// May be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// When it was saved.
    pub created_unix_nano: Nanos,
    /// When it was changed last.
    pub updated_unix_nano: Nanos,
}

/// What is sent to `POST /views` and `PUT /views/{id}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ViewInput {
    /// 1 to 100 characters; no two views have the same.
    pub name: String,
    /// Path and query of the dashboard, percent-encoded, at most 8000 bytes.
    pub path: String,
    /// At most 1000 characters.
    #[serde(default)]
    pub description: String,
}

/// `GET /views`: by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ViewList {
    /// All of them.
    pub views: Vec<View>,
}

/// What is sent to `POST /links`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LinkInput {
    /// Path and query of the dashboard, percent-encoded, at most 8000 bytes. Whoever wants others to see the same asks with
    /// `from` and `to` instead of a relative range.
    pub path: String,
}

/// A short name of a place: the same for the same place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Link {
    /// The name.
    pub id: String,
    /// The place.
    pub path: String,
    /// What to give to others: leads to the place.
    pub short: String,
}

impl ViewInput {
    /// Without blanks around its texts.
    ///
    /// # Errors
    /// The field that is wrong, and what would be right.
    pub fn checked(self) -> Result<ViewInput, (&'static str, String)> {
        let name = self.name.trim().to_owned();
        let description = self.description.trim().to_owned();
        if name.is_empty() || name.chars().count() > MAX_NAME {
            return Err(("name", format!("a name has 1 to {MAX_NAME} characters")));
        }
        if name.chars().any(char::is_control) {
            return Err(("name", "a name is one line of text".to_owned()));
        }
        if description.chars().count() > MAX_DESCRIPTION {
            return Err(("description", format!("a description has at most {MAX_DESCRIPTION} characters")));
        }
        check_place(&self.path).map_err(|why| ("path", why))?;
        Ok(ViewInput { name, path: self.path, description })
    }
}

/// Whether a path with its query is a place in the dashboard, and never leads anywhere else.
///
/// # Errors
/// What would be right.
pub fn check_place(place: &str) -> Result<(), String> {
    let (path, query) = place.split_once('?').unwrap_or((place, ""));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/:@,!=*%+&;$'()".contains(&byte);
    if place.len() > MAX_PATH {
        return Err(format!("a place has at most {MAX_PATH} bytes"));
    }
    let Some(segments) = path.strip_prefix('/') else {
        return Err("a place begins with `/`, such as /traces?range=30m".to_owned());
    };
    if !path.bytes().all(is_plain) || !query.bytes().all(|byte| is_plain(byte) || byte == b'?') {
        return Err("a place is percent-encoded, without a fragment".to_owned());
    }
    let mut segments = segments.split('/');
    let first = segments.clone().next().unwrap_or_default();
    if NO_PAGES.contains(&first) {
        return Err(format!("/{first} is no page of the dashboard"));
    }
    let is_odd = |segment: &str| {
        segment.is_empty() || matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
    };
    if path != "/" && segments.any(is_odd) {
        return Err("a path has no empty parts, `.` or `..`".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_ours_and_stay_so() {
        for place in [
            "/",
            "/?range=1h",
            "/traces?q=%7B%20%7D&view=flame",
            "/services/shop%2Fcart@prod?from=1&to=2",
            "/services/database:postgresql%2Fdb:5432",
            "/traces?q=a?b",
        ] {
            assert_eq!(check_place(place), Ok(()), "{place}");
        }
        for place in [
            "",
            "traces",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/api/v1/self",
            "/s/abc",
            "/traces#x",
            "/traces?q=<b>",
            "/traces?q=a b",
            "/traces\r\nset-cookie: x",
            "/..//evil.example",
            "/a/../b",
            "/a/%2E%2e/b",
            "/a//b",
            "/트레이스",
        ] {
            assert!(check_place(place).is_err(), "{place}");
        }
        assert!(check_place(&format!("/{}", "a".repeat(MAX_PATH))).is_err());
    }

    #[test]
    fn names_are_trimmed_and_bounded() {
        let input = |name: &str| ViewInput { name: name.into(), path: "/".into(), description: " d ".into() };
        let checked = input("  결제 느림 ").checked().unwrap();
        assert_eq!((checked.name.as_str(), checked.description.as_str()), ("결제 느림", "d"));
        for wrong in ["", "  ", "a\nb", &"x".repeat(MAX_NAME + 1)] {
            assert_eq!(input(wrong).checked().unwrap_err().0, "name", "{wrong}");
        }
        assert_eq!(input(&"결".repeat(MAX_NAME)).checked().map(|_| ()), Ok(()));
        let long = ViewInput { description: "x".repeat(MAX_DESCRIPTION + 1), ..input("a") };
        assert_eq!(long.checked().unwrap_err().0, "description");
    }
}
