//! What evaluation has to remember over a crash: states of alerts, what happened, and messages on their way. One step of
//! it is kept as a whole or not at all.

use crate::{Meta, MetaError};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use std::collections::BTreeMap;

/// What one step of evaluation changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Alerts that are in another state now.
    pub states: Vec<AlertState>,
    /// Ids of alerts that are forgotten; what was said about them goes with them.
    pub gone: Vec<String>,
    /// Groups of alerts told together that are in another state now.
    pub groups: Vec<(String, String)>,
    /// Names of groups that are forgotten.
    pub gone_groups: Vec<String>,
    /// What happened.
    pub events: Vec<NewEvent>,
    /// Messages to be delivered. One whose id is known already is left as it is: it is the same message.
    pub outbox: Vec<NewMessage>,
}

/// What evaluation knows about an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertState {
    /// Its id.
    pub alert: String,
    /// Name of its rule.
    pub rule: String,
    /// What is known.
    pub json: String,
}

/// Something that happened to an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewEvent {
    /// Id of the alert.
    pub alert: String,
    /// Name of its rule.
    pub rule: String,
    /// When it happened, Unix nanoseconds.
    pub at_unix_nano: i64,
    /// When it was written down, Unix nanoseconds.
    pub recorded_unix_nano: i64,
    /// The event.
    pub json: String,
}

/// An event as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Increases with each event, and is never given again.
    pub number: i64,
    /// What happened.
    pub what: NewEvent,
}

/// A message to be delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewMessage {
    /// The same for every attempt.
    pub id: String,
    /// Name of the channel.
    pub channel: String,
    /// Of the alerts it is about.
    pub group: String,
    /// The message.
    pub json: String,
    /// When it was decided to send it, Unix nanoseconds; also when it is tried first.
    pub created_unix_nano: i64,
}

/// How a message stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageState {
    /// Is tried, or tried again.
    #[default]
    Waiting,
    /// The channel took it.
    Delivered,
    /// Given up.
    Failed,
}

impl MessageState {
    const fn as_str(self) -> &'static str {
        match self {
            MessageState::Waiting => "waiting",
            MessageState::Delivered => "delivered",
            MessageState::Failed => "failed",
        }
    }
}

/// A message as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// What is to be delivered.
    pub what: NewMessage,
    /// How it stands.
    pub state: MessageState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next, Unix nanoseconds.
    pub next_unix_nano: Option<i64>,
    /// When it was tried last, Unix nanoseconds.
    pub tried_unix_nano: Option<i64>,
    /// What went wrong last; of a delivered one, what is not as it should be all the same.
    pub error: Option<String>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempted {
    /// The channel took it.
    Delivered {
        /// What is not as it should be all the same.
        but: Option<String>,
    },
    /// It is tried again.
    Retry {
        /// When, Unix nanoseconds.
        next_unix_nano: i64,
        /// What went wrong.
        error: String,
    },
    /// It is given up.
    Failed {
        /// What went wrong.
        error: String,
    },
}

/// Messages of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// Delivered since the data directory was made.
    pub delivered: u64,
    /// Given up since then.
    pub failed: u64,
    /// On their way.
    pub waiting: u64,
}

/// Which events to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// First instant inside, Unix nanoseconds.
    pub from: i64,
    /// First instant after, Unix nanoseconds.
    pub to: i64,
    /// Only of this alert.
    pub alert: Option<String>,
    /// Only of this rule.
    pub rule: Option<String>,
    /// Only with a larger number.
    pub after: i64,
    /// The newest so many.
    pub limit: u32,
}

const MESSAGE: &str =
    "id, channel, group_name, json, created_unix_nano, state, attempts, next_unix_nano, tried_unix_nano, error";

