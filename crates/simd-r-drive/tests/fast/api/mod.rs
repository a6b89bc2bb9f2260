//! The public interface, method by method.

mod buffers;
mod conditional_writes;
mod drop_in;
mod errors;
mod iteration;
mod methods;
mod options;
mod stats;
