//! A zip archive, or the pickle inside one that has storages of 0, 8 and 24 bytes.
#![no_main]

use zip::CompressionMethod;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if data.starts_with(b"PK") {
        return candlewick_fuzz::open(data.to_vec());
    }
    let storages = [0u8; 24];
    let members: [(&str, &[u8]); 4] = [
        ("a/data.pkl", data),
        ("a/data/0", &storages),
        ("a/data/1", &storages[..8]),
        ("a/data/2", &[]),
    ];
    candlewick_fuzz::open(candlewick_fuzz::zip(&members, CompressionMethod::Stored));
});
