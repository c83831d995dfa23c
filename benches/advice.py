"""Holds `wick advise` against training, pair by pair of network and data: trains the four cases, each at three
learning rates, and what is advised, all by the same seeds, and prints a Markdown table.

usage: advice.py WICK DATA [--out FOLDER] [--seeds N] [--only NAME ...] [--pretend]

DATA is a folder with mnist/ (the four files of MNIST) and weights/mobilenet_v2.safetensors, both optional: pairs
that need what is not there are left out. FOLDER keeps all results, so that a second call goes on.

A case's value is the best over its three rates, chosen by the mean over seeds: the advised strategy has one rate, which
it has chosen beforehand, so that the cases have an advantage. Simple rules beside advice, each with its best rate:

- everything: large-similar, always
- head: small-similar, always
- quarter: the case and rate that are best after a quarter of the epochs with the first seed, then trained whole
"""

import argparse
import csv
import json
import pathlib
import statistics
import subprocess
import sys
import time

CASES = ["small-similar", "small-different", "large-similar", "large-different"]
HEADS = [1.0, 3.0, 10.0]
LAYERS = [1.0, 0.3, 0.1]
LR = 1e-3

OWN = """
[model]
layers = [
  { conv = 16, kernel = 3 }, { max-pool = 2 },
  { conv = 32, kernel = 3 }, { max-pool = 2 },
  { conv = 64, kernel = 3 }, { max-pool = 2 },
  "flatten", { dense = 64 }, { dense = "classes" },
]
"""
GRAY = 'image = { size = [28, 28], channels = 1 }\nnormalise = { mean = [0.2], std = [0.35] }'
PHOTO = (
    "image = { size = [64, 64], channels = 3 }\n"
    "normalise = { mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225] }"
)
SQUEEZE = '[model]\npreset = "squeezenet1_1"\n'
MOBILE = '[model]\npreset = "mobilenet_v2"\n'
A = 'classes = ["t-shirt/top", "trouser", "pullover", "dress", "coat"]'
B = 'classes = ["sandal", "shirt", "sneaker", "bag", "ankle-boot"]'
LOW = 'classes = ["0", "1", "2", "3", "4"]'
HIGH = 'classes = ["5", "6", "7", "8", "9"]'


def sources(data):
    fashion = 'source = "fashion-mnist"\ntest = 0.02\nvalidation = 0.2'
    digits = 'source = "digits"\ntest = 0.02\nvalidation = 0.3'
    drawings = 'source = "openclipart9"\ntest = 0.02\nvalidation = 0.4'
    mnist = f'source = {{ idx = "{data}/mnist" }}\ntest = "declared"\nvalidation = 0.03'
    return fashion, digits, drawings, mnist


