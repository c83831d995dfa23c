//! What was written: the experiment file with everything laid over and under it, and errors that
//! say where.

pub mod augment;
pub mod data;
pub mod defaults;
pub mod experiment;
pub mod fit;
pub mod foreign;
pub mod frozen;
pub mod group;
pub mod launcher;
pub mod layer;
pub mod layer_settings;
pub mod layer_values;
pub mod layering;
pub mod model;
pub mod presets;
pub mod run;
pub mod sampling;
pub mod schema;
pub mod setting;
pub mod sweep;
pub mod template;
pub mod train;
pub mod transfer;
pub mod weights;
pub mod written;
