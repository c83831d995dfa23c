//! Files built by hand: safetensors and zip archives that say what they should not.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::super::{Dtype, Format};
use super::{golden, open, read_all, refusal};

pub(super) fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend((0..data).map(|i| i as u8));
    bytes
}

pub(super) fn zip(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in members {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A NumPy array of version 1 with the header `text`.
pub(super) fn npy(text: &str, numbers: &[f32]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend_from_slice(&(text.len() as u16).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
    bytes
}

fn npz(text: &str, numbers: &[f32]) -> Vec<u8> {
    zip(&[("a.npy", &npy(text, numbers))], CompressionMethod::Stored)
}

const GOOD: &str = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[],"data_offsets":[4,8]},"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"z":{"dtype":"F8_E5M2","shape":[1],"data_offsets":[8,9]}}"#;

#[test]
fn safetensors_are_read_with_their_metadata() {
    let archive = open(safetensors(GOOD, 9)).unwrap();
    assert_eq!(archive.format(), Format::Safetensors);
    assert_eq!(archive.metadata()["format"], "pt");
    let names: Vec<_> = archive.entries().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "z"]);
    assert_eq!(archive.read("b").unwrap(), [f32::from_le_bytes([4, 5, 6, 7])]);
    assert_eq!(archive.entry("z").unwrap().dtype, Dtype::Other("F8_E5M2".to_owned()));
    assert!(archive.read("z").unwrap_err().to_string().contains("type F8_E5M2"));
}

#[test]
fn safetensors_that_contradict_themselves_are_refused() {
    let one = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let twice = r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#;
    let overlap = r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#;
    for (header, data, words) in [
        (
            one("F32", "[2]", "[0,8]"),
            7,
            "describes 8 bytes of numbers, the file has 7; it is cut off",
        ),
        (one("F32", "[2]", "[0,8]"), 9, "describes 8 bytes of numbers, the file has 9"),
        (one("F32", "[3]", "[0,8]"), 8, "its header contradicts itself"),
        (one("F32", "[4611686018427387904,4]", "[0,8]"), 8, "its header contradicts itself"),
        (one("F32", "[2]", "[8,0]"), 8, "its header contradicts itself"),
        (one("F33", "[2]", "[0,8]"), 8, "unknown variant `F33`"),
        (one("F32", "[-1]", "[0,8]"), 8, "is not what safetensors writes"),
        (one("U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, "at most 16"),
        (twice.to_owned(), 2, "it holds `a` twice"),
        (overlap.to_owned(), 3, "its header contradicts itself"),
        ("{\"a\":".repeat(100_000), 0, "EOF while parsing"),
        (one(&"x".repeat(500), "[2]", "[0,8]"), 8, "unknown variant"),
        (format!("{{\"{}\":0}}", "n".repeat(3000)), 0, "is not what safetensors writes"),
    ] {
        let error = refusal(safetensors(&header, data));
        assert!(error.starts_with("file is damaged: ") && error.contains(words), "{error}");
    }
    let mut long = safetensors(GOOD, 9);
    long[..8].copy_from_slice(&5000u64.to_le_bytes());
    assert!(refusal(long).contains("cut off in its header"));
}

#[test]
fn arrays_with_wrong_headers_are_refused() {
    let header = |descr: &str, shape: &str| {
        format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n")
    };
    assert!(read_all(npz(&header("'<f4'", "(2,)"), &[1.0, 2.0])).is_ok());
    assert!(read_all(npz(&header("'<f4'", "(2L, 1)"), &[1.0, 2.0])).is_ok());
    for (text, words) in [
        (header("'<f4'", "(3,)"), "describes 3 numbers of 4 bytes"),
        (header("'<f4'", "(1,)"), "describes 1 numbers of 4 bytes"),
        (header("'<f4'", "(4611686018427387904, 4)"), "larger than any memory"),
        (header("'<f4'", "(99999999999999999999,)"), "a header that NumPy does not write"),
        (header("'<f4'", "(-1,)"), "a header that NumPy does not write"),
        (header("'<f4'", &"(".repeat(9000)), "a header that NumPy does not write"),
        (header(&"[".repeat(9000), "(2,)"), "a header that NumPy does not write"),
        ("{'descr': '<f4'}".to_owned(), "a header that NumPy does not write"),
        ("__import__('os')".to_owned(), "a header that NumPy does not write"),
    ] {
        let error = refusal(npz(&text, &[1.0, 2.0]));
        assert!(error.contains("damaged: a: ") && error.contains(words), "{error}");
    }
    let mut version = npy(&header("'<f4'", "(2,)"), &[1.0, 2.0]);
    version[6] = 9;
    let error = refusal(zip(&[("a.npy", &version)], CompressionMethod::Stored));
    assert!(error.contains("format version 9; 1 to 3 are read"), "{error}");
}

#[test]
fn a_member_that_claims_to_unpack_to_more_than_it_can_is_refused() {
    let zeros =
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (100000,)}", &vec![0.0; 100_000]);
    let good = zip(&[("a.npy", &zeros)], CompressionMethod::Deflated);
    assert!(good.len() < 2000);
    assert!(read_all(good.clone()).is_ok());
    // The size stands in the directory, 24 bytes after its signature, and beside the member.
    let size = (zeros.len() as u32).to_le_bytes();
    let mut bomb = good;
    for at in (0..bomb.len() - 4).filter(|at| bomb[*at..at + 4] == size).collect::<Vec<_>>() {
        bomb[at..at + 4].copy_from_slice(&(zeros.len() as u32 * 1000).to_le_bytes());
    }
    let error = refusal(bomb);
    assert!(error.contains("claims to unpack") && error.contains("at most 1032 times"), "{error}");
}

#[test]
fn a_name_that_climbs_is_only_a_name() {
    let array = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", &[5.0]);
    let bytes = zip(&[("../../etc/x.npy", &array), ("/y.npy", &array)], CompressionMethod::Stored);
    let archive = open(bytes).unwrap();
    let names: Vec<_> = archive.entries().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["../../etc/x", "/y"]);
    assert_eq!(archive.read("/y").unwrap(), [5.0]);
}

#[test]
fn a_zip_archive_of_other_things_says_what_it_holds() {
    let bytes = zip(&[("readme.txt", b"hello")], CompressionMethod::Stored);
    assert!(
        refusal(bytes)
            .contains("neither data.pkl (PyTorch) nor .npy arrays (NumPy), but with `readme.txt`")
    );
}

#[test]
fn a_changed_number_in_a_zip_archive_is_noticed() {
    for bytes in [golden!("stored.npz"), golden!("zip.pth")] {
        let number = 4.0f32.to_le_bytes();
        let at = bytes.windows(4).position(|window| window == number).unwrap();
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        let error = read_all(bytes).unwrap_err().to_string();
        assert!(
            error.contains("damaged") && error.contains("does not match its checksum"),
            "{error}"
        );
    }
}
