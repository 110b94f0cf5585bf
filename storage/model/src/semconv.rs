//! Semantic-convention names: old and new spellings are one field.

/// Canonical attribute name of `name` (itself, when it is current or unknown).
///
/// Source: OpenTelemetry semantic conventions 1.44, schema renames plus the renames the schema file does not cover.
pub fn canonical(name: &str) -> &str {
    RENAMES.iter().find(|(old, _)| *old == name).map_or(name, |(_, new)| new)
}

/// All accepted spellings of an attribute, the canonical one first.
pub fn spellings(name: &str) -> impl Iterator<Item = &str> {
    let canonical = canonical(name);
    std::iter::once(canonical).chain(RENAMES.iter().filter(move |(_, new)| *new == canonical).map(|(old, _)| *old))
}

/// (old name, canonical name). Unconditional renames only; those that depend on the span's side are in the topology rules.
const RENAMES: &[(&str, &str)] = &[
    ("http.method", "http.request.method"),
    ("http.status_code", "http.response.status_code"),
    ("http.url", "url.full"),
    ("http.scheme", "url.scheme"),
    ("http.user_agent", "user_agent.original"),
    ("http.client_ip", "client.address"),
    ("net.sock.peer.addr", "network.peer.address"),
    ("net.peer.ip", "network.peer.address"),
    ("net.sock.peer.port", "network.peer.port"),
    ("rpc.system", "rpc.system.name"),
    ("rpc.grpc.status_code", "rpc.status_code"),
    ("rpc.response.status_code", "rpc.status_code"),
    ("db.system", "db.system.name"),
    ("db.name", "db.namespace"),
    ("db.redis.database_index", "db.namespace"),
    ("db.cassandra.keyspace", "db.namespace"),
    ("db.sql.table", "db.collection.name"),
    ("db.mongodb.collection", "db.collection.name"),
    ("db.operation", "db.operation.name"),
    ("db.statement", "db.query.text"),
    ("messaging.destination", "messaging.destination.name"),
    ("messaging.temp_destination", "messaging.destination.temporary"),
    ("messaging.operation", "messaging.operation.type"),
    ("messaging.kafka.consumer.group", "messaging.consumer.group.name"),
    ("messaging.kafka.consumer_group", "messaging.consumer.group.name"),
    ("messaging.consumer_group", "messaging.consumer.group.name"),
    ("messaging.message_id", "messaging.message.id"),
    ("messaging.conversation_id", "messaging.message.conversation_id"),
    ("messaging.client_id", "messaging.client.id"),
    ("messaging.kafka.partition", "messaging.destination.partition.id"),
    ("messaging.kafka.destination.partition", "messaging.destination.partition.id"),
    ("messaging.kafka.message.offset", "messaging.kafka.offset"),
    ("peer.service", "service.peer.name"),
    ("deployment.environment", "deployment.environment.name"),
    ("code.function", "code.function.name"),
    ("code.filepath", "code.file.path"),
    ("code.lineno", "code.line.number"),
    ("faas.execution", "faas.invocation_id"),
    ("faas.id", "cloud.resource_id"),
    ("gen_ai.system", "gen_ai.provider.name"),
    ("gen_ai.usage.prompt_tokens", "gen_ai.usage.input_tokens"),
    ("gen_ai.usage.completion_tokens", "gen_ai.usage.output_tokens"),
    ("container.runtime", "container.runtime.name"),
    ("feature_flag.provider_name", "feature_flag.provider.name"),
    ("feature_flag.variant", "feature_flag.result.variant"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_new_names_are_one_field() {
        assert_eq!(canonical("http.method"), "http.request.method");
        assert_eq!(canonical("shop.cart.id"), "shop.cart.id");
        assert_eq!(spellings("db.statement").collect::<Vec<_>>(), ["db.query.text", "db.statement"]);
    }

    #[test]
    fn no_rename_leads_to_a_renamed_name() {
        for (old, new) in RENAMES {
            assert_eq!(canonical(new), *new, "{old}");
        }
    }
}
