//! The one place that knows which faults are injected, were and will be.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::config::FaultPlan;
use crate::fault::{Fault, FaultKind, Faults, Origin};
use crate::member::Member;

const HISTORY: usize = 200;
/// How many planned faults are announced: one round through all kinds.
const ANNOUNCED: usize = FaultKind::ALL.len();

/// What `GET /faults` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultReport {
    /// When this was true, in unix nanoseconds.
    pub time_unix_nano: String,
    /// Injected now, oldest first.
    pub active: Vec<Fault>,
    /// Healed, newest first; at most 200.
    pub history: Vec<Fault>,
    /// The schedule's next ones, soonest first; empty when it is off.
    pub upcoming: Vec<Fault>,
}

/// Why a fault was not injected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} already hits {target} (fault {id})", kind = .0.kind.name(), target = .0.target, id = .0.id)]
pub(crate) struct AlreadyActive(pub(crate) Fault);

/// Injects and heals; time is passed in, so that tests need no clock.
pub(crate) struct Board {
    state: Mutex<State>,
    active: watch::Sender<Arc<[Fault]>>,
    plan: FaultPlan,
    started: i64,
}

#[derive(Default)]
struct State {
    injected: u64,
    active: Vec<Fault>,
    history: VecDeque<Fault>,
}

impl Board {
    pub(crate) fn new(plan: FaultPlan, now: i64) -> Self {
        let (active, _) = watch::channel(Arc::from([]));
        Self { state: Mutex::default(), active, plan, started: now }
    }

    /// What the members consult.
    pub(crate) fn faults(&self) -> Faults {
        Faults(self.active.subscribe())
    }

    /// Starts a fault at `now`.
    pub(crate) fn inject(
        &self,
        kind: FaultKind,
        target: Member,
        now: i64,
        lasting: Duration,
        origin: Origin,
    ) -> Result<Fault, AlreadyActive> {
        self.settle(now);
        let mut state = self.state();
        if let Some(fault) = state.active.iter().find(|fault| fault.kind == kind && fault.target == target) {
            return Err(AlreadyActive(fault.clone()));
        }
        state.injected += 1;
        let fault = Fault {
            id: format!("f{}", state.injected),
            kind,
            target,
            description: kind.describe(target),
            start_time_unix_nano: now,
            end_time_unix_nano: now.saturating_add(nanos(lasting)),
            origin,
        };
        state.active.push(fault.clone());
        self.publish(&state);
        Ok(fault)
    }

    /// Ends the faults that `which` picks; returns them with the end they got.
    pub(crate) fn heal(&self, now: i64, which: impl Fn(&Fault) -> bool) -> Vec<Fault> {
        self.settle(now);
        self.end(|fault| which(fault).then_some(now))
    }

    /// Ends what has run its time.
    pub(crate) fn settle(&self, now: i64) {
        self.end(|fault| (fault.end_time_unix_nano <= now).then_some(fault.end_time_unix_nano));
    }

    fn end(&self, when: impl Fn(&Fault) -> Option<i64>) -> Vec<Fault> {
        let mut state = self.state();
        let mut ended = Vec::new();
        state.active.retain(|fault| match when(fault) {
            Some(end_time_unix_nano) => {
                ended.push(Fault { end_time_unix_nano, ..fault.clone() });
                false
            }
            None => true,
        });
        if !ended.is_empty() {
            ended.iter().for_each(|fault| state.history.push_front(fault.clone()));
            state.history.truncate(HISTORY);
            self.publish(&state);
        }
        ended
    }

    pub(crate) fn report(&self, now: i64) -> FaultReport {
        self.settle(now);
        let state = self.state();
        FaultReport {
            time_unix_nano: now.to_string(),
            active: state.active.clone(),
            history: state.history.iter().cloned().collect(),
            upcoming: self.upcoming(now),
        }
    }

    fn upcoming(&self, now: i64) -> Vec<Fault> {
        if !self.plan.enabled {
            return Vec::new();
        }
        (self.next_planned(now)..).map(|n| self.planned(n)).take(ANNOUNCED).collect()
    }

    /// The `n`th fault of the schedule, counted from 0.
    fn planned(&self, n: u64) -> Fault {
        let kinds = FaultKind::ALL.len() as u64;
        let kind = FaultKind::ALL[(n % kinds) as usize];
        let targets = kind.usual_targets();
        let target = targets[(n / kinds) as usize % targets.len()];
        let start = self
            .started
            .saturating_add(seconds(self.plan.first_after_seconds))
            .saturating_add(self.period().saturating_mul(n as i64));
        Fault {
            id: String::new(),
            kind,
            target,
            description: kind.describe(target),
            start_time_unix_nano: start,
            end_time_unix_nano: start.saturating_add(seconds(self.plan.lasting_seconds)),
            origin: Origin::Schedule,
        }
    }

    fn period(&self) -> i64 {
        seconds(self.plan.lasting_seconds + self.plan.quiet_seconds)
    }

    /// The first planned fault that starts after `now`.
    fn next_planned(&self, now: i64) -> u64 {
        let first = self.started.saturating_add(seconds(self.plan.first_after_seconds));
        if now < first { 0 } else { ((now - first) / self.period()) as u64 + 1 }
    }

