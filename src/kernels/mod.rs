//! CPU operations with exact gradients.
