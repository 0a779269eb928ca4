"""The plane of one layer of many networks, against the same estimates network by network as they are usually written."""

import numpy as np
import torch
from torch import Tensor

from lib.bottlenecks import plane
from lib.data.synthetic import twelve_bit
from lib.nets.stacked import Bottleneck
from tests.bench.harness import compare
from tests.bench.pairwise import plain_layer

MEMBERS, WIDTH = 8, 0.0316


def layer(units: int) -> tuple[Tensor, Tensor]:
    """Return the first tanh layer of some networks on all words, (R, 4096, units), and the labels."""
    task = twelve_bit()
    model = Bottleneck(range(MEMBERS), 12, 2, {"hidden": [units], "code": 3, "activation": "tanh"})
    with torch.no_grad():
        return model.features((2 * task.x - 1).expand(MEMBERS, -1, -1))[0].contiguous(), task.y


def void_entropy(codes: np.ndarray) -> float:
    """Entropy of rows by numpy's unique over a view of rows as opaque items."""
    rows = np.ascontiguousarray(codes).view(np.dtype((np.void, codes.dtype.itemsize * codes.shape[1])))
    p = np.unique(rows, return_counts=True)[1] / len(codes)
    return float(-(p * np.log(p)).sum())


def void_layer(codes: np.ndarray, labels: np.ndarray) -> list[float]:
    """I(X;T) and I(T;Y) of one binned layer in numpy."""
    whole = void_entropy(codes)
    return [whole, whole - sum(np.mean(labels == c) * void_entropy(codes[labels == c]) for c in np.unique(labels))]


def fixed_codes(t: np.ndarray) -> np.ndarray:
    """Thirty equal bins of [-1, 1] in numpy."""
    return np.clip(np.floor((t + 1) * 15), 0, 29).astype(np.int64)


def adaptive_codes(t: np.ndarray) -> np.ndarray:
    """Thirty bins of equally many distinct values in numpy."""
    levels = np.unique(t)
    return np.digitize(t, levels[np.arange(1, 30) * len(levels) // 30])


def growth() -> list[dict]:
    """Return nothing: the sums behind these values are in the pairwise group."""
    return []


def binned_rows() -> list[dict]:
    """Compare fixed and adaptive bins; the worst width of layer counts."""
    peer, found = "numpy unique over a void view", []
    for name, estimator, codes in (
        ("plane-binning", "binning_range", fixed_codes),
        ("plane-adaptive", "binning_adaptive", adaptive_codes),
    ):
        rows = []
        for units in (3, 10):
            t, labels = layer(units)
            arrays, y = t.numpy(), labels.numpy()
            options = {"low": -1.0, "high": 1.0, "bins": 30} if name == "plane-binning" else {}
            size = f"{MEMBERS} networks, n = 4096, d = {units}, 30 bins, one layer; the worst of d = 3, 10"
            works = (
                lambda t=t, y=labels, e=estimator, o=options: torch.stack(plane.LAYER[e](t, y, **o)).T,
                lambda m=arrays, y=y, codes=codes: [void_layer(codes(one), y) for one in m],
            )
            # A value on an edge of two bins falls to either side by rounding: one row of 4096 moves an entropy by 2e-3.
            rows.append(compare(name, size, peer, 2.5, *works, tolerance=1e-3))
        found.append(min(rows, key=lambda r: r["ratio"]))
    return found


def rows() -> list[dict]:
    """Compare fixed bins, adaptive bins and noise on all words."""
    t, labels = layer(10)
    smooth = compare(
        "plane-kde", f"{MEMBERS} networks, n = 4096, d = 10, float32, upper bound of one layer", "float64 cdist and logsumexp",
        20.0, lambda: torch.stack(plane.LAYER["kde_upper"](t, labels, width=WIDTH)).T,
        lambda: torch.stack([plain_layer(one, labels, WIDTH) for one in t]), tolerance=1e-4, repeats=3,
    )  # fmt: skip
    return [*binned_rows(), smooth]
