"""Which weights an ablation takes away, what a pendulum's state is seen as, and the plane of a code that is looked at."""

from typing import NamedTuple

import torch
from torch import Tensor


class Variant(NamedTuple):
    """The weights of information, consistency and entropy."""

    alpha: float = 0.0
    beta: float = 0.0
    gamma: float = 0.0


SIGNS = {
    "none": Variant(),
    "information": Variant(alpha=2.0),
    "rewarded": Variant(alpha=2.0, gamma=0.1),
    "penalised": Variant(alpha=2.0, gamma=-0.1),
}

WHOLE = Variant(2.0, 2.0, 0.5)  # as published for the visual pendulum

ABLATION = {"whole": WHOLE} | {f"no {name}": WHOLE._replace(**{name: 0.0}) for name in Variant._fields}


def seen(states: Tensor) -> Tensor:
    """Return cos q, sin q and q' / 4 of states (..., 2), (..., 3)."""
    q, speed = states.unbind(-1)
    return torch.stack([q.cos(), q.sin(), speed / 4], -1)


def principal(z: Tensor) -> Tensor:
    """Return the two leading principal coordinates of codes (n, d), (n, 2)."""
    z = z - z.mean(0)
    return z @ torch.linalg.svd(z, full_matrices=False)[2][:2].T
