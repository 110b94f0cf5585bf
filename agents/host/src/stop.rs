//! How the parts of the agent learn that it ends, and how long they still have.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// What is left to send gets this long.
const DRAIN: Duration = Duration::from_secs(4);

/// Tells all [`Stop`]s that the agent ends.
#[derive(Debug)]
pub(crate) struct Stopper(watch::Sender<Option<Instant>>);

impl Stopper {
    pub(crate) fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), Stop(receiver))
    }

    /// Ends the agent: parts finish what they have within four seconds.
    pub(crate) fn stop(&self) {
        self.0.send_replace(Some(Instant::now() + DRAIN));
    }
}

/// Whether the agent ends. A stopper that is dropped means so too, without time left.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<Option<Instant>>);

impl Stop {
    pub(crate) fn is_set(&self) -> bool {
        self.0.borrow().is_some() || self.0.has_changed().is_err()
    }

    /// Returns when the agent begins to end.
    pub(crate) async fn wait(&self) {
        let _ = self.0.clone().wait_for(Option::is_some).await;
    }

    /// Returns when no time is left.
    pub(crate) async fn deadline(&self) {
        let deadline = match self.0.clone().wait_for(Option::is_some).await {
            Ok(deadline) => *deadline,
            Err(_) => None,
        };
        if let Some(deadline) = deadline {
            tokio::time::sleep_until(deadline).await;
        }
    }
}
