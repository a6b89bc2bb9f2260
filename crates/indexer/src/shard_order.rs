//! Sorts a batch by the shards it touches.

/// The number of items sorted at a time. A shard's lock is held only for the few items of a chunk
/// that fall into it, so a batch of a million items does not keep readers waiting.
pub(crate) const CHUNK_LEN: usize = 1024;

/// With fewer items, nearly every one falls into a shard of its own, and sorting costs more than it
/// saves. The tests of this crate also sort small batches, to cover both paths.
pub(crate) const SORT_LEN_MIN: usize = if cfg!(test) { 4 } else { 64 };

/// A stable counting sort of a chunk by shard. Its buffers are reused for all chunks of a batch.
pub(crate) struct ShardOrder {
    /// Mixed hashes in item order.
    mixed: Vec<u64>,
    /// Item index and mixed hash, by shard.
    sorted: Vec<(u32, u64)>,
    /// Where the items of each shard end in `sorted`.
    ends: Vec<u32>,
}

/// The items of a chunk that fall into one shard.
pub(crate) struct Run<'a> {
    pub(crate) shard: usize,
    pub(crate) items: &'a [(u32, u64)],
}

impl ShardOrder {
    pub(crate) fn new(shard_count: usize) -> Self {
        Self { mixed: Vec::new(), sorted: Vec::new(), ends: vec![0; shard_count] }
    }

    /// Splits a batch into chunks, each with the index of its first item.
    pub(crate) fn chunks<T>(items: &[T]) -> impl Iterator<Item = (&[T], usize)> {
        items.chunks(CHUNK_LEN).zip((0..).step_by(CHUNK_LEN))
    }

    pub(crate) fn sort(
        &mut self,
        mixed: impl Iterator<Item = u64>,
        shard_of: impl Fn(u64) -> usize,
    ) {
        self.mixed.clear();
        self.mixed.extend(mixed);
        self.ends.fill(0);
        for &mixed in &self.mixed {
            self.ends[shard_of(mixed)] += 1;
        }
        // Turns counts into starts. Placing the items then moves each start to its end.
        let mut start = 0;
        for end in &mut self.ends {
            start += std::mem::replace(end, start);
        }
        self.sorted.clear();
        self.sorted.resize(self.mixed.len(), (0, 0));
        for (index, &mixed) in (0..).zip(&self.mixed) {
            let next = &mut self.ends[shard_of(mixed)];
            self.sorted[*next as usize] = (index, mixed);
            *next += 1;
        }
    }

    /// The shards that have items, with their items in batch order.
    pub(crate) fn runs(&self) -> impl Iterator<Item = Run<'_>> {
        let mut start = 0;
        self.ends.iter().enumerate().filter_map(move |(shard, &end)| {
            let items = &self.sorted[start as usize..end as usize];
            start = end;
            (!items.is_empty()).then_some(Run { shard, items })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_by_shard_and_in_batch_order() {
        let mixed = [7, 3, 7, 0, 3, 7];
        let mut order = ShardOrder::new(8);
        for _ in 0..2 {
            order.sort(mixed.into_iter(), |mixed| mixed as usize);
            let runs: Vec<_> = order.runs().map(|run| (run.shard, run.items.to_vec())).collect();
            let expected = vec![
                (0, vec![(3, 0)]),
                (3, vec![(1, 3), (4, 3)]),
                (7, vec![(0, 7), (2, 7), (5, 7)]),
            ];
            assert_eq!(runs, expected);
        }
        order.sort([].into_iter(), |mixed| mixed as usize);
        assert_eq!(order.runs().count(), 0);
    }

    #[test]
    fn chunks_know_where_they_start() {
        let items = vec![(); CHUNK_LEN + 1];
        let chunks: Vec<_> =
            ShardOrder::chunks(&items).map(|(chunk, first)| (chunk.len(), first)).collect();
        assert_eq!(chunks, [(CHUNK_LEN, 0), (1, CHUNK_LEN)]);
    }
}
