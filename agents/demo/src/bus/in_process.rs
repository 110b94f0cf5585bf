//! Queues in this process, one per consumer group.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::{BusError, Message};

/// Messages a group may have waiting.
const BOUND: usize = 10_000;

/// All groups; each gets every message published after it was named.
#[derive(Default)]
pub(super) struct Queues(Mutex<BTreeMap<String, Arc<Queue>>>);

/// One group's messages, oldest first.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<VecDeque<Message>>,
    arrived: Notify,
}

impl Queues {
    /// The group's queue, which stays when its consumer goes.
    pub(super) fn group(&self, name: &str) -> Arc<Queue> {
        let mut queues = self.0.lock().expect("queue calls do not panic");
        queues.entry(name.into()).or_default().clone()
    }

    /// All groups get it or none.
    pub(super) fn publish(&self, message: Message) -> Result<(), BusError> {
        let queues = self.0.lock().expect("queue calls do not panic");
        if let Some((group, _)) = queues.iter().find(|(_, queue)| queue.len() >= BOUND) {
            return Err(BusError::Full { group: group.clone(), bound: BOUND });
        }
        for queue in queues.values() {
            queue.waiting.lock().expect("queue calls do not panic").push_back(message.clone());
            queue.arrived.notify_one();
        }
        Ok(())
    }
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.lock().expect("queue calls do not panic").len()
    }

    pub(super) async fn next(&self) -> Message {
        loop {
            if let Some(message) = self.waiting.lock().expect("queue calls do not panic").pop_front() {
                return message;
            }
            self.arrived.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: usize) -> Message {
        Message { id: id.to_string(), headers: Default::default(), body: Vec::new() }
    }

    #[tokio::test]
    async fn every_group_gets_every_message_in_order() {
        let queues = Queues::default();
        let (a, b) = (queues.group("a"), queues.group("b"));
        queues.publish(message(1)).unwrap();
        queues.publish(message(2)).unwrap();
        assert_eq!((a.next().await.id, a.next().await.id), ("1".into(), "2".into()));
        assert_eq!((a.len(), b.len()), (0, 2));
    }

    #[test]
    fn a_full_group_refuses_for_all() {
        let queues = Queues::default();
        let (slow, quick) = (queues.group("slow"), queues.group("quick"));
        for id in 0..BOUND {
            queues.publish(message(id)).unwrap();
        }
        quick.waiting.lock().unwrap().clear();
        assert!(matches!(queues.publish(message(BOUND)), Err(BusError::Full { group, .. }) if group == "slow"));
        assert_eq!((slow.len(), quick.len()), (BOUND, 0));
    }
}
