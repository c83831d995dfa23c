//! What the targets beside share: opening an archive, and making one.

pub use candlewick_weights as weights;

use std::io::{Cursor, Write};

use weights::Archive;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Opens `bytes` and reads all that they claim to hold.
pub fn open(bytes: Vec<u8>) {
    let length = bytes.len();
    let Ok(archive) = Archive::from_bytes("fuzz", bytes) else { return };
    for entry in archive.entries() {
        let due: u128 = match entry.shape.contains(&0) {
            true => 0,
            false => entry.shape.iter().map(|side| *side as u128).product(),
        };
        if let Ok(values) = archive.read(&entry.name) {
            assert_eq!(values.len() as u128, due);
            // Deflate makes at most 1032 bytes of one.
            assert!(values.len() <= 1032 * length);
        }
    }
}

/// A zip archive of `members`, whose checksums no mutation could hit.
pub fn zip(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in members {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}
