"""Writes weights/*: small files of weights as PyTorch and NumPy write them, and hostile ones.

    python3 weights.py        (PyTorch 2.15, NumPy 2)

Every good file holds the tensors of `tensors()` or a part of them, so that the test can say what
numbers are due without another file: element i of a tensor is i / 2 - 3 where its type can hold that.
The hostile pickles are assembled byte by byte; loading one of them in Python outside `weights_only`
would run a harmless `echo`.
"""

import collections
import io
import pathlib
import pickle
import struct
import zipfile

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent / "weights"


def ramp(*shape, dtype=torch.float32):
    count = int(np.prod(shape, dtype=np.int64))
    return (torch.arange(count, dtype=torch.float64) / 2 - 3).reshape(shape).to(dtype)


def tensors():
    """All types, and views that share one storage."""
    base = ramp(4, 6)
    return collections.OrderedDict(
        [
            ("f32", ramp(2, 3)),
            ("f64", ramp(2, 3, dtype=torch.float64)),
            ("f16", ramp(2, 3, dtype=torch.float16)),
            ("bf16", ramp(2, 3, dtype=torch.bfloat16)),
            ("i64", torch.arange(6).reshape(2, 3)),
            ("i32", torch.arange(6, dtype=torch.int32)),
            ("i16", torch.arange(6, dtype=torch.int16)),
            ("i8", torch.arange(6, dtype=torch.int8)),
            ("u8", torch.arange(6, dtype=torch.uint8)),
            ("bool", torch.tensor([True, False, True])),
            ("scalar", torch.tensor(7)),
            ("empty", torch.zeros(0, 5)),
            ("base", base),
            ("transposed", base.t()),
            ("columns", base[:, 1:3]),
            ("row", base[2]),
            ("parameter", torch.nn.Parameter(ramp(3))),
        ]
    )


def network():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    for index, parameter in enumerate(net.parameters()):
        parameter.data = ramp(*parameter.shape) + index
    return net


def write(name, value, **options):
    torch.save(value, HERE / name, **options)


HERE.mkdir(exist_ok=True)
write("zip.pth", tensors())
write("legacy.pth", tensors(), _use_new_zipfile_serialization=False)
for protocol in (3, 4, 5):
    write(f"zip-protocol-{protocol}.pth", {"a": ramp(2, 3)}, pickle_protocol=protocol)
    write(
        f"legacy-protocol-{protocol}.pth",
        {"a": ramp(2, 3)},
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=False,
    )
write("newer-types.pth", {"u16": torch.arange(6).to(torch.uint16), "c64": torch.zeros(2, dtype=torch.complex64)})
write("state-dict.pth", network().state_dict())
write("wrapped.pth", {"epoch": 12, "arch": "tiny", "state_dict": network().state_dict(), "best": 0.5})
optimizer = torch.optim.SGD(network().parameters(), lr=0.1, momentum=0.9)
write(
    "data-parallel.pth",
    {"model": torch.nn.DataParallel(network()).state_dict(), "optimizer": optimizer.state_dict()},
    _use_new_zipfile_serialization=False,
)

# What is refused with a reason.
write("expanded.pth", {"a": ramp(1).expand(1000)})
write("whole-model.pth", network())
write("one-tensor.pth", ramp(3))
write("nothing.pth", {"epoch": 1, "optimizer": {"lr": 0.1}})
(HERE / "script.pt").write_bytes(
    (lambda out: (torch.jit.save(torch.jit.script(torch.nn.ReLU()), out), out.getvalue())[1])(io.BytesIO())
)
(HERE / "plain.pkl").write_bytes(pickle.dumps({"a": [1, 2, 3]}, protocol=2))

arrays = {
    "f2": np.arange(6, dtype="<f2").reshape(2, 3),
    "f4": np.arange(6, dtype="<f4").reshape(2, 3),
    "f8": np.arange(6, dtype="<f8").reshape(2, 3),
    "big": np.arange(6, dtype=">f4").reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6, dtype="<f4").reshape(2, 3)),
    "i8": np.arange(6, dtype="<i8"),
    "u1": np.arange(6, dtype="u1"),
    "b1": np.array([True, False]),
    "scalar": np.float32(7),
    "empty": np.zeros((0, 5), dtype="<f4"),
    "text": np.array(["resnet", "vgg"]),
    "record": np.zeros(2, dtype=[("x", "<f4"), ("y", "<i4")]),
    "block/conv.weight": np.arange(4, dtype="<f4"),
}
np.savez(HERE / "stored.npz", **arrays)
np.savez_compressed(HERE / "deflated.npz", **arrays)

# A pickle that would run a command.
RUN = b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00echo\x85R."
(HERE / "run.pth").write_bytes(
    pickle.dumps(0x1950A86A20F9469CFC6C, 2)
    + pickle.dumps(1001, 2)
    + pickle.dumps({"protocol_version": 1001, "little_endian": True, "type_sizes": {}}, 2)
    + RUN
)
with zipfile.ZipFile(HERE / "run-zip.pth", "w") as out:
    out.writestr("archive/data.pkl", RUN)
    out.writestr("archive/version", "3\n")
