"""Hot paths against named peers, in one run on this machine: ratios, written to reports/benchmarks.json.

python -m tests.bench
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from lightning_fabric import Fabric
from sklearn.feature_selection import mutual_info_regression

from lib import train
from lib.bottlenecks import chosen
from lib.data.synthetic import gaussian_pair, linear_gaussian
from lib.estimators.cs import cs_qmi
from lib.estimators.kde import mi_upper
from lib.estimators.knn import mi_ksg
from lib.nets import Bottleneck
from lib.plan import Plan
from lib.runs import write_json
from lib.types import Rows, Split
from pipelines.provenance import machine

SHAPE = {"hidden": [64, 64], "code": 8, "decoder": [64], "activation": "relu"}


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Return the median time of a call, after one to warm up."""
    work()
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def compare(name: str, workload: str, peer: str, bar: float, ours: Callable[[], object], theirs: Callable[[], object]) -> dict:
    """Return a row: how many times faster ours is, and whether that meets the bar."""
    ratio = seconds(theirs) / seconds(ours)
    found = {"ratio": round(ratio, 2), "bar": bar, "holds": ratio >= bar}
    return {
        "name": name,
        "workload": workload,
        "peer": peer,
        "machine": f"{machine()}, {torch.get_num_threads()} threads",
    } | found


def dense_qmi(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """CS-QMI as it is printed, with whole Gram matrices."""
    k, q = (torch.exp(-torch.cdist(z, z).square() / 2) for z in (x, y))
    return (k * q).sum().log() + k.sum().log() + q.sum().log() - 2 * (k.sum(1) * q.sum(1)).sum().log()


def qmi_with_gradient(f: Callable[..., torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> None:
    """Value and gradient towards y, as training needs them."""
    f(x, y.detach().requires_grad_()).backward()


def trained(seeds: list[int], split: Split) -> None:
    """Train VIB for two epochs."""
    terms, betas = chosen("vib", {"betas": [0.01]})
    model = Bottleneck(seeds, 10, 1, SHAPE)
    plan = Plan(epochs=2, batch=64, lr=1e-3, records=1)
    train.fit(Fabric(accelerator="cpu", devices=1), model, terms, split, plan, train.Members("vib", seeds, betas))


def rows() -> list[dict]:
    """Measure all."""
    x, y, _ = gaussian_pair(4096, 0.8, d=10, seed=0)
    one, other, _ = gaussian_pair(5000, 0.8, seed=0)
    task = [linear_gaussian(1280, torch.ones(10), noise=0.5, seed=s) for s in range(20)]
    parts = [Rows(*(torch.stack([getattr(t, z)[c] for t in task]) for z in "xy")) for c in (slice(0, 1024), slice(1024, 1280))]
    split = Split(parts[0], parts[1], parts[1])
    alone = [Split(*(Rows(p.x[i : i + 1], p.y[i : i + 1]) for p in split)) for i in range(20)]
    return [
        compare(
            "cs_qmi", "n = 4096, d = 10 + 10, float32, value and gradient", "dense torch", 1.0,
            lambda: qmi_with_gradient(cs_qmi, x, y), lambda: qmi_with_gradient(dense_qmi, x, y),
        ),
        compare(
            "kde_upper", "n = 4096, d = 10, float32", "dense torch logsumexp", 1.0,
            lambda: mi_upper(x, width=1.0),
            lambda: -torch.logsumexp(-torch.cdist(x, x).square() / 2, 1).mean(),
        ),
        compare(
            "ksg", "n = 5000, scalars, k = 3", "scikit-learn mutual_info_regression", 1.0,
            lambda: mi_ksg(one, other), lambda: mutual_info_regression(one.numpy(), other[:, 0].numpy(), n_neighbors=3),
        ),
        compare(
            "stacked_training", "VIB, 20 seeds, 2 epochs of 1024 rows, batch 64", "the same loop, one seed at a time", 3.0,
            lambda: trained(list(range(20)), split), lambda: [trained([i], alone[i]) for i in range(20)],
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    found = rows()
    for row in found:
        print(f"{row['name']:<18} {row['ratio']:>6.2f} x {row['peer']:<38} {row['workload']}")
    Path("reports").mkdir(exist_ok=True)
    write_json(Path("reports/benchmarks.json"), found)
