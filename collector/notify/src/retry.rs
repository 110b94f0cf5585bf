//! When a message is tried again, and how fast a channel may be told: arithmetic, with time and chance given.

use crate::Outcome;
use orrery_api::alerting::ChannelKind;
use std::time::Duration;

/// Wait after the first attempt.
pub const FIRST: Duration = Duration::from_secs(5);
/// Longest wait.
pub const LONGEST: Duration = Duration::from_secs(15 * 60);
/// So long after the first attempt a message is given up.
pub const GIVE_UP: Duration = Duration::from_secs(24 * 3_600);

/// What becomes of a message after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is delivered.
    Done,
    /// It is tried again after this time.
    After(Duration),
    /// Nobody will get it.
    GiveUp,
}

/// What becomes of a message after its `attempts`th attempt (from 1 on), `since_first` after the first.
///
/// The wait is what the receiver asked for, if it asked, or else [`delay`]; a message that would be tried later than
/// [`GIVE_UP`] after the first attempt is given up.
pub fn next(outcome: &Outcome, attempts: u32, since_first: Duration, seed: u64) -> Next {
    match outcome {
        Outcome::Delivered { .. } => Next::Done,
        Outcome::Failed { .. } => Next::GiveUp,
        Outcome::Retry { after, .. } => {
            let wait = delay(attempts, seed).max(after.unwrap_or_default());
            if since_first.saturating_add(wait) > GIVE_UP { Next::GiveUp } else { Next::After(wait) }
        }
    }
}

/// Wait after the `attempts`th attempt: 5 s, doubled each time up to 15 min, less up to a fifth by chance, so that what
/// failed together does not come back together.
///
/// The same for the same seed: give the message's.
pub fn delay(attempts: u32, seed: u64) -> Duration {
    let doubled = FIRST.saturating_mul(1_u32.checked_shl(attempts.saturating_sub(1).min(31)).unwrap_or(u32::MAX));
    let full = doubled.min(LONGEST);
    let share = (scramble(seed ^ u64::from(attempts)) >> 11) as f64 / (1_u64 << 53) as f64;
    full.mul_f64(1.0 - 0.2 * share)
}

