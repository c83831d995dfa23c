"""What PyTorch makes of optimisers, losses and recipes that kernels.py and training.py do not have.

    python3 -P recipes.py        (PyTorch 2.15, CPU)  writes recipes.safetensors and recipes.csv

recipes.safetensors has cases as kernels.py writes them: four steps of an optimiser from given gradients, and losses
with their gradients. recipes.csv has losses through fifty steps of each recipe on the network of recipe.toml, each on
the next batch, and then the loss in evaluation, of the weights that the recipe keeps. LAMB, Lion, SAM and Lookahead
are not in PyTorch: here they are written down from their papers. PyTorch's Muon rounds to bf16 within its iteration,
so the iteration is written down, too, in f64.
"""

import copy
import csv
import pathlib
import runpy

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

# -P keeps statistics.py from taking the place of Python's own module, so that training.py is not found by name.
training = runpy.run_path(str(pathlib.Path(__file__).with_name("training.py")))
BATCH, batch, start, uniform = (training[name] for name in ("BATCH", "batch", "start", "uniform"))

STEPS = 50
LR = 0.05


class Written(torch.optim.Optimizer):
    """An optimiser whose step on one parameter is `change(parameter, gradient, state)`."""

    def __init__(self, parameters, change):
        super().__init__(parameters, {})
        self.change = change

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                self.change(parameter, parameter.grad, self.state[parameter])


def lion(lr, betas=(0.9, 0.99), decay=0.01):
    def change(p, g, state):
        m = state.setdefault("m", torch.zeros_like(p))
        p.mul_(1 - lr * decay)
        p.sub_(lr * torch.sign(betas[0] * m + (1 - betas[0]) * g))
        m.mul_(betas[1]).add_(g, alpha=1 - betas[1])
    return change


def lamb(lr, betas=(0.9, 0.999), eps=1e-6, decay=0.01):
    def change(p, g, state):
        m, v = (state.setdefault(name, torch.zeros_like(p)) for name in "mv")
        step = state["step"] = state.get("step", 0) + 1
        m.mul_(betas[0]).add_(g, alpha=1 - betas[0])
        v.mul_(betas[1]).add_(g * g, alpha=1 - betas[1])
        m_hat, v_hat = m / (1 - betas[0] ** step), v / (1 - betas[1] ** step)
        direction = m_hat / (v_hat.sqrt() + eps) + decay * p
        norms = p.norm(), direction.norm()
        trust = norms[0] / norms[1] if norms[0] > 0 and norms[1] > 0 else 1.0
        p.sub_(lr * trust * direction)
    return change


def orthogonal(x, steps=5):
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


def muon(lr, momentum=0.95, decay=0.1, adjust=lambda a, b: max(1, a / b) ** 0.5):
    def change(p, g, state):
        m = state.setdefault("m", torch.zeros_like(p))
        m.lerp_(g, 1 - momentum)
        direction = g.lerp(m, momentum).reshape(len(p), -1)
        p.mul_(1 - lr * decay)
        p.sub_(lr * adjust(*direction.shape) * orthogonal(direction).reshape(p.shape))
    return change


def match_rms(a, b):
    return 0.2 * max(a, b) ** 0.5


# Of one optimiser, four steps on a parameter of this shape, at LR.
OPTIMIZERS = {
    "lion": ((13,), lambda p: Written(p, lion(LR))),
    "lamb": ((13,), lambda p: Written(p, lamb(LR))),
    "nadam": ((13,), lambda p: torch.optim.NAdam(p, LR, weight_decay=0.01)),
    "adagrad": ((13,), lambda p: torch.optim.Adagrad(p, LR, lr_decay=0.1, weight_decay=0.01)),
    "adadelta": ((13,), lambda p: torch.optim.Adadelta(p, LR, weight_decay=0.01)),
    "muon-wide": ((5, 3, 2, 2), lambda p: Written(p, muon(LR))),
    "muon-tall": ((70, 9), lambda p: Written(p, muon(LR, adjust=match_rms))),
}

LABELS = torch.tensor([2, 0, 4, 4, 1, 3])
CLASS_WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 0.25, 1.5], dtype=torch.float64)


def targets(smoothing, classes=5):
    return F.one_hot(LABELS, classes).double() * (1 - smoothing) + smoothing / classes


def focal(gamma, smoothing, weighted):
    def loss(x):
        log_p = F.log_softmax(x, 1)
        terms = -targets(smoothing) * (1 - log_p.exp()) ** gamma * log_p
        if not weighted:
            return terms.sum() / len(x)
        return (terms * CLASS_WEIGHTS).sum() / CLASS_WEIGHTS[LABELS].sum()
    return loss


def bce(smoothing, weighted):
    def loss(x):
        weight = CLASS_WEIGHTS if weighted else None
        return F.binary_cross_entropy_with_logits(x, targets(smoothing), weight)
    return loss


def tensors():
    torch.manual_seed(2)
    tensors = {}
    for name, (shape, build) in OPTIMIZERS.items():
        parameter = torch.randn(*shape, dtype=torch.float32).double().requires_grad_()
        gradients = torch.randn(4, *shape, dtype=torch.float32).double()
        tensors[f"optimizer {name}|x"] = parameter.detach().clone()
        tensors[f"optimizer {name}|r"] = gradients
        optimizer = build([parameter])
        for gradient in gradients:
            parameter.grad = gradient.clone()
            optimizer.step()
        tensors[f"optimizer {name}|out"] = parameter.detach().clone()
    for smoothing in (0.0, 0.1):
        for weighted in (0, 1):
            for gamma in (0.5, 2.0):
                settings = f"gamma={gamma} smoothing={smoothing} weighted={weighted}"
                loss_case(tensors, f"focal {settings}", focal(gamma, smoothing, weighted))
            loss_case(tensors, f"bce smoothing={smoothing} weighted={weighted}", bce(smoothing, weighted))
    return tensors


