"""What the information theory of Koopman learners claims, on chains where both sides can be computed: one residual a claim."""

import torch
from torch import Tensor

from lib.estimators.renyi import spectral
from lib.koopman.allocation import anti_collapse, carried, water_filling
from lib.koopman.bound import error_bound, total_variation
from lib.koopman.chain import (
    Chain,
    canonical_correlations,
    chain_information,
    coded,
    information,
    information_limit,
    information_split,
    stationary,
)
from lib.koopman.entropy import entropy_mixed, entropy_order2
from lib.koopman.information import gaussian_information
from lib.koopman.operators import averaged_ridge, orthogonal, pooled_ridge
from lib.koopman.vamp import vamp2

SIZE, CODE, SPREAD, LAG = 4, 2, 0.3, 3


def drawn(*shape: int, seed: int) -> Tensor:
    """Return standard normals in double."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def chain(seed: int) -> tuple[Chain, Tensor]:
    """Return a random chain of four states with spectral radius 0.95, and an encoder of two codes."""
    k, root = drawn(SIZE, SIZE, seed=seed), drawn(SIZE, SIZE, seed=seed + 1000)
    noise = root @ root.T + torch.eye(SIZE, dtype=torch.float64)
    return stationary(0.95 * k / torch.linalg.eigvals(k).abs().max(), noise), drawn(SIZE, CODE, seed=seed + 2000)


def residuals(seed: int) -> dict[str, float]:
    """Return by how much each statement is missed, nats or as named; an inequality is missed by what violates it."""
    law, encoder = chain(seed)
    state, half, code = information_limit(law, encoder, spread=SPREAD)
    joint, x, z = coded(law, encoder, spread=SPREAD, steps=LAG)
    shares, r = information_split(law, encoder, spread=SPREAD, lag=LAG), canonical_correlations(law, lag=LAG)
    gains = drawn(6, seed=seed + 3000).mul(2).exp()
    return {
        "limit": max(0.0, half - state, code - half),
        "bound": violated(law, encoder, seed),
        "split": sum(shares) - information(joint, z[-1], x[-1]),
        "closed_form": chain_information(law, lag=LAG) + torch.log1p(-(r**2)).sum().item() / 2,
        "water_filling": slack(gains, water_filling(gains, budget=1.0)),
        "anti_collapse": slope_spread(gains, anti_collapse(gains, budget=1.0, entropy=0.1), 0.1),
        "matrix_entropy": matrix_entropy(drawn(40, 5, seed=seed + 4000)),
        "correlations": correlations(seed),
    }


def violated(law: Chain, encoder: Tensor, seed: int) -> float:
    """Return by how much total variation or KL exceed the bound of an encoder with a wrong operator, three steps on."""
    wrong = 0.5 * torch.eye(CODE, dtype=torch.float64)
    found = error_bound(law, encoder, spread=SPREAD, steps=LAG, operator=wrong)
    variation = total_variation(found.truth, found.model, draws=20_000, seed=seed)
    return max(0.0, variation - found.bound, found.divergence - found.deficit)


def slack(gains: Tensor, powers: Tensor) -> float:
    """Return how far powers (d,) of sum 1 are from the optimum: equal slopes where filled, no greater one elsewhere."""
    slopes, filled = gains / (2 * (1 + gains * powers)), powers > 0
    level = slopes[filled].mean()
    worst = torch.cat([(slopes[filled] - level).abs(), (slopes[~filled] - level).clamp_min(0)]).max() / level
    return worst.item() + abs(powers.sum().item() - 1)


def slope_spread(gains: Tensor, powers: Tensor, entropy: float) -> float:
    """Return how unequal the slopes of information plus entropy are, over the level, for powers of sum 1, all positive."""
    slopes = gains / (2 * (1 + gains * powers)) - entropy * (powers.log() + 1)
    return ((slopes.max() - slopes.min()) / slopes.mean().abs()).item() + abs(powers.sum().item() - 1)


def matrix_entropy(z: Tensor) -> float:
    """Return the entropy of a code less the matrix entropy of its centred linear Gram matrix, the worse of order 2 and 1.

    Order 1 is approached from both sides, so that the first-order difference cancels.
    """
    gram = (z - z.mean(0)) @ (z - z.mean(0)).T
    first = sum(spectral(gram, 1 + h).item() for h in (-1e-4, 1e-4)) / 2
    return max(abs(entropy_mixed(z, mix=0.0).item() - first), abs(entropy_order2(z).item() - spectral(gram, 2).item()))


def correlations(seed: int) -> float:
    """Return how far VAMP-2 and the information of the same sample are from sum r^2 and -sum log(1 - r^2) / 2, the worse."""
    law, _ = chain(seed)
    z = [drawn(500, SIZE, seed=seed + 5000)]
    for t in (1, 2):
        z.append(z[-1] @ law.step + drawn(500, SIZE, seed=seed + 5000 + t))
    windows = torch.stack(z, 1)[None]
    past, future = windows[0, :, :-1].flatten(0, 1), windows[0, :, 1:].flatten(0, 1)
    whitened = [torch.linalg.qr(pairs - pairs.mean(0)).Q for pairs in (past, future)]
    r2 = torch.linalg.svdvals(whitened[0].T @ whitened[1]).square()
    score, nats = vamp2(past, future, load=0.0).item(), gaussian_information(windows, load=0.0).item()
    return max(abs(score - r2.sum().item()), abs(nats + torch.log1p(-r2).sum().item() / 2))


def shares(gains: Tensor, budget: float, entropies: list[float]) -> list[dict]:
    """Return how each allocation spreads a budget: a row a mode, with power, and information and exp S of the whole."""
    made = {"information alone": water_filling(gains, budget=budget)}
    made |= {f"gamma {g:g}": anti_collapse(gains, budget=budget, entropy=g) for g in entropies}
    rows = []
    for name, powers in made.items():
        p = powers / budget
        whole = {"nats": carried(gains, powers).item(), "dimension": torch.special.entr(p).sum().exp().item()}
        rows += [{"allocation": name, "mode": i + 1, "power": v, **whole} for i, v in enumerate(powers.tolist())]
    return rows


def bias(seed: int, *, size: int = 64, frames: int = 16, windows: int = 16) -> dict[str, float]:
    """Return relative error and spectral radius of the averaged and the pooled operator on a rotation without noise."""
    k = orthogonal(size, [torch.Generator().manual_seed(seed)]).double()
    z = [drawn(1, windows, size, seed=seed + 7000)]
    for _ in range(frames):
        z.append(z[-1] @ k)
    z, found = torch.stack(z, 2), {}
    for name, estimate in {"averaged": averaged_ridge, "pooled": pooled_ridge}.items():
        made = estimate(z[:, :, :-1], z[:, :, 1:])
        found[f"{name}_error"] = ((made - k).norm() / k.norm()).item()
        found[f"{name}_radius"] = torch.linalg.eigvals(made).abs().max().item()
    return found