impl Meta {
    /// Keeps what a step changes, all of it or nothing; on the disk when this returns. Answers the numbers of its events.
    pub fn commit(&self, step: &Step) -> Result<Vec<i64>, MetaError> {
        let mut db = self.db.lock();
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        write_states(&change, step)?;
        let numbers = write_events(&change, &step.events)?;
        let sql = "INSERT INTO alert_outbox (id, channel, group_name, json, state, attempts, next_unix_nano, \
                   created_unix_nano) VALUES (?1, ?2, ?3, ?4, 'waiting', 0, ?5, ?5) ON CONFLICT (id) DO NOTHING";
        let mut insert = change.prepare_cached(sql)?;
        for NewMessage { id, channel, group, json, created_unix_nano } in &step.outbox {
            insert.execute(params![id, channel, group, json, created_unix_nano])?;
        }
        drop(insert);
        change.commit()?;
        Ok(numbers)
    }

    /// What evaluation knows about all alerts.
    pub fn alert_states(&self) -> Result<Vec<AlertState>, MetaError> {
        let db = self.db.lock();
        let mut all = db.prepare_cached("SELECT alert, rule, json FROM alert_states ORDER BY alert")?;
        let state = |row: &Row<'_>| Ok(AlertState { alert: row.get(0)?, rule: row.get(1)?, json: row.get(2)? });
        Ok(all.query_map([], state)?.collect::<Result<_, _>>()?)
    }

