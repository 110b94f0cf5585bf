//! The event bus: NATS JetStream, or queues in this process that say so. Producers write PRODUCER
//! spans; every message is processed in a trace of its own that links back to its producer.

mod in_process;
mod nats;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use opentelemetry::KeyValue;
use opentelemetry::logs::Severity;
use opentelemetry::trace::SpanKind;
use serde_json::Value;

use crate::failure::Failure;
use crate::fault::FaultKind;
use crate::graph::{Edge, EdgeKind};
use crate::instance::Instance;
use crate::member::Member;
use crate::work::{Work, link_to, span};

/// Where orders are announced.
pub(crate) const ORDERS_PLACED: &str = "orders.placed";
const DEPTH_INTERVAL: Duration = Duration::from_secs(2);

/// An event on its way.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// Why an event could not be published or fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BusError {
    #[error("the queue of {group} is full ({bound} messages)")]
    Full { group: String, bound: usize },
    #[error("NATS failed")]
    Nats(#[from] async_nats::Error),
}

/// The broker. Outlives the instances that use it.
pub(crate) struct Broker {
    engine: Engine,
    system: &'static str,
    server: Option<(String, u16)>,
}

enum Engine {
    InProcess(in_process::Queues),
    Nats(Box<nats::Stream>),
}

impl Broker {
    /// Queues in this process, labelled `in_process`.
    pub(crate) fn embedded() -> Self {
        Self { engine: Engine::InProcess(in_process::Queues::default()), system: "in_process", server: None }
    }

    /// A NATS server with JetStream.
    pub(crate) async fn nats(url: &str) -> anyhow::Result<Self> {
        let (stream, server) = nats::Stream::open(url).await?;
        Ok(Self { engine: Engine::Nats(Box::new(stream)), system: "nats", server: Some(server) })
    }

    fn attributes(&self, operation: (&'static str, &'static str), group: Option<Member>) -> Vec<KeyValue> {
        let (kind, name) = operation;
        let mut attributes = vec![
            KeyValue::new("messaging.system", self.system),
            KeyValue::new("messaging.destination.name", ORDERS_PLACED),
            KeyValue::new("messaging.operation.type", kind),
            KeyValue::new("messaging.operation.name", name),
        ];
        if let Some((address, port)) = &self.server {
            attributes.push(KeyValue::new("server.address", address.clone()));
            attributes.push(KeyValue::new("server.port", i64::from(*port)));
        }
        if let Some(group) = group {
            attributes.push(KeyValue::new("messaging.consumer.group.name", group.name()));
        }
        attributes
    }

    fn edge(&self, caller: &str, callee: &str, kind: EdgeKind) -> Edge {
        let mut edge = Edge::new(caller, callee, kind);
        edge.system = Some(self.system.into());
        edge.server_address = self.server.as_ref().map(|(address, _)| address.clone());
        edge.server_port = self.server.as_ref().map(|(_, port)| *port);
        edge
    }
}

/// An instance's way to announce orders.
pub(crate) struct Publisher {
    instance: Arc<Instance>,
    broker: Arc<Broker>,
}

impl Publisher {
    /// Wires `instance` to the bus.
    pub(crate) fn new(instance: &Arc<Instance>, broker: Arc<Broker>) -> Self {
        instance.wiring.add([broker.edge(instance.member().name(), ORDERS_PLACED, EdgeKind::Publish)]);
        Self { instance: instance.clone(), broker }
    }

    /// Announces an event; returns when the broker has it.
    ///
    /// # Errors
    /// 500 when the broker is gone or full.
    pub(crate) async fn publish(&self, work: &Work, id: &str, event: &Value) -> Result<(), Failure> {
        let body = event.to_string().into_bytes();
        let mut attributes = self.broker.attributes(("send", "publish"), None);
        let mut more = attributes.clone();
        more.push(KeyValue::new("messaging.message.id", id.to_owned()));
        more.push(KeyValue::new("messaging.message.body.size", body.len() as i64));
        let call = work.child(span(SpanKind::Producer, format!("publish {ORDERS_PLACED}"), more));
        let started = Instant::now();
        let message = Message { id: id.into(), headers: call.headers(), body };
        let sent = match &self.broker.engine {
            Engine::InProcess(queues) => queues.publish(message),
            Engine::Nats(stream) => stream.publish(message).await,
        };
        let outcome = sent.map_err(|error| {
            call.fail("PublishError", &error.to_string());
            attributes.push(KeyValue::new("error.type", "PublishError"));
            Failure::broke("PublishError", format!("could not publish to {ORDERS_PLACED}"), error)
        });
        let instruments = &self.instance.telemetry.instruments;
        instruments.send_duration.record(started.elapsed().as_secs_f64(), &attributes);
        instruments.sent.add(1, &attributes);
        call.end();
        outcome
    }
}

/// What a follower does with an event.
pub(crate) trait Follower: Send + Sync + 'static {
    fn handle(&self, work: &Work, event: &Value) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// An instance's subscription, wired but not yet running.
