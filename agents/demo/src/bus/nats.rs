//! NATS JetStream: one stream for the orders, one durable pull consumer per group.

use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::{self, stream};
use futures_util::StreamExt as _;

use super::{BusError, Delivery, Message, ORDERS_PLACED};

const STREAM: &str = "SHOP_ORDERS";
const KEEP_MESSAGES: i64 = 100_000;

pub(super) struct Stream {
    context: jetstream::Context,
    stream: stream::Stream,
}

pub(super) struct Consumer {
    consumer: PullConsumer,
    messages: pull::Stream,
}

impl Stream {
    /// Connects and makes sure the stream exists; also tells host and port.
    pub(super) async fn open(url: &str) -> anyhow::Result<(Self, (String, u16))> {
        let address: async_nats::ServerAddr = url.parse().context("stores.nats")?;
        let server = (address.host().to_owned(), address.port());
        let client = async_nats::ConnectOptions::new()
            .connection_timeout(Duration::from_secs(3))
            .name("shop")
            .connect(address)
            .await;
        let context = jetstream::new(client.context("stores.nats: cannot connect")?);
        let config = stream::Config {
            name: STREAM.into(),
            subjects: vec![ORDERS_PLACED.into()],
            max_messages: KEEP_MESSAGES,
            max_age: Duration::from_secs(3600),
            ..Default::default()
        };
        let stream = context.get_or_create_stream(config).await;
        let stream = stream.context("stores.nats: no JetStream; start the server with -js")?;
        Ok((Self { context, stream }, server))
    }

    pub(super) async fn publish(&self, message: Message) -> Result<(), BusError> {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Nats-Msg-Id", message.id.as_str());
        for (name, value) in &message.headers {
            headers.insert(name.as_str(), value.as_str());
        }
        let sent =
            self.context.publish_with_headers(ORDERS_PLACED, headers, message.body.into()).await.map_err(boxed)?;
        sent.await.map_err(boxed)?;
        Ok(())
    }

    pub(super) async fn group(&self, name: &str) -> anyhow::Result<Consumer> {
        let config = pull::Config {
            durable_name: Some(name.into()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: Duration::from_secs(30),
            // What lies there from an earlier shop is not ours to explain.
            deliver_policy: DeliverPolicy::New,
            ..Default::default()
        };
        let consumer = self
            .stream
            .get_or_create_consumer(name, config)
            .await
            .with_context(|| format!("stores.nats: consumer {name}"))?;
        // One at a time: what waits shall wait in the server, where the queue depth is measured.
        let messages = consumer.stream().max_messages_per_batch(1).messages().await?;
        Ok(Consumer { consumer, messages })
    }
}

impl Consumer {
    pub(super) async fn next(&mut self) -> Result<Delivery, BusError> {
        let message = match self.messages.next().await {
            Some(message) => message.map_err(boxed)?,
            None => return Err(BusError::Nats("the subscription ended".into())),
        };
        let header = |name: &str| Some(message.headers.as_ref()?.get(name)?.as_str().to_owned());
        let headers = ["traceparent", "tracestate"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), header(name)?)))
            .collect();
        let id = header("Nats-Msg-Id").unwrap_or_default();
        Ok(Delivery {
            message: Message { id, headers, body: message.payload.to_vec() },
            receipt: Some(Box::new(message)),
        })
    }

    pub(super) async fn depth(&self) -> Option<i64> {
        let info = self.consumer.get_info().await.ok()?;
        i64::try_from(info.num_pending).ok()
    }
}

fn boxed(error: impl std::error::Error + Send + Sync + 'static) -> BusError {
    BusError::Nats(Box::new(error))
}
