//! Operations on a store, and strategies that generate histories of them.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy};
use proptest::prop_oneof;

use crate::case::{HashId, KeyId, Value, hash_count, key_count};

/// One call of the writer trait, or an event in the life of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the methods that they call")]
pub enum Operation {
    Write(KeyId, Value),
    WriteHash(HashId, Value),
    BatchWrite(Vec<(KeyId, Value)>),
    BatchWriteHashes(Vec<(HashId, Value)>),
    Stream(KeyId, Value),
    StreamHash(HashId, Value),
    /// A stream whose reader fails after it has returned the value.
    FailingStream(KeyId, Value),
    /// A batch with a valid key, and then one that is too long.
    TooLongKey(KeyId, Value),
    Rename(KeyId, KeyId),
    Delete(KeyId),
    BatchDelete(Vec<KeyId>),
    BatchDeleteHashes(Vec<HashId>),
    Sync,
    /// A checkpoint: the index is written to the file.
    Checkpoint,
    /// A compaction, during which these entries are written.
    Compact(Vec<(KeyId, Value)>),
    /// The store is closed, dropped and opened.
    CloseAndReopen,
    /// The store is dropped and opened.
    DropAndReopen,
    /// The process dies, and another one opens the store.
    KillAndReopen,
    /// A reader opens the file beside the writer.
    ReadBeside,
}

impl Operation {
    /// Whether the operation promises that it and everything before it are on the medium when it
    /// returns.
    pub fn flushes(&self) -> bool {
        matches!(self, Self::Sync | Self::CloseAndReopen | Self::Compact(_))
    }
}

/// Values, many with lengths close to where something changes: a trailer, a block, a page, a
/// header, the length from which payloads are hashed in pieces, and that from which they are
/// written without a copy.
pub fn value() -> impl Strategy<Value = Value> {
    const EDGES: [usize; 6] = [32, 64, 4096, 16 << 10, 128 << 10, 300_000];
    let around = |edges: &'static [usize]| {
        (proptest::sample::select(edges), 0_usize..=66)
            .prop_map(|(edge, back)| edge + 2 - back.min(edge))
    };
    let len = prop_oneof![
        2 => 0_usize..=1,
        6 => around(&EDGES[..3]),
        3 => 0_usize..2000,
        1 => around(&EDGES[3..]),
    ];
    (len, 0_u8..=5).prop_map(|(len, seed)| Value { len, seed })
}

/// Values of up to a few sectors, for histories whose crash states are all tried.
pub fn small_value() -> impl Strategy<Value = Value> {
    let len = prop_oneof![1 => 0_usize..=1, 4 => 2_usize..200, 2 => 200_usize..3000];
    (len, 0_u8..=5).prop_map(|(len, seed)| Value { len, seed })
}

/// Any operation but a kill.
pub fn operation() -> impl Strategy<Value = Operation> {
    calls(value().boxed(), key_count(), hash_count())
}

/// Operations for crash tests: with small values, and without the longest key.
pub fn crash_operation() -> impl Strategy<Value = Operation> {
    calls(small_value().boxed(), key_count() - 1, key_count() - 1)
}

/// `operations`, with kills among them.
pub fn with_kills(
    operations: impl Strategy<Value = Operation>,
) -> impl Strategy<Value = Operation> {
    prop_oneof![15 => operations, 1 => Just(Operation::KillAndReopen)]
}

/// Histories of one to `most` operations.
pub fn histories(
    operations: impl Strategy<Value = Operation>,
    most: usize,
) -> impl Strategy<Value = Vec<Operation>> {
    vec(operations, 1..=most)
}

fn calls(
    value: proptest::strategy::BoxedStrategy<Value>,
    keys: usize,
    hashes: usize,
) -> impl Strategy<Value = Operation> {
    let key = move || 0..keys;
    let hash = move || 0..hashes;
    prop_oneof![
        6 => (key(), value.clone()).prop_map(|(k, v)| Operation::Write(k, v)),
        3 => (hash(), value.clone()).prop_map(|(h, v)| Operation::WriteHash(h, v)),
        3 => vec((key(), value.clone()), 0..6).prop_map(Operation::BatchWrite),
        2 => vec((hash(), value.clone()), 0..6).prop_map(Operation::BatchWriteHashes),
        2 => (key(), value.clone()).prop_map(|(k, v)| Operation::Stream(k, v)),
        1 => (hash(), value.clone()).prop_map(|(h, v)| Operation::StreamHash(h, v)),
        1 => (key(), value.clone()).prop_map(|(k, v)| Operation::FailingStream(k, v)),
        1 => (key(), value.clone()).prop_map(|(k, v)| Operation::TooLongKey(k, v)),
        3 => (key(), key()).prop_map(|(old, new)| Operation::Rename(old, new)),
        3 => key().prop_map(Operation::Delete),
        1 => vec(key(), 0..5).prop_map(Operation::BatchDelete),
        1 => vec(hash(), 0..5).prop_map(Operation::BatchDeleteHashes),
        1 => vec((key(), value), 0..3).prop_map(Operation::Compact),
        1 => Just(Operation::Sync),
        2 => Just(Operation::Checkpoint),
        1 => Just(Operation::CloseAndReopen),
        1 => Just(Operation::DropAndReopen),
        1 => Just(Operation::ReadBeside),
    ]
}
