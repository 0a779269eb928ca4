"""Consistent Koopman autoencoders: one operator leads forward, another back, and each should undo the other."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lib.core.types import Terms
from lib.koopman.autoencoder import Autoencoder, missed, windows
from lib.koopman.operators import Learned, dense


class Balance(NamedTuple):
    """The weights of the objective, as published."""

    identity: float = 1.0
    backward: float = 0.1
    consistency: float = 0.01


class ConsistentAutoencoder(Autoencoder):
    """R autoencoders with a free operator forward, a scaled rotation at first, and its inverse at first to lead back.

    What is decoded ends in tanh, so that data must lie in [-1, 1]. Source: [azencot2020forecasting].
    """

    def __init__(self, seeds: Sequence[int], inputs: int, shape: dict) -> None:
        super().__init__(seeds, inputs, shape | {"operator": "dense"})
        self.backward_operator = Learned(torch.linalg.inv(self.operator.weights.detach()), dense, 0)

    def decode(self, code: Tensor) -> Tensor:
        """Return values in (-1, 1)."""
        return super().decode(code).tanh()


def powers(z: Tensor, k: Tensor, steps: int) -> Tensor:
    """Return z K, ..., z K^steps of z (R, B, d), stacked as frames (R, B, steps, d)."""
    found = [z @ k]
    for _ in range(steps - 1):
        found.append(found[-1] @ k)
    return torch.stack(found, 2)


def undone(c: Tensor, d: Tensor) -> Tensor:
    r"""Return sum_k (|(DC)_k - I_k|^2 + |(CD)_k - I_k|^2) / 2k, M_k the leading k x k block; (R, b, b) each -> (R,).

    Source: [azencot2020forecasting], where the blocks are products of k rows of one and k columns of the other.
    """
    b = c.shape[-1]
    k = torch.arange(1, b + 1, dtype=c.dtype, device=c.device)
    place = torch.arange(b, device=c.device)
    # The entry (i, j), counted from 0, lies in every block of k > max(i, j).
    shares = (1 / (2 * k)).flip(0).cumsum(0).flip(0)[torch.maximum(place[:, None], place)]
    eye = torch.eye(b, dtype=c.dtype, device=c.device)
    return sum((shares * (product - eye).square()).sum((-2, -1)) for product in (d @ c, c @ d))


def consistent_terms(model: ConsistentAutoencoder, x: Tensor, y: Tensor, noise: Tensor, *, balance: Balance) -> Terms:
    r"""Return the errors s steps ahead of the first frame, summed over s, and of all frames; backward errors and consistency.

    x: (R, B, S + 1, n) -> terms (R,): fit = sum_s fwd_s + identity S rec, price = backward sum_s bwd_s + consistency `undone`.
    `y` and `noise` are not used. Source: [azencot2020forecasting].
    """
    steps = windows(x).shape[2] - 1
    z = model.codes(x)
    c, d = model.operator(), model.backward_operator()
    ahead, back = powers(z[:, :, 0], c, steps), powers(z[:, :, -1], d, steps)
    seen, forward, backward = model.frames(torch.cat([z, ahead, back], 2)).split([steps + 1, steps, steps], 2)
    watch = {
        "reconstruction": missed(seen, x, "mean"),
        "forward": missed(forward, x[:, :, 1:], "sum"),
        "backward": missed(backward, x[:, :, :-1].flip(2), "sum"),
        "undone": undone(c, d),
    }
    return Terms(
        watch["forward"] + balance.identity * steps * watch["reconstruction"],
        balance.backward * watch["backward"] + balance.consistency * watch["undone"],
        {name: value.detach() for name, value in watch.items()} | {"code": z.detach(), "forecast": forward.detach()},
    )
