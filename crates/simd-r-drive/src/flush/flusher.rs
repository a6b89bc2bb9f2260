//! Background flush threads of a process.
//!
//! All stores share them. One thread watches for what comes due. When it goes to flush a store,
//! another takes over the watch, so that a slow flush does not delay another store that promised a
//! time. There is one thread more than there are concurrent flushes; idle threads end.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use std::{fmt, io, process, thread};

use arc_swap::ArcSwapOption;

use crate::events;

/// An idle thread ends after this time.
const LINGER: Duration = Duration::from_secs(1);

/// Stores without a promise are flushed one after the other, unless none of the running flushes
/// began within this time, so that one hanging device does not stop all.
const STALL: Duration = Duration::from_secs(1);

/// What the flusher needs of a store.
pub(crate) trait Flushed: Send + Sync {
    /// Flushes the store because it is due.
    fn flush_when_due(self: Arc<Self>);
}

/// The threads of this process and their queues.
pub(crate) struct Flusher {
    /// A forked child has a copy of this memory, but none of the threads.
    process: u32,
    state: Mutex<State>,
    /// Wakes the watching thread.
    watcher: Condvar,
    /// Wakes an idle thread.
    spare: Condvar,
}

/// When a store is to be flushed: its place among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) due: Instant,
    number: u64,
    is_pressing: bool,
}

type Queue = BTreeMap<Place, Weak<dyn Flushed>>;

#[derive(Default)]
struct State {
    /// Stores that must be flushed in time, whatever else is being flushed.
    pressing: Queue,
    /// Stores that can wait for one another.
    patient: Queue,
    places: u64,
    threads: usize,
    /// Threads that were started but do not run yet.
    starting: usize,
    is_watched: bool,
    /// Idle threads.
    spares: usize,
    /// Stores that require a thread to exist.
    keepers: usize,
    /// Number of patient stores being flushed, and when the last of these flushes began.
    patient_flushes: usize,
    last_patient_flush: Option<Instant>,
}

/// The next action of a thread.
enum Next {
    Flush { store: Weak<dyn Flushed>, is_pressing: bool },
    Wait { until: Option<Instant> },
}

/// The flusher of this process, once created.
static CURRENT: ArcSwapOption<Flusher> = ArcSwapOption::const_empty();

impl Flusher {
    /// The flusher of this process.
    ///
    /// Takes no lock. A forked child finds its parent's locks in any state, and gets a flusher of
    /// its own.
    pub(crate) fn of_this_process() -> Arc<Self> {
        loop {
            let current = CURRENT.load();
            if let Some(flusher) = current.as_ref().filter(|flusher| flusher.is_own()) {
                return Arc::clone(flusher);
            }
            CURRENT.compare_and_swap(&current, Some(Arc::new(Self::new())));
        }
    }

    fn new() -> Self {
        Self {
            process: process::id(),
            state: Mutex::default(),
            watcher: Condvar::new(),
            spare: Condvar::new(),
        }
    }

    fn is_own(&self) -> bool {
        self.process == process::id()
    }

    /// Keeps a thread alive as long as the result lives.
    ///
    /// # Errors
    /// Any error of the operating system, if no thread can be started.
    pub(crate) fn keep_thread(self: &Arc<Self>) -> io::Result<KeptThread> {
        let mut state = self.lock();
        if state.threads == 0 {
            self.start_thread(&mut state)?;
        }
        state.keepers += 1;
        Ok(KeptThread(Arc::clone(self)))
    }

    /// Flushes `store` once `due` has come: without delay if it `is_pressing`, otherwise after
    /// other stores.
    ///
    /// # Errors
    /// Any error of the operating system, if no thread can be started. The store keeps its place
    /// even then.
    pub(crate) fn add(
        self: &Arc<Self>,
        store: Weak<dyn Flushed>,
        due: Instant,
        is_pressing: bool,
    ) -> (Place, io::Result<()>) {
        let mut state = self.lock();
        let place = state.add(store, due, is_pressing);
        (place, self.ensure_watch(&mut state))
    }

    /// As [`Flusher::add`], for a thread of the flusher, which resumes the watch itself.
    pub(crate) fn add_from_thread(
        &self,
        store: Weak<dyn Flushed>,
        due: Instant,
        is_pressing: bool,
    ) -> Place {
        self.lock().add(store, due, is_pressing)
    }

    /// Gives up a place. Returns `false` if it has already come due.
    pub(crate) fn remove(&self, place: Place) -> bool {
        let mut state = self.lock();
        let queue = if place.is_pressing { &mut state.pressing } else { &mut state.patient };
        queue.remove(&place).is_some()
    }

