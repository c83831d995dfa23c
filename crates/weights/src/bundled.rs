//! Weights that travel inside the program; `data/bundled/README.md` says where they are from.

/// Name and safetensors file of each.
pub const BUNDLED: [(&str, &[u8]); 1] =
    [("squeezenet1_1", include_bytes!("../bundled/squeezenet1_1.safetensors"))];
