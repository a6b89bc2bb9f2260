//! After any history of writes, freezes, damage and reopens, the layers give the same answers as a
//! scan of the log, through the newest list of layers and through older ones.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use simd_r_drive_entry_handle::{Alignment, Identity as FileIdentity, IdentitySeeds, Layout, Map};
use simd_r_drive_indexer::{
    BuildError, ChainKey, Current, FrozenIndex, Insertion, KeyIndexer, LayeredIndex, Merging,
    SlotRef, TablePlan,
};

use crate::support::log::{Log, LogSlot, end_of};
use crate::support::naive::Chains;

const KEYS: [&[u8]; 4] = [b"", b"a", b"b", b"never written"];

fn layout() -> Layout {
    let seeds = IdentitySeeds { store_id: [1; 16], file_id: [2; 16], seal_key: [3; 16] };
    FileIdentity::new(seeds, Alignment::DEFAULT, 0, 0).layout()
}

#[derive(Clone, Debug)]
enum Op {
    Put(u64, usize),
    PutBare(u64),
    Delete(u64, usize),
    DeleteHash(u64),
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Op>),
    /// This many new hashes at once.
    Load(u64),
    Freeze,
    /// Builds a table from the frozen layers and puts it into the list: one of everything, or, if
    /// `Merging` allows, one on top of the earlier tables.
    Build(Merging),
    /// Starts to build a table, which cannot be written.
    FailToBuild,
    /// Merges tables only. Meanwhile, each of these commits gets a table.
    Merge(Vec<Vec<Op>>),
    /// Only the table and the log are left.
    Reopen,
    /// Changes a byte of the table, somewhere.
    Damage(usize, prop::sample::Index, u8),
    /// Gives a part of the table back.
    Punch(usize, prop::sample::Index),
    Remember,
}

fn op() -> impl Strategy<Value = Op> {
    let hash = || prop_oneof![0..4_u64, 0..60_u64, Just(u64::MAX)];
    prop_oneof![
        8 => (hash(), 0..3_usize).prop_map(|(hash, key)| Op::Put(hash, key)),
        2 => hash().prop_map(Op::PutBare),
        3 => (hash(), 0..3_usize).prop_map(|(hash, key)| Op::Delete(hash, key)),
        1 => hash().prop_map(Op::DeleteHash),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => vec(op(), 1..8).prop_map(Step::Commit),
        1 => (1..400_u64).prop_map(Step::Load),
        2 => Just(Step::Freeze),
        4 => prop::sample::select(&[Merging::Full, Merging::OnClose, Merging::Tiered][..])
            .prop_map(Step::Build),
        1 => Just(Step::FailToBuild),
        3 => vec(vec(op(), 1..4), 0..4).prop_map(Step::Merge),
        2 => Just(Step::Reopen),
        1 => (0..4_usize, any::<prop::sample::Index>(), 1..=255_u8)
            .prop_map(|(which, at, xor)| Step::Damage(which, at, xor)),
        1 => (0..4_usize, any::<prop::sample::Index>())
            .prop_map(|(which, at)| Step::Punch(which, at)),
        2 => Just(Step::Remember),
    ]
}

/// A list of layers, and the tails that it answers for.
struct Remembered {
    index: LayeredIndex,
    from: u64,
    to: u64,
}

struct World {
    layout: Layout,
    log: Log,
    index: LayeredIndex,
    /// What is in `freezing` ends here.
    sealed: u64,
    /// What the list was started for, while nothing is committed.
    planned: Option<TablePlan>,
    /// The tables in use, newest first: where each starts, and a file that holds it.
    tables: Vec<(u64, Vec<u8>)>,
    remembered: Vec<Remembered>,
    next_hash: u64,
}

impl World {
    fn new() -> Self {
        let layout = layout();
        let log = Log::default();
        Self {
            index: LayeredIndex::new(&layout, KeyIndexer::new()),
            sealed: log.tail(),
            log,
            layout,
            planned: None,
            tables: Vec::new(),
            remembered: Vec::new(),
            next_hash: 1_000,
        }
    }

    fn stage(&mut self, staged: &mut Vec<Insertion>, hash: u64, key: Option<&[u8]>, dead: bool) {
        let newest = Chains::newest(&self.log, hash).chain(key);
        let replaces = newest.map_or(0, |version| version.end);
        let slot = LogSlot {
            hash,
            key: key.map(<[u8]>::to_vec),
            is_tombstone: dead,
            previous_end: replaces,
        };
        let end = self.log.push(slot);
        let identity = key.map_or(ChainKey::Bare, ChainKey::Keyed);
        let current = self.index.current(hash, identity, &self.log).unwrap();
        staged.push(Insertion {
            hash,
            end,
            replaces,
            is_tombstone: dead,
            is_bare: key.is_none(),
            is_new: !current.is_known_hash,
            is_settled: current.is_settled,
        });
    }

