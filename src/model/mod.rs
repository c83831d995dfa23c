//! The network: layers over the kernels, their parameters, and weights in and out.

pub mod activation;
pub mod bundled_weights;
pub mod channels;
pub mod conv;
pub mod dense;
pub mod dropout;
pub mod flatten;
pub mod init;
pub mod layer;
pub mod merge;
pub mod network;
pub mod norm;
pub mod norms;
pub mod pool;
pub mod tail;
pub mod weights;
pub mod whitening;
