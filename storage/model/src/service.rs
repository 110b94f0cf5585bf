//! Service identity.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Identity of a service: (`service.namespace`, `service.name`, `deployment.environment.name`).
///
/// Its text form, used as id in URLs and JSON, is `namespace/name@environment`; an empty namespace drops
/// `namespace/`, an empty environment drops `@environment`. `/`, `@` and `%` inside a part are percent-encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServiceKey {
    /// `service.namespace`, empty if not said.
    pub namespace: String,
    /// `service.name`; `unknown_service` if not said.
    pub name: String,
    /// `deployment.environment.name`, empty if not said.
    pub environment: String,
}

impl ServiceKey {
    /// Parses the text form; every text is some key.
    pub fn parse(text: &str) -> ServiceKey {
        let (rest, environment) = text.rsplit_once('@').unwrap_or((text, ""));
        let (namespace, name) = rest.split_once('/').unwrap_or(("", rest));
        ServiceKey { namespace: unescape(namespace), name: unescape(name), environment: unescape(environment) }
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.namespace.is_empty() {
            write!(f, "{}/", escape(&self.namespace))?;
        }
        f.write_str(&escape(&self.name))?;
        if !self.environment.is_empty() {
            write!(f, "@{}", escape(&self.environment))?;
        }
        Ok(())
    }
}

fn escape(part: &str) -> String {
    part.replace('%', "%25").replace('/', "%2F").replace('@', "%40")
}

fn unescape(part: &str) -> String {
    part.replace("%40", "@").replace("%2F", "/").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for (namespace, name, environment) in
            [("shop", "cart", "prod"), ("", "cart", ""), ("a/b", "c@d", "100%"), ("", "x/y", "e"), ("%2F", "%40", "")]
        {
            let key = ServiceKey { namespace: namespace.into(), name: name.into(), environment: environment.into() };
            assert_eq!(ServiceKey::parse(&key.to_string()), key, "{key}");
        }
    }
}
