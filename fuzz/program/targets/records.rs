//! A file of a results folder that the first byte chooses. Its seal is made right, as no mutation would, where it has one.
#![no_main]

use candlewick::results::hashes::Stored;
use candlewick::results::seal::sealed;
use candlewick::results::table::Damage;
use candlewick::results::trials::Trials;
use candlewick::results::{metrics, timings};
use candlewick::sweep::store::TrialStore;
use candlewick_fuzz_program::{path, write};

/// Each with whether its last line is a hash of the rest.
const FILES: [(&str, bool); 9] = [
    ("trials.csv", false),
    ("metrics.csv", false),
    ("timings.csv", false),
    ("hashes.toml", true),
    ("trials/0123456789abcdef/outcome.toml", true),
    ("trials/0123456789abcdef/plan.toml", true),
    ("trials/0123456789abcdef/epochs.csv", false),
    ("trials/0123456789abcdef/batches.csv", false),
    ("trials/0123456789abcdef/timings.csv", false),
];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&first, bytes)) = data.split_first() else { return };
    let (name, is_sealed) = FILES[usize::from(first) % FILES.len()];
    let name = format!("results/{name}");
    let file = match std::str::from_utf8(bytes) {
        Ok(text) if is_sealed && first < 128 => write(&name, sealed(&format!("{text}\n")).as_bytes()),
        _ => write(&name, bytes),
    };
    let root = path("results");
    let store = TrialStore::at(root.join("trials/0123456789abcdef"));
    let records = store.epochs();
    assert!(records.iter().zip(1..).all(|(record, epoch)| record.epoch == epoch));
    let _ = (store.outcome_of(&records), store.plan().is_ok(), store.losses(), store.timings());
    let _ = (Stored::read(&root), Trials::read(&root).is_ok());
    let _ = metrics::read(&root, Damage::Tolerated, |_| Ok(()));
    let _ = timings::read(&root, Damage::Tolerated, |_, _, _| Ok(()));
    std::fs::remove_file(file).expect("the file was written");
});
