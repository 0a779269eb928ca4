"""Blocks of rows against the sum over all pairs: what they save, and what they lose beside the spread of the sample."""

import torch

from lib.data.synthetic import gaussian_pair
from lib.estimators.cs import cs_qmi
from lib.estimators.large import HSIC, cs_qmi_blocks, cs_qmi_fourier, moments
from tests.bench.harness import compare, cpu_seconds, exponent, row


def full(x: torch.Tensor, y: torch.Tensor) -> float:
    """CS-QMI from all pairs but the self pairs, which blocks leave out too."""
    parts = moments(x, y)
    return float(parts.log() @ parts.new_tensor(HSIC))


def rows() -> list[dict]:
    """Compare at n = 16384: time with the full sum, error with the spread of the full sum over eight samples."""
    pairs = [gaussian_pair(16384, 0.8, d=4, seed=s) for s in range(8)]
    x, y, _ = pairs[0]
    exact = torch.tensor([full(p.x, p.y) for p in pairs], dtype=torch.float64)
    found = torch.tensor([cs_qmi_blocks(x, y, seed=s).value for s in range(8)], dtype=torch.float64)
    rmse = (found - exact[0]).square().mean().sqrt()
    size = "n = 16384, d = 4 + 4, float32, B = 1024"
    return [
        compare("block", size, "full sum", 5.0, lambda: cs_qmi_blocks(x, y, seed=0), lambda: cs_qmi(x, y)),
        row("block-error", f"{size}, 8 draws", "sampling SD over rmse to the full sum", 1.0, float(exact.std() / rmse)),
    ]


def growth() -> list[dict]:
    """Return how the time of blocks and of 512 frequencies grows with the rows."""
    sizes = [2**k for k in (14, 15, 16, 17)]
    pairs = [gaussian_pair(n, 0.8, d=4, seed=0) for n in sizes]
    found = []
    for f in (cs_qmi_blocks, cs_qmi_fourier):
        seconds = cpu_seconds(*(lambda p=p, f=f: f(p.x, p.y, seed=0) for p in pairs), repeats=3)
        found.append({"name": f.__name__, "sizes": sizes, "seconds": seconds, "exponent": exponent(sizes, seconds)})
    return found
