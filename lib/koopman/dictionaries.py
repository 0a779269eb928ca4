"""Dictionaries of observables: each builder returns a function of snapshots, (..., n) -> (..., k), to be joined at will."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from lib.core import checks

Lift = Callable[[Tensor], Tensor]


def identity(x: Tensor) -> Tensor:
    """Return the snapshots themselves: EDMD with it is DMD."""
    return x


def constant(x: Tensor) -> Tensor:
    """Return the observable that is 1 everywhere, whose eigenvalue is 1: (..., n) -> (..., 1)."""
    return torch.ones_like(x[..., :1])


def joined(*lifts: Lift) -> Lift:
    """Return the observables of several dictionaries side by side."""
    if not lifts:
        raise ValueError("joined wants at least one dictionary, got none")
    return partial(side_by_side, lifts=lifts)


def side_by_side(x: Tensor, lifts: tuple[Lift, ...]) -> Tensor:
    """Apply each dictionary."""
    return torch.cat([lift(x) for lift in lifts], -1)


def monomials(dimension: int, *, degree: int) -> Lift:
    """Return all products of coordinates of total degree 0 to `degree`, C(dimension + degree, degree) observables.

    The constant comes first, then the coordinates. Standardise the data: powers of large numbers ruin the conditioning.
    Source: [williams2015data].
    """
    checks.counted(dimension, "dimension"), checks.counted(degree, "degree")
    last, levels = list(range(dimension)), []
    # A monomial of one degree more is a parent times a coordinate not before the parent's last, so that each comes once.
    for _ in range(degree - 1):
        grown = [(parent, c) for parent, least in enumerate(last) for c in range(least, dimension)]
        levels.append((torch.tensor([p for p, _ in grown]), torch.tensor([c for _, c in grown])))
        last = [c for _, c in grown]
    return partial(powers, levels=tuple(levels), dimension=dimension)


def powers(x: Tensor, levels: tuple[tuple[Tensor, Tensor], ...], dimension: int) -> Tensor:
    """Multiply degree by degree, one observable a row of memory: least squares wants them so."""
    if x.shape[-1] != dimension:
        raise ValueError(f"these monomials take {dimension} coordinates, got {x.shape[-1]}; build them for your data")
    rows = x.movedim(-1, 0).contiguous()
    found = [torch.ones_like(rows[:1]), rows]
    for parents, coordinates in levels:
        found.append(found[-1][parents.to(x.device)].mul_(rows[coordinates.to(x.device)]))
    return torch.cat(found).movedim(0, -1)


def radial(centres: Tensor, *, width: float) -> Lift:
    """Return exp(-|x - c|^2 / (2 width^2)) for each row c of centres (k, n). Source: [williams2015data]."""
    checks.single(centres, "centres"), checks.positive(width, "width")
    return partial(bumps, centres=centres, width=width)


def bumps(x: Tensor, centres: Tensor, width: float) -> Tensor:
    """Return the Gaussian kernel between snapshots and centres, its exponents by one product of [u, -|u|^2 / 2, 1]."""
    middle = centres.mean(0)
    u, v = (x.reshape(-1, x.shape[-1]) - middle) / width, (centres - middle) / width
    one = u.new_ones(len(u), 1), v.new_ones(len(v), 1)
    left = torch.cat([u, u.square().sum(1, keepdim=True).mul_(-0.5), one[0]], 1)
    right = torch.cat([v, one[1], v.square().sum(1, keepdim=True).mul_(-0.5)], 1)
    return (left @ right.T).clamp_(max=0).exp_().reshape(*x.shape[:-1], len(centres))


def random_fourier(dimension: int, *, count: int, width: float, seed: int) -> Lift:
    """Return `count` cosines and `count` sines over sqrt(count), whose inner products tend to the Gaussian kernel of `width`.

    Frequencies are normal with standard deviation 1 / width. Source: [rahimi2007random].
    """
    checks.counted(dimension, "dimension"), checks.counted(count, "count"), checks.positive(width, "width")
    drawn = torch.randn(dimension, count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return partial(waves, frequencies=drawn / width)


def waves(x: Tensor, frequencies: Tensor) -> Tensor:
    """Return cosines and sines of x W, scaled."""
    angle = x @ frequencies
    return torch.cat([angle.cos(), angle.sin()], -1) / math.sqrt(frequencies.shape[-1])


def trigonometric(degree: int, *, inner: Lift = identity) -> Lift:
    r"""Return 1, cos 2 pi j u and sin 2 pi j u, 1 <= j <= degree, of each coordinate u of inner(x), (..., n (2 degree + 1)).

    For x' = f(x) + noise mod 1, the noise having a density of trigonometric degree M, inner=f and degree=M make the span
    exactly invariant: the mean of g(x') given x is the convolution of g with the noise at f(x), of degree M in f(x).
    """
    checks.counted(degree, "degree")
    return partial(harmonics, degree=degree, inner=inner)


def harmonics(x: Tensor, degree: int, inner: Lift) -> Tensor:
    """Return the harmonics of inner(x)."""
    u = inner(x)
    angle = 2 * math.pi * u[..., None] * torch.arange(1, degree + 1, dtype=u.dtype, device=u.device)
    return torch.cat([torch.ones_like(angle[..., :1]), angle.cos(), angle.sin()], -1).flatten(-2)


DICTIONARIES = {
    "identity": identity,
    "monomials": monomials,
    "radial": radial,
    "random_fourier": random_fourier,
    "trigonometric": trigonometric,
}