    fn is_live(&self, hash: u64, key: Option<&[u8]>) -> bool {
        Chains::newest(&self.log, hash).live_end(key).is_some()
    }

    fn bury_all(&mut self, staged: &mut Vec<Insertion>, hash: u64, keyed_only: bool) {
        for end in Chains::newest(&self.log, hash).live_ends() {
            let key = self.log.at(end).key.clone();
            if key.is_some() || !keyed_only {
                self.stage(staged, hash, key.as_deref(), true);
            }
        }
    }

    fn commit(&mut self, ops: &[Op]) {
        let mut staged = Vec::new();
        for op in ops {
            match *op {
                Op::Put(hash, key) => {
                    if self.is_live(hash, None) {
                        self.stage(&mut staged, hash, None, true);
                    }
                    self.stage(&mut staged, hash, Some(KEYS[key]), false);
                }
                Op::PutBare(hash) => {
                    self.bury_all(&mut staged, hash, true);
                    self.stage(&mut staged, hash, None, false);
                }
                Op::Delete(hash, key) => {
                    for key in [Some(KEYS[key]), None] {
                        if self.is_live(hash, key) {
                            self.stage(&mut staged, hash, key, true);
                        }
                    }
                }
                Op::DeleteHash(hash) => self.bury_all(&mut staged, hash, false),
            }
        }
        self.index.insert_batch(&staged, &self.log).unwrap();
    }

    /// Plans a table of what is in memory, and gives writes a new layer.
    fn freeze(&mut self, merging: Merging, busy: usize) -> TablePlan {
        // Each table has a place of its own in the log.
        self.commit(&[Op::Put(98, 0)]);
        self.freeze_as_it_is(merging, busy)
    }

    fn freeze_as_it_is(&mut self, merging: Merging, busy: usize) -> TablePlan {
        self.remember();
        let plan = self.index.plan_table(merging, busy);
        self.index = self.index.started(plan);
        self.sealed = self.log.tail();
        self.planned = Some(plan);
        plan
    }

    fn build(&mut self, merging: Merging, fail: bool) {
        let plan = match self.planned {
            Some(plan) if self.sealed == self.log.tail() => plan,
            _ => self.freeze(merging, 0),
        };
        self.build_planned(plan, self.sealed, fail);
    }

    /// Merges tables, if it is time, with `meanwhile` while the merged one is written.
    fn merge(&mut self, meanwhile: &[Vec<Op>]) {
        let Some(plan) = self.index.plan_merge() else { return };
        self.commit(&[Op::Put(99, 0)]);
        let start = self.log.tail();
        self.index = self.index.started(plan);
        let before = self.index.clone();
        for ops in meanwhile {
            self.commit(ops);
            let plan = self.freeze(Merging::Tiered, plan.busy_tables());
            self.build_planned(plan, self.sealed, false);
        }
        // Written before the table is complete, and in no other.
        self.commit(&[Op::Put(97, 2)]);
        self.complete(&before, plan, start, false);
    }

    fn build_planned(&mut self, plan: TablePlan, start: u64, fail: bool) {
        self.planned = None;
        let index = self.index.clone();
        self.complete(&index, plan, start, fail);
    }

    /// Builds a table from `before`, the list as of when the table was planned, and puts it into
    /// the current list.
    fn complete(&mut self, before: &LayeredIndex, plan: TablePlan, start: u64, fail: bool) {
        let mut file = vec![0; (start + plan.table_bytes()) as usize];
        let mut written = 0;
        let result =
            before.build_table(&self.layout, start, plan, &self.log, &mut |offset, bytes| {
                written += 1;
                if fail && written > 1 {
                    return Err(std::io::ErrorKind::StorageFull.into());
                }
                let at = (start + offset) as usize;
                file[at..at + bytes.len()].copy_from_slice(bytes);
                Ok(())
            });
        if fail && result.is_err() {
            return;
        }
        let built = match result {
            // The next plan takes into account that a table is damaged.
            Err(BuildError::Damaged) => return,
            result => result.unwrap(),
        };
        let header = built.header();
        file[start as usize..][..header.len()].copy_from_slice(&header);
        self.remember();
        let table = open(&self.layout, start, &file).expect("just built");
        assert_eq!(table.is_complete(), plan.is_whole());
        let ends = |index: &LayeredIndex| index.frozen().map(|table| table.end()).collect();
        let before: Vec<u64> = ends(&self.index);
        self.index = self.index.with_table(table, plan, built);
        let after: Vec<u64> = ends(&self.index);
        assert_eq!(before.len() - plan.merged_tables() + 1, after.len());
        self.tables.push((start, file));
        self.tables.retain(|(start, _)| after.contains(&table_end(*start)));
        self.tables
            .sort_by_key(|(start, _)| after.iter().position(|end| *end == table_end(*start)));
        self.check();
    }

