//! An experiment file: an example with some words exchanged, or any text. It is read, resolved and expanded into trials,
//! or every mistake is told.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = candlewick_fuzz_program::edited(data);
    match candlewick_fuzz_program::trials(&text) {
        Ok(experiment) => assert!(!experiment.name.is_empty()),
        Err(problems) => assert!(!problems.render(false).is_empty()),
    }
});
