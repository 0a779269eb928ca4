"""Tasks made by formula, each with what is exactly known about it."""

import math

import torch
from torch import Tensor

from lib import checks
from lib.types import Paired

# The 12 inputs sit on the vertices of an icosahedron: which vertices each one touches, and which one lies opposite.
NEIGHBOURS = (
    (1, 3, 5, 10, 11), (0, 2, 3, 4, 11), (1, 3, 4, 8, 9), (0, 1, 2, 8, 10), (1, 2, 6, 9, 11), (0, 6, 7, 10, 11),
    (4, 5, 7, 9, 11), (5, 6, 8, 9, 10), (2, 3, 7, 9, 10), (2, 4, 6, 7, 8), (0, 3, 5, 7, 8), (0, 1, 4, 5, 6),
)  # fmt: skip
ANTIPODES = ((0, 9), (1, 7), (2, 5), (3, 6), (4, 10), (8, 11))


def twelve_bit() -> Paired:
    r"""Return all 4096 words of 12 bits, and y = 1 where 7e - 4a + 31w - 3w^2 >= 119: the task of the information-plane papers.

    w counts ones, e adjacent pairs of ones, a antipodal pairs of ones on the icosahedron; the rule gives every published label.
    x: (4096, 12) float32 of 0 and 1 in counting order, first column most significant; y: (4096,) int64.
    truth: "mi" = H(Y) in nats, as the label is a function of the input; "ones" = 2118. Source: [shwartz2017opening].
    """
    words = torch.arange(4096)
    x = (words[:, None] >> torch.arange(11, -1, -1)) & 1
    edges = [(i, j) for i, touched in enumerate(NEIGHBOURS) for j in touched if i < j]
    w = x.sum(1)
    e, a = (sum(x[:, i] * x[:, j] for i, j in pairs) for pairs in (edges, ANTIPODES))
    y = (7 * e - 4 * a + 31 * w - 3 * w * w >= 119).long()
    p = y.double().mean().item()
    return Paired(x.float(), y, {"mi": -p * math.log(p) - (1 - p) * math.log(1 - p), "ones": int(y.sum())})


def gaussian_pair(n: int, rho: float, *, d: int = 1, seed: int) -> Paired:
    r"""Return n pairs of d standard normals, correlated rho column by column; truth "mi" = -(d/2) log(1 - rho^2) nats.

    x, y: (n, d) float32. Errors: |rho| >= 1, for which the information is not finite.
    """
    checks.counted(n, "n"), checks.counted(d, "d")
    if not -1 < rho < 1:
        raise ValueError(f"rho must lie in (-1, 1), got {rho}; at |rho| = 1 the information is infinite")
    generator = torch.Generator().manual_seed(seed)
    x, other = (torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in range(2))
    y = rho * x + math.sqrt(1 - rho**2) * other
    return Paired(x.float(), y.float(), {"mi": -0.5 * d * math.log(1 - rho**2)})


def linear_gaussian(n: int, weights: Tensor, *, noise: float, seed: int) -> Paired:
    r"""Return y = x w + noise, x standard normal; truth "mi" = log(1 + |w|^2 / noise^2) / 2 nats, "mse" = noise^2, "weights".

    x: (n, d), y: (n, 1) float32.
    """
    checks.counted(n, "n"), checks.positive(noise, "noise")
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, len(weights), generator=generator, dtype=torch.float64)
    y = x @ weights.double()[:, None] + noise * torch.randn(n, 1, generator=generator, dtype=torch.float64)
    signal = weights.double().square().sum().item()
    return Paired(x.float(), y.float(), {"mi": 0.5 * math.log1p(signal / noise**2), "mse": noise**2, "weights": weights})
