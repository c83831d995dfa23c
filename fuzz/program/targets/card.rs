//! A checkpoint: any bytes, or one whose card is the text. What it says of its network is checked like a plan.
#![no_main]

use std::collections::BTreeMap;

use candlewick::train::card::Card;
use candlewick::train::checkpoint::Checkpoint;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(checkpoint) = Checkpoint::from_bytes(data) {
        let _ = Card::of(&checkpoint);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let words = BTreeMap::from([("card".to_owned(), text.to_owned())]);
        let checkpoint = Checkpoint { tensors: BTreeMap::new(), words };
        if let Ok(card) = Card::of(&checkpoint) {
            assert!(card.model.classes > 0);
        }
    }
});
