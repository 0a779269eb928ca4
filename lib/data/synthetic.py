"""Tasks made by formula, each with what is exactly known about it.

Continuous draws are float64: in float32 some of a few thousand draws are equal, and neighbour estimators refuse ties.
"""

import math

import numpy as np
import torch
from scipy.special import digamma
from torch import Tensor

from lib.core import checks
from lib.core.precision import usual
from lib.core.types import Paired

# The 12 inputs sit on the vertices of an icosahedron: which vertices each one touches, and which one lies opposite.
NEIGHBOURS = (
    (1, 3, 5, 10, 11), (0, 2, 3, 4, 11), (1, 3, 4, 8, 9), (0, 1, 2, 8, 10), (1, 2, 6, 9, 11), (0, 6, 7, 10, 11),
    (4, 5, 7, 9, 11), (5, 6, 8, 9, 10), (2, 3, 7, 9, 10), (2, 4, 6, 7, 8), (0, 3, 5, 7, 8), (0, 1, 4, 5, 6),
)  # fmt: skip
ANTIPODES = ((0, 9), (1, 7), (2, 5), (3, 6), (4, 10), (8, 11))


def twelve_bit() -> Paired:
    r"""Return all 4096 words of 12 bits, and y = 1 where 7e - 4a + 31w - 3w^2 >= 119: the task of the information-plane papers.

    w counts ones, e adjacent pairs of ones, a antipodal pairs of ones on the icosahedron; the rule gives every published label.
    x: (4096, 12) of 0 and 1 in counting order, first column most significant; y: (4096,) int64.
    truth: "mi" = H(Y) in nats, as the label is a function of the input; "ones" = 2118. Source: [shwartz2017opening].
    """
    words = torch.arange(4096)
    x = (words[:, None] >> torch.arange(11, -1, -1)) & 1
    edges = [(i, j) for i, touched in enumerate(NEIGHBOURS) for j in touched if i < j]
    w = x.sum(1)
    e, a = (sum(x[:, i] * x[:, j] for i, j in pairs) for pairs in (edges, ANTIPODES))
    y = (7 * e - 4 * a + 31 * w - 3 * w * w >= 119).long()
    p = y.double().mean().item()
    return Paired(usual(x), y, {"mi": -p * math.log(p) - (1 - p) * math.log(1 - p), "ones": int(y.sum())})


def gaussian_pair(n: int, rho: float, *, d: int = 1, seed: int) -> Paired:
    r"""Return n pairs of d standard normals, correlated rho column by column; truth "mi" = -(d/2) log(1 - rho^2) nats.

    x, y: (n, d) float64. Errors: |rho| >= 1, for which the information is not finite.
    """
    checks.counted(n, "n"), checks.counted(d, "d")
    if not -1 < rho < 1:
        raise ValueError(f"rho must lie in (-1, 1), got {rho}; at |rho| = 1 the information is infinite")
    generator = torch.Generator().manual_seed(seed)
    x, other = (torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in range(2))
    y = rho * x + math.sqrt(1 - rho**2) * other
    return Paired(x, y, {"mi": -0.5 * d * math.log(1 - rho**2)})


def linear_gaussian(n: int, weights: Tensor, *, noise: float, seed: int) -> Paired:
    r"""Return y = x w + noise, x standard normal; truth "mi" = log(1 + |w|^2 / noise^2) / 2 nats, "mse" = noise^2, "weights".

    x: (n, d), y: (n, 1).
    """
    checks.counted(n, "n"), checks.positive(noise, "noise")
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, len(weights), generator=generator, dtype=torch.float64)
    y = x @ weights.double()[:, None] + noise * torch.randn(n, 1, generator=generator, dtype=torch.float64)
    signal = weights.double().square().sum().item()
    return Paired(usual(x), usual(y), {"mi": 0.5 * math.log1p(signal / noise**2), "mse": noise**2, "weights": weights})


