//! Charts as SVG: functions from numbers to drawings, for a page or as files of their own.
//!
//! A chart is about as wide as a telephone, so that its letters are as large as those of the text around
//! it; wide screens put several side by side.

pub mod axis;
mod chart;
pub mod confusion;
pub mod embedding;
pub mod forest;
pub mod heat;
mod letters;
pub mod lines;
pub mod network;
pub mod parallel;
pub mod plate;
mod raster;
pub mod reliability;
pub mod scale;
pub mod scatter;
pub mod sizes;

pub use chart::{COLOURS, Chart, PlotFormat, STYLE};
pub use letters::{fit, lines_of};
pub use raster::RasterError;
