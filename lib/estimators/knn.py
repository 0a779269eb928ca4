"""Mutual information from distances to nearest neighbours."""

import numpy as np
import torch
from scipy.spatial import cKDTree
from scipy.special import digamma
from sklearn.neighbors import KDTree
from torch import Tensor

from lib import checks


def mi_ksg(x: Tensor, y: Tensor, *, k: int = 3) -> Tensor:
    r"""Estimate I(X;Y) = psi(k) + psi(n) - <psi(n_x + 1) + psi(n_y + 1)>, n_x the points strictly nearer in x than the k-th
    neighbour is in the joint max-norm space.

    x: (n, dx), y: (n, dy), paired, n > k -> 0-dim float64, nats; may be slightly negative. Each column is standardised.
    Assumes continuous data: a point whose k-th neighbour coincides with it has no scale; that is an error, not jittered away.
    Underestimates large values and high dimensions. Source: [kraskov2004estimating], eq. (8).
    """
    checks.counted(k, "k")
    checks.paired(x, y, least=k + 1)
    a, b = standard(x), standard(y)
    joint = np.hstack([a, b])
    reach = cKDTree(joint).query(joint, [k + 1], p=np.inf)[0][:, 0]
    if (ties := int((reach == 0).sum())) > 0:
        raise ValueError(f"{ties} points coincide with their {k}-th neighbour; drop repeated rows or use a binning estimator")
    radius = np.nextafter(reach, 0)
    inside = digamma(nearer(a, radius)) + digamma(nearer(b, radius))  # the point itself counts, which is the +1
    return torch.tensor(digamma(k) + digamma(len(a)) - inside.mean(), dtype=torch.float64)


def standard(x: Tensor) -> np.ndarray:
    """Return columns with mean 0 and spread 1 in float64; a constant column stays 0."""
    z = x.detach().double().cpu()
    spread = z.std(0, correction=0)
    return ((z - z.mean(0)) / torch.where(spread > 0, spread, 1.0)).numpy()


def nearer(x: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Count, for each point, the points within its radius, itself included, in the max-norm."""
    return KDTree(x, metric="chebyshev").query_radius(x, radius, count_only=True)
