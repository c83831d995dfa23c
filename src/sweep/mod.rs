//! From trials to outcomes: what is stored, what is still to be done, and who does it.

pub mod clock;
pub mod runner;
pub mod store;
pub mod survey;
pub mod trial;