    /// What is known about all groups, by name.
    pub fn alert_groups(&self) -> Result<BTreeMap<String, String>, MetaError> {
        let db = self.db.lock();
        let mut all = db.prepare_cached("SELECT name, json FROM alert_groups")?;
        Ok(all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
    }

    /// Events of a range, oldest first; of more than the limit the newest.
    pub fn events(&self, query: &EventQuery) -> Result<Vec<Event>, MetaError> {
        let db = self.db.lock();
        let mut sql = "SELECT number, alert, rule, at_unix_nano, recorded_unix_nano, json FROM alert_events WHERE \
                       at_unix_nano >= ?1 AND at_unix_nano < ?2 AND number > ?3"
            .to_owned();
        let none = String::new();
        // Each names its parameter, so that there are always as many.
        sql.push_str(if query.alert.is_some() { " AND alert = ?4" } else { " AND ?4 = ''" });
        sql.push_str(if query.rule.is_some() { " AND rule = ?5" } else { " AND ?5 = ''" });
        sql.push_str(" ORDER BY at_unix_nano DESC, number DESC LIMIT ?6");
        let mut newest = db.prepare_cached(&sql)?;
        let (alert, rule) = (query.alert.as_ref().unwrap_or(&none), query.rule.as_ref().unwrap_or(&none));
        let values = params![query.from, query.to, query.after, alert, rule, query.limit];
        let mut events: Vec<Event> = newest.query_map(values, event)?.collect::<Result<_, _>>()?;
        events.reverse();
        Ok(events)
    }

    /// How often each rule has events with this text in their JSON since an instant; by name of the rule. For figures such
    /// as "fired three times this week".
    pub fn count_events(&self, since_unix_nano: i64, text: &str) -> Result<BTreeMap<String, u64>, MetaError> {
        let db = self.db.lock();
        let sql =
            "SELECT rule, count(*) FROM alert_events WHERE at_unix_nano >= ?1 AND instr(json, ?2) > 0 GROUP BY rule";
        let mut counts = db.prepare_cached(sql)?;
        let count = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()));
        Ok(counts.query_map(params![since_unix_nano, text], count)?.collect::<Result<_, _>>()?)
    }

    /// Forgets events from before an instant, and of more than so many the oldest; how many went.
    pub fn prune_events(&self, before_unix_nano: i64, most: u32) -> Result<u64, MetaError> {
        let db = self.db.lock();
        let old = db.execute("DELETE FROM alert_events WHERE at_unix_nano < ?1", [before_unix_nano])?;
        let sql = "DELETE FROM alert_events WHERE number IN (SELECT number FROM alert_events ORDER BY number LIMIT \
                   max(0, (SELECT count(*) FROM alert_events) - ?1))";
        Ok((old + db.execute(sql, [most])?) as u64)
    }

    /// Messages to be tried by now, those that wait longest first. One whose group has an older one on its way to the same
    /// channel has to wait for that: what is over must not arrive before what began.
    pub fn messages_due(&self, now_unix_nano: i64, limit: u32) -> Result<Vec<Message>, MetaError> {
        let sql = format!(
            "SELECT {MESSAGE} FROM alert_outbox AS message WHERE next_unix_nano <= ?1 AND NOT EXISTS (SELECT 1 FROM \
             alert_outbox AS older WHERE older.next_unix_nano IS NOT NULL AND older.channel = message.channel AND \
             older.group_name = message.group_name AND (older.created_unix_nano, older.id) < \
             (message.created_unix_nano, message.id)) ORDER BY next_unix_nano, created_unix_nano, id LIMIT ?2"
        );
        messages(&self.db.lock(), &sql, params![now_unix_nano, limit])
    }

    /// When the next message is to be tried, Unix nanoseconds.
    pub fn next_message(&self) -> Result<Option<i64>, MetaError> {
        let sql = "SELECT min(next_unix_nano) FROM alert_outbox WHERE next_unix_nano IS NOT NULL";
        Ok(self.db.lock().query_row(sql, [], |row| row.get(0))?)
    }

    /// Messages, the newest first; those of a channel only, if it is named.
    pub fn messages(&self, channel: Option<&str>, limit: u32) -> Result<Vec<Message>, MetaError> {
        let sql = format!(
            "SELECT {MESSAGE} FROM alert_outbox WHERE ?1 IS NULL OR channel = ?1 ORDER BY created_unix_nano DESC, id \
             LIMIT ?2"
        );
        messages(&self.db.lock(), &sql, params![channel, limit])
    }

    /// An attempt to deliver a message has ended. Answers the message as it is now; `None` if there is none with this id,
    /// or if it was delivered or given up before.
    pub fn attempted(&self, id: &str, ended: &Attempted, now_unix_nano: i64) -> Result<Option<Message>, MetaError> {
        let mut db = self.db.lock();
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (state, next, error) = match ended {
            Attempted::Delivered { but } => (MessageState::Delivered, None, but.as_ref()),
            Attempted::Retry { next_unix_nano, error } => (MessageState::Waiting, Some(*next_unix_nano), Some(error)),
            Attempted::Failed { error } => (MessageState::Failed, None, Some(error)),
        };
        let sql = format!(
            "UPDATE alert_outbox SET state = ?2, attempts = attempts + 1, next_unix_nano = ?3, tried_unix_nano = ?4, \
             error = ?5 WHERE id = ?1 AND state = 'waiting' RETURNING {MESSAGE}"
        );
        let values = params![id, state.as_str(), next, now_unix_nano, error];
        let Some(message) = change.query_row(&sql, values, message).optional()? else { return Ok(None) };
        let (delivered, failed) = (state == MessageState::Delivered, state == MessageState::Failed);
        if delivered || failed {
            let count = "INSERT INTO alert_deliveries (channel, delivered, failed) VALUES (?1, ?2, ?3) ON CONFLICT (channel) \
                         DO UPDATE SET delivered = delivered + ?2, failed = failed + ?3";
            change.execute(count, params![message.what.channel, delivered, failed])?;
        }
        change.commit()?;
        Ok(Some(message))
    }

    /// Messages by channel.
    pub fn deliveries(&self) -> Result<BTreeMap<String, Deliveries>, MetaError> {
        let db = self.db.lock();
        let sql = "SELECT channel, sum(delivered), sum(failed), sum(waiting) FROM (\
                   SELECT channel, delivered, failed, 0 AS waiting FROM alert_deliveries UNION ALL \
                   SELECT channel, 0, 0, count(*) FROM alert_outbox WHERE state = 'waiting' GROUP BY channel) GROUP BY channel";
        let mut counts = db.prepare_cached(sql)?;
        let number = |row: &Row<'_>, at| row.get::<_, i64>(at).map(i64::unsigned_abs);
        let count = |row: &Row<'_>| {
            let (delivered, failed, waiting) = (number(row, 1)?, number(row, 2)?, number(row, 3)?);
            Ok((row.get(0)?, Deliveries { delivered, failed, waiting }))
        };
        Ok(counts.query_map([], count)?.collect::<Result<_, _>>()?)
    }

    /// Forgets messages that are delivered or given up and were made before an instant, and of more than so many such the
    /// oldest; how many went. Those on their way stay.
    pub fn prune_messages(&self, before_unix_nano: i64, most: u32) -> Result<u64, MetaError> {
        let db = self.db.lock();
        let old = "DELETE FROM alert_outbox WHERE state != 'waiting' AND created_unix_nano < ?1";
        let old = db.execute(old, [before_unix_nano])?;
        let surplus = "DELETE FROM alert_outbox WHERE id IN (SELECT id FROM alert_outbox WHERE state != 'waiting' \
                       ORDER BY created_unix_nano, id LIMIT max(0, (SELECT count(*) FROM alert_outbox WHERE \
                       state != 'waiting') - ?1))";
        Ok((old + db.execute(surplus, [most])?) as u64)
    }
}

