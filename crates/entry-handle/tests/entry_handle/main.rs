//! The format, through the public interface.

#[cfg(target_os = "linux")]
mod address_space;
mod index_slots;
mod parsers;
mod slots;
