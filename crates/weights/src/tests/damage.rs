//! Torn and altered files are errors, never panics.

use proptest::prelude::*;

use super::built::safetensors;
use super::{golden, open, read_all};

fn files() -> [Vec<u8>; 7] {
    let header =
        r#"{"__metadata__":{"a":"b"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#;
    [
        safetensors(header, 16),
        golden!("zip-protocol-3.pth").to_vec(),
        golden!("legacy-protocol-5.pth").to_vec(),
        golden!("legacy.pth").to_vec(),
        golden!("wrapped.pth").to_vec(),
        golden!("stored.npz").to_vec(),
        golden!("deflated.npz").to_vec(),
    ]
}

#[test]
fn a_file_cut_off_anywhere_is_an_error() {
    for (number, bytes) in files().into_iter().enumerate() {
        for length in 0..bytes.len() {
            let error =
                open(&bytes[..length]).expect_err(&format!("{length} bytes of file {number}"));
            assert!(error.to_string().starts_with("file"), "{error}");
        }
    }
}

#[test]
fn bytes_after_the_end_are_noticed() {
    // A zip archive may stand before a comment, and its directory is looked for from the end.
    for bytes in [&files()[0], &files()[2], &files()[3]] {
        assert!(open([&bytes[..], &[0]].concat()).is_err());
    }
}

#[test]
fn any_one_byte_may_be_anything() {
    for bytes in files().iter().filter(|bytes| bytes.len() < 3000) {
        for at in 0..bytes.len() {
            for flip in [0x01, 0x10, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] ^= flip;
                let _ = read_all(bytes);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_few_bytes_may_be_anything(
        file in 0usize..7,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = files()[file].clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read_all(bytes);
    }

    #[test]
    fn any_bytes_may_come(start in 0usize..5, mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let start: &[u8] = [&b""[..], b"PK\x03\x04", b"\x80\x02", b"PK\x05\x06", b"\x05\0\0\0\0\0\0\0{"][start];
        bytes.splice(0..0, start.iter().copied());
        let _ = read_all(bytes);
    }
}
