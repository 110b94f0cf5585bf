//! Questions that may take long, asked beside everything else: nobody's judging waits for a statement that does not end.

use super::source::StoreSource;
use orrery_alert::{Grid, Source, SourceError, Values};
use orrery_api::alerting::{Measure, Period};
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Questions that are asked at once.
const PLACES: usize = 2;
/// An answer that nobody has come for is forgotten after this.
const KEPT: Duration = Duration::from_secs(60);
/// After a failure that took long, so many times as long nothing is asked.
const REST: u32 = 10;
/// A failure within this time costs nothing.
const QUICK: Duration = Duration::from_secs(1);

/// A question: the measure as JSON, its window, the moments.
type Question = (String, i64, Grid);
/// A question without its moments.
type Kind = (String, i64);

/// How a question stands.
enum Stand {
    Asked,
    Answered(Result<Values, SourceError>, Instant),
}

#[derive(Default)]
struct Known {
    questions: HashMap<Question, Stand>,
    /// What failed after a long time, why, and until when it is not asked again.
    resting: HashMap<Kind, (SourceError, Instant)>,
}

/// A source that answers at once what can be answered quickly, and the rest when the answer is there.
pub(crate) struct Aside {
    source: Arc<StoreSource>,
    known: Arc<Mutex<Known>>,
    jobs: Option<Sender<(Question, Measure)>>,
    threads: Vec<JoinHandle<()>>,
}

impl Aside {
    /// Questions to `source`, of which none is begun once it is `stopping`.
    pub(crate) fn new(source: StoreSource, stopping: &CancellationToken) -> Aside {
        let (source, known) = (Arc::new(source), Arc::<Mutex<Known>>::default());
        let (jobs, waiting) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let start = |_| {
            let (source, known, waiting) = (Arc::clone(&source), Arc::clone(&known), Arc::clone(&waiting));
            let stopping = stopping.clone();
            let thread = std::thread::Builder::new().name("alerts-aside".to_owned());
            thread.spawn(move || work(&source, &known, &waiting, &stopping)).ok()
        };
        let threads = (0..PLACES).filter_map(start).collect();
        Aside { source, known, jobs: Some(jobs), threads }
    }

    /// As [`StoreSource::renew`]; forgets what nobody came for.
    pub(crate) fn renew(&self) {
        self.source.renew();
        let (mut known, now) = (lock(&self.known), Instant::now());
        let is_wanted = |stand: &Stand| match stand {
            Stand::Asked => true,
            Stand::Answered(_, at) => now.saturating_duration_since(*at) <= KEPT,
        };
        known.questions.retain(|_, stand| is_wanted(stand));
        known.resting.retain(|_, (_, until)| *until > now);
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn work(
    source: &StoreSource,
    known: &Mutex<Known>,
    waiting: &Mutex<Receiver<(Question, Measure)>>,
    stopping: &CancellationToken,
) {
    loop {
        let next = lock(waiting).recv();
        let Ok((question, measure)) = next else { return };
        if stopping.is_cancelled() {
            return;
        }
        let window = Period::seconds(u32::try_from(question.1 / 1_000_000_000).unwrap_or(u32::MAX));
        let began = Instant::now();
        let asked = std::panic::AssertUnwindSafe(|| source.values(&measure, window, question.2));
        let answer = std::panic::catch_unwind(asked)
            .unwrap_or_else(|_| Err(SourceError::Failed("the question failed; the server's log says more".to_owned())));
        let (took, now) = (began.elapsed(), Instant::now());
        let mut known = lock(known);
        if let (Err(error), true) = (&answer, took > QUICK) {
            let kind = (question.0.clone(), question.1);
            known.resting.insert(kind, (error.clone(), now + took * REST));
        }
        known.questions.insert(question, Stand::Answered(answer, now));
    }
}

/// What is not answered from rollups and what others read as well.
fn may_take_long(measure: &Measure) -> bool {
    matches!(measure, Measure::Sql { .. } | Measure::Traces { .. })
}

impl Source for Aside {
    fn values(&self, measure: &Measure, window: Period, grid: Grid) -> Result<Values, SourceError> {
        let Some(jobs) = self.jobs.as_ref().filter(|_| may_take_long(measure) && !self.threads.is_empty()) else {
            return self.source.values(measure, window, grid);
        };
        let kind = (super::engine::json(measure), window.nanos());
        let mut known = lock(&self.known);
        if let Some((error, _)) = known.resting.get(&kind).filter(|(_, until)| *until > Instant::now()) {
            return Err(error.clone());
        }
        let question = (kind.0, kind.1, grid);
        match known.questions.get_mut(&question) {
            Some(Stand::Answered(answer, used)) => {
                *used = Instant::now();
                answer.clone()
            }
            Some(Stand::Asked) => Err(SourceError::NotYet),
            None => {
                known.questions.insert(question.clone(), Stand::Asked);
                _ = jobs.send((question, measure.clone()));
                Err(SourceError::NotYet)
            }
        }
    }

    fn heard(&self, measure: &Measure, window: Period, grid: Grid) -> Result<Vec<bool>, SourceError> {
        self.source.heard(measure, window, grid)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            _ = thread.join();
        }
    }
}