fn write_states(change: &Transaction<'_>, step: &Step) -> Result<(), MetaError> {
    let put = "INSERT INTO alert_states (alert, rule, json) VALUES (?1, ?2, ?3) ON CONFLICT (alert) DO UPDATE SET \
               rule = ?2, json = ?3";
    let mut put = change.prepare_cached(put)?;
    for AlertState { alert, rule, json } in &step.states {
        put.execute([alert, rule, json])?;
    }
    for alert in &step.gone {
        change.prepare_cached("DELETE FROM alert_states WHERE alert = ?1")?.execute([alert])?;
        change.prepare_cached("DELETE FROM alert_acknowledgements WHERE alert = ?1")?.execute([alert])?;
    }
    let put = "INSERT INTO alert_groups (name, json) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET json = ?2";
    let mut put = change.prepare_cached(put)?;
    for (name, json) in &step.groups {
        put.execute([name, json])?;
    }
    for name in &step.gone_groups {
        change.prepare_cached("DELETE FROM alert_groups WHERE name = ?1")?.execute([name])?;
    }
    Ok(())
}

fn write_events(change: &Transaction<'_>, events: &[NewEvent]) -> Result<Vec<i64>, MetaError> {
    let sql =
        "INSERT INTO alert_events (alert, rule, at_unix_nano, recorded_unix_nano, json) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut insert = change.prepare_cached(sql)?;
    let number = |NewEvent { alert, rule, at_unix_nano, recorded_unix_nano, json }: &NewEvent| {
        Ok(insert.insert(params![alert, rule, at_unix_nano, recorded_unix_nano, json])?)
    };
    events.iter().map(number).collect()
}

fn messages(db: &Connection, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<Message>, MetaError> {
    let mut all = db.prepare_cached(sql)?;
    Ok(all.query_map(values, message)?.collect::<Result<_, _>>()?)
}

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let state: String = row.get(5)?;
    let states = [MessageState::Waiting, MessageState::Delivered, MessageState::Failed];
    Ok(Message {
        what: NewMessage {
            id: row.get(0)?,
            channel: row.get(1)?,
            group: row.get(2)?,
            json: row.get(3)?,
            created_unix_nano: row.get(4)?,
        },
        state: states.into_iter().find(|known| known.as_str() == state).unwrap_or_default(),
        attempts: row.get(6)?,
        next_unix_nano: row.get(7)?,
        tried_unix_nano: row.get(8)?,
        error: row.get(9)?,
    })
}

fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event {
        number: row.get(0)?,
        what: NewEvent {
            alert: row.get(1)?,
            rule: row.get(2)?,
            at_unix_nano: row.get(3)?,
            recorded_unix_nano: row.get(4)?,
            json: row.get(5)?,
        },
    })
}

#[cfg(test)]
mod tests;