/// A number that follows from a message's id, for [`delay`].
pub fn seed(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// SplitMix64.
fn scramble(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// How fast a channel may be told: `burst` at once, then one every `every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Messages at once.
    pub burst: u32,
    /// Time after which there is room for one more.
    pub every: Duration,
}

/// What a kind of channel bears.
///
/// Source: the services' documented limits (Slack 1/s per webhook, Teams 4/s, PagerDuty 120/min per key, Telegram 20/min
/// per group, ntfy 60 and one per 5 s); the others are ours.
pub fn pace(kind: &ChannelKind) -> Pace {
    let (burst, millis) = match kind {
        ChannelKind::Slack { .. } => (3, 1_000),
        ChannelKind::Teams { .. } => (4, 500),
        ChannelKind::Pagerduty { .. } => (20, 500),
        ChannelKind::Opsgenie { .. } => (10, 500),
        ChannelKind::Telegram { .. } => (3, 3_000),
        ChannelKind::Ntfy { .. } => (20, 5_000),
        ChannelKind::Email { .. } => (10, 2_000),
        ChannelKind::Webhook { .. } | ChannelKind::Alertmanager { .. } => (50, 50),
    };
    Pace { burst, every: Duration::from_millis(millis) }
}

/// A token bucket: what is left of a [`Pace`]. Times are of any clock that does not run back; if it does, nothing is
/// gained.
#[derive(Clone, Debug)]
pub struct Bucket {
    pace: Pace,
    /// Nanoseconds of the clock at which it was, or will be, full.
    full_at: i128,
}

impl Bucket {
    /// A full one.
    pub fn new(pace: Pace) -> Bucket {
        Bucket { pace, full_at: i128::MIN }
    }

    /// Takes one token, or says after how long there is one.
    ///
    /// # Errors
    /// The time to wait, never zero.
    pub fn take(&mut self, now_nanos: i64) -> Result<(), Duration> {
        let now = i128::from(now_nanos);
        let every = self.pace.every.as_nanos().max(1) as i128;
        let full_at = self.full_at.max(now) + every;
        let early = full_at - now - every * i128::from(self.pace.burst.max(1));
        if early > 0 {
            return Err(Duration::from_nanos(early.min(i128::from(u64::MAX)) as u64));
        }
        self.full_at = full_at;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000_000;

    fn retry(after: Option<u64>) -> Outcome {
        Outcome::Retry { after: after.map(Duration::from_secs), why: String::new() }
    }

    #[test]
    fn waits_double_up_to_a_quarter_of_an_hour() {
        let full: Vec<u64> =
            (1..=12).map(|attempt| (0..200).map(|seed| delay(attempt, seed)).max().unwrap().as_secs()).collect();
        // Some seed of two hundred comes close to no jitter.
        let expected = [5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900];
        for (longest, nominal) in full.iter().zip(expected) {
            assert!(*longest >= nominal * 98 / 100 && *longest <= nominal, "{longest} of {nominal}");
        }
    }

    #[test]
    fn what_a_receiver_asks_for_is_waited_for() {
        assert_eq!(next(&retry(Some(300)), 1, Duration::ZERO, 7), Next::After(Duration::from_secs(300)));
        let Next::After(short) = next(&retry(Some(1)), 1, Duration::ZERO, 7) else { panic!() };
        assert!(short >= Duration::from_secs(4));
    }

    #[test]
    fn after_a_day_it_is_given_up() {
        let day = GIVE_UP;
        assert_eq!(next(&retry(None), 90, day - Duration::from_secs(1), 7), Next::GiveUp);
        assert!(matches!(next(&retry(None), 90, day - LONGEST, 7), Next::After(_)));
        assert_eq!(next(&retry(Some(90_000)), 1, Duration::ZERO, 7), Next::GiveUp);
        assert_eq!(next(&Outcome::Failed { why: String::new() }, 1, Duration::ZERO, 7), Next::GiveUp);
        assert_eq!(next(&Outcome::Delivered { but: None }, 1, Duration::ZERO, 7), Next::Done);
    }

    #[test]
    fn a_receiver_that_is_down_for_a_day_is_asked_about_a_hundred_times() {
        let (mut attempts, mut since) = (1, Duration::ZERO);
        while let Next::After(wait) = next(&retry(None), attempts, since, 99) {
            (attempts, since) = (attempts + 1, since + wait);
        }
        assert!((95..150).contains(&attempts), "{attempts}");
    }

    #[test]
    fn a_bucket_gives_a_burst_and_then_one_at_a_time() {
        let mut bucket = Bucket::new(Pace { burst: 3, every: Duration::from_secs(2) });
        let now = 100 * SECOND;
        assert_eq!([bucket.take(now), bucket.take(now), bucket.take(now)], [Ok(()); 3]);
        assert_eq!(bucket.take(now), Err(Duration::from_secs(2)));
        assert_eq!(bucket.take(now + SECOND), Err(Duration::from_secs(1)));
        assert_eq!(bucket.take(now + 2 * SECOND), Ok(()));
        assert!(bucket.take(now - 50 * SECOND).is_err());
        assert_eq!([(); 3].map(|()| bucket.take(now + 100 * SECOND)), [Ok(()); 3]);
    }

    proptest! {
        #[test]
        fn waits_are_within_bounds(attempts in any::<u32>(), seed in any::<u64>()) {
            let wait = delay(attempts, seed);
            prop_assert!(wait >= Duration::from_secs(4) && wait <= LONGEST);
            prop_assert_eq!(delay(attempts, seed), wait);
        }

        /// Whoever waits as told is served next, and never more than the pace allows are.
        #[test]
        fn buckets_keep_their_pace(burst in 1_u32..5, every in 1_u64..5_000, steps in proptest::collection::vec(0_i64..3_000, 1..60)) {
            let pace = Pace { burst, every: Duration::from_millis(every) };
            let (mut bucket, mut now, mut served) = (Bucket::new(pace), 0, 0_i64);
            for step in steps {
                now += step * 1_000_000;
                match bucket.take(now) {
                    Ok(()) => served += 1,
                    Err(wait) => {
                        prop_assert!(!wait.is_zero());
                        now += wait.as_nanos() as i64;
                        prop_assert_eq!(bucket.take(now), Ok(()));
                        served += 1;
                    }
                }
                prop_assert!(served <= i64::from(burst) + now / pace.every.as_nanos() as i64);
            }
        }
    }
}
