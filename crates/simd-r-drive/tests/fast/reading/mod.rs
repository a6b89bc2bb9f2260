//! What readers see.

mod handles;
mod history;
mod listing;
mod listing_cost;
mod nested;
