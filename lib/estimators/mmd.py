r"""Distance of two samples as the squared distance of their mean embeddings, from the three averages of the CS divergence.

With A = mean K_xx, B = mean K_yy, C = mean K_xy: MMD^2 = A + B - 2 C, where D_CS = log A + log B - 2 log C.
"""

import torch
from torch import Tensor

from lib.core import checks
from lib.pairwise.sums import row_sums


def mmd(x: Tensor, y: Tensor, *, width: float) -> Tensor:
    r"""Return the biased MMD^2 = A + B - 2 C, self pairs included.

    x: (..., n, d), y: (..., m, d), not paired -> (...) float64, no unit, in [0, 2], 0 for equal samples. Biased up by about
    (1 - A)/n + (1 - B)/m. For normals N(a, S), N(b, T) the averages tend to |I + V/w^2|^-1/2 exp(-g'(V + w^2 I)^-1 g / 2), w
    the width, with V = 2S, 2T, S + T and g = 0, 0, a - b. Source: [gretton2012kernel], Lemma 6.
    """
    checks.comparable(x, y)
    own_x, own_y, cross = sums(x, y, width)
    n, m = x.shape[-2], y.shape[-2]
    return (own_x / n**2 + own_y / m**2 - 2 * cross / (n * m)).clamp_min(0)


def mmd_unbiased(x: Tensor, y: Tensor, *, width: float) -> Tensor:
    r"""Return the unbiased MMD^2 = A + B - 2 C, self pairs dropped from A and B.

    x: (..., n, d), y: (..., m, d), n and m >= 2, not paired -> (...) float64, no unit; its mean is the population value, so
    it may be negative. Source: [gretton2012kernel], Lemma 6.
    """
    checks.comparable(x, y, least=2)
    own_x, own_y, cross = sums(x, y, width)
    n, m = x.shape[-2], y.shape[-2]
    return (own_x - n) / (n * (n - 1)) + (own_y - m) / (m * (m - 1)) - 2 * cross / (n * m)


def sums(x: Tensor, y: Tensor, width: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return sum K_xx, sum K_yy and sum K_xy, as nearly equal averages cancel in float64."""
    u, v = (z / checks.positive(width, "width") for z in (x, y))
    return tuple(row_sums(*pair).sum(-1, dtype=torch.float64) for pair in ((u,), (v,), (u, v)))