    /// Keeps the promise of the schedule and of every fault's end; never returns.
    pub(crate) async fn keep(&self) {
        let mut changes = self.active.subscribe();
        let mut next = self.next_planned(now());
        loop {
            let planned = self.planned(next);
            let ends = changes.borrow_and_update().iter().map(|fault| fault.end_time_unix_nano).min();
            let starts = self.plan.enabled.then_some(planned.start_time_unix_nano);
            tokio::select! {
                _ = sleep_until(ends) => self.settle(now()),
                _ = sleep_until(starts) => {
                    let lasting = Duration::from_secs(self.plan.lasting_seconds);
                    // Already there by request: the schedule has nothing to add.
                    let _ = self.inject(planned.kind, planned.target, now(), lasting, Origin::Schedule);
                    next += 1;
                }
                _ = changes.changed() => {}
            }
        }
    }

    fn publish(&self, state: &State) {
        self.active.send_replace(state.active.clone().into());
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("the board does not panic")
    }
}

/// The time, in unix nanoseconds.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    nanos(since)
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

fn seconds(seconds: u64) -> i64 {
    nanos(Duration::from_secs(seconds))
}

/// Sleeps until a unix time; for ever without one.
async fn sleep_until(time: Option<i64>) {
    match time {
        Some(time) => tokio::time::sleep(Duration::from_nanos(time.saturating_sub(now()).max(0) as u64)).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn board() -> Board {
        Board::new(FaultPlan::default(), 0)
    }

    fn inject(board: &Board, kind: FaultKind, target: Member, now: i64) -> Fault {
        board.inject(kind, target, now, Duration::from_secs(10), Origin::Request).unwrap()
    }

    #[test]
    fn members_see_exactly_what_is_reported() {
        let board = board();
        let faults = board.faults();
        inject(&board, FaultKind::Latency, Member::Cart, 0);
        assert!(faults.hits(FaultKind::Latency, Member::Cart));
        assert!(!faults.hits(FaultKind::Latency, Member::Orders) && !faults.hits(FaultKind::Errors, Member::Cart));
        assert_eq!(board.report(SECOND).active, faults.0.borrow().to_vec());

        let report = board.report(11 * SECOND);
        assert!(report.active.is_empty() && !faults.hits(FaultKind::Latency, Member::Cart));
        assert_eq!(report.history[0].end_time_unix_nano, 10 * SECOND);
    }

    #[test]
    fn healing_early_is_recorded_as_such() {
        let board = board();
        let first = inject(&board, FaultKind::Errors, Member::Payments, 0);
        inject(&board, FaultKind::Latency, Member::Cart, SECOND);
        let healed = board.heal(3 * SECOND, |fault| fault.id == first.id);
        assert_eq!(healed.len(), 1);
        let report = board.report(3 * SECOND);
        assert_eq!(report.active.len(), 1);
        assert_eq!(report.history, [Fault { end_time_unix_nano: 3 * SECOND, ..first }]);
    }

    #[test]
    fn the_same_fault_is_not_injected_twice() {
        let board = board();
        let fault = inject(&board, FaultKind::Errors, Member::Payments, 0);
        let again = board.inject(FaultKind::Errors, Member::Payments, 1, Duration::from_secs(1), Origin::Request);
        assert_eq!(again, Err(AlreadyActive(fault)));
        inject(&board, FaultKind::Errors, Member::Payments, 10 * SECOND);
    }

    #[test]
    fn the_schedule_is_quiet_then_goes_through_all_kinds() {
        let board = board();
        let upcoming = board.report(0).upcoming;
        assert_eq!(upcoming.iter().map(|fault| fault.kind).collect::<Vec<_>>(), FaultKind::ALL);
        assert_eq!(upcoming[0].start_time_unix_nano, 40 * SECOND);
        assert_eq!(upcoming[0].end_time_unix_nano, 85 * SECOND);
        assert_eq!(upcoming[1].start_time_unix_nano, 130 * SECOND);
        let later = board.report(130 * SECOND).upcoming;
        assert_eq!((later[0].kind, later[7].kind), (FaultKind::ExpiredTokens, FaultKind::Latency));
        assert_eq!(later[7].target, FaultKind::Latency.usual_targets()[1]);
    }

    #[test]
    fn a_schedule_that_is_off_announces_nothing() {
        let board = Board::new(FaultPlan { enabled: false, ..FaultPlan::default() }, 0);
        assert!(board.report(0).upcoming.is_empty());
    }

    #[tokio::test]
    async fn the_keeper_starts_and_ends_what_is_planned() {
        let plan = FaultPlan { enabled: true, first_after_seconds: 0, lasting_seconds: 1, quiet_seconds: 1000 };
        let board = Arc::new(Board::new(plan, now() + SECOND / 10));
        let mut faults = board.faults();
        let keeper = tokio::spawn({
            let board = board.clone();
            async move { board.keep().await }
        });
        let deadline = Duration::from_secs(10);
        tokio::time::timeout(deadline, faults.changed()).await.unwrap();
        assert!(faults.hits(FaultKind::Latency, Member::Catalog));
        faults.0.borrow_and_update();
        tokio::time::timeout(deadline, faults.changed()).await.unwrap();
        assert!(!faults.hits(FaultKind::Latency, Member::Catalog));
        assert_eq!(board.report(now()).history[0].origin, Origin::Schedule);
        keeper.abort();
    }
}