def loss_case(tensors, key, loss):
    x = (3 * torch.randn(6, 5, dtype=torch.float32)).double().requires_grad_()
    out = loss(x)
    out.backward()
    tensors |= {f"{key}|x": x.detach(), f"{key}|dx": x.grad, f"{key}|out": out.detach(),
                f"{key}|r": torch.ones(())}


def network():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, stride=2, bias=False), nn.BatchNorm2d(8), nn.SiLU(),
        nn.Conv2d(8, 16, 3, padding=1, stride=2, bias=False), nn.BatchNorm2d(16), nn.SiLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 32), nn.SiLU(), nn.Linear(32, 10),
    )
    start(model, 0)
    return model


def sgd(model, **settings):
    return torch.optim.SGD(model.parameters(), lr=LR, momentum=0.9, weight_decay=5e-4, **settings)


def hidden(model):
    """The second convolution and the first dense layer: neither the first nor the last matrix."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    return matrices[1:-1]


def train(make_optimizer, loss=F.cross_entropy, sam=0.0, ema=None, look_ahead=None,
          distilled=False):
    """Losses of STEPS steps, and of the evaluation behind them."""
    model = network()
    optimizers = make_optimizer(model)
    optimizers = optimizers if isinstance(optimizers, list) else [optimizers]
    mean, slow = None, [p.detach().clone() for p in model.parameters()]
    for step in range(STEPS):
        images, labels = batch(step)
        model.zero_grad()
        if distilled:
            value = taught(model(images), labels, step)
        else:
            value = loss(model(images), labels)
        value.backward()
        yield value.item()
        if sam:
            before = copy.deepcopy(model.state_dict())
            norm = torch.cat([p.grad.flatten() for p in model.parameters()]).norm()
            with torch.no_grad():
                for p in model.parameters():
                    p.add_(p.grad, alpha=sam / (norm + 1e-12))
            model.zero_grad()
            loss(model(images), labels).backward()
            model.load_state_dict(before)
        for optimizer in optimizers:
            optimizer.step()
        if look_ahead and (step + 1) % look_ahead[0] == 0:
            with torch.no_grad():
                for s, p in zip(slow, model.parameters()):
                    s.lerp_(p, look_ahead[1])
                    p.copy_(s)
        if ema:
            if mean is None:
                mean = torch.optim.swa_utils.AveragedModel(
                    model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(ema), use_buffers=True)
            mean.update_parameters(model)
    kept = mean if ema else model
    kept.eval()
    with torch.no_grad():
        images, labels = batch(STEPS)
        yield F.cross_entropy(kept(images), labels).item()


def taught(x, labels, step, temperature=3.0, weight=0.7):
    teacher = 3 * torch.from_numpy(uniform(9_000_000 + step, BATCH * 10)).double().reshape(BATCH, 10)
    divergence = F.kl_div(F.log_softmax(x / temperature, 1), F.softmax(teacher / temperature, 1), reduction="batchmean")
    return (1 - weight) * F.cross_entropy(x, labels) + weight * temperature ** 2 * divergence


def binary(x, labels):
    return F.binary_cross_entropy_with_logits(x, F.one_hot(labels, 10).double())


def focal_of(x, labels):
    log_p = F.log_softmax(x, 1).gather(1, labels[:, None])
    return (-(1 - log_p.exp()) ** 2 * log_p).mean()


def groups(model):
    """No decay on biases and norms, another rate and decay for the first layer, another rate for biases."""
    first, *rest = model.named_parameters()
    biases = [p for name, p in rest if name.endswith("bias")]
    norms = [p for name, p in rest if p.dim() == 1 and not name.endswith("bias")]
    weights = [p for _, p in rest if p.dim() > 1]
    return torch.optim.SGD([
        dict(params=[first[1]], lr=LR / 10, weight_decay=0.1),
        dict(params=biases, lr=2 * LR, weight_decay=0.0),
        dict(params=norms, weight_decay=0.0),
        dict(params=weights),
    ], lr=LR, momentum=0.9, weight_decay=5e-4)


RECIPES = {
    "ema": lambda: train(sgd, ema=0.9),
    "sam": lambda: train(sgd, sam=0.1),
    "look-ahead": lambda: train(sgd, look_ahead=(5, 0.5)),
    "lion": lambda: train(lambda m: Written(m.parameters(), lion(1e-3))),
    "lamb": lambda: train(lambda m: Written(m.parameters(), lamb(1e-2))),
    "nadam": lambda: train(lambda m: torch.optim.NAdam(m.parameters(), 2e-3)),
    "muon": lambda: train(lambda m: [
        Written(hidden(m), muon(0.02)),
        torch.optim.AdamW([p for p in m.parameters() if all(p is not h for h in hidden(m))], lr=3e-3),
    ]),
    "bce": lambda: train(sgd, loss=binary),
    "focal": lambda: train(sgd, loss=focal_of),
    "groups": lambda: train(groups),
    "distill": lambda: train(sgd, distilled=True),
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    here = pathlib.Path(__file__)
    found = {name: tensor.float().contiguous().clone() for name, tensor in tensors().items()}
    save_file(found, here.with_suffix(".safetensors"))
    with open(here.with_suffix(".csv"), "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["recipe", "step", "loss"])
        for name, losses in RECIPES.items():
            for step, loss in enumerate(losses()):
                writer.writerow([name, step, repr(loss)])
