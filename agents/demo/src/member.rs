//! Who takes part in the shop.

use serde::{Deserialize, Serialize};

/// One participant: a load-generating client, an instrumented service, or the payment provider that
/// belongs to somebody else and sends no telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[derive(clap::ValueEnum)]
pub enum Member {
    /// Browser shoppers: browse, search, fill carts, check out.
    Web,
    /// App shoppers; keep tokens until the gateway says they expired.
    Mobile,
    /// The shopping assistant: several calls per question, under one span.
    Chatbot,
    /// The only door: routes, checks JWTs, limits rates.
    ApiGateway,
    /// Issues and renews short-lived JWTs.
    Auth,
    /// Products; runs in two versions.
    Catalog,
    /// Shopping carts.
    Cart,
    /// Places orders and announces them on the bus.
    Orders,
    /// Charges cards at the payment provider.
    Payments,
    /// Stock: reserved during checkout, committed by an event.
    Inventory,
    /// Makes shipments out of order events.
    Shipping,
    /// Tells customers, out of order events.
    Notifications,
    /// `api.payfast.example`, the payment provider. Not instrumented: it is not ours.
    Payfast,
}

impl Member {
    /// Everyone, clients first, in the order requests flow.
    pub const ALL: [Member; 13] = [
        Member::Web,
        Member::Mobile,
        Member::Chatbot,
        Member::ApiGateway,
        Member::Auth,
        Member::Catalog,
        Member::Cart,
        Member::Orders,
        Member::Payments,
        Member::Inventory,
        Member::Shipping,
        Member::Notifications,
        Member::Payfast,
    ];

    /// The `service.name`, also its spelling on the command line and in the control API.
    pub fn name(self) -> &'static str {
        match self {
            Member::Web => "web",
            Member::Mobile => "mobile",
            Member::Chatbot => "chatbot",
            Member::ApiGateway => "api-gateway",
            Member::Auth => "auth",
            Member::Catalog => "catalog",
            Member::Cart => "cart",
            Member::Orders => "orders",
            Member::Payments => "payments",
            Member::Inventory => "inventory",
            Member::Shipping => "shipping",
            Member::Notifications => "notifications",
            Member::Payfast => "payfast",
        }
    }

    /// The host name callers use, hence `server.address`. In one process it resolves to loopback.
    pub fn host(self) -> &'static str {
        match self {
            Member::Payfast => "api.payfast.example",
            other => other.name(),
        }
    }

    /// The member of that [`name`](Self::name), if there is one.
    pub fn named(name: &str) -> Option<Member> {
        Member::ALL.into_iter().find(|member| member.name() == name)
    }

    /// Generates load, listens on nothing.
    pub fn is_client(self) -> bool {
        matches!(self, Member::Web | Member::Mobile | Member::Chatbot)
    }

    /// One of the shop's own HTTP services.
    pub fn is_service(self) -> bool {
        !self.is_client() && self != Member::Payfast
    }

    /// Keeps state in a database or key-value store.
    pub fn has_store(self) -> bool {
        self.is_service() && self != Member::ApiGateway
    }

    /// Follows the order events on the bus.
    pub fn is_follower(self) -> bool {
        matches!(self, Member::Inventory | Member::Shipping | Member::Notifications)
    }

    /// The released versions, one instance each.
    pub fn versions(self) -> &'static [&'static str] {
        match self {
            Member::Web => &["5.12.0"],
            Member::Mobile => &["8.3.1"],
            Member::Chatbot => &["0.9.4"],
            Member::ApiGateway => &["2.7.3"],
            Member::Auth => &["1.9.0"],
            Member::Catalog => &["1.4.0", "1.5.0"],
            Member::Cart => &["3.1.2"],
            Member::Orders => &["4.2.0"],
            Member::Payments => &["2.0.5"],
            Member::Inventory => &["1.12.1"],
            Member::Shipping => &["1.3.0"],
            Member::Notifications => &["0.8.2"],
            Member::Payfast => &["2025-10"],
        }
    }

    /// The version a bad deploy rolls out: the next minor after the newest released one.
    pub fn bad_version(self) -> String {
        let newest = self.versions().last().expect("every member has a version");
        let mut parts = newest.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        format!("{major}.{}.0", minor + 1)
    }
}

impl std::fmt::Display for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_match_serde() {
        for member in Member::ALL {
            assert_eq!(Member::named(member.name()), Some(member));
            assert_eq!(serde_json::to_value(member).unwrap(), member.name());
        }
    }

    #[test]
    fn a_bad_deploy_is_a_version_nobody_released() {
        assert_eq!(Member::Catalog.bad_version(), "1.6.0");
        for member in Member::ALL {
            assert!(!member.versions().contains(&member.bad_version().as_str()));
        }
    }
}
