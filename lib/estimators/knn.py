"""Mutual information from distances to nearest neighbours."""

import numpy as np
import torch
from scipy.special import digamma
from torch import Tensor

from lib.core import checks
from lib.pairwise import neighbours


def mi_ksg(x: Tensor, y: Tensor, *, k: int = 3) -> Tensor:
    r"""Estimate I(X;Y) = psi(k) + psi(n) - <psi(n_x + 1) + psi(n_y + 1)>, n_x the points strictly nearer in x than the k-th
    neighbour is in the joint max-norm space.

    x: (n, dx), y: (n, dy), paired, n > k -> 0-dim float64, nats; may be slightly negative. Each column is standardised,
    a constant one adds nothing. Assumes continuous data: a point whose k-th neighbour coincides with it has no scale; that is
    an error, not jittered away. Underestimates large values and high dimensions. Source: [kraskov2004estimating], eq. (8).
    """
    reach, counts = neighbours.pairs(*spaces(x, y, k), k)
    n = len(distinct(reach, k))
    inside = digamma(counts).sum(0)  # the point itself counts, which is the +1
    return torch.tensor(digamma(k) + digamma(n) - inside.mean(), dtype=torch.float64)


def mi_ksg2(x: Tensor, y: Tensor, *, k: int = 3) -> Tensor:
    r"""Estimate I(X;Y) = psi(k) - 1/k + psi(n) - <psi(n_x) + psi(n_y)>, n_x the other points not farther in x than the farthest
    of the k neighbours of the joint max-norm space is in x.

    x: (n, dx), y: (n, dy), paired, n > k -> 0-dim float64, nats; assumptions and errors as for `mi_ksg`. Less noise than that,
    more bias as k grows: a constant variable gives -1/k + 1/(n - 1). Source: [kraskov2004estimating], eq. (9).
    """
    reach, counts = neighbours.pairs(*spaces(x, y, k), k, apart=True)
    n = len(distinct(reach, k))
    others = digamma(counts - 1).sum(0)
    return torch.tensor(digamma(k) - 1 / k + digamma(n) - others.mean(), dtype=torch.float64)


def mi_ross(x: Tensor, labels: Tensor, *, k: int = 3) -> Tensor:
    r"""Estimate I(X;Y) = psi(n) + psi(k) - <psi(n_y)> - <psi(m)> for classes Y: m counts the points of any class, itself
    included, nearer than the k-th neighbour of the own class, n_y the points of that class.

    x: (n, d), labels: (n,), every class with more than k points -> 0-dim float64, nats; may be slightly negative.
    Source: [ross2014mutual].
    """
    checks.counted(k, "k")
    labels = checks.labels(labels, len(checks.matrix(x, "x")))
    sizes = torch.bincount(labels)
    if (few := [c for c in labels.unique().tolist() if sizes[c] <= k]) or len(labels.unique()) < 2:
        wanted = f"more than {k} points each" if few else "at least two classes"
        raise ValueError(f"labels {few or labels.unique().tolist()} are too few: {wanted} are needed; merge classes or lower k")
    z, radius = standard(x), np.empty(len(x))
    for c in labels.unique():
        own = (labels == c).cpu().numpy()
        radius[own] = np.nextafter(distinct(neighbours.nearest(z[own], k)[:, -1], k), 0)
    within = digamma(sizes[labels].cpu().numpy()) + digamma(neighbours.inside(z, radius))
    return torch.tensor(digamma(len(z)) + digamma(k) - within.mean(), dtype=torch.float64)


def mi_mixed(x: Tensor, y: Tensor, *, k: int = 3) -> Tensor:
    r"""Estimate I(X;Y) = log n + <psi(k_i) - psi(n_x + 1) - psi(n_y + 1)> where continuous and repeated values mix.

    k_i is k and the counts those of `mi_ksg`, except at points that coincide with their k-th neighbour: there k_i, n_x + 1 and
    n_y + 1 count the points at the very same place, which is the plug-in. x: (n, dx), y: (n, dy), paired, n > k -> 0-dim
    float64, nats. Source: [gao2017estimating], with digamma in place of the logarithm, as in its code.
    """
    a, b = spaces(x, y, k)
    reach, counts = neighbours.pairs(a, b, k)
    own = np.full(len(a), k)
    if (tied := reach == 0).any():
        _, place, times = np.unique(np.hstack([a, b])[tied], axis=0, return_inverse=True, return_counts=True)
        own[tied] = times[place]
    return torch.tensor(np.log(len(a)) + (digamma(own) - digamma(counts).sum(0)).mean(), dtype=torch.float64)


def spaces(x: Tensor, y: Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Check a pair of samples and return both standardised."""
    checks.counted(k, "k")
    checks.paired(x, y, least=k + 1)
    return standard(x), standard(y)


def distinct(reach: np.ndarray, k: int) -> np.ndarray:
    """Return distances to the k-th neighbour; refuse any that is 0."""
    if (ties := int((reach == 0).sum())) > 0:
        raise ValueError(
            f"{ties} points coincide with their {k}-th neighbour; drop repeated rows, or use mi_mixed or a binning estimator"
        )
    return reach


def standard(x: Tensor) -> np.ndarray:
    """Return columns with mean 0 and spread 1 in float64; a constant column stays 0."""
    z = x.detach().double().cpu()
    spread = z.std(0, correction=0)
    return ((z - z.mean(0)) / torch.where(spread > 0, spread, 1.0)).numpy()