    fn reopen(&mut self) {
        let opened: Vec<_> = self
            .tables
            .iter()
            .map_while(|(start, file)| open(&self.layout, *start, file))
            .collect();
        let from = if opened.len() == self.tables.len() {
            opened.first().map_or(0, FrozenIndex::tail)
        } else {
            0
        };
        self.index = if from > 0 {
            let are_complete: Vec<bool> = opened.iter().map(FrozenIndex::is_complete).collect();
            assert_eq!(
                are_complete.iter().position(|is_complete| *is_complete),
                Some(opened.len() - 1)
            );
            LayeredIndex::over(&self.layout, opened, self.index.frozen_hashes())
        } else {
            self.tables.clear();
            LayeredIndex::new(&self.layout, KeyIndexer::new())
        };
        self.planned = None;
        self.sealed = from;
        let later: Vec<_> = self.log.iter().filter(|(end, _)| *end > from).collect();
        for chunk in later.chunks(5) {
            let items: Vec<_> = chunk
                .iter()
                .map(|(end, slot)| Insertion {
                    hash: slot.hash,
                    end: *end,
                    replaces: slot.previous_end,
                    is_tombstone: slot.is_tombstone,
                    is_bare: slot.key.is_none(),
                    is_new: false,
                    is_settled: false,
                })
                .collect();
            self.index.insert_batch(&items, &self.log).unwrap();
        }
    }

    /// Changes the table and opens it again, since maps of tests are copies.
    fn change_table(&mut self, which: usize, change: impl FnOnce(&mut [u8])) {
        let count = self.tables.len().max(1);
        if let Some((start, file)) = self.tables.get_mut(which % count) {
            change(&mut file[*start as usize..]);
            self.reopen();
        }
    }

    fn remember(&mut self) {
        let (index, from, to) = (self.index.clone(), self.sealed, self.log.tail());
        self.remembered.push(Remembered { index, from, to });
    }

    fn check(&self) {
        let tail = self.log.tail();
        self.check_list(&self.index, self.sealed, tail);
        for Remembered { index, from, to } in &self.remembered {
            self.check_list(index, *from, *to);
        }
        for hash in self.hashes() {
            let chains = Chains::newest(&self.log, hash);
            let keyed = KEYS.map(ChainKey::Keyed);
            for identity in keyed.into_iter().chain([ChainKey::Bare]) {
                let current = self.index.current(hash, identity, &self.log).unwrap();
                // Which layer holds the chains is not for the log to say.
                let expected =
                    Current { is_settled: current.is_settled, ..chains.current(identity) };
                assert_eq!(current, expected, "hash {hash}, {identity:?}");
            }
            assert_eq!(self.index.live_chains(hash, &self.log).unwrap(), chains.live_ends());
        }
    }

    fn hashes(&self) -> Vec<u64> {
        let mut hashes: Vec<_> = self.log.iter().map(|(_, slot)| slot.hash).collect();
        hashes.extend([77, 1 << 40]);
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    }

