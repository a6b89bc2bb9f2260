//! What readers see.

mod handles;
mod listing;
mod listing_cost;
mod nested;
mod past;
