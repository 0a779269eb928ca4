"""Sums over pairs of samples against whole Gram matrices, KeOps and what the machine itself allows."""

import json
import math
import subprocess
import sys
from collections.abc import Callable

import torch
from torch import Tensor

from lib.data.synthetic import gaussian_pair
from lib.estimators import kde
from lib.estimators.cs import cs_qmi
from lib.pairwise import sums as kernels
from tests import ROOT
from tests.bench.harness import Work, compare, cpu_seconds, exponent, row

FLOAT32 = "n = 4096, d = 8 + 8, float32"

# Peak memory is that of a whole process, and a first call happens once: each wants a fresh one. Arguments: n, warm-up rows.
FRESH = """
import json, sys, time, torch
from lib.estimators.cs import cs_qmi
from tests.memory import growth
torch.set_num_threads(1)
def step(n):
    x, y = torch.randn(n, 8).requires_grad_(), torch.randn(n, 8).requires_grad_()
    cs_qmi(x, y).backward()
for n in sys.argv[2:]:
    step(int(n))
begin = time.process_time()
grown = growth(lambda: step(int(sys.argv[1])))
print(json.dumps([time.process_time() - begin, grown]))
"""


def normals(n: int, d: int) -> tuple[Tensor, Tensor]:
    """Return correlated normals in single precision, each (n, d)."""
    return tuple(z.float() for z in gaussian_pair(n, 0.8, d=d, seed=0)[:2])


def dense_qmi(x: Tensor, y: Tensor) -> Tensor:
    """CS-QMI as it is printed, with whole Gram matrices."""
    k, q = (torch.exp(-torch.cdist(z, z).square() / 2) for z in (x, y))
    return (k * q).sum().log() + k.sum().log() + q.sum().log() - 2 * (k.sum(1) * q.sum(1)).sum().log()


