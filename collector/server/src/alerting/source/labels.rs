//! What series are called.

use orrery_model::ServiceKey;
use orrery_query::answer::CellNode;
use std::collections::BTreeMap;

pub(super) type Labels = BTreeMap<String, String>;

/// A service as people write it: `namespace/name`, without the environment, which is a label of its own.
fn called(service: &ServiceKey) -> String {
    ServiceKey { environment: String::new(), ..service.clone() }.to_string()
}

fn with_environment(mut labels: Labels, environment: &str) -> Labels {
    if !environment.is_empty() {
        labels.insert("environment".to_owned(), environment.to_owned());
    }
    labels
}

/// `service`, and `environment` if it has one.
pub(super) fn of_service(service: &ServiceKey) -> Labels {
    with_environment([("service".to_owned(), called(service))].into(), &service.environment)
}

/// `caller` and `callee`, and `environment` if they have one. Of two different ones the callee keeps its own.
pub(super) fn of_edge(caller: &CellNode, callee: &CellNode) -> Labels {
    let service = |node: &CellNode| node.is_service.then(|| ServiceKey::parse(&node.id));
    let (from, to) = (service(caller), service(callee));
    let environment = from.as_ref().or(to.as_ref()).map(|service| service.environment.clone()).unwrap_or_default();
    let name = |node: &CellNode, service: Option<ServiceKey>| match service {
        Some(service) if service.environment == environment => called(&service),
        _ => node.id.clone(),
    };
    let labels = [("caller".to_owned(), name(caller, from)), ("callee".to_owned(), name(callee, to))];
    with_environment(labels.into(), &environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_called_as_people_write_them() {
        let node = |id: &str, is_service| CellNode { id: id.into(), name: String::new(), is_service };
        let text =
            |labels: Labels| labels.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        let edge = |a: (&str, bool), b: (&str, bool)| text(of_edge(&node(a.0, a.1), &node(b.0, b.1)));
        assert_eq!(text(of_service(&ServiceKey::parse("shop/cart@prod"))), ["environment=prod", "service=shop/cart"]);
        assert_eq!(edge(("web", true), ("cart", true)), ["callee=cart", "caller=web"]);
        let redis = "database:redis/redis:6379";
        assert_eq!(
            edge(("web@prod", true), (redis, false)),
            [format!("callee={redis}").as_str(), "caller=web", "environment=prod"]
        );
        assert_eq!(edge(("web@a", true), ("cart@b", true)), ["callee=cart@b", "caller=web", "environment=a"]);
        assert_eq!(edge(("user:", false), ("cart@b", true)), ["callee=cart", "caller=user:", "environment=b"]);
    }
}
