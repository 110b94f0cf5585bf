//! Whom the product tells: a webhook and a mail server, and what they get. Both are those that the sender is tested with.

#[allow(clippy::unwrap_used, dead_code, reason = "parts are for the sender's own tests")]
#[path = "../../../../collector/notify/tests/channels/mime.rs"]
mod mime;
#[allow(clippy::unwrap_used, dead_code, reason = "parts are for the sender's own tests")]
#[path = "../../../../collector/notify/tests/channels/receiver.rs"]
mod receiver;
#[allow(clippy::unwrap_used, dead_code, reason = "parts are for the sender's own tests")]
#[path = "../../../../collector/notify/tests/channels/smtp.rs"]
mod smtp;

use crate::product::Product;
use anyhow::{Context, Result, ensure};
pub(crate) use mime::Entity;
use receiver::{Manner, Receiver};
use serde_json::{Value, json};
use smtp::{MailSink, Manners};
use std::collections::BTreeSet;

const ADDRESS: &str = "ops@example.com";

/// A webhook and a mailbox.
pub(crate) struct Phones {
    webhook: Receiver,
    mailbox: MailSink,
}

impl Phones {
    /// Gives the product their numbers: from now on it tells both of everything.
    pub(crate) async fn of(product: &Product) -> Result<Phones> {
        let webhook = Receiver::start(vec![Manner::Answers(200, "", "")]).await;
        let mailbox = MailSink::start(Manners::default()).await;
        let to = [
            json!({ "kind": "webhook", "url": webhook.url("/alerts") }),
            json!({ "kind": "email", "host": "127.0.0.1", "port": mailbox.port, "tls": "none",
                "from": "Orrery <orrery@example.com>", "to": [ADDRESS] }),
        ];
        for (name, to) in ["webhook", "mailbox"].iter().zip(to) {
            product.post("/api/v1/alerting/channels", &json!({ "name": name, "to": to })).await?;
        }
        Ok(Phones { webhook, mailbox })
    }

    /// What the webhook got, in order.
    pub(crate) fn messages(&self) -> Vec<Value> {
        self.webhook.got().iter().map(receiver::Received::json).collect()
    }

    /// The mail that says what a message says: of those with the same title, which may be more than one, the same one.
    pub(crate) fn mail(&self, message: &Value) -> Option<Entity> {
        let title = message["title"].as_str()?;
        let messages = self.messages();
        let same = messages.iter().filter(|other| other["title"] == title);
        let number = same.take_while(|other| other["id"] != message["id"]).count();
        let mails = self.mailbox.got().into_iter().map(|mail| Entity::parse(&mail.text));
        mails.filter(|mail| mail.parts.first().is_some_and(|plain| plain.text().contains(title))).nth(number)
    }

    /// Each said the same things, each of them once, and only to whom it should.
    pub(crate) fn agree(&self) -> Result<()> {
        let keys: Vec<String> = self
            .webhook
            .got()
            .iter()
            .map(|got| got.headers.get("idempotency-key").cloned().context("a key"))
            .collect::<Result<_>>()?;
        let mails = self.mailbox.got();
        ensure!(mails.iter().all(|mail| mail.to == [ADDRESS]), "mail to others: {mails:?}");
        let mails: Vec<Entity> = mails.iter().map(|mail| Entity::parse(&mail.text)).collect();
        let ids: Vec<&str> = mails.iter().filter_map(mail_id).collect();
        let distinct = |all: &[&str]| all.iter().copied().map(str::to_owned).collect::<BTreeSet<_>>();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        ensure!(distinct(&keys).len() == keys.len(), "a webhook came twice: {keys:?}");
        ensure!(distinct(&ids).len() == mails.len(), "a mail came twice: {ids:?}");
        ensure!(keys.len() == ids.len(), "{keys:?} by webhook, {ids:?} by mail");
        for message in self.messages() {
            ensure!(self.mail(&message).is_some(), "no mail says {}", message["title"]);
        }
        Ok(())
    }
}

fn mail_id(mail: &Entity) -> Option<&str> {
    mail.headers.get("message-id")?.strip_prefix('<')?.strip_suffix("@orrery>")
}
