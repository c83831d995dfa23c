//! A zip archive, or one array inside one; compressed if the input's length is odd.
#![no_main]

use zip::CompressionMethod;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if data.starts_with(b"PK") {
        return candlewick_fuzz::open(data.to_vec());
    }
    let method = match data.len() % 2 {
        0 => CompressionMethod::Stored,
        _ => CompressionMethod::Deflated,
    };
    candlewick_fuzz::open(candlewick_fuzz::zip(&[("a.npy", data)], method));
});
