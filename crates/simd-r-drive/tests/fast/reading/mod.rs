//! What readers see.

mod access;
mod handles;
mod listing;
mod listing_cost;
mod nested;
mod past;
