"""What a trained Koopman network forecasts: the operator of a whole training set, its spectrum, and rollouts."""

from typing import NamedTuple

import torch
from torch import Tensor

from lib.core import checks
from lib.koopman.autoencoder import Autoencoder, turned
from lib.koopman.linear import MODES, Rollout


class Settled(NamedTuple):
    """A network with the one operator that its whole training set gives."""

    model: Autoencoder
    operator: Tensor  # (R, d + m, d)
    box: Tensor  # (R, 2, n) least and greatest training value of every column

    def eigenvalues(self) -> Tensor:
        """Return the eigenvalues of one step, (R, d) complex, largest modulus first."""
        found = torch.linalg.eigvals(self.operator[:, : self.operator.shape[2]])
        return found.gather(1, found.abs().argsort(dim=1, descending=True))


@torch.no_grad()
def settle(model: Autoencoder, x: Tensor, y: Tensor) -> Settled:
    """Return the network with its operator of all windows x (R, N, T, n) and controls y (R, N, T - 1, m)."""
    box = torch.stack([x.amin((1, 2)), x.amax((1, 2))], 1)
    return Settled(model, turned(model, model.codes(x), y)[1], box)


@torch.no_grad()
def rollout(
    settled: Settled, x0: Tensor, steps: int, *, mode: str, controls: Tensor | None = None, margin: float = 1.0
) -> Rollout:
    """Return `steps` forecasts from x0 (R, B, n): x (R, B, steps + 1, n), left_at (R, B).

    mode "linear" encodes once and then only multiplies; "relift" decodes and encodes at every step. They differ unless encoder
    and decoder undo each other. controls: (R, B, steps, m) where the model has them. A trajectory leaves the training range
    where a value lies more than `margin` ranges outside it; one that is no longer finite holds its last finite snapshot.
    """
    checks.known(mode, MODES, "mode of a rollout")
    model, w, box = settled
    acting = w.shape[1] - w.shape[2]
    if controls is None:
        controls = x0.new_zeros(*x0.shape[:2], checks.counted(steps, "steps"), 0)
    if controls.shape != (*x0.shape[:2], steps, acting):
        raise ValueError(f"controls must be {(*x0.shape[:2], steps, acting)}, got {tuple(controls.shape)}; one row a step")
    span = margin * (box[:, 1] - box[:, 0])
    low, high = ((b + s * span)[:, None] for b, s in ((box[:, 0], -1), (box[:, 1], 1)))
    z, frames, left_at = model.mean(x0), [x0], torch.full(x0.shape[:2], -1, device=x0.device)
    for t in range(steps):
        z = torch.cat([z, controls[:, :, t]], -1) @ w
        new = model.decode(z)
        finite = new.isfinite().all(-1)
        frames.append(torch.where(finite[..., None], new, frames[-1]))
        outside = ~finite | ((new < low) | (new > high)).any(-1)
        left_at = torch.where(outside & (left_at < 0), t + 1, left_at)
        z = model.mean(new) if mode == "relift" else z
    return Rollout(torch.stack(frames, 2), left_at, mode)