    fn check_list(&self, index: &LayeredIndex, from: u64, to: u64) {
        let hashes = self.hashes();
        for tail in [from, from.midpoint(to) / 64 * 64, to] {
            let batch = |keys: Option<&[&[u8]]>| {
                let mut ends = Vec::new();
                let found = |number, slot: Option<SlotRef<'_>>| {
                    assert_eq!(number, ends.len());
                    ends.push(slot.map(|slot| slot.end));
                    Ok(())
                };
                index.find_batch(&hashes, keys, tail, &self.log, found).unwrap();
                ends
            };
            for key in KEYS {
                let expected: Vec<_> = hashes
                    .iter()
                    .map(|hash| Chains::at(&self.log, *hash, tail).find(key))
                    .collect();
                let keys = vec![key; hashes.len()];
                assert_eq!(batch(Some(&keys)), expected, "batch, key {key:?}, tail {tail}");
                for (hash, expected) in hashes.iter().zip(&expected) {
                    let found = end_of(index.find(*hash, key, tail, &self.log)).unwrap();
                    assert_eq!(found, *expected, "hash {hash}, key {key:?}, tail {tail}");
                }
            }
            let expected: Vec<_> = hashes
                .iter()
                .map(|hash| Chains::at(&self.log, *hash, tail).live_ends().last().copied())
                .collect();
            assert_eq!(batch(None), expected, "by hash, tail {tail}");
            for (end, slot) in self.log.iter().filter(|(end, _)| *end <= tail) {
                let chains = Chains::at(&self.log, slot.hash, tail);
                let is_current =
                    index.is_current(slot.hash, end, slot.identity(), tail, &self.log).unwrap();
                let expected = chains.live_end(slot.key.as_deref()) == Some(end);
                // Only values are asked about.
                assert!(slot.is_tombstone || is_current == expected, "slot {end}, tail {tail}");
            }
        }
    }
}

fn open(layout: &Layout, start: u64, file: &[u8]) -> Option<FrozenIndex> {
    let map = Arc::new(Map::anonymous(file).unwrap());
    FrozenIndex::open(map, layout, start, file.len() as u64 - start, table_end(start), false)
}

/// Where the slot of a table ends that starts at `start`: behind any table of these tests.
fn table_end(start: u64) -> u64 {
    start + (1 << 24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn layers_answer_like_a_scan_of_the_log(steps in vec(step(), 1..24)) {
        let mut world = World::new();
        for step in &steps {
            match step {
                Step::Commit(ops) => world.commit(ops),
                Step::Load(count) => {
                    let first = world.next_hash;
                    world.next_hash += count;
                    let ops: Vec<_> = (first..first + count).map(|hash| Op::Put(hash, 1)).collect();
                    world.commit(&ops);
                }
                Step::Freeze => drop(world.freeze(Merging::Tiered, 0)),
                Step::Build(merging) => world.build(*merging, false),
                Step::Merge(meanwhile) => world.merge(meanwhile),
                Step::FailToBuild => world.build(Merging::Tiered, true),
                Step::Reopen => world.reopen(),
                Step::Damage(which, at, xor) => world.change_table(*which, |table| {
                    let at = at.index(table.len());
                    table[at] ^= xor;
                }),
                Step::Punch(which, at) => world.change_table(*which, |table| {
                    let at = at.index(table.len()) / 64 * 64;
                    table[at..].fill(0);
                }),
                Step::Remember => world.remember(),
            }
            world.check();
        }
    }
}

fn loaded(keys: u64) -> World {
    let mut world = World::new();
    let ops: Vec<_> = (0..keys).map(|hash| Op::Put(hash, (hash % 3) as usize)).collect();
    world.commit(&ops);
    // A hash of three lines, so that there is a record.
    world.commit(&[Op::Put(5, 0), Op::Put(5, 1), Op::Delete(5, 2), Op::PutBare(6)]);
    world.build(Merging::Full, false);
    world
}

/// Every byte of a table counts, and none is believed blindly.
#[test]
fn a_table_with_any_byte_changed_answers_like_the_log() {
    let world = loaded(40);
    let (start, file) = &world.tables[0];
    let mut rebuilt = 0;
    for at in *start as usize..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 0x5A;
        let Some(table) = open(&world.layout, *start, &damaged) else { continue };
        let index = LayeredIndex::over(&world.layout, vec![table], 0);
        world.check_list(&index, *start, *start);
        rebuilt += usize::from(index.stats().is_rebuilt);
    }
    assert!(rebuilt > 64, "the look-ups above met {rebuilt} damaged lines");
}

