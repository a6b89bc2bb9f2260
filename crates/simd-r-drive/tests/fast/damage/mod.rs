//! Files in which something was changed or is gone.

mod below_the_index;
mod bits;
mod index;
mod log;
mod refused_stores;
