r"""Bounds on the information that passes a deterministic code to which Gaussian noise is added.

T~ = T + N(0, width^2 I). With X uniform over the n given rows, T~ is a mixture of n equal Gaussians, and pairwise distances
bound its entropy from both sides. Source: [kolchinsky2017estimating], used on layers by [saxe2018information].
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from lib.core import checks
from lib.pairwise.sums import add_sums, floor, kernel, lifted, lowest, row_sums, tiles


def upper(t: Tensor, *, width: float) -> Tensor:
    """Return `mi_upper` without its warning, for training and sweeps, where saturated layers are expected."""
    sums = row_sums(checks.matrix(t, "t") / checks.positive(width, "width"))
    return math.log(t.shape[-2]) - sums.log().mean(-1)


def lower(t: Tensor, *, width: float) -> Tensor:
    """Return `mi_lower` without its warning: the upper bound at twice the width."""
    return upper(t, width=2 * checks.positive(width, "width"))


def mi_upper(t: Tensor, *, width: float) -> Tensor:
    r"""Return the upper bound I(X;T~) <= -mean_i log mean_j exp(-|t_i - t_j|^2 / (2 width^2)).

    t: (..., n, d) -> (...), nats, between 0 (all rows equal) and log n (all far apart); warns near log n. The bound is that of
    the Kullback-Leibler divergence between components.
    """
    value = upper(t, width=width)
    return checks.ceiling(value, math.log(t.shape[-2]), "the upper bound on I(X;T~)")


def mi_lower(t: Tensor, *, width: float) -> Tensor:
    r"""Return the lower bound I(X;T~) >= -mean_i log mean_j exp(-|t_i - t_j|^2 / (8 width^2)).

    t: (..., n, d) -> (...), nats, at most log n, near which it warns; the bound is that of the Bhattacharyya distance.
    """
    value = lower(t, width=width)
    return checks.ceiling(value, math.log(t.shape[-2]), "the lower bound on I(X;T~)")


def mi_bounds(t: Tensor, *, width: float) -> Tensor:
    """Return (mi_lower, mi_upper) stacked, (..., n, d) -> (2, ...), nats, from one pass over the pairs; not differentiable.

    The lower bound's kernel is the upper one's at twice the width, so that its fourth power is the upper one's. May be the
    `bound` of mi_label and within_labels.
    """
    sums = torch.stack(two_width_sums(checks.matrix(t, "t") / checks.positive(width, "width")))
    return math.log(t.shape[-2]) - sums.log().mean(-1)


def two_width_sums(u: Tensor) -> tuple[Tensor, Tensor]:
    """Return row_sums(u / 2) and row_sums(u), (..., n, d) -> (..., n) each, from one pass: K at a width is K^4 at twice that.

    Not differentiable. Kernels below the root of the least normal number count as that root: nothing beside a self pair.
    """
    u = u.detach()
    a, b, other = lifted(0.5 * u, None)
    wide, narrow = (a.new_ones(len(a), a.shape[-1], dtype=torch.float64) for _ in "wn")
    root = 0.5 * lowest(a.dtype)
    least = None if floor(a, other, power=4) is None else root
    for tile in tiles(a, b, half=True):
        k = kernel(a, b, tile, same=True, least=least)
        add_sums(wide, k, tile, half=True)
        k.square_()
        if least is not None:
            k.clamp_(min=2**root)
        add_sums(narrow, k.square_(), tile, half=True)
    return wide.to(u.dtype).reshape(u.shape[:-1]), narrow.to(u.dtype).reshape(u.shape[:-1])


def adaptive_width(t: Tensor, *, factor: float = 1e-3) -> float:
    """Return sqrt(factor * max|t|), so that noise grows with a layer's activations; factor alone is the usual variance.

    t: (n, d) -> width > 0; a layer of zeros has the width of factor itself. Source: [chelombiev2019adaptive].
    """
    largest = float(checks.matrix(t, "t").abs().max())
    return math.sqrt(checks.positive(factor, "factor") * (largest or 1.0))


def mi_label(t: Tensor, labels: Tensor, *, width: float, bound: Callable[..., Tensor] = upper) -> Tensor:
    r"""Return I(T~;Y) = H(T~) - sum_y p(y) H(T~|y) with every entropy replaced by the same bound.

    t: (n, d), labels: (n,). 0 for a single class. A difference of bounds is itself no bound; it lies near the
    truth where both bounds are tight.
    """
    return bound(t, width=width) - within_labels(t, labels, bound=bound, width=width)


def within_labels(t: Tensor, labels: Tensor, *, bound: Callable[..., Tensor], width: float) -> Tensor:
    """Return sum_y p(y) bound(rows of label y), nats, of the bound's shape."""
    checks.together(t, labels, ("t", "labels"))
    labels = checks.labels(labels, len(checks.single(t, "t")))
    return torch.stack([bound(t[labels == c], width=width) * (labels == c).sum() for c in labels.unique()]).sum(0) / len(t)