def pairs(data):
    """Name, in words, model, data, weights, images per class, classes, epochs, batch."""
    fashion, digits, drawings, mnist = sources(data)
    clothes = '{ experiment = "own-clothes" }'
    lows = '{ experiment = "own-digits" }'
    squeeze = '"bundled:squeezenet1_1"'
    mobile = f'{{ file = "{data}/weights/mobilenet_v2.safetensors" }}'
    gray, photo = GRAY, PHOTO
    own = "own net, five kinds of clothing"
    own_digits = "own net, digits 0 to 4 of MNIST"
    return [
        ("clothes-50", own, "the other five, 50", OWN, f"{fashion}\n{B}\n{gray}", clothes, 10, 20),
        ("clothes-500", own, "the other five, 500", OWN, f"{fashion}\n{B}\n{gray}", clothes, 100, 20),
        ("clothes-2500", own, "the other five, 2,500", OWN, f"{fashion}\n{B}\n{gray}", clothes, 500, 12),
        ("clothes-digits-100", own, "digits 8×8, 100", OWN, f"{digits}\n{gray}", clothes, 10, 20),
        ("clothes-digits-1000", own, "digits 8×8, 1,000", OWN, f"{digits}\n{gray}", clothes, 100, 16),
        ("mnist-50", own_digits, "digits 5 to 9, 50", OWN, f"{mnist}\n{HIGH}\n{gray}", lows, 10, 20),
        ("mnist-1000", own_digits, "digits 5 to 9, 1,000", OWN, f"{mnist}\n{HIGH}\n{gray}", lows, 200, 16),
        ("mnist-clothes-250", own_digits, "clothing, 250", OWN, f"{fashion}\n{gray}", lows, 25, 20),
        ("mnist-clothes-5000", own_digits, "clothing, 5,000", OWN, f"{fashion}\n{gray}", lows, 500, 8),
        ("squeeze-drawings-90", "ImageNet, SqueezeNet 1.1", "drawings 64×64, 90", SQUEEZE, f"{drawings}\n{photo}", squeeze, 10, 10),
        ("squeeze-clothes-100", "ImageNet, SqueezeNet 1.1", "clothing 64×64, 100", SQUEEZE, f"{fashion.replace('0.2', '0.05')}\n{photo}", squeeze, 10, 10),
        ("mobile-drawings-90", "ImageNet, MobileNetV2", "drawings 64×64, 90", MOBILE, f"{drawings}\n{photo}", mobile, 10, 10),
        ("mobile-digits-100", "ImageNet, MobileNetV2", "digits 64×64, 100", MOBILE, f"{digits}\n{photo}", mobile, 10, 10),
        ("squeeze-digits-50", "ImageNet, SqueezeNet 1.1", "digits 64×64, 50", SQUEEZE, f"{digits}\n{photo}", squeeze, 5, 10),
    ]


def pretrained(data):
    fashion, _, _, mnist = sources(data)
    return {
        "own-clothes": f"[data]\n{fashion}\n{A}\n{GRAY}\nbatch-size = 64\n{OWN}[train]\nepochs = 8\n",
        "own-digits": f"[data]\n{mnist}\n{LOW}\nsubset = {{ per-class = 1000 }}\n{GRAY}\nbatch-size = 64\n{OWN}[train]\nepochs = 8\n",
    }


def rates(case):
    return HEADS if case.startswith("small") else LAYERS


def experiment(name, pair, seeds):
    _, _, _, model, data, weights, per_class, epochs = pair
    variants = [(f"{case} {rate}", case, rate) for case in CASES for rate in rates(case)]
    text = f'name = "{name}"\nseed = 1\n[data]\n{data}\nsubset = {{ per-class = {per_class} }}\nbatch-size = 32\n'
    text += f"{model}[transfer]\nweights = {weights}\n"
    text += f"[train]\nepochs = {epochs}\noptimizer = {{ adam = {{ lr = {LR} }} }}\n[sweep]\nseeds = {seeds}\n"
    for label, case, rate in variants:
        lr = float(f"{rate * LR:.2e}")
        text += f'[[sweep.list]]\nname = "{label}"\n"transfer.case" = "{case}"\n"train.optimizer.adam.lr" = {lr}\n'
    return text + '[[sweep.list]]\nname = "advised"\n"transfer.case" = "auto"\n'


def wick(program, out, *arguments):
    begun = time.monotonic()
    done = subprocess.run([program, *arguments], cwd=out, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, arguments))}: {done.stderr[-2000:]}")
    return done.stdout + done.stderr, time.monotonic() - begun


