//! What PyTorch and NumPy wrote comes back.

use super::super::{Archive, Dtype, Format, WeightsError};
use super::{count, golden, open, ramp, refusal};

fn check_tensors(archive: &Archive) {
    let base = ramp(24);
    let cases: [(&str, Dtype, &[usize], Vec<f32>); 17] = [
        ("base", Dtype::F32, &[4, 6], base.clone()),
        ("bf16", Dtype::Bf16, &[2, 3], ramp(6)),
        ("bool", Dtype::Bool, &[3], vec![1.0, 0.0, 1.0]),
        ("columns", Dtype::F32, &[4, 2], [1, 2, 7, 8, 13, 14, 19, 20].map(|i| base[i]).to_vec()),
        ("empty", Dtype::F32, &[0, 5], vec![]),
        ("f16", Dtype::F16, &[2, 3], ramp(6)),
        ("f32", Dtype::F32, &[2, 3], ramp(6)),
        ("f64", Dtype::F64, &[2, 3], ramp(6)),
        ("i16", Dtype::I16, &[6], count(6)),
        ("i32", Dtype::I32, &[6], count(6)),
        ("i64", Dtype::I64, &[2, 3], count(6)),
        ("i8", Dtype::I8, &[6], count(6)),
        ("parameter", Dtype::F32, &[3], ramp(3)),
        ("row", Dtype::F32, &[6], base[12..18].to_vec()),
        ("scalar", Dtype::I64, &[], vec![7.0]),
        ("transposed", Dtype::F32, &[6, 4], (0..24).map(|i| base[(i % 4) * 6 + i / 4]).collect()),
        ("u8", Dtype::U8, &[6], count(6)),
    ];
    assert_eq!(archive.entries().len(), cases.len());
    for (entry, (name, dtype, shape, numbers)) in archive.entries().iter().zip(cases) {
        assert_eq!((entry.name.as_str(), &entry.dtype, &entry.shape[..]), (name, &dtype, shape));
        assert_eq!(archive.read(name).unwrap(), numbers, "{name}");
    }
}

#[test]
fn all_types_and_views_come_out_of_a_zip_archive() {
    let archive = open(golden!("zip.pth")).unwrap();
    assert_eq!(archive.format(), Format::TorchZip);
    check_tensors(&archive);
}

#[test]
fn all_types_and_views_come_out_of_a_file_from_before_zip_archives() {
    let archive = open(golden!("legacy.pth")).unwrap();
    assert_eq!(archive.format(), Format::TorchLegacy);
    check_tensors(&archive);
}

#[test]
fn every_protocol_is_read() {
    for bytes in [
        golden!("zip-protocol-3.pth"),
        golden!("zip-protocol-4.pth"),
        golden!("zip-protocol-5.pth"),
        golden!("legacy-protocol-3.pth"),
        golden!("legacy-protocol-4.pth"),
        golden!("legacy-protocol-5.pth"),
    ] {
        assert_eq!(open(bytes).unwrap().read("a").unwrap(), ramp(6));
    }
}

#[test]
fn types_without_a_storage_of_their_own_are_read_and_complex_numbers_are_only_listed() {
    let archive = open(golden!("newer-types.pth")).unwrap();
    assert_eq!(archive.read("u16").unwrap(), count(6));
    assert_eq!(archive.entry("c64").unwrap().dtype, Dtype::Other("complex64".to_owned()));
    let error = archive.read("c64").unwrap_err().to_string();
    assert!(error.starts_with("file: c64: has values of type complex64"), "{error}");
}

#[test]
fn a_state_dict_is_found_inside_a_checkpoint_and_what_stands_beside_it_is_kept() {
    let plain = open(golden!("state-dict.pth")).unwrap();
    let wrapped = open(golden!("wrapped.pth")).unwrap();
    assert_eq!(plain.entries(), wrapped.entries());
    let words: Vec<_> = wrapped.metadata().iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(words, [("arch", "tiny"), ("best", "0.5"), ("epoch", "12")]);
    let parallel = open(golden!("data-parallel.pth")).unwrap();
    for (one, other) in plain.entries().iter().zip(parallel.entries()) {
        assert_eq!(format!("module.{}", one.name), other.name);
        assert_eq!(plain.read(&one.name).unwrap(), parallel.read(&other.name).unwrap());
    }
}

