//! What a terminal shows, beside progress: plans, rankings, answers and curves as text. Tables of answers are
//! written for documents too.

pub mod advice;
pub mod compare;
pub mod confusion;
pub mod curves;
pub mod data;
mod grid;
pub mod labels;
pub mod layers;
pub mod printed;
pub mod ranking;
pub mod status;
pub mod transfer;
pub mod weights;