    /// Makes sure that a thread sees what has been added.
    fn ensure_watch(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        if state.is_watched {
            self.watcher.notify_one();
        } else if state.spares > 0 {
            self.spare.notify_one();
        } else if state.starting == 0 {
            return self.start_thread(state);
        }
        Ok(())
    }

    fn start_thread(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        let flusher = Arc::clone(self);
        thread::Builder::new().name("simd-r-drive".into()).spawn(move || flusher.run())?;
        state.threads += 1;
        state.starting += 1;
        Ok(())
    }

    /// The body of a thread.
    fn run(self: &Arc<Self>) {
        let mut state = self.lock();
        state.starting -= 1;
        let mut has_lingered = false;
        loop {
            let now = Instant::now();
            match state.next(now) {
                Next::Flush { store, is_pressing } => {
                    let watched =
                        if state.is_empty() { Ok(()) } else { self.ensure_watch(&mut state) };
                    drop(state);
                    flush(&store, watched);
                    state = self.lock();
                    if !is_pressing {
                        state.patient_flushes -= 1;
                    }
                    has_lingered = false;
                }
                Next::Wait { until } if !state.is_watched => {
                    let is_idle = until.is_none() && state.keepers == 0;
                    if is_idle && has_lingered {
                        break;
                    }
                    let limit = match until {
                        Some(until) => until.saturating_duration_since(now),
                        None if is_idle => LINGER,
                        None => Duration::MAX,
                    };
                    state.is_watched = true;
                    let (guard, has_timed_out) = wait(&self.watcher, state, limit);
                    state = guard;
                    state.is_watched = false;
                    has_lingered = is_idle && has_timed_out;
                }
                Next::Wait { .. } if has_lingered => break,
                Next::Wait { .. } => {
                    state.spares += 1;
                    let (guard, has_timed_out) = wait(&self.spare, state, LINGER);
                    state = guard;
                    state.spares -= 1;
                    has_lingered = has_timed_out;
                }
            }
        }
        state.threads -= 1;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, store: Weak<dyn Flushed>, due: Instant, is_pressing: bool) -> Place {
        self.places += 1;
        let place = Place { due, number: self.places, is_pressing };
        let queue = if is_pressing { &mut self.pressing } else { &mut self.patient };
        queue.insert(place, store);
        place
    }

    fn is_empty(&self) -> bool {
        self.pressing.is_empty() && self.patient.is_empty()
    }

    /// What is due, or when something will be.
    fn next(&mut self, now: Instant) -> Next {
        let pressing = self.pressing.first_key_value().map(|(place, _)| place.due);
        let patient = self.patient.first_key_value().map(|(place, _)| place.due);
        // While another patient store is being flushed, wait until that flush seems to hang.
        let hangs = self.last_patient_flush.filter(|_| self.patient_flushes > 0);
        let patient = patient.map(|due| hangs.map_or(due, |began| due.max(began + STALL)));
        if pressing.is_some_and(|due| due <= now)
            && let Some((_, store)) = self.pressing.pop_first()
        {
            return Next::Flush { store, is_pressing: true };
        }
        if patient.is_some_and(|due| due <= now)
            && let Some((_, store)) = self.patient.pop_first()
        {
            self.patient_flushes += 1;
            self.last_patient_flush = Some(now);
            return Next::Flush { store, is_pressing: false };
        }
        Next::Wait { until: pressing.into_iter().chain(patient).min() }
    }
}

fn flush(store: &Weak<dyn Flushed>, watched: io::Result<()>) {
    // A panic comes from foreign code, such as a subscriber. The thread also serves other stores.
    let _ = panic::catch_unwind(AssertUnwindSafe(|| {
        if let Err(error) = watched {
            events::thread_not_started(&error);
        }
        if let Some(store) = store.upgrade() {
            store.flush_when_due();
        }
    }));
}

/// Waits on `condition`. Returns whether the wait timed out.
fn wait<'a>(
    condition: &Condvar,
    state: MutexGuard<'a, State>,
    limit: Duration,
) -> (MutexGuard<'a, State>, bool) {
    let waited = condition.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner);
    (waited.0, waited.1.timed_out())
}

impl fmt::Debug for Flusher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flusher").field("process", &self.process).finish_non_exhaustive()
    }
}

/// A thread of the flusher, which stays idle rather than ends while this lives.
#[derive(Debug)]
pub(crate) struct KeptThread(Arc<Flusher>);