#[test]
fn arrays_are_read_plain_and_compressed_in_any_order_of_bytes_and_sides() {
    for bytes in [golden!("stored.npz"), golden!("deflated.npz")] {
        let archive = open(bytes).unwrap();
        assert_eq!(archive.format(), Format::Npz);
        for name in ["f2", "f4", "f8", "big", "fortran"] {
            assert_eq!(archive.entry(name).unwrap().shape, [2, 3], "{name}");
            assert_eq!(archive.read(name).unwrap(), count(6), "{name}");
        }
        assert_eq!(archive.read("i8").unwrap(), count(6));
        assert_eq!(archive.read("u1").unwrap(), count(6));
        assert_eq!(archive.read("b1").unwrap(), [1.0, 0.0]);
        assert_eq!(archive.read("block/conv.weight").unwrap(), count(4));
        assert_eq!(archive.read("scalar").unwrap(), [7.0]);
        assert!(archive.entry("scalar").unwrap().shape.is_empty());
        assert!(archive.read("empty").unwrap().is_empty());
        for name in ["text", "record"] {
            let error = archive.read(name).unwrap_err().to_string();
            assert!(error.contains("has values of type"), "{error}");
        }
    }
}

#[test]
fn what_is_no_state_dict_is_refused_with_the_way_out() {
    for (bytes, words) in [
        (
            golden!("expanded.pth"),
            "a: its 1000 elements repeat 1 stored numbers; save `tensor.contiguous()`",
        ),
        (golden!("whole-model.pth"), "`torch.nn.modules.container.Sequential`"),
        (golden!("whole-model.pth"), "`torch.save(model.state_dict(), path)`"),
        (golden!("one-tensor.pth"), "holds a tensor, not a dict of named tensors; save"),
        (golden!("nothing.pth"), "a dict of `epoch`, `optimizer` and no tensors; a state dict is"),
        (golden!("script.pt"), "TorchScript program; load it with torch.jit.load"),
        (golden!("plain.pkl"), "a pickle of a dict and not what torch.save writes"),
    ] {
        let error = refusal(bytes);
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn other_files_are_called_what_they_are() {
    for (bytes, words) in [
        (&b""[..], "file is damaged: the file is empty"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file; safetensors"),
        (b"\x93NUMPY\x01\x00v\x00{", "is a single NumPy array without a name"),
        (b"\x1f\x8b\x08\x00", "is compressed with gzip"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer to a large file"),
        (b"<!DOCTYPE html>", "is a web page"),
        (b"hello", "is not a weights file; safetensors, PyTorch's"),
    ] {
        let error = refusal(bytes);
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_file_is_known_by_its_content_and_not_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    std::fs::write(&path, golden!("legacy.pth")).unwrap();
    assert_eq!(Archive::open(&path, None).unwrap().format(), Format::TorchLegacy);
    let error = Archive::open(&folder.path().join("none.pth"), None).unwrap_err();
    assert!(error.to_string().ends_with("none.pth: there is no such file"), "{error}");
    let error = Archive::open(folder.path(), None).unwrap_err();
    assert!(error.to_string().ends_with("is a folder; give a file of weights"), "{error}");
}

#[test]
fn a_name_that_is_not_there_is_answered_with_the_nearest() {
    let archive = open(golden!("state-dict.pth")).unwrap();
    let error = archive.read("1.runing_mean").unwrap_err();
    assert_eq!(error.to_string(), "file holds no `1.runing_mean`; did you mean `1.running_mean`?");
    assert!(matches!(archive.read("x"), Err(WeightsError::NoEntry { nearest: None, .. })));
}

#[test]
fn an_archive_is_read_by_many_threads() {
    let archive = open(golden!("zip.pth")).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    check_tensors(&archive);
                }
            });
        }
    });
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for path in [&*fifo, std::path::Path::new("/dev/zero")] {
        let said = Archive::open(path, None).unwrap_err().to_string();
        assert!(said.ends_with("it is not a regular file"), "{said}");
        let said = crate::Pickled::open(path).err().unwrap().to_string();
        assert!(said.ends_with("it is not a regular file"), "{said}");
    }
}