def normal_pair(n: int, covariance: Tensor, dx: int, *, seed: int) -> Paired:
    r"""Return n joint normal draws, x the first dx columns; truth "mi" = (log|S_x| + log|S_y| - log|S|) / 2 nats.

    covariance: (d, d) positive definite, d > dx. x: (n, dx), y: (n, d - dx) float64. Source: [czyz2023beyond] for the family.
    """
    s = covariance.double()
    if s.ndim != 2 or s.shape[0] != s.shape[1] or not 0 < dx < len(s):
        raise ValueError(f"covariance must be (d, d) with d > dx = {dx} > 0, got {tuple(s.shape)}")
    factor, failed = torch.linalg.cholesky_ex(s)
    if failed or not torch.equal(s, s.T):
        raise ValueError("covariance is not symmetric and positive definite; no normal variable has it")
    z = torch.randn(checks.counted(n, "n"), len(s), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    mi = 0.5 * (torch.logdet(s[:dx, :dx]) + torch.logdet(s[dx:, dx:]) - torch.logdet(s)).item()
    return split(z @ factor.T, dx, {"mi": mi})


def student_pair(n: int, dx: int, dy: int, *, freedom: int, seed: int) -> Paired:
    r"""Return a joint Student-t of identity dispersion: uncorrelated, and dependent through its common scale.

    truth "mi" = O(v) + O(v + dx + dy) - O(v + dx) - O(v + dy) nats, O(t) = log G(t/2) - (t/2) psi(t/2), v = `freedom`.
    x: (n, dx), y: (n, dy) float64, heavy tails. Source: [czyz2023beyond].
    """
    for value, name in ((n, "n"), (dx, "dx"), (dy, "dy"), (freedom, "freedom")):
        checks.counted(value, name)
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(n, dx + dy, generator=generator, dtype=torch.float64)
    chi2 = torch.randn(n, freedom, generator=generator, dtype=torch.float64).square().sum(1, keepdim=True)
    terms = [(freedom, 1), (freedom + dx + dy, 1), (freedom + dx, -1), (freedom + dy, -1)]
    mi = sum(sign * (math.lgamma(t / 2) - t / 2 * digamma(t / 2)) for t, sign in terms)
    return split(z / (chi2 / freedom).sqrt(), dx, {"mi": float(mi)})


def additive_uniform(n: int, width: float, *, seed: int) -> Paired:
    r"""Return x uniform on [0, 1] and y = x + u, u uniform on [-width, width].

    truth "mi" = width - log(2 width) nats for width <= 1/2, else 1 / (4 width). x, y: (n, 1) float64. The smoothed uniform
    y = x + a u, u on [0, 1], is this task at width a / 2. Source: [czyz2023beyond].
    """
    checks.positive(width, "width")
    draws = torch.rand(checks.counted(n, "n"), 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x = draws[:, :1]
    mi = width - math.log(2 * width) if width <= 0.5 else 1 / (4 * width)
    return split(torch.cat([x, x + width * (2 * draws[:, 1:] - 1)], 1), 1, {"mi": mi})


def log_gamma_exponential(n: int, inverse_shape: float, *, d: int = 1, seed: int) -> Paired:
    r"""Return d pairs x = log g, g of a gamma law of shape 1 / k, and y = log e - x, e exponential: skewed, long tails.

    truth "mi" = d (psi(1 / k) + k + log k) nats, k = `inverse_shape`. x, y: (n, d) float64.
    Source: [kraskov2004estimating] for the pair (g, e / g).
    """
    checks.counted(n, "n"), checks.counted(d, "d")
    shape = 1 / checks.positive(inverse_shape, "inverse_shape")
    rng = np.random.default_rng(seed)
    # A gamma variable of small shape underflows; its logarithm is that of shape + 1, plus log u / shape.
    x = np.log(rng.gamma(shape + 1, size=(n, d))) + np.log(rng.random((n, d))) / shape
    y = np.log(rng.exponential(size=(n, d))) - x
    mi = d * (digamma(shape + 1) - math.log(shape))  # psi(1 + a) = psi(a) + 1 / a
    return Paired(torch.from_numpy(x), torch.from_numpy(y), {"mi": float(mi)})


def discrete_mixture(n: int, m: int, *, seed: int) -> Paired:
    r"""Return x uniform on 0..m-1 and y uniform on [x, x + 2]; truth "mi" = log m - (m - 1)/m log 2 nats.

    x, y: (n, 1) float64, x with many ties. Source: [gao2017estimating].
    """
    checks.counted(m, "m")
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(0, m, (checks.counted(n, "n"), 1), generator=generator).double()
    y = x + 2 * torch.rand(n, 1, generator=generator, dtype=torch.float64)
    return split(torch.cat([x, y], 1), 1, {"mi": math.log(m) - (m - 1) / m * math.log(2)})


def noisy_channel(n: int, classes: int, error: float, *, seed: int) -> Paired:
    r"""Return labels and their copies, of which a share `error` is replaced by one of the other classes.

    truth "mi" = log c + (1 - e) log(1 - e) + e log(e / (c - 1)) nats. x: (n, 1) copies, y: (n,) int64 labels.
    """
    checks.counted(n, "n"), checks.counted(classes, "classes", least=2)
    if not 0 < error < 1:
        raise ValueError(f"error must lie in (0, 1), got {error}; it is the share of labels that are replaced")
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(0, classes, (n,), generator=generator)
    moved = (y + torch.randint(1, classes, (n,), generator=generator)) % classes
    x = torch.where(torch.rand(n, generator=generator) < error, moved, y)
    mi = math.log(classes) + (1 - error) * math.log(1 - error) + error * math.log(error / (classes - 1))
    return Paired(usual(x)[:, None], y, {"mi": mi})


def split(z: Tensor, dx: int, truth: dict) -> Paired:
    """Return the first dx columns and the others as a pair."""
    return Paired(z[:, :dx], z[:, dx:], truth)


def half_cube(x: Tensor) -> Tensor:
    """Return x |x|^(1/2), which lengthens tails; keeps mutual information. x: (n, d)."""
    return x * x.abs().sqrt()


def wiggly(x: Tensor) -> Tensor:
    """Return x + 0.4 sin x + 0.2 sin(1.7 x + 1) + 0.03 sin(3.3 x - 2.5); keeps mutual information, as its slope is over 0.16.

    x: (n, d). Source: [czyz2023beyond] for the idea.
    """
    return x + 0.4 * x.sin() + 0.2 * (1.7 * x + 1).sin() + 0.03 * (3.3 * x - 2.5).sin()


def bimodal(x: Tensor) -> Tensor:
    """Return t with 0.3 Phi(t) + 0.7 Phi(t - 5) = Phi(x): normal columns become mixtures of two; keeps mutual information.

    x: (n, d). t lies between x and x + 5 and is found by halving. Source: [czyz2023beyond].
    """
    z = x.double()
    sign = torch.where(z > 0, -1.0, 1.0)  # upper tails are compared from above, where they are exact
    low, high = z.clone(), z + 5
    for _ in range(60):
        t = (low + high) / 2
        above = sign * (0.3 * tail(sign * t) + 0.7 * tail(sign * (t - 5)) - tail(sign * z)) > 0
        low, high = torch.where(above, low, t), torch.where(above, t, high)
    return ((low + high) / 2).to(x.dtype)


def tail(z: Tensor) -> Tensor:
    """Return the normal CDF, exact relative to itself for z << 0, where torch's own is not."""
    return 0.5 * torch.erfc(-z * math.sqrt(0.5))


def spiral(x: Tensor) -> Tensor:
    """Turn the first two columns by an angle of |x|^2 / d; keeps mutual information and the norm. x: (n, d), d >= 2."""
    angle = x.square().sum(1) / x.shape[1]
    cosine, sine = angle.cos(), angle.sin()
    turned = torch.stack([cosine * x[:, 0] - sine * x[:, 1], sine * x[:, 0] + cosine * x[:, 1]], 1)
    return torch.cat([turned, x[:, 2:]], 1)


def swiss_roll(x: Tensor) -> Tensor:
    """Roll a line up, t = 3 pi (1 + 2 u) / 2, (t cos t, t sin t) / 21, u = the normal CDF of x; (n, 1) -> (n, 2)."""
    t = 1.5 * math.pi * (1 + 2 * torch.special.ndtr(x[:, 0]))
    return torch.stack([t * t.cos(), t * t.sin()], 1) / 21


# One-to-one maps of one side of a pair, which change no mutual information.
KEEPS_MI = {
    "asinh": torch.asinh,
    "bimodal": bimodal,
    "half_cube": half_cube,
    "normal_cdf": torch.special.ndtr,
    "spiral": spiral,
    "wiggly": wiggly,
}
