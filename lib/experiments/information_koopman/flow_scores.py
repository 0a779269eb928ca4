"""Fields in motion, split by trajectory, and how forecasts of them are judged.

Fields are standardised channel by channel by the training trajectories of their seed, and all errors are in these units.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from lib.core.precision import usual
from lib.core.types import Trajectories
from lib.koopman import metrics
from lib.koopman.linear import Rollout
from lib.koopman.members import HORIZONS, errors, outcome

DELAYS = 5  # frames that delay-DMD sees; every forecast starts where it can
GAP = 8  # frames between the starts of two forecasts of one trajectory


class Sets(NamedTuple):
    """Standardised flat fields of every seed."""

    train: Tensor  # (S, B, T, n)
    past: Tensor  # (S, b, DELAYS, n): what a forecast may look at, its start last
    truth: Tensor  # (S, b, H + 1, n), the start first
    angle: Tensor  # (S,) of one step of the training trajectories' rhythm, NaN where nothing is known


def sets(data: Trajectories, seeds: list[int], *, held: float) -> Sets:
    """Split fields x (B, T, c, h, w) by trajectory, and standardise by those that train.

    Seed s holds out the s-th group of a share `held` of the trajectories, in turn, at least one, and never all.
    Errors: fields of another shape, fewer than two trajectories, trajectories too short for the shortest forecast.
    """
    if data.x.ndim != 5 or len(data.x) < 2 or data.x.shape[1] < DELAYS + HORIZONS[0]:
        raise ValueError(
            f"fields must be (B, T, c, h, w) with B >= 2 and T >= {DELAYS + HORIZONS[0]}, got {tuple(data.x.shape)}; "
            "simulate more of them, or longer"
        )
    count = len(data.x)
    size = min(max(1, round(held * count)), count - 1)
    parts = []
    for seed in seeds:
        out = [(seed * size + k) % count for k in range(size)]
        kept = [i for i in range(count) if i not in out]
        x = data.x[kept]
        mean, spread = x.mean((0, 1, 3, 4), keepdim=True), x.std((0, 1, 3, 4), keepdim=True)
        train, test = (((data.x[rows] - mean) / spread).flatten(2) for rows in (kept, out))
        angle = data.truth["angle"][kept].mean() if "angle" in data.truth else torch.tensor(math.nan)
        parts.append(Sets(train, *started(test), angle))
    return Sets(*(torch.stack(part) for part in zip(*parts, strict=True)))


def started(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return pasts and truths of the forecasts of test trajectories (B, T, n), as far ahead as the longest horizon or T let."""
    ahead = min(HORIZONS[-1], x.shape[1] - DELAYS)
    starts = range(DELAYS - 1, x.shape[1] - ahead, GAP)
    pasts = [x[:, t - DELAYS + 1 : t + 1] for t in starts]
    return torch.cat(pasts), torch.cat([x[:, t : t + ahead + 1] for t in starts])


def ranges(train: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Return the least and greatest value of each channel of fields (S, B, T, n) at each of its places, (S, 2, n).

    A place behind which nothing moves has no range of its own that a forecast could be held to.
    """
    x = train.unflatten(3, shape)
    both = torch.stack([x.amin((1, 2, 4, 5)), x.amax((1, 2, 4, 5))], 1)
    return usual(both[..., None].expand(-1, -1, -1, shape[1] * shape[2]).flatten(2))


def judged(made: Rollout, truth: Tensor, shape: tuple[int, int, int]) -> dict:
    """Return NRMSE and SSIM at every horizon that the truth reaches, and the error of the radial spectrum over all steps.

    NRMSE by the standard deviation of the truth; SSIM of each channel's frames in the range of the true one, means over
    channels and forecasts. Source: [cheng2026information] for the three; its spectrum's definition is not given, ours is
    `metrics.spectrum_error`.
    """
    assert (made.x[:, 0] - truth[:, 0]).abs().max() < 1e-4, "a forecast begins where the truth does, in its units"
    facts = errors(made.x, truth, [h for h in HORIZONS if h < truth.shape[1]])
    x, y = (z.unflatten(2, shape) for z in (made.x, truth))
    for h in HORIZONS:
        if h < truth.shape[1]:
            facts[f"ssim_{h}"] = metrics.ssim(x[:, h], y[:, h]).mean().item()
    facts["spectrum_error"] = metrics.spectrum_error(x[:, 1:], y[:, 1:]).item()
    return facts | {"mode": made.mode, "outcome": outcome(made.left_at)}


def rhythm(operator: Tensor, z: Tensor, *, reads: Tensor | None = None) -> float:
    r"""Return the angle, in (0, pi), of the eigenpair of z' = z K that is strongest 20 steps on; NaN where none turns.

    Strength is the mean of |phi_j| over z (n, r), less its mean, times |lambda_j|^20, at most 1, and the length of row j of
    V^-1 F: what the pair still moves snapshots z F by, `reads` = F (r, m), or the code itself where that is None.
    """
    values, vectors = torch.linalg.eig(operator)
    modes = torch.linalg.pinv(vectors)
    modes = modes if reads is None else modes @ reads.to(vectors.dtype)
    phi = (z - z.mean(0)).to(vectors.dtype) @ vectors
    strength = phi.abs().mean(0) * modes.norm(dim=1) * values.abs().clamp_max(1) ** 20
    turning = (values.angle() > 1e-6) & (values.angle() < math.pi - 1e-6)
    return values[torch.where(turning, strength, -1).argmax()].angle().item() if turning.any() else math.nan
