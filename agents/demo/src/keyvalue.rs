//! Key-value stores for the services: Redis, or a map in this process that says so.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use opentelemetry::KeyValue as Attribute;
use opentelemetry::trace::SpanKind;

use crate::database::Place;
use crate::failure::Failure;
use crate::fault::FaultKind;
use crate::instance::Instance;
use crate::member::Member;
use crate::work::{Work, span};

/// Keys beyond this are swept of expired ones.
const SWEEP_AT: usize = 10_000;

/// One service's key-value store. Outlives the service's instances.
pub(crate) struct KeyValue {
    engine: Engine,
    place: Place,
}

enum Engine {
    InProcess(Mutex<HashMap<String, Entry>>),
    Redis(redis::aio::ConnectionManager),
}

struct Entry {
    value: String,
    expires: Instant,
}

impl KeyValue {
    /// A map in this process, labelled `in_process`.
    pub(crate) fn embedded(owner: Member) -> Self {
        let place = Place { system: "in_process", namespace: owner.name().into(), server: None };
        Self { engine: Engine::InProcess(Mutex::default()), place }
    }

    /// Database `index` of a Redis server.
    pub(crate) async fn redis(url: &str, index: i64) -> anyhow::Result<Self> {
        let info: redis::ConnectionInfo =
            redis::IntoConnectionInfo::into_connection_info(url).context("stores.redis")?;
        let server = match info.addr() {
            redis::ConnectionAddr::Tcp(host, port) => Some((host.clone(), *port)),
            _ => None,
        };
        let info = info.clone().set_redis_settings(info.redis_settings().clone().set_db(index));
        let client = redis::Client::open(info).context("stores.redis")?;
        let limits = redis::aio::ConnectionManagerConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(3)))
            .set_response_timeout(Some(Duration::from_secs(3)))
            .set_number_of_retries(2);
        let connection = redis::aio::ConnectionManager::new_with_config(client, limits)
            .await
            .context("stores.redis: cannot connect")?;
        Ok(Self {
            engine: Engine::Redis(connection),
            place: Place { system: "redis", namespace: index.to_string(), server },
        })
    }

    async fn run(&self, command: &Command<'_>) -> Result<Option<String>, redis::RedisError> {
        match &self.engine {
            Engine::InProcess(map) => Ok(run_in_process(&mut map.lock().expect("map calls do not panic"), command)),
            Engine::Redis(connection) => {
                let mut connection = connection.clone();
                match command {
                    Command::Get(key) => redis::cmd("GET").arg(key).query_async(&mut connection).await,
                    Command::Take(key) => redis::cmd("GETDEL").arg(key).query_async(&mut connection).await,
                    Command::Set(key, value, ttl) => redis::cmd("SETEX")
                        .arg(key)
                        .arg(ttl.as_secs().max(1))
                        .arg(value)
                        .query_async::<()>(&mut connection)
                        .await
                        .map(|()| None),
                }
            }
        }
    }
}

fn run_in_process(map: &mut HashMap<String, Entry>, command: &Command<'_>) -> Option<String> {
    let now = Instant::now();
    match command {
        Command::Get(key) => map.get(*key).filter(|entry| entry.expires > now).map(|entry| entry.value.clone()),
        Command::Take(key) => map.remove(*key).filter(|entry| entry.expires > now).map(|entry| entry.value),
        Command::Set(key, value, ttl) => {
            if map.len() >= SWEEP_AT {
                map.retain(|_, entry| entry.expires > now);
            }
            map.insert((*key).into(), Entry { value: value.clone(), expires: now + *ttl });
            None
        }
    }
}

enum Command<'a> {
    Get(&'a str),
    Take(&'a str),
    Set(&'a str, String, Duration),
}

impl Command<'_> {
    /// Operation, and its text without the values.
    fn names(&self) -> (&'static str, &'static str) {
        match self {
            Command::Get(_) => ("GET", "GET ?"),
            Command::Take(_) => ("GETDEL", "GETDEL ?"),
            Command::Set(..) => ("SETEX", "SETEX ? ? ?"),
        }
    }
}

/// An instance's use of a key-value store: a CLIENT span for every command.
pub(crate) struct Cache {
    instance: Arc<Instance>,
    store: Arc<KeyValue>,
}

impl Cache {
    /// Wires `instance` to its store.
    pub(crate) fn new(instance: &Arc<Instance>, store: Arc<KeyValue>) -> Self {
        instance.wiring.add([store.place.edge(instance.member())]);
        Self { instance: instance.clone(), store }
    }

    /// The value, unless it is missing or expired.
    pub(crate) async fn get(&self, work: &Work, key: &str) -> Result<Option<String>, Failure> {
        self.run(work, Command::Get(key)).await
    }

    /// The value, removed: only one caller gets it.
    pub(crate) async fn take(&self, work: &Work, key: &str) -> Result<Option<String>, Failure> {
        self.run(work, Command::Take(key)).await
    }

    pub(crate) async fn set(&self, work: &Work, key: &str, value: String, ttl: Duration) -> Result<(), Failure> {
        self.run(work, Command::Set(key, value, ttl)).await.map(drop)
    }

    async fn run(&self, work: &Work, command: Command<'_>) -> Result<Option<String>, Failure> {
        let (operation, text) = command.names();
        let mut attributes = self.store.place.attributes();
        attributes.push(Attribute::new("db.operation.name", operation));
        let mut more = attributes.clone();
        more.push(Attribute::new("db.query.text", text));
        let call = work.child(span(SpanKind::Client, operation, more));
        let started = Instant::now();
        self.instance.faults.delay(FaultKind::SlowDatabase, self.instance.member()).await;
        let outcome = self.store.run(&command).await.map_err(|error| {
            let code = error.code().unwrap_or("connection_broken").to_owned();
            call.fail(&code, &error.to_string());
            attributes.push(Attribute::new("error.type", code.clone()));
            Failure::broke(&code, format!("{operation} failed"), error)
        });
        self.instance.telemetry.instruments.db_duration.record(started.elapsed().as_secs_f64(), &attributes);
        call.end();
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_forgets_on_time_and_gives_once() {
        let mut map = HashMap::new();
        run_in_process(&mut map, &Command::Set("a", "1".into(), Duration::from_secs(60)));
        run_in_process(&mut map, &Command::Set("b", "2".into(), Duration::ZERO));
        assert_eq!(run_in_process(&mut map, &Command::Get("a")), Some("1".into()));
        assert_eq!(run_in_process(&mut map, &Command::Get("b")), None);
        assert_eq!(run_in_process(&mut map, &Command::Take("a")), Some("1".into()));
        assert_eq!(run_in_process(&mut map, &Command::Take("a")), None);
    }
}