impl Drop for KeptThread {
    fn drop(&mut self) {
        // A forked child has no such thread, and must not take its parent's lock.
        if self.0.is_own() {
            self.0.lock().keepers -= 1;
            self.0.watcher.notify_one();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::mpsc::{self, Receiver, Sender};

    use super::*;

    /// A store whose flush takes time and reports when it begins.
    struct Fake {
        name: &'static str,
        takes: Duration,
        begun: Mutex<Sender<(&'static str, Instant)>>,
    }

    impl Flushed for Fake {
        fn flush_when_due(self: Arc<Self>) {
            self.begun.lock().unwrap().send((self.name, Instant::now())).unwrap();
            thread::sleep(self.takes);
        }
    }

    struct Stores {
        flusher: Arc<Flusher>,
        stores: Vec<Arc<Fake>>,
        begun: Receiver<(&'static str, Instant)>,
        sender: Sender<(&'static str, Instant)>,
    }

    impl Stores {
        fn new() -> Self {
            let (sender, begun) = mpsc::channel();
            Self { flusher: Arc::new(Flusher::new()), stores: Vec::new(), begun, sender }
        }

        fn add(&mut self, name: &'static str, takes: Duration, is_pressing: bool) -> Place {
            let begun = Mutex::new(self.sender.clone());
            let store: Arc<Fake> = Arc::new(Fake { name, takes, begun });
            let weak: Weak<Fake> = Arc::downgrade(&store);
            self.stores.push(store);
            let (place, result) = self.flusher.add(weak, Instant::now(), is_pressing);
            result.unwrap();
            place
        }

        /// What is flushed next.
        fn next(&self) -> (&'static str, Instant) {
            self.begun.recv_timeout(Duration::from_secs(20)).unwrap()
        }

        fn wait_for_threads(&self, count: usize) {
            let until = Instant::now() + Duration::from_secs(20);
            while self.flusher.lock().threads != count {
                assert!(Instant::now() < until, "{} threads", self.flusher.lock().threads);
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    #[test]
    fn a_slow_flush_delays_no_store_that_has_promised_a_time() {
        let mut stores = Stores::new();
        stores.add("slow", Duration::from_secs(3), true);
        stores.next();
        let due = Instant::now();
        for name in ["a", "b", "c", "d"] {
            stores.add(name, Duration::from_secs(3), true);
        }
        let mut names: Vec<_> = (0..4)
            .map(|_| {
                let (name, begun) = stores.next();
                assert!(begun - due < Duration::from_secs(2), "{name} has waited");
                name
            })
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["a", "b", "c", "d"]);
    }

    #[test]
    fn stores_without_a_promise_take_turns_unless_one_hangs() {
        let mut stores = Stores::new();
        let first = Instant::now();
        stores.add("hangs", Duration::from_secs(4), false);
        stores.next();
        stores.add("other", Duration::ZERO, false);
        let (name, begun) = stores.next();
        assert_eq!(name, "other");
        assert!(begun - first >= STALL, "two were flushed at the same time");
        assert!(begun - first < Duration::from_secs(4), "one that hangs holds up all others");
    }

    #[test]
    fn threads_that_are_not_needed_end() {
        let mut stores = Stores::new();
        for _ in 0..5 {
            stores.add("store", Duration::from_millis(100), true);
        }
        for _ in 0..5 {
            stores.next();
        }
        assert!(stores.flusher.lock().threads >= 5);
        stores.wait_for_threads(0);
        let kept = stores.flusher.keep_thread().unwrap();
        stores.wait_for_threads(1);
        stores.add("store", Duration::ZERO, true);
        stores.next();
        thread::sleep(2 * LINGER);
        stores.wait_for_threads(1);
        drop(kept);
        stores.wait_for_threads(0);
    }

    #[test]
    fn a_place_that_is_given_up_is_not_flushed() {
        let mut stores = Stores::new();
        let (place, _) = {
            let begun = Mutex::new(stores.sender.clone());
            let store: Arc<Fake> = Arc::new(Fake { name: "later", takes: Duration::ZERO, begun });
            let weak: Weak<Fake> = Arc::downgrade(&store);
            stores.stores.push(store);
            stores.flusher.add(weak, Instant::now() + Duration::from_millis(300), true)
        };
        assert!(stores.flusher.remove(place));
        assert!(!stores.flusher.remove(place));
        thread::sleep(Duration::from_millis(400));
        stores.add("now", Duration::ZERO, true);
        assert_eq!(stores.next().0, "now");
    }

    #[test]
    fn a_panic_in_a_flush_leaves_the_thread_to_other_stores() {
        struct Panics;
        impl Flushed for Panics {
            fn flush_when_due(self: Arc<Self>) {
                panic!("on purpose");
            }
        }
        let mut stores = Stores::new();
        let _kept = stores.flusher.keep_thread().unwrap();
        let panics: Arc<Panics> = Arc::new(Panics);
        let weak: Weak<Panics> = Arc::downgrade(&panics);
        stores.flusher.add(weak, Instant::now(), false).1.unwrap();
        stores.add("next", Duration::ZERO, false);
        assert_eq!(stores.next().0, "next");
    }
}
