"""Installs a wheel into a fresh environment, and uses what is in it: the program on its bundled images, and the module.

usage: wheel.py [WHEEL] [--with pandas polars torch mypy] [--whole]

Without WHEEL one is built by maturin from the repository with the development profile, which takes what `cargo build`
has left. Each package of --with is installed too, and what needs it is tested; torch brings a check of predictions.
--whole runs the whole quick start and says how long that took; otherwise one epoch of it is run.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]

USE = '''
import pathlib, sys
import candlewick

assert pathlib.Path(candlewick.program()).is_file()
sweep = candlewick.Results("results/quickstart")
sweep.verify()
assert sweep.trial(2).status == "completed" and sweep.trial(2).checkpoint.is_file()
try:
    sweep.trial(7)
    raise SystemExit("trial 7 was found")
except KeyError as error:
    assert "has no trial 7" in str(error)
try:
    candlewick.wick("run", "missing.toml")
    raise SystemExit("a missing file was run")
except candlewick.WickError as error:
    assert error.code == 2 and "missing.toml" in error.message
table = pathlib.Path("results/quickstart/trials.csv")
whole = table.read_text()
table.write_text(whole.replace("0.", "1.", 1))
try:
    candlewick.Results("results/quickstart")
    raise SystemExit("an edited table was read")
except candlewick.WickError as error:
    assert error.code == 2 and "trials.csv" in error.message, error
candlewick.Results("results/quickstart", verify=False)
table.write_text(whole)
try:
    candlewick.Results("results")
    raise SystemExit("a folder of no results was read")
except FileNotFoundError as error:
    assert "no trials.csv" in str(error)
'''

FRAMES = '''
import candlewick
sweep = candlewick.Results("results/quickstart", engine="ENGINE")
trials, metrics, predictions = sweep.trials(), sweep.metrics(), sweep.trial(1).predictions()
assert trials.shape[0] == 6 and metrics.shape[0] >= 6 and predictions.shape[0] == 1000, (trials, metrics)
assert all(isinstance(it, str) and len(it) == 16 for it in trials["digest"]), trials["digest"]
assert 0.5 < trials["test_accuracy"].max() <= 1 and sweep.trial(1).scores().shape[0] > 5
# Text to number and back gives what the table says.
import csv
with open("results/quickstart/trials.csv", newline="") as table:
    assert [float(row["test_loss"]) for row in csv.DictReader(table)] == list(trials["test_loss"])
'''

TORCH = '''
import csv, torch, candlewick
sweep = candlewick.Results("results/quickstart")
weights = sweep.trial(1).weights()
print({name: tuple(tensor.shape) for name, tensor in weights.items()})


class Plain(torch.nn.Module):
    """The network of the quick start without norm, as its author would write it."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = torch.nn.Conv2d(3, 6, 3), torch.nn.Conv2d(6, 16, 3)
        self.dense1, self.dense2 = torch.nn.Linear(576, 120), torch.nn.Linear(120, 84)
        self.dense3 = torch.nn.Linear(84, 10)


module = sweep.trial(1).load_into(Plain())
assert torch.equal(module.conv2.weight, weights["conv2.weight"])
try:
    sweep.trial(1).load_into(torch.nn.Linear(3, 4))
    raise SystemExit("weights of another network were taken")
except RuntimeError as error:
    assert "the module has no conv1.weight" in str(error) and "lacks weight" in str(error), error
path = sweep.trial(2).checkpoint
data = bytearray(path.read_bytes())
data[-1] ^= 1
path.write_bytes(data)
try:
    sweep.trial(2).weights()
    raise SystemExit("a damaged checkpoint was read")
except candlewick.WickError as error:
    assert error.code == 2, error
'''


def run(*command, **more):
    print("$", *(part if "\n" not in str(part) else "…" for part in command), flush=True)
    return subprocess.run([str(part) for part in command], check=True, **more)


def build(folder):
    """A wheel of the development profile."""
    run(sys.executable, "-m", "maturin", "build", "--profile", "dev", "--locked", "--out", folder, cwd=ROOT)
    return next(pathlib.Path(folder).glob("*.whl"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("wheel", nargs="?", type=pathlib.Path)
    parser.add_argument("--with", nargs="+", default=[], dest="extras")
    parser.add_argument("--whole", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        wheel = (arguments.wheel or build(folder / "wheels")).resolve()
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB")
        venv.create(folder / "fresh", with_pip=True)
        here = folder / "work"
        here.mkdir()
        python, wick = folder / "fresh/bin/python", folder / "fresh/bin/wick"
        # Nothing of this machine's Rust or of another installation is at hand.
        clean = {"PATH": f"{folder}/fresh/bin:/usr/bin:/bin", "HOME": str(here)}
        # How packages are fetched is this machine's affair.
        clean |= {name: value for name, value in os.environ.items() if name.lower().startswith(("pip_", "ssl_", "https_"))}
        run(python, "-m", "pip", "install", "--quiet", "--no-deps", wheel, env=clean)
        installed = time.monotonic()
        with open(here / "quickstart.toml", "w") as file:
            run(wick, "examples", "quickstart", stdout=file, env=clean, cwd=here)
        rest = [] if arguments.whole else ["--set", "train.epochs=1"]
        run(wick, "run", "quickstart.toml", "--quiet", *rest, env=clean, cwd=here)
        print(f"the quick start ended {time.monotonic() - installed:.1f} s after the end of the installation")
        run(python, "-m", "candlewick", "--version", env=clean, cwd=here)
        run(python, "-W", "error", "-c", USE, env=clean, cwd=here)
        if arguments.extras:
            extras = arguments.extras + (["safetensors", "numpy"] if "torch" in arguments.extras else [])
            run(python, "-m", "pip", "install", "--quiet", *extras, env=clean)
        for engine in {"pandas", "polars"} & set(arguments.extras):
            run(python, "-c", FRAMES.replace("ENGINE", engine), env=clean, cwd=here)
        if "mypy" in arguments.extras:
            run(python, "-m", "mypy", "--strict", "--ignore-missing-imports", "-p", "candlewick", env=clean, cwd=here)
        if "torch" in arguments.extras:
            run(python, "-c", TORCH, env=clean, cwd=here)
    print("the wheel works in a fresh environment")


if __name__ == "__main__":
    main()
