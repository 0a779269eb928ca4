r"""Bounds on the information that passes a deterministic code to which Gaussian noise is added.

T~ = T + N(0, width^2 I). With X uniform over the n given rows, T~ is a mixture of n equal Gaussians, and pairwise distances
bound its entropy from both sides. Source: [kolchinsky2017estimating], used on layers by [saxe2018information].
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from lib import checks
from lib.kernels import row_sums


def mi_upper(t: Tensor, *, width: float) -> Tensor:
    r"""Return the upper bound I(X;T~) <= -mean_i log mean_j exp(-|t_i - t_j|^2 / (2 width^2)).

    t: (..., n, d) -> (...), nats, between 0 (all rows equal) and log n (all far apart). The bound is that of the
    Kullback-Leibler divergence between components.
    """
    checks.positive(width, "width")
    return math.log(t.shape[-2]) - row_sums(checks.matrix(t, "t") / width).log().mean(-1)


def mi_lower(t: Tensor, *, width: float) -> Tensor:
    r"""Return the lower bound I(X;T~) >= -mean_i log mean_j exp(-|t_i - t_j|^2 / (8 width^2)).

    t: (..., n, d) -> (...), nats; the bound is that of the Bhattacharyya distance, that is the upper one at twice the width.
    """
    return mi_upper(t, width=2 * checks.positive(width, "width"))


def adaptive_width(t: Tensor, *, factor: float = 1e-3) -> float:
    """Return sqrt(factor * max|t|), so that noise grows with a layer's activations; factor alone is the usual variance.

    t: (n, d) -> width > 0; a layer of zeros has the width of factor itself. Source: [chelombiev2019adaptive].
    """
    largest = float(checks.matrix(t, "t").abs().max())
    return math.sqrt(checks.positive(factor, "factor") * (largest or 1.0))


def mi_label(t: Tensor, labels: Tensor, *, width: float, bound: Callable[..., Tensor] = mi_upper) -> Tensor:
    r"""Return I(T~;Y) = H(T~) - sum_y p(y) H(T~|y) with every entropy replaced by the same bound.

    t: (n, d), labels: (n,). A difference of bounds is itself no bound; it lies near the truth where both bounds are tight.
    """
    return bound(t, width=width) - within_labels(t, labels, bound=bound, width=width)


def within_labels(t: Tensor, labels: Tensor, *, bound: Callable[..., Tensor], width: float) -> Tensor:
    """Return sum_y p(y) bound(rows of label y), nats, 0-dim."""
    labels = checks.labels(labels, len(checks.matrix(t, "t")))
    return torch.stack([bound(t[labels == c], width=width) * (labels == c).sum() for c in labels.unique()]).sum() / len(t)
