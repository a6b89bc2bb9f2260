//! Code that the fuzz targets share.

pub mod image;
pub mod keys;
pub mod scratch;
