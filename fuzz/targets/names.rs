//! Names: lines `=PARAMETER SIDE …`, `<TENSOR SIDE …` and `*FROM TO`.
#![no_main]

use std::collections::BTreeSet;

use candlewick_fuzz::weights::{Dtype, Entry, Rename, match_names};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (mut expected, mut entries, mut renames) = (Vec::new(), Vec::<Entry>::new(), Vec::new());
    let (mut parameters, mut tensors) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines() {
        let mut words = line.get(1..).unwrap_or_default().split(' ');
        let name = words.next().unwrap_or_default().to_owned();
        let sides = |words: std::str::Split<char>| words.filter_map(|s| s.parse().ok()).collect();
        match line.as_bytes().first() {
            Some(b'=') if parameters.insert(name.clone()) => {
                expected.push((name, sides(words)));
            }
            Some(b'<') if tensors.insert(name.clone()) => {
                entries.push(Entry { name, dtype: Dtype::F32, shape: sides(words) });
            }
            Some(b'*') => renames.extend(Rename::new(name, words.next().unwrap_or_default())),
            _ => {}
        }
    }
    let report = match_names(&expected, &entries, &renames);
    let found = report.matched.len() + report.wrong_shape.len() + report.clashes.len();
    assert_eq!(found + report.missing.len(), expected.len());
    let clashing: usize = report.clashes.iter().map(|clash| clash.entries.len()).sum();
    let told = report.matched.len() + report.wrong_shape.len() + clashing;
    assert_eq!(told + report.unexpected.len() + report.ignored.len(), entries.len());
    assert!(report.to_string().len() < 100_000);
    let _ = report.strict();
});
