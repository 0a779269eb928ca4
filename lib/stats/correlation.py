"""Correlation coefficients and how far a sample determines them."""

import torch
from torch import Tensor

from lib.core import checks


def correlations(x: Tensor, y: Tensor, weights: Tensor | None = None) -> dict[str, Tensor]:
    r"""Return Spearman's, Pearson's and Kendall's (tau-b) coefficient of x and y (n,), each point counted weights times.

    weights: (B, n) whole numbers, one row a resample -> (B,) each; without weights 0-dim values. A repeated point is tied with
    itself, as in a resample that holds it twice. NaN where one variable is constant.
    Errors: shapes that differ, values that are not finite.
    """
    checks.paired(x[:, None], y[:, None])
    x, y = (z.double() - z[0].double() for z in (x, y))  # what is constant is now exactly 0
    w = torch.ones(1, len(x), dtype=torch.float64) if weights is None else weights.double()
    below = [torch.sign(z[:, None] - z) for z in (x, y)]  # (n, n)
    rank = [w @ s.mT for s in below]  # twice the midrank, up to a constant of the resample
    found = {"spearman": product_moment(*rank, w), "pearson": product_moment(x, y, w), "kendall": tau(*below, w)}
    return {name: value[0] for name, value in found.items()} if weights is None else found


def product_moment(x: Tensor, y: Tensor, w: Tensor) -> Tensor:
    """Return the weighted product-moment coefficient of x and y, (n,) or (B, n), under weights (B, n)."""
    total = w.sum(1, keepdim=True)
    x, y = (z - (w * z).sum(1, keepdim=True) / total for z in (x, y))
    return (w * x * y).sum(1) / ((w * x * x).sum(1) * (w * y * y).sum(1)).sqrt()


def tau(x: Tensor, y: Tensor, w: Tensor) -> Tensor:
    """Return tau-b from the signs of all differences, (n, n): concordant less discordant over the pairs tied in neither."""
    score, untied_x, untied_y = (((w @ s) * w).sum(1) for s in (x * y, x.abs(), y.abs()))
    return score / (untied_x * untied_y).sqrt()


def bootstrap(n: int, *, draws: int, seed: int) -> Tensor:
    """Return how often each of n points is drawn in each of the resamples with replacement, (draws, n)."""
    checks.counted(n, "n"), checks.counted(draws, "draws")
    chosen = torch.randint(n, (draws, n), generator=torch.Generator().manual_seed(seed))
    return torch.zeros(draws, n, dtype=torch.float64).scatter_add_(1, chosen, torch.ones(draws, n, dtype=torch.float64))


def interval(x: Tensor, y: Tensor, *, draws: int = 1000, seed: int = 0, level: float = 0.95) -> dict[str, dict[str, float]]:
    """Return value, low and high of every coefficient: the sample's own, and its percentile interval over resampled points."""
    own, drawn = correlations(x, y), correlations(x, y, bootstrap(len(x), draws=draws, seed=seed))
    ends = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    found = {name: (own[name], *torch.nanquantile(drawn[name], ends)) for name in own}
    return {name: {"value": v.item(), "low": low.item(), "high": high.item()} for name, (v, low, high) in found.items()}