def gradients(f: Callable[..., Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Return the gradients towards both inputs, one below the other."""
    leaves = [z.detach().requires_grad_() for z in (x, y)]
    return torch.cat(torch.autograd.grad(f(*leaves), leaves))


def often(work: Work, times: int) -> Work:
    """Return work that is long enough to be timed."""
    return lambda: [work() for _ in range(times)][-1]


def qmi_rows() -> list[dict]:
    """Compare CS-QMI and its gradients with dense torch."""
    x, y = normals(4096, 8)
    forward = compare(
        "qmi-fwd-own", FLOAT32, "dense torch", 5.0,
        lambda: cs_qmi(x, y), lambda: dense_qmi(x, y), tolerance=1e-3,
    )  # fmt: skip
    backward = compare(
        "qmi-grad-own", f"{FLOAT32}, gradients towards both", "dense torch autograd", 5.0,
        lambda: gradients(cs_qmi, x, y), lambda: gradients(dense_qmi, x, y), tolerance=1e-3,
    )  # fmt: skip
    return [forward, backward]


def fresh(*sizes: int) -> list[float]:
    """Return CPU seconds and bytes of growth of CS-QMI with gradients in a fresh process."""
    command = [sys.executable, "-c", FRESH, *map(str, sizes)]
    return json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def fresh_rows() -> list[dict]:
    """Measure the first call, and how peak memory grows once libraries are warm."""
    what = "d = 8 + 8, float32, CS-QMI and gradients, fresh process"
    return [
        row("first-call", f"n = 4096, {what}", "1 s", 1.0, 1 / fresh(4096)[0]),
        row("memory", f"n = 16384, {what}", "32 MiB", 1.0, 32 * 2**20 / fresh(16384, 64)[1]),
    ]


def keops_qmi(x: Tensor, y: Tensor) -> Tensor:
    """CS-QMI by KeOps' symbolic matrices."""
    from pykeops.torch import LazyTensor

    def sums(z: Tensor) -> Tensor:
        distances = ((LazyTensor(z[:, None, :]) - LazyTensor(z[None, :, :])) ** 2).sum(-1)
        return (-distances / 2).exp().sum(1)[:, 0].double()

    joint, k, q = sums(torch.cat([x, y], 1)), sums(x), sums(y)
    return joint.sum().log() + k.sum().log() + q.sum().log() - 2 * (k * q).sum().log()


def keops_row(d: int, bar: float) -> dict:
    """Compare with KeOps, compiled before; where it cannot be, the row has no ratio."""
    name, size, peer = f"keops-{d}", f"n = 4096, d = {d} + {d}, float32, CS-QMI", "KeOps on the CPU, warm"
    x, y = normals(4096, d)
    x, y = x / d**0.5, y / d**0.5
    try:
        keops_qmi(x, y)
    except (ImportError, RuntimeError, OSError) as reason:
        return row(name, f"{size}; {type(reason).__name__}", peer, bar, None)
    return compare(name, size, peer, bar, lambda: cs_qmi(x, y), lambda: keops_qmi(x, y), tolerance=1e-3)


def plain_sums(u: Tensor) -> Tensor:
    """Row sums as one writes them, at their best: one product, powers of two, automatic gradients."""
    z = (u - u.mean(-2, keepdim=True)) * math.sqrt(math.log2(math.e))
    half = z.square().sum(-1) / 2
    return (z @ z.mT - half[..., :, None] - half[..., None, :]).clamp_max(0).exp2().sum(-1)


def small_row() -> dict:
    """Compare the choice of an engine with the better of dense and tiled sums; the worst case counts."""

    def slope(f: Callable[[Tensor], Tensor], u: Tensor) -> Work:
        leaf = u.clone().requires_grad_()
        return lambda: torch.autograd.grad(f(leaf).log().sum(), leaf)

    worst = math.inf
    for n in (64, 128, 256, 512):
        u = torch.randn(n, 8, generator=torch.Generator().manual_seed(n))
        engines = kernels.row_sums, plain_sums, lambda z: kernels.Tiled.apply(z, None, None)
        assert torch.allclose(engines[0](u), engines[1](u), rtol=1e-4)
        for works in ([lambda f=f, u=u: f(u) for f in engines], [slope(f, u) for f in engines]):
            ours, *others = cpu_seconds(*(often(work, 2**16 // n) for work in works))
            worst = min(worst, min(others) / ours)
    return row(
        "small", "n = 64..512, d = 8, float32, values and gradients, the worst", "better of dense and tiles", 0.91, worst
    )


def narrow_row() -> dict:
    """Compare a width whose kernels are mostly denormal or zero with a wide one."""
    u = torch.randn(4096, 8, generator=torch.Generator().manual_seed(0))
    narrow, wide = cpu_seconds(lambda: kernels.row_sums(u / 0.15), lambda: kernels.row_sums(u / 3), repeats=15)
    return row("narrow", "n = 4096, d = 8, float32, width 0.15", "ourselves at width 3", 0.87, wide / narrow)


def plain_upper(t: Tensor, width: float) -> Tensor:
    """The upper bound as it is printed."""
    return math.log(len(t)) - torch.logsumexp(-torch.cdist(t, t).square() / (2 * width**2), 1).mean()


def plain_layer(t: Tensor, labels: Tensor, width: float) -> Tensor:
    """I(X;T~) and I(T~;Y) by the upper bound in double precision."""
    t = t.double()
    inside = sum(plain_upper(t[labels == c], width) * (labels == c).double().mean() for c in labels.unique())
    whole = plain_upper(t, width)
    return torch.stack([whole, whole - inside])


def layer(n: int, d: int) -> tuple[Tensor, Tensor]:
    """Return the activations of a tanh layer with two classes."""
    return torch.randn(n, d, generator=torch.Generator().manual_seed(n)).tanh(), torch.arange(n) % 2


def bounds_row() -> dict:
    """Compare both bounds and their terms within classes with cdist and logsumexp; the worst size counts."""

    def ours(t: Tensor, labels: Tensor) -> Tensor:
        both = kde.mi_bounds(t, width=0.5)
        return torch.stack([both, both - kde.within_labels(t, labels, bound=kde.mi_bounds, width=0.5)], 1)

    def theirs(t: Tensor, labels: Tensor) -> Tensor:
        return torch.stack([plain_layer(t, labels, 1.0), plain_layer(t, labels, 0.5)])

    what, peer = "both bounds and class terms, d = 10, float32", "float64 cdist and logsumexp"
    found = []
    for n in (1000, 2000, 4096):
        t, labels = layer(n, 10)
        # Small sizes several times a turn, so that neither side pays for memory which the other gave back.
        works = [often(lambda f=f, t=t, y=labels: f(t, y), max(1, 2**23 // n**2)) for f in (ours, theirs)]
        found.append(compare("kde", f"n = {n}, {what}; the worst of 1000, 2000, 4096", peer, 15.0, *works, tolerance=1e-5))
    return min(found, key=lambda r: r["ratio"])


def stable_row() -> dict:
    """Measure how far single precision is from double, relative, over widths and dimensions."""
    worst = 0.0
    for d in (8, 64):
        x, y = normals(4096, d)
        for width in (0.5, 1.0, 2.0, 4.0, 8.0):
            got, want = (cs_qmi(*(z.to(t) for z in (x, y)), width_x=width, width_y=width) for t in (x.dtype, torch.float64))
            worst = max(worst, abs(float(got) / float(want) - 1))
    return row("stable", "n = 4096, d = 8 and 64, widths 0.5..8, worst relative error", "1e-4 of float64", 1.0, 1e-4 / worst)


def repeat_row() -> dict:
    """Ask whether values and gradients repeat bit by bit."""
    x, y = normals(4096, 8)
    same = torch.equal(cs_qmi(x, y), cs_qmi(x, y)) and torch.equal(gradients(cs_qmi, x, y), gradients(cs_qmi, x, y))
    return row("repeat", f"{FLOAT32}, value and gradients", "the same bits", 1.0, float(same))


def ceiling_row() -> dict:
    """Compare streaming with the products and powers of its tiles alone."""
    u = torch.randn(16384, 8, generator=torch.Generator().manual_seed(0))
    a, b, _ = kernels.lifted(u, None)

    def bare() -> None:
        for tile in kernels.tiles(a, b, half=True):
            kernels.exponents(a, b, tile).exp2_()

    peer = "products and powers of the same tiles alone"
    return compare("ceiling", "n = 16384, d = 8, float32, row sums", peer, 0.7, lambda: kernels.row_sums(u), bare)


def growth() -> list[dict]:
    """Return how CPU seconds of CS-QMI grow with n: name, sizes, seconds, exponent."""
    sizes = [2048, 4096, 8192, 16384]
    pairs = [normals(n, 8) for n in sizes]
    works = {"qmi": lambda x, y: cs_qmi(x, y), "qmi-grad": lambda x, y: gradients(cs_qmi, x, y)}
    found = []
    for name, work in works.items():
        seconds = cpu_seconds(*(lambda pair=pair, work=work: work(*pair) for pair in pairs), repeats=3)
        found.append({"name": name, "sizes": sizes, "seconds": seconds, "exponent": exponent(sizes, seconds)})
    return found


def rows() -> list[dict]:
    """Measure every row of the pairwise group."""
    single = [keops_row(8, 6.0), keops_row(64, 20.0), small_row(), narrow_row(), bounds_row()]
    return [*qmi_rows(), *fresh_rows(), *single, stable_row(), repeat_row(), ceiling_row()]