/// Tables are made from tables, many times over, without reading most keys. None may get lost.
#[test]
fn tables_grow_from_one_another_without_losing_a_hash() {
    let mut world = World::new();
    let mut hashes = 0;
    for step in 0..6_u64 {
        let additional = 3_000 * (step + 1);
        let items: Vec<_> = (hashes..hashes + additional)
            .map(|hash| {
                let key = Some(KEYS[1].to_vec());
                let slot = LogSlot { hash, key, is_tombstone: false, previous_end: 0 };
                let end = world.log.push(slot);
                Insertion {
                    hash,
                    end,
                    replaces: 0,
                    is_tombstone: false,
                    is_bare: false,
                    is_new: false,
                    is_settled: false,
                }
            })
            .collect();
        hashes += additional;
        world.index.insert_batch(&items, &world.log).unwrap();
        let size = world.freeze_as_it_is(Merging::Full, 0);
        world.remembered.clear();
        assert!(size.table_bytes() < 11 * hashes + 8_192, "{size:?} for {hashes} hashes");
        let start = world.sealed;
        let mut file = vec![0; (start + size.table_bytes()) as usize];
        let calls = world.log.calls();
        let built = world
            .index
            .build_table(&world.layout, start, size, &world.log, &mut |offset, bytes| {
                let at = (start + offset) as usize;
                file[at..at + bytes.len()].copy_from_slice(bytes);
                Ok(())
            })
            .unwrap();
        let calls = world.log.calls() - calls;
        assert!(calls < 100, "{calls} keys were read for a table of {hashes}");
        let first = built.header();
        file[start as usize..][..first.len()].copy_from_slice(&first);
        let table = open(&world.layout, start, &file).unwrap();
        world.index = world.index.with_table(table, size, built);
        for (end, slot) in world.log.iter() {
            let found = end_of(world.index.find(slot.hash, KEYS[1], start, &world.log)).unwrap();
            assert_eq!(found, Some(end), "hash {}", slot.hash);
        }
        for absent in hashes..2 * hashes {
            assert_eq!(end_of(world.index.find(absent, KEYS[1], start, &world.log)).unwrap(), None);
        }
    }
    assert!(!world.index.stats().is_rebuilt);
}

fn put_all(world: &mut World, hashes: std::ops::Range<u64>) {
    let ops: Vec<_> = hashes.map(|hash| Op::Put(hash, 0)).collect();
    world.commit(&ops);
}

fn sizes(world: &World) -> Vec<u64> {
    world.index.frozen().map(|table| table.hashes()).collect()
}

/// A checkpoint of a store that is written.
fn write_layers(world: &mut World, hashes: std::ops::Range<u64>) {
    put_all(world, hashes);
    let plan = world.freeze(Merging::Tiered, 0);
    world.remembered.clear();
    world.build_planned(plan, world.sealed, false);
}

/// A store that is written makes small tables, and merges them before there are too many to name.
#[test]
fn small_tables_are_merged_before_there_are_too_many() {
    let mut world = World::new();
    put_all(&mut world, 0..400);
    world.build(Merging::Full, false);
    let mut most = 0;
    // Ever fewer, so that nothing is merged for its size.
    for hashes in [300, 220, 160, 115, 82, 58, 41, 29, 20, 14, 9, 5] {
        write_layers(&mut world, 0..hashes);
        most = most.max(sizes(&world).len());
    }
    assert_eq!(most, 9, "and room for one");
    // In a store, some of them would have been merged before.
    let plan = world.index.plan_merge().unwrap();
    assert!(sizes(&world).len() - plan.merged_tables() < 4, "{plan:?}");
    assert!(!world.index.stats().is_rebuilt);
}

/// While large tables are merged, any number of small ones can be added.
#[test]
fn any_number_of_checkpoints_fits_into_one_merge() {
    let mut world = World::new();
    for hashes in [280, 150, 140] {
        write_layers(&mut world, 0..hashes);
    }
    assert_eq!(sizes(&world), [140, 150, 280]);
    let meanwhile: Vec<Vec<Op>> = (0..12)
        .map(|step| (0..60 - 4 * step).map(|hash| Op::Put(7000 + hash, 1)).collect())
        .collect();
    world.merge(&meanwhile);
    let after = sizes(&world);
    assert!(after.len() < 10 && after.last() == Some(&280), "{after:?}");
    world.reopen();
    world.check();
}

#[test]
fn a_table_that_was_rebuilt_is_replaced_by_the_next() {
    let mut world = loaded(400);
    put_all(&mut world, 400..420);
    world.build(Merging::Tiered, false);
    assert_eq!(world.tables.len(), 2);
    put_all(&mut world, 420..425);
    assert!(!world.index.plan_table(Merging::Tiered, 0).is_whole());
    // All lines of the larger one.
    world.change_table(1, |table| table[128..].fill(0));
    assert!(end_of(world.index.find(3, KEYS[0], world.log.tail(), &world.log)).unwrap().is_some());
    assert!(world.index.stats().is_rebuilt);
    assert_eq!(world.index.plan_merge(), None, "nothing can be read of it");
    let plan = world.index.plan_table(Merging::Tiered, 0);
    assert!(plan.is_whole(), "{plan:?}");
    world.build(Merging::Tiered, false);
    assert_eq!(world.tables.len(), 1);
    assert!(!world.index.stats().is_rebuilt);
}
