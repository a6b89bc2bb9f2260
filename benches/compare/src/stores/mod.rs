//! The stores that are compared, one file each.

mod bf_tree;
mod canopydb;
mod emdb;
mod fjall;
mod floor;
mod lmdb;
mod map;
#[cfg(feature = "libmdbx")]
mod mdbx;
mod ours;
mod published;
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod sled;

use crate::store::{Profile, Store};

/// Something to be done with a store whose type is known by its name only.
pub trait Visit {
    type Output;

    fn visit<S: Store>(self) -> Self::Output;
}

macro_rules! stores {
    ($($(#[$attribute:meta])* $store:ty,)+) => {
        /// What all stores say of themselves, in the order of the tables.
        pub fn profiles() -> Vec<Profile> {
            vec![$($(#[$attribute])* <$store as Store>::PROFILE,)+]
        }

        /// Visits the store of this name.
        pub fn with_store<V: Visit>(name: &str, visit: V) -> Option<V::Output> {
            $($(#[$attribute])* if <$store as Store>::PROFILE.name == name {
                return Some(visit.visit::<$store>());
            })+
            None
        }
    };
}

stores! {
    ours::Ours,
    published::Published,
    emdb::Emdb,
    lmdb::Lmdb,
    #[cfg(feature = "libmdbx")]
    mdbx::Mdbx,
    redb::Redb,
    fjall::Fjall,
    canopydb::Canopy,
    bf_tree::Bf,
    #[cfg(feature = "rocksdb")]
    rocksdb::Rocks,
    sled::Sled,
    map::Map,
    floor::Floor,
}
