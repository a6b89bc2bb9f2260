//! Files in which something has been changed or is missing.

mod below_the_index;
mod bits;
mod index;
mod log;
mod refused_stores;
