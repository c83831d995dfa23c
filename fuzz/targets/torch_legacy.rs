//! A file of torch.save before PyTorch 1.6, after its three fixed pickles unless it has its own.
#![no_main]

const START: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let start: &[u8] = if data.starts_with(&START[..14]) { &[] } else { START };
    candlewick_fuzz::open([start, data].concat());
});
