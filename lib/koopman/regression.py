r"""Koopman kernel regression: fixed eigenvalues, and eigenfunctions from whole trajectories.

For trajectories of H snapshots and eigenvalues mu_j, k_j(x, x') = H^-2 sum_{a,b < H} mu_j^-a conj(mu_j)^-b k(x_a, x'_b) is
the base kernel made to follow mu_j along a trajectory; a ridge regression with the Gram matrix over trajectories and times,
1/D sum_j mu_j^h k_j(x, x') conj(mu_j)^h', gives x_h = sum_j mu_j^h g_j(x), and a second one g_j from the first snapshot.
"""

from functools import partial

import torch
from torch import Tensor

from lib.core import checks
from lib.koopman.dictionaries import bumps
from lib.koopman.kernel import mapped
from lib.koopman.linear import Fit, LinearKoopman, model_of
from lib.koopman.pairs import Data, box_of, pairs, parts, uncontrolled, windows

MOST = 3000  # rows of the Gram matrix over trajectories and times


def kkr(data: Data, *, eigenvalues: Tensor, length: int, width: float, ridge: float = 1e-8, stride: int = 1) -> LinearKoopman:
    """Fit eigenfunctions for given eigenvalues (D,) to every `stride`-th window of `length` snapshots of (B, T, ...).

    eigenvalues: complex, of one step, not 0, closed under conjugation; see `annulus`. Coordinates are g_j(x) for each of the n
    numbers of a snapshot, so each eigenvalue comes n times. Memory and time grow as the square and the cube of windows times
    length, at most 3000. Errors: ValueError for more, with the memory that it would take. Source: [bevanda2023koopman].
    """
    checks.positive(width, "width"), checks.positive(ridge, "ridge")
    mu, x = spectrum(eigenvalues), windows(uncontrolled(data), length=length)[:: checks.counted(stride, "stride")]
    count, n = len(x), x.shape[-1]
    if count * length > MOST:
        raise ValueError(
            f"{count} windows of {length} snapshots make a Gram matrix of {count * length} rows and "
            f"{16 * (count * length) ** 2 / 2**30:.1f} GiB, at most {MOST} rows are taken; raise stride or shorten length"
        )
    g = eigenfunction_values(x, mu, width, ridge).flatten(1)  # (W, D n)
    start = x[:, 0]
    gram = bumps(start, start, width).to(mu.dtype)
    gram.diagonal().add_(ridge)
    lift = partial(complex_mapped, centres=start, width=width, to=torch.linalg.solve(gram, g))
    operator = torch.diag(mu.repeat_interleave(n))
    forecast = mu.repeat_interleave(n)[:, None] * torch.eye(n, dtype=mu.dtype, device=mu.device).repeat(len(mu), 1)
    before, after = pairs(data)
    fit = Fit(lift, operator, forecast, lift(before), lift(after))
    return model_of(fit, box=box_of(data), dt=parts(data)[0].dt)


def annulus(count: int, *, least: float, seed: int) -> Tensor:
    """Return 2 count + 1 eigenvalues: 1, and conjugate pairs drawn evenly from least <= |mu| <= 1, 0 < least < 1."""
    checks.counted(count, "count")
    if not 0 < least < 1:
        raise ValueError(f"least must lie between 0 and 1, got {least!r}; eigenvalues near 0 forget within a step")
    even, turn = torch.rand(2, count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    drawn = torch.polar((least**2 + (1 - least**2) * even).sqrt(), torch.pi * turn)
    return torch.cat([torch.ones(1, dtype=drawn.dtype), drawn, drawn.conj()])


def spectrum(eigenvalues: Tensor) -> Tensor:
    """Refuse eigenvalues that are 0 or not closed under conjugation, as forecasts must be real."""
    mu = torch.as_tensor(eigenvalues).to(torch.complex128)
    if mu.ndim != 1 or len(mu) == 0 or (mu == 0).any() or not torch.isfinite(mu).all():
        raise ValueError(f"eigenvalues must be a vector of finite numbers that are not 0, got shape {tuple(mu.shape)}")
    # Differences, and not cdist: for more than 25 points that multiplies, and its rounding is about 1e-8.
    if ((mu[:, None] - mu.conj()).abs().amin(1) > 1e-9).any():
        raise ValueError("eigenvalues must hold the conjugate of each of them; add the missing ones")
    return mu


def eigenfunction_values(x: Tensor, mu: Tensor, width: float, ridge: float) -> Tensor:
    """Return g_j(x_i) for each window, (W, H, n) -> (W, D, n), by the regression over trajectories and times."""
    kernels = invariant(x, x, mu, width)  # (D, W, W)
    count, length = x.shape[:2]
    rise = mu[:, None] ** torch.arange(length, device=x.device)  # (D, H)
    gram = torch.einsum("dh,dil,dk->ihlk", rise, kernels, rise.conj()) / len(mu)
    gram = gram.reshape(count * length, count * length)
    gram.diagonal().add_(ridge)
    weights = torch.linalg.solve(gram, x.reshape(count * length, -1).to(mu.dtype)).reshape(count, length, -1)
    return torch.einsum("dil,dk,lkn->idn", kernels, rise.conj(), weights) / len(mu)


def invariant(x: Tensor, y: Tensor, mu: Tensor, width: float) -> Tensor:
    """Return k_j between windows, (W, H, n) and (V, H, n) -> (D, W, V)."""
    (count, length, n), others = x.shape, len(y)
    base = bumps(x.reshape(-1, n), y.reshape(-1, n), width).reshape(count, length, others, length).to(mu.dtype)
    fall = mu[:, None] ** -torch.arange(length, device=x.device)
    return torch.einsum("da,iakb,db->dik", fall, base, fall.conj()) / length**2


def complex_mapped(x: Tensor, centres: Tensor, width: float, to: Tensor) -> Tensor:
    """Return k(x, centres) M for a complex M."""
    return torch.complex(mapped(x, centres, width, to.real), mapped(x, centres, width, to.imag))
