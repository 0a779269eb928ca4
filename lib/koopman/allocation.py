r"""How a budget of variance is spread over the modes of a linear code: by information alone, and by information with entropy.

A mode of gain g (a squared singular value of M_n^-1/2 K^n) and variance p carries log(1 + g p) / 2 nats.
"""

import torch
from torch import Tensor

from lib.core import checks

HALVINGS = 80


def carried(gains: Tensor, powers: Tensor) -> Tensor:
    """Return sum_i log(1 + g_i p_i) / 2, nats; (d,) each -> 0-dim."""
    return (gains.double() * powers).log1p().sum() / 2


def gained(gains: Tensor) -> Tensor:
    """Refuse gains that are not a vector of positive finite numbers."""
    if gains.ndim != 1 or not len(gains) or not (gains.isfinite() & (gains > 0)).all():
        raise ValueError(f"gains must be a vector (d,) of positive numbers, got {gains.tolist()}; leave dead modes out")
    return gains.double()


def water_filling(gains: Tensor, *, budget: float) -> Tensor:
    r"""Return p_i = max(0, 1 / 2m - 1 / g_i), sum_i p_i = budget: the most information, and modes that get nothing.

    gains: (d,) -> (d,) float64. Source: [cheng2026information], Prop. 4; [cover2006elements], ch. 9.
    """
    floors = 1 / gained(gains)
    low = floors.sort().values
    # The water stands over the j lowest floors where it covers the last of them: level_j = (budget + their sum) / j.
    levels = (checks.positive(budget, "budget") + low.cumsum(0)) / torch.arange(1, len(low) + 1)
    return (levels[levels > low][-1] - floors).clamp_min(0)


def anti_collapse(gains: Tensor, *, budget: float, entropy: float) -> Tensor:
    r"""Return the p of the most sum_i log(1 + g_i p_i) / 2 + gamma S(p / c), sum_i p_i = c: every mode keeps some.

    Stationary where g_i / 2(1 + g_i p_i) - (gamma / c)(log(p_i / c) + 1) = m, whose left side falls in p_i: both p_i of a given
    m and the m of the budget are found by halving. gains: (d,), entropy: gamma > 0, budget: c -> (d,) float64.
    Source: [cheng2026information], Prop. 5.
    """
    g, c, gamma = gained(gains), checks.positive(budget, "budget"), checks.positive(entropy, "entropy")

    def slope(u: Tensor) -> Tensor:  # at p = c e^u
        return g / (2 * (1 + g * c * u.exp())) - gamma / c * (u + 1)

    def spread(m: Tensor) -> Tensor:
        low, high = (-1 - c / gamma * m).clamp_max(0) - 1, torch.zeros_like(g)
        low = low.expand_as(g)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = torch.where(slope(middle) > m, middle, low), torch.where(slope(middle) > m, high, middle)
        return c * ((low + high) / 2).exp()

    # With m least, every mode would like all of the budget or one does; with m greatest, none its equal share.
    least, most = slope(torch.zeros_like(g)).min(), slope(torch.full_like(g, 1 / len(g)).log()).max()
    for _ in range(HALVINGS):
        m = (least + most) / 2
        least, most = (m, most) if spread(m).sum() > c else (least, m)
    return spread((least + most) / 2)