def look(folder, epochs):
    """Mean value of each variant, values by seed, and what a quarter of the epochs of the first seed would choose."""
    values, early = {}, {}
    trials = list(csv.DictReader(open(folder / "trials.csv")))
    number = {row["trial"]: row for row in trials}
    seeds = sorted({row["seed"] for row in trials})
    for row in trials:
        accuracy = float(row["val_accuracy"] or 0)
        values.setdefault(row["variant"], {})[row["seed"]] = 100 * accuracy
    quarter = max(1, epochs // 4)
    for row in csv.DictReader(open(folder / "metrics.csv")):
        trial = number[row["trial"]]
        if trial["seed"] == seeds[0] and int(row["epoch"]) <= quarter:
            now = float(row["val_accuracy"] or 0)
            early[trial["variant"]] = max(now, early.get(trial["variant"], 0))
    return values, early


def best_of(values, case):
    found = [values[f"{case} {rate}"] for rate in rates(case)]
    return max(found, key=lambda seeds: statistics.mean(seeds.values()))


def is_tied(best, other):
    """Whether the other is within half of the 95 % interval of their paired difference."""
    differences = [best[seed] - other[seed] for seed in best]
    mean = statistics.mean(differences)
    t = {2: 12.71, 3: 4.303, 4: 3.182, 5: 2.776}.get(len(differences), 2.3)
    spread = statistics.stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else 0
    return mean <= 0 or mean < t * spread


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wick", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("advice-pairs"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--pretend", action="store_true", help="make tables of what is there, run nothing")
    arguments = parser.parse_args()
    program, data, out = arguments.wick.resolve(), arguments.data.resolve(), arguments.out
    out.mkdir(parents=True, exist_ok=True)
    if not arguments.pretend:
        for name, text in pretrained(data).items():
            if not (data / "mnist").exists() and "digits" in name:
                continue
            (out / f"{name}.toml").write_text(f'name = "{name}"\n{text}')
            wick(program, out, "run", f"{name}.toml", "--quiet")
    losses = {"advice": [], "everything": [], "head": [], "quarter": [], "textbook": []}
    best, tied, shares = 0, 0, []
    print("| pretrained on | new data, training images | small-similar | small-different | large-similar | large-different | advised | advice | loss | work |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for pair in pairs(data):
        name, network, words, model, source, weights, _, epochs = pair
        if arguments.only and name not in arguments.only:
            continue
        if (str(data) in source + weights) and not (data / "mnist").exists():
            continue
        folder = out / "results" / name
        file = out / f"{name}.toml"
        if not arguments.pretend:
            file.write_text(experiment(name, pair, arguments.seeds))
            said, seconds = wick(program, out, "advise", file.name)
            (out / f"{name}.advice.txt").write_text(said)
            _, ran = wick(program, out, "run", file.name, "--quiet")
            json.dump({"advice": seconds, "run": ran}, open(out / f"{name}.json", "w"))
        if not (folder / "trials.csv").exists():
            continue
        said = (out / f"{name}.advice.txt").read_text()
        line = next(line for line in said.splitlines() if line.startswith("advised: "))
        share = float(said.split("Work: ")[1].split(" %")[0])
        rule = said.split("textbook would have said ")[1].split(":")[0]
        values, early = look(folder, epochs)
        cases = {case: best_of(values, case) for case in CASES}
        mean = lambda seeds: statistics.mean(seeds.values())
        top = max(cases, key=lambda case: mean(cases[case]))
        advised = values["advised"]
        highest = max(mean(cases[top]), mean(advised))
        early.pop("advised", None)
        quarter = max(early, key=early.get)
        loss = highest - mean(advised)
        losses["advice"].append(loss)
        losses["everything"].append(highest - mean(cases["large-similar"]))
        losses["head"].append(highest - mean(cases["small-similar"]))
        losses["quarter"].append(highest - mean(values[quarter]))
        losses["textbook"].append(highest - mean(cases[rule]))
        best += loss == 0
        tied += loss > 0 and is_tied(cases[top], advised)
        shares.append(share)
        cells = [f"**{mean(cases[case]):.1f}**" if case == top else f"{mean(cases[case]):.1f}" for case in CASES]
        print(f"| {network} | {words} | {' | '.join(cells)} | {mean(advised):.1f} | {line[9:]} | {loss:.1f} | {share:.0f} % |", flush=True)
    count = len(losses["advice"])
    if count:
        print(f"\n{count} pairs; advice best in {best}, tied in {tied}; work at most {max(shares):.0f} %")
        for rule, found in losses.items():
            print(f"{rule}: mean loss {statistics.mean(found):.2f}, worst {max(found):.1f}")


if __name__ == "__main__":
    main()
