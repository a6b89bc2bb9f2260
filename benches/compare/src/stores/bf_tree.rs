//! `bf-tree`.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use bf_tree::{BfTree, Config, LeafInsertResult, LeafReadResult, ScanReturnField};

use crate::data::KEY_LEN;
use crate::store::{Calls, Kind, Newest, Profile, Result, Store, Workload, unsupported};

pub struct Bf {
    tree: BfTree,
    snapshot: PathBuf,
    value_len: usize,
}

const CACHE_LEN: usize = 1 << 30;

/// A leaf page must hold two of the longest records.
const MAX_VALUE_LEN: usize = 12 << 10;

thread_local! {
    /// Values are copied to here.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 2 * MAX_VALUE_LEN]);
}

impl Bf {
    fn check(&self, value: &[u8]) -> Result<()> {
        if value.len() > self.value_len { Err("longer than announced".into()) } else { Ok(()) }
    }
}

impl Store for Bf {
    const PROFILE: Profile = Profile {
        name: "bf-tree",
        package: "bf-tree",
        kind: Kind::Rival,
        settings: "on disk, cache 1 GiB, no log, so that nothing survives the death of the process but snapshots; leaf \
            pages of 4 KiB, 32 KiB for values above 1.5 KiB",
        calls: Calls {
            put: "`insert`",
            put_batch: "`insert` each",
            put_durably: "none",
            get: "`read` into a buffer",
            reader: "`read` into a buffer",
            contains: "`read` into a buffer",
            get_batch: "`read` each",
            scan: "`scan_with_end_key`",
            settle: "nothing",
            compact: "none",
        },
    };

    type Reader<'a> = Newest<'a, Self>;

    fn open(directory: &Path, workload: Workload) -> Result<Self> {
        if workload.value_len > MAX_VALUE_LEN {
            return unsupported("records must fit half a page of 32 KiB");
        }
        let snapshot = directory.join("snapshot.bftree");
        let tree = if snapshot.exists() {
            BfTree::new_from_cpr_snapshot(&snapshot, true, None, Some(CACHE_LEN), None)
        } else {
            let mut config = Config::new(directory.join("data.bftree"), CACHE_LEN);
            let is_long = workload.value_len > 1536;
            config
                .use_snapshot(true)
                .cb_max_key_len(KEY_LEN)
                .max_fence_len(2 * KEY_LEN)
                .cb_min_record_size(KEY_LEN + 8)
                .cb_max_record_size(KEY_LEN + workload.value_len.max(64))
                .leaf_page_size(if is_long { 32 << 10 } else { 4 << 10 });
            BfTree::with_config(config, None)
        };
        let tree = tree.map_err(|error| format!("{error:?}"))?;
        Ok(Self { tree, snapshot, value_len: workload.value_len })
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.check(value)?;
        match self.tree.insert(key, value) {
            LeafInsertResult::Success => Ok(()),
            LeafInsertResult::InvalidKV(why) => Err(why.into()),
        }
    }

    fn put_batch(&self, entries: &[(&[u8], &[u8])]) -> Result<()> {
        entries.iter().try_for_each(|(key, value)| self.put(key, value))
    }

    fn put_durably(&self, _key: &[u8], _value: &[u8]) -> Result<()> {
        unsupported("its log is written, but not flushed to the medium")
    }

    #[inline]
    fn get<T>(&self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        BUFFER.with_borrow_mut(|buffer| match self.tree.read(key, buffer) {
            LeafReadResult::Found(len) => Ok(look(Some(&buffer[..len as usize]))),
            LeafReadResult::NotFound | LeafReadResult::Deleted => Ok(look(None)),
            LeafReadResult::InvalidKey => Err("invalid key".into()),
        })
    }

    fn view<T>(&self, act: impl FnOnce(Newest<'_, Self>) -> Result<T>) -> Result<T> {
        act(Newest(self))
    }

    #[inline]
    fn contains(&self, key: &[u8]) -> Result<bool> {
        self.get(key, |value| value.is_some())
    }

    fn get_batch(&self, keys: &[&[u8]], mut look: impl FnMut(usize, Option<&[u8]>)) -> Result<()> {
        let mut keys = keys.iter().enumerate();
        keys.try_for_each(|(place, key)| self.get(key, |value| look(place, value)))
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        self.tree.delete(key);
        Ok(())
    }

    fn scan(&self, mut look: impl FnMut(&[u8])) -> Result<()> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut scan = self
                .tree
                .scan_with_end_key(&[0], &[0xff; KEY_LEN], ScanReturnField::Value)
                .map_err(|error| format!("{error:?}"))?;
            while let Some((_, len)) = scan.next(buffer) {
                look(&buffer[..len]);
            }
            Ok(())
        })
    }

    fn sync(&self) -> Result<()> {
        unsupported("only snapshots")
    }

    fn settle(&self) -> Result<()> {
        Ok(())
    }

    fn compact(&mut self) -> Result<()> {
        unsupported("overwrites in place")
    }

    fn close(self) -> Result<()> {
        self.tree.cpr_snapshot(&self.snapshot);
        Ok(())
    }
}
