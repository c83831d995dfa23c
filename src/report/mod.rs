//! Pages and pictures: `report.html`, and contact sheets of augmented images.

mod augmentation;
pub mod augmented;
mod calibration;
mod cases;
mod confusion;
mod copies;
mod cost;
mod curves;
mod effects;
mod failures;
mod images;
mod importance;
mod labels;
mod numbers;
pub mod page;
mod pictures;
mod question;
mod ranking;
mod reproduce;
mod scores;
mod section;
pub mod sheet;
