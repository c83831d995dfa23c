//! A safetensors file; the header's length is set right for half of the inputs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if data.len() % 2 == 0
        && data.len() > 8
        && let Some(end) = data.iter().rposition(|byte| *byte == b'}')
        && end >= 8
    {
        let mut fixed = data.to_vec();
        fixed[..8].copy_from_slice(&(end as u64 - 7).to_le_bytes());
        candlewick_fuzz::open(fixed);
    } else {
        candlewick_fuzz::open(data.to_vec());
    }
});
