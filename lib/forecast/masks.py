"""Which values of a series are seen: masks (T, N), True where a value is seen, drawn before any window is cut."""

import math

import torch
from torch import Tensor

from lib.core import checks

SIDE = 5  # of a hidden block


def floor(rate: float, count: int) -> int:
    """Return the whole part of rate * count, where 0.29 * 100 is 29 and not 28.999...

    Errors: a rate outside (0, 1).
    """
    if not 0 < rate < 1:
        raise ValueError(f"rate must lie between 0 and 1, got {rate!r}; it is the share of values to hide")
    return math.floor(rate * count + 1e-9)


def point(times: int, variates: int, *, rate: float, generator: torch.Generator) -> Tensor:
    """Hide exactly floor(rate * T * N) single values, drawn without regard to one another. Source: [yang2025crib]."""
    hidden = torch.randperm(times * variates, generator=generator)[: floor(rate, times * variates)]
    seen = torch.ones(times * variates, dtype=torch.bool)
    seen[hidden] = False
    return seen.view(times, variates)


def block(times: int, variates: int, *, rate: float, generator: torch.Generator) -> Tensor:
    """Hide floor(rate * T * N / 25) blocks of 5 times by 5 neighbouring variates, which may overlap.

    The share of values hidden is therefore smaller than the rate, about 1 - exp(-rate). Source: [yang2025crib].
    Errors: a series smaller than a block.
    """
    if min(times, variates) < SIDE:
        raise ValueError(f"blocks need at least {SIDE} times and variates, got {times} and {variates}; hide points or columns")
    blocks, reach = floor(rate / SIDE**2, times * variates), torch.arange(SIDE)
    top = torch.randint(times - SIDE + 1, (blocks, 1, 1), generator=generator) + reach[:, None]
    left = torch.randint(variates - SIDE + 1, (blocks, 1, 1), generator=generator) + reach
    seen = torch.ones(times, variates, dtype=torch.bool)
    seen[top, left] = False
    return seen


def column(times: int, variates: int, *, rate: float, generator: torch.Generator) -> Tensor:
    """Hide floor(rate * N) whole variates, at least one. Source: [yang2025crib]."""
    hidden = torch.randperm(variates, generator=generator)[: max(1, floor(rate, variates))]
    seen = torch.ones(times, variates, dtype=torch.bool)
    seen[:, hidden] = False
    return seen


MASKS = {"point": point, "block": block, "column": column}


def masked(pattern: str, times: int, variates: int, *, rate: float, seed: int) -> Tensor:
    """Return the mask that a seed draws by a pattern: point, block or column."""
    checks.counted(times, "times"), checks.counted(variates, "variates")
    draw = checks.known(pattern, MASKS, "pattern of missing values")
    return draw(times, variates, rate=rate, generator=torch.Generator().manual_seed(seed))
