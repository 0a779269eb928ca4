"""The plane of one layer of many networks, against the same estimates network by network as they are usually written."""

import math

import numpy as np
import torch
from torch import Tensor

from lib import plane
from lib.data.synthetic import twelve_bit
from lib.nets import Bottleneck
from tests.bench.harness import compare

MEMBERS, WIDTH = 8, 0.0316


def layer() -> tuple[Tensor, Tensor]:
    """Return the first tanh layer of some networks on all words, (R, 4096, 10), and the labels."""
    task = twelve_bit()
    model = Bottleneck(range(MEMBERS), 12, 2, {"hidden": [10], "code": 3, "activation": "tanh"})
    with torch.no_grad():
        return model.features((2 * task.x - 1).expand(MEMBERS, -1, -1))[0].contiguous(), task.y


def entropy_of_rows(codes: np.ndarray) -> float:
    """Return the entropy of integer rows, each taken for one value of many bytes."""
    whole = np.ascontiguousarray(codes).view(np.dtype((np.void, codes.dtype.itemsize * codes.shape[1])))
    p = np.unique(whole, return_counts=True)[1] / len(codes)
    return float(-(p * np.log(p)).sum())


def adaptive_codes(t: np.ndarray, bins: int) -> np.ndarray:
    """Return bins of equally many distinct values."""
    levels = np.unique(t)
    return np.digitize(t, levels[np.arange(1, bins) * len(levels) // bins])


def binned(codes: np.ndarray, labels: np.ndarray) -> list[float]:
    """Return I(X;T) and I(T;Y) of one binned layer."""
    whole = entropy_of_rows(codes)
    return [whole, whole - sum(np.mean(labels == c) * entropy_of_rows(codes[labels == c]) for c in np.unique(labels))]


def bound(t: Tensor) -> Tensor:
    """Return the pairwise bound with all distances at hand."""
    return math.log(len(t)) - torch.logsumexp(-torch.cdist(t, t).square() / (2 * WIDTH**2), 1).mean()


def bounded(t: Tensor, labels: Tensor) -> list[Tensor]:
    """Return the bounds of one layer."""
    whole = bound(t)
    return [whole, whole - sum((labels == c).double().mean() * bound(t[labels == c]) for c in labels.unique())]


def rows() -> list[dict]:
    """Compare fixed bins, adaptive bins and noise on all words."""
    t, labels = layer()
    arrays, y, size = t.numpy(), labels.numpy(), f"{MEMBERS} networks, 4096 x 10, float32"
    fixed = {"low": -1.0, "high": 1.0, "bins": 30}
    return [
        compare(
            "layers-binning", size, "numpy, void-view unique", 2.5,
            lambda: torch.stack(plane.LAYER["binning_range"](t, labels, **fixed)).T,
            lambda: [binned(np.clip(np.floor((m + 1) * 15), 0, 29).astype(np.int64), y) for m in arrays], tolerance=1e-3,
        ),
        compare(
            "layers-adaptive", size, "numpy, void-view unique", 2.5,
            lambda: torch.stack(plane.LAYER["binning_adaptive"](t, labels)).T,
            lambda: [binned(adaptive_codes(m, 30), y) for m in arrays], tolerance=1e-9,
        ),
        compare(
            "layers-kde", size, "float64 cdist and logsumexp", 20.0,
            lambda: torch.stack(plane.LAYER["kde_upper"](t, labels, width=WIDTH)).T,
            lambda: [bounded(m.double(), labels) for m in t], tolerance=1e-4, repeats=3,
        ),
    ]  # fmt: skip
