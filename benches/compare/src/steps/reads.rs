//! Reads of a store of entries 0 to `count` with version 0. Making the key and comparing the value is part of what
//! is measured.

use std::thread;
use std::time::{Duration, Instant};

use crate::data::{Key, Random, Values, key, stamp};
use crate::findings::must;
use crate::measure::{Rate, Waits, repeat, repeat_slow, timed};
use crate::scale::{BATCH, HOT_KEYS};
use crate::store::{Reader, Result, Store};

/// Whether what was found is the value of this entry.
#[inline]
fn check(values: &Values, found: Option<&[u8]>, number: u64) -> bool {
    found.is_some_and(|value| values.is_value(value, number, 0))
}

/// Any keys, each asked for on its own.
pub(super) fn uniform<S: Store>(
    store: &S,
    values: &Values,
    count: u64,
    seed: u64,
    time: Duration,
) -> Result<Rate> {
    let mut numbers = Random::below(count, seed);
    repeat(time, || {
        let number = numbers.next().unwrap_or_default();
        let is_right = store.get(&key(number), |found| check(values, found, number))?;
        must(is_right, "get of entry", number)
    })
}

/// The same in one state of the store.
pub(super) fn uniform_view<S: Store>(
    store: &S,
    values: &Values,
    count: u64,
    time: Duration,
) -> Result<Rate> {
    let mut numbers = Random::below(count, 1);
    store.view(|mut reader| {
        repeat(time, || {
            let number = numbers.next().unwrap_or_default();
            let is_right = reader.find(&key(number), |found| check(values, found, number))?;
            must(is_right, "get of entry", number)
        })
    })
}

/// The sum of what two threads read.
pub(super) fn two_threads<S: Store>(
    store: &S,
    values: &Values,
    count: u64,
    time: Duration,
) -> Result<f64> {
    thread::scope(|scope| {
        let threads =
            [1, 2].map(|seed| scope.spawn(move || uniform(store, values, count, seed, time)));
        let mut sum = 0.0;
        for thread in threads {
            sum += thread.join().map_err(|_| "a reader panicked")??.per_second();
        }
        Ok(sum)
    })
}

/// Keys and values that stay in the cache, made beforehand.
struct Hot(Vec<(Key, u64, u64)>);

impl Hot {
    fn new(count: u64) -> Self {
        let numbers: Vec<u64> = Random::below(count, 3).take(HOT_KEYS as usize).collect();
        Self(numbers.into_iter().map(|number| (key(number), number, stamp(number, 0))).collect())
    }
}

/// Whether these 8 bytes are the stamp.
#[inline]
fn is_stamp(found: Option<&[u8]>, expected: u64) -> bool {
    found.and_then(|value| value.try_into().ok()).map(u64::from_le_bytes) == Some(expected)
}

pub(super) fn hot<S: Store>(store: &S, count: u64, time: Duration) -> Result<Rate> {
    let hot = Hot::new(count);
    let mut turns = hot.0.iter().cycle();
    repeat(time, || {
        let (key, number, stamp) = turns.next().ok_or("no hot keys")?;
        let is_right = store.get(key, |found| is_stamp(found, *stamp))?;
        must(is_right, "get of entry", *number)
    })
}

pub(super) fn hot_view<S: Store>(store: &S, count: u64, time: Duration) -> Result<Rate> {
    let hot = Hot::new(count);
    let mut turns = hot.0.iter().cycle();
    store.view(|mut reader| {
        repeat(time, || {
            let (key, number, stamp) = turns.next().ok_or("no hot keys")?;
            let is_right = reader.find(key, |found| is_stamp(found, *stamp))?;
            must(is_right, "get of entry", *number)
        })
    })
}

/// Which key is asked for depends on the value before, so that no two gets overlap. One look at the clock is part
/// of each wait.
pub(super) fn dependent<S: Store>(
    store: &S,
    values: &Values,
    count: u64,
    time: Duration,
) -> Result<Waits> {
    let (mut number, mut turn) = (0, 0_u64);
    let (_, waits) = timed(time, u64::MAX, || {
        let found = store.get(&key(number), |found| {
            let value = found?;
            values.is_value(value, number, 0).then(|| values.stamp_of(value)).flatten()
        })?;
        must(found.is_some(), "get of entry", number)?;
        turn += 1;
        let mixed = crate::data::mix(found.unwrap_or_default() ^ turn);
        number = ((u128::from(mixed) * u128::from(count)) >> 64) as u64;
        Ok(())
    })?;
    Ok(waits)
}

