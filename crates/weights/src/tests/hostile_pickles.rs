//! Pickles that want too much.

use std::io::Cursor;

use zip::CompressionMethod;

use super::built::zip;
use super::{golden, open, read_all, refusal};
use crate::Archive;

/// A zip archive with the pickle `program` and one storage `0` of 24 bytes.
fn archive(program: &[u8]) -> Vec<u8> {
    let storage = [0u8; 24];
    zip(&[("a/data.pkl", program), ("a/data/0", &storage)], CompressionMethod::Stored)
}

/// `text` as an opcode that pushes it.
fn text(text: &str) -> Vec<u8> {
    [b"X".as_slice(), &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

/// A whole number as an opcode that pushes it.
fn int(number: i64) -> Vec<u8> {
    [b"\x8a\x08".as_slice(), &number.to_le_bytes()].concat()
}

/// `{"w": tensor}` of storage `key` of `kind` with `length` numbers.
fn state_dict(
    kind: &str,
    key: &str,
    length: i64,
    offset: i64,
    shape: &[i64],
    strides: &[i64],
) -> Vec<u8> {
    let tuple = |numbers: &[i64]| {
        [b"(".to_vec(), numbers.iter().flat_map(|n| int(*n)).collect(), b"t".to_vec()].concat()
    };
    [
        b"\x80\x02}".to_vec(),
        text("w"),
        b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
        text("storage"),
        format!("ctorch\n{kind}\n").into_bytes(),
        text(key),
        text("cpu"),
        int(length),
        b"tQ".to_vec(),
        int(offset),
        tuple(shape),
        tuple(strides),
        b"\x89NtRs.".to_vec(),
    ]
    .concat()
}

#[test]
fn the_builder_of_these_tests_builds_what_opens() {
    let bytes = archive(&state_dict("FloatStorage", "0", 6, 0, &[2, 3], &[3, 1]));
    assert_eq!(open(bytes).unwrap().read("w").unwrap(), [0.0; 6]);
}

#[test]
fn a_command_is_named_and_not_run() {
    for bytes in [golden!("run.pth"), golden!("run-zip.pth")] {
        assert_eq!(
            refusal(bytes),
            "file calls `posix.system`, but a weights file may contain only tensors and plain values; \
             no code was run; do not open this file in Python unless you trust its author"
        );
    }
}

#[test]
fn only_what_tensors_need_may_be_asked_for() {
    for (module, name) in [
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("torch", "load"),
        ("torch.hub", "load"),
        ("torch.storage", "_load_from_bytes"),
        ("torch", "EvilStorage"),
        ("torch._utils", "_rebuild_qtensor"),
        ("os.path", "join"),
        ("__builtin__", "exec"),
        ("importlib.util", "find_spec"),
    ] {
        let line = format!("\x02c{module}\n{name}\n.");
        let error = refusal(archive(&[b"\x80", line.as_bytes()].concat()));
        assert!(error.contains(&format!("calls `{module}.{name}`")), "{error}");
        let pushed = [b"\x80\x04".to_vec(), text(module), text(name), b"\x93.".to_vec()].concat();
        assert_eq!(refusal(archive(&pushed)), error);
    }
}

/// `{key: value, "w": tensor}`.
fn beside_a_tensor(key: &str, value: &[u8]) -> Vec<u8> {
    let once = state_dict("FloatStorage", "0", 6, 0, &[6], &[1]);
    let item = &once[3..once.len() - 1];
    archive(&[b"\x80\x02}".as_slice(), &text(key), value, b"s", item, b"."].concat())
}

#[test]
fn what_is_no_tensor_is_passed_over_and_never_made() {
    let values: [&[u8]; 7] = [
        // argparse.Namespace(lr=0.1)
        b"cargparse\nNamespace\n)\x81}X\x02\0\0\0lrG\x3f\xb9\x99\x99\x99\x99\x99\x9asb",
        // pathlib.PosixPath("runs")
        b"cpathlib\nPosixPath\nX\x04\0\0\0runs\x85R",
        // numpy.float64(1)
        b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nX\x02\0\0\0f8\x89\x88\x87R(K\x03X\x01\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tbc_codecs\nencode\nX\x01\0\0\0aX\x06\0\0\0latin1\x86R\x86R",
        // A set, as protocol 2 and protocol 4 write it.
        b"c__builtin__\nset\n]K\x01a\x85R",
        b"\x8f(K\x01K\x02\x90",
        // collections.defaultdict(list, {1: 2})
        b"ccollections\ndefaultdict\nc__builtin__\nlist\n\x85RK\x01K\x02s",
        // A class of the training script, made with named arguments.
        b"c__main__\nConfig\n)}\x92",
    ];
    for value in values {
        let archive = open(beside_a_tensor("args", value)).unwrap();
        assert_eq!(archive.read("w").unwrap(), [0.0; 6], "{value:?}");
        assert_eq!((archive.entries().len(), archive.metadata().len()), (1, 0), "{value:?}");
    }
}

/// `{name: {"w": tensor}, …, "w": tensor}`: the tensor of each name is its place, that beside them is 5.
fn state_dicts(names: &[&str]) -> Vec<u8> {
    let tensor = |place: i64| state_dict("FloatStorage", "0", 6, place, &[1], &[1]);
    let mut program = b"\x80\x02}".to_vec();
    for (place, name) in names.iter().enumerate() {
        let inner = tensor(place as i64);
        program.extend([&text(name)[..], &inner[2..inner.len() - 1], b"s"].concat());
    }
    program.extend(&tensor(5)[3..]);
    let storage: Vec<u8> = (0..6).flat_map(|n| (n as f32).to_le_bytes()).collect();
    zip(&[("a/data.pkl", &program), ("a/data/0", &storage)], CompressionMethod::Stored)
}

#[test]
fn of_several_state_dicts_the_usual_one_is_taken_and_any_can_be_named() {
    let bytes = state_dicts(&["state_dict_ema", "state_dict"]);
    let usual = open(bytes.clone()).unwrap();
    // Neither the averaged weights nor the tensor that stands beside both.
    assert_eq!(usual.read("w").unwrap(), [1.0]);
    assert_eq!(usual.state_dict(), Some(("state_dict", &["state_dict_ema".to_owned()][..])));
    let named = |key| Archive::from_reader("file", Cursor::new(bytes.clone()), Some(key));
    assert_eq!(named("state_dict_ema").unwrap().read("w").unwrap(), [0.0]);
    assert_eq!(
        named("ema").unwrap_err().to_string(),
        "file: holds no tensors under `ema`; it has some under `state_dict_ema`, `state_dict`"
    );
    let alone = open(state_dicts(&["state_dict"])).unwrap();
    assert_eq!((alone.read("w").unwrap(), alone.state_dict()), (vec![0.0], None));
}

#[test]
fn tensors_outside_their_storage_are_refused() {
    const HUGE: i64 = i64::MAX;
    for (shape, strides, offset) in [
        (&[7][..], &[1][..], 0),
        (&[2, 3], &[4, 1], 0),
        (&[6], &[1], 1),
        (&[6], &[1], HUGE),
        (&[1], &[1], HUGE),
        (&[HUGE, HUGE], &[1, 1], 0),
        (&[HUGE], &[1], 0),
        (&[2], &[HUGE], 0),
        (&[2, 2], &[HUGE, HUGE], HUGE),
        (&[-1], &[1], 0),
        (&[2], &[-1], 0),
        (&[2], &[1, 1], 0),
        (&[1; 40], &[1; 40], 0),
        (&[HUGE], &[0], 0),
    ] {
        let bytes = archive(&state_dict("FloatStorage", "0", 6, offset, shape, strides));
        let error = refusal(bytes);
        assert!(error.len() < 300, "{error}");
    }
}

#[test]
fn storages_of_other_sizes_or_names_are_refused() {
    let refused =
        |kind, key, length| refusal(archive(&state_dict(kind, key, length, 0, &[1], &[1])));
    assert!(
        refused("FloatStorage", "0", 7)
            .contains("storage 0 has 24 bytes in the file, 7 numbers of 4 bytes are due")
    );
    assert!(refused("DoubleStorage", "0", 6).contains("6 numbers of 8 bytes are due"));
    assert!(refused("FloatStorage", "0", i64::MAX).contains("storage 0 has 24 bytes"));
    assert!(refused("FloatStorage", "0", -6).contains("has no length"));
    for key in ["1", "../data.pkl", "/etc/passwd", "", "0\0"] {
        assert!(refused("FloatStorage", key, 6).contains("is not in the file"), "{key}");
    }
    assert!(refused("FloatStorage", &"k".repeat(5000), 6).contains("endless key"));
}

#[test]
fn a_name_twice_is_refused() {
    let once = state_dict("FloatStorage", "0", 6, 0, &[6], &[1]);
    let item = &once[3..once.len() - 1];
    let bytes = archive(&[&once[..3], item, item, b"."].concat());
    assert!(refusal(bytes).contains("holds `w` twice, as 6 and as 6"));
}

#[test]
fn programs_without_sense_are_refused() {
    for (program, words) in [
        (&b"\x80\x02."[..], "takes what it has not made"),
        (b"\x80\x02}", "ends inside a pickle"),
        (b"\x80\x09}.", "protocol 9; 2 to 5 are read"),
        (b"\x80\x02}}.", "stops before it is finished"),
        (b"\x80\x02(}.", "stops before it is finished"),
        (b"\x80\x02t.", "closes what it has not opened"),
        (b"\x80\x02](NNe0.", "takes what it has not made"),
        (b"\x80\x02(0.", "takes what it has not made"),
        (b"\x80\x02N(NNe.", "appends to None"),
        (b"\x80\x02](NNu.", "sets items of a list"),
        (b"\x80\x02}(Nu.", "a key without a value"),
        (b"\x80\x02h\x05.", "remembers number 5, which it never noted"),
        (b"\x80\x02NNR.", "calls None"),
        (b"\x80\x02NQ.", "refers to None where a storage belongs"),
        (b"\x80\x02N}b.", "gives attributes to None"),
        (b"\x80\x02\xfe.", "opcode 0xfe at byte 2"),
        (b"\x80\x02I1\n.", "opcode 0x49"),
        (b"\x80\x02X\xff\xff\xff\xffa.", "ends inside a pickle"),
        (b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffa.", "ends inside a pickle"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xffa.", "ends inside a pickle"),
        (b"\x80\x02\x8b\xff\xff\xff\xffa.", "a whole number of 4294967295 bytes"),
        (b"\x80\x02X\x01\0\0\0\xff.", "not UTF-8"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.", "with other arguments"),
        (b"\x80\x02ctorch\nFloatStorage\n)R.", "calls a type of numbers"),
        (b"\x80\x02ctorch\nfloat32\n.", "holds a name, not a dict"),
    ] {
        let error = refusal(archive(program));
        assert!(error.contains(words), "{program:?}: {error}");
    }
}

#[test]
fn what_grows_has_a_bound() {
    let repeated =
        |piece: &[u8], times: usize| [b"\x80\x02", piece.repeat(times).as_slice(), b"."].concat();
    for (program, words) in [
        (repeated(b"(", 300), "nests deeper than 256 levels"),
        (repeated(b"N", 600_000), "makes more than 524288 values"),
        (repeated(b"N0", 600_000), "makes more than 524288 values"),
        (
            [b"\x80\x02N", [b'2'].repeat(5_000_000).as_slice()].concat(),
            "takes more than 4194304 steps",
        ),
        ([b"\x80\x02c".as_slice(), &[b'a'; 300]].concat(), "a name in its pickle does not end"),
    ] {
        let error = refusal(archive(&program));
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_dict_that_holds_itself_is_followed_only_so_far() {
    // d = {}; d["state_dict"] = d
    let program = [b"\x80\x02}q\x00".to_vec(), text("state_dict"), b"h\x00s.".to_vec()].concat();
    assert!(refusal(archive(&program)).contains("more than 3 dicts deep"));
}

#[test]
fn a_legacy_file_whose_storages_are_not_those_of_its_pickle_is_refused() {
    let good = golden!("legacy-protocol-3.pth");
    assert!(read_all(good).is_ok());
    // The storage's length stands before its six numbers, at the very end.
    let at = good.len() - 24 - 8;
    assert_eq!(good[at..at + 8], 6u64.to_le_bytes());
    for length in [0, 5, 7, u64::MAX] {
        let mut bytes = good.to_vec();
        bytes[at..at + 8].copy_from_slice(&length.to_le_bytes());
        let error = refusal(bytes);
        assert!(error.contains(&format!("has {length} numbers in the file, 6 are due")), "{error}");
    }
}
