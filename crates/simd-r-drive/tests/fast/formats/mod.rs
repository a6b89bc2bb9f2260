//! Files of every version of the format.

mod fixtures;