pub(super) fn absent<S: Store>(store: &S, count: u64, time: Duration) -> Result<Rate> {
    let mut numbers = Random::below(count, 4);
    repeat(time, || {
        let number = count + numbers.next().unwrap_or_default();
        must(!store.contains(&key(number))?, "there is no entry", number)
    })
}

pub(super) fn batches<S: Store>(
    store: &S,
    values: &Values,
    count: u64,
    time: Duration,
) -> Result<Rate> {
    let mut source = Random::below(count, 5);
    let mut numbers = vec![0; BATCH];
    let mut keys = vec![key(0); BATCH];
    repeat_slow(time, BATCH as u64, || {
        for (number, slot) in numbers.iter_mut().zip(&mut keys) {
            *number = source.next().unwrap_or_default();
            *slot = key(*number);
        }
        let asked: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        let mut right = 0;
        store.get_batch(&asked, |place, found| {
            right += u64::from(check(values, found, numbers[place]));
        })?;
        must(right == BATCH as u64, "values of a batch that are right:", right)
    })
}

/// All live entries, again and again.
pub(super) fn scan<S: Store>(
    store: &S,
    values: &Values,
    count: u64,
    time: Duration,
) -> Result<Rate> {
    let expected = (0..count).fold(0_u64, |sum, number| sum.wrapping_add(stamp(number, 0)));
    let started = Instant::now();
    let mut operations = 0;
    loop {
        let (mut seen, mut sum) = (0, 0_u64);
        store.scan(|value| {
            if let Some(stamp) = values.stamp_of(value) {
                seen += 1;
                sum = sum.wrapping_add(stamp);
            }
        })?;
        must(seen == count && sum == expected, "entries that a scan has seen:", seen)?;
        operations += count;
        let elapsed = started.elapsed();
        if elapsed >= time {
            return Ok(Rate { operations, time: elapsed });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{
        absent, batches, dependent, hot, hot_view, scan, two_threads, uniform, uniform_view,
    };
    use crate::data::Values;
    use crate::findings::WrongAnswer;
    use crate::steps::load;
    use crate::store::{Result, Store, Workload};
    use crate::stores::{Visit, with_store};

    const COUNT: u64 = 5000;
    const TIME: Duration = Duration::from_millis(1);

    /// Each way of reading, of a store that was loaded with this version of everything.
    struct Reads(u64);

    impl Visit for Reads {
        type Output = Vec<(&'static str, Result<()>)>;

        fn visit<S: Store>(self) -> Self::Output {
            let values = Values::new(8);
            let store = S::open(Path::new("/nonexistent"), Workload::relaxed(8)).unwrap();
            load(&store, &values, COUNT, self.0, Duration::MAX).unwrap();
            vec![
                ("uniform", uniform(&store, &values, COUNT, 1, TIME).map(drop)),
                ("uniform view", uniform_view(&store, &values, COUNT, TIME).map(drop)),
                ("two threads", two_threads(&store, &values, COUNT, TIME).map(drop)),
                ("hot", hot(&store, COUNT, TIME).map(drop)),
                ("hot view", hot_view(&store, COUNT, TIME).map(drop)),
                ("dependent", dependent(&store, &values, COUNT, TIME).map(drop)),
                ("batches", batches(&store, &values, COUNT, TIME).map(drop)),
                ("scan", scan(&store, &values, COUNT, TIME).map(drop)),
                // Half of what is asked for as absent is there.
                ("absent", absent(&store, COUNT / (1 + self.0), TIME).map(drop)),
            ]
        }
    }

    #[test]
    fn right_answers_are_measured() {
        for (name, outcome) in with_store("memory floor", Reads(0)).unwrap() {
            assert!(outcome.is_ok(), "{name}: {outcome:?}");
        }
    }

    #[test]
    fn wrong_answers_are_not() {
        for (name, outcome) in with_store("memory floor", Reads(1)).unwrap() {
            let error = outcome.expect_err(name);
            assert!(error.downcast_ref::<WrongAnswer>().is_some(), "{name}: {error}");
        }
    }
}