pub(crate) struct Subscription {
    instance: Arc<Instance>,
    broker: Arc<Broker>,
    source: Source,
}

enum Source {
    InProcess(Arc<in_process::Queue>),
    Nats(Box<nats::Consumer>),
}

impl Subscription {
    /// Wires `instance` to the bus, as the consumer group of its name.
    pub(crate) async fn new(instance: &Arc<Instance>, broker: Arc<Broker>) -> anyhow::Result<Self> {
        let group = instance.member().name();
        let source = match &broker.engine {
            Engine::InProcess(queues) => Source::InProcess(queues.group(group)),
            Engine::Nats(stream) => Source::Nats(Box::new(stream.group(group).await?)),
        };
        let mut edge = broker.edge(ORDERS_PLACED, group, EdgeKind::Consume);
        edge.consumer_group = Some(group.into());
        instance.wiring.add([edge]);
        Ok(Self { instance: instance.clone(), broker, source })
    }

    /// Feeds every event to `follower`, one after the other, until dropped.
    pub(crate) async fn run(mut self, follower: impl Follower) {
        let depth = self.instance.telemetry.meter.i64_gauge("shop.queue.depth");
        let depth = depth.with_unit("{message}").with_description("Messages waiting for the consumer group.").build();
        let labels = [
            KeyValue::new("messaging.destination.name", ORDERS_PLACED),
            KeyValue::new("messaging.consumer.group.name", self.instance.member().name()),
        ];
        let mut measured: Option<Instant> = None;
        loop {
            if measured.is_none_or(|at| at.elapsed() >= DEPTH_INTERVAL) {
                measured = Some(Instant::now());
                if let Some(waiting) = self.source.depth().await {
                    depth.record(waiting, &labels);
                }
            }
            match tokio::time::timeout(DEPTH_INTERVAL, self.source.next()).await {
                Err(_) => {} // quiet: measure again
                Ok(Ok(delivery)) => {
                    let processed = self.process(&follower, &delivery.message).await;
                    if processed.is_ok() {
                        delivery.done().await;
                    }
                }
                Ok(Err(error)) => {
                    self.instance.say(Severity::Error, format!("cannot read {ORDERS_PLACED}: {error}"), []);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn process(&self, follower: &impl Follower, message: &Message) -> Result<(), Failure> {
        let me = self.instance.member();
        let mut attributes = self.broker.attributes(("process", "process"), Some(me));
        let mut more = attributes.clone();
        more.push(KeyValue::new("messaging.message.id", message.id.clone()));
        more.push(KeyValue::new("messaging.message.body.size", message.body.len() as i64));
        let consumer = span(SpanKind::Consumer, format!("process {ORDERS_PLACED}"), more);
        let consumer = consumer.with_links(link_to(&message.headers).into_iter().collect());
        let work = Work::root(&self.instance.telemetry, consumer);
        let started = Instant::now();
        self.instance.faults.delay(FaultKind::BusBacklog, me).await;
        let outcome = match serde_json::from_slice(&message.body) {
            Ok(event) => follower.handle(&work, &event).await,
            Err(error) => Err(Failure::broke("InvalidEvent", "the event is not JSON", error)),
        };
        if let Err(failure) = &outcome {
            work.fail(&failure.code, &failure.detail);
            attributes.push(KeyValue::new("error.type", failure.code.clone()));
            match &failure.cause {
                Some(cause) => work.exception(&failure.code, cause.as_ref()),
                None => work.warn(format!("event {} not processed: {failure}", message.id), []),
            }
        }
        let instruments = &self.instance.telemetry.instruments;
        instruments.process_duration.record(started.elapsed().as_secs_f64(), &attributes);
        instruments.consumed.add(1, &attributes);
        work.end();
        match outcome {
            // Broken for good or refused for a reason: another delivery would end the same way.
            Err(failure) if failure.code != "InvalidEvent" && failure.status == StatusCode::INTERNAL_SERVER_ERROR => {
                Err(failure)
            }
            _ => Ok(()),
        }
    }
}

/// A message, and how to tell the broker that it is processed.
struct Delivery {
    message: Message,
    receipt: Option<Box<async_nats::jetstream::Message>>,
}

impl Delivery {
    async fn done(&self) {
        if let Some(receipt) = &self.receipt {
            // Not acknowledged: it comes again, which followers tolerate.
            let _ = receipt.ack().await;
        }
    }
}

impl Source {
    async fn next(&mut self) -> Result<Delivery, BusError> {
        match self {
            Source::InProcess(queue) => Ok(Delivery { message: queue.next().await, receipt: None }),
            Source::Nats(consumer) => consumer.next().await,
        }
    }

    async fn depth(&self) -> Option<i64> {
        match self {
            Source::InProcess(queue) => Some(queue.len() as i64),
            Source::Nats(consumer) => consumer.depth().await,
        }
    }
}
