"""Sums over pairs of samples against whole Gram matrices."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from lib.data.synthetic import gaussian_pair
from lib.estimators.cs import cs_qmi
from lib.estimators.kde import mi_upper
from tests.bench.harness import compare


def dense_qmi(x: Tensor, y: Tensor) -> Tensor:
    """CS-QMI as it is printed, with whole Gram matrices."""
    k, q = (torch.exp(-torch.cdist(z, z).square() / 2) for z in (x, y))
    return (k * q).sum().log() + k.sum().log() + q.sum().log() - 2 * (k.sum(1) * q.sum(1)).sum().log()


def gradients(f: Callable[..., Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Return the gradients towards both inputs, one below the other."""
    leaves = [z.detach().requires_grad_() for z in (x, y)]
    return torch.cat(torch.autograd.grad(f(*leaves), leaves))


def rows() -> list[dict]:
    """Compare values and gradients at n = 4096."""
    x, y, _ = gaussian_pair(4096, 0.8, d=8, seed=0)
    size = "n = 4096, d = 8 + 8, float32"
    return [
        compare(
            "qmi-fwd-own", size, "dense torch", 5.0,
            lambda: cs_qmi(x, y), lambda: dense_qmi(x, y), tolerance=1e-3,
        ),
        compare(
            "qmi-grad-own", f"{size}, gradients towards both", "dense torch autograd", 5.0,
            lambda: gradients(cs_qmi, x, y), lambda: gradients(dense_qmi, x, y), tolerance=1e-3,
        ),
        compare(
            "kde-upper", "n = 4096, d = 8, float32", "dense torch logsumexp", 5.0,
            lambda: mi_upper(x, width=1.0), lambda: math.log(4096) - torch.logsumexp(-torch.cdist(x, x).square() / 2, 1).mean(),
            tolerance=1e-4,
        ),
    ]  # fmt: skip
